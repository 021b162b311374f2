package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// NextRun computes when a cron pattern fires next after a moment, in the zone
// tz ("" is UTC). It returns false when it never does.
type NextRun func(pattern, tz string, after time.Time) (time.Time, bool, error)

// iteration is what the next job of a scheduler is made from: the scheduler's
// record, or where that lacks a field, the options of the job that started.
type iteration struct {
	every, offset      int64 // ms
	pattern, tz        string
	limit, count       int64
	startDate, endDate int64 // ms
	current            int64 // ms
	prevMillis         int64
}

// ContinueSchedule adds the next iteration of the scheduler whose current
// iteration is this claimed job. It must be called for every claimed job with
// a RepeatJobKey, or the schedule ends; calling it again, or for an older
// iteration, does nothing. It reports whether a job was added.
func (q *Queue) ContinueSchedule(ctx context.Context, job Job, next NextRun) (bool, error) {
	id := job.RepeatJobKey
	if id == "" {
		return false, nil
	}
	pipe := q.client.rdb.Pipeline()
	score := pipe.ZScore(ctx, q.base.key(keyRepeat), id)
	record := pipe.HMGet(ctx, q.base.key(keyRepeat+":"+id),
		"every", "pattern", "tz", "offset", "limit", "startDate", "endDate", "name", fieldData)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return false, wrapRedis(fmt.Sprintf("scheduler %q of %s", id, q.base), err)
	}
	if errors.Is(score.Err(), redis.Nil) {
		return false, nil
	}
	current := int64(score.Val())
	if job.ID != fmt.Sprintf("repeat:%s:%d", id, current) {
		return false, nil
	}
	it, opts, err := newIteration(&job, record.Val(), current)
	if err != nil {
		return false, fmt.Errorf("scheduler %q of %s: %w", id, q.base, err)
	}
	now := q.nowMS()
	due, ok, err := it.next(now, next)
	if err != nil || !ok {
		return false, err
	}
	name, data := replyText(at(record.Val(), 7)), replyText(at(record.Val(), 8))
	if name == "" {
		name = job.Name
	}
	if data == "" {
		data = string(job.Data)
	}
	text, err := it.options(opts, id, due, now)
	if err != nil {
		return false, fmt.Errorf("scheduler %q of %s: %w", id, q.base, err)
	}
	priority, lifo := 0, ""
	if job.Options != nil {
		priority = job.Options.Priority
		if job.Options.LIFO {
			lifo = "1"
		}
	}
	reply, err := q.run(ctx, scriptScheduleNext, now, id, current, due, name, data, text, priority, lifo)
	return replyInt(reply) == 1, err
}

// newIteration reads the scheduler's record and the started job's options.
func newIteration(job *Job, record []any, current int64) (*iteration, map[string]json.RawMessage, error) {
	opts := map[string]json.RawMessage{}
	if err := json.Unmarshal(job.Opts, &opts); err != nil {
		return nil, nil, fmt.Errorf("%w: options of job %q: %w", ErrCorrupt, job.ID, err)
	}
	if opts == nil {
		return nil, nil, fmt.Errorf("%w: options of job %q are null", ErrCorrupt, job.ID)
	}
	var repeat struct {
		Every, Offset, Limit, Count float64
		Pattern, TZ                 string
		StartDate, EndDate          json.RawMessage
	}
	if text, ok := opts["repeat"]; ok {
		if err := json.Unmarshal(text, &repeat); err != nil {
			return nil, nil, fmt.Errorf("%w: repeat options of job %q: %w", ErrCorrupt, job.ID, err)
		}
	}
	number := func(i int, fallback float64) int64 {
		if n, err := strconv.ParseFloat(replyText(at(record, i)), 64); err == nil {
			return int64(n)
		}
		return int64(fallback)
	}
	text := func(i int, fallback string) string {
		if s := replyText(at(record, i)); s != "" {
			return s
		}
		return fallback
	}
	it := &iteration{
		every: number(0, repeat.Every), pattern: text(1, repeat.Pattern), tz: text(2, repeat.TZ),
		offset: number(3, repeat.Offset), limit: number(4, repeat.Limit), count: int64(repeat.Count),
		startDate: number(5, wireDate(repeat.StartDate)), endDate: number(6, wireDate(repeat.EndDate)),
		current: current,
	}
	if n, err := wireNumber(opts["prevMillis"]); err == nil {
		it.prevMillis = int64(n)
	}
	return it, opts, nil
}

// wireDate reads a date as milliseconds or as the text that JSON makes of one.
func wireDate(text json.RawMessage) float64 {
	if n, err := wireNumber(text); err == nil {
		return n
	}
	var t time.Time
	if err := json.Unmarshal(text, &t); err == nil {
		return float64(t.UnixMilli())
	}
	return 0
}

// next is wire sections 7.4 and 7.5. It returns false when the schedule ends.
func (it *iteration) next(now int64, cron NextRun) (int64, bool, error) {
	if (it.limit > 0 && it.count+1 > it.limit) || (it.endDate > 0 && now > it.endDate) {
		return 0, false, nil
	}
	if it.pattern != "" {
		after := max(now, it.prevMillis, it.startDate)
		at, ok, err := cron(it.pattern, it.tz, time.UnixMilli(after))
		if err != nil || !ok {
			return 0, false, err
		}
		due := max(at.UnixMilli(), now)
		return due, it.endDate == 0 || due <= it.endDate, nil
	}
	if it.every <= 0 {
		return 0, false, fmt.Errorf("%w: neither every nor pattern", ErrCorrupt)
	}
	due := it.current + it.every
	if due < now { // iterations that nobody saw are skipped
		due = now/it.every*it.every + it.offset
		if due <= now {
			due += it.every
		}
	}
	return due, true, nil
}

// options are those of the started job, turned to the next iteration.
func (it *iteration) options(opts map[string]json.RawMessage, id string, due, now int64) ([]byte, error) {
	repeat := map[string]json.RawMessage{}
	if text, ok := opts["repeat"]; ok {
		if err := json.Unmarshal(text, &repeat); err != nil {
			return nil, err
		}
	}
	if repeat == nil { // "repeat": null
		repeat = map[string]json.RawMessage{}
	}
	set := func(m map[string]json.RawMessage, name string, n int64) {
		m[name] = json.RawMessage(strconv.FormatInt(n, 10))
	}
	set(repeat, "count", it.count+1)
	if it.pattern != "" {
		repeat["pattern"], _ = json.Marshal(it.pattern)
		set(opts, "prevMillis", due)
	} else {
		set(repeat, "every", it.every)
	}
	text, err := json.Marshal(repeat)
	if err != nil {
		return nil, err
	}
	opts["repeat"] = text
	if _, given := opts["attempts"]; !given {
		opts["attempts"] = json.RawMessage("0")
	}
	opts["jobId"], _ = json.Marshal(fmt.Sprintf("repeat:%s:%d", id, due))
	opts["repeatJobKey"], _ = json.Marshal(id)
	set(opts, "timestamp", now)
	set(opts, "delay", int64(math.Max(0, float64(due-now))))
	return json.Marshal(opts)
}
