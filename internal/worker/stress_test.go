package worker_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// Workers come and go under load: no job is lost, and none runs twice but those
// that a stop gave back.
func TestWorkersComeAndGo(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	done := newLedger()
	work := worker.HandlerFunc(func(ctx context.Context, job worker.Job, report worker.Reporter) (json.RawMessage, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err() // goes back
		case <-time.After(time.Duration(rand.IntN(8)) * time.Millisecond):
		}
		return done.around(succeed)(ctx, job, report)
	})
	var ids []string
	var total worker.Stats
	add := func(s worker.Stats) {
		total.Completed += s.Completed
		total.GivenBack += s.GivenBack
		total.Failed += s.Failed + s.Retried + s.LocksLost
	}
	for round := range 10 {
		ids = append(ids, e.addMany(60, queue.JobOptions{Priority: round % 2})...)
		a := e.start(worker.Config{Concurrency: 1 + round, Grace: -1, Handler: work})
		b := e.start(worker.Config{Concurrency: 4, Grace: time.Minute, Handler: work})
		pass(time.Duration(rand.IntN(40)) * time.Millisecond)
		add(a.finish())
		add(b.finish())
	}
	add(e.start(worker.Config{Concurrency: 10, Drain: true, Handler: work}).wait())
	if diff := cmp.Diff(each(ids, 1), done.times()); diff != "" {
		t.Errorf("runs (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{"completed": 600}, e.counts()); diff != "" {
		t.Errorf("counts (-want +got)\n%s", diff)
	}
	if total.Completed != 600 || total.Failed != 0 {
		t.Errorf("%+v", total)
	}
	if n := e.locks(); n != 0 || len(e.events("stalled")) != 0 {
		t.Errorf("%d locks left, stalled %v", n, e.events("stalled"))
	}
}
