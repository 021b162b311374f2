package worker_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// gate is a handler that holds every job until it is let go.
type gate struct {
	began chan string
	pass  chan struct{}
}

// newGate makes one that is shut.
func newGate() *gate { return &gate{began: make(chan string, 100), pass: make(chan struct{})} }

func (g *gate) Handle(ctx context.Context, job worker.Job, _ worker.Reporter) (json.RawMessage, error) {
	g.began <- job.ID
	select {
	case <-g.pass:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// begins waits until n more jobs have begun.
func (g *gate) begins(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-g.began:
		case <-time.After(patience):
			t.Fatal("no job begins")
		}
	}
}

func (e *env) active() int64 {
	e.t.Helper()
	n, err := e.rdb.LLen(e.ctx, e.key("active")).Result()
	e.must(err)
	return n
}

func TestConcurrencyChangesWhileJobsRun(t *testing.T) {
	onEach(t, func(e *env) {
		t := e.t.(*testing.T)
		e.addMany(20, queue.JobOptions{})
		g := newGate()
		cfg := worker.Config{Handler: g, Concurrency: 1}
		r := e.start(cfg)
		g.begins(t, 1)
		if n := e.active(); n != 1 {
			t.Fatalf("%d jobs run, want 1", n)
		}

		cfg.Concurrency = 4
		e.must(r.w.Update(cfg))
		g.begins(t, 3) // while the first still runs
		if n := e.active(); n != 4 {
			t.Fatalf("%d jobs run, want 4", n)
		}

		// With fewer slots than jobs that run, all of them go on, and the next
		// begins when the second of three has ended.
		cfg.Concurrency = 2
		e.must(r.w.Update(cfg))
		for range 3 {
			g.pass <- struct{}{}
		}
		g.begins(t, 1)
		if free, executing, _ := r.w.Slots(); free != 0 || executing != 2 {
			t.Errorf("free %d, executing %d, want 0 and 2", free, executing)
		}
		e.eventually("the ended jobs to be recorded", func() bool { return e.active() == 2 })
		close(g.pass)
		e.eventually("all jobs to complete", func() bool { return e.counts()["completed"] == 20 })
		if stats := r.finish(); stats.Completed != 20 || stats.GivenBack != 0 {
			t.Errorf("stats %+v", stats)
		}
	})
}

func TestNextJobHasTheNewSettings(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	old, next := newGate(), newGate()
	r := e.start(worker.Config{Handler: old, Timeout: time.Hour})
	first := e.add("job", `{}`, queue.JobOptions{})
	old.begins(t, 1)
	none := int64(0)
	e.must(r.w.Update(worker.Config{
		Handler: next, Timeout: 50 * time.Millisecond, KeepCompleted: &queue.Keep{Count: &none},
	}))
	second := e.add("job", `{}`, queue.JobOptions{})
	old.pass <- struct{}{} // the first has neither the new handler nor its time
	next.begins(t, 1)
	e.eventually("the second job to time out", func() bool { return e.counts()["failed"] == 1 })
	if got, want := e.hash(second, "failedReason"), "timed out after 50ms"; got != want {
		t.Errorf("failed with %q, want %q", got, want)
	}
	if got := e.hash(first, "finishedOn"); got != "" {
		t.Errorf("the first job is kept, finished on %s", got)
	}
	if stats := r.finish(); stats.Completed != 1 || stats.Failed != 1 {
		t.Errorf("stats %+v", stats)
	}
}

// A limit that was met does not hold longer than the configuration has it.
func TestLimiterIsTakenAway(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	e.addMany(3, queue.JobOptions{})
	cfg := worker.Config{Handler: worker.HandlerFunc(succeed), Concurrency: 1, Limiter: &queue.Limiter{Max: 1, Duration: time.Hour}}
	r := e.start(cfg)
	e.eventually("the limit to be met", func() bool { return e.counts()["completed"] == 1 })
	cfg.Limiter = nil
	e.must(r.w.Update(cfg))
	e.eventually("the others to run", func() bool { return e.counts()["completed"] == 3 })
	r.finish()
}

func TestUpdateRefusesWhatNewDoes(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	r := e.start(worker.Config{Handler: worker.HandlerFunc(succeed), Concurrency: 3})
	for name, cfg := range map[string]worker.Config{
		"no handler":  {Concurrency: 1},
		"concurrency": {Handler: worker.HandlerFunc(succeed), Concurrency: -1},
		"timeout":     {Handler: worker.HandlerFunc(succeed), Timeout: -1},
	} {
		if err := r.w.Update(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	e.eventually("all slots to be free", func() bool { free, _, flights := r.w.Slots(); return free == 3 && flights == 0 })
	r.finish()
}
