package queue_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/qctl/qctl/internal/queue"
)

func TestObliterate(t *testing.T) {
	onEach(t, func(e *env) {
		others := []string{e.base.Prefix + ":qq:meta", e.base.Prefix + ":q", e.key("de:meta"), e.key("de:wait")}
		e.must(e.rdb.HSet(e.ctx, others[0], "opts.maxLenEvents", 1).Err())
		e.must(e.rdb.Set(e.ctx, others[1], "x", 0).Err())
		// A queue of its own, whose name begins with this one's.
		e.must(e.rdb.HSet(e.ctx, others[2], "opts.maxLenEvents", 1).Err())
		e.must(e.rdb.LPush(e.ctx, others[3], "1").Err())
		e.everywhere()
		e.scheduled()
		e.aged("completed", 1100)
		e.aged("wait", 100)
		e.must(e.rdb.ZAdd(e.ctx, e.key("qctl:corrupt"), zAt(1, "text")).Err())
		e.must(e.rdb.MSet(e.ctx, e.key("text"), "no job", e.key("limiter"), "1", e.key("stalled-check"), "1",
			e.key("delay"), "x", e.key("qctl:workers"), "x").Err())
		e.must(e.rdb.HSet(e.ctx, e.key("dn:lost"), "name", "n").Err())
		e.must(e.rdb.HSet(e.ctx, e.key("metrics:completed"), "count", 1).Err())
		e.must(e.rdb.LPush(e.ctx, e.key("metrics:completed:data"), 1).Err())

		_, err := e.q.Obliterate(e.ctx, queue.ObliterateOptions{})
		if !errors.Is(err, queue.ErrActiveJobs) {
			e.t.Fatalf("obliterate with active jobs: %v, want ErrActiveJobs", err)
		}
		paused, err := e.q.IsPaused(e.ctx)
		e.must(err)
		same(e, "stays paused", true, paused)

		total := 0
		n, err := e.q.Obliterate(e.ctx, queue.ObliterateOptions{Force: true, OnPage: func(n int) { total += n }})
		e.must(err)
		same(e, "removed", 7+1+1100+100+1, n)
		same(e, "removed in pages", n, total)
		keys, err := e.rdb.Keys(e.ctx, e.base.Prefix+":*").Result()
		e.must(err)
		slices.Sort(keys)
		slices.Sort(others)
		same(e, "keys left", others, keys)
	})
}

// dedup keys of the queue that nothing refers to go with it, when no queue of
// that name exists.
func TestObliterateRemovesDeduplicationKeys(t *testing.T) {
	onEach(t, func(e *env) {
		e.addIDs("a")
		e.must(e.rdb.HSet(e.ctx, e.key("a"), "deid", "meta").Err())
		e.must(e.rdb.MSet(e.ctx, e.key("de:meta"), "a", e.key("de:lost"), "1", e.key("de:*"), "2").Err())
		e.must(e.rdb.HSet(e.ctx, e.key("dn:meta"), "name", "n").Err())
		n, err := e.q.Obliterate(e.ctx, queue.ObliterateOptions{})
		e.must(err)
		same(e, "removed", 1, n)
		same(e, "keys", map[string]string{}, e.dump())
		same(e, "events", int64(0), e.rdb.Exists(e.ctx, e.key("events")).Val())
	})
}

// An obliteration that was interrupted is finished by the next one.
func TestObliterateAgain(t *testing.T) {
	onEach(t, func(e *env) {
		e.aged("completed", 1500)
		e.aged("failed", 1500)
		ctx, cancel := context.WithCancel(e.ctx)
		first, err := e.q.Obliterate(ctx, queue.ObliterateOptions{OnPage: func(n int) {
			if n > 0 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			e.t.Fatalf("%v, want context.Canceled", err)
		}
		second, err := e.q.Obliterate(e.ctx, queue.ObliterateOptions{})
		e.must(err)
		same(e, "removed", 3000, first+second)
		same(e, "keys", map[string]string{}, e.dump())

		e.addIDs("a")
		resumed := false
		_, err = e.q.Obliterate(e.ctx, queue.ObliterateOptions{OnPage: func(int) {
			if !resumed {
				resumed = true
				e.must(e.q.Resume(e.ctx))
			}
		}})
		if !errors.Is(err, queue.ErrQueueNotPaused) {
			e.t.Errorf("resumed meanwhile: %v, want ErrQueueNotPaused", err)
		}
		same(e, "wait", "a", e.dump()["wait"])
	})
}
