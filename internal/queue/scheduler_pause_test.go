package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// pausedSpec is a scheduler with everything that a pause must keep.
func pausedSpec() queue.SchedulerSpec {
	return queue.SchedulerSpec{
		Name: "tick", Every: hourLong, Offset: time.Second, Limit: 9, End: after(90 * hour), TZ: "UTC",
		Data: json.RawMessage(`{"a":1}`), Opts: queue.JobOptions{Attempts: 2},
	}
}

// A pause takes the scheduler out as a removal does, and a resumption puts back
// what a pause took.
func TestPauseScheduler(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(pausedSpec())
		e.must(e.rdb.HSet(e.ctx, e.key("repeat:s"), "ic", 5, "more", "kept").Err())
		before, live := e.dump(), e.scheduler()
		seen := len(e.events())
		e.must(e.q.PauseScheduler(e.ctx, "s"))
		paused := e.dump()
		e.changed(before, map[string]string{
			"repeat": "", "repeat:s": "", "delayed": "", repeats(1000): "", "qctl:paused-schedules": paused["qctl:paused-schedules"],
		})
		same(e, "events", []string{"removed jobId=" + repeats(1000) + " prev=delayed"}, e.newEvents(seen))
		live.Next, live.JobID, live.JobState = time.Time{}, "", ""
		live.Paused, live.Health = true, queue.SchedulerPaused
		same(e, "while it is paused", live, e.scheduler())
		e.must(e.q.PauseScheduler(e.ctx, "s"))
		e.changed(paused, nil)

		done, err := e.q.ResumeScheduler(e.ctx, "s", noCron)
		e.must(err)
		same(e, "answer", queue.Upserted{JobID: repeats(1000), At: after(1000), State: queue.StateDelayed}, done)
		resumed := e.dump()
		e.changed(before, map[string]string{"id": resumed["id"]})
		if _, err := e.q.ResumeScheduler(e.ctx, "s", noCron); !errors.Is(err, queue.ErrSchedulerNotFound) {
			e.t.Errorf("again: %v, want ErrSchedulerNotFound", err)
		}
		if err := e.q.PauseScheduler(e.ctx, "other"); !errors.Is(err, queue.ErrSchedulerNotFound) {
			e.t.Errorf("unknown: %v, want ErrSchedulerNotFound", err)
		}
	})
}

// Times that pass during a pause are not made up for; the numbers go on.
func TestResumeScheduler(t *testing.T) {
	for _, c := range []struct {
		name  string
		spec  queue.SchedulerSpec
		do    func(e *env) // before the pause
		now   int64        // at the resumption
		due   int64        // 0: it never fires
		count int64
	}{
		{"an interval, before its time", queue.SchedulerSpec{Every: hourLong, Offset: time.Second}, nil, 500, 1000, 1},
		{"an interval, later", queue.SchedulerSpec{Every: hourLong, Offset: time.Second}, nil, 5 * hour, 5*hour + 1000, 1},
		{"an interval whose job waits", queue.SchedulerSpec{Every: hourLong}, func(*env) {}, 500, hour, 2},
		{"a pattern, before its time", queue.SchedulerSpec{Pattern: "0 * * * *"}, nil, 500, hour, 1},
		{"a pattern, later", queue.SchedulerSpec{Pattern: "0 * * * *"}, nil, 5*hour + 1, 6 * hour, 1},
		{"the last of its limit", queue.SchedulerSpec{Pattern: "0 * * * *", Limit: 1}, nil, 500, hour, 1},
		{"beyond its limit", queue.SchedulerSpec{Every: hourLong, Limit: 1}, nil, 500, 0, 0},
		{"beyond its end", queue.SchedulerSpec{Pattern: "0 * * * *", End: after(hour)}, nil, 2 * hour, 0, 0},
		{"no time before its end", queue.SchedulerSpec{Pattern: "0 * * * *", End: after(2*hour - 1)}, nil, hour + 5, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.upsert(c.spec)
				e.must(e.q.PauseScheduler(e.ctx, "s"))
				e.now.Store(start + c.now)
				before := e.dump()
				done, err := e.q.ResumeScheduler(e.ctx, "s", hourly)
				if c.due == 0 {
					if !errors.Is(err, queue.ErrNeverFires) {
						e.t.Errorf("%v, want ErrNeverFires", err)
					}
					e.changed(before, nil)
					return
				}
				e.must(err)
				same(e, "time", after(c.due), done.At)
				same(e, "number", c.count, e.scheduler().Count)
				same(e, "kept", "", e.dump()["qctl:paused-schedules"])
			})
		})
	}
}

