package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// iterate stores a scheduler named s and its current iteration, which is due
// at the start, and claims that.
func (e *env) iterate(opts string, record ...any) queue.Job {
	e.t.Helper()
	id := fmt.Sprintf("repeat:s:%d", start)
	e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), zAt(start, "s")).Err())
	if len(record) > 0 {
		e.hash("repeat:s", append([]any{"name", "tick", "ic", 1, "data", `{"template":true}`}, record...)...)
	}
	e.hash(id, "name", "old", "data", `{"own":1}`, "opts", opts, "timestamp", start, "delay", 0, "priority", 0, "rjk", "s")
	e.must(e.rdb.LPush(e.ctx, e.key("wait"), id).Err())
	jobs := e.claim(1, "tok")
	if len(jobs) != 1 || jobs[0].ID != id {
		e.t.Fatalf("claimed %v, want %s", jobs, id)
	}
	e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
	return jobs[0]
}

// noCron is the pattern of a scheduler that must not be asked for one.
func noCron(string, string, time.Time) (time.Time, bool, error) {
	return time.Time{}, false, errors.New("a pattern where none is")
}

// nextOpts is the options of the iteration at ms; before comes first and after
// last.
func nextOpts(ms, now int64, before, repeat, after string) string {
	return fmt.Sprintf(`{%s"repeat":%s,"repeatJobKey":"s","timestamp":%d,"delay":%d,"jobId":"repeat:s:%d"%s}`,
		before, repeat, now, max(0, ms-now), ms, after)
}

func TestScheduleEvery(t *testing.T) {
	const opts = `{"repeat":{"every":10000,"count":3}}`
	for _, c := range []struct {
		name   string
		opts   string
		record []any
		now    int64 // after the start
		due    int64 // after the start; 0 for no further iteration
		repeat string
	}{
		{"on time", opts, []any{"every", 10000}, 0, 10000, `{"count":4,"every":10000}`},
		{"late", opts, []any{"every", 10000}, 3000, 10000, `{"count":4,"every":10000}`},
		{"as late as the next", opts, []any{"every", 10000}, 10000, 10000, `{"count":4,"every":10000}`},
		{"later than the next", opts, []any{"every", 10000}, 10001, 20000, `{"count":4,"every":10000}`},
		{"many were missed", opts, []any{"every", 10000}, 65000, 70000, `{"count":4,"every":10000}`},
		{"missed, with an offset", opts, []any{"every", 10000, "offset", 7000}, 65000, 67000, `{"count":4,"every":10000}`},
		{"missed, with an offset that has passed", opts, []any{"every", 10000, "offset", 3000}, 65000, 73000, `{"count":4,"every":10000}`},
		{"the scheduler's interval has changed", opts, []any{"every", 500}, 0, 500, `{"count":4,"every":500}`},
		{"a record without interval", opts, []any{"ic", 5}, 0, 10000, `{"count":4,"every":10000}`},
		{"below the limit", `{"repeat":{"every":10000,"count":3,"limit":4}}`, []any{"every", 10000, "limit", 4}, 0, 10000, `{"count":4,"every":10000,"limit":4}`},
		{"at the limit", `{"repeat":{"every":10000,"count":4}}`, []any{"every", 10000, "limit", 4}, 0, 0, ""},
		{"at the limit of the options", `{"repeat":{"every":10000,"count":4,"limit":4}}`, []any{"every", 10000}, 0, 0, ""},
		{"before the end", opts, []any{"every", 10000, "endDate", start + 5000}, 5000, 10000, `{"count":4,"every":10000}`}, // one after it, as in BullMQ
		{"after the end", opts, []any{"every", 10000, "endDate", start + 5000}, 5001, 0, ""},
		{"after the end, as a date", `{"repeat":{"every":10000,"endDate":"2020-01-01T00:00:00.000Z"}}`, []any{"every", 10000}, 0, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				job := e.iterate(c.opts, c.record...)
				e.now.Store(start + c.now)
				before, seen := e.dump(), len(e.events())
				added, err := e.q.ContinueSchedule(e.ctx, job, noCron)
				e.must(err)
				same(e, "added", c.due != 0, added)
				if c.due == 0 {
					e.changed(before, nil)
					same(e, "events", 0, len(e.newEvents(seen)))
					return
				}
				e.continued(before, seen, c.now, c.due, nextOpts(start+c.due, start+c.now, `"attempts":0,`, c.repeat, ""))
			})
		})
	}
}

