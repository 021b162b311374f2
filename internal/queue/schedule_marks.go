package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// keyScheduleMarks is a hash: id of a scheduler -> ScheduleMark. BullMQ never
// looks at it.
const keyScheduleMarks = "qctl:schedules"

// ScheduleMark is kept beside a scheduler that was applied from a declaration, so
// that what is declared no more can be told from what somebody else made.
type ScheduleMark struct {
	// Set is the built-in set it came from; empty means a configuration file.
	Set string
	// Before is how long before the time that its payload names its one job runs;
	// 0 for all other schedulers.
	Before time.Duration
	// Applied is when it was last applied.
	Applied time.Time
}

// wireMark is the stored form, times in milliseconds.
type wireMark struct {
	Set     string `json:"set,omitempty"`
	Before  int64  `json:"before,omitempty"`
	Applied int64  `json:"applied"`
}

// ScheduleMarks returns all marks of the queue by the ids of their schedulers,
// which may be gone. A mark that cannot be read is one without anything set.
func (q *Queue) ScheduleMarks(ctx context.Context) (map[string]ScheduleMark, error) {
	stored, err := q.client.rdb.HGetAll(ctx, q.base.key(keyScheduleMarks)).Result()
	if err != nil {
		return nil, wrapRedis("schedule marks of "+q.base.String(), err)
	}
	marks := make(map[string]ScheduleMark, len(stored))
	for id, text := range stored {
		var wire wireMark
		if err := json.Unmarshal([]byte(text), &wire); err != nil {
			wire = wireMark{}
		}
		mark := ScheduleMark{Set: wire.Set, Before: millis(float64(wire.Before))}
		if wire.Applied > 0 {
			mark.Applied = time.UnixMilli(wire.Applied)
		}
		marks[id] = mark
	}
	return marks, nil
}

// MarkScheduler keeps a mark for a scheduler, in place of one that it has.
func (q *Queue) MarkScheduler(ctx context.Context, id string, mark ScheduleMark) error {
	if q.client.readOnly {
		return ErrReadOnly
	}
	text, err := json.Marshal(wireMark{mark.Set, mark.Before.Milliseconds(), mark.Applied.UnixMilli()})
	if err != nil {
		return fmt.Errorf("mark of scheduler %q: %w", id, err)
	}
	if err := q.client.rdb.HSet(ctx, q.base.key(keyScheduleMarks), id, text).Err(); err != nil {
		return wrapRedis(fmt.Sprintf("mark of scheduler %q of %s", id, q.base), err)
	}
	return nil
}

// UnmarkScheduler forgets a mark, if there is one.
func (q *Queue) UnmarkScheduler(ctx context.Context, id string) error {
	if q.client.readOnly {
		return ErrReadOnly
	}
	if err := q.client.rdb.HDel(ctx, q.base.key(keyScheduleMarks), id).Err(); err != nil {
		return wrapRedis(fmt.Sprintf("mark of scheduler %q of %s", id, q.base), err)
	}
	return nil
}

// SeenFence returns the highest fence that the queue was written to with, 0 when
// no leader has written to it.
func (q *Queue) SeenFence(ctx context.Context) (Fence, error) {
	fence, err := q.client.rdb.Get(ctx, q.base.key("qctl:fence")).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, wrapRedis("fence of "+q.base.String(), err)
	}
	return Fence(fence), nil
}
