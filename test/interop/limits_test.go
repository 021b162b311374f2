package interop

import (
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// fill adds n jobs that take a moment.
func (l *line) fill(n int) {
	l.w.t.Helper()
	batch := make([]queue.NewJob, n)
	for i := range batch {
		batch[i].Name = "n"
	}
	l.weAdd(batch...)
}

// A worker of Node and one of ours together start no more jobs than the queue's limit allows, whoever set it.
func TestRateLimitIsShared(t *testing.T) {
	eachWorld(t, func(w *world) {
		const most, window = 5, 600 * time.Millisecond
		limit := &queue.Limiter{Max: most, Duration: window}
		own := map[string]int{"max": most, "duration": int(window.Milliseconds())}
		for name, c := range map[string]struct {
			set   func(l *line)
			setup setup
		}{
			"set by Node":  {func(l *line) { l.call("setGlobalRateLimit", args{"max": most, "duration": window.Milliseconds()}, nil) }, setup{}},
			"set by ours":  {func(l *line) { w.must(l.q.SetRate(w.ctx, limit)) }, setup{}},
			"of a worker":  {func(*line) {}, setup{Limiter: own}},
			"of one again": {func(l *line) { w.must(l.q.SetRate(w.ctx, limit)) }, setup{Limiter: map[string]int{"max": 100, "duration": 1}}},
		} {
			if name == "of one again" {
				c.setup.Limiter["duration"] = int(window.Milliseconds()) // the queue's max wins, the worker's window
			}
			c.setup.Concurrency = 4
			l := w.fresh()
			c.set(l)
			l.fill(3 * most)
			node, ours := l.nodeWorks(c.setup), l.weWork(c.setup)
			l.waitFinished(3*most, 0)
			var starts []time.Time
			for _, e := range rawEvents(l) {
				if e.kind == "active" {
					starts = append(starts, e.at)
				}
			}
			// Jobs wait all the time, so each window is full as soon as it begins and the next one begins with the
			// job after. The stream and the limiter read the clock at different moments of a call.
			for i := most; i < len(starts); i += most {
				if gap := starts[i].Sub(starts[i-most]); gap < window-20*time.Millisecond {
					w.t.Errorf("%s: job %d started %v after job %d", name, i, gap, i-most)
				}
			}
			if len(starts) != 3*most {
				w.t.Errorf("%s: %d starts", name, len(starts))
			}
			node.stop()
			ours.stop()
			checkInvariants(w.t, w.rdb, l.base.String())
		}
	})
}

// A queue that Node closes for a time is closed for our limited worker as well.
func TestWeObeyNodesRateLimit(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		l.fill(1)
		l.call("rateLimit", args{"ms": 500}, nil)
		from := time.Now()
		hand := l.weWork(setup{Limiter: map[string]int{"max": 3, "duration": 1000}})
		if slept := since(from, l.weStart(hand, "1")); slept < 400*time.Millisecond {
			w.t.Errorf("started after %v", slept)
		}
		l.waitFinished(1, 0)
		hand.stop()
		checkInvariants(w.t, w.rdb, l.base.String())
	})
}

// No more jobs than the queue's concurrency are active at any time, whoever set it and whoever runs them.
func TestGlobalConcurrencyIsShared(t *testing.T) {
	eachWorld(t, func(w *world) {
		const most, jobs = 3, 60
		n := most
		for _, weSet := range []bool{false, true} {
			l := w.fresh()
			if weSet {
				w.must(l.q.SetConcurrency(w.ctx, &n))
			} else {
				l.call("setGlobalConcurrency", args{"concurrency": most}, nil)
			}
			l.fill(jobs)
			busy := setup{Concurrency: 5, Behaviors: behaviors{"*": {Sleep: 5}}}
			node, ours := l.nodeWorks(busy), l.weWork(busy)
			l.waitFinished(jobs, 0)
			node.stop()
			ours.stop()
			active, peak := 0, 0
			for _, e := range rawEvents(l) {
				switch e.kind {
				case "active":
					active++
				case "completed":
					active--
				}
				peak = max(peak, active)
			}
			diff(w.t, "most active jobs", most, peak)
			checkInvariants(w.t, w.rdb, l.base.String())
		}

		// Both see it, and ours frees what was held back.
		l := w.fresh()
		one := 1
		w.must(l.q.SetConcurrency(w.ctx, &one))
		l.fill(2)
		hand := l.nodeWorks(setup{Concurrency: 2, Behaviors: behaviors{"*": {Hold: true}}})
		l.waitActive(1)
		var maxed bool
		l.call("isMaxed", nil, &maxed)
		diff(w.t, "maxed", true, maxed)
		claimed, err := l.q.Claim(w.ctx, queue.ClaimRequest{N: 5, Token: "t", Lock: time.Minute})
		w.must(err)
		diff(w.t, "claimed beyond the limit", []int{0, 1}, []int{len(claimed.Jobs), count(claimed.Wait.Maxed)})
		hand.release()
		l.waitFinished(2, 0)
		hand.stop()
	})
}

func count(set bool) int {
	if set {
		return 1
	}
	return 0
}
