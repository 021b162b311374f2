package interop

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// look holds both queues against the invariants. No worker is at work.
func (p *program) look() {
	var bad []string
	all := map[string]*contents{}
	for _, l := range p.queues {
		c, err := readContentsAfter(p.w.ctx, p.w.rdb, l.base.String(), l.events)
		p.ok(err)
		all[l.base.String()] = c
	}
	for _, l := range p.queues {
		c := all[l.base.String()]
		i := &invariants{
			contents: c, all: all, connected: func() bool { return false }, sureFrom: l.sureFrom,
			excused:  func(k known, id string) bool { return p.excuse(l, c, k, id) },
			complain: func(text string) { bad = append(bad, c.base+": "+text) },
		}
		if c.has("meta", "concurrency") {
			i.limit = max(l.bound, int(c.number("meta", "concurrency")))
		}
		for id := range c.sets["stalled"] {
			if len(c.hashes[id]) == 0 { // noted now: an id may be used again
				p.excuse(l, c, suspected, id)
			}
		}
		for _, id := range append(slices.Clone(c.lists["wait"]), c.lists["paused"]...) {
			if silent(c, id) { // noted now: the stream will show it only when the parent starts
				p.excuse(l, c, silentRelease, id)
			}
		}
		for _, id := range c.jobs() {
			if c.number(id, "delay") != 0 && (p.nodeAt || len(p.since) > 0) { // a finished job shows it when it is retried
				p.excuse(l, c, delayKept, id)
			}
		}
		i.check()
		l.bound = min(l.bound, len(c.lists["active"]))
		p.dropExcuses(l, c)
		l.events = c.events
	}
	if len(bad) > 0 {
		p.fail("not so:\n\t%s\nsince the last look Node did %v", strings.Join(bad, "\n\t"), slices.Sorted(maps.Keys(p.since)))
	}
	clear(p.since)
	p.nodeAt = false
}

// excuse lets through what Node broke since the last look, as the wire description says that it does, and what it
// broke before.
func (p *program) excuse(l *site, c *contents, k known, id string) bool {
	if l.excused[k][id] {
		return true
	}
	if !p.nodeBroke(l, c, k, id) {
		return false
	}
	if l.excused[k] == nil {
		l.excused[k] = map[string]bool{}
	}
	l.excused[k][id] = true
	return true
}

// did reports whether Node did one of these operations since the last look.
func (p *program) did(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return p.since[name] })
}

// fresh is what the newest events of a job tell.
type fresh struct {
	last     newest // how it came to wait
	stalled  bool
	promoted bool
	released bool // it waits for no children any more, with or without a word
}

func (l *site) fresh(c *contents, id string) (f fresh) {
	before := ""
	for n, e := range c.events {
		if e.Values["jobId"] != id {
			continue
		}
		kind, prev := fmt.Sprint(e.Values["event"]), fmt.Sprint(e.Values["prev"])
		if n >= len(l.events) {
			f.stalled = f.stalled || kind == "stalled"
			f.released = f.released || kind == "active" && before == "waiting-children"
			if kind == "waiting" {
				f.last = newest{kind, prev}
				f.promoted = f.promoted || prev == "delayed"
				f.released = f.released || prev == "waiting-children"
			}
		}
		before = kind
	}
	f.released = f.released || silent(c, id)
	return f
}

