package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// dedupStep is an add to a queue, by Node or by ours, under one deduplication id.
type dedupStep struct {
	dedup queue.Deduplication
	opts  queue.JobOptions
}

// plain is the step without what both must leave out.
func (s dedupStep) job(n int) queue.NewJob {
	opts, dedup := s.opts, s.dedup
	dedup.ID = "d:1"
	opts.Dedup = &dedup
	return queue.NewJob{Name: "n", Data: fmt.Appendf(nil, `{"n":%d}`, n), Opts: opts}
}

// args is the step as the peer takes it.
func (s dedupStep) args(n int) args {
	dedup := args{"id": "d:1"}
	if s.dedup.TTL > 0 {
		dedup["ttl"] = s.dedup.TTL.Milliseconds()
	}
	for name, set := range map[string]bool{
		"extend": s.dedup.Extend, "replace": s.dedup.Replace,
		"keepLastIfActive": s.dedup.KeepLastIfActive, "reschedule": s.dedup.Reschedule,
	} {
		if set {
			dedup[name] = true
		}
	}
	opts := args{"deduplication": dedup}
	if s.opts.ID != "" {
		opts["jobId"] = s.opts.ID
	}
	if s.opts.Delay > 0 {
		opts["delay"] = s.opts.Delay.Milliseconds()
	}
	if s.opts.Priority > 0 {
		opts["priority"] = s.opts.Priority
	}
	if s.opts.LIFO {
		opts["lifo"] = true
	}
	return args{"name": "n", "data": args{"n": n}, "opts": opts}
}

// add runs the step and returns the id that the adder is told.
func (s dedupStep) add(l *line, ours bool, n int) string {
	l.w.t.Helper()
	if ours {
		return l.weAdd(s.job(n))[0]
	}
	return l.nodeAdds(s.args(n))[0]
}

func dedupSeries() map[string][]dedupStep {
	day := 24 * time.Hour
	later := queue.JobOptions{Delay: time.Hour}
	longer := queue.JobOptions{Delay: 2 * time.Hour, Priority: 3}
	of := func(d queue.Deduplication, opts ...queue.JobOptions) []dedupStep {
		steps := make([]dedupStep, len(opts))
		for i := range opts {
			steps[i] = dedupStep{d, opts[i]}
		}
		return steps
	}
	now := queue.JobOptions{}
	return map[string][]dedupStep{
		"simple":               of(queue.Deduplication{}, now, now, queue.JobOptions{ID: "own"}, later),
		"simple, own ids":      of(queue.Deduplication{}, queue.JobOptions{ID: "x"}, queue.JobOptions{ID: "y"}, queue.JobOptions{ID: "x"}),
		"lifo and priority":    of(queue.Deduplication{}, queue.JobOptions{LIFO: true}, queue.JobOptions{Priority: 4}),
		"prioritized":          of(queue.Deduplication{}, queue.JobOptions{Priority: 4}, now),
		"throttle":             of(queue.Deduplication{TTL: day}, now, now),
		"throttle, extended":   of(queue.Deduplication{TTL: day, Extend: true}, now, now, later),
		"extend without ttl":   of(queue.Deduplication{Extend: true}, now, now),
		"replace":              of(queue.Deduplication{Replace: true}, later, longer, now, now),
		"replace with ttl":     of(queue.Deduplication{Replace: true, TTL: day}, later, longer, later),
		"debounce":             of(queue.Deduplication{Replace: true, TTL: day, Extend: true}, later, later, longer, queue.JobOptions{ID: "own", Delay: time.Hour}),
		"keep last of none":    of(queue.Deduplication{KeepLastIfActive: true, TTL: day, Extend: true}, now, now),
		"keep last, replaced":  of(queue.Deduplication{KeepLastIfActive: true, Replace: true, TTL: day}, later, longer),
		"replace beats moving": of(queue.Deduplication{Reschedule: true, Replace: true}, later, longer),
		"both kinds": {
			{queue.Deduplication{TTL: day}, now},
			{queue.Deduplication{}, now},
			{queue.Deduplication{Replace: true}, now},
			{queue.Deduplication{KeepLastIfActive: true}, now},
		},
	}
}

// Every form of deduplication leaves in Redis what Node leaves, and tells its
// caller the same.
func TestOurDeduplication(t *testing.T) {
	eachWorld(t, func(w *world) {
		for name, series := range dedupSeries() {
			told := map[bool][]string{}
			w.twins("dedup "+name, func(l *line, ours bool) {
				for i, step := range series {
					told[ours] = append(told[ours], step.add(l, ours, i))
				}
			})
			diff(w.t, name+": ids told", told[false], told[true])
		}
	})
}