// A scheduler that somebody made of the same id meanwhile is the one that
// counts.
func TestResumeSchedulerThatIsBack(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(pausedSpec())
		e.must(e.q.PauseScheduler(e.ctx, "s"))
		e.upsert(queue.SchedulerSpec{Every: 2 * hourLong})
		same(e, "kept after an upsert", "", e.dump()["qctl:paused-schedules"])

		e.must(e.rdb.HSet(e.ctx, e.key("qctl:paused-schedules"), "s", `{"record":{"every":"5"},"score":"1"}`).Err())
		before := e.dump()
		same(e, "the live one is read", 2*hourLong, e.scheduler().Every)
		done, err := e.q.ResumeScheduler(e.ctx, "s", noCron)
		e.must(err)
		same(e, "answer", queue.Upserted{JobID: repeats(0), At: after(0), Replaced: true}, done)
		e.changed(before, map[string]string{"qctl:paused-schedules": ""})

		e.must(e.rdb.HSet(e.ctx, e.key("qctl:paused-schedules"), "x", `{`).Err())
		if _, err := e.q.ResumeScheduler(e.ctx, "x", noCron); !errors.Is(err, queue.ErrCorrupt) {
			e.t.Errorf("what cannot be read: %v, want ErrCorrupt", err)
		}
		e.must(e.q.RemoveScheduler(e.ctx, "x"))
		same(e, "kept", "", e.dump()["qctl:paused-schedules"])
	})
}

func TestRunScheduler(t *testing.T) {
	onEach(t, func(e *env) {
		spec := pausedSpec()
		spec.Opts.Other = map[string]json.RawMessage{"x": json.RawMessage("1")}
		e.upsert(spec)
		for _, paused := range []bool{false, true} {
			if paused {
				e.must(e.q.PauseScheduler(e.ctx, "s"))
			}
			before := e.dump()
			added, err := e.q.RunScheduler(e.ctx, "s")
			e.must(err)
			after := e.dump()
			e.changed(before, map[string]string{
				"id": after["id"], "wait": added.ID, "marker": after["marker"],
				added.ID: fmt.Sprintf(`data={"a":1} delay=0 name=tick opts={"attempts":2,"timestamp":%d,"x":1} priority=0 timestamp=%d`, start, start),
			})
			e.claim(1, "w")
		}
		if _, err := e.q.RunScheduler(e.ctx, "other"); !errors.Is(err, queue.ErrSchedulerNotFound) {
			e.t.Errorf("unknown: %v, want ErrSchedulerNotFound", err)
		}
	})
}

