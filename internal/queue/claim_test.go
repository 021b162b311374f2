package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// claimed claims as the request says, for a minute if it says nothing.
func (e *env) claimed(r queue.ClaimRequest) queue.Claimed {
	e.t.Helper()
	if r.Lock == 0 {
		r.Lock = time.Minute
	}
	claimed, err := e.q.Claim(e.ctx, r)
	e.must(err)
	return claimed
}

// jobIDs are the ids of jobs, in order.
func jobIDs(jobs []queue.Job) string {
	ids := make([]string, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].ID
	}
	return strings.Join(ids, " ")
}

// waiting adds a job of every kind that can be claimed. They must be
// handed out in the order l2 l1 n1 n2 p1 p5a p5b; late is not due.
func (e *env) waiting() {
	e.t.Helper()
	job := func(id string, opts queue.JobOptions) queue.NewJob {
		opts.ID = id
		return queue.NewJob{Name: "n", Opts: opts}
	}
	e.add(job("p5a", queue.JobOptions{Priority: 5}), job("n1", queue.JobOptions{}), job("p1", queue.JobOptions{Priority: 1}),
		job("late", queue.JobOptions{Delay: time.Hour}))
	e.add(job("p5b", queue.JobOptions{Priority: 5}), job("l1", queue.JobOptions{LIFO: true}), job("n2", queue.JobOptions{}),
		job("l2", queue.JobOptions{LIFO: true}))
}

// Standard jobs come before prioritized ones, LIFO jobs before all, and how
// many are claimed at one time changes nothing of that.
func TestClaimOrder(t *testing.T) {
	onEach(t, func(e *env) {
		for _, n := range []int{1, 2, 3, 7, 8} {
			e := e.fork()
			e.waiting()
			var order []string
			for range 9 {
				jobs := e.claim(n, "t")
				if len(jobs) > n {
					t.Fatalf("claimed %d jobs, asked for %d", len(jobs), n)
				}
				if len(jobs) > 0 {
					order = append(order, jobIDs(jobs))
				}
			}
			want := []string{"l2", "l1", "n1", "n2", "p1", "p5a", "p5b"}
			same(e, fmt.Sprintf("order by %d", n), strings.Join(want, " "), strings.Join(order, " "))
			same(e, "calls that brought jobs", (7+n-1)/n, len(order))
			slices.Reverse(want)
			after := e.dump()
			same(e, "active, the newest left", strings.Join(want, " "), after["active"])
			for _, gone := range []string{"wait", "prioritized", "pc"} {
				same(e, gone, "", after[gone])
			}
		}
	})
}

// The counter that orders jobs of one priority starts again only when none of
// them waits.
func TestClaimKeepsThePriorityCounter(t *testing.T) {
	onEach(t, func(e *env) {
		prioritized := queue.NewJob{Name: "n", Opts: queue.JobOptions{Priority: 1}}
		e.add(prioritized, prioritized)
		e.claim(1, "t")
		e.add(prioritized)
		after := e.dump()
		same(e, "counter", "3", after["pc"])
		same(e, "prioritized", fmt.Sprintf("2=%d 3=%d", 1<<32+2, 1<<32+3), after["prioritized"])
		e.claim(3, "t")
		e.add(prioritized)
		same(e, "counter", "1", e.dump()["pc"])
	})
}

// fullHash writes a job with every field that a worker is told of.
func (e *env) fullHash() {
	e.t.Helper()
	e.hash("a", "name", "send", "data", `{"n": 9007199254740993}`, "opts", `{"attempts":3,"x":[1]}`, "timestamp", start-5,
		"delay", 0, "priority", 0, "atm", 1, "ats", 2, "defa", "late", "rjk", "daily", "stacktrace", `["a","b"]`,
		"deid", "d1", "parentKey", "bull:p:1", "pb", "w0", "processedOn", 7, "failedReason", "boom")
}

