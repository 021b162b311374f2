package queue

import (
	"context"
	"errors"
	"time"
)

// Deduplication keeps a producer from adding a job that another stands for. The
// zero options keep jobs out while that one is unfinished (wire section 3.4).
type Deduplication struct {
	// ID is what the jobs have in common.
	ID string
	// TTL keeps jobs out for so long, whatever becomes of the first: a throttle.
	TTL time.Duration
	// Extend begins the time anew with every job that is kept out.
	Extend bool
	// Replace puts the new job in the place of one that is still delayed. With
	// TTL, Extend and a delay this is a debounce: the last one of a burst runs.
	Replace bool
	// KeepLastIfActive keeps the last one of those that come while the first is
	// running, to be added when that one ends. TTL does not count then.
	KeepLastIfActive bool
	// Reschedule gives a job that is still delayed the delay of the one that is
	// kept out. Only BullMQ 6 knows it.
	Reschedule bool
}

// RemoveDeduplicationKey ends a deduplication: the next job of this id is added.
// It returns false when there was nothing to end. The job that owned it stays.
func (q *Queue) RemoveDeduplicationKey(ctx context.Context, dedupID string) (bool, error) {
	return false, errors.ErrUnsupported
}

// DeduplicationOwner returns the job that keeps out others of this deduplication
// id, empty when none does, and for how long it will; 0 is until that job ends.
func (q *Queue) DeduplicationOwner(ctx context.Context, dedupID string) (jobID string, ttl time.Duration, err error) {
	return "", 0, errors.ErrUnsupported
}
