package interop

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// family is a flow of two levels that Node adds: a root in one queue, whose child in the same queue has children in
// another. The option is what the failing one of those, and the child, say of their failure.
type family struct {
	parents, children *line
	option            args
	aunt              args // the options of the other child of the root
}

func (w *world) family(prefix, name string, option args) *family {
	w.t.Helper()
	return &family{parents: w.line(prefix, name+"-p"), children: w.line(prefix, name+"-c"), option: option}
}

// add makes the flow; the failing child has the id "bad", the others are well.
func (f *family) add(middle args) {
	f.parents.w.t.Helper()
	job := func(l *line, name, id string, s steps, opts args, children ...args) args {
		all := args{"jobId": id}
		for key, value := range opts {
			all[key] = value
		}
		return args{
			"name": name, "queueName": l.base.Name, "prefix": l.base.Prefix, "data": args{"do": s}, "opts": all, "children": children,
		}
	}
	bad := args{"attempts": 2}
	for key, value := range f.option {
		bad[key] = value
	}
	f.parents.call("addFlow", args{"flow": job(f.parents, "root", "root", steps{Return: "root"}, nil,
		job(f.parents, "middle", "middle", steps{Return: "middle"}, middle,
			job(f.children, "leaf", "good", steps{Return: args{"n": 1}}, nil),
			job(f.children, "leaf", "bad", steps{Fail: true, Reason: "lost"}, bad),
			job(f.children, "leaf", "last", steps{Return: 2, Sleep: 5}, args{"priority": 1}),
		),
		job(f.parents, "aunt", "aunt", steps{Return: "aunt"}, f.aunt),
	)}, nil)
}

// work lets the children and then the parents end, and returns where they are.
func (f *family) work(ours bool, completed, failed int64) {
	f.parents.w.t.Helper()
	hand := f.children.works(ours, setup{})
	f.children.waitFinished(2, 1)
	hand.stop()
	hand = f.parents.works(ours, setup{})
	f.parents.waitFinished(completed, failed)
	hand.stop()
}

// The children of Node's flows release or fail their parents as they do in the hands of a Node worker.
func TestOurWorkerServesNodesFlows(t *testing.T) {
	eachWorld(t, func(w *world) {
		for i, c := range []struct {
			option            args
			middle            args
			completed, failed int64
		}{
			{args{"failParentOnFailure": true}, args{"failParentOnFailure": true}, 1, 2},
			{args{"failParentOnFailure": true}, args{"ignoreDependencyOnFailure": true}, 2, 1},
			{args{"failParentOnFailure": true}, args{"removeDependencyOnFailure": true, "attempts": 3}, 2, 1},
			{args{"failParentOnFailure": true}, args{"continueParentOnFailure": true, "priority": 4}, 2, 1},
			{args{"ignoreDependencyOnFailure": true}, args{"priority": 3}, 3, 0},
			{args{"removeDependencyOnFailure": true}, args{"delay": 30}, 3, 0},
			// The middle is released while "last" is pending; as all leaves have ended it completes all the same.
			{args{"continueParentOnFailure": true}, nil, 3, 0},
			// Nobody speaks for the failed one: the parents wait.
			{nil, nil, 1, 0},
			{args{"removeOnFail": true, "ignoreDependencyOnFailure": true}, nil, 3, 0},
		} {
			name := fmt.Sprint("flow-", i)
			families := map[string]*family{}
			for _, prefix := range []string{"node", "ours"} {
				f := w.family(prefix, name, c.option)
				families[prefix] = f
				f.add(c.middle)
				checkInvariants(w.t, w.rdb, f.parents.base.String())
				if c.option["removeOnFail"] == true {
					hand := f.children.works(prefix == "ours", setup{})
					f.children.waitFinished(2, 0)
					hand.stop()
					hand = f.parents.works(prefix == "ours", setup{})
					f.parents.waitFinished(c.completed, c.failed)
					hand.stop()
				} else {
					f.work(prefix == "ours", c.completed, c.failed)
				}
				checkInvariants(w.t, w.rdb, f.parents.base.String())
				checkInvariants(w.t, w.rdb, f.children.base.String())
			}
			node, ours := families["node"], families["ours"]
			what := fmt.Sprint(c.option, c.middle)
			diff(w.t, what+": parents after Node and after ours", node.parents.snapshot(false), ours.parents.snapshot(false))
			diff(w.t, what+": children after Node and after ours", node.children.snapshot(false), ours.children.snapshot(false))
			diff(w.t, what+": events of the parents", node.parents.eventsOf(), ours.parents.eventsOf())
			diff(w.t, what+": events of the children", node.children.eventsOf(), ours.children.eventsOf())
			ours.parents.sameCounts()
		}
	})
}

// familyChange is something that Node and our engine can both do to the jobs of a flow.
type familyChange struct {
	name       string
	prepare    func(f *family)
	node, ours func(f *family)
	// left compares what is left alone: Node lets parents that are being removed go on for a moment.
	left bool
}

