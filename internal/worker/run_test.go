package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

func TestEachJobRunsOnce(t *testing.T) {
	onEach(t, func(e *env) {
		ids := e.addMany(1000, queue.JobOptions{})
		l := newLedger()
		r := e.start(worker.Config{Handler: l.around(succeed), Concurrency: 10, Drain: true})
		stats := r.wait()
		if diff := cmp.Diff(worker.Stats{Completed: 1000}, stats); diff != "" || r.err != nil {
			e.t.Errorf("stats (-want +got)\n%s%v", diff, r.err)
		}
		if diff := cmp.Diff(each(ids, 1), l.times()); diff != "" {
			e.t.Errorf("runs (-want +got)\n%s", diff)
		}
		if l.most > 10 {
			e.t.Errorf("%d jobs at once", l.most)
		}
		if diff := cmp.Diff(map[string]int64{"completed": 1000}, e.counts()); diff != "" {
			e.t.Errorf("counts (-want +got)\n%s", diff)
		}
		if n := e.locks(); n != 0 {
			e.t.Errorf("%d locks left", n)
		}
	})
}

// Slots are booked by two flights and given back by handlers: neither may ever
// be had twice.
func TestSlotsAddUp(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	e.addMany(600, queue.JobOptions{Attempts: 2})
	var n sync.Map
	r := e.start(worker.Config{Concurrency: 7, Drain: true, Handler: worker.HandlerFunc(
		func(_ context.Context, job worker.Job, _ worker.Reporter) (json.RawMessage, error) {
			if _, again := n.LoadOrStore(job.ID, true); !again && len(job.ID)%2 == 0 {
				return nil, errors.New("once more")
			}
			return nil, nil
		})})
	for ended := false; !ended; {
		select {
		case <-r.done:
			ended = true
		default:
		}
		if free, executing, flights := r.w.Slots(); free < 0 || executing < 0 || flights < 0 || free+executing > 7 || flights > 2 {
			t.Fatalf("free %d, executing %d, flights %d", free, executing, flights)
		}
	}
	if free, executing, flights := r.w.Slots(); free != 7 || executing != 0 || flights != 0 {
		t.Errorf("in the end free %d, executing %d, flights %d", free, executing, flights)
	}
}

func TestIdleWorkerWakesAtOnce(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	started := make(chan time.Time, 1)
	e.start(worker.Config{Concurrency: 3, Handler: worker.HandlerFunc(
		func(context.Context, worker.Job, worker.Reporter) (json.RawMessage, error) {
			started <- time.Now()
			return nil, nil
		})})
	for range 5 {
		e.sleepsOnMarker(1)
		added := time.Now()
		e.add("job", `{}`, queue.JobOptions{})
		if late := (<-started).Sub(added); late > 200*time.Millisecond {
			t.Errorf("picked up after %v", late)
		}
	}
}

// sleepsOnMarker waits until n clients block on the queue's marker.
func (e *env) sleepsOnMarker(n int) {
	e.t.Helper()
	e.eventually("workers to sleep", func() bool {
		pattern := "name=" + queue.WorkerName(e.base, "")
		list, err := e.rdb.ClientList(e.ctx).Result()
		e.must(err)
		found := 0
		for line := range strings.Lines(list) {
			if strings.Contains(line, pattern) && strings.Contains(line, "cmd=bzpopmin") && strings.Contains(line, "flags=b") {
				found++
			}
		}
		return found == n
	})
}

func TestDelayedJobsRunWhenDue(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	started := make(chan time.Time, 1)
	e.start(worker.Config{Concurrency: 2, Handler: worker.HandlerFunc(
		func(context.Context, worker.Job, worker.Reporter) (json.RawMessage, error) {
			started <- time.Now()
			return nil, nil
		})})
	e.sleepsOnMarker(1)
	for _, delay := range []time.Duration{150 * time.Millisecond, 400 * time.Millisecond, 1350 * time.Millisecond} {
		due := time.Now().Add(delay)
		e.add("job", `{}`, queue.JobOptions{Delay: delay})
		if late := (<-started).Sub(due); late < -5*time.Millisecond || late > 200*time.Millisecond {
			t.Errorf("delayed by %v: %v late", delay, late)
		}
	}
}

func TestPrioritiesInOrder(t *testing.T) {
	onEach(t, func(e *env) {
		for _, j := range []struct {
			id       string
			priority int
		}{{"c", 3}, {"a1", 1}, {"b", 2}, {"a2", 1}, {"first", 0}} {
			e.add("job", `{}`, queue.JobOptions{ID: j.id, Priority: j.priority})
		}
		l := newLedger()
		e.start(worker.Config{Handler: l.around(succeed), Drain: true}).wait()
		if diff := cmp.Diff([]string{"first", "a1", "a2", "b", "c"}, l.ids()); diff != "" {
			e.t.Errorf("order (-want +got)\n%s", diff)
		}
	})
}

