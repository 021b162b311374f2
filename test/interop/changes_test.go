package interop

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// change is something that Node and our engine can both do to a queue.
type change struct {
	name    string
	prepare func(l *line)
	node    func(l *line)
	ours    func(l *line)
	// wakes says that ours wakes workers where Node lets them sleep on to their next look.
	wakes bool
	// says is an event that ours writes beside Node's.
	says string
}

// removed makes of our engine's two answers to a removal one.
func (l *line) removed(n int, err error) {
	l.w.t.Helper()
	l.w.must(err)
	if n == 0 {
		l.w.t.Errorf("nothing was removed from %s", l.base)
	}
}

func fourDelayed(l *line) {
	l.nodeAdds(
		args{"name": "a", "opts": args{"delay": 3 * hour}}, args{"name": "b", "opts": args{"delay": hour}},
		args{"name": "c", "opts": args{"delay": 2 * hour, "priority": 3}}, args{"name": "d", "opts": args{"delay": hour, "lifo": true}},
	)
}

func threeWaiting(l *line) {
	l.nodeAdds(
		args{"name": "a"}, args{"name": "b"}, args{"name": "c"}, args{"name": "d", "opts": args{"priority": 2}},
		args{"name": "e", "opts": args{"priority": 5}}, args{"name": "f", "opts": args{"priority": 5}},
	)
}

// finishedSix leaves three failed and three completed jobs. Those of the queue on which our engine acts were worked
// by Node, and the other way round.
func finishedSix(l *line) {
	l.nodeAdds(
		do("a", steps{Fail: true, Reason: "no", Progress: []any{5}, Log: []string{"row"}}, args{"attempts": 2}),
		do("b", steps{Fail: true, Sleep: 2}, nil), do("c", steps{Fail: true, Sleep: 2}, nil),
		do("d", steps{Return: 1}, nil), do("e", steps{Return: 2, Sleep: 2}, nil), do("f", steps{Return: 3, Sleep: 2}, nil),
	)
	hand := l.works(l.base.Prefix == "node", setup{Name: "ann"})
	l.waitFinished(3, 3)
	hand.stop()
}

func changesOfJobs() []change {
	return []change{
		{name: "promote", prepare: fourDelayed, node: func(l *line) {
			for _, id := range []string{"1", "3", "4"} {
				l.call("promote", args{"jobId": id}, nil)
			}
		}, ours: func(l *line) { l.allOf(l.q.Promote(l.w.ctx, []string{"1", "3", "4"})) }},
		{name: "changeDelay", prepare: fourDelayed, node: func(l *line) {
			l.call("changeDelay", args{"jobId": "2", "delay": 4 * hour}, nil)
			l.call("changeDelay", args{"jobId": "1", "delay": 5 * hour}, nil)
		}, ours: func(l *line) {
			l.w.must(l.q.ChangeDelay(l.w.ctx, "2", 4*time.Hour))
			l.w.must(l.q.ChangeDelay(l.w.ctx, "1", 5*time.Hour))
		}},
		{name: "update", prepare: threeWaiting, node: func(l *line) {
			l.call("updateData", args{"jobId": "1", "data": args{"x": []int{1}}}, nil)
			l.call("updateProgress", args{"jobId": "1", "progress": args{"p": 1}}, nil)
			for _, row := range []string{"one", "two", "three"} {
				l.call("log", args{"jobId": "2", "row": row}, nil)
				l.call("log", args{"jobId": "3", "row": row}, nil)
			}
			l.call("clearLogs", args{"jobId": "2", "keep": 2}, nil)
			l.call("clearLogs", args{"jobId": "3"}, nil)
		}, ours: func(l *line) {
			rows := []string{"one", "two", "three"}
			l.w.must(l.q.UpdateData(l.w.ctx, "1", json.RawMessage(`{"x":[1]}`)))
			l.w.must(l.q.UpdateProgress(l.w.ctx, "1", json.RawMessage(`{"p":1}`)))
			for _, id := range []string{"2", "3"} {
				_, err := l.q.AppendLogs(l.w.ctx, id, rows, 0)
				l.w.must(err)
			}
			l.w.must(l.q.ClearLogs(l.w.ctx, "2", 2))
			l.w.must(l.q.ClearLogs(l.w.ctx, "3", 0))
		}},
		{name: "remove waiting", prepare: threeWaiting, node: func(l *line) {
			for _, id := range []string{"2", "5"} {
				l.call("remove", args{"jobId": id}, nil)
			}
		}, ours: func(l *line) { l.allOf(l.q.Remove(l.w.ctx, []string{"2", "5"}, queue.RemoveOptions{})) }},
		{name: "remove delayed", prepare: fourDelayed, node: func(l *line) { l.call("remove", args{"jobId": "2"}, nil) }, ours: func(l *line) {
			l.allOf(l.q.Remove(l.w.ctx, []string{"2"}, queue.RemoveOptions{}))
		}},
		{name: "remove finished", prepare: finishedSix, node: func(l *line) {
			for _, id := range []string{"1", "5"} {
				l.call("remove", args{"jobId": id}, nil)
			}
		}, ours: func(l *line) { l.allOf(l.q.Remove(l.w.ctx, []string{"1", "5"}, queue.RemoveOptions{})) }},
	}
}

