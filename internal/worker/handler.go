package worker

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// Handler runs one job and returns its return value as JSON text; nil stands
// for null. It is called from many goroutines at once.
//
// The context ends when the job's lock is lost, when its time is up, or when
// the worker is told to stop now; context.Cause says which. A handler that
// goes on after that keeps its slot, but its result is dropped. An error of
// type [*Failure] says what becomes of the job; any other error is a failed
// attempt whose failed reason is the error's text.
type Handler interface {
	Handle(ctx context.Context, job Job, report Reporter) (json.RawMessage, error)
}

// HandlerFunc makes a function a [Handler].
type HandlerFunc func(ctx context.Context, job Job, report Reporter) (json.RawMessage, error)

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, job Job, report Reporter) (json.RawMessage, error) {
	return f(ctx, job, report)
}

// Job is a claimed job as a handler sees it.
type Job struct {
	queue.Job

	Queue string // key base, such as bull:email-queue
	Alias string // what the operator calls the queue; empty without one

	// Attempt counts from 1: finished attempts before this one, plus one.
	Attempt int
	// MaxAttempts is at least 1.
	MaxAttempts int
	// Fence grows with every start of the job, so that a late writer can be
	// told from the present one.
	Fence int64
	// Deadline is when the handler's time is up; zero without a timeout.
	Deadline time.Time
	// Children reads what became of the job's children; nil stands for none. A
	// handler that does not call it pays nothing.
	Children ChildrenFunc
}

// Reporter takes what a handler has to say while it runs. Both methods may be
// called from several goroutines; they fail when the job is gone or Redis
// cannot be reached, which a handler may ignore.
type Reporter interface {
	// Progress stores the job's progress, a JSON text, and tells listeners.
	Progress(ctx context.Context, progress json.RawMessage) error
	// Log appends lines to the job's log.
	Log(ctx context.Context, lines ...string) error
}

// Failure is an error with a verdict. The zero verdict is a failed attempt:
// tried again by the job's backoff while attempts are left.
type Failure struct {
	// Reason becomes the job's failed reason.
	Reason string
	// Stack is stored as one entry of the job's stack trace, when not empty.
	Stack string
	// Unrecoverable fails the job for good, attempts left or not.
	Unrecoverable bool
	// TryAgain puts the job back without using up the attempt: after
	// RetryAfter, or by the job's backoff when that is zero.
	TryAgain   bool
	RetryAfter time.Duration
}

// Error returns the reason.
func (f *Failure) Error() string { return f.Reason }

// Why a job's context ended before the handler did, by context.Cause.
var (
	// ErrLockLost means that the job may be running elsewhere by now.
	ErrLockLost = errors.New("lock lost")
	// ErrStopped means that the worker stops and the job goes back to wait.
	ErrStopped = errors.New("worker stopped")
)

// TimeoutError is the cause when a job ran longer than its queue allows.
type TimeoutError struct{ After time.Duration }

// Error words the failed reason of a job that timed out.
func (e *TimeoutError) Error() string { return "timed out after " + shortDuration(e.After) }

// shortDuration drops the zero units that time.Duration prints: 10m, not 10m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if len(s) > 2 && s[len(s)-2:] == "0s" && s[len(s)-3] == 'm' {
		s = s[:len(s)-2]
	}
	if len(s) > 2 && s[len(s)-2:] == "0m" && s[len(s)-3] == 'h' {
		s = s[:len(s)-2]
	}
	return s
}
