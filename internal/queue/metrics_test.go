package queue_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// counted finishes n jobs in one call, so long after the start.
func (e *env) counted(kind queue.OutcomeKind, n, points int, after time.Duration) {
	e.t.Helper()
	e.now.Store(start + after.Milliseconds())
	var outcomes []queue.Outcome
	jobs := make([]queue.NewJob, n)
	for i := range jobs {
		jobs[i].Name = "n"
	}
	for _, id := range e.add(jobs...) {
		outcomes = append(outcomes, queue.Outcome{Kind: kind, ID: id, Token: "tok"})
	}
	e.claim(n, "tok")
	settled, err := e.q.Settle(e.ctx, outcomes, queue.SettleOptions{MetricsPoints: points})
	e.must(err)
	same(e, "answers", make([]error, n), settled.Errs)
}

// metrics returns the metrics keys alone.
func (e *env) metrics() map[string]string {
	e.t.Helper()
	keys := map[string]string{}
	for key, value := range e.dump() {
		if strings.HasPrefix(key, "metrics") {
			keys[key] = value
		}
	}
	return keys
}

// A point is a minute of the clock, the newest one first; the running minute
// is not among them, and a gap counts for its oldest minute.
func TestMetricsPoints(t *testing.T) {
	type finish struct {
		after time.Duration // since the start, which is a full minute
		n     int
	}
	for _, c := range []struct {
		name   string
		points int
		finish []finish
		count  int
		since  time.Duration // when the running minute was first seen
		before int           // counted before that
		data   string
	}{
		{"the first job", 10, []finish{{0, 1}}, 1, 0, 0, ""},
		{"the first batch", 10, []finish{{0, 5}}, 5, 0, 0, ""},
		{"within one minute", 10, []finish{{0, 1}, {30 * time.Second, 2}, {59999 * time.Millisecond, 3}}, 6, 0, 0, ""},
		{"the next minute", 10, []finish{{0, 1}, {30 * time.Second, 2}, {time.Minute, 4}}, 7, time.Minute, 3, "3"},
		{"by the clock, not 60 s later", 10, []finish{{59 * time.Second, 1}, {61 * time.Second, 1}}, 2, 61 * time.Second, 1, "1"},
		{"minute after minute", 10, []finish{{0, 1}, {time.Minute, 2}, {2 * time.Minute, 3}, {3 * time.Minute, 1}}, 7, 3 * time.Minute, 6, "3 2 1"},
		{"a gap", 10, []finish{{0, 2}, {time.Minute, 3}, {4 * time.Minute, 1}}, 6, 4 * time.Minute, 5, "0 0 3 2"},
		{"a gap of just the points", 3, []finish{{0, 2}, {3 * time.Minute, 1}}, 3, 3 * time.Minute, 2, "0 0 2"},
		{"a gap longer than the points", 3, []finish{{0, 2}, {50 * time.Minute, 1}}, 3, 50 * time.Minute, 2, "0 0 2"},
		{"trimmed", 2, []finish{{0, 1}, {time.Minute, 2}, {2 * time.Minute, 3}, {3 * time.Minute, 4}}, 10, 3 * time.Minute, 6, "3 2"},
		{"one point", 1, []finish{{0, 1}, {time.Minute, 2}, {9 * time.Minute, 3}}, 6, 9 * time.Minute, 3, "2"},
		{"a clock that goes back", 10, []finish{{5 * time.Minute, 1}, {0, 2}}, 3, 5 * time.Minute, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				for kind, list := range map[queue.OutcomeKind]string{queue.Complete: "completed", queue.Fail: "failed"} {
					e := e.fork()
					for _, f := range c.finish {
						e.counted(kind, f.n, c.points, f.after)
					}
					want := map[string]string{
						"metrics:" + list: fmt.Sprintf("count=%d prevCount=%d prevTS=%d", c.count, c.before, start+c.since.Milliseconds()),
					}
					if c.data != "" {
						want["metrics:"+list+":data"] = c.data
					}
					same(e, list, want, e.metrics())
				}
			})
		})
	}
}

// Only what finished is counted, each outcome apart, also what is removed at
// once and nothing that was refused.
func TestMetricsCountOnlyWhatFinished(t *testing.T) {
	onEach(t, func(e *env) {
		e.running(9)
		e.must(e.rdb.Set(e.ctx, e.key("9:lock"), "another", 0).Err())
		var outcomes []queue.Outcome
		for i, o := range []queue.Outcome{
			{Kind: queue.Complete},
			{Kind: queue.Fail},
			{Kind: queue.RetryNow},
			{Kind: queue.RetryLater},
			{Kind: queue.Postpone},
			{Kind: queue.GiveBack},
			{Kind: queue.Complete, Keep: queue.KeepNewest(0, 0)},
			{Kind: queue.Complete},
			{Kind: queue.Complete},
		} {
			o.ID, o.Token, o.Delay = fmt.Sprint(i+1), "tok", time.Second
			outcomes = append(outcomes, o)
		}
		settled, err := e.q.Settle(e.ctx, outcomes, queue.SettleOptions{MetricsPoints: 5})
		e.must(err)
		same(e, "the last answer", "9 lock lost", refusals(settled.Errs)[8])
		same(e, "keys", map[string]string{
			"metrics:completed": "count=3 prevCount=0 prevTS=1795312800000", "metrics:failed": "count=1 prevCount=0 prevTS=1795312800000",
		}, e.metrics())
	})
}

// Without points nothing is counted, and what was counted stays.
func TestMetricsOff(t *testing.T) {
	onEach(t, func(e *env) {
		e.counted(queue.Complete, 1, 0, 0)
		same(e, "keys", map[string]string{}, e.metrics())
		e.counted(queue.Complete, 1, 5, time.Minute)
		e.counted(queue.Complete, 1, 5, 2*time.Minute)
		before := e.metrics()
		e.counted(queue.Complete, 1, 0, 3*time.Minute)
		same(e, "keys", before, e.metrics())
	})
}

// Fewer points than before cut the list at the next minute.
func TestMetricsWithFewerPoints(t *testing.T) {
	onEach(t, func(e *env) {
		for minute := range 5 {
			e.counted(queue.Complete, minute+1, 10, time.Duration(minute)*time.Minute)
		}
		same(e, "data", "4 3 2 1", e.metrics()["metrics:completed:data"])
		e.counted(queue.Complete, 1, 2, 4*time.Minute)
		same(e, "data within the minute", "4 3 2 1", e.metrics()["metrics:completed:data"])
		e.counted(queue.Complete, 1, 2, 5*time.Minute)
		same(e, "data", "6 4", e.metrics()["metrics:completed:data"])
	})
}

// Counters that somebody has broken must not hold up the jobs.
func TestMetricsThatAreBroken(t *testing.T) {
	onEach(t, func(e *env) {
		e.hash("metrics:completed", "count", "many")
		e.counted(queue.Complete, 1, 5, 0)
		same(e, "keys", map[string]string{"metrics:completed": "count=many"}, e.metrics())
		e.hash("metrics:completed", "count", 7, "prevTS", start, "prevCount", "many")
		e.counted(queue.Complete, 1, 5, time.Minute)
		same(e, "keys", map[string]string{
			"metrics:completed": "count=8 prevCount=7 prevTS=1795312860000", "metrics:completed:data": "7",
		}, e.metrics())
		same(e, "completed", "1=1795312800000 2=1795312860000", e.dump()["completed"])
	})
}
