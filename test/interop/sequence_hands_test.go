package interop

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
)

func scheduleOperations() []operation {
	return []operation{
		{name: "schedule", weight: 2, breaks: removals, node: nodeSchedules},
		{name: "unschedule", breaks: removals, node: func(p *program) error {
			return p.ask("removeJobScheduler", args{"schedulerId": one(p, "s1", "s2")}, nil)
		}},
	}
}

// nodeSchedules makes or changes a scheduler. One that has a job of the future which was promoted, and which BullMQ would
// not find in its place, is left alone: for the same time it stores the job anew beside what it was.
func nodeSchedules(p *program) error {
	id := one(p, "s1", "s2")
	if p.promotedOne(id) {
		return nil
	}
	var repeat args
	switch p.pick(6) {
	case 0:
		repeat = args{"every": 30, "limit": 2 + p.pick(3)}
	case 1:
		repeat = args{"every": hour, "offset": 1000}
	case 2:
		repeat = args{"pattern": "0 0 3 * * *", "tz": "Europe/Berlin"}
	case 3:
		repeat = args{"pattern": "* * * * * *", "limit": 2, "immediately": true}
	case 4:
		repeat = args{"every": hour, "startDate": time.Now().Add(time.Minute).UnixMilli()}
	default:
		repeat = args{"every": hour, "endDate": time.Now().Add(90 * time.Minute).UnixMilli()}
	}
	template := args{"name": "tick", "data": args{"do": steps{Fail: p.pick(2)}}, "opts": args{"attempts": 2}}
	if p.pick(3) == 0 {
		template["opts"] = args{"priority": 2, "removeOnComplete": 2}
	}
	var made *jobJSON
	err := p.ask("upsertJobScheduler", args{"schedulerId": id, "repeat": repeat, "template": template}, &made)
	if made != nil {
		p.remember(made.ID)
	}
	return err
}

// promotedOne reports whether a job of the scheduler runs, has run before its time, or waits to do so although the
// scheduler is at another one by now.
func (p *program) promotedOne(scheduler string) bool {
	rdb, ctx, now := p.w.rdb, p.w.ctx, time.Now().UnixMilli()
	active := rdb.LRange(ctx, p.key("active"), 0, -1).Val()
	finished := append(rdb.ZRange(ctx, p.key("completed"), 0, -1).Val(), rdb.ZRange(ctx, p.key("failed"), 0, -1).Val()...)
	waiting := append(rdb.LRange(ctx, p.key("wait"), 0, -1).Val(), rdb.LRange(ctx, p.key("paused"), 0, -1).Val()...)
	waiting = append(waiting, rdb.ZRange(ctx, p.key("prioritized"), 0, -1).Val()...)
	current := int64(rdb.ZScore(ctx, p.key("repeat"), scheduler).Val())
	early := func(jobs []string, ok func(due int64) bool) bool {
		return slices.ContainsFunc(jobs, func(job string) bool {
			text, ours := strings.CutPrefix(job, "repeat:"+scheduler+":")
			due, err := strconv.ParseInt(text, 10, 64)
			return ours && err == nil && ok(due)
		})
	}
	return early(active, func(int64) bool { return true }) ||
		early(finished, func(due int64) bool { return due > now }) ||
		early(waiting, func(due int64) bool { return due > now && due != current })
}

func handOperations() []operation {
	rest := func(p *program) error {
		p.rest()
		return nil
	}
	come := func(p *program) error {
		who := p.steps[p.at].by
		if h := p.hands[who]; h != nil {
			h.stop()
			delete(p.hands, who)
			p.sureFrom = p.newestEvent(p.site)
			if p.idle() {
				p.rest()
			}
			return nil
		}
		if p.idle() {
			p.look()
		}
		p.come(who)
		return nil
	}
	return []operation{
		{name: "claim", weight: 4, node: nodeClaims, ours: weClaim},
		{name: "finish", weight: 4, node: nodeEnds, ours: weEnd, breaks: removals},
		{name: "lose", node: func(p *program) error {
			return p.ask("claimJob", args{"token": "lost", "opts": args{"lockDuration": 1}}, nil)
		}, ours: func(p *program) error {
			claimed, err := p.q.Claim(p.w.ctx, queue.ClaimRequest{N: 1, Token: "lost", Lock: time.Millisecond})
			for _, job := range claimed.Jobs {
				_, err := p.q.ContinueSchedule(p.w.ctx, job, cron.NextRun)
				p.ok(err)
			}
			return p.refused(nil, err)
		}},
		{name: "recover", ours: func(p *program) error {
			_, err := p.q.RecoverStalled(p.w.ctx, time.Millisecond, p.pick(3))
			return p.refused(nil, err)
		}},
		{name: "extend", node: func(p *program) error {
			if len(p.held) == 0 {
				return nil
			}
			g := p.held[p.pick(len(p.held))]
			return p.ask("extendLock", args{"jobId": g.id, "token": g.token, "ms": 60_000}, nil)
		}},
		{name: "minutes-pass", ours: minutesPass},
		{name: "come-or-leave", node: come, ours: come},
		{name: "rest", node: rest, ours: rest},
	}
}

func (p *program) token() string {
	p.tokens++
	return fmt.Sprintf("token-%d", p.tokens)
}

