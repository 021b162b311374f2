package worker_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
	"github.com/qctl/qctl/internal/worker"
)

func TestStopLetsJobsFinish(t *testing.T) {
	onEach(t, func(e *env) {
		ids := e.addMany(10, queue.JobOptions{})
		release := make(chan struct{})
		l := newLedger()
		r := e.start(worker.Config{Concurrency: 3, Grace: time.Minute, Handler: l.around(until(release))})
		e.eventually("three jobs to run", func() bool { return l.ran() == 3 })
		r.stop()
		pass(50 * time.Millisecond)
		close(release)
		stats := r.wait()
		if stats.Completed != 3 || stats.GivenBack != 0 || r.err != nil {
			e.t.Errorf("stats %+v, error %v", stats, r.err)
		}
		if diff := cmp.Diff(map[string]int64{"completed": 3, "wait": 7}, e.counts()); diff != "" {
			e.t.Errorf("counts (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(each(ids[:3], 1), l.times()); diff != "" {
			e.t.Errorf("runs (-want +got)\n%s", diff)
		}
	})
}

func TestStopGivesBackWhatDoesNotFinish(t *testing.T) {
	onEach(t, func(e *env) {
		standard := e.addMany(2, queue.JobOptions{Attempts: 3})
		prioritized := e.addMany(1, queue.JobOptions{Priority: 5})
		e.addMany(1, queue.JobOptions{Priority: 9})
		l := newLedger()
		const grace = 200 * time.Millisecond
		r := e.start(worker.Config{Concurrency: 3, Grace: grace, Handler: l.around(until(nil))})
		e.eventually("three jobs to run", func() bool { return l.ran() == 3 })
		at := time.Now()
		r.stop()
		stats := r.wait()
		if took := time.Since(at); took < grace || took > grace+time.Second {
			e.t.Errorf("ended after %v", took)
		}
		if diff := cmp.Diff(worker.Stats{GivenBack: 3}, stats); diff != "" || r.err != nil {
			e.t.Errorf("stats (-want +got)\n%s%v", diff, r.err)
		}
		if diff := cmp.Diff(map[string]int64{"wait": 2, "prioritized": 2}, e.counts()); diff != "" {
			e.t.Errorf("counts (-want +got)\n%s", diff)
		}
		for _, id := range append(standard, prioritized...) {
			if atm, ats := e.hash(id, "atm"), e.hash(id, "ats"); atm != "" || ats != "1" {
				e.t.Errorf("job %s: attempts made %q, started %q", id, atm, ats)
			}
		}
		first, err := e.rdb.ZRange(e.ctx, e.key("prioritized"), 0, 0).Result()
		if err != nil || !cmp.Equal(first, prioritized) {
			e.t.Errorf("first prioritized job %v, %v", first, err)
		}
		if n := e.rdb.ZScore(e.ctx, e.key("marker"), "0"); n.Err() != nil {
			e.t.Errorf("no marker for sleeping workers: %v", n.Err())
		}
		if n := e.locks(); n != 0 {
			e.t.Errorf("%d locks left", n)
		}
	})
}

func TestSecondStopCancelsNow(t *testing.T) {
	onEach(t, func(e *env) {
		e.addMany(2, queue.JobOptions{})
		l := newLedger()
		r := e.start(worker.Config{Concurrency: 2, Grace: time.Hour, Handler: l.around(until(nil))})
		e.eventually("two jobs to run", func() bool { return l.ran() == 2 })
		r.stop()
		pass(50 * time.Millisecond)
		at := time.Now()
		r.kill()
		if stats := r.wait(); stats.GivenBack != 2 || time.Since(at) > time.Second {
			e.t.Errorf("after %v: %+v", time.Since(at), stats)
		}
	})
}

// Locks are kept until the end: a job that takes its time after the cancel must
// not be run elsewhere meanwhile.
func TestLocksAreKeptWhileStopping(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	id := e.add("job", `{}`, queue.JobOptions{})
	started := make(chan struct{})
	r := e.start(worker.Config{Grace: -1, Lock: 300 * time.Millisecond, Handler: worker.HandlerFunc(
		func(ctx context.Context, _ worker.Job, _ worker.Reporter) (json.RawMessage, error) {
			close(started)
			<-ctx.Done()
			pass(900 * time.Millisecond)
			return nil, ctx.Err()
		})})
	<-started
	r.stop()
	for ended := false; !ended; {
		select {
		case <-r.done:
			ended = true
		case <-time.After(20 * time.Millisecond):
			if e.counts()["active"] == 1 && e.locks() == 0 && e.counts()["active"] == 1 {
				t.Fatal("active without a lock")
			}
		}
	}
	if stats := r.finish(); stats.GivenBack != 1 || e.hash(id, "atm") != "" {
		t.Errorf("%+v", stats)
	}
}

func TestStopWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]func(p *proxy){"refused": (*proxy).cut, "black hole": (*proxy).shut} {
		for _, idle := range []bool{false, true} {
			label := name + ", running"
			if idle {
				label = name + ", idle"
			}
			t.Run(label, func(t *testing.T) {
				t.Parallel()
				e := onRealRedis(t)
				p := newProxy(t, realRedis.Addr(t), nil)
				const grace = 300 * time.Millisecond
				l := newLedger()
				if !idle {
					e.addMany(2, queue.JobOptions{})
				}
				r := e.start(worker.Config{Queue: e.via(p.addr), Concurrency: 2, Grace: grace, Handler: l.around(until(nil))})
				if idle {
					e.sleepsOnMarker(1)
				} else {
					e.eventually("two jobs to run", func() bool { return l.ran() == 2 })
				}
				part(p)
				pass(100 * time.Millisecond)
				at := time.Now()
				r.stop()
				r.wait()
				if took := time.Since(at); took > grace+2*time.Second {
					t.Errorf("ended after %v", took)
				}
				if (r.err == nil) != idle {
					t.Errorf("error %v", r.err)
				}
			})
		}
	}
}