// At most one job makes up for everything that was missed.
func TestRestartScheduler(t *testing.T) {
	every := queue.SchedulerSpec{Every: hourLong}
	pattern := queue.SchedulerSpec{Pattern: "0 * * * *", Immediately: true}
	gone := func(e *env) {
		e.must(e.rdb.Del(e.ctx, e.key("wait"), e.key("delayed"), e.key(repeats(0)), e.key(repeats(hour))).Err())
	}
	finished := func(e *env) { e.finish(queue.Complete) }
	for _, c := range []struct {
		name  string
		spec  queue.SchedulerSpec
		do    func(e *env)
		now   int64
		due   int64 // -1: it is not restarted
		count int64
	}{
		{"nothing was missed", every, finished, 5, hour, 2},
		{"one was missed", every, finished, hour + 5, hour, 2},
		{"one is due", every, finished, hour, hour, 2},
		{"many were missed", every, finished, 5*hour + 5, 5 * hour, 2},
		{"the job is gone", every, gone, 5*hour + 5, 5 * hour, 2},
		{"it was lost before its time", queue.SchedulerSpec{Pattern: "0 * * * *"}, gone, 5, hour, 1},
		{"a pattern, nothing was missed", pattern, finished, 5, hour, 2},
		{"a pattern, many were missed", pattern, finished, 5*hour + 5, 5 * hour, 2},
		{"a pattern whose job is gone", pattern, gone, 5*hour + 5, 5 * hour, 2},
		{
			"the latest is made already", every,
			func(e *env) { finished(e); e.hash(repeats(5*hour), "name", "x") },
			5*hour + 5, 6 * hour, 2,
		},
		{
			"the latest of a pattern is made already", pattern,
			func(e *env) { finished(e); e.hash(repeats(5*hour), "name", "x") },
			5*hour + 5, 6 * hour, 2,
		},
		{"waiting", every, func(*env) {}, 5 * hour, -1, 0},
		{"active", every, func(e *env) { e.claim(1, "w") }, 5 * hour, -1, 0},
		{"ended", queue.SchedulerSpec{Every: hourLong, Limit: 1}, finished, 5 * hour, -1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.upsert(c.spec)
				c.do(e)
				e.now.Store(start + c.now)
				before := e.dump()
				restarted, err := e.q.RestartScheduler(e.ctx, "s", hourly)
				e.must(err)
				same(e, "restarted", c.due >= 0, restarted)
				if c.due < 0 {
					e.changed(before, nil)
					return
				}
				s := e.scheduler()
				same(e, "time", after(c.due), s.Next)
				same(e, "number", c.count, s.Count)
				same(e, "health", queue.SchedulerHealthy, s.Health)
				same(e, "state", map[bool]queue.State{true: queue.StateDelayed, false: queue.StateWaiting}[c.due > c.now], s.JobState)
				again, err := e.q.RestartScheduler(e.ctx, "s", hourly)
				e.must(err)
				same(e, "again", false, again)
			})
		})
	}
}

// A job that fell out of every list is put back and keeps what it was.
func TestRestartPutsALostJobBack(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			spec queue.SchedulerSpec
			list string
		}{{queue.SchedulerSpec{Every: hourLong}, "wait"}, {queue.SchedulerSpec{Pattern: "0 * * * *"}, "delayed"}} {
			e := e.fork()
			e.upsert(c.spec)
			whole := e.dump()
			e.must(e.rdb.Del(e.ctx, e.key(c.list)).Err())
			restarted, err := e.q.RestartScheduler(e.ctx, "s", hourly)
			e.must(err)
			same(e, "restarted", true, restarted)
			e.changed(whole, nil)
		}
	})
}

// Restarts by many at once make one job, also while a worker goes on.
func TestRestartsRace(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(queue.SchedulerSpec{Every: hourLong})
		e.finish(queue.Complete)
		e.now.Store(start + 5*hour + 5)
		var all sync.WaitGroup
		var restarts atomic.Int64
		for range 8 {
			all.Go(func() {
				restarted, err := e.q.RestartScheduler(e.ctx, "s", hourly)
				if err != nil {
					e.t.Error(err)
				}
				if restarted {
					restarts.Add(1)
				}
			})
		}
		all.Wait()
		same(e, "restarts", int64(1), restarts.Load())
		same(e, "waiting", repeats(5*hour), e.dump()["wait"])
	})
}

// A pattern of every second that stopped long ago costs few questions.
func TestRestartAsksTheClockLittle(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(queue.SchedulerSpec{Pattern: "* * * * * *", Immediately: true})
		e.finish(queue.Complete)
		e.now.Store(start + 400*24*hour + 1500)
		asked := 0
		restarted, err := e.q.RestartScheduler(e.ctx, "s", func(_, _ string, after time.Time) (time.Time, bool, error) {
			asked++
			return time.Unix(after.Unix()+1, 0), true, nil
		})
		e.must(err)
		same(e, "restarted", true, restarted)
		same(e, "time", after(400*24*hour+1000), e.scheduler().Next)
		if asked > 60 {
			e.t.Errorf("asked %d times", asked)
		}
	})
}