func familyChanges() []familyChange {
	work := func(f *family) {
		hand := f.children.nodeWorks(setup{})
		f.children.waitFinished(2, 1)
		hand.stop()
	}
	waiting := func(*family) {}
	return []familyChange{
		{name: "retry", prepare: work, node: func(f *family) {
			f.children.call("retry", args{"jobId": "bad", "state": "failed"}, nil)
			f.children.call("retry", args{"jobId": "good", "state": "completed"}, nil)
		}, ours: func(f *family) {
			f.children.allOf(f.children.q.Retry(f.parents.w.ctx, queue.StateFailed, []string{"bad"}, queue.RetryOptions{}))
			f.children.allOf(f.children.q.Retry(f.parents.w.ctx, queue.StateCompleted, []string{"good"}, queue.RetryOptions{}))
		}},
		{name: "remove one", prepare: waiting, node: func(f *family) {
			f.children.call("remove", args{"jobId": "bad"}, nil)
		}, ours: func(f *family) {
			f.children.allOf(f.children.q.Remove(f.parents.w.ctx, []string{"bad"}, queue.RemoveOptions{Children: true}))
		}},
		{name: "remove the last", prepare: func(f *family) {
			work(f)
			f.children.call("removeChildDependency", args{"jobId": "bad"}, nil)
		}, node: func(f *family) {
			for _, id := range []string{"aunt", "middle"} {
				f.parents.call("remove", args{"jobId": id, "opts": args{"removeChildren": false}}, nil)
			}
		}, ours: func(f *family) {
			f.parents.allOf(f.parents.q.Remove(f.parents.w.ctx, []string{"aunt", "middle"}, queue.RemoveOptions{}))
		}},
		{name: "remove the root with all", left: true, prepare: waiting, node: func(f *family) {
			f.parents.call("remove", args{"jobId": "root"}, nil)
		}, ours: func(f *family) {
			f.parents.allOf(f.parents.q.Remove(f.parents.w.ctx, []string{"root"}, queue.RemoveOptions{Children: true}))
		}},
		{name: "clean the children", prepare: waiting, node: func(f *family) {
			f.children.call("clean", args{"grace": 0, "type": "wait"}, nil)
			f.children.call("clean", args{"grace": 0, "type": "prioritized"}, nil)
			// Ours tells that the parent in the other queue waits now; Node says nothing.
			f.parents.w.rdb.XAdd(f.parents.w.ctx, &redis.XAddArgs{
				Stream: f.parents.key("events"),
				Values: []any{"event", "waiting", "jobId", "middle", "prev", "waiting-children"},
			})
		}, ours: func(f *family) {
			f.children.removed(f.children.q.Clean(f.parents.w.ctx, queue.CleanOptions{State: queue.StateWaiting, Limit: 10}))
			f.children.removed(f.children.q.Clean(f.parents.w.ctx, queue.CleanOptions{State: queue.StatePrioritized}))
		}},
		{name: "drain", prepare: waiting, node: func(f *family) { f.parents.call("drain", args{"delayed": true}, nil) }, ours: func(f *family) {
			f.parents.removed(f.parents.q.Drain(f.parents.w.ctx, queue.DrainOptions{Delayed: true}))
		}},
	}
}

// What our engine does to a child reaches the parent as Node's own operation does.
func TestOurChangesOfChildrenReachTheirParents(t *testing.T) {
	eachWorld(t, func(w *world) {
		for i, c := range familyChanges() {
			after := map[string][]any{}
			for _, prefix := range []string{"node", "ours"} {
				f := w.family(prefix, fmt.Sprint("child-", i), nil)
				f.aunt = args{"delay": hour}
				f.add(nil)
				c.prepare(f)
				if prefix == "ours" {
					c.ours(f)
				} else {
					c.node(f)
				}
				events := f.children.eventsOf()
				delete(events, "") // how many "cleaned" there are is compared elsewhere
				parents, children := f.parents.snapshot(false), f.children.snapshot(false)
				if c.left {
					delete(children, "pc") // its priorities have gone, which the next fetch would notice
					after[prefix] = []any{parents, children}
				} else {
					after[prefix] = []any{parents, children, f.parents.eventsOf(), events}
				}
				f.parents.sameCounts()
			}
			diff(w.t, c.name+": after Node and after ours", after["node"], after["ours"])
		}
	})
}

// A flow is followed to its end by workers of both kinds at once.
func TestMixedWorkersFinishFlows(t *testing.T) {
	eachWorld(t, func(w *world) {
		parents, children := w.fresh(), w.fresh()
		const flows = 30
		var all []args
		for i := range flows {
			var leaves []args
			for j := range 3 {
				leaves = append(leaves, args{
					"name": "leaf", "queueName": children.base.Name, "data": args{"do": steps{Return: i*10 + j}},
					"opts": args{"jobId": fmt.Sprintf("leaf-%d-%d", i, j)},
				})
			}
			all = append(all, args{
				"name": "root", "queueName": parents.base.Name, "opts": args{"jobId": fmt.Sprint("root-", i)}, "children": leaves,
			})
		}
		w.peer.call("addFlowBulk", args{"flows": all}, nil)
		four := setup{Concurrency: 4}
		hands := []*hand{parents.nodeWorks(four), parents.weWork(four), children.nodeWorks(four), children.weWork(four)}
		children.waitFinished(3*flows, 0)
		parents.waitFinished(flows, 0)
		for _, h := range hands {
			h.stop()
		}
		for i := range flows {
			want := map[string]any{}
			for j := range 3 {
				want[fmt.Sprintf("%s:leaf-%d-%d", children.base, i, j)] = float64(i*10 + j)
			}
			var values map[string]any
			parents.call("getChildrenValues", args{"jobId": fmt.Sprint("root-", i)}, &values)
			diff(w.t, "values of the children", want, values)
		}
		checkInvariants(w.t, w.rdb, parents.base.String())
		checkInvariants(w.t, w.rdb, children.base.String())
	})
}
