package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
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
// It returns false when there was nothing to end. The job that owned it stays,
// and so does one that was kept to follow it.
func (q *Queue) RemoveDeduplicationKey(ctx context.Context, dedupID string) (bool, error) {
	if q.client.readOnly {
		return false, ErrReadOnly
	}
	removed, err := q.client.rdb.Del(ctx, q.dedupKey(dedupID)).Result()
	if err != nil {
		return false, wrapRedis(fmt.Sprintf("deduplication %q of %s", dedupID, q.base), err)
	}
	return removed > 0, nil
}

// DeduplicationOwner returns the job that keeps out others of this deduplication
// id, empty when none does, and for how long it will; 0 is until that job ends.
func (q *Queue) DeduplicationOwner(ctx context.Context, dedupID string) (jobID string, ttl time.Duration, err error) {
	pipe := q.client.rdb.Pipeline()
	owner, left := pipe.Get(ctx, q.dedupKey(dedupID)), pipe.PTTL(ctx, q.dedupKey(dedupID))
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return "", 0, wrapRedis(fmt.Sprintf("deduplication %q of %s", dedupID, q.base), err)
	}
	return owner.Val(), max(0, left.Val()), nil
}

func (q *Queue) dedupKey(dedupID string) string { return q.base.key("de:" + dedupID) }