// Only BullMQ 6 moves a delayed job, and only it notices an owner that is gone.
func TestOurDeduplicationOfBullMQ6(t *testing.T) {
	eachWorld(t, func(w *world) {
		if w.peer.major < 6 {
			return
		}
		later, longer := queue.JobOptions{Delay: time.Hour}, queue.JobOptions{Delay: 2 * time.Hour}
		moving := queue.Deduplication{Reschedule: true}
		for name, series := range map[string][]dedupStep{
			"moved":              {{moving, later}, {moving, longer}},
			"moved by none":      {{moving, later}, {moving, queue.JobOptions{}}},
			"waiting, not moved": {{moving, queue.JobOptions{}}, {moving, later}},
			"moved and extended": {
				{queue.Deduplication{Reschedule: true, TTL: time.Hour, Extend: true}, later},
				{queue.Deduplication{Reschedule: true, TTL: time.Hour, Extend: true}, longer},
			},
		} {
			w.twins("moving "+name, func(l *line, ours bool) {
				for i, step := range series {
					step.add(l, ours, i)
				}
			})
		}
		w.twins("dead owner", func(l *line, ours bool) {
			w.must(w.rdb.Set(w.ctx, l.key("de:d:1"), "gone", 0).Err())
			w.must(w.rdb.HSet(w.ctx, l.key("dn:d:1"), "name", "next").Err())
			dedupStep{}.add(l, ours, 1)
			dedupStep{}.add(l, ours, 2)
		})
		w.twins("dead owner with a time to live", func(l *line, ours bool) {
			w.must(w.rdb.Set(w.ctx, l.key("de:d:1"), "gone", time.Hour).Err())
			dedupStep{}.add(l, ours, 1)
			dedupStep{dedup: queue.Deduplication{Replace: true}}.add(l, ours, 2)
		})
	})
}

// The last one that comes while another runs follows it, whoever ends that one.
func TestOurKeepLastIfActive(t *testing.T) {
	eachWorld(t, func(w *world) {
		for _, opts := range []queue.JobOptions{
			{}, {Delay: 20 * time.Millisecond}, {Priority: 2}, {ID: "own", LIFO: true},
		} {
			for _, finishing := range []bool{false, true} {
				name := fmt.Sprintf("keep last %s %d %d, ended by ours %v", opts.ID, opts.Delay, opts.Priority, finishing)
				w.twins(name, func(l *line, ours bool) {
					last := dedupStep{queue.Deduplication{KeepLastIfActive: true, TTL: time.Hour}, queue.JobOptions{}}
					first := last.add(l, ours, 0)
					claimed, err := l.q.Claim(w.ctx, queue.ClaimRequest{N: 1, Token: "t", Lock: time.Minute})
					w.must(err)
					last.opts = opts
					for n := range 3 {
						if id := last.add(l, ours, n+1); id != first {
							w.t.Errorf("%s: told id %s, not %s", name, id, first)
						}
					}
					settled, err := l.q.Settle(w.ctx, []queue.Outcome{{Kind: queue.Complete, ID: first, Token: "t", Job: &claimed.Jobs[0]}}, queue.SettleOptions{})
					w.must(err)
					w.must(settled.Errs[0])
					hand := l.works(finishing, setup{})
					l.waitFinished(2, 0)
					hand.stop()
				})
			}
		}
	})
}

// What one side stores the other one respects.
func TestDeduplicationOfBothSides(t *testing.T) {
	eachWorld(t, func(w *world) {
		for _, d := range []queue.Deduplication{{}, {TTL: time.Hour}, {TTL: time.Hour, Extend: true}} {
			l := w.fresh()
			step := dedupStep{dedup: d}
			ours := step.add(l, true, 1)
			if id := step.add(l, false, 2); id != ours {
				w.t.Errorf("Node adds %s though ours has added %s", id, ours)
			}
			var owner string
			l.call("getDeduplicationJobId", args{"deduplicationId": "d:1"}, &owner)
			seen, left, err := l.q.DeduplicationOwner(w.ctx, "d:1")
			if err != nil || owner != ours || seen != ours || (left > 0) != (d.TTL > 0) {
				w.t.Errorf("owner: Node says %s, ours %s for %v, %v, want %s", owner, seen, left, err, ours)
			}
			removed, err := l.q.RemoveDeduplicationKey(w.ctx, "d:1")
			if !removed || err != nil {
				w.t.Errorf("remove the key: %v, %v", removed, err)
			}
			node := step.add(l, false, 3)
			if id := step.add(l, true, 4); id != node || node == ours {
				w.t.Errorf("ours adds %s though Node has added %s after %s", id, node, ours)
			}
			var again int
			l.call("removeDeduplicationKey", args{"deduplicationId": "d:1"}, &again)
			if id := step.add(l, true, 5); id == node {
				w.t.Errorf("Node's removal of the key left %s in charge", id)
			}
			checkInvariants(w.t, w.rdb, l.base.String())
		}
	})
}
