package queue

import (
	"context"
	"errors"
)

// Fence is the number of a leader's term. Of those who write with a fence, the
// one with the highest that a queue has seen wins; 0 is none.
type Fence int64

// What callers of the scheduler writes branch on.
var (
	// ErrSchedulerNotFound: no scheduler of that id exists in the queue.
	ErrSchedulerNotFound = errors.New("job scheduler not found")
	// ErrSchedulerExists: a scheduler of that id exists already.
	ErrSchedulerExists = errors.New("job scheduler exists")
	// ErrSlotTaken: a job that is not the scheduler's current one stands at the
	// time of the next one.
	ErrSlotTaken = errors.New("a job of that time exists")
	// ErrNeverFires: the scheduler would never make a job.
	ErrNeverFires = errors.New("never fires")
	// ErrFenced: another leader has written to the queue since.
	ErrFenced = errors.New("a later leader has taken over")
)

// ScheduleError says which option of a scheduler cannot be. It wraps
// ErrInvalidOption.
type ScheduleError struct {
	// Option is the name in BullMQ's API: every, pattern, endDate and so on.
	Option string
	Reason string
}

// Error names the option.
func (e *ScheduleError) Error() string { return e.Option + ": " + e.Reason }

// Unwrap returns ErrInvalidOption.
func (e *ScheduleError) Unwrap() error { return ErrInvalidOption }

var errNotYet = errors.New("not built yet")

// Fenced returns the same queue for a leader: its writes to schedulers fail with
// ErrFenced once a leader of a later term has written to the queue.
func (q *Queue) Fenced(fence Fence) *Queue {
	return &Queue{client: q.client, base: q.base, fence: fence}
}

// UpsertScheduler creates a scheduler or changes it, as BullMQ's
// upsertJobScheduler does, and adds its first job, which replaces a current one
// that has not started. Changing a paused scheduler makes it run again. It
// returns a [ScheduleError] for options that BullMQ would refuse, ErrNeverFires
// for a pattern without a time, and ErrSlotTaken when a job that runs or has
// finished stands at the time of the first.
func (q *Queue) UpsertScheduler(ctx context.Context, spec SchedulerSpec, next NextRun) (Upserted, error) {
	return Upserted{}, errNotYet
}

// RemoveScheduler removes a scheduler, running or paused, with its current job
// if that is delayed; one that waits or runs stays. It returns
// ErrSchedulerNotFound for an unknown id.
func (q *Queue) RemoveScheduler(ctx context.Context, id string) error {
	return errNotYet
}

// PauseScheduler takes a scheduler out as RemoveScheduler does and keeps its
// record for ResumeScheduler. BullMQ knows no such thing: to Node the scheduler
// is removed, and one that Node makes of the same id replaces the kept one.
// Pausing a paused scheduler does nothing.
func (q *Queue) PauseScheduler(ctx context.Context, id string) error {
	return errNotYet
}

// ResumeScheduler puts a paused scheduler back, with its counts and a first job
// at its next time; what fell due during the pause is not made up for. It
// returns ErrSchedulerNotFound for an id that is not paused.
func (q *Queue) ResumeScheduler(ctx context.Context, id string, next NextRun) (Upserted, error) {
	return Upserted{}, errNotYet
}

// RunScheduler adds one ordinary job from the scheduler's template, to run now,
// beside its schedule, which does not change. A paused scheduler can be run, too.
func (q *Queue) RunScheduler(ctx context.Context, id string) (Added, error) {
	return Added{}, errNotYet
}

// RestartScheduler gives a stopped scheduler its next job again. Whether it has
// stopped is decided in the same step: it returns false, and changes nothing,
// for any other. Of the times that were missed since, the latest runs at once
// and the others never; a time whose job exists or has run is not made again.
func (q *Queue) RestartScheduler(ctx context.Context, id string, next NextRun) (bool, error) {
	return false, errNotYet
}

// ConvertScheduler makes a job scheduler named newID of a legacy repeatable and
// removes that. A job of it that has not started yet is replaced by the
// scheduler's first, at the same time: no time is lost and none comes twice. It
// returns ErrSchedulerExists when newID is taken.
func (q *Queue) ConvertScheduler(ctx context.Context, legacyID, newID string, next NextRun) (Upserted, error) {
	return Upserted{}, errNotYet
}
