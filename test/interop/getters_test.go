package interop

import (
	"strconv"
	"testing"
	"time"
)

// The numbers that tools ask for are Node's, whether the queue runs or is paused.
func TestCountsPerPriorityAreNodes(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		priorities := []int{0, 1, 2, 7, 2097151}
		for i, p := range priorities {
			for range i + 1 {
				l.nodeAdds(args{"name": "n", "data": args{}, "opts": args{"priority": p}})
			}
		}
		for _, op := range []string{"getJobCounts", "pause", "resume"} {
			l.call(op, nil, nil)
			nodes := map[string]int64{}
			l.call("getCountsPerPriority", args{"priorities": priorities}, &nodes)
			ours, err := l.q.CountsPerPriority(w.ctx, priorities)
			w.must(err)
			lag, err := l.q.Lag(w.ctx, 0)
			w.must(err)
			for i, p := range priorities {
				if n := nodes[strconv.Itoa(p)]; n != int64(i+1) || ours[i] != n || lag.Levels[i].Priority != p || lag.Levels[i].Jobs != n {
					w.t.Errorf("after %s: priority %d: %d of Node's, %d of ours, %+v", op, p, n, ours[i], lag.Levels[i])
				}
			}
		}
	})
}

// Both count the delayed jobs that are due before a moment; BullMQ since version 6.
func TestOverdueIsNodes(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		base := time.Now()
		for _, delay := range []int{60_000, 60_001, 120_000} {
			l.nodeAdds(args{"name": "n", "data": args{}, "opts": args{"delay": delay, "timestamp": base.UnixMilli()}})
		}
		for after, want := range map[time.Duration]int64{time.Minute: 0, time.Minute + time.Millisecond: 1, 2 * time.Minute: 2, time.Hour: 3} {
			at := base.Add(after)
			ours, err := l.q.DueBefore(w.ctx, at)
			w.must(err)
			nodes := want
			if w.peer.major >= 6 {
				l.call("getDelayedCount", args{"timestamp": at.UnixMilli()}, &nodes)
			}
			if ours != want || nodes != want {
				w.t.Errorf("due before %v: %d of ours, %d of Node's, want %d", after, ours, nodes, want)
			}
		}
	})
}

// A job's position is its place in the order in which Node lists, and takes, the
// jobs that wait.
func TestPositionIsTheOrderOfNode(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		for _, opts := range []args{{}, {"priority": 9}, {"lifo": true}, {"priority": 2}, {}, {"priority": 2}} {
			l.nodeAdds(args{"name": "n", "data": args{}, "opts": opts})
		}
		var order []string
		for _, state := range []string{"waiting", "prioritized"} {
			var jobs []jobJSON
			l.call("getJobs", args{"types": []string{state}, "start": 0, "end": -1, "asc": true}, &jobs)
			order = append(order, ids(jobs)...)
		}
		if len(order) != 6 {
			w.t.Fatalf("Node lists %q", order)
		}
		for i, id := range order {
			ahead, found, err := l.q.Position(w.ctx, id)
			w.must(err)
			if !found || ahead != int64(i) {
				w.t.Errorf("job %s: %d ahead, %v, want %d of %q", id, ahead, found, i, order)
			}
		}
	})
}
