package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// addN adds jobs without options.
func (e *env) addN(n int) {
	e.t.Helper()
	if n > 0 {
		e.add(slices.Repeat([]queue.NewJob{{Name: "n"}}, n)...)
	}
}

// The global concurrency counts the active jobs of all workers.
func TestClaimUnderAConcurrency(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			limit              string
			active, waiting, n int
			want               int
			maxed              bool
		}{
			{limit: "3", waiting: 5, n: 2, want: 2},
			{limit: "3", waiting: 5, n: 3, want: 3},
			{limit: "3", waiting: 5, n: 5, want: 3, maxed: true},
			{limit: "3", waiting: 2, n: 5, want: 2},
			{limit: "3", active: 2, waiting: 5, n: 1, want: 1},
			{limit: "3", active: 2, waiting: 5, n: 2, want: 1, maxed: true},
			{limit: "3", active: 3, waiting: 5, n: 1, want: 0, maxed: true},
			{limit: "3", active: 5, waiting: 5, n: 9, want: 0, maxed: true},
			{limit: "1", waiting: 0, n: 1, want: 0},
			{limit: "many", waiting: 5, n: 5, want: 5},
		} {
			e := e.fork()
			e.addN(c.active)
			e.claim(c.active, "x")
			e.addN(c.waiting)
			e.must(e.rdb.HSet(e.ctx, e.key("meta"), "concurrency", c.limit).Err())
			claimed := e.claimed(queue.ClaimRequest{N: c.n, Token: "t"})
			what := fmt.Sprintf("concurrency %s, %d active, %d waiting, claim of %d", c.limit, c.active, c.waiting, c.n)
			same(e, what, c.want, len(claimed.Jobs))
			same(e, what, queue.Wait{Maxed: c.maxed}, claimed.Wait)
			same(e, what, c.active+c.want, len(e.ids("active")))
			same(e, what, c.waiting-c.want, len(e.ids("wait")))
		}
	})
}

func TestClaimTogetherUnderAConcurrency(t *testing.T) {
	onEach(t, func(e *env) {
		seven := 7
		e.addN(40)
		e.must(e.q.SetConcurrency(e.ctx, &seven))
		counts := make([]int, 5)
		var wg sync.WaitGroup
		for worker := range counts {
			wg.Go(func() {
				for range 3 {
					claimed, err := e.q.Claim(e.ctx, queue.ClaimRequest{N: 3, Token: fmt.Sprint(worker), Lock: time.Minute})
					if err != nil {
						t.Error(err)
					}
					counts[worker] += len(claimed.Jobs)
				}
			})
		}
		wg.Wait()
		total := 0
		for _, n := range counts {
			total += n
		}
		same(e, "claimed", seven, total)
		same(e, "active", seven, len(e.ids("active")))
	})
}

// window checks an answer against a rate limit that holds for at most this
// long; 0 means that it must not hold.
func (e *env) window(what string, claimed queue.Claimed, jobs int, atMost time.Duration) {
	e.t.Helper()
	same(e, what+": jobs", jobs, len(claimed.Jobs))
	got := claimed.Wait.RateLimited
	if (atMost == 0) != (got == 0) || got < 0 || got > atMost {
		e.t.Errorf("%s: limited for %v, want up to %v", what, got, atMost)
	}
	claimed.Wait.RateLimited = 0
	same(e, what+": wait", queue.Wait{}, claimed.Wait)
}

