package queue_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
)

// A queue that lost its meta hash, or never had one, is one of BullMQ 6 without
// settings.
func TestQueueWithoutMeta(t *testing.T) {
	onEach(t, func(e *env) {
		ids := e.add(queue.NewJob{}, queue.NewJob{Opts: queue.JobOptions{Priority: 2}}, queue.NewJob{Opts: queue.JobOptions{Delay: time.Minute}})
		e.must(e.rdb.Del(e.ctx, e.key("meta")).Err())
		exists, err := e.q.Exists(e.ctx)
		e.must(err)
		same(e, "exists", true, exists)
		counts, err := e.q.Counts(e.ctx)
		e.must(err)
		if diff := cmp.Diff(queue.Counts{Waiting: 1, Prioritized: 1, Delayed: 1, Total: 3}, counts); diff != "" {
			e.t.Error(diff)
		}
		lag, err := e.q.Lag(e.ctx, 0)
		e.must(err)
		want := []queue.Level{{Jobs: 1, Next: ids[0], Since: at(0)}, {Priority: 2, Jobs: 1, Next: ids[1], Since: at(0)}}
		if diff := cmp.Diff(want, lag.Levels); diff != "" {
			e.t.Error(diff)
		}
		errs, err := e.q.Promote(e.ctx, ids[2:])
		e.must(err)
		same(e, "promoted", []error{nil}, errs)
		ahead, found, err := e.q.Position(e.ctx, ids[2])
		e.must(err)
		if ahead != 1 || !found {
			e.t.Errorf("position: %d, %v", ahead, found)
		}
		same(e, "order of running", []string{ids[0], ids[2], ids[1]}, e.claimedIDs())
		same(e, "meta", "opts.maxLenEvents=10000", e.dump()["meta"])
	})
}

// A promotion takes the place of the marker that told an old worker to wait for
// it (wire section 4.14); one among jobs is left to whoever claims them.
func TestPromoteOverMarkers(t *testing.T) {
	for name, c := range map[string]struct {
		list, version    string
		paused           bool
		before, promoted []string
	}{
		"alone":               {"wait", "bullmq:6.7.0", false, []string{"0:1795312800000"}, []string{"1"}},
		"among jobs":          {"wait", "bullmq:6.7.0", false, []string{"a", "0:0"}, []string{"1", "a", "0:0"}},
		"paused by version 5": {"paused", "bullmq:5.81.5", true, []string{"0:0"}, []string{"1"}},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.add(queue.NewJob{Opts: queue.JobOptions{Delay: time.Minute}})
				e.hash("meta", "version", c.version)
				if c.paused {
					e.hash("meta", "paused", 1)
				}
				for _, id := range c.before {
					e.must(e.rdb.RPush(e.ctx, e.key(c.list), id).Err())
				}
				errs, err := e.q.Promote(e.ctx, []string{"1"})
				e.must(err)
				same(e, "answers", []error{nil}, errs)
				got, err := e.rdb.LRange(e.ctx, e.key(c.list), 0, -1).Result()
				e.must(err)
				same(e, c.list, c.promoted, got)
			})
		})
	}
}

// A prioritized job leaves the markers alone.
func TestPromoteOfAPrioritizedJobOverAMarker(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Opts: queue.JobOptions{Delay: time.Minute, Priority: 3}})
		e.fill("wait", "0:0")
		_, err := e.q.Promote(e.ctx, []string{"1"})
		e.must(err)
		same(e, "wait", "0:0", e.dump()["wait"])
		same(e, "order of running", []string{"1"}, e.claimedIDs())
		same(e, "wait", "", e.dump()["wait"])
	})
}
