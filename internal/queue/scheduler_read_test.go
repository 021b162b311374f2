package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// scheduler reads the scheduler s.
func (e *env) scheduler() queue.Scheduler {
	e.t.Helper()
	s, err := e.q.Scheduler(e.ctx, "s")
	e.must(err)
	return s
}

func TestReadScheduler(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(queue.SchedulerSpec{
			Name: "tick", Every: hourLong, Offset: time.Second, TZ: "UTC", Limit: 9, Start: after(-5), End: after(90 * hour),
			Data: json.RawMessage(`{"a":1}`), Opts: queue.JobOptions{Attempts: 2},
		})
		want := queue.Scheduler{
			ID: "s", Name: "tick", Every: hourLong, Offset: time.Second, TZ: "UTC", Limit: 9, Iterations: 1, Count: 1,
			Start: after(-5), End: after(90 * hour), Data: json.RawMessage(`{"a":1}`), Opts: json.RawMessage(`{"attempts":2}`),
			Next: after(0), JobID: repeats(0), JobState: queue.StateWaiting, Health: queue.SchedulerHealthy,
		}
		want.Next, want.JobID = after(0), repeats(0) // a start that has passed fires at once
		same(e, "new", want, e.scheduler())

		e.now.Store(start + 700)
		jobs := e.claim(1, "w")
		active := want
		active.JobState, active.Last = queue.StateActive, after(700)
		same(e, "active", active, e.scheduler())
		_, err := e.q.ContinueSchedule(e.ctx, jobs[0], noCron)
		e.must(err)
		want.Iterations, want.Count, want.Next, want.JobID = 2, 2, after(hour), repeats(hour)
		want.JobState, want.Last = queue.StateDelayed, after(700)
		same(e, "continued", want, e.scheduler())

		if _, err := e.q.Scheduler(e.ctx, "other"); !errors.Is(err, queue.ErrSchedulerNotFound) {
			e.t.Errorf("unknown: %v, want ErrSchedulerNotFound", err)
		}
	})
}

// A scheduler has stopped only when nothing that it has left can go on.
func TestSchedulerHealth(t *testing.T) {
	every := queue.SchedulerSpec{Every: hourLong}
	pattern := queue.SchedulerSpec{Pattern: "0 * * * *"}
	limited := queue.SchedulerSpec{Every: hourLong, Limit: 1}
	until := queue.SchedulerSpec{Every: hourLong, End: after(hour)}
	move := func(from, to string) func(e *env) {
		return func(e *env) {
			e.must(e.rdb.Del(e.ctx, e.key(from)).Err())
			e.must(e.rdb.ZAdd(e.ctx, e.key(to), zAt(1, repeats(0))).Err())
		}
	}
	for _, c := range []struct {
		name   string
		spec   queue.SchedulerSpec
		do     func(e *env)
		now    int64
		health queue.SchedulerHealth
		state  queue.State
	}{
		{"waiting", every, func(*env) {}, 9 * hour, "healthy", queue.StateWaiting},
		{"in a paused queue", every, func(e *env) { e.setVersion(5); e.must(e.q.Pause(e.ctx)) }, 0, "healthy", queue.StateWaiting},
		{"active", every, func(e *env) { e.claim(1, "w") }, 0, "healthy", queue.StateActive},
		{"active without a lock", every, func(e *env) { e.claim(1, "w"); e.lose(repeats(0)) }, 0, "healthy", queue.StateActive},
		{"delayed", pattern, func(*env) {}, 9 * hour, "healthy", queue.StateDelayed},
		{"prioritized", every, move("wait", "prioritized"), 0, "healthy", queue.StatePrioritized},
		{"waiting for children", every, move("wait", "waiting-children"), 0, "healthy", queue.StateWaitingChildren},
		{"at its limit, not run yet", limited, func(*env) {}, 0, "healthy", queue.StateWaiting},
		{"completed", every, func(e *env) { e.finish(queue.Complete) }, 0, "stopped", queue.StateCompleted},
		{"failed", every, func(e *env) { e.finish(queue.Fail) }, 0, "stopped", queue.StateFailed},
		{"gone", every, func(e *env) { e.must(e.rdb.Del(e.ctx, e.key(repeats(0))).Err()) }, 0, "stopped", ""},
		{"in no list", every, func(e *env) { e.must(e.rdb.Del(e.ctx, e.key("wait")).Err()) }, 0, "stopped", queue.StateUnknown},
		{"limit reached", limited, func(e *env) { e.finish(queue.Complete) }, 0, "ended", queue.StateCompleted},
		{"limit reached, job gone", limited, func(e *env) { e.must(e.rdb.Del(e.ctx, e.key(repeats(0))).Err()) }, 0, "ended", ""},
		{"past the end", until, func(e *env) { e.finish(queue.Complete) }, hour + 1, "ended", queue.StateCompleted},
		{"before the end", until, func(e *env) { e.finish(queue.Complete) }, hour, "stopped", queue.StateCompleted},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.upsert(c.spec)
				c.do(e)
				e.now.Store(start + c.now)
				before := e.dump()
				s := e.scheduler()
				same(e, "health", c.health, s.Health)
				same(e, "state", c.state, s.JobState)
				e.changed(before, nil)
			})
		})
	}
}