// A worker's limit and the queue's own: the queue's number of jobs wins, and
// the worker's window. A window begins with its first job and nothing prolongs
// it.
func TestClaimUnderARate(t *testing.T) {
	const window = time.Minute
	limit := func(n int, d time.Duration) *queue.Limiter { return &queue.Limiter{Max: n, Duration: d} }
	onEach(t, func(e *env) {
		for _, c := range []struct {
			name          string
			worker, queue *queue.Limiter
		}{
			{"worker", limit(3, window), nil},
			{"queue", nil, limit(3, window)},
			{"both", limit(100, window), limit(3, time.Hour)},
		} {
			e := e.fork()
			e.addN(20)
			if c.queue != nil {
				e.must(e.q.SetRate(e.ctx, c.queue))
			}
			claim := func(n int) queue.Claimed {
				return e.claimed(queue.ClaimRequest{N: n, Token: "t", Limiter: c.worker})
			}
			e.window(c.name+", room left", claim(2), 2, 0)
			ttl := e.rdb.PTTL(e.ctx, e.key("limiter")).Val()
			if ttl <= window-10*time.Second || ttl > window {
				t.Errorf("%s: the window lasts %v, want %v", c.name, ttl, window)
			}
			e.must(e.rdb.PExpire(e.ctx, e.key("limiter"), window/2).Err())
			e.window(c.name+", the last of the window", claim(5), 1, window/2)
			before, seen := e.dump(), len(e.events())
			e.window(c.name+", window full", claim(5), 0, window/2)
			e.changed(before, nil)
			same(e, "counted", "3", before["limiter"])
			same(e, "events", 0, len(e.newEvents(seen)))
			e.must(e.rdb.Del(e.ctx, e.key("limiter")).Err()) // the window ends
			e.window(c.name+", all of a new window", claim(3), 3, 0)
			e.must(e.rdb.Del(e.ctx, e.key("limiter")).Err())
			e.window(c.name+", more than a new window holds", claim(100), 3, window)
		}
	})
}

// What stands in the limiter's key, by whomever it was written, and what it
// means for a worker with and without a limit.
func TestClaimWithALimiterKey(t *testing.T) {
	three := &queue.Limiter{Max: 3, Duration: time.Minute}
	onEach(t, func(e *env) {
		for _, c := range []struct {
			name, value string
			ttl         time.Duration
			limiter     *queue.Limiter
			n, want     int
			limited     time.Duration
			after       string
		}{
			{"a manual limit", "9007199254740991", 5 * time.Second, three, 2, 0, 5 * time.Second, "9007199254740991"},
			{"a manual limit that does not concern this worker", "9007199254740991", 5 * time.Second, nil, 2, 2, 0, "9007199254740991"},
			{"a key without an end limits nobody", "3", 0, three, 2, 2, 0, "5"},
			{"the count of others", "2", 5 * time.Second, three, 2, 1, 5 * time.Second, "3"},
			{"no number", "x", 0, three, 2, 2, 0, "2"},
			{"fewer jobs than the window has room for", "1", 5 * time.Second, &queue.Limiter{Max: 8, Duration: time.Minute}, 9, 5, 0, "6"},
		} {
			e := e.fork()
			e.addN(5)
			e.must(e.rdb.Set(e.ctx, e.key("limiter"), c.value, c.ttl).Err())
			e.window(c.name, e.claimed(queue.ClaimRequest{N: c.n, Token: "t", Limiter: c.limiter}), c.want, c.limited)
			same(e, c.name, c.after, e.dump()["limiter"])
		}
	})
}

// A job that must be failed without running it does not count as started.
func TestClaimDoesNotCountDeferredFailures(t *testing.T) {
	onEach(t, func(e *env) {
		e.addIDs("a", "b", "c", "d")
		e.must(e.rdb.HSet(e.ctx, e.key("b"), "defa", "late").Err())
		one := &queue.Limiter{Max: 2, Duration: time.Minute}
		claim := func(n int) queue.Claimed { return e.claimed(queue.ClaimRequest{N: n, Token: "t", Limiter: one}) }
		e.window("a and b", claim(2), 2, 0)
		same(e, "counted", "1", e.dump()["limiter"])
		e.window("c", claim(1), 1, 0)
		e.window("d", claim(1), 0, time.Minute)
	})
}

// An answer that was cut short by the rate limit must not look like that of an
// empty queue: a worker that drains the queue would leave its jobs behind.
func TestClaimCutShortIsNotEmpty(t *testing.T) {
	onEach(t, func(e *env) {
		e.addIDs("a", "b", "c")
		e.must(e.rdb.HSet(e.ctx, e.key("a"), "defa", "late").Err())
		claimed := e.claimed(queue.ClaimRequest{N: 2, Token: "t", Limiter: &queue.Limiter{Max: 1, Duration: time.Minute}})
		if len(claimed.Jobs) < 2 && claimed.Wait.Empty() {
			t.Errorf("%d of 2 jobs and %+v, an empty queue, while %q wait", len(claimed.Jobs), claimed.Wait, e.ids("wait"))
		}
	})
}

