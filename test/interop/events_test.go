package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// Node's QueueEvents reads of our engine and our worker what it reads of a Node worker.
func TestNodeReadsOurEvents(t *testing.T) {
	eachWorld(t, func(w *world) {
		node, ours := w.line("node", "events"), w.line("ours", "events")
		heard := map[*line]map[string][]string{}
		for _, l := range []*line{node, ours} {
			l.call("startQueueEvents", args{"events": l.base.String()}, nil)
			life := wholeLifeByNode
			if l == ours {
				life = wholeLifeByUs
			}
			life(l)
			// The last one comes when all before it have come.
			l.weAdd(queue.NewJob{Name: "last", Opts: queue.JobOptions{ID: "last"}})
			w.peer.waitFor("the last event of "+l.base.String(), soon, func(n notice) bool {
				return n.Events == l.base.String() && n.JobID == "last" && n.Type == "waiting"
			})
			heard[l] = l.heard()
		}
		diff(w.t, "events that Node heard", heard[node], heard[ours])
		diff(w.t, "events of Node and of ours", node.eventsOf(), ours.eventsOf())
		kinds := map[string]bool{}
		for _, e := range rawEvents(ours) {
			kinds[e.kind] = true
		}
		for _, kind := range []string{
			"added", "waiting", "active", "progress", "completed", "failed", "delayed", "retries-exhausted",
			"stalled", "drained", "paused", "resumed", "removed", "cleaned", "duplicated",
		} {
			if !kinds[kind] {
				w.t.Errorf("the life had no %s", kind)
			}
		}
		checkInvariants(w.t, w.rdb, ours.base.String())
	})
}

// heard are the events that the peer has read of the queue, by job.
func (l *line) heard() map[string][]string {
	lives := map[string][]string{}
	for _, n := range l.w.peer.notices() {
		if n.Event == "queueEvent" && n.Events == l.base.String() {
			fields, err := json.Marshal(n.Fields)
			l.w.must(err)
			lives[n.JobID] = append(lives[n.JobID], n.Type+" "+l.plain(string(fields)))
		}
	}
	return lives
}

// life are the behaviors of the worker in both of the lives below, which must do the same.
var life = setup{Behaviors: behaviors{
	"talks": {Progress: []any{1, args{"x": "y"}}, Return: args{"n": 1}},
	"fails": {Fail: true, Reason: "no"},
}}

const hour = 3_600_000

func wholeLifeByNode(l *line) {
	l.call("pause", nil, nil)
	l.call("resume", nil, nil)
	l.nodeAdds(args{"name": "talks"}, args{"name": "fails", "opts": args{"attempts": 2}})
	hand := l.nodeWorks(life)
	l.waitFinished(1, 1)
	hand.stop()
	l.nodeAdds(args{"name": "fails", "opts": args{"attempts": 2, "backoff": 20}})
	hand = l.nodeWorks(life)
	l.waitFinished(1, 2)
	hand.stop()
	l.nodeAdds(
		args{"name": "talks", "opts": args{"jobId": "own", "priority": 1}}, args{"name": "talks", "opts": args{"jobId": "own"}},
		args{"name": "late", "opts": args{"jobId": "promoted", "delay": hour}},
		args{"name": "late", "opts": args{"jobId": "changed", "delay": hour}},
	)
	l.call("promote", args{"jobId": "promoted"}, nil)
	l.call("changeDelay", args{"jobId": "changed", "delay": 2 * hour}, nil)
	l.call("remove", args{"jobId": "changed"}, nil)
	l.call("retry", args{"jobId": "2", "state": "failed"}, nil)
	l.call("remove", args{"jobId": "2"}, nil)
	l.call("drain", nil, nil)
	l.call("clean", args{"grace": 0, "limit": 0, "type": "completed"}, nil)
	l.stallOnce()
	hand = l.nodeWorks(setup{StalledInterval: 200})
	l.waitFinished(1, 1)
	hand.stop()
}

