package interop

import (
	"encoding/json"
	"fmt"
	"testing"
)

// failing is a flow with a child that fails under each of the four options; it
// ends in the same way whoever adds it.
func failing(option string) tree {
	return tree{name: "root", do: &steps{Return: "root"}, children: []tree{
		{queue: 1, name: "good", do: &steps{Return: args{"n": 1}}},
		{queue: 1, name: "bad", do: &steps{Fail: true, Reason: "lost"}, opts: args{option: true, "attempts": 2}},
		{queue: 2, name: "late", do: &steps{Return: 2}, opts: args{"delay": 30}},
		{queue: 2, name: "ranked", do: &steps{Return: 3}, opts: args{"priority": 7}},
	}}
}

// Flows of ours end as Node's do: both by the other side's workers.
func TestOurFlowsEndAsNodes(t *testing.T) {
	eachWorld(t, func(w *world) {
		for option, rootCompletes := range map[string]bool{
			"failParentOnFailure": false, "continueParentOnFailure": true, "ignoreDependencyOnFailure": true, "removeDependencyOnFailure": true,
		} {
			w.groves("ends with "+option, func(g *grove, ours bool) {
				g.add(failing(option), ours)
				for q := 2; q > 0; q-- { // the failure comes last, so that its parent waits for no other
					hand := g.lines[q].works(!ours, setup{})
					g.lines[q].waitFinished([]int64{0, 1, 2}[q], []int64{0, 1, 0}[q])
					hand.stop()
				}
				hand := g.lines[0].works(!ours, setup{})
				if rootCompletes {
					g.lines[0].waitFinished(1, 0)
				} else {
					g.lines[0].waitFinished(0, 1)
				}
				hand.stop()
			})
		}
	})
}

// A flow of ours with 1000 children over three queues is worked by both kinds of
// worker at once, and both see what all children returned.
func TestAThousandChildren(t *testing.T) {
	eachWorld(t, func(w *world) {
		const n = 1000
		g := w.grove("bull", "thousand")
		root := tree{name: "root"}
		want := map[string]any{}
		for i := range n {
			child := tree{queue: i % 3, name: fmt.Sprint("c", i), do: &steps{Return: i}}
			switch i % 10 {
			case 1:
				child.opts = args{"delay": i % 40}
			case 2:
				child.opts = args{"priority": i%5 + 1}
			}
			root.children = append(root.children, child)
			want[g.lines[i%3].key(child.name)] = float64(i)
		}
		g.add(root, true)
		var hands []*hand
		for _, l := range g.lines {
			ten := setup{Concurrency: 10}
			hands = append(hands, l.nodeWorks(ten), l.weWork(ten))
		}
		g.lines[0].waitFinished(n/3+2, 0) // the root is one of them
		for i, h := range hands {
			if i%2 == 0 {
				g.lines[i/2].waitFinished([]int64{n/3 + 2, n / 3, n / 3}[i/2], 0)
			}
			h.stop()
		}
		if state := g.lines[0].state("root"); state != "completed" {
			w.t.Errorf("the root is %s", state)
		}
		var node map[string]any
		g.lines[0].call("getChildrenValues", args{"jobId": "root"}, &node)
		diff(w.t, "values that Node sees", want, node)
		raw, err := g.lines[0].q.ChildrenValues(w.ctx, "root")
		w.must(err)
		ours := map[string]any{}
		for child, text := range raw {
			var value any
			w.must(json.Unmarshal(text, &value))
			ours[child] = value
		}
		diff(w.t, "values that we see", want, ours)
		for _, l := range g.lines {
			checkInvariants(w.t, w.rdb, l.base.String())
		}
	})
}