// continued holds the queue against one that has got the next iteration.
func (e *env) continued(before map[string]string, seen int, now, due int64, opts string) {
	e.t.Helper()
	id := fmt.Sprintf("repeat:s:%d", start+due)
	hash := fmt.Sprintf(`data={"template":true} delay=%d name=tick opts=%s priority=0 rjk=s timestamp=%d`, due-now, opts, start+now)
	ic := "ic=2"
	if strings.Contains(before["repeat:s"], "ic=5") {
		ic = "ic=6"
	}
	record := strings.NewReplacer("ic=1", ic, "ic=5", ic).Replace(before["repeat:s"])
	changes := map[string]string{"repeat": fmt.Sprintf("s=%d", start+due), "repeat:s": record, "id": "1", id: hash}
	events := []string{"added jobId=" + id + " name=tick"}
	if due > now {
		changes["delayed"] = fmt.Sprintf("%s=%d", id, (start+due)*4096)
		changes["marker"] = fmt.Sprintf("1=%d", start+due)
		events = append(events, fmt.Sprintf("delayed jobId=%s delay=%d", id, start+due))
	} else {
		changes["wait"], changes["marker"] = id, "0=0"
		events = append(events, "waiting jobId="+id)
	}
	e.changed(before, changes)
	same(e, "events", events, e.newEvents(seen))
}

// A patternCase continues the schedule of a pattern, its times counted from the
// start.
type patternCase struct {
	name   string
	opts   string
	record []any
	now    int64
	next   int64  // what the pattern answers, after the start; 0 for never
	asked  string // pattern, zone and moment that it was asked for
	due    int64
	repeat string
}

func (c patternCase) run(e *env) {
	e.t.Helper()
	job := e.iterate(c.opts, c.record...)
	e.now.Store(start + c.now)
	before, seen := e.dump(), len(e.events())
	asked := ""
	added, err := e.q.ContinueSchedule(e.ctx, job, func(pattern, tz string, after time.Time) (time.Time, bool, error) {
		asked = fmt.Sprintf("%s %s %s", pattern, tz, after.UTC().Format(time.TimeOnly))
		return time.UnixMilli(start + c.next), c.next != 0, nil
	})
	e.must(err)
	same(e, "asked", c.asked, asked)
	same(e, "added", c.due != 0, added)
	if c.due == 0 {
		e.changed(before, nil)
		return
	}
	prev := fmt.Sprintf(`,"prevMillis":%d`, start+c.due)
	e.continued(before, seen, c.now, c.due, nextOpts(start+c.due, start+c.now, `"attempts":0,`, c.repeat, prev))
}

func TestSchedulePattern(t *testing.T) {
	at := func(ms int64) string { return time.UnixMilli(start + ms).UTC().Format(time.TimeOnly) }
	for _, c := range []patternCase{
		{
			"on time", `{"repeat":{"pattern":"old","count":1,"tz":"UTC"},"prevMillis":1}`,
			[]any{"pattern", "* *", "tz", "Asia/Tokyo"},
			0, 60000,
			"* * Asia/Tokyo " + at(0), 60000, `{"count":2,"pattern":"* *","tz":"UTC"}`,
		},
		{
			"claimed before its time", fmt.Sprintf(`{"repeat":{"pattern":"* *","count":1},"prevMillis":%d}`, start+60000),
			[]any{"pattern", "* *"},
			0, 120000,
			"* *  " + at(60000), 120000, `{"count":2,"pattern":"* *"}`,
		},
		{
			"before the first day", `{"repeat":{"pattern":"* *","count":1}}`,
			[]any{"pattern", "* *", "startDate", start + 90000},
			0, 120000,
			"* *  " + at(90000), 120000, `{"count":2,"pattern":"* *"}`,
		},
		{
			"an answer that has passed", `{"repeat":{"pattern":"* *","count":1}}`,
			[]any{"pattern", "* *"},
			5000, 1000,
			"* *  " + at(5000), 5000, `{"count":2,"pattern":"* *"}`,
		},
		{
			"just before the end", `{"repeat":{"pattern":"* *","count":1}}`,
			[]any{"pattern", "* *", "endDate", start + 60000},
			0, 60000,
			"* *  " + at(0), 60000, `{"count":2,"pattern":"* *"}`,
		},
		{"past the end", `{"repeat":{"pattern":"* *","count":1}}`, []any{"pattern", "* *", "endDate", start + 59999}, 0, 60000, "* *  " + at(0), 0, ""},
		{"never again", `{"repeat":{"pattern":"* *","count":1}}`, []any{"pattern", "* *"}, 0, 0, "* *  " + at(0), 0, ""},
		{"at the limit", `{"repeat":{"pattern":"* *","count":1}}`, []any{"pattern", "* *", "limit", 1}, 0, 60000, "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, c.run)
		})
	}
}

