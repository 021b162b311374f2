package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/qctl/qctl/internal/queue"
)

// check runs a stalled check whose turn it is.
func (e *env) check(maxStalled int) queue.Recovered {
	e.t.Helper()
	e.must(e.rdb.Del(e.ctx, e.key("stalled-check")).Err())
	got, err := e.q.RecoverStalled(e.ctx, 30*time.Second, maxStalled)
	e.must(err)
	return got
}

// recovered compares what a check did, in any order of ids.
func (e *env) recovered(what string, want, got queue.Recovered) {
	e.t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.SortSlices(strings.Compare)); diff != "" {
		e.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// lose takes locks away, as if their workers had gone.
func (e *env) lose(ids ...string) {
	e.t.Helper()
	for _, id := range ids {
		e.must(e.rdb.Del(e.ctx, e.key(id+":lock")).Err())
	}
}

func TestStalledMarksThenRecovers(t *testing.T) {
	onEach(t, func(e *env) {
		e.running(2)
		e.lose("1")
		before, seen := e.dump(), len(e.events())
		e.recovered("first check", queue.Recovered{Checked: true}, e.check(1))
		e.changed(before, map[string]string{"stalled": "1 2", "stalled-check": fmt.Sprint(start)})
		same(e, "events of the first check", 0, len(e.newEvents(seen)))

		e.add(queue.NewJob{Name: "n"})
		e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
		before, seen = e.dump(), len(e.events())
		e.now.Store(start + 30000)
		e.recovered("second check", queue.Recovered{Checked: true, IDs: []string{"1"}}, e.check(1))
		e.changed(before, map[string]string{
			"1": claimedHash("stc=1"), "active": "2", "wait": "3 1", "marker": "0=0",
			"stalled": "2", "stalled-check": fmt.Sprint(start + 30000), // the locked one is a suspect again
		})
		same(e, "events", []string{"waiting jobId=1 prev=active", "stalled jobId=1"}, e.newEvents(seen))

		e.recovered("third check", queue.Recovered{Checked: true}, e.check(1))
		jobs := e.claim(1, "again")
		same(e, "claimed again, no attempt used up", "1 1 0 2", fmt.Sprintf("%s %d %d %d", jobs[0].ID, len(jobs), jobs[0].AttemptsMade, jobs[0].AttemptsStarted))
	})
}

// One worker checks per interval, on behalf of all.
func TestStalledInterval(t *testing.T) {
	onEach(t, func(e *env) {
		e.running(1)
		first, err := e.q.RecoverStalled(e.ctx, 30*time.Second, 1)
		e.must(err)
		e.recovered("the first", queue.Recovered{Checked: true}, first)
		same(e, "the key's time", true, e.rdb.PTTL(e.ctx, e.key("stalled-check")).Val() > 20*time.Second)
		e.lose("1")
		before := e.dump()
		second, err := e.q.RecoverStalled(e.ctx, 30*time.Second, 1)
		e.must(err)
		if second.Next <= 20*time.Second || second.Next > 30*time.Second {
			e.t.Errorf("the interval ends in %v", second.Next)
		}
		e.recovered("the second", queue.Recovered{Next: second.Next}, second)
		e.changed(before, nil)

		e.must(e.rdb.Set(e.ctx, e.key("stalled-check"), start, 0).Err())
		third, err := e.q.RecoverStalled(e.ctx, 30*time.Second, 1)
		e.must(err)
		e.recovered("a key without an end", queue.Recovered{}, third)
		same(e, "active", "1", e.dump()["active"])
	})
}

// A lock that was renewed since the check takes its job off the suspects; one
// that is there at the second check spares it.
func TestStalledSparesTheLiving(t *testing.T) {
	onEach(t, func(e *env) {
		e.running(4)
		e.check(1)
		e.lose("2")
		locks := e.q.Locks()
		defer func() { _ = locks.Close() }()
		lost, err := locks.Extend(e.ctx, []queue.Held{{ID: "3", Token: "tok"}}, time.Minute)
		e.must(err)
		same(e, "lost", nil, lost)
		same(e, "suspects", "1 2 4", e.dump()["stalled"])
		e.lose("3") // no suspect any more: it has an interval yet
		e.settle(queue.Outcome{Kind: queue.Complete, ID: "4", Token: "tok"})
		e.recovered("second check", queue.Recovered{Checked: true, IDs: []string{"2"}}, e.check(1))
		same(e, "active", "3 1", e.dump()["active"])
		e.recovered("third check", queue.Recovered{Checked: true, IDs: []string{"3"}}, e.check(1))
	})
}

// A job that stalls too often is given back to be failed by whoever claims it.
func TestStalledTooOften(t *testing.T) {
	for _, c := range []struct {
		most    int
		failing []bool // check after check
	}{{0, []bool{true}}, {1, []bool{false, true}}, {2, []bool{false, false, true}}} {
		t.Run(fmt.Sprint(c.most), func(t *testing.T) {
			onEach(t, func(e *env) {
				e.add(queue.NewJob{Name: "n"})
				var jobs []queue.Job
				for i, failing := range c.failing {
					jobs = e.claim(1, "tok")
					e.lose("1")
					e.check(c.most)
					want := queue.Recovered{Checked: true, IDs: []string{"1"}}
					hash := claimedHash(fmt.Sprintf("stc=%d", i+1), fmt.Sprintf("ats=%d", i+1))
					if failing {
						want.Failing = []string{"1"}
						hash = claimedHash(fmt.Sprintf("stc=%d", i+1), fmt.Sprintf("ats=%d", i+1), "defa=job stalled more than allowable limit")
					}
					e.recovered(fmt.Sprintf("stall %d", i+1), want, e.check(c.most))
					same(e, "hash", hash, e.dump()["1"])
					same(e, "deferred before", false, jobs[0].HasDeferredFailure)
				}
				jobs = e.claim(1, "last")
				same(e, "deferred", "job stalled more than allowable limit", jobs[0].DeferredFailure)
				same(e, "answers", []string{"ok"}, e.settleAll(queue.Outcome{
					Kind: queue.Fail, ID: "1", Token: "last", FailedReason: jobs[0].DeferredFailure, Job: &jobs[0], Attempts: 5,
				}))
				n := len(c.failing)
				same(e, "failed", claimedHash("atm=1", fmt.Sprintf("stc=%d", n), fmt.Sprintf("ats=%d", n+1), "finishedOn=1795312800000",
					"failedReason=job stalled more than allowable limit", "stacktrace=[]"), e.dump()["1"])
			})
		})
	}
}

// The next iteration of a schedule may not exist yet: its job is never failed
// for stalling, unless the scheduler has gone.
func TestStalledJobsOfSchedulers(t *testing.T) {
	onEach(t, func(e *env) {
		for id, spared := range map[string]bool{"hash": true, "member": true, "gone": false} {
			e := e.fork()
			e.running(1)
			e.hash("1", "rjk", id)
			e.hash("repeat:hash", "name", "n")
			e.fill("repeat", "member")
			e.lose("1")
			e.check(0)
			want := queue.Recovered{Checked: true, IDs: []string{"1"}}
			if !spared {
				want.Failing = want.IDs
			}
			e.recovered(id, want, e.check(0))
			same(e, id+": deferred", !spared, e.rdb.HExists(e.ctx, e.key("1"), "defa").Val())
		}
	})
}

// A recovered job goes in front, whatever its priority, where a new one would
// go in a paused queue too.
func TestStalledGoInFront(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			version int
			paused  bool
			list    string
			marker  string
		}{{6, false, "wait", "0=0"}, {5, false, "wait", "0=0"}, {6, true, "wait", ""}, {5, true, "paused", ""}} {
			e := e.fork()
			e.setVersion(c.version)
			e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{Priority: 3}})
			e.claim(1, "tok")
			e.add(queue.NewJob{Name: "n"}, queue.NewJob{Name: "n", Opts: queue.JobOptions{Priority: 1}})
			if c.paused {
				e.must(e.q.Pause(e.ctx))
			}
			e.lose("1")
			e.check(1)
			e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
			e.check(1)
			after := e.dump()
			same(e, c.list, "2 1", after[c.list])
			same(e, "prioritized", "3=4294967298", after["prioritized"])
			same(e, "marker", c.marker, after["marker"])
		}
	})
}

