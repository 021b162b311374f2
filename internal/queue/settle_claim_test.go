package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// The next jobs come in the same step, under their own token.
func TestSettleAndClaim(t *testing.T) {
	onEach(t, func(e *env) {
		e.running(2)
		e.add(slices.Repeat([]queue.NewJob{{Name: "n"}}, 3)...)
		e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
		before, seen := e.dump(), len(e.events())
		settled, err := e.q.Settle(e.ctx, []queue.Outcome{
			{Kind: queue.Complete, ID: "1", Token: "tok"}, {Kind: queue.Complete, ID: "2", Token: "other"},
		}, queue.SettleOptions{Next: &queue.ClaimRequest{N: 2, Token: "next", Lock: time.Minute, Worker: "w"}})
		e.must(err)
		same(e, "answers", []string{"ok", "2 lock lost"}, refusals(settled.Errs))
		var claimed []string
		for _, job := range settled.Claimed.Jobs {
			claimed = append(claimed, job.ID+" "+job.Token)
		}
		same(e, "claimed", []string{"3 next", "4 next"}, claimed)
		same(e, "wait", queue.Wait{}, settled.Claimed.Wait)
		e.changed(before, map[string]string{
			"1": claimedHash("atm=1", "finishedOn=1795312800000", "returnvalue=null"), "1:lock": "",
			"completed": "1=1795312800000", "active": "4 3 2", "wait": "5", "marker": "0=0",
			"3": claimedHash("pb=w"), "3:lock": "next", "4": claimedHash("pb=w"), "4:lock": "next",
		})
		same(e, "events", []string{
			"completed jobId=1 returnvalue=null prev=active", "active jobId=3 prev=waiting", "active jobId=4 prev=waiting",
		}, e.newEvents(seen))
	})
}

// A place that is freed under a limit is nobody's until somebody is woken, unless it is taken in the same step.
func TestSettleWakesForAFreePlace(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			name                   string
			limit, active, waiting int
			priority               int
			token, want            string
		}{
			{"freed", 2, 2, 1, 0, "tok", "0=0"},
			{"freed for a prioritized job", 2, 2, 1, 3, "tok", "0=0"},
			{"still full", 1, 2, 1, 0, "tok", ""},
			{"nothing waits", 2, 2, 0, 0, "tok", ""},
			{"nothing ended", 2, 1, 1, 0, "another", ""},
			{"no limit: the marker of the last claim stands", 0, 1, 1, 0, "tok", ""},
		} {
			e := e.fork()
			first := e.running(c.active)[0].ID
			if c.limit > 0 {
				e.must(e.q.SetConcurrency(e.ctx, &c.limit))
			}
			for range c.waiting {
				e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{Priority: c.priority}})
			}
			e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
			_, err := e.q.Settle(e.ctx, []queue.Outcome{{Kind: queue.Complete, ID: first, Token: c.token}}, queue.SettleOptions{})
			e.must(err)
			same(e, c.name, c.want, e.dump()["marker"])
		}
	})
}

// A queue is drained when a claim has found nothing, now and later.
func TestSettleAndClaimNothing(t *testing.T) {
	one := 1
	limiter := &queue.Limiter{Max: 2, Duration: time.Minute}
	for _, c := range []struct {
		name    string
		ready   func(e *env)
		limiter *queue.Limiter
		want    queue.Wait
		drained bool
	}{
		{"empty", func(*env) {}, nil, queue.Wait{}, true},
		{"delayed", func(e *env) { e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{Delay: time.Minute}}) }, nil, queue.Wait{NextDelayed: time.UnixMilli(start + 60000)}, false},
		{"paused", func(e *env) { e.must(e.q.Pause(e.ctx)) }, nil, queue.Wait{Paused: true}, false},
		{"maxed", func(e *env) {
			e.fill("active", "x")
			e.must(e.q.SetConcurrency(e.ctx, &one))
			e.add(queue.NewJob{Name: "n"})
		}, nil, queue.Wait{Maxed: true}, false},
		{"limited", func(e *env) { e.must(e.rdb.Set(e.ctx, e.key("limiter"), 2, time.Minute).Err()) }, limiter, queue.Wait{RateLimited: time.Minute}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.running(1)
				c.ready(e)
				seen := len(e.events())
				settled, err := e.q.Settle(e.ctx, []queue.Outcome{{Kind: queue.Complete, ID: "1", Token: "tok"}},
					queue.SettleOptions{Next: &queue.ClaimRequest{N: 5, Token: "next", Lock: time.Minute, Limiter: c.limiter}})
				e.must(errors.Join(err, settled.Errs[0]))
				if left := settled.Claimed.Wait.RateLimited; left > 50*time.Second && left < time.Minute {
					settled.Claimed.Wait.RateLimited = time.Minute // Redis counts down
				}
				same(e, "claimed", queue.Claimed{Dropped: []string{}, Wait: c.want}, settled.Claimed)
				events := []string{"completed jobId=1 returnvalue=null prev=active"}
				if c.drained {
					events = append(events, "drained")
				}
				same(e, "events", events, e.newEvents(seen))
			})
		})
	}
}

// A job that goes back can be claimed again by the same call; the marker tells
// of delayed jobs only when that brought none.
func TestSettleAndClaimAgain(t *testing.T) {
	onEach(t, func(e *env) {
		for kind, want := range map[queue.OutcomeKind]string{
			queue.RetryNow: "1 atm=1 ats=2, marker 0=0", queue.GiveBack: "1 atm=0 ats=2, marker 0=0",
			queue.RetryLater: "marker 1=1795312801000", queue.Postpone: "marker 1=1795312801000", queue.Complete: "marker ",
		} {
			e := e.fork()
			e.running(1)
			settled, err := e.q.Settle(e.ctx, []queue.Outcome{{Kind: kind, ID: "1", Token: "tok", Delay: time.Second}},
				queue.SettleOptions{Next: &queue.ClaimRequest{N: 1, Token: "next", Lock: time.Minute}})
			e.must(errors.Join(err, settled.Errs[0]))
			got := ""
			for _, job := range settled.Claimed.Jobs {
				got = fmt.Sprintf("%s atm=%d ats=%d, ", job.ID, job.AttemptsMade, job.AttemptsStarted)
			}
			after := e.dump()
			same(e, string(rune(kind)), want, got+"marker "+after["marker"])
			if len(settled.Claimed.Jobs) > 0 {
				same(e, "lock and list", "next 1", after["1:lock"]+" "+after["active"])
			}
			if kind != queue.Postpone {
				continue
			}
			e.add(queue.NewJob{Name: "n"}, queue.NewJob{Name: "n"})
			e.claim(1, "tok")
			e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
			_, err = e.q.Settle(e.ctx, []queue.Outcome{{Kind: kind, ID: "2", Token: "tok", Delay: time.Second}},
				queue.SettleOptions{Next: &queue.ClaimRequest{N: 1, Token: "next", Lock: time.Minute}})
			e.must(err)
			same(e, "marker after a claim that brought a job", "0=0", e.dump()["marker"])
		}
	})
}
