package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

const (
	// wakeLimit bounds the time from a change to the start of a job by a worker that slept.
	wakeLimit = 100 * time.Millisecond
	// dueLimit bounds how late a delayed job starts.
	dueLimit = 150 * time.Millisecond
)

// nodeStarts waits for the peer's worker to start a job, and tells when it did.
func (l *line) nodeStarts(id string) time.Time {
	l.w.t.Helper()
	n := l.w.peer.waitFor("the start of job "+id, soon, func(n notice) bool {
		return n.Event == "started" && n.Queue == l.base.Name && n.JobID == id
	})
	return time.UnixMilli(n.At)
}

// weStart is nodeStarts for our worker.
func (l *line) weStart(h *hand, id string) time.Time {
	l.w.t.Helper()
	limit := time.NewTimer(soon)
	defer limit.Stop()
	for {
		select {
		case s := <-h.started:
			if s.id == id {
				return s.at
			}
		case <-limit.C:
			l.w.t.Fatalf("our worker did not start job %s", id)
		}
	}
}

// since is the time from a change to a start; the peer tells whole milliseconds.
func since(from, to time.Time) time.Duration {
	return to.Sub(from.Truncate(time.Millisecond))
}

func TestOurChangesWakeIdleNodeWorkers(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		const far = time.Hour
		l.nodeWorks(setup{Behaviors: behaviors{"fails": {Fail: 1}}})
		// try changes something when the worker sleeps, and returns how long it slept on.
		try := func(id string, change func()) time.Duration {
			l.waitIdle(1)
			from := time.Now()
			change()
			return since(from, l.nodeStarts(id))
		}
		number := 0
		next := func() string {
			number++
			return fmt.Sprint("job-", number)
		}
		for _, one := range []struct {
			what string
			opts queue.JobOptions
		}{
			{"adding", queue.JobOptions{}},
			{"adding in front", queue.JobOptions{LIFO: true}},
			{"adding with a priority", queue.JobOptions{Priority: 4}},
		} {
			quick(w.t, one.what, wakeLimit, func() time.Duration {
				one.opts.ID = next()
				return try(one.opts.ID, func() { l.weAdd(queue.NewJob{Name: "n", Opts: one.opts}) })
			})
		}
		quick(w.t, "promoting", wakeLimit, func() time.Duration {
			id := next()
			l.weAdd(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id, Delay: far}})
			return try(id, func() { l.allOf(l.q.Promote(w.ctx, []string{id})) })
		})
		quick(w.t, "retrying", wakeLimit, func() time.Duration {
			id := next()
			l.weAdd(queue.NewJob{Name: "fails", Opts: queue.JobOptions{ID: id}})
			l.nodeStarts(id)
			w.waitUntil("the failure of "+id, func() bool { return l.state(id) == "failed" })
			return try(id, func() { l.allOf(l.q.Retry(w.ctx, queue.StateFailed, []string{id}, queue.RetryOptions{})) })
		})
		quick(w.t, "resuming", wakeLimit, func() time.Duration {
			id := next()
			w.must(l.q.Pause(w.ctx))
			l.weAdd(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id}})
			return try(id, func() { w.must(l.q.Resume(w.ctx)) })
		})
		quick(w.t, "coming due", dueLimit, func() time.Duration {
			id := next()
			l.waitIdle(1)
			due := time.Now().Add(300 * time.Millisecond)
			l.weAdd(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id, Delay: 300 * time.Millisecond}})
			return since(due, l.nodeStarts(id))
		})
	})
}

func TestOurBulkWakesEveryIdleNodeWorker(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		const workers = 5
		for range workers {
			l.nodeWorks(setup{Behaviors: behaviors{"*": {Sleep: 400}}})
		}
		batch := make([]queue.NewJob, workers)
		for i := range batch {
			batch[i].Name = "n"
		}
		quick(w.t, "the last of five workers", wakeLimit, func() time.Duration {
			l.waitIdle(workers)
			from := time.Now()
			var last time.Time
			for _, id := range l.weAdd(batch...) {
				if at := l.nodeStarts(id); at.After(last) {
					last = at
				}
			}
			return since(from, last)
		})
	})
}

func TestNodesChangesWakeOurIdleWorker(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		hand := l.weWork(setup{Behaviors: behaviors{"fails": {Fail: 1}}})
		number := 0
		next := func() string {
			number++
			return fmt.Sprint("job-", number)
		}
		// The peer's own way to Redis and back is not the worker's: the time counts from the event that the change
		// has left in the stream.
		try := func(id string, change func()) time.Duration {
			l.waitIdle(1)
			change()
			at := l.weStart(hand, id)
			return since(l.lastEvent("waiting", id), at)
		}
		add := func(name string, opts args) func() time.Duration {
			return func() time.Duration {
				id := next()
				return try(id, func() {
					opts["jobId"] = id
					l.nodeAdds(args{"name": name, "opts": opts})
				})
			}
		}
		quick(w.t, "adding", wakeLimit, add("n", args{}))
		quick(w.t, "adding with a priority", wakeLimit, add("n", args{"priority": 3}))
		quick(w.t, "promoting", wakeLimit, func() time.Duration {
			id := next()
			l.nodeAdds(args{"name": "n", "opts": args{"jobId": id, "delay": 3_600_000}})
			return try(id, func() { l.call("promote", args{"jobId": id}, nil) })
		})
		quick(w.t, "retrying", wakeLimit, func() time.Duration {
			id := next()
			l.nodeAdds(args{"name": "fails", "opts": args{"jobId": id}})
			l.weStart(hand, id)
			w.waitUntil("the failure of "+id, func() bool { return l.state(id) == "failed" })
			return try(id, func() { l.call("retry", args{"jobId": id, "state": "failed"}, nil) })
		})
		quick(w.t, "coming due", dueLimit, func() time.Duration {
			id := next()
			l.waitIdle(1)
			var added jobJSON
			l.call("add", args{"name": "n", "opts": args{"jobId": id, "delay": 300}}, &added)
			return since(time.UnixMilli(added.Timestamp+300), l.weStart(hand, id))
		})
		quick(w.t, "resuming", wakeLimit, func() time.Duration {
			id := next()
			l.call("pause", nil, nil)
			l.nodeAdds(args{"name": "n", "opts": args{"jobId": id}})
			l.waitIdle(1)
			l.call("resume", nil, nil)
			return since(l.lastEvent("resumed", ""), l.weStart(hand, id))
		})
		hand.stop()
		checkInvariants(w.t, w.rdb, l.base.String())
	})
}

// lastEvent is when the newest such event was written.
func (l *line) lastEvent(kind, id string) time.Time {
	l.w.t.Helper()
	var at time.Time
	for _, e := range rawEvents(l) {
		if e.kind == kind && e.jobID == id {
			at = e.at
		}
	}
	return at
}
