package queue

import (
	"errors"
	"fmt"
)

// What callers branch on. Every error of this package that has one of these
// causes wraps it.
var (
	// ErrJobNotFound: no job of that id exists in the queue.
	ErrJobNotFound = errors.New("job not found")
	// ErrJobNotInState: the job exists, in a state that does not allow this.
	ErrJobNotInState = errors.New("job is not in the state asked for")
	// ErrJobLocked: a worker is running the job.
	ErrJobLocked = errors.New("job is locked by a worker")
	// ErrLockLost: the caller's lock token is not, or no longer, the job's.
	ErrLockLost = errors.New("lock lost")
	// ErrPendingChildren: the job waits for children.
	ErrPendingChildren = errors.New("job has pending children")
	// ErrFailedChildren: a child's failure must fail the job.
	ErrFailedChildren = errors.New("job has failed children")
	// ErrParentMissing: the parent that a job names does not exist.
	ErrParentMissing = errors.New("parent job does not exist")
	// ErrOtherParent: the job exists and is a child of another job.
	ErrOtherParent = errors.New("job has another parent")
	// ErrSchedulerJob: the job is the next one of a job scheduler.
	ErrSchedulerJob = errors.New("job belongs to a job scheduler")
	// ErrQueueNotPaused: only a paused queue can be obliterated.
	ErrQueueNotPaused = errors.New("queue is not paused")
	// ErrActiveJobs: the queue has jobs that workers run.
	ErrActiveJobs = errors.New("queue has active jobs")
	// ErrUnknownState: no such job state.
	ErrUnknownState = errors.New("unknown state")
	// ErrInvalidOption: a job option outside BullMQ's limits.
	ErrInvalidOption = errors.New("invalid option")
	// ErrTooLarge: a payload above the job's size limit, or a field too large
	// to be read.
	ErrTooLarge = errors.New("too large")
	// ErrCorrupt: what Redis holds cannot be a queue or a job.
	ErrCorrupt = errors.New("data corrupt")
	// ErrReadOnly: a write was refused before it was sent.
	ErrReadOnly = errors.New("read-only")
	// ErrHashTag: in Redis Cluster a queue's keys must share a slot.
	ErrHashTag = errors.New("queue has no hash tag")
)

// JobError says which job of a call failed, and why.
type JobError struct {
	ID    string
	State State // where the job is, when the call found out
	Err   error
}

// Error names the job.
func (e *JobError) Error() string {
	if e.State != "" && errors.Is(e.Err, ErrJobNotInState) {
		return fmt.Sprintf("job %q: %v: it is %s", e.ID, e.Err, e.State)
	}
	return fmt.Sprintf("job %q: %v", e.ID, e.Err)
}

// Unwrap returns the cause.
func (e *JobError) Unwrap() error { return e.Err }

// codeErrors translates the negative replies of the scripts. The numbers are
// BullMQ's (wire section 13); 0 and above are no errors.
var codeErrors = map[int64]error{
	-1: ErrJobNotFound,
	-2: ErrLockLost,
	-3: ErrJobNotInState,
	-4: ErrPendingChildren,
	-5: ErrParentMissing,
	-6: ErrLockLost,
	-7: ErrOtherParent,
	-8: ErrSchedulerJob,
	-9: ErrFailedChildren,
	// Ours, beyond BullMQ's numbers.
	-20: ErrJobLocked,
	-21: ErrQueueNotPaused,
	-22: ErrActiveJobs,
	-23: fmt.Errorf("%w: its key is not a hash", ErrCorrupt),
}

// schedulerCodes translates those of the scripts that change schedulers.
var schedulerCodes = map[int64]error{
	-1:  ErrSchedulerNotFound,
	-10: ErrSlotTaken,
	-11: ErrSlotTaken,
	-24: ErrFenced,
	-25: ErrLegacyScheduler,
	-26: ErrSchedulerExists,
}

// codeError returns nil for a reply that is no error.
func codeError(id string, code int64) error {
	if code >= 0 {
		return nil
	}
	err, known := codeErrors[code]
	if !known {
		err = fmt.Errorf("script answered %d", code)
	}
	return &JobError{ID: id, Err: err}
}