func changesOfPriorities() []change {
	return []change{
		{name: "changePriority", prepare: threeWaiting, node: func(l *line) {
			for _, one := range []args{
				{"jobId": "2", "opts": args{"priority": 5}},
				{"jobId": "6", "opts": args{"priority": 0}},
				{"jobId": "4", "opts": args{"priority": 5}},
				{"jobId": "5", "opts": args{"priority": 2, "lifo": true}},
			} {
				l.call("changePriority", one, nil)
			}
		}, ours: func(l *line) {
			l.w.must(l.q.ChangePriority(l.w.ctx, "2", 5, false))
			l.w.must(l.q.ChangePriority(l.w.ctx, "6", 0, false))
			l.w.must(l.q.ChangePriority(l.w.ctx, "4", 5, false))
			l.w.must(l.q.ChangePriority(l.w.ctx, "5", 2, true))
		}},
		{name: "changePriority to the front", prepare: threeWaiting, node: func(l *line) {
			l.call("changePriority", args{"jobId": "4", "opts": args{"priority": 0, "lifo": true}}, nil)
		}, ours: func(l *line) { l.w.must(l.q.ChangePriority(l.w.ctx, "4", 0, true)) }},
	}
}

func changesOfFinished() []change {
	retry := func(l *line, from queue.State, reset bool, ids ...string) {
		l.allOf(l.q.Retry(l.w.ctx, from, ids, queue.RetryOptions{ResetAttempts: reset}))
	}
	return []change{
		{name: "retry", prepare: finishedSix, node: func(l *line) {
			l.call("retry", args{"jobId": "1", "state": "failed"}, nil)
			l.call("retry", args{"jobId": "5", "state": "completed"}, nil)
		}, ours: func(l *line) {
			retry(l, queue.StateFailed, false, "1")
			retry(l, queue.StateCompleted, false, "5")
		}},
		{name: "retry from the beginning", prepare: finishedSix, node: func(l *line) {
			l.call("retry", args{"jobId": "1", "state": "failed", "opts": args{"resetAttemptsMade": true, "resetAttemptsStarted": true}}, nil)
		}, ours: func(l *line) { retry(l, queue.StateFailed, true, "1") }},
		{name: "retry all", prepare: finishedSix, node: func(l *line) { l.call("retryJobs", args{"opts": args{"state": "failed"}}, nil) }, ours: func(l *line) {
			var all []string
			l.w.must(l.q.Scan(l.w.ctx, queue.ScanRequest{State: queue.StateFailed}, func(ids []string) ([]string, error) {
				all = append(all, ids...)
				return ids, nil
			}))
			retry(l, queue.StateFailed, false, all...)
		}},
		{name: "clean completed", prepare: finishedSix, node: func(l *line) { l.call("clean", args{"grace": 0, "type": "completed"}, nil) }, ours: func(l *line) {
			l.removed(l.q.Clean(l.w.ctx, queue.CleanOptions{State: queue.StateCompleted}))
		}},
		{name: "clean two failed", prepare: finishedSix, node: func(l *line) { l.call("clean", args{"grace": 0, "limit": 2, "type": "failed"}, nil) }, ours: func(l *line) {
			l.removed(l.q.Clean(l.w.ctx, queue.CleanOptions{State: queue.StateFailed, Limit: 2}))
		}},
		{name: "clean nothing", prepare: finishedSix, node: func(l *line) { l.call("clean", args{"grace": hour, "type": "failed"}, nil) }, ours: func(l *line) {
			n, err := l.q.Clean(l.w.ctx, queue.CleanOptions{State: queue.StateFailed, OlderThan: time.Hour})
			l.w.must(err)
			diff(l.w.t, "cleaned", 0, n)
		}},
	}
}

