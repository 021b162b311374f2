package interop

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// tree is a flow that either side can add. Without an id it gets the name for one.
type tree struct {
	queue    int // which of the grove's
	name, id string
	opts     args // by the names of BullMQ's API
	do       *steps
	children []tree
}

// grove is three queues of one prefix, for flows that span them.
type grove struct {
	w     *world
	lines [3]*line
}

func (w *world) grove(prefix, name string) *grove {
	w.t.Helper()
	g := &grove{w: w}
	for i := range g.lines {
		g.lines[i] = w.line(prefix, fmt.Sprintf("%s-%d", name, i))
	}
	return g
}

// options are the tree's own, with its id.
func (tr *tree) options() args {
	all := args{"jobId": tr.name}
	if tr.id != "" {
		all["jobId"] = tr.id
	}
	for name, value := range tr.opts {
		all[name] = value
	}
	return all
}

func (g *grove) nodeTree(tr *tree) args {
	l := g.lines[tr.queue]
	all := args{"name": tr.name, "queueName": l.base.Name, "prefix": l.base.Prefix, "opts": tr.options()}
	if tr.do != nil {
		all["data"] = args{"do": tr.do}
	}
	var children []args
	for i := range tr.children {
		children = append(children, g.nodeTree(&tr.children[i]))
	}
	if children != nil {
		all["children"] = children
	}
	return all
}

// ourTree goes through the parser of BullMQ's option names.
func (g *grove) ourTree(tr *tree) queue.FlowJob {
	g.w.t.Helper()
	text, err := json.Marshal(tr.options())
	g.w.must(err)
	opts, err := queue.ParseOptions(text, false)
	g.w.must(err)
	job := queue.FlowJob{Queue: g.lines[tr.queue].base, Job: queue.NewJob{Name: tr.name, Opts: opts}}
	if tr.do != nil {
		job.Job.Data, err = json.Marshal(args{"do": tr.do})
		g.w.must(err)
	}
	for i := range tr.children {
		job.Children = append(job.Children, g.ourTree(&tr.children[i]))
	}
	return job
}

func (g *grove) add(tr tree, ours bool) {
	g.w.t.Helper()
	if ours {
		_, err := g.w.client.AddFlow(g.w.ctx, g.ourTree(&tr))
		g.w.must(err)
		return
	}
	g.w.peer.call("addFlow", args{"flow": g.nodeTree(&tr), "prefix": g.lines[0].base.Prefix}, nil)
}

// groves is twins for flows.
func (w *world) groves(name string, play func(g *grove, ours bool)) {
	w.t.Helper()
	node, ours := w.grove("node", name), w.grove("ours", name)
	play(node, false)
	play(ours, true)
	for i := range node.lines {
		diff(w.t, fmt.Sprintf("%s: queue %d after Node and after ours", name, i), node.lines[i].snapshot(false), ours.lines[i].snapshot(false))
		diff(w.t, fmt.Sprintf("%s: events of queue %d", name, i), node.lines[i].eventsOf(), ours.lines[i].eventsOf())
		checkInvariants(w.t, w.rdb, node.lines[i].base.String())
		checkInvariants(w.t, w.rdb, ours.lines[i].base.String())
		ours.lines[i].sameCounts()
	}
}

func leaf(q int, name string, opts args) tree { return tree{queue: q, name: name, opts: opts} }

