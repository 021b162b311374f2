package queue_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/qctl/qctl/internal/queue"
)

func TestRemoveScheduler(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(queue.SchedulerSpec{Pattern: "0 * * * *"})
		seen := len(e.events())
		e.must(e.q.RemoveScheduler(e.ctx, "s"))
		same(e, "keys", map[string]string{"id": "1", "meta": "opts.maxLenEvents=10000", "marker": fmt.Sprintf("1=%d", start+hour)}, e.dump())
		same(e, "events", []string{"removed jobId=" + repeats(hour) + " prev=delayed"}, e.newEvents(seen))
		if err := e.q.RemoveScheduler(e.ctx, "s"); !errors.Is(err, queue.ErrSchedulerNotFound) {
			e.t.Errorf("again: %v, want ErrSchedulerNotFound", err)
		}

		// One that waits stays, and makes no other.
		e.upsert(queue.SchedulerSpec{Every: hourLong})
		e.must(e.q.RemoveScheduler(e.ctx, "s"))
		jobs := e.claim(1, "w")
		same(e, "the waiting job", repeats(0), jobs[0].ID)
		added, err := e.q.ContinueSchedule(e.ctx, jobs[0], noCron)
		e.must(err)
		same(e, "continued", false, added)

		// The hash of a job is no record, whatever it is called.
		if err := e.q.RemoveScheduler(e.ctx, fmt.Sprintf("s:%d", start)); !errors.Is(err, queue.ErrSchedulerNotFound) {
			e.t.Errorf("a job's id: %v, want ErrSchedulerNotFound", err)
		}
		same(e, "the job", int64(1), e.rdb.Exists(e.ctx, e.key(repeats(0))).Val())
	})
}

// Writers of an earlier term are refused, and change nothing.
func TestFencedSchedulerWrites(t *testing.T) {
	onEach(t, func(e *env) {
		spec := queue.SchedulerSpec{ID: "s", Pattern: "0 * * * *"}
		_, err := e.q.Fenced(7).UpsertScheduler(e.ctx, spec, hourly)
		e.must(err)
		same(e, "fence", "7", e.dump()["qctl:fence"])
		e.must(e.rdb.Del(e.ctx, e.key("delayed"), e.key(repeats(hour))).Err()) // stopped
		before := e.dump()
		old := e.q.Fenced(6)
		for what, write := range map[string]func() error{
			"upsert":  func() error { _, err := old.UpsertScheduler(e.ctx, spec, hourly); return err },
			"remove":  func() error { return old.RemoveScheduler(e.ctx, "s") },
			"pause":   func() error { return old.PauseScheduler(e.ctx, "s") },
			"restart": func() error { _, err := old.RestartScheduler(e.ctx, "s", hourly); return err },
		} {
			if err := write(); !errors.Is(err, queue.ErrFenced) {
				e.t.Errorf("%s: %v, want ErrFenced", what, err)
			}
		}
		e.changed(before, nil)
		_, err = e.q.UpsertScheduler(e.ctx, spec, hourly) // by nobody's order
		e.must(err)
		e.must(e.q.Fenced(7).PauseScheduler(e.ctx, "s"))
		if _, err := old.ResumeScheduler(e.ctx, "s", hourly); !errors.Is(err, queue.ErrFenced) {
			e.t.Errorf("resume: %v, want ErrFenced", err)
		}
		e.must(e.q.Fenced(8).RemoveScheduler(e.ctx, "s"))
		same(e, "fence", "8", e.dump()["qctl:fence"])
	})
}

// Nothing of ours outlives the queue.
func TestObliterateTakesSchedulersAlong(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(queue.SchedulerSpec{Every: hourLong})
		_, err := e.q.Fenced(3).UpsertScheduler(e.ctx, queue.SchedulerSpec{ID: "p", Pattern: "0 * * * *"}, hourly)
		e.must(err)
		e.must(e.q.PauseScheduler(e.ctx, "p"))
		_, err = e.q.Obliterate(e.ctx, queue.ObliterateOptions{})
		e.must(err)
		same(e, "keys", map[string]string{}, e.dump())
	})
}