// Near its end a pattern may have no time left. Only its clock can tell.
func TestSchedulerHealthAsksTheClock(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(queue.SchedulerSpec{Pattern: "0 * * * *", Immediately: true, End: after(hour - 1)})
		e.finish(queue.Complete)
		same(e, "without a clock", queue.SchedulerStopped, e.scheduler().Health)
		asking := queue.NewClient(testConn{e.rdb.Options().Addr, e.rdb}, queue.ClientOptions{
			NextRun: hourly, Now: func() time.Time { return time.UnixMilli(e.now.Load()) },
		})
		s, err := asking.Queue(e.base).Scheduler(e.ctx, "s")
		e.must(err)
		same(e, "with one", queue.SchedulerEnded, s.Health)
		restarted, err := e.q.RestartScheduler(e.ctx, "s", hourly)
		e.must(err)
		same(e, "restarted", false, restarted)
	})
}

// Lists that are too long to be looked through are believed to hold the job.
func TestSchedulerHealthInLongLists(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(queue.SchedulerSpec{Every: hourLong})
		e.must(e.rdb.Del(e.ctx, e.key("wait")).Err())
		ids := make([]any, 10001)
		for i := range ids {
			ids[i] = fmt.Sprint("j", i)
		}
		e.must(e.rdb.LPush(e.ctx, e.key("wait"), ids...).Err())
		same(e, "state", queue.StateWaiting, e.scheduler().JobState)
		e.must(e.rdb.LTrim(e.ctx, e.key("wait"), 1, -1).Err())
		same(e, "state", queue.StateUnknown, e.scheduler().JobState)
	})
}

// Whatever stands in the records, all that can be read is, and nothing changes.
func TestReadCorruptSchedulers(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			fields  []any
			corrupt string
			health  queue.SchedulerHealth
		}{
			{nil, "record: missing", "corrupt"},
			{[]any{"name", "n", "ic", 1, "offset", 0}, "", "corrupt"},
			{[]any{"name", "n", "ic", 1, "offset", 0, "every", "often"}, `every: "often" is not a number in range`, "corrupt"},
			{[]any{"name", "n", "ic", 1, "offset", 0, "every", "-5"}, "", "corrupt"},
			{[]any{"name", "n", "ic", 1, "offset", 0, "every", 5, "endDate", "1e300"}, `endDate: "1e300" is not a number in range`, "corrupt"},
			{[]any{"name", "n", "ic", 1, "offset", 0, "every", 5, "data", "{"}, "data: unexpected end of JSON input at byte 1", "stopped"},
			{[]any{"name", "n", "ic", 1, "offset", 0, "every", 5, "data", `"` + strings.Repeat("x", 1<<20) + `"`}, "data: 1048578 bytes are too large to be read", "stopped"},
		} {
			e := e.fork()
			e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), zAt(start, "s")).Err())
			if c.fields != nil {
				e.hash("repeat:s", c.fields...)
			}
			before := e.dump()
			s := e.scheduler()
			same(e, "corrupt", c.corrupt, strings.Join(s.Corrupt, "; "))
			same(e, fmt.Sprintf("health of %.40s", fmt.Sprint(c.fields)), c.health, s.Health)
			e.changed(before, nil)
		}
		e.must(e.rdb.Set(e.ctx, e.key("repeat:s"), "text", 0).Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), zAt(start, "s")).Err())
		same(e, "a text for a record", []string{"record: holds a string"}, e.scheduler().Corrupt)
		e.must(e.rdb.Set(e.ctx, e.key("wait"), "text", 0).Err())
		if _, _, err := e.q.Schedulers(e.ctx, 0, 10); !errors.Is(err, queue.ErrCorrupt) {
			e.t.Errorf("a queue of the wrong type: %v, want ErrCorrupt", err)
		}
	})
}

// Pages come in the order of times, those that are paused at the end.
func TestSchedulersInPages(t *testing.T) {
	onEach(t, func(e *env) {
		for i := range 205 {
			_, err := e.q.UpsertScheduler(e.ctx, queue.SchedulerSpec{
				ID: fmt.Sprintf("s%03d", i), Every: hourLong, Offset: time.Duration(1000-i) * time.Millisecond,
			}, hourly)
			e.must(err)
		}
		for _, id := range []string{"s007", "s004", "s100"} {
			e.must(e.q.PauseScheduler(e.ctx, id))
		}
		// Another client made one of the paused ones anew: the live one counts.
		e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), zAt(start+5000000, "s100")).Err())
		want := []string{}
		for i := 204; i >= 0; i-- {
			if i != 7 && i != 4 && i != 100 {
				want = append(want, fmt.Sprintf("s%03d", i))
			}
		}
		want = append(want, "s100", "s004", "s007")
		for _, page := range []int{1000, 100, 101, 7} {
			var got []string
			for {
				all, total, err := e.q.Schedulers(e.ctx, len(got), page)
				e.must(err)
				same(e, "total", 205, total)
				for _, s := range all {
					got = append(got, s.ID)
					same(e, "paused "+s.ID, s.ID == "s004" || s.ID == "s007", s.Paused)
				}
				if len(all) == 0 {
					break
				}
			}
			same(e, fmt.Sprint("pages of ", page), want, got)
		}
		none, total, err := e.q.Schedulers(e.ctx, 5, 0)
		e.must(err)
		same(e, "a page of none", 205, total+len(none))
	})
}
