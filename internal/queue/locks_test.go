package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// locks opens the connection that renews locks.
func (e *env) locks() *queue.Locks {
	e.t.Helper()
	locks := e.q.Locks()
	e.t.Cleanup(func() { _ = locks.Close() })
	return locks
}

// lockLives checks for how long a job's lock lives.
func (e *env) lockLives(id string, want time.Duration) {
	e.t.Helper()
	if ttl := e.rdb.PTTL(e.ctx, e.key(id+":lock")).Val(); ttl > want || ttl < want-20*time.Second {
		e.t.Errorf("the lock of %s lives for %v, want %v", id, ttl, want)
	}
}

// oddLocks claims the jobs a to e with the token t. The locks of b to d are not
// what they were: gone, another's, and no lock at all.
func (e *env) oddLocks() []queue.Held {
	e.t.Helper()
	var held []queue.Held
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		e.addIDs(id)
		held = append(held, queue.Held{ID: id, Token: "t"})
	}
	same(e, "claimed", 5, len(e.claim(9, "t")))
	e.must(e.rdb.Del(e.ctx, e.key("b:lock"), e.key("d:lock")).Err())
	e.must(e.rdb.Set(e.ctx, e.key("c:lock"), "other", time.Minute).Err())
	e.must(e.rdb.LPush(e.ctx, e.key("d:lock"), "t").Err())
	return held
}

// A renewal prolongs what is still ours, clears it of suspicion, and touches
// nothing else; above all it makes no lock again that has gone.
func TestLocksExtend(t *testing.T) {
	onEach(t, func(e *env) {
		held := e.oddLocks()
		locks := e.locks()
		e.must(e.rdb.SAdd(e.ctx, e.key("stalled"), "a", "b", "c", "x").Err())
		before, seen := e.dump(), len(e.events())
		lost, err := locks.Extend(e.ctx, held, time.Hour)
		e.must(err)
		same(e, "lost", held[1:4], lost)
		e.changed(before, map[string]string{"stalled": "b c x"})
		e.lockLives("a", time.Hour)
		e.lockLives("e", time.Hour)
		e.lockLives("c", time.Minute)
		same(e, "events", 0, len(e.newEvents(seen)))

		lost, err = locks.Extend(e.ctx, []queue.Held{held[0], {ID: "e", Token: "T"}, {ID: "gone", Token: "t"}}, time.Minute)
		e.must(err)
		same(e, "lost", []queue.Held{{ID: "e", Token: "T"}, {ID: "gone", Token: "t"}}, lost)
		e.lockLives("a", time.Minute)
		e.lockLives("e", time.Hour)
		e.changed(before, map[string]string{"stalled": "b c x"})
	})
}

func TestLocksExtendManyAndNone(t *testing.T) {
	onEach(t, func(e *env) {
		locks := e.locks()
		lost, err := locks.Extend(e.ctx, nil, time.Hour)
		e.must(err)
		same(e, "lost of none", nil, lost)
		e.changed(nil, nil)

		e.addN(2*queue.MaxClaim + 1)
		var held []queue.Held
		for range 3 {
			for _, job := range e.claim(queue.MaxClaim, "t") {
				held = append(held, queue.Held{ID: job.ID, Token: "t"})
			}
		}
		places := []int{0, 499, 500, 999, 1000}
		var want []queue.Held
		for _, i := range places {
			want = append(want, held[i])
			e.must(e.rdb.Del(e.ctx, e.key(held[i].ID+":lock")).Err())
		}
		lost, err = locks.Extend(e.ctx, held, time.Hour)
		e.must(err)
		same(e, "lost", want, lost)
		for i, h := range held {
			if !slices.Contains(places, i) && e.rdb.PTTL(e.ctx, e.key(h.ID+":lock")).Val() <= time.Minute {
				t.Fatalf("the lock of job %d was not renewed", i+1)
			}
		}
	})
}

// A set of suspects that is none must not cost anybody the locks.
func TestLocksExtendWithWrongSuspects(t *testing.T) {
	onEach(t, func(e *env) {
		e.addIDs("a")
		e.claim(1, "t")
		e.must(e.rdb.Set(e.ctx, e.key("stalled"), "x", 0).Err())
		before := e.dump()
		lost, err := e.locks().Extend(e.ctx, []queue.Held{{ID: "a", Token: "t"}}, time.Hour)
		e.must(err)
		same(e, "lost", nil, lost)
		e.lockLives("a", time.Hour)
		e.changed(before, nil)
	})
}

// When Redis has no memory left, jobs must not lose their locks.
func TestLocksExtendWithoutMemory(t *testing.T) {
	t.Parallel()
	e := onFullRedis(t)
	e.must(e.rdb.ConfigSet(e.ctx, "maxmemory", "0").Err())
	same(e, "claimed", "a b", jobIDs(e.claim(2, "t")))
	e.must(e.rdb.SAdd(e.ctx, e.key("stalled"), "a").Err())
	e.must(e.rdb.ConfigSet(e.ctx, "maxmemory", "1").Err())
	lost, err := e.locks().Extend(e.ctx, []queue.Held{{ID: "a", Token: "t"}, {ID: "b", Token: "other"}}, time.Hour)
	e.must(err)
	same(e, "lost", []queue.Held{{ID: "b", Token: "other"}}, lost)
	e.lockLives("a", time.Hour)
	e.lockLives("b", time.Minute)
	same(e, "suspects", "", e.dump()["stalled"])
}