func TestClaimReadsAndWritesTheJob(t *testing.T) {
	onEach(t, func(e *env) {
		e.fullHash()
		e.fill("wait", "a")
		before := e.dump()
		claimed := e.claimed(queue.ClaimRequest{N: 1, Token: "tok:1", Lock: 30 * time.Second, Worker: "w 1"})
		options := queue.JobOptions{Attempts: 3, Other: rawOptions("x", "[1]")}
		same(e, "claimed", queue.Claimed{Dropped: []string{}, Jobs: []queue.Job{{
			ID: "a", Name: "send", State: queue.StateActive, Data: json.RawMessage(`{"n": 9007199254740993}`),
			Opts: json.RawMessage(`{"attempts":3,"x":[1]}`), Timestamp: time.UnixMilli(start - 5), Attempts: 3, AttemptsMade: 1,
			AttemptsStarted: 3, DeferredFailure: "late", HasDeferredFailure: true, RepeatJobKey: "daily",
			Stacktrace: []string{"a", "b"}, DeduplicationID: "d1", ParentKey: "bull:p:1", Token: "tok:1", Options: &options,
		}}}, claimed)
		hash := strings.NewReplacer("ats=2", "ats=3", "pb=w0", "pb=w 1", "processedOn=7", fmt.Sprintf("processedOn=%d", start))
		e.changed(before, map[string]string{
			"wait": "", "active": "a", "a:lock": "tok:1", "marker": "0=0", "meta": "opts.maxLenEvents=10000",
			"a": hash.Replace(before["a"]),
		})
		same(e, "events", []string{"active jobId=a prev=waiting"}, e.events())
		if ttl := e.rdb.PTTL(e.ctx, e.key("a:lock")).Val(); ttl <= 20*time.Second || ttl > 30*time.Second {
			t.Errorf("the lock lives for %v, want 30s", ttl)
		}
	})
}

// A worker without a name leaves no name.
func TestClaimWithoutAWorkerName(t *testing.T) {
	onEach(t, func(e *env) {
		e.addIDs("a", "b")
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "p", Priority: 1}})
		before, seen := e.dump(), len(e.events())
		e.now.Add(5)
		jobs := e.claim(3, "tok")
		same(e, "jobs", "a b p", jobIDs(jobs))
		started := func(id string) string {
			hash := "ats=1 " + before[id]
			return strings.Replace(hash, " timestamp=", fmt.Sprintf(" processedOn=%d timestamp=", start+5), 1)
		}
		e.changed(before, map[string]string{
			"wait": "", "active": "p b a", "a:lock": "tok", "b:lock": "tok", "p:lock": "tok",
			"a": started("a"), "b": started("b"), "p": started("p"), "prioritized": "",
			"pc": before["pc"], // nobody has found the set empty yet
		})
		same(e, "events", []string{
			"active jobId=a prev=waiting", "active jobId=b prev=waiting", "active jobId=p prev=waiting",
		}, e.newEvents(seen))
		same(e, "nothing left", queue.Claimed{Dropped: []string{}}, e.claimed(queue.ClaimRequest{N: 1, Token: "u"}))
		same(e, "counter of priorities", "", e.dump()["pc"])
	})
}

// Each claim that brings a job wakes the next worker; one that brings none
// does not, or idle workers would wake each other for ever.
func TestClaimSetsTheMarker(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			name    string
			jobs, n int
			prepare func(e *env)
			want    string
		}{
			{"nothing waits", 0, 1, func(*env) {}, ""},
			{"the last job", 1, 1, func(*env) {}, "0=0"},
			{"fewer than asked for", 1, 5, func(*env) {}, "0=0"},
			{"more wait", 3, 1, func(*env) {}, "0=0"},
			{"paused", 3, 1, func(e *env) { e.must(e.q.Pause(e.ctx)) }, ""},
			{"maxed", 3, 1, func(e *env) { one := 1; e.claim(1, "x"); e.must(e.q.SetConcurrency(e.ctx, &one)) }, ""},
			{"ghosts only", 0, 1, func(e *env) { e.fill("wait", "ghost") }, ""},
			{"delayed only", 0, 1, func(e *env) { e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{Delay: time.Hour}}) }, ""},
		} {
			e := e.fork()
			for range c.jobs {
				e.add(queue.NewJob{Name: "n"})
			}
			c.prepare(e)
			e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
			e.claimed(queue.ClaimRequest{N: c.n, Token: "t"})
			same(e, "marker: "+c.name, c.want, e.dump()["marker"])
		}
	})
}