// What is no current iteration continues nothing.
func TestScheduleContinuesOnce(t *testing.T) {
	onEach(t, func(e *env) {
		job := e.iterate(`{"repeat":{"every":10000,"count":1}}`, "every", 10000)
		added, err := e.q.ContinueSchedule(e.ctx, job, noCron)
		e.must(err)
		same(e, "the first call", true, added)
		older, other := job, job
		older.ID = fmt.Sprintf("repeat:s:%d", start-10000)
		other.ID, other.RepeatJobKey = "1", ""
		stranger := job
		stranger.RepeatJobKey = "gone"
		before, seen := e.dump(), len(e.events())
		for what, job := range map[string]queue.Job{
			"again": job, "an older iteration": older, "of no scheduler": other, "of a scheduler that is gone": stranger,
		} {
			added, err := e.q.ContinueSchedule(e.ctx, job, noCron)
			e.must(err)
			same(e, what, false, added)
		}
		e.changed(before, nil)
		same(e, "events", 0, len(e.newEvents(seen)))

		// The next one continues it in its turn, from its own time.
		e.now.Store(start + 12000)
		jobs := e.claim(1, "tok")
		added, err = e.q.ContinueSchedule(e.ctx, jobs[0], noCron)
		e.must(err)
		same(e, "the next one", true, added)
		after := e.dump()
		same(e, "score", fmt.Sprintf("s=%d", start+20000), after["repeat"])
		same(e, "count", nextOpts(start+20000, start+12000, `"attempts":0,`, `{"count":3,"every":10000}`, ""),
			e.rdb.HGet(e.ctx, e.key(fmt.Sprintf("repeat:s:%d", start+20000)), "opts").Val())
	})
}

// The scheduler may be changed or removed while the next time is computed.
func TestScheduleChangedMeanwhile(t *testing.T) {
	onEach(t, func(e *env) {
		for what, change := range map[string]func(e *env){
			"moved on": func(e *env) { e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), zAt(start+500, "s")).Err()) },
			"removed":  func(e *env) { e.must(e.rdb.Del(e.ctx, e.key("repeat"), e.key("repeat:s")).Err()) },
		} {
			e := e.fork()
			job := e.iterate(`{"repeat":{"pattern":"* *","count":1}}`, "pattern", "* *")
			var before map[string]string
			added, err := e.q.ContinueSchedule(e.ctx, job, func(string, string, time.Time) (time.Time, bool, error) {
				change(e)
				before = e.dump()
				return time.UnixMilli(start + 60000), true, nil
			})
			e.must(err)
			same(e, what, false, added)
			e.changed(before, nil)
		}
	})
}

// A job that stands where the next one would is left alone, and told of.
func TestScheduleFindsTheNextOneThere(t *testing.T) {
	onEach(t, func(e *env) {
		job := e.iterate(`{"repeat":{"every":10000,"count":1}}`, "every", 10000)
		next := fmt.Sprintf("repeat:s:%d", start+10000)
		e.hash(next, "name", "n")
		before, seen := e.dump(), len(e.events())
		added, err := e.q.ContinueSchedule(e.ctx, job, noCron)
		e.must(err)
		same(e, "added", false, added)
		e.changed(before, nil)
		same(e, "events", []string{"duplicated jobId=" + next}, e.newEvents(seen))
	})
}

