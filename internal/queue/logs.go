package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// keyJobLogs is what follows a job's key in the name of its log list, and
// keyMetrics what precedes a state in the name of its metrics.
const (
	keyJobLogs = ":logs"
	keyMetrics = "metrics:"
)

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

// Metrics is how many jobs of a queue finished, minute by minute, as far as its
// workers keep count.
type Metrics struct {
	// Count is how many have finished ever.
	Count int64
	// Since is when the minute that runs began to be counted, zero when nothing
	// was ever counted; PrevCount is Count at that time.
	Since     time.Time
	PrevCount int64
	// Minutes are the full minutes before, newest first.
	Minutes []int64
}

// maxMetricsPoints is four weeks of minutes.
const maxMetricsPoints = 4 * 7 * 24 * 60

// Metrics reads what the workers of the queue count of completed or failed
// jobs. Workers count only when they are told to: a zero answer is no proof of
// idleness.
func (q *Queue) Metrics(ctx context.Context, which State) (Metrics, error) {
	if !which.Finished() {
		return Metrics{}, fmt.Errorf("metrics of %s: %w: %q", q.base, ErrUnknownState, string(which))
	}
	key := q.base.key(keyMetrics + string(which))
	pipe := q.client.rdb.Pipeline()
	meta := pipe.HMGet(ctx, key, "count", "prevTS", "prevCount")
	data := pipe.LRange(ctx, key+":data", 0, maxMetricsPoints-1)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return Metrics{}, wrapRedis(fmt.Sprintf("metrics of %s", q.base), err)
	}
	m := Metrics{Count: metricsNumber(meta, 0), PrevCount: metricsNumber(meta, 2)}
	if ms := metricsNumber(meta, 1); ms > 0 {
		m.Since = time.UnixMilli(ms)
	}
	for _, text := range data.Val() {
		m.Minutes = append(m.Minutes, wholeNumber(text))
	}
	return m, nil
}

func metricsNumber(meta *redis.SliceCmd, i int) int64 {
	return wholeNumber(replyText(at(meta.Val(), i)))
}

// wholeNumber reads a foreign counter; nonsense counts as 0.
func wholeNumber(text string) int64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0 && n < 1<<53) {
		return 0
	}
	return int64(n)
}