// wideTree has every kind of job over three queues.
func wideTree() tree {
	return tree{name: "root", opts: args{"attempts": 2, "priority": 5}, children: []tree{
		{queue: 1, name: "a", opts: args{"delay": hour, "failParentOnFailure": true}, children: []tree{
			{queue: 2, name: "a1", children: []tree{leaf(0, "a11", args{"lifo": true}), leaf(0, "a12", args{"priority": 3, "lifo": true})}},
			leaf(2, "a2", args{"delay": hour, "priority": 2}),
			leaf(2, "a3", args{"ignoreDependencyOnFailure": true, "backoff": args{"type": "exponential", "delay": 50}}),
		}},
		{queue: 1, name: "b", opts: args{"lifo": true}, children: []tree{
			leaf(1, "b1", args{"continueParentOnFailure": true}), leaf(1, "b2", args{"removeDependencyOnFailure": true, "priority": 1}),
			leaf(1, "b3", args{"lifo": true, "removeOnComplete": args{"count": 0}}),
		}},
		leaf(2, "c", args{"removeOnFail": args{"count": 3}, "keepLogs": 4}),
	}}
}

// A flow lies in Redis as Node stores it.
func TestOurFlowsAsNodes(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.groves("wide", func(g *grove, ours bool) { g.add(wideTree(), ours) })
		w.groves("one job", func(g *grove, ours bool) { g.add(tree{name: "alone"}, ours) })
		w.groves("twice the same", func(g *grove, ours bool) {
			g.add(wideTree(), ours)
			g.add(wideTree(), ours)
		})
		w.groves("below a job", func(g *grove, ours bool) {
			g.lines[0].nodeAdds(args{"name": "p", "opts": args{"jobId": "p"}})
			small := tree{queue: 1, name: "root", opts: args{"parent": args{"id": "p", "queue": g.lines[0].base.String()}, "failParentOnFailure": true}}
			small.children = []tree{leaf(2, "c", nil)}
			g.add(small, ours)
		})
		w.groves("while paused", func(g *grove, ours bool) {
			for _, l := range g.lines {
				l.call("pause", nil, nil)
			}
			g.add(wideTree(), ours)
		})
		var names []string
		root := tree{name: "deep"}
		for i := range 30 {
			names = append(names, fmt.Sprint("deep-", i))
			root = tree{queue: i % 3, name: names[i], children: []tree{root}}
		}
		w.groves("deep", func(g *grove, ours bool) { g.add(root, ours) })
	})
}

// ends lets jobs of the grove's second queue end, all but those that fail.
func (g *grove) ends(completed, failed int64, s steps, names ...string) {
	l := g.lines[1]
	for _, name := range names {
		l.nodeAdds(args{"name": name, "data": args{"do": s}, "opts": args{"jobId": name}})
	}
	hand := l.nodeWorks(setup{})
	l.waitFinished(completed, failed)
	hand.stop()
}

// Jobs that exist join the flow by the rules of an own id that is taken.
func TestOurFlowsTakeUpJobs(t *testing.T) {
	eachWorld(t, func(w *world) {
		root := func(children ...tree) tree { return tree{name: "root", opts: args{"priority": 2}, children: children} }
		waiting := func(g *grove) {
			g.lines[1].nodeAdds(args{"name": "old", "opts": args{"jobId": "old", "delay": hour}})
		}
		done := func(g *grove) { g.ends(1, 0, steps{Return: args{"n": 1}}, "old") }
		failed := func(g *grove) { g.ends(0, 1, steps{Fail: true, Reason: "no"}, "old") }
		for name, c := range map[string]struct {
			prepare func(g *grove)
			tree    tree
			only6   bool
		}{
			"waiting":                       {waiting, root(leaf(1, "old", args{"failParentOnFailure": true}), leaf(2, "new", nil)), false},
			"failed":                        {failed, root(leaf(1, "old", nil), leaf(2, "new", nil)), false},
			"completed":                     {done, root(leaf(1, "old", args{"ignoreDependencyOnFailure": true})), true},
			"completed last":                {done, root(leaf(2, "new", nil), leaf(1, "old", nil)), true},
			"completed one":                 {done, root(leaf(1, "old", nil), leaf(2, "new", nil)), true},
			"as a middle":                   {waiting, root(tree{queue: 1, name: "old", children: []tree{leaf(2, "new", nil)}}), false},
			"as the root":                   {waiting, tree{queue: 1, name: "old", children: []tree{leaf(2, "new", nil)}}, false},
			"as a middle that is completed": {done, root(tree{queue: 1, name: "old", children: []tree{leaf(2, "new", nil)}}), true},
			"of a parent that is gone": {func(g *grove) {
				g.add(tree{name: "gone", children: []tree{leaf(1, "old", nil)}}, false)
				w.must(w.rdb.Del(w.ctx, g.lines[0].key("gone"), g.lines[0].key("gone:dependencies")).Err())
				w.must(w.rdb.ZRem(w.ctx, g.lines[0].key("waiting-children"), "gone").Err())
			}, root(leaf(1, "old", nil)), true},
		} {
			if c.only6 && w.peer.major < 6 {
				continue // version 5 may leave a parent waiting for ever, or release it too early
			}
			w.groves("take up "+name, func(g *grove, ours bool) {
				c.prepare(g)
				g.add(c.tree, ours)
			})
		}
	})
}

