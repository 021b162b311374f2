package worker_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

func TestRateLimitHolds(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	const window = 400 * time.Millisecond
	ids := e.addMany(35, queue.JobOptions{})
	var mu sync.Mutex
	var starts []time.Time
	began := time.Now()
	cfg := worker.Config{Concurrency: 4, Drain: true, Limiter: &queue.Limiter{Max: 10, Duration: window}, Handler: worker.HandlerFunc(
		func(context.Context, worker.Job, worker.Reporter) (json.RawMessage, error) {
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, time.Now())
			return nil, nil
		})}
	first, second := e.start(cfg), e.start(cfg)
	first.wait()
	second.wait()
	if len(starts) != len(ids) {
		t.Fatalf("%d of %d jobs ran", len(starts), len(ids))
	}
	// Fixed windows: the eleventh start is at least a window after the first,
	// less what lies between the count in Redis and the handler.
	for i := range starts {
		if i+10 < len(starts) && starts[i+10].Sub(starts[i]) < window/8 && i%10 == 0 {
			t.Errorf("starts %d to %d within %v", i, i+10, starts[i+10].Sub(starts[i]))
		}
	}
	// Four windows are needed, and no window may be slept through.
	if took := time.Since(began); took < 3*window || took > 6*window {
		t.Errorf("took %v for four windows of %v", took, window)
	}
}

// A worker that has met the limit must listen to the marker again once the
// limit is over, or jobs would wait until it looks by itself.
func TestLimitDoesNotOutliveItself(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	l := newLedger()
	e.addMany(8, queue.JobOptions{})
	e.start(worker.Config{Concurrency: 4, Limiter: &queue.Limiter{Max: 5, Duration: time.Second}, Handler: l.around(
		func(context.Context, worker.Job, worker.Reporter) (json.RawMessage, error) {
			pass(20 * time.Millisecond) // outcomes come in while the limit holds
			return nil, nil
		})})
	e.eventually("the jobs", func() bool { return e.counts()["completed"] == 8 })
	added := time.Now()
	e.add("job", `{}`, queue.JobOptions{})
	e.eventually("one more job", func() bool { return l.ran() == 9 })
	if late := time.Since(added); late > 500*time.Millisecond {
		t.Errorf("picked up after %v", late)
	}
}

func TestGlobalConcurrency(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	e.must(e.rdb.HSet(e.ctx, e.key("meta"), "concurrency", 3).Err())
	ids := e.addMany(60, queue.JobOptions{})
	l := newLedger()
	cfg := worker.Config{Concurrency: 5, Handler: l.around(func(context.Context, worker.Job, worker.Reporter) (json.RawMessage, error) {
		pass(5 * time.Millisecond)
		return nil, nil
	})}
	e.start(cfg)
	e.start(cfg)
	e.eventually("all jobs", func() bool { return e.counts()["completed"] == 60 })
	if diff := cmp.Diff(each(ids, 1), l.times()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if l.most > 3 {
		t.Errorf("%d jobs at once", l.most)
	}
}

func TestPausedQueueResumes(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.q.Pause(e.ctx))
		e.addMany(5, queue.JobOptions{})
		l := newLedger()
		e.start(worker.Config{Concurrency: 2, Handler: l.around(succeed)})
		pass(100 * time.Millisecond)
		if n := l.ran(); n != 0 {
			e.t.Fatalf("%d jobs of a paused queue ran", n)
		}
		resumed := time.Now()
		e.must(e.q.Resume(e.ctx))
		e.eventually("all jobs", func() bool { return l.ran() == 5 })
		if late := time.Since(resumed); late > time.Second {
			e.t.Errorf("resumed after %v", late)
		}
	})
}

func TestDrainEnds(t *testing.T) {
	t.Parallel()
	prepare := map[string]func(e *env){
		"empty": func(*env) {},
		"paused": func(e *env) {
			e.must(e.q.Pause(e.ctx))
			e.addMany(3, queue.JobOptions{})
		},
		"delayed": func(e *env) { e.addMany(3, queue.JobOptions{Delay: time.Hour}) },
	}
	for name, prepare := range prepare {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(e *env) {
				prepare(e)
				l := newLedger()
				began := time.Now()
				r := e.start(worker.Config{Concurrency: 4, Drain: true, Handler: l.around(succeed)})
				stats := r.wait()
				if took := time.Since(began); took > 2*time.Second || l.ran() != 0 || r.err != nil {
					e.t.Errorf("ended after %v, %d jobs, error %v", took, l.ran(), r.err)
				}
				if got := !stats.DelayedLeft.IsZero(); got != (name == "delayed") {
					e.t.Errorf("delayed left: %v", stats.DelayedLeft)
				}
			})
		})
	}
}

// Two workers drain one queue: the jobs that one has running may come back, and
// each ends only when it has nothing more to do itself.
func TestDrainRunsRetries(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	ids := e.addMany(100, queue.JobOptions{Attempts: 3})
	l := newLedger()
	r := e.start(worker.Config{Concurrency: 8, Drain: true, Handler: l.around(
		func(_ context.Context, job worker.Job, _ worker.Reporter) (json.RawMessage, error) {
			if job.Attempt < 3 {
				return nil, &worker.Failure{Reason: "again"}
			}
			return nil, nil
		})})
	r.wait()
	if diff := cmp.Diff(each(ids, 3), l.times()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{"completed": 100}, e.counts()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