func changesOfQueues() []change {
	clean := func(state string) change {
		return change{name: "clean " + state, prepare: func(l *line) { threeWaiting(l); fourDelayed(l) }, node: func(l *line) {
			l.call("clean", args{"grace": 0, "type": strings.Replace(state, "waiting", "wait", 1)}, nil)
		}, ours: func(l *line) { l.removed(l.q.Clean(l.w.ctx, queue.CleanOptions{State: queue.State(state)})) }}
	}
	obliterate := func(force bool) change {
		return change{name: fmt.Sprintf("obliterate, force %v", force), prepare: func(l *line) {
			finishedSix(l)
			threeWaiting(l)
			fourDelayed(l)
			if force {
				l.loseWorker("7")
			}
		}, node: func(l *line) { l.call("obliterate", args{"opts": args{"force": force}}, nil) }, ours: func(l *line) {
			l.removed(l.q.Obliterate(l.w.ctx, queue.ObliterateOptions{Force: force}))
		}}
	}
	// The waiting jobs may be in two lists, of each of which ours says how many went.
	bothLists := clean("waiting")
	bothLists.says = "cleaned count=0"
	two, limit := 2, queue.Limiter{Max: 3, Duration: time.Second}
	return []change{
		bothLists, clean("prioritized"), clean("delayed"),
		{name: "drain", prepare: func(l *line) { threeWaiting(l); fourDelayed(l) }, node: func(l *line) { l.call("drain", nil, nil) }, ours: func(l *line) {
			l.removed(l.q.Drain(l.w.ctx, queue.DrainOptions{}))
		}},
		{name: "drain delayed", prepare: func(l *line) { threeWaiting(l); fourDelayed(l) }, node: func(l *line) { l.call("drain", args{"delayed": true}, nil) }, ours: func(l *line) {
			l.removed(l.q.Drain(l.w.ctx, queue.DrainOptions{Delayed: true}))
		}},
		obliterate(false), obliterate(true),
		{name: "limit", wakes: true, prepare: threeWaiting, node: func(l *line) {
			l.call("setGlobalConcurrency", args{"concurrency": 2}, nil)
			l.call("setGlobalRateLimit", args{"max": 3, "duration": 1000}, nil)
		}, ours: func(l *line) { l.w.must(l.q.SetConcurrency(l.w.ctx, &two)); l.w.must(l.q.SetRate(l.w.ctx, &limit)) }},
		{name: "unlimit", prepare: func(l *line) {
			l.call("setGlobalConcurrency", args{"concurrency": 2}, nil)
			l.call("setGlobalRateLimit", args{"max": 3, "duration": 1000}, nil)
		}, node: func(l *line) {
			l.call("removeGlobalConcurrency", nil, nil)
			l.call("removeGlobalRateLimit", nil, nil)
		}, ours: func(l *line) { l.w.must(l.q.SetConcurrency(l.w.ctx, nil)); l.w.must(l.q.SetRate(l.w.ctx, nil)) }},
	}
}

// After a change by our engine, Redis holds what it holds after Node's own.
func TestOurChangesAreNodesChanges(t *testing.T) {
	eachWorld(t, func(w *world) {
		for _, c := range slices.Concat(changesOfJobs(), changesOfPriorities(), changesOfFinished(), changesOfQueues()) {
			name := "change-" + strings.NewReplacer(" ", "-", ",", "").Replace(c.name)
			node, ours := w.line("node", name), w.line("ours", name)
			for _, l := range []*line{node, ours} {
				c.prepare(l)
				// What a worker that has come and gone did to the marker is a matter of luck.
				w.must(w.rdb.Del(w.ctx, l.key("marker")).Err())
			}
			c.node(node)
			c.ours(ours)
			diff(w.t, c.name+": Redis after Node and after ours", node.snapshot(!c.wakes), ours.snapshot(!c.wakes))
			heard := ours.eventsOf()
			if c.says != "" {
				heard[""] = slices.DeleteFunc(heard[""], func(text string) bool { return text == c.says })
			}
			diff(w.t, c.name+": events of Node and of ours", node.eventsOf(), heard)
			ours.sameCounts()
		}
	})
}

// Where Node loses a job's place, ours is better: the jobs and not the places are compared.
func TestWePromoteAllThatNodePromotes(t *testing.T) {
	eachWorld(t, func(w *world) {
		node, ours := w.line("node", "promote-all"), w.line("ours", "promote-all")
		fourDelayed(node)
		fourDelayed(ours)
		node.call("promoteJobs", nil, nil)
		ours.allOf(ours.q.Promote(w.ctx, []string{"2", "4", "3", "1"}))
		diff(w.t, "events of Node and of ours", node.eventsOf(), ours.eventsOf())
		checkInvariants(w.t, w.rdb, ours.base.String())
		// Node forgets the priority of job 3.
		diff(w.t, "order by Node", []string{"2", "4", "3", "1"}, node.order(true, 4))
		diff(w.t, "order by ours", []string{"2", "4", "1", "3"}, ours.order(false, 4))
	})
}

// Neither side takes a job away from the other's worker.
func TestLockedJobsStay(t *testing.T) {
	eachWorld(t, func(w *world) {
		for _, weWork := range []bool{false, true} {
			l := w.fresh()
			l.nodeAdds(args{"name": "n"})
			hand := l.works(weWork, setup{Behaviors: behaviors{"*": {Hold: true}}})
			l.waitActive(1)
			var removed int
			l.call("remove", args{"jobId": "1"}, &removed)
			diff(w.t, "removed by Node", 0, removed)
			errs, err := l.q.Remove(w.ctx, []string{"1"}, queue.RemoveOptions{})
			w.must(err)
			diff(w.t, "removed by ours", `job "1": job is locked by a worker`, errs[0].Error())
			_, err = l.q.Clean(w.ctx, queue.CleanOptions{State: queue.StateActive})
			w.must(err)
			if _, err := l.q.Obliterate(w.ctx, queue.ObliterateOptions{}); err == nil {
				w.t.Error("a queue at work was obliterated")
			}
			w.must(l.q.Resume(w.ctx))
			hand.release()
			l.waitFinished(1, 0)
			hand.stop()
			checkInvariants(w.t, w.rdb, l.base.String())
		}
	})
}