// Nothing leaves a paused queue, whichever list its jobs are in.
func TestClaimFromAPausedQueue(t *testing.T) {
	onEach(t, func(e *env) {
		for _, version := range []int{5, 6} {
			e := e.fork()
			e.setVersion(version)
			e.waiting()
			e.must(e.q.Pause(e.ctx))
			e.add(queue.NewJob{Name: "n"})
			before, seen := e.dump(), len(e.events())
			claimed := e.claimed(queue.ClaimRequest{N: 9, Token: "t", Limiter: &queue.Limiter{Max: 5, Duration: time.Second}})
			same(e, "claimed", queue.Claimed{
				Dropped: []string{}, Wait: queue.Wait{Paused: true, NextDelayed: time.UnixMilli(start + time.Hour.Milliseconds())},
			}, claimed)
			e.changed(before, nil)
			same(e, "events", 0, len(e.newEvents(seen)))
		}
	})
}

func TestClaimAtMostMaxClaim(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(slices.Repeat([]queue.NewJob{{Name: "n"}}, 2*queue.MaxClaim+1)...)
		for _, c := range []struct{ n, want int }{{0, 0}, {-1, 0}, {queue.MaxClaim + 1, queue.MaxClaim}, {1 << 40, queue.MaxClaim}, {9, 1}, {9, 0}} {
			same(e, fmt.Sprintf("jobs of a claim of %d", c.n), c.want, len(e.claim(c.n, "t")))
		}
		same(e, "active", int64(2*queue.MaxClaim+1), e.rdb.LLen(e.ctx, e.key("active")).Val())
	})
}

// However many workers claim at one time, each job goes to one of them.
func TestClaimNeverSharesAJob(t *testing.T) {
	onEach(t, func(e *env) {
		const jobs = 200
		var want []string
		for i := range jobs {
			id := fmt.Sprintf("j%03d", i)
			want = append(want, id)
			e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id, Priority: i % 3, LIFO: i%2 == 0}})
		}
		var mu sync.Mutex
		var got []string
		var wg sync.WaitGroup
		for worker := range 5 {
			wg.Go(func() {
				for call := 0; ; call++ {
					token := fmt.Sprintf("w%d:%d", worker, call)
					claimed, err := e.q.Claim(e.ctx, queue.ClaimRequest{N: 1 + worker*3, Token: token, Lock: time.Minute})
					if err != nil {
						t.Error(err)
						return
					}
					if len(claimed.Jobs) == 0 {
						return
					}
					mu.Lock()
					for _, job := range claimed.Jobs {
						got = append(got, job.ID)
						same(e, "lock of "+job.ID, token, e.rdb.Get(e.ctx, e.key(job.ID+":lock")).Val())
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		slices.Sort(got)
		same(e, "claimed", want, got)
		same(e, "active", want, slices.Sorted(slices.Values(e.ids("active"))))
	})
}

func TestClaimWithAnEndedContext(t *testing.T) {
	onEach(t, func(e *env) {
		e.waiting()
		before := e.dump()
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		claimed, err := e.q.Claim(ctx, queue.ClaimRequest{N: 5, Token: "t", Lock: time.Minute})
		if !errors.Is(err, context.Canceled) || len(claimed.Jobs) != 0 {
			t.Errorf("claimed %q, %v; want context.Canceled", jobIDs(claimed.Jobs), err)
		}
		e.changed(before, nil)
	})
}
