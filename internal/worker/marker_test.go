package worker_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// A worker that is sent away, whatever it was doing, leaves the marker to the
// workers that sleep: its last blocking read may have been handed it.
func TestStopLeavesTheMarker(t *testing.T) {
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			e := onRealRedis(t)
			for range 120 {
				r := e.start(worker.Config{Concurrency: 2, Handler: worker.HandlerFunc(succeed)})
				pass(rand.N(6 * time.Millisecond))
				for range 1 + rand.N(3) {
					o := queue.JobOptions{Priority: rand.N(2) * 3, Delay: time.Duration(rand.N(2)) * 5 * time.Millisecond}
					e.add("job", `{}`, o)
				}
				r.finish()
				if e.ready() > 0 && !e.marked() {
					t.Fatalf("%d jobs wait, and no worker will hear of them", e.ready())
				}
			}
		})
	}
}

// ready is how many jobs wait for a worker.
func (e *env) ready() int64 {
	e.t.Helper()
	counts, err := e.q.Counts(e.ctx)
	e.must(err)
	return counts.Waiting + counts.Prioritized
}

// marked reports whether the marker says that a job may be there.
func (e *env) marked() bool {
	e.t.Helper()
	err := e.rdb.ZScore(e.ctx, e.key("marker"), "0").Err()
	if err != nil && err != redis.Nil { //nolint:errorlint // the client returns it bare
		e.t.Fatal(err)
	}
	return err == nil
}
