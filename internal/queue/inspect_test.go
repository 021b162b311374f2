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
		// Jobs that were pushed in front stand before a marker.
		e.must(e.rdb.RPush(e.ctx, e.key("wait"), "0:100", "front", "0:0").Err())
		e.must(e.rdb.RPush(e.ctx, e.key("paused"), "0:0").Err())
		e.must(e.rdb.HSet(e.ctx, e.key("meta"), "paused", "").Err())
		got, err = e.q.Counts(e.ctx)
		e.must(err)
		want := queue.Counts{
			Waiting: 6, Active: 4, Prioritized: 5, Completed: 6, Failed: 7, Delayed: 8, WaitingChildren: 9, Total: 45, Paused: true,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}
	})
}

// What holds jobs back is read as claims read it.
func TestCountsTellLimits(t *testing.T) {
	seven, none := 7, 0
	for _, test := range []struct {
		name string
		meta []any
		used string // the counter of the rate, for ten minutes
		want queue.Counts
	}{
		{"no limits", []any{"version", "x"}, "", queue.Counts{}},
		{"a concurrency", []any{"concurrency", "7"}, "", queue.Counts{Concurrency: &seven}},
		{"a concurrency of none", []any{"concurrency", "0"}, "", queue.Counts{Concurrency: &none}},
		{"a concurrency that is no number", []any{"concurrency", "few"}, "", queue.Counts{}},
		{"a rate with room", []any{"max", "3"}, "2", queue.Counts{}},
		{"a rate without room", []any{"max", "3"}, "3", queue.Counts{LimitedFor: 10 * time.Minute}},
		{"a rate of nobody", []any{"version", "x"}, "3", queue.Counts{}},
		{"stopped by a worker", []any{"max", "3"}, "9007199254740991", queue.Counts{LimitedFor: 10 * time.Minute}},
		{"a counter that is no number", []any{"max", "3"}, "many", queue.Counts{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.hash("meta", test.meta...)
				if test.used != "" {
					e.must(e.rdb.Set(e.ctx, e.key("limiter"), test.used, 10*time.Minute).Err())
				}
				got, err := e.q.Counts(e.ctx)
				e.must(err)
				got.LimitedFor = (got.LimitedFor + time.Minute - 1).Truncate(time.Minute)
				if diff := cmp.Diff(test.want, got); diff != "" {
					e.t.Error(diff)
				}
			})
		})
	}
	t.Run("a counter without an end", func(t *testing.T) {
		onEach(t, func(e *env) {
			e.hash("meta", "max", 3)
			e.must(e.rdb.Set(e.ctx, e.key("limiter"), "5", 0).Err())
			got, err := e.q.Counts(e.ctx)
			e.must(err)
			if got.LimitedFor != 0 {
				e.t.Errorf("limited for %v", got.LimitedFor)
			}
		})
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
