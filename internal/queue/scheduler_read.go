package queue

import "context"

// Schedulers returns a page of the queue's schedulers by the time of their next
// job, the paused ones last, and how many there are in all. after is how many
// to leave out at the beginning. Nothing is deleted or mended by reading: what
// cannot be read is described by Corrupt.
func (q *Queue) Schedulers(ctx context.Context, after, limit int) ([]Scheduler, int, error) {
	return nil, 0, errNotYet
}

// Scheduler reads one scheduler, running or paused, or returns
// ErrSchedulerNotFound.
func (q *Queue) Scheduler(ctx context.Context, id string) (Scheduler, error) {
	return Scheduler{}, errNotYet
}
