package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// keyMetrics precedes a state in the name of its metrics.
const keyMetrics = "metrics:"

// Metrics is how many jobs of a queue finished, minute by minute, as far as its
// workers keep count (wire section 9).
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
// idleness. [Client.HistoryOf] dates the minutes.
func (q *Queue) Metrics(ctx context.Context, which State) (Metrics, error) {
	if !which.Finished() {
		return Metrics{}, fmt.Errorf("metrics of %s: %w: %q", q.base, ErrUnknownState, string(which))
	}
	pipe := q.client.rdb.Pipeline()
	read := askMetrics(ctx, pipe, q.base, which, maxMetricsPoints)
	// Every command holds its own error, also when none was sent.
	_, _ = pipe.Exec(ctx)
	m, err := read()
	if err != nil {
		return Metrics{}, wrapRedis(fmt.Sprintf("metrics of %s", q.base), err)
	}
	return m, nil
}

// askMetrics reads the newest so many minutes at most.
func askMetrics(ctx context.Context, pipe redis.Pipeliner, base KeyBase, which State, most int) func() (Metrics, error) {
	key := base.key(keyMetrics + string(which))
	meta := pipe.HMGet(ctx, key, "count", "prevTS", "prevCount")
	data := pipe.LRange(ctx, key+":data", 0, int64(most)-1)
	return func() (Metrics, error) {
		if err := errors.Join(meta.Err(), data.Err()); err != nil {
			return Metrics{}, err
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

// Minute is how many jobs finished in a minute of the clock.
type Minute struct {
	Start     time.Time
	Completed int64
	Failed    int64
}

// History is what workers counted of the jobs that finished.
type History struct {
	// Minutes are full minutes until now, the newest last, without gaps. They
	// begin where counting began, or with the oldest that is still kept. When no
	// job was counted for four weeks they end with the last that was.
	Minutes []Minute
	// Completed and Failed are how many were counted in all.
	Completed int64
	Failed    int64
	// Counted is when the last minute began in which a job was counted, to the
	// millisecond of its first job; zero when none ever was.
	Counted time.Time
	// Err says why this queue of several could not be read.
	Err error
}

// HistoryOf tells of the newest full minutes, at most so many, what the workers
// of many queues counted, in the order given; 0 means all that are kept. The
// minute that runs is not among them.
//
// A minute gets its number when the next job finishes after it. One that follows
// a silence longer than what is kept stands where the oldest one is.
func (c *Client) HistoryOf(ctx context.Context, bases []KeyBase, now time.Time, most int) ([]History, error) {
	if most <= 0 || most > maxMetricsPoints {
		most = maxMetricsPoints
	}
	histories := make([]History, len(bases))
	errs, err := c.ask(ctx, bases, func(pipe redis.Pipeliner, i int) func() error {
		completed := askMetrics(ctx, pipe, bases[i], StateCompleted, most)
		failed := askMetrics(ctx, pipe, bases[i], StateFailed, most)
		return func() error {
			done, err := completed()
			if err != nil {
				return err
			}
			lost, err := failed()
			if err != nil {
				return err
			}
			histories[i] = mergeMetrics(done, lost, minuteOf(now), int64(most))
			return nil
		}
	})
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	for i, err := range errs {
		if err != nil {
			histories[i] = History{Err: wrapRedis("metrics of "+bases[i].String(), err)}
		}
	}
	return histories, nil
}

// minuteOf counts minutes of the clock since the epoch.
func minuteOf(t time.Time) int64 { return t.UnixMilli() / time.Minute.Milliseconds() }

// mergeMetrics lists the minutes before now that either outcome knows.
func mergeMetrics(completed, failed Metrics, now, most int64) History {
	h := History{Completed: completed.Count, Failed: failed.Count, Counted: completed.Since}
	first := now
	for _, m := range []Metrics{completed, failed} {
		if m.Since.IsZero() {
			continue
		}
		first = min(first, minuteOf(m.Since)-int64(len(m.Minutes)))
		if m.Since.After(h.Counted) {
			h.Counted = m.Since
		}
	}
	if last := minuteOf(h.Counted); !h.Counted.IsZero() && now-last > maxMetricsPoints {
		now = last + 1
	}
	for minute := max(first, now-most); minute < now; minute++ {
		h.Minutes = append(h.Minutes, Minute{
			Start: time.UnixMilli(minute * time.Minute.Milliseconds()), Completed: completed.in(minute), Failed: failed.in(minute),
		})
	}
	return h
}

// in is how many were counted in a minute. None were where the list does not
// reach, as it begins with the first job that was counted, and none since the
// minute that ran when the last was.
func (m Metrics) in(minute int64) int64 {
	running := minuteOf(m.Since)
	switch i := running - 1 - minute; {
	case m.Since.IsZero():
		return 0
	case minute == running:
		return max(m.Count-m.PrevCount, 0)
	case i >= 0 && i < int64(len(m.Minutes)):
		return m.Minutes[i]
	}
	return 0
}