// addChild adds a job with a parent, by either side, and returns why it was refused.
func (g *grove) addChild(ours bool, name string, more args) error {
	g.w.t.Helper()
	tr := tree{queue: 1, name: name, opts: args{"parent": args{"id": "p", "queue": g.lines[0].base.String()}}}
	for option, value := range more {
		tr.opts[option] = value
	}
	l := g.lines[1]
	if ours {
		_, err := l.q.Add(g.w.ctx, g.ourTree(&tr).Job)
		return err
	}
	return g.w.peer.try("add", l.with(args{"name": name, "opts": tr.options()}), nil)
}

// A job can be given children while it waits or runs.
func TestOurChildrenOfExistingJobs(t *testing.T) {
	eachWorld(t, func(w *world) {
		parent := func(g *grove) { g.lines[0].nodeAdds(args{"name": "p", "opts": args{"jobId": "p"}}) }
		accepted := func(g *grove, err error) { g.w.must(err) }
		refused := func(g *grove, err error) {
			if err == nil {
				g.w.t.Errorf("%s: a child was taken that cannot be one", g.lines[0].base)
			}
		}
		w.groves("children", func(g *grove, ours bool) {
			parent(g)
			for i, opts := range []args{
				nil,
				{"delay": hour},
				{"priority": 3},
				{"lifo": true},
				{"failParentOnFailure": true},
				{"continueParentOnFailure": true},
				{"ignoreDependencyOnFailure": true},
				{"removeDependencyOnFailure": true, "attempts": 4},
			} {
				accepted(g, g.addChild(ours, fmt.Sprint("c", i), opts))
			}
			accepted(g, g.addChild(ours, "c0", nil))
		})
		w.groves("no parent", func(g *grove, ours bool) { refused(g, g.addChild(ours, "c", nil)) })
		w.groves("another parent", func(g *grove, ours bool) {
			g.add(tree{name: "other", children: []tree{leaf(1, "c", nil)}}, false)
			parent(g)
			refused(g, g.addChild(ours, "c", nil))
		})
		w.groves("an old child", func(g *grove, ours bool) {
			g.ends(1, 0, steps{Return: "r"}, "c")
			g.add(tree{name: "p", opts: args{"delay": hour}, children: []tree{leaf(2, "z", nil)}}, false)
			w.must(w.rdb.Del(w.ctx, g.lines[0].key("p:dependencies")).Err())
			accepted(g, g.addChild(ours, "c", nil))
		})
	})
}

