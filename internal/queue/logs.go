package queue

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// keyJobLogs is what follows a job's key in the name of its log list.
const keyJobLogs = ":logs"

// Logs returns lines of a job's log and how many there are: count lines after
// the first start, from the oldest when asc is set, else from the newest. It
// returns ErrJobNotFound when there is neither a log nor a job of this id.
func (q *Queue) Logs(ctx context.Context, id string, start, count int64, asc bool) (lines []string, total int64, err error) {
	start, count = max(start, 0), max(count, 0)
	first, last := start, start+count-1
	if !asc {
		first, last = -start-count, -start-1
	}
	key := q.base.key(id + keyJobLogs)
	pipe := q.client.rdb.Pipeline()
	var rows *redis.StringSliceCmd
	if count > 0 {
		rows = pipe.LRange(ctx, key, first, last)
	}
	length := pipe.LLen(ctx, key)
	exists := pipe.Exists(ctx, q.base.key(id))
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, 0, wrapRedis(fmt.Sprintf("logs of job %q", id), err)
	}
	if length.Val() == 0 && exists.Val() == 0 {
		return nil, 0, &JobError{ID: id, Err: ErrJobNotFound}
	}
	if rows != nil {
		lines = rows.Val()
	}
	if !asc {
		slices.Reverse(lines)
	}
	return lines, length.Val(), nil
}