// An error says nothing about the locks.
func TestLocksErrors(t *testing.T) {
	onEach(t, func(e *env) {
		held := e.oddLocks()
		ended, cancel := context.WithCancel(e.ctx)
		cancel()
		locks := e.locks()
		if lost, err := locks.Extend(ended, held, time.Hour); !errors.Is(err, context.Canceled) || lost != nil {
			t.Errorf("extend with an ended context: %v, %v", lost, err)
		}
		if mine, err := e.q.Mine(ended, held); !errors.Is(err, context.Canceled) || mine != nil {
			t.Errorf("mine with an ended context: %v, %v", mine, err)
		}
		if jobs, err := e.q.Adopt(ended, "t", 5); !errors.Is(err, context.Canceled) || jobs != nil {
			t.Errorf("adopt with an ended context: %v, %v", jobs, err)
		}
		e.lockLives("a", time.Minute)
		e.must(locks.Close())
		if lost, err := locks.Extend(e.ctx, held, time.Hour); err == nil || lost != nil {
			t.Errorf("extend after close: %v, %v", lost, err)
		}
		same(e, "the queue's own connection", 5, len(e.ids("active")))
		readOnly := queue.NewClient(readOnlyConn{e.rdb}, queue.ClientOptions{ReadOnly: true}).Queue(e.base)
		if _, err := readOnly.Locks().Extend(e.ctx, held, time.Hour); !errors.Is(err, queue.ErrReadOnly) {
			t.Errorf("extend, read-only: %v", err)
		}
		for _, call := range []func() error{
			func() error { _, err := readOnly.Claim(e.ctx, queue.ClaimRequest{N: 1}); return err },
			func() error { _, err := readOnly.AddBulk(e.ctx, []queue.NewJob{{Name: "n"}}); return err },
			func() error { _, err := readOnly.Add(e.ctx, queue.NewJob{Name: "n"}); return err },
		} {
			if err := call(); !errors.Is(err, queue.ErrReadOnly) {
				t.Errorf("read-only: %v, want ErrReadOnly", err)
			}
		}
		e.lockLives("a", time.Minute)
	})
}

func TestLocksMine(t *testing.T) {
	onEach(t, func(e *env) {
		held := e.oddLocks()
		before := e.dump()
		mine, err := e.q.Mine(e.ctx, append(held, queue.Held{ID: "a", Token: "T"}, queue.Held{ID: "a", Token: "t"}, queue.Held{ID: "c", Token: "other"}))
		e.must(err)
		same(e, "mine", []bool{true, false, false, false, true, false, true, true}, mine)
		mine, err = e.q.Mine(e.ctx, nil)
		e.must(err)
		same(e, "none", []bool{}, mine)
		e.changed(before, nil)
	})
}

// A lock that has gone is nobody's, not even that of one without a token.
func TestLocksMineWithoutAToken(t *testing.T) {
	onEach(t, func(e *env) {
		e.oddLocks()
		mine, err := e.q.Mine(e.ctx, []queue.Held{{ID: "a"}, {ID: "b"}})
		e.must(err)
		same(e, "mine", []bool{false, false}, mine)
	})
}

// Adopt brings the very jobs that a claim brought, from the newest on.
func TestLocksAdopt(t *testing.T) {
	onEach(t, func(e *env) {
		e.addIDs("old")
		e.claim(1, "earlier")
		e.fullHash()
		e.fill("wait", "a")
		e.add(queue.NewJob{Name: "b", Data: []byte("{}"), Opts: queue.JobOptions{ID: "b", Attempts: 2}})
		e.hash("c", "data", "{")
		e.fill("wait", "c")
		want := e.claim(9, "t")
		same(e, "claimed", "a b c", jobIDs(want))
		e.addIDs("new")
		e.claim(1, "later")
		before, seen := e.dump(), len(e.events())
		slices.Reverse(want)
		for _, c := range []struct {
			token string
			limit int
			want  []queue.Job
		}{
			{"t", 100, want}, {"t", 4, want}, {"t", 3, want[:2]}, {"t", 1, nil}, {"T", 100, nil}, {"earlier", 4, nil},
		} {
			jobs, err := e.q.Adopt(e.ctx, c.token, c.limit)
			e.must(err)
			same(e, fmt.Sprintf("jobs of %s among %d", c.token, c.limit), c.want, jobs)
		}
		e.changed(before, nil)
		same(e, "events", 0, len(e.newEvents(seen)))
	})
}

func TestLocksAdoptOddJobs(t *testing.T) {
	onEach(t, func(e *env) {
		jobs, err := e.q.Adopt(e.ctx, "t", 9)
		e.must(err)
		same(e, "of an empty queue", nil, jobs)

		e.oddLocks()
		jobs, err = e.q.Adopt(e.ctx, "t", 9)
		e.must(err)
		same(e, "whose lock is still ours", "e a", jobIDs(jobs))

		e.must(e.rdb.Del(e.ctx, e.key("a")).Err())
		jobs, err = e.q.Adopt(e.ctx, "t", 9)
		e.must(err)
		same(e, "with one that has gone", "e a", jobIDs(jobs))
		same(e, "which cannot be run", "name: missing", jobs[1].Unrunnable)

		e.must(e.rdb.Del(e.ctx, e.key("active")).Err())
		e.must(e.rdb.Set(e.ctx, e.key("active"), "x", 0).Err())
		if jobs, err = e.q.Adopt(e.ctx, "t", 9); !errors.Is(err, queue.ErrCorrupt) || jobs != nil {
			t.Errorf("from a key that is no list: %v, %v, want ErrCorrupt", jobs, err)
		}
	})
}
