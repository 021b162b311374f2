package queue

import (
	"bytes"
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

// MarshalJSON writes removeOnComplete's forms: false, or an object with the
// age in seconds.
func (k Keep) MarshalJSON() ([]byte, error) {
	if k.Count == nil && k.Age == nil {
		return []byte("false"), nil
	}
	out := struct {
		Age   *float64 `json:"age,omitempty"`
		Count *int64   `json:"count,omitempty"`
		Limit int      `json:"limit,omitempty"`
	}{Count: k.Count, Limit: k.Limit}
	if k.Age != nil {
		seconds := k.Age.Seconds()
		out.Age = &seconds
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads true, false, a count, or an object. Negative counts keep
// all, as in BullMQ.
func (k *Keep) UnmarshalJSON(text []byte) error {
	*k = Keep{}
	switch text = bytes.TrimSpace(text); {
	case string(text) == "true":
		k.Count = new(int64)
		return nil
	case string(text) == "false" || string(text) == "null":
		return nil
	case len(text) > 0 && text[0] != '{':
		count, err := wireNumber(text)
		if err != nil {
			return err
		}
		if count >= 0 {
			n := int64(count)
			k.Count = &n
		}
		return nil
	}
	var in struct {
		Age, Count *float64
		Limit      float64
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	if in.Count != nil && *in.Count >= 0 {
		n := int64(math.Min(*in.Count, 1<<53))
		k.Count = &n
	}
	if in.Age != nil && *in.Age >= 0 {
		age := millis(*in.Age * 1000)
		k.Age = &age
	}
	k.Limit = int(math.Max(0, math.Min(in.Limit, 1000)))
	return nil
}

// rule is the form that scripts read: count:age:limit, ” for keep all.
func (k *Keep) rule() string {
	if k == nil || (k.Count == nil && k.Age == nil) {
		return ""
	}
	part := func(set bool, v int64) string {
		if !set {
			return "-"
		}
		return strconv.FormatInt(v, 10)
	}
	var count, age int64
	if k.Count != nil {
		count = *k.Count
	}
	if k.Age != nil {
		age = int64(k.Age.Seconds())
	}
	return part(k.Count != nil, count) + ":" + part(k.Age != nil, age) + ":" + part(k.Limit > 0, int64(k.Limit))
}

// MarshalJSON writes BullMQ's normal form.
func (b Backoff) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type   string  `json:"type"`
		Delay  int64   `json:"delay"`
		Jitter float64 `json:"jitter,omitempty"`
	}{b.Type, b.Delay.Milliseconds(), b.Jitter})
}

// UnmarshalJSON reads an object, or a bare number of milliseconds, which means
// fixed.
func (b *Backoff) UnmarshalJSON(text []byte) error {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] != '{' {
		delay, err := wireNumber(text)
		*b = Backoff{Type: "fixed", Delay: millis(delay)}
		return err
	}
	var in struct {
		Type          string
		Delay, Jitter float64
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*b = Backoff{Type: in.Type, Delay: millis(in.Delay), Jitter: math.Max(0, math.Min(in.Jitter, 1))}
	return nil
}

// wireNumber reads a JSON number, 0 for null.
func wireNumber(text []byte) (float64, error) {
	if string(text) == "null" {
		return 0, nil
	}
	var n float64
	err := json.Unmarshal(text, &n)
	return n, err
}

// millis clamps a foreign number of milliseconds to what a time can hold.
func millis(ms float64) time.Duration {
	switch {
	case math.IsNaN(ms) || ms <= 0:
		return 0
	case ms > float64(MaxDelay.Milliseconds()):
		return MaxDelay
	}
	return time.Duration(ms * float64(time.Millisecond))
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

// wireOptions is the stored form: short names and milliseconds (wire 2.2).
type wireOptions struct {
	Attempts        int             `json:"attempts"`
	Backoff         *Backoff        `json:"backoff,omitempty"`
	Delay           int64           `json:"delay,omitempty"`
	Priority        int             `json:"priority,omitempty"`
	LIFO            bool            `json:"lifo,omitempty"`
	JobID           string          `json:"jobId,omitempty"`
	Timestamp       int64           `json:"timestamp,omitempty"`
	KeepCompleted   *Keep           `json:"removeOnComplete,omitempty"`
	KeepFailed      *Keep           `json:"removeOnFail,omitempty"`
	StackTraceLimit *int            `json:"stackTraceLimit,omitempty"`
	SizeLimit       int             `json:"sizeLimit,omitempty"`
	KeepLogs        int             `json:"kl,omitempty"`
	Other           json.RawMessage `json:"-"`
}

// MarshalJSON writes the options as BullMQ stores them.
func (o JobOptions) MarshalJSON() ([]byte, error) {
	wire := wireOptions{
		Attempts: o.Attempts, Backoff: o.Backoff, Delay: o.Delay.Milliseconds(), Priority: o.Priority,
		LIFO: o.LIFO, JobID: o.ID, KeepCompleted: o.KeepCompleted, KeepFailed: o.KeepFailed,
		StackTraceLimit: o.StackTraceLimit, SizeLimit: o.SizeLimit, KeepLogs: o.KeepLogs,
	}
	if !o.Timestamp.IsZero() {
		wire.Timestamp = o.Timestamp.UnixMilli()
	}
	known, err := json.Marshal(wire)
	if err != nil || len(o.Other) == 0 {
		return known, err
	}
	other, err := json.Marshal(o.Other)
	if err != nil {
		return nil, err
	}
	return append(append(known[:len(known)-1], ','), other[1:]...), nil
}

// DecodeOptions reads stored options leniently, as they come from any BullMQ
// client: numbers out of range are clamped, unknown options kept. It fails
// only when the text is not a JSON object; an empty text is no options.
func DecodeOptions(text []byte) (JobOptions, error) {
	if len(text) == 0 {
		return JobOptions{}, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return JobOptions{}, err
	}
	if all == nil {
		return JobOptions{}, fmt.Errorf("null is not an object")
	}
	var o JobOptions
	for name, value := range all {
		if err := o.set(name, value); err != nil {
			// A nonsensical value counts as not given, as in Node.
			continue
		}
	}
	return o, nil
}

// set stores one option under its wire or its API name.
func (o *JobOptions) set(name string, value json.RawMessage) error {
	number := func(low, high float64) (int, error) {
		n, err := wireNumber(value)
		return int(math.Max(low, math.Min(n, high))), err
	}
	var err error
	switch name {
	case "attempts":
		o.Attempts, err = number(0, MaxAttempts)
	case "priority":
		o.Priority, err = number(0, MaxPriority)
	case "delay":
		var ms float64
		ms, err = wireNumber(value)
		o.Delay = millis(ms)
	case "timestamp":
		var ms float64
		if ms, err = wireNumber(value); err == nil && ms > 0 && ms < 1<<53 {
			o.Timestamp = time.UnixMilli(int64(ms))
		}
	case "backoff":
		var b Backoff
		if err = b.UnmarshalJSON(value); err == nil && string(value) != "null" {
			o.Backoff = &b
		}
	case "lifo":
		err = json.Unmarshal(value, &o.LIFO)
	case "jobId":
		err = json.Unmarshal(value, &o.ID)
	case "removeOnComplete":
		o.KeepCompleted, err = decodeKeep(value)
	case "removeOnFail":
		o.KeepFailed, err = decodeKeep(value)
	case "stackTraceLimit":
		var n int
		if n, err = number(0, math.MaxInt32); err == nil {
			o.StackTraceLimit = &n
		}
	case "sizeLimit":
		o.SizeLimit, err = number(0, math.MaxInt32)
	case "kl", "keepLogs":
		o.KeepLogs, err = number(0, math.MaxInt32)
	default:
		if o.Other == nil {
			o.Other = map[string]json.RawMessage{}
		}
		o.Other[name] = value
	}
	return err
}

func decodeKeep(value json.RawMessage) (*Keep, error) {
	if string(value) == "null" {
		return nil, nil
	}
	var k Keep
	if err := k.UnmarshalJSON(value); err != nil {
		return nil, err
	}
	return &k, nil
}