// nodeBroke: what it did, and the newest events of the job, must both speak for it.
func (p *program) nodeBroke(l *site, c *contents, k known, id string) bool {
	f := l.fresh(c, id)
	removes := p.did("remove", "clean", "drain", "obliterate", "finish", "remove-unprocessed", "detach", "schedule", "unschedule", "deduplicate") || p.nodeAt
	switch k {
	case delayKept:
		return f.promoted && p.did("promote-all") || f.released && removes
	case priorityInWait:
		switch f.last.prev {
		case "delayed":
			return p.did("promote-all")
		case "failed", "completed":
			return p.did("retry-all") || p.did("retry") && p.major == 5
		case "waiting-children":
			return removes
		case "active":
			return f.stalled // ours recovers as Node does: in front of everything, whatever the priority
		}
		// While the queue is paused each version looks in its own list for the job.
		return silent(c, id) && removes || len(p.peers) > 1 && p.did("change-priority") && l.wasPaused(c)
	case silentRelease:
		return removes
	case markerTaken:
		return false
	case ghost:
		// A worker of Node's runs it, and may end it.
		return p.did("drain") && (p.nodeAt || p.did("claim") || slices.Contains(append(c.lists["wait"], c.lists["paused"]...), id))
	case lost:
		return p.did("drain") && c.has(id, "rjk")
	case unmarked:
		freed := p.nodeAt || p.did("finish", "clean", "remove", "obliterate")
		return c.has("meta", "concurrency") && freed || p.did("limit") || freed && l.givenBack(c)
	case childAgain:
		return p.did("add-child")
	case nextKept:
		_, owned := c.texts["de:"+id]
		return p.did("deduplicate") && (c.ttls["de:"+id] || !owned) || p.did("free-deduplication") && !owned
	case suspected:
		return p.did("remove", "clean") && len(c.hashes[id]) == 0
	case bothLists:
		return len(p.peers) > 1 && c.paused()
	}
	return false
}

// wasPaused reports whether the queue is paused, or has been since the last look.
func (l *site) wasPaused(c *contents) bool {
	return c.paused() || slices.ContainsFunc(c.events[min(len(l.events), len(c.events)):], func(e redis.XMessage) bool {
		return e.Values["event"] == "resumed"
	})
}

// givenBack reports whether a prioritized job was active last.
func (l *site) givenBack(c *contents) bool {
	for id := range c.zsets["prioritized"] {
		if l.fresh(c, id).last.prev == "active" {
			return true
		}
	}
	return false
}

// silent reports whether a parent was released without an event.
func silent(c *contents, id string) bool {
	i := invariants{contents: c}
	return i.lastEvents()[id].kind == "waiting-children" && !slices.Contains(c.ids("waiting-children"), id)
}

// dropExcuses forgets those that no longer have a reason: what is broken anew needs a new one.
func (p *program) dropExcuses(l *site, c *contents) {
	maps.DeleteFunc(l.excused[delayKept], func(id string, _ bool) bool { return c.number(id, "delay") == 0 })
	maps.DeleteFunc(l.excused[priorityInWait], func(id string, _ bool) bool {
		return !slices.Contains(c.lists["wait"], id) && !slices.Contains(c.lists["paused"], id)
	})
	if !c.paused() {
		delete(l.excused, bothLists)
	}
	maps.DeleteFunc(l.excused[suspected], func(id string, _ bool) bool { return !c.sets["stalled"][id] })
	maps.DeleteFunc(l.excused[nextKept], func(id string, _ bool) bool { return len(c.hashes["dn:"+id]) == 0 })
	if _, ready := c.zsets["marker"]["0"]; ready {
		delete(l.excused, unmarked)
	}
}

// rest sends the workers away and looks at what is left.
func (p *program) rest() {
	for _, l := range p.queues {
		worked := len(l.hands) > 0
		for who, h := range l.hands {
			h.stop()
			delete(l.hands, who)
		}
		if worked {
			p.await("the workers of "+l.base.String()+" to be gone", func() bool {
				return !slices.ContainsFunc(l.workerConns(), func(conn string) bool { return !strings.Contains(conn, ":w:hand ") })
			})
			l.sureFrom = p.newestEvent(l)
		}
	}
	p.look()
	for _, l := range p.queues {
		p.sameCounts(l)
	}
}

func (p *program) newestEvent(l *site) string {
	entries := p.w.rdb.XRevRangeN(p.w.ctx, l.key("events"), "+", "-", 1).Val()
	if len(entries) == 0 {
		return "0-0"
	}
	return entries[0].ID
}