// Suspects that are no jobs leave active and harm nobody.
func TestStalledRubbish(t *testing.T) {
	onEach(t, func(e *env) {
		e.running(5)
		e.lose("1", "2", "3", "4")
		e.check(1)
		e.must(e.rdb.Del(e.ctx, e.key("1")).Err())
		e.must(e.rdb.Set(e.ctx, e.key("2"), "x", 0).Err())
		e.hash("3", "stc", "many")
		e.must(e.rdb.LRem(e.ctx, e.key("active"), 0, "4").Err()) // it has moved on
		e.must(e.rdb.SAdd(e.ctx, e.key("stalled"), "ghost").Err())
		before, seen := e.dump(), len(e.events())
		e.recovered("check", queue.Recovered{Checked: true, IDs: []string{"3"}}, e.check(1))
		e.changed(before, map[string]string{
			"active": "5", "stalled": "5", "wait": "3", "3": claimedHash("stc=1"), "qctl:corrupt": fmt.Sprintf("2=%d", start), "marker": "0=0",
		})
		same(e, "events", []string{"waiting jobId=3 prev=active", "stalled jobId=3"}, e.newEvents(seen))
	})
}

// A check of a huge queue goes in pages, of suspects to look at and of active
// jobs to mark.
func TestStalledPages(t *testing.T) {
	onEach(t, func(e *env) {
		const n = 5003 // two pages to mark, many to look at
		pipe := e.rdb.Pipeline()
		var ids []string
		for i := range n {
			id := fmt.Sprintf("j%d", i)
			if i%7 == 0 {
				pipe.Set(e.ctx, e.key(id+":lock"), "tok", 0)
			} else {
				ids = append(ids, id)
			}
			pipe.HSet(e.ctx, e.key(id), "name", "n", "stc", i%2)
			pipe.LPush(e.ctx, e.key("active"), id)
		}
		_, err := pipe.Exec(e.ctx)
		e.must(err)
		e.recovered("first check", queue.Recovered{Checked: true}, e.check(1))
		same(e, "suspects", int64(n), e.rdb.SCard(e.ctx, e.key("stalled")).Val())
		var failing []string
		for _, id := range ids {
			if strings.ContainsAny(id[len(id)-1:], "13579") { // stalled before
				failing = append(failing, id)
			}
		}
		e.recovered("second check", queue.Recovered{Checked: true, IDs: ids, Failing: failing}, e.check(1))
		same(e, "active", int64(n-len(ids)), e.rdb.LLen(e.ctx, e.key("active")).Val())
		same(e, "suspects", int64(n-len(ids)), e.rdb.SCard(e.ctx, e.key("stalled")).Val())
		waiting := e.rdb.LRange(e.ctx, e.key("wait"), 0, -1).Val()
		slices.Sort(waiting)
		slices.Sort(ids)
		same(e, "waiting", ids, waiting)
	})
}

// A queue without jobs, and one that is none.
func TestStalledNothing(t *testing.T) {
	onEach(t, func(e *env) {
		e.recovered("empty", queue.Recovered{Checked: true}, e.check(1))
		same(e, "keys", map[string]string{"stalled-check": fmt.Sprint(start), "meta": "opts.maxLenEvents=10000"}, e.dump())
		e.must(e.rdb.Set(e.ctx, e.key("active"), "x", 0).Err())
		before := e.dump()
		e.must(e.rdb.Del(e.ctx, e.key("stalled-check")).Err())
		if got, err := e.q.RecoverStalled(e.ctx, time.Minute, 1); !errors.Is(err, queue.ErrCorrupt) || got.Checked {
			e.t.Errorf("a queue of the wrong type: %v, %v, want ErrCorrupt", got, err)
		}
		e.changed(before, map[string]string{"stalled-check": ""})
	})
}
