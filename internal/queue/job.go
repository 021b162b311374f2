package queue

import (
	"encoding/json"
	"time"
)

// State is where a job is. The names are BullMQ's; a job in the list of a
// paused queue is waiting.
type State string

// The states of a job.
const (
	StateWaiting         State = "waiting"
	StatePrioritized     State = "prioritized"
	StateActive          State = "active"
	StateDelayed         State = "delayed"
	StateCompleted       State = "completed"
	StateFailed          State = "failed"
	StateWaitingChildren State = "waiting-children"
)

// States lists every state, in the order a job passes through them.
func States() []State {
	return []State{
		StateWaiting, StatePrioritized, StateDelayed, StateWaitingChildren,
		StateActive, StateCompleted, StateFailed,
	}
}

// Finished reports whether a job in this state has an outcome.
func (s State) Finished() bool { return s == StateCompleted || s == StateFailed }

// Job is a job as read from Redis. Only the fields that were asked for are
// filled. Times are zero when the job has none; texts that should be JSON are
// kept byte for byte, valid or not.
type Job struct {
	ID    string
	Name  string
	State State

	Data        json.RawMessage
	Opts        json.RawMessage
	ReturnValue json.RawMessage
	Progress    json.RawMessage
	Stacktrace  []string // newest last

	Timestamp   time.Time // created
	ProcessedOn time.Time // last started
	FinishedOn  time.Time

	Priority        int
	Delay           time.Duration
	Attempts        int // limit, from Opts; 0 when unset
	AttemptsMade    int
	AttemptsStarted int
	StalledCounter  int

	FailedReason    string
	HasFailedReason bool

	// DeferredFailure, when HasDeferredFailure, is the text with which the
	// next worker must fail the job without running it.
	DeferredFailure    string
	HasDeferredFailure bool

	ParentKey       string // full job key
	Parent          json.RawMessage
	DeduplicationID string
	RepeatJobKey    string // id of the job scheduler that made it
	ProcessedBy     string // worker name

	// Token is the lock token of a claimed job, else empty.
	Token string
	// Options are the parsed Opts of a claimed job, shared between jobs: do
	// not change them. Nil when Opts cannot be read.
	Options *JobOptions
	// Unrunnable says why a claimed job must be failed without running it,
	// such as "data: unexpected end of JSON input"; empty for a healthy job.
	Unrunnable string

	// Corrupt names the fields whose stored text could not be read, with the
	// reason, such as "priority: "x" is not a number in range". Numbers and times
	// among them are zero; texts that should be JSON are kept as they are. Empty
	// for a healthy job.
	Corrupt []string
	// Cut holds the stored size in bytes of fields that were too large to be
	// sent and are therefore empty.
	Cut map[string]int64
}
