package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
	"github.com/qctl/qctl/internal/worker"
)

// A call whose reply, or which itself, is lost is settled by asking: each job
// runs once per attempt and each outcome is recorded once. So are the questions
// themselves lost now and then.
func TestLostCallsAreSettledByAsking(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]fate{"replies": loseReply, "requests": loseRequest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := onRealRedis(t)
			var lost atomic.Int64
			p := newProxy(t, realRedis.Addr(t), func(command []string) fate {
				switch verb := strings.ToLower(command[0]); {
				case verb == "evalsha" && rand.IntN(6) == 0, slices.Contains([]string{"mget", "lrange", "hmget"}, verb) && rand.IntN(6) == 0:
					lost.Add(1)
					return broken
				}
				return deliver
			})
			fine := e.addMany(200, queue.JobOptions{})
			again := e.addMany(50, queue.JobOptions{Attempts: 2})
			l := newLedger()
			r := e.start(worker.Config{Queue: e.via(p.addr), Concurrency: 6, Lock: time.Minute, Handler: l.around(
				func(_ context.Context, job worker.Job, _ worker.Reporter) (json.RawMessage, error) {
					if job.MaxAttempts == 2 && job.Attempt == 1 {
						return nil, errors.New("again")
					}
					return nil, nil
				})})
			// Calls that are lost in a row make the worker wait longer and longer.
			e.patiently(4*time.Minute, "all jobs", func() bool { return e.counts()["completed"] == 250 })
			stats := r.finish()
			want := each(fine, 1)
			for _, id := range again {
				want[id] = 2
			}
			if diff := cmp.Diff(want, l.times()); diff != "" {
				t.Errorf("runs (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(each(append(fine, again...), 1), e.events("completed")); diff != "" {
				t.Errorf("records (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(worker.Stats{Completed: 250, Retried: 50}, stats); diff != "" {
				t.Errorf("stats (-want +got)\n%s", diff)
			}
			if lost.Load() < 10 {
				t.Errorf("only %d calls were lost", lost.Load())
			}
			if n := e.locks(); n != 0 {
				t.Errorf("%d locks left", n)
			}
		})
	}
}

func (e *env) patiently(limit time.Duration, what string, ok func() bool) {
	e.t.Helper()
	redistest.WaitFor(e.t, limit, what, ok)
}

// Neither forgotten scripts nor killed connections lose a job or run it twice.
func TestScriptFlushAndClientKill(t *testing.T) {
	t.Parallel()
	for name, disturbance := range map[string]struct {
		every   time.Duration
		command []any
	}{
		"script flush": {20 * time.Millisecond, []any{"SCRIPT", "FLUSH"}},
		"client kill":  {100 * time.Millisecond, []any{"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			e := newEnv(t, server.Addr)
			other := server.Client()
			lines := &logs{}
			l := newLedger()
			r := e.start(worker.Config{Concurrency: 5, Log: lines.logger(), Handler: l.around(
				func(context.Context, worker.Job, worker.Reporter) (json.RawMessage, error) {
					pass(3 * time.Millisecond)
					return nil, nil
				})})
			ids := e.addMany(300, queue.JobOptions{})
			tick := time.NewTicker(disturbance.every)
			defer tick.Stop()
			for began := time.Now(); time.Since(began) < 3*time.Second; <-tick.C {
				e.must(other.Do(e.ctx, disturbance.command...).Err())
			}
			var late []string
			e.eventually("the client to be connected again", func() bool { return e.rdb.Ping(e.ctx).Err() == nil })
			late = e.addMany(50, queue.JobOptions{})
			e.eventually("all jobs", func() bool { return e.counts()["completed"] == 350 })
			r.finish()
			if diff := cmp.Diff(each(append(ids, late...), 1), l.times()); diff != "" {
				t.Errorf("runs (-want +got)\n%s", diff)
			}
			if name == "script flush" && lines.lines("level=ERROR") > 0 {
				t.Errorf("errors:\n%s", lines.text.String())
			}
			if n := lines.lines("level="); name == "client kill" && n > 400+30 {
				t.Errorf("%d log lines", n)
			}
		})
	}
}