// sameCounts asks both sides how many jobs are where.
func (p *program) sameCounts(l *site) {
	ours := l.ourCounts()
	for _, one := range p.peers {
		var node map[string]int
		p.ok(one.try("getJobCounts", l.with(args{"types": append(slices.Sorted(maps.Keys(ours)), "paused")}), &node))
		node["waiting"] += node["paused"]
		for state, n := range ours {
			if node[state] != n {
				p.fail("%s: %d jobs are %s by Node %d, %d by ours", l.base, node[state], state, one.major, n)
			}
		}
	}
}

// expectedComplaint is what Node says of a parent that was retried while its children are not well, and of locks that
// were lost or let go by hand.
var expectedComplaint = regexp.MustCompile(`has pending dependencies|has at least one failed child|Missing lock for job|Missing key for job|is not in the active state|Lock mismatch`)

// finish lets workers of all kinds work the queues dry.
func (p *program) finish() {
	p.peer = p.peers[0]
	p.rest()
	for _, p.site = range p.queues {
		p.letGo()
		p.ok(p.q.SetConcurrency(p.w.ctx, nil))
		p.ok(p.q.SetRate(p.w.ctx, nil))
		p.ok(p.q.Resume(p.w.ctx))
	}
	for _, p.site = range p.queues {
		for _, who := range []string{"ours", "node", "other"} {
			p.come(who)
		}
	}
	for _, p.site = range p.queues {
		p.await("an empty queue "+p.base.String(), func() bool { return p.dry(p.queues[0]) && p.dry(p.queues[1]) })
	}
	p.rest()
	for _, one := range p.peers {
		for _, l := range p.queues {
			p.ok(one.try("getJobs", l.with(args{"start": 0, "end": -1}), nil))
		}
		for _, n := range one.notices() {
			if strings.HasSuffix(n.Event, "Error") && !expectedComplaint.MatchString(n.Message) {
				p.fail("Node complains: %+v", n)
			}
		}
	}
}

// letGo ends what would keep the queue from running dry: jobs in hand, and schedulers.
func (p *program) letGo() {
	for _, g := range p.held {
		o := queue.Outcome{Kind: queue.GiveBack, ID: g.id, Token: g.token}
		_, err := p.q.Settle(p.w.ctx, []queue.Outcome{o}, queue.SettleOptions{})
		p.ok(err)
	}
	p.held = nil
	for _, id := range p.w.rdb.ZRange(p.w.ctx, p.key("repeat"), 0, -1).Val() {
		_ = p.ask("removeJobScheduler", args{"schedulerId": id}, nil)
	}
}

// dry reports whether no job is left that is to run soon.
func (p *program) dry(l *site) bool {
	c, err := l.q.Counts(p.w.ctx)
	p.ok(err)
	first := p.w.rdb.ZRangeWithScores(p.w.ctx, l.key("delayed"), 0, 0).Val()
	soonDue := len(first) > 0 && first[0].Score/4096 < float64(time.Now().Add(10*time.Minute).UnixMilli())
	return c.Waiting+c.Prioritized+c.Active == 0 && !soonDue
}

// come starts a worker on the queue of the step at work.
func (p *program) come(who string) {
	if p.hands[who] != nil || who == "other" && len(p.peers) == 1 {
		return
	}
	s := setup{
		Concurrency: 2, StalledInterval: 60, LockDuration: 5000, MaxStalledCount: 5,
		Metrics: map[string]int{"maxDataPoints": metricsKept},
	}
	p.sureFrom = "9999999999999-0"
	if who == "ours" {
		p.hands[who] = p.weWork(s)
		return
	}
	by := p.peers[0]
	if who == "other" {
		by = p.peers[1]
	}
	p.hands[who] = p.nodeWorksBy(by, s)
	p.nodeAt = true
}

// streamReset forgets the events that were read: the stream is a new one.
func (l *site) streamReset() { l.events, l.sureFrom = nil, "0-0" }