// Nor must that of a window that ends in this moment, or that somebody made endless.
func TestClaimCutShortAtTheEndOfAWindow(t *testing.T) {
	onEach(t, func(e *env) {
		e.addIDs("a", "b", "c")
		e.must(e.rdb.Set(e.ctx, e.key("limiter"), 1, 0).Err())
		claimed := e.claimed(queue.ClaimRequest{N: 2, Token: "t", Limiter: &queue.Limiter{Max: 2, Duration: time.Minute}})
		same(e, "jobs", 1, len(claimed.Jobs))
		same(e, "wait", queue.Wait{RateLimited: time.Millisecond}, claimed.Wait)
	})
}

// promotable adds a waiting job, and delayed ones of which late is not due.
func (e *env) promotable() (dump map[string]string, seen int) {
	e.t.Helper()
	delayed := func(id string, d time.Duration, priority int) queue.NewJob {
		return queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id, Delay: d, Priority: priority, LIFO: true}}
	}
	e.add(delayed("d2", 2*time.Second, 0), delayed("p", time.Second, 4), delayed("d1", time.Second, 0),
		delayed("late", 2001*time.Millisecond, 0), queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "w"}})
	return e.dump(), len(e.events())
}

// promoted is what the promotion of due jobs changes; list takes them.
func promoted(before map[string]string, list, ids string) map[string]string {
	undelayed := func(id, delay string) string {
		return strings.Replace(before[id], "delay="+delay+" ", "delay=0 ", 1)
	}
	return map[string]string{
		list: ids, "prioritized": fmt.Sprintf("p=%d", 4<<32+1), "pc": "1",
		"delayed": fmt.Sprintf("late=%d", dueScore(start+2001, 0)),
		"d1":      undelayed("d1", "1000"), "d2": undelayed("d2", "2000"), "p": undelayed("p", "1000"),
	}
}

// Delayed jobs that are due wait before anything is taken, at the back of the
// line and whatever holds the queue back.
func TestClaimPromotesDueJobs(t *testing.T) {
	next := time.UnixMilli(start + 2001)
	events := []string{"waiting jobId=p prev=delayed", "waiting jobId=d1 prev=delayed", "waiting jobId=d2 prev=delayed"}
	onEach(t, func(e *env) {
		e.now.Store(start)
		ready := e.fork()
		before, seen := ready.promotable()
		same(e, "nothing due yet", queue.Wait{NextDelayed: time.UnixMilli(start + 1000)},
			ready.claimed(queue.ClaimRequest{N: 0, Token: "t"}).Wait)
		ready.changed(before, nil)
		e.now.Store(start + 2000)
		claimed := ready.claimed(queue.ClaimRequest{N: 1, Token: "t"})
		same(e, "claimed", "w", jobIDs(claimed.Jobs))
		same(e, "wait", queue.Wait{NextDelayed: next}, claimed.Wait)
		want := promoted(before, "wait", "d2 d1")
		want["active"], want["w:lock"], want["marker"] = "w", "t", fmt.Sprintf("0=0 1=%d", start+1000)
		want["w"] = "ats=1 " + strings.Replace(before["w"], " timestamp", fmt.Sprintf(" processedOn=%d timestamp", start+2000), 1)
		ready.changed(before, want)
		same(e, "events", append(slices.Clone(events), "active jobId=w prev=waiting"), ready.newEvents(seen))
		same(e, "then", "d1 d2 p", jobIDs(ready.claim(5, "t")))
		e.now.Add(1)
		same(e, "late", "late", jobIDs(ready.claim(5, "t")))

		e.now.Store(start)
		held := map[string]func(e *env, r *queue.ClaimRequest) queue.Wait{
			"paused": func(e *env, _ *queue.ClaimRequest) queue.Wait {
				e.must(e.q.Pause(e.ctx))
				return queue.Wait{Paused: true, NextDelayed: next}
			},
			"paused by BullMQ 5": func(e *env, _ *queue.ClaimRequest) queue.Wait {
				e.setVersion(5)
				e.must(e.q.Pause(e.ctx))
				return queue.Wait{Paused: true, NextDelayed: next}
			},
			"maxed": func(e *env, _ *queue.ClaimRequest) queue.Wait {
				one := 1
				e.fill("active", "other")
				e.must(e.q.SetConcurrency(e.ctx, &one))
				return queue.Wait{Maxed: true, NextDelayed: next}
			},
		}
		for name, hold := range held {
			e := e.fork()
			e.now.Store(start)
			e.promotable()
			r := queue.ClaimRequest{N: 9, Token: "t"}
			wait := hold(e, &r)
			e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
			before, seen := e.dump(), len(e.events())
			e.now.Store(start + 2000)
			same(e, name, queue.Claimed{Dropped: []string{}, Wait: wait}, e.claimed(r))
			list := map[bool]string{true: "paused", false: "wait"}[name == "paused by BullMQ 5"]
			e.changed(before, promoted(before, list, "d2 d1 w"))
			same(e, name+": events", events, e.newEvents(seen))
		}
	})
}