func (p *program) hold(g grip) {
	p.held = append(p.held, g)
	p.remember(g.id)
}

func nodeClaims(p *program) error {
	token := p.token()
	opts := args{"lockDuration": 600_000, "metrics": args{"maxDataPoints": metricsKept}}
	if p.pick(5) == 0 {
		opts["limiter"] = args{"max": 2, "duration": 20}
	}
	var job *jobJSON
	err := p.ask("claimJob", args{"token": token, "opts": opts}, &job)
	if job != nil {
		p.hold(grip{id: job.ID, token: token})
	}
	return err
}

func weClaim(p *program) error {
	r := queue.ClaimRequest{N: 1 + p.pick(3), Token: p.token(), Lock: 10 * time.Minute, Worker: one(p, "", "hand")}
	if p.pick(5) == 0 {
		r.Limiter = &queue.Limiter{Max: 2, Duration: 20 * time.Millisecond}
	}
	claimed, err := p.q.Claim(p.w.ctx, r)
	// The counter of priorities starts again when a claim finds none.
	if p.idle() && err == nil && claimed.Wait == (queue.Wait{NextDelayed: claimed.Wait.NextDelayed}) && len(claimed.Jobs)+len(claimed.Dropped) < r.N &&
		p.w.rdb.Exists(p.w.ctx, p.key("pc")).Val() == 1 {
		p.fail("a claim found %s empty and left the counter of priorities", p.base)
	}
	for i := range claimed.Jobs {
		job := &claimed.Jobs[i]
		p.hold(grip{id: job.ID, token: r.Token, job: job})
		_, err := p.q.ContinueSchedule(p.w.ctx, *job, cron.NextRun)
		p.ok(err)
	}
	return p.refused(nil, err)
}

// letLoose chooses a job in hand.
func (p *program) letLoose() (grip, bool) {
	if len(p.held) == 0 {
		return grip{}, false
	}
	at := p.pick(len(p.held))
	g := p.held[at]
	p.held = slices.Delete(p.held, at, at+1)
	return g, true
}

func nodeEnds(p *program) error {
	g, ok := p.letLoose()
	if !ok {
		return nil
	}
	how := one(p, "complete", "complete", "fail", "fail", "giveUp", "postpone", "giveBack", "waitForChildren")
	err := p.ask("endJob", args{"jobId": g.id, "token": g.token, "how": how, "value": 7, "reason": "by hand", "ms": one(p, 0, 20, hour)}, nil)
	// What was refused, and what waits for no children, is still in hand, or nobody's.
	if err == nil && how != "waitForChildren" {
		return nil
	}
	return p.keep(g)
}

// keep holds on to a job that is still ours.
func (p *program) keep(g grip) error {
	mine, err := p.q.Mine(p.w.ctx, []queue.Held{{ID: g.id, Token: g.token}})
	p.ok(err)
	if mine[0] {
		p.held = append(p.held, g)
		return errors.New("not ended")
	}
	return nil
}

func weEnd(p *program) error {
	var outcomes []queue.Outcome
	var grips []grip
	for range 1 + p.pick(3) {
		g, ok := p.letLoose()
		if !ok {
			break
		}
		o := queue.Outcome{
			ID: g.id, Token: g.token, Job: g.job, Attempts: 2, LIFO: p.pick(4) == 0,
			Kind:  one(p, queue.Complete, queue.Complete, queue.Fail, queue.RetryNow, queue.RetryLater, queue.Postpone, queue.GiveBack),
			Delay: one(p, 20*time.Millisecond, time.Hour),
		}
		switch o.Kind {
		case queue.Complete:
			o.ReturnValue = []byte(`{"by":"hand"}`)
		case queue.Fail, queue.RetryNow, queue.RetryLater:
			o.FailedReason, o.Stacktrace = "by hand", []string{"Error: by hand"}
		case queue.Postpone, queue.GiveBack:
		}
		if o.Kind == queue.Complete || o.Kind == queue.Fail {
			o.Keep = one(p, nil, nil, queue.KeepNewest(0, 0), queue.KeepNewest(3, 0))
		}
		outcomes, grips = append(outcomes, o), append(grips, g)
	}
	opts := queue.SettleOptions{MetricsPoints: metricsKept}
	if p.pick(3) == 0 {
		opts.Next = &queue.ClaimRequest{N: 1, Token: p.token(), Lock: 10 * time.Minute}
	}
	settled, err := p.q.Settle(p.w.ctx, outcomes, opts)
	for i, err := range settled.Errs {
		if err != nil {
			_ = p.keep(grips[i])
		}
	}
	for i := range settled.Claimed.Jobs {
		job := &settled.Claimed.Jobs[i]
		p.hold(grip{id: job.ID, token: opts.Next.Token, job: job})
		_, err := p.q.ContinueSchedule(p.w.ctx, *job, cron.NextRun)
		p.ok(err)
	}
	return p.refused(settled.Errs, err)
}

// minutesPass lets the metrics believe so.
func minutesPass(p *program) error {
	for _, key := range []string{"metrics:completed", "metrics:failed"} {
		if p.w.rdb.HExists(p.w.ctx, p.key(key), "prevTS").Val() {
			p.ok(p.w.rdb.HIncrBy(p.w.ctx, p.key(key), "prevTS", -int64(1+p.pick(5))*60_000).Err())
		}
	}
	return nil
}
