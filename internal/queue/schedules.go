package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	if !isIteration(job.ID, id, current) {
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
	plain, isPlain := parseLegacyKey(id)
	isPlain = isPlain && !hasAny(record.Val())
	made := it.template(&job, opts)
	if isPlain {
		made.head = plain.head()
	}
	if name := replyText(at(record.Val(), 7)); name != "" {
		made.name = name
	}
	if data := replyText(at(record.Val(), 8)); data != "" {
		made.data = data
	}
	if err := made.turn(it.count+1, now); err != nil {
		return false, q.schedulerError(id, err)
	}
	args, err := made.args()
	if err != nil {
		return false, q.schedulerError(id, err)
	}
	args = append([]any{now, id, current, due, it.every, it.offset}, args...)
	reply, err := q.run(ctx, scriptScheduleNext, append(args, it.record(&job)...)...)
	return replyInt(reply) == 1, err
}

func hasAny(values []any) bool {
	for _, v := range values {
		if v != nil {
			return true
		}
	}
	return false
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

// isIteration reports whether a job is the scheduler's iteration of that time.
func isIteration(jobID, scheduler string, ms int64) bool {
	text := strconv.FormatInt(ms, 10)
	if jobID == iterationHead(scheduler)+text {
		return true
	}
	plain, ok := parseLegacyKey(scheduler)
	return ok && jobID == plain.head()+text
}

// next is what wire section 7.4 leaves to the client. It returns false when the
// schedule ends, else the time of a pattern; that of an interval is computed
// where the record is changed, by every.lua, and is "" here.
func (it *iteration) next(now int64, cron NextRun) (any, bool, error) {
	if it.ended(now) {
		return nil, false, nil
	}
	if it.pattern == "" {
		if it.every <= 0 {
			return nil, false, fmt.Errorf("%w: neither every nor pattern", ErrCorrupt)
		}
		return "", true, nil
	}
	return anyTime(it.nextOfPattern(now, cron))
}

func anyTime(due int64, ok bool, err error) (any, bool, error) { return due, ok, err }

// ended reports whether limit or end leave no further iteration.
func (it *iteration) ended(now int64) bool {
	return (it.limit > 0 && it.count+1 > it.limit) || (it.endDate > 0 && now > it.endDate)
}

// nextOfPattern returns when a pattern fires next.
func (it *iteration) nextOfPattern(now int64, cron NextRun) (int64, bool, error) {
	after := max(now, it.prevMillis, it.startDate)
	fires, ok, err := cron(it.pattern, it.tz, time.UnixMilli(after))
	if err != nil || !ok {
		return 0, false, err
	}
	due := max(fires.UnixMilli(), now)
	return due, it.endDate == 0 || due <= it.endDate, nil
}

// template is what the job that started was made from, with its own options.
func (it *iteration) template(job *Job, opts map[string]json.RawMessage) *template {
	repeat := map[string]json.RawMessage{}
	_ = json.Unmarshal(opts["repeat"], &repeat) // newIteration has read it
	if repeat == nil {                          // "repeat": null
		repeat = map[string]json.RawMessage{}
	}
	if it.pattern != "" {
		repeat["pattern"], _ = json.Marshal(it.pattern)
	} else {
		repeat["every"] = jsonInt(it.every)
	}
	if _, given := opts["attempts"]; !given {
		opts["attempts"] = jsonInt(0) // as every add has it
	}
	return &template{
		id: job.RepeatJobKey, head: iterationHead(job.RepeatJobKey), name: job.Name, data: string(job.Data),
		opts: opts, repeat: repeat, pattern: it.pattern != "",
	}
}

// record returns the fields that a lost record gets again.
func (it *iteration) record(job *Job) []any {
	spec := SchedulerSpec{
		ID: job.RepeatJobKey, Name: job.Name, Data: job.Data,
		Pattern: it.pattern, TZ: it.tz, Limit: it.limit,
		Start: timeOf(it.startDate), End: timeOf(it.endDate),
	}
	if it.pattern == "" {
		spec.Every = time.Duration(it.every) * time.Millisecond
	}
	return spec.record(nil)
}

// timeOf is the zero time for 0.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
