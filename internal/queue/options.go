package queue

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// BullMQ's limits on job options.
const (
	MaxPriority = 1<<21 - 1
	// MaxDelay keeps scores of delayed jobs exact in a double (wire 5.1).
	MaxDelay = 10 * 365 * 24 * time.Hour
	// MaxIDBytes bounds custom job ids.
	MaxIDBytes = 1024
	// MaxAttempts is what BullMQ's clients in other languages can hold.
	MaxAttempts = math.MaxInt32
)

// JobOptions is what a producer may say of a job. The zero value is a job that
// runs once, as soon as it can, and is kept for ever.
type JobOptions struct {
	// ID is the job id; empty takes the next number. Adding a job whose id
	// exists stores nothing.
	ID string
	// Priority is 1 (first) to MaxPriority; 0 runs before all of these.
	Priority int
	// Delay counts from Timestamp.
	Delay time.Duration
	// Timestamp is the time of creation; zero means now.
	Timestamp time.Time
	// Attempts is how often the job may fail; 0 and 1 are the same.
	Attempts int
	Backoff  *Backoff
	// LIFO puts the job at the front of the line. Jobs with a priority or a
	// delay ignore it.
	LIFO bool
	// KeepCompleted and KeepFailed are removeOnComplete and removeOnFail; nil
	// leaves it to the worker.
	KeepCompleted *Keep
	KeepFailed    *Keep
	// StackTraceLimit is how many stack traces are kept; nil means all.
	StackTraceLimit *int
	// KeepLogs is how many log lines are kept; 0 means all.
	KeepLogs int
	// SizeLimit refuses a payload of more bytes; 0 means no limit.
	SizeLimit int
	// Dedup keeps the job out while another stands for it.
	Dedup *Deduplication
	// Parent is a job that exists and is to wait for this one.
	Parent *ParentRef
	// What the final failure of a child means for its parent; at most one of
	// them. Without any, the parent waits until the child is retried or removed.
	FailParent       bool // the parent fails
	ContinueParent   bool // the parent goes on at once, though other children pend
	IgnoreDependency bool // the parent goes on when no other child pends, and knows of the failure
	RemoveDependency bool // the parent goes on when no other child pends
	// Other holds options that qctl does not know, kept as they are.
	Other map[string]json.RawMessage
}

// Backoff is the wait between attempts.
type Backoff struct {
	Type   string // fixed, exponential, or one only the job's own workers know
	Delay  time.Duration
	Jitter float64 // 0 to 1: the part of the delay that is random
}

// Keep is how long finished jobs stay. The zero value keeps all of them.
type Keep struct {
	// Count keeps the newest so many; 0 deletes at once.
	Count *int64
	// Age deletes what finished longer ago.
	Age *time.Duration
	// Limit is the most that Age deletes at one time; 0 means 1000.
	Limit int
}

// KeepNewest returns a rule that keeps the newest count jobs, and those only
// for age; an age of 0 sets no age.
func KeepNewest(count int64, age time.Duration) *Keep {
	k := &Keep{Count: &count}
	if age > 0 {
		k.Age = &age
	}
	return k
}

// validate holds the options against BullMQ's limits.
func (o *JobOptions) validate() error {
	switch {
	case o.Priority < 0 || o.Priority > MaxPriority:
		return fmt.Errorf("%w: priority %d is not between 0 and %d", ErrInvalidOption, o.Priority, MaxPriority)
	case o.Delay < 0 || o.Delay > MaxDelay:
		return fmt.Errorf("%w: delay %v is not between 0 and 10 years", ErrInvalidOption, o.Delay)
	case o.Attempts < 0 || o.Attempts > MaxAttempts:
		return fmt.Errorf("%w: attempts %d is not between 0 and %d", ErrInvalidOption, o.Attempts, MaxAttempts)
	case o.Backoff != nil && (o.Backoff.Jitter < 0 || o.Backoff.Jitter > 1 || math.IsNaN(o.Backoff.Jitter)):
		return fmt.Errorf("%w: backoff jitter %v is not between 0 and 1", ErrInvalidOption, o.Backoff.Jitter)
	case o.Backoff != nil && (o.Backoff.Delay < 0 || o.Backoff.Delay > MaxDelay):
		return fmt.Errorf("%w: backoff delay %v is not between 0 and 10 years", ErrInvalidOption, o.Backoff.Delay)
	case o.SizeLimit < 0 || o.KeepLogs < 0:
		return fmt.Errorf("%w: sizeLimit and keepLogs cannot be negative", ErrInvalidOption)
	}
	if err := o.validateRelations(); err != nil {
		return err
	}
	for name, value := range o.Other {
		if !json.Valid(value) {
			return fmt.Errorf("%w: opts.%s is not JSON: %w", ErrInvalidOption, name, jsonError(value))
		}
	}
	return validateID(o.ID)
}

// validateID refuses the ids that BullMQ refuses (wire section 3.1), and those
// that would be one of the queue's own keys, which it does not.
func validateID(id string) error {
	if id == "" {
		return nil
	}
	first := id
	colons := 0
	for i := range len(id) {
		if id[i] == ':' {
			if colons == 0 {
				first = id[:i]
			}
			colons++
		}
	}
	refuse := func(why string) error {
		return fmt.Errorf("%w: job id %q %s", ErrInvalidName, id, why)
	}
	switch {
	case len(id) > MaxIDBytes:
		return fmt.Errorf("%w: job id of %d bytes is longer than %d", ErrInvalidName, len(id), MaxIDBytes)
	case !utf8.ValidString(id):
		return refuse("is not valid UTF-8")
	case id == "0" || first == "0":
		return refuse("is 0 or begins with 0:")
	case canonicalInteger(id):
		return refuse("is a plain number, which only the queue may give out")
	case colons != 0 && colons != 2:
		return refuse("contains a colon")
	case reservedIDs[first]:
		return refuse("is a key of the queue itself")
	}
	for i := range len(id) {
		if id[i] < 0x20 || id[i] == 0x7f {
			return refuse("contains a control character")
		}
	}
	return nil
}

func canonicalInteger(id string) bool {
	n, err := strconv.ParseInt(id, 10, 64)
	if err == nil {
		return strconv.FormatInt(n, 10) == id
	}
	return len(id) > 18 && id[0] != '0' && allDigits(id)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