// A parent that runs waits for the children that it has been given since.
func TestOurRunningParentsWait(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.groves("wait for children", func(g *grove, ours bool) {
			l := g.lines[0]
			l.nodeAdds(args{"name": "p", "opts": args{"jobId": "p"}})
			if !ours {
				l.call("startWorker", args{"worker": l.base.String(), "behaviors": map[string]any{"*": args{"hold": true, "waitForChildren": true, "return": 1}}}, nil)
				w.peer.waitForJob("started", "p", soon)
				w.must(g.addChild(false, "c", nil))
				w.peer.call("release", args{"worker": l.base.String()}, nil)
			} else {
				_, err := l.q.Claim(w.ctx, queue.ClaimRequest{N: 1, Token: "t", Lock: time.Minute})
				w.must(err)
				w.must(g.addChild(true, "c", nil))
				waits, err := l.q.AwaitChildren(w.ctx, queue.Held{ID: "p", Token: "t"}, "")
				if !waits || err != nil {
					w.t.Errorf("await children: %v, %v", waits, err)
				}
			}
			w.waitUntil("the parent waits", func() bool { return l.state("p") == "waiting-children" })
			if !ours {
				w.peer.call("stopWorker", args{"worker": l.base.String()}, nil)
				w.must(w.rdb.Del(w.ctx, l.key("stalled")).Err())
			}
		})
	})
}

// What changes the ties between parents and children does as Node's does.
func TestOurChangesOfTies(t *testing.T) {
	eachWorld(t, func(w *world) {
		family := tree{name: "p", children: []tree{
			{queue: 1, name: "c", children: []tree{leaf(2, "cc", nil)}}, leaf(1, "d", nil), leaf(2, "e", args{"delay": hour}),
		}}
		w.groves("leave the parent", func(g *grove, ours bool) {
			g.add(family, false)
			for _, child := range []struct {
				queue int
				id    string
			}{{1, "c"}, {1, "d"}, {2, "e"}} {
				l := g.lines[child.queue]
				if !ours {
					l.call("removeChildDependency", args{"jobId": child.id}, nil)
					continue
				}
				gone, err := l.q.RemoveChildDependency(w.ctx, child.id)
				if !gone || err != nil {
					w.t.Errorf("child %s: %v, %v", child.id, gone, err)
				}
			}
		})
		// A middle one with children would, with Node, go on for a moment before it goes.
		flat := tree{name: "p", children: []tree{leaf(1, "c", nil), leaf(2, "d", nil), leaf(2, "e", args{"delay": hour})}}
		w.groves("remove the unprocessed but for one that runs", func(g *grove, ours bool) {
			g.add(flat, false)
			_, err := g.lines[1].q.Claim(w.ctx, queue.ClaimRequest{N: 1, Token: "t", Lock: time.Minute})
			w.must(err)
			g.removeUnprocessed(ours, 2)
		})
		w.groves("remove the unprocessed but for one that failed", func(g *grove, ours bool) {
			g.add(flat, false)
			_, err := g.lines[1].q.Claim(w.ctx, queue.ClaimRequest{N: 1, Token: "t", Lock: time.Minute})
			w.must(err)
			settled, err := g.lines[1].q.Settle(w.ctx, []queue.Outcome{{Kind: queue.Fail, ID: "c", Token: "t", FailedReason: "no"}}, queue.SettleOptions{})
			w.must(err)
			w.must(settled.Errs[0])
			g.removeUnprocessed(ours, 2)
		})
		w.groves("remove all that is unprocessed", func(g *grove, ours bool) {
			g.add(flat, false)
			g.removeUnprocessed(ours, 3)
		})
		w.groves("remove what is gone", func(g *grove, ours bool) {
			g.add(tree{name: "p", children: []tree{leaf(1, "c", nil)}}, false)
			w.must(w.rdb.Del(w.ctx, g.lines[1].key("c"), g.lines[1].key("wait")).Err())
			g.removeUnprocessed(ours, 0)
		})
	})
}

func (g *grove) removeUnprocessed(ours bool, want int) {
	g.w.t.Helper()
	if !ours {
		g.lines[0].call("removeUnprocessedChildren", args{"jobId": "p"}, nil)
		return
	}
	removed, err := g.lines[0].q.RemoveUnprocessedChildren(g.w.ctx, "p")
	if removed != want || err != nil {
		g.w.t.Errorf("%d children removed, %v, want %d", removed, err, want)
	}
}