// Options pass on to the next iteration, known and unknown ones; a job whose
// time has come waits where they say.
func TestScheduleKeepsOptions(t *testing.T) {
	onEach(t, func(e *env) {
		next := fmt.Sprintf("repeat:s:%d", start+10000)
		for opts, want := range map[string]map[string]string{
			`{"attempts":3,"priority":2,"custom":[1,{"a":null}],"repeat":{"every":10000,"count":1,"x":"y"}}`: {
				"prioritized": next + "=8589934593", "marker": "0=0", "wait": "other",
				"opts": nextOpts(start+10000, start+10000, `"attempts":3,"custom":[1,{"a":null}],"priority":2,`, `{"count":2,"every":10000,"x":"y"}`, ""),
			},
			`{"lifo":true}`: {
				"wait": "other " + next, "marker": "0=0",
				"opts": nextOpts(start+10000, start+10000, `"attempts":0,"lifo":true,`, `{"count":1,"every":10000}`, ""),
			},
			`{"backoff":5}`: {
				"wait": next + " other", "marker": "0=0",
				"opts": nextOpts(start+10000, start+10000, `"attempts":0,"backoff":5,`, `{"count":1,"every":10000}`, ""),
			},
		} {
			e := e.fork()
			e.now.Store(start)
			job := e.iterate(opts, "every", 10000)
			e.fill("wait", "other")
			e.now.Store(start + 10000)
			_, err := e.q.ContinueSchedule(e.ctx, job, noCron)
			e.must(err)
			after := e.dump()
			got := map[string]string{"opts": e.rdb.HGet(e.ctx, e.key(next), "opts").Val()}
			for _, key := range []string{"wait", "prioritized", "delayed", "marker"} {
				if value, ok := after[key]; ok {
					got[key] = value
				}
			}
			same(e, opts, want, got)
		}
	})
}

// Where the scheduler's record lacks something, the job that started has it.
func TestScheduleWithoutARecord(t *testing.T) {
	onEach(t, func(e *env) {
		job := e.iterate(`{"repeat":{"every":10000,"count":1}}`)
		added, err := e.q.ContinueSchedule(e.ctx, job, noCron)
		e.must(err)
		same(e, "added", true, added)
		after := e.dump()
		same(e, "the next one", fmt.Sprintf(`data={"own":1} delay=10000 name=old opts=%s priority=0 rjk=s timestamp=%d`,
			nextOpts(start+10000, start, `"attempts":0,`, `{"count":2,"every":10000}`, ""), start), after[fmt.Sprintf("repeat:s:%d", start+10000)])
		same(e, "record", `data={"own":1} every=10000 ic=1 name=old`, after["repeat:s"])
	})
}

// What cannot be read ends nothing: the caller hears of it, and the scheduler
// stays as it was.
func TestScheduleErrors(t *testing.T) {
	onEach(t, func(e *env) {
		refused := errors.New("no such zone")
		for _, c := range []struct {
			opts   string
			record []any
			want   error
		}{
			{"[]", []any{"every", 10000}, queue.ErrCorrupt},
			{"null", nil, queue.ErrCorrupt},
			{`{"repeat":7}`, []any{"every", 10000}, queue.ErrCorrupt},
			{`{}`, []any{"name", "n"}, queue.ErrCorrupt},
			{`{}`, []any{"every", -5}, queue.ErrCorrupt},
			{`{}`, []any{"pattern", "* *"}, refused},
		} {
			e := e.fork()
			job := e.iterate(c.opts, c.record...)
			before := e.dump()
			added, err := e.q.ContinueSchedule(e.ctx, job, func(string, string, time.Time) (time.Time, bool, error) { return time.Time{}, false, refused })
			if added || !errors.Is(err, c.want) {
				e.t.Errorf("%s: %v, %v, want %v", c.opts, added, err, c.want)
			}
			e.changed(before, nil)
		}
	})
}

// Other clients write null where nothing is; that must not end a worker.
func TestScheduleNull(t *testing.T) {
	onEach(t, func(e *env) {
		for opts, want := range map[string]error{"null": queue.ErrCorrupt, `{"repeat":null}`: nil} {
			e := e.fork()
			job := e.iterate(opts, "every", 10000)
			var added bool
			var err error
			func() {
				defer func() {
					if p := recover(); p != nil {
						e.t.Errorf("%s: panic: %v", opts, p)
					}
				}()
				added, err = e.q.ContinueSchedule(e.ctx, job, noCron)
			}()
			if added != (want == nil) || !errors.Is(err, want) {
				e.t.Errorf("%s: %v, %v, want %v", opts, added, err, want)
			}
		}
	})
}