func TestRetriesUntilFailed(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	id := e.add("job", `{}`, queue.JobOptions{
		Attempts: 3, Backoff: &queue.Backoff{Type: "exponential", Delay: 60 * time.Millisecond}, StackTraceLimit: new(int),
	})
	var mu sync.Mutex
	var starts []time.Time
	var attempts []int
	r := e.start(worker.Config{Handler: worker.HandlerFunc(
		func(_ context.Context, job worker.Job, _ worker.Reporter) (json.RawMessage, error) {
			mu.Lock()
			defer mu.Unlock()
			starts, attempts = append(starts, time.Now()), append(attempts, job.Attempt)
			return nil, fmt.Errorf("no %d of %d", job.Attempt, job.MaxAttempts)
		})})
	e.eventually("the job to fail", func() bool { return e.counts()["failed"] == 1 })
	stats := r.finish()
	if diff := cmp.Diff(worker.Stats{Failed: 1, Retried: 2}, stats, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "DelayedLeft" }, cmp.Ignore())); diff != "" {
		t.Errorf("stats (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]int{1, 2, 3}, attempts); diff != "" {
		t.Errorf("attempts (-want +got)\n%s", diff)
	}
	for i, least := range []time.Duration{60 * time.Millisecond, 120 * time.Millisecond} {
		if got := starts[i+1].Sub(starts[i]); got < least-5*time.Millisecond || got > least+300*time.Millisecond {
			t.Errorf("wait %d was %v, want %v", i+1, got, least)
		}
	}
	got := []string{e.hash(id, "failedReason"), e.hash(id, "atm"), e.hash(id, "ats"), e.hash(id, "stacktrace")}
	if diff := cmp.Diff([]string{"no 3 of 3", "3", "3", "[]"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRetentionOfJobAndWorker(t *testing.T) {
	onEach(t, func(e *env) {
		for range 5 {
			e.add("job", `{}`, queue.JobOptions{})
			e.add("fails", `{}`, queue.JobOptions{})
			e.add("job", `{}`, queue.JobOptions{KeepCompleted: queue.KeepNewest(0, 0)})
		}
		e.start(worker.Config{
			KeepCompleted: queue.KeepNewest(2, 0), KeepFailed: queue.KeepNewest(1, 0), Drain: true,
			Handler: worker.HandlerFunc(func(_ context.Context, job worker.Job, _ worker.Reporter) (json.RawMessage, error) {
				if job.Name == "fails" {
					return nil, errors.New("x")
				}
				return json.RawMessage(`{"a":1}`), nil
			}),
		}).wait()
		if diff := cmp.Diff(map[string]int64{"completed": 2, "failed": 1}, e.counts()); diff != "" {
			e.t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestHandlersThatMisbehave(t *testing.T) {
	onEach(t, func(e *env) {
		answers := map[string]worker.HandlerFunc{
			"panics": func(context.Context, worker.Job, worker.Reporter) (json.RawMessage, error) { panic("ouch") },
			"text": func(context.Context, worker.Job, worker.Reporter) (json.RawMessage, error) {
				return json.RawMessage(`not json`), nil
			},
			"slow": func(ctx context.Context, _ worker.Job, _ worker.Reporter) (json.RawMessage, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
			"fine": func(ctx context.Context, job worker.Job, report worker.Reporter) (json.RawMessage, error) {
				return json.RawMessage(`"ok"`), errors.Join(report.Progress(ctx, json.RawMessage(`50`)), report.Log(ctx, "a", "b"))
			},
			"nothing": succeed,
		}
		ids := map[string]string{}
		for name := range answers {
			ids[name] = e.add(name, `{}`, queue.JobOptions{})
		}
		e.start(worker.Config{
			Concurrency: 2, Timeout: 100 * time.Millisecond, Drain: true,
			Handler: worker.HandlerFunc(func(ctx context.Context, job worker.Job, report worker.Reporter) (json.RawMessage, error) {
				return answers[job.Name](ctx, job, report)
			}),
		}).wait()
		got := map[string]string{}
		for name, id := range ids {
			got[name] = e.hash(id, "failedReason") + e.hash(id, "returnvalue")
		}
		want := map[string]string{
			"panics": "panic: ouch", "text": "handler returned something that is not JSON",
			"slow": "timed out after 100ms", "fine": `"ok"`, "nothing": "null",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Errorf("(-want +got)\n%s", diff)
		}
		if trace := e.hash(ids["panics"], "stacktrace"); !strings.Contains(trace, "goroutine") {
			e.t.Errorf("stack trace of a panic: %q", trace)
		}
		if got := e.hash(ids["fine"], "progress"); got != "50" {
			e.t.Errorf("progress %q", got)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	h := worker.HandlerFunc(succeed)
	for _, cfg := range []worker.Config{
		{Handler: h},
		{Queue: e.q},
		{Queue: e.q, Handler: h, Concurrency: -1},
		{Queue: e.q, Handler: h, Lock: -1},
		{Queue: e.q, Handler: h, MaxStalled: -1},
		{Queue: e.q, Handler: h, Timeout: -1},
	} {
		if _, err := worker.New(cfg); err == nil {
			t.Errorf("took %+v", cfg)
		}
	}
}

// A worker that has more than enough to do shows as connected like any other.
func TestBusyWorkerIsSeen(t *testing.T) {
	e := onRealRedis(t)
	t.Parallel()
	e.addMany(10, queue.JobOptions{})
	release := make(chan struct{})
	r := e.start(worker.Config{Concurrency: 2, Handler: until(release)})
	e.eventually("the worker to be listed", func() bool {
		n, err := e.q.CountWorkers(e.ctx)
		e.must(err)
		return n == 1
	})
	close(release)
	r.finish()
}