func wholeLifeByUs(l *line) {
	w := l.w
	late := queue.JobOptions{ID: "promoted", Delay: time.Hour}
	w.must(l.q.Pause(w.ctx))
	w.must(l.q.Resume(w.ctx))
	l.weAdd(queue.NewJob{Name: "talks"}, queue.NewJob{Name: "fails", Opts: queue.JobOptions{Attempts: 2}})
	hand := l.weWork(life)
	l.waitFinished(1, 1)
	hand.stop()
	backoff := &queue.Backoff{Type: "fixed", Delay: 20 * time.Millisecond}
	l.weAdd(queue.NewJob{Name: "fails", Opts: queue.JobOptions{Attempts: 2, Backoff: backoff}})
	hand = l.weWork(life)
	l.waitFinished(1, 2)
	hand.stop()
	l.weAdd(
		queue.NewJob{Name: "talks", Opts: queue.JobOptions{ID: "own", Priority: 1}},
		queue.NewJob{Name: "talks", Opts: queue.JobOptions{ID: "own"}},
		queue.NewJob{Name: "late", Opts: late},
		queue.NewJob{Name: "late", Opts: queue.JobOptions{ID: "changed", Delay: time.Hour}},
	)
	l.allOf(l.q.Promote(w.ctx, []string{"promoted"}))
	w.must(l.q.ChangeDelay(w.ctx, "changed", 2*time.Hour))
	l.allOf(l.q.Remove(w.ctx, []string{"changed"}, queue.RemoveOptions{}))
	l.allOf(l.q.Retry(w.ctx, queue.StateFailed, []string{"2"}, queue.RetryOptions{}))
	l.allOf(l.q.Remove(w.ctx, []string{"2"}, queue.RemoveOptions{}))
	_, err := l.q.Drain(w.ctx, queue.DrainOptions{})
	w.must(err)
	_, err = l.q.Clean(w.ctx, queue.CleanOptions{State: queue.StateCompleted})
	w.must(err)
	l.stallOnce()
	hand = l.weWork(setup{StalledInterval: 200})
	l.waitFinished(1, 1)
	hand.stop()
}

// stallOnce adds a job that a worker took and lost.
func (l *line) stallOnce() {
	l.w.t.Helper()
	l.weAdd(queue.NewJob{Name: "stalls", Opts: queue.JobOptions{ID: "stalls"}})
	l.loseWorker("stalls")
	l.w.must(l.w.rdb.Del(l.w.ctx, l.key("stalled-check")).Err())
}

// A producer in Node that waits for a job hears of its end from our worker.
func TestNodeWaitsForJobsThatWeFinish(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		l.nodeAdds(do("good", steps{Return: args{"n": 7}}, nil), do("bad", steps{Fail: true, Reason: "broken"}, args{"attempts": 2}))
		hand := l.weWork(setup{})
		var value map[string]int
		l.call("waitUntilFinished", args{"jobId": "1", "ttl": 20_000}, &value)
		diff(w.t, "value", map[string]int{"n": 7}, value)
		var refused *failure
		if err := w.peer.try("waitUntilFinished", l.with(args{"jobId": "2", "ttl": 20_000}), nil); !errors.As(err, &refused) {
			w.t.Fatalf("waited for a failing job: %v", err)
		}
		diff(w.t, "reason", "broken", refused.Message)
		// And of jobs that are still to come.
		for n := range 3 {
			id := fmt.Sprint("held-", n)
			waited := make(chan error, 1)
			l.nodeAdds(do("good", steps{Sleep: 100, Return: n}, args{"jobId": id}))
			go func() { waited <- w.peer.try("waitUntilFinished", l.with(args{"jobId": id, "ttl": 20_000}), nil) }()
			w.must(<-waited)
		}
		hand.stop()
		checkInvariants(w.t, w.rdb, l.base.String())
	})
}

// Each side lists the other's workers.
func TestWorkersAreListedByBothSides(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		type listed struct {
			Name    string `json:"name"`
			RawName string `json:"rawname"`
		}
		nodeLists := func() map[string]int {
			var workers []listed
			l.call("getWorkers", nil, &workers)
			names := map[string]int{}
			for _, one := range workers {
				names[one.Name+" "+one.RawName]++
			}
			return names
		}
		head := queue.WorkerName(l.base, "")
		hands := []*hand{l.nodeWorks(setup{}), l.nodeWorks(setup{Name: "node"}), l.weWork(setup{}), l.weWork(setup{Name: "ours-1"})}
		l.waitIdle(len(hands))
		diff(w.t, "workers by Node", map[string]int{
			l.base.Name + " " + head: 2, l.base.Name + " " + head + ":w:node": 1, l.base.Name + " " + head + ":w:ours-1": 1,
		}, nodeLists())
		workers, err := w.client.Workers(w.ctx, []queue.KeyBase{l.base})
		w.must(err)
		names := map[string]int{}
		for _, one := range workers[l.base] {
			names[one.Name]++
		}
		diff(w.t, "workers by ours", map[string]int{"": 2, "node": 1, "ours-1": 1}, names)
		for _, one := range hands {
			one.stop()
		}
		w.waitUntil("the workers to be gone", func() bool { return len(l.workerConns()) == 0 })
		diff(w.t, "workers by Node at the end", map[string]int{}, nodeLists())
	})
}