// Rate limited workers promote too, and tell the one that sleeps.
func TestClaimPromotesWhileLimited(t *testing.T) {
	onEach(t, func(e *env) {
		before, seen := e.promotable()
		e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
		e.must(e.rdb.Set(e.ctx, e.key("limiter"), 1, time.Minute).Err())
		e.now.Add(2000)
		claimed := e.claimed(queue.ClaimRequest{N: 5, Token: "t", Limiter: &queue.Limiter{Max: 1, Duration: time.Minute}})
		same(e, "next delayed", time.UnixMilli(start+2001), claimed.Wait.NextDelayed)
		claimed.Wait.NextDelayed = time.Time{}
		e.window("limited", claimed, 0, time.Minute)
		want := promoted(before, "wait", "d2 d1 w")
		want["limiter"], want["marker"] = "1", "0=0"
		e.changed(before, want)
		same(e, "events", 3, len(e.newEvents(seen)))
	})
}

// One call promotes no more than a thousand jobs, and says that more are due.
func TestClaimPromotesInPages(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(slices.Repeat([]queue.NewJob{{Name: "n", Opts: queue.JobOptions{Delay: time.Second}}}, 1001)...)
		e.now.Add(time.Minute.Milliseconds())
		claimed := e.claimed(queue.ClaimRequest{N: 1, Token: "t"})
		same(e, "first", "1", jobIDs(claimed.Jobs))
		same(e, "more are due", time.UnixMilli(start+1000), claimed.Wait.NextDelayed)
		same(e, "still delayed", []string{"1001"}, e.ids("delayed"))
		same(e, "last of all", queue.Wait{}, e.claimed(queue.ClaimRequest{N: 500, Token: "t"}).Wait)
		same(e, "waiting", 500, len(e.ids("wait")))
	})
}

// A limiter of the wrong type stops claims, not the jobs.
func TestClaimWithAWrongLimiter(t *testing.T) {
	onEach(t, func(e *env) {
		e.promotable()
		e.must(e.rdb.LPush(e.ctx, e.key("limiter"), "x").Err())
		e.now.Add(2000)
		_, err := e.q.Claim(e.ctx, queue.ClaimRequest{N: 5, Token: "t", Lock: time.Minute, Limiter: &queue.Limiter{Max: 1, Duration: time.Minute}})
		// miniredis words errors inside scripts in its own way.
		if err == nil || (e.real && !errors.Is(err, queue.ErrCorrupt)) {
			t.Errorf("claim: %v, want ErrCorrupt", err)
		}
		same(e, "active", 0, len(e.ids("active")))
		same(e, "unlimited", "w d1 d2 p", jobIDs(e.claim(9, "t")))
	})
}