// Redis comes back within the grace period: nothing is lost.
func TestOutcomesWaitForRedis(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	p := newProxy(t, realRedis.Addr(t), nil)
	ids := e.addMany(4, queue.JobOptions{})
	l := newLedger()
	release := make(chan struct{})
	r := e.start(worker.Config{Queue: e.via(p.addr), Concurrency: 4, Handler: l.around(until(release))})
	e.eventually("four jobs to run", func() bool { return l.ran() == 4 })
	p.cut()
	close(release)
	r.stop()
	pass(2500 * time.Millisecond)
	p.heal(t)
	if stats := r.finish(); stats.Completed != 4 {
		t.Errorf("%+v", stats)
	}
	if diff := cmp.Diff(each(ids, 1), e.events("completed")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A worker that stops puts the marker back, so that a worker of any kind that
// sleeps on it wakes at once.
func TestStopWakesAnotherWorker(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	r := e.start(worker.Config{Handler: worker.HandlerFunc(succeed)})
	e.sleepsOnMarker(1)
	r.stop()
	woken := make(chan time.Time, 1)
	e.addMany(1, queue.JobOptions{}) // its marker may be taken by the one that stops
	r.wait()
	go func() {
		if e.rdb.BZPopMin(context.WithoutCancel(e.ctx), 10*time.Second, e.key("marker")).Err() == nil {
			woken <- time.Now()
		}
		close(woken)
	}()
	if at, ok := <-woken; e.counts()["wait"] == 1 && (!ok || time.Since(at) > time.Second) {
		t.Error("a job waits and there is no marker")
	}
}

func TestStopOnItsOwnServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := newEnv(t, server.Addr)
	l := newLedger()
	e.addMany(1, queue.JobOptions{})
	r := e.start(worker.Config{Grace: 100 * time.Millisecond, Handler: l.around(until(nil))})
	e.eventually("a job to run", func() bool { return l.ran() == 1 })
	server.Kill()
	at := time.Now()
	r.stop()
	r.wait()
	if took := time.Since(at); took > 2100*time.Millisecond || r.err == nil {
		t.Errorf("ended after %v with error %v", took, r.err)
	}
}
