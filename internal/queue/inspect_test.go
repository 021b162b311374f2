package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

func TestCounts(t *testing.T) {
	onEach(t, func(e *env) {
		got, err := e.q.Counts(e.ctx)
		e.must(err)
		if diff := cmp.Diff(queue.Counts{}, got); diff != "" {
			e.t.Errorf("a queue that does not exist: %s", diff)
		}
		for state, n := range map[string]int{
			"wait": 3, "paused": 2, "active": 4, "prioritized": 5, "completed": 6, "failed": 7, "delayed": 8, "waiting-children": 9,
		} {
			for i := range n {
				e.fill(state, fmt.Sprintf("%s%d", state, i))
			}
		}
		e.must(e.rdb.RPush(e.ctx, e.key("wait"), "0:100", "0:0").Err())
		e.must(e.rdb.HSet(e.ctx, e.key("meta"), "paused", "").Err())
		got, err = e.q.Counts(e.ctx)
		e.must(err)
		want := queue.Counts{
			Waiting: 5, Active: 4, Prioritized: 5, Completed: 6, Failed: 7, Delayed: 8, WaitingChildren: 9, Total: 44, Paused: true,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}
	})
}

func TestCountsOfManyQueues(t *testing.T) {
	onEach(t, func(e *env) {
		const n = 503 // three rounds
		bases := make([]queue.KeyBase, n)
		want := make([]queue.Counts, n)
		pipe := e.rdb.Pipeline()
		for i := range bases {
			bases[i] = queue.KeyBase{Prefix: e.base.Prefix, Name: fmt.Sprintf("q%d", i)}
			if i == 300 {
				pipe.Set(e.ctx, bases[i].String()+":failed", "x", 0)
				want[i] = queue.Counts{Err: queue.ErrCorrupt}
				continue
			}
			for j := range i%3 + 1 {
				pipe.RPush(e.ctx, bases[i].String()+":active", j)
			}
			want[i] = queue.Counts{Active: int64(i%3 + 1), Total: int64(i%3 + 1)}
		}
		_, err := pipe.Exec(e.ctx)
		e.must(err)
		got, err := e.client.CountsOf(e.ctx, bases)
		e.must(err)
		if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
			e.t.Error(diff)
		}
	})
}

func TestCountsOfAQueueWithAWrongKey(t *testing.T) {
	onEach(t, func(e *env) {
		e.fill("wait", "1")
		e.must(e.rdb.Set(e.ctx, e.key("delayed"), "x", 0).Err())
		got, err := e.q.Counts(e.ctx)
		if !errors.Is(err, queue.ErrCorrupt) || !strings.Contains(err.Error(), e.base.String()) {
			e.t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestRates(t *testing.T) {
	onEach(t, func(e *env) {
		now := time.UnixMilli(start)
		for i, ago := range []time.Duration{-time.Second, 0, time.Second, 59999 * time.Millisecond, time.Minute, time.Hour} {
			z := redis.Z{Score: float64(now.Add(-ago).UnixMilli()), Member: fmt.Sprint(i)}
			e.must(e.rdb.ZAdd(e.ctx, e.key("completed"), z).Err())
			if i > 2 {
				e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), z).Err())
			}
		}
		got, err := e.q.Rates(e.ctx, now)
		e.must(err)
		if diff := cmp.Diff(queue.Rates{CompletedPerMinute: 3, FailedPerMinute: 1}, got); diff != "" {
			e.t.Error(diff)
		}
		e.must(e.rdb.Set(e.ctx, e.key("failed"), "x", 0).Err())
		other := queue.KeyBase{Prefix: e.base.Prefix, Name: "other"}
		both, err := e.client.RatesOf(e.ctx, []queue.KeyBase{e.base, other}, now)
		e.must(err)
		want := []queue.Rates{{Err: queue.ErrCorrupt}, {}}
		if diff := cmp.Diff(want, both, cmpopts.EquateErrors()); diff != "" {
			e.t.Error(diff)
		}
	})
}

func TestOldestWaiting(t *testing.T) {
	at := func(s int) int64 { return start + int64(s)*1000 }
	for _, test := range []struct {
		name string
		seed func(e *env)
		want time.Time // zero: none waits
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
				got, ok, err := e.q.OldestWaiting(e.ctx)
				e.must(err)
				if ok == test.want.IsZero() || !got.Equal(test.want) {
					e.t.Errorf("got %v, %v, want %v", got, ok, test.want)
				}
			})
		})
	}
}

func TestDueTimes(t *testing.T) {
	onEach(t, func(e *env) {
		ids := e.add(queue.NewJob{Opts: queue.JobOptions{Delay: time.Minute}}, queue.NewJob{},
			queue.NewJob{Opts: queue.JobOptions{Delay: time.Minute}})
		got, err := e.q.DueTimes(e.ctx, ids)
		e.must(err)
		due := time.UnixMilli(start).Add(time.Minute)
		if diff := cmp.Diff([]time.Time{due, {}, due}, got); diff != "" {
			e.t.Error(diff)
		}
	})
}
