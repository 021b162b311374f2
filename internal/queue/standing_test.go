package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

func TestStandingOfWaitingJobs(t *testing.T) {
	at := func(s int) int64 { return start + int64(s)*1000 }
	for _, test := range []struct {
		name string
		seed func(e *env)
		want time.Time // zero: none waits, or it cannot be told
	}{
		{"nothing", func(*env) {}, time.Time{}},
		{"next of the list, not the newest", func(e *env) {
			e.hash("1", "timestamp", at(1))
			e.hash("2", "timestamp", at(2))
			e.fill("wait", "1")
			e.fill("wait", "2")
		}, time.UnixMilli(at(1))},
		{"a paused queue of version 5", func(e *env) {
			e.hash("1", "timestamp", at(1))
			e.fill("paused", "1")
		}, time.UnixMilli(at(1))},
		{"behind markers and ids without job", func(e *env) {
			e.hash("1", "timestamp", at(1))
			for _, id := range []string{"1", "ghost", "0:5"} {
				e.must(e.rdb.RPush(e.ctx, e.key("wait"), id).Err())
			}
		}, time.UnixMilli(at(1))},
		{"the delay is no waiting", func(e *env) {
			e.hash("1", "timestamp", at(1), "opts", `{"delay":9000}`)
			e.fill("wait", "1")
		}, time.UnixMilli(at(10))},
		{"an attempt is no waiting", func(e *env) {
			e.hash("1", "timestamp", at(1), "processedOn", at(30), "opts", `{"delay":9000}`)
			e.fill("wait", "1")
		}, time.UnixMilli(at(30))},
		{"the lowest class starves", func(e *env) {
			for i, id := range []string{"top", "low1", "low2"} {
				e.hash(id, "timestamp", at(50-i))
			}
			for id, score := range map[string]float64{"top": 1<<32 + 9, "low1": 5<<32 + 1, "low2": 5<<32 + 2} {
				e.must(e.rdb.ZAdd(e.ctx, e.key("prioritized"), redis.Z{Score: score, Member: id}).Err())
			}
		}, time.UnixMilli(at(49))},
		{"unreadable times", func(e *env) {
			e.hash("1", "timestamp", "soon")
			e.fill("wait", "1")
		}, time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				test.seed(e)
				got, err := e.q.Standing(e.ctx)
				e.must(err)
				if !got.OldestWaiting.Equal(test.want) {
					e.t.Errorf("got %v, want %v", got.OldestWaiting, test.want)
				}
			})
		})
	}
}

func TestStandingOfActiveJobs(t *testing.T) {
	at := func(s int) time.Time { return time.UnixMilli(start + int64(s)*1000) }
	active := func(e *env, id string, started int, locked bool) {
		e.hash(id, "timestamp", start, "processedOn", at(started).UnixMilli())
		e.fill("active", id)
		if locked {
			e.must(e.rdb.Set(e.ctx, e.key(id+":lock"), "tok", time.Minute).Err())
		}
	}
	for _, test := range []struct {
		name string
		seed func(e *env)
		want time.Time
	}{
		{"none", func(*env) {}, time.Time{}},
		{"all are held", func(e *env) { active(e, "1", 1, true); active(e, "2", 2, true) }, time.Time{}},
		{"one is not", func(e *env) { active(e, "1", 1, true); active(e, "2", 2, false) }, at(2)},
		{"the first of several", func(e *env) { active(e, "1", 3, false); active(e, "2", 2, false) }, at(2)},
		{"behind ten that are held", func(e *env) {
			for i := range 10 {
				active(e, fmt.Sprint(i), 1, true)
			}
			active(e, "late", 2, false)
		}, time.Time{}},
		{"an id without a job", func(e *env) { e.fill("active", "ghost") }, time.Time{}},
		{"a key that is no job", func(e *env) {
			e.fill("active", "text")
			e.must(e.rdb.Set(e.ctx, e.key("text"), "x", 0).Err())
		}, time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				test.seed(e)
				got, err := e.q.Standing(e.ctx)
				e.must(err)
				if !got.Unlocked.Equal(test.want) {
					e.t.Errorf("got %v, want %v", got.Unlocked, test.want)
				}
			})
		})
	}
}

// Starts and ends show that a queue moves; what producers and operators do does
// not.
func TestStandingOfEvents(t *testing.T) {
	for _, test := range []struct {
		name   string
		events [][]any
		want   int64 // the id of the event, 0 for none
	}{
		{"none", nil, 0},
		{"adds alone", [][]any{{"event", "added", "jobId", "1"}, {"event", "waiting", "jobId", "1"}, {"event", "delayed", "jobId", "2"}}, 0},
		{"a retry by hand", [][]any{{"event", "waiting", "jobId", "1", "prev", "failed"}}, 0},
		{"a start", [][]any{{"event", "active", "jobId", "1"}, {"event", "added", "jobId", "2"}}, 1},
		{"an end", [][]any{{"event", "active", "jobId", "1"}, {"jobId", "1", "event", "completed"}}, 2},
		{"a failure", [][]any{{"event", "failed", "jobId", "1"}}, 1},
		{"a retry by backoff", [][]any{{"event", "delayed", "jobId", "1"}, {"event", "waiting", "jobId", "1", "prev", "active"}}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				for i, values := range test.events {
					e.emit(e.base, fmt.Sprint(i+1, "-0"), values...)
				}
				got, err := e.q.Standing(e.ctx)
				e.must(err)
				want := time.Time{}
				if test.want > 0 {
					want = time.UnixMilli(test.want)
				}
				if !got.Moved.Equal(want) {
					e.t.Errorf("got %v, want %v", got.Moved, want)
				}
				// Where a job is active nobody asks.
				e.fill("active", "1")
				if got, err = e.q.Standing(e.ctx); err != nil || !got.Moved.IsZero() {
					e.t.Errorf("with an active job: %v, %v", got.Moved, err)
				}
			})
		})
	}
}

func TestStandingOfARealWorker(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{}, queue.NewJob{})
		before, err := e.q.Standing(e.ctx)
		e.must(err)
		e.finish(queue.Complete)
		after, err := e.q.Standing(e.ctx)
		e.must(err)
		if !before.Moved.IsZero() || after.Moved.IsZero() || !after.Unlocked.IsZero() {
			e.t.Errorf("before %+v, after %+v", before, after)
		}
	})
}
