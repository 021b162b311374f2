package interop

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/qctl/qctl/internal/queue"
)

// flowJob is a node of a flow as our engine takes it.
func flowJob(node args) (queue.FlowJob, error) {
	n, err := newJob(node)
	name, _ := node["queueName"].(string)
	f := queue.FlowJob{Queue: queue.KeyBase{Prefix: "bull", Name: name}, Job: n}
	children, _ := node["children"].([]args)
	for _, child := range children {
		c, childErr := flowJob(child)
		if childErr != nil {
			err = childErr
		}
		f.Children = append(f.Children, c)
	}
	return f, err
}

// flowIDs writes the ids of a flow as a tree.
func flowIDs(added queue.AddedFlow) string {
	text := added.ID
	for _, child := range added.Children {
		text += " (" + flowIDs(child) + ")"
	}
	return text
}

type flowJSON struct {
	Job      jobJSON    `json:"job"`
	Children []flowJSON `json:"children"`
}

func (f flowJSON) ids() string {
	text := f.Job.ID
	for _, child := range f.Children {
		text += " (" + child.ids() + ")"
	}
	return text
}

// addsFlow adds a flow by both sides.
func addsFlow(root args) op {
	return op{
		fmt.Sprint("add the flow ", root),
		func(s *stage) any {
			var added flowJSON
			if refused := s.ask("addFlow", args{"flow": root}, &added); refused != nil {
				return plainRefusal(refused)
			}
			return added.ids()
		},
		func(s *stage) any {
			flow, err := flowJob(root)
			if err != nil {
				return told(err)
			}
			added, err := s.client.AddFlow(s.ctx, flow)
			if err != nil {
				return told(err)
			}
			return flowIDs(added)
		},
	}
}

// awaitsChildren puts an active parent among those that wait; child is the full key of the only one to wait for.
func (q place) awaitsChildren(id, child string) op {
	return op{
		"await the children of " + id,
		func(s *stage) any {
			var waits bool
			opts := args{}
			if child != "" {
				opts["child"] = args{"id": child, "queue": "bull:q"}
			}
			with := args{"hand": s.handFor(string(q), nil), "jobId": id, "token": "t", "opts": opts}
			if refused := s.ask("awaitChildren", with, &waits); refused != nil {
				return refused
			}
			return waits
		},
		func(s *stage) any {
			key := ""
			if child != "" {
				key = "bull:q:" + child
			}
			waits, err := s.q(string(q)).AwaitChildren(s.ctx, queue.Held{ID: id, Token: "t"}, key)
			if err != nil {
				return told(err)
			}
			return waits
		},
	}
}

// leavesParent separates a child from its parent.
func (q place) leavesParent(id string) op {
	return op{
		"leave the parent of " + id,
		func(s *stage) any {
			var left bool
			if refused := s.ask("removeChildDependency", on(string(q), args{"jobId": id}), &left); refused != nil {
				return refused
			}
			return left
		},
		func(s *stage) any {
			left, err := s.q(string(q)).RemoveChildDependency(s.ctx, id)
			if err != nil {
				return told(err)
			}
			return left
		},
	}
}

func (q place) removesUnprocessed(id string) op {
	return q.of(id, "remove the pending children", "removeUnprocessedChildren", nil, func(s *stage, q *queue.Queue) any {
		_, err := q.RemoveUnprocessedChildren(s.ctx, id)
		return told(err)
	})
}

// readsChildren compares what both read of a parent's children.
func (q place) readsChildren(id string) op {
	type dependencies struct {
		Processed   map[string]any `json:"processed"`
		Unprocessed []string       `json:"unprocessed"`
		Ignored     map[string]any `json:"ignored"`
		Failed      []string       `json:"failed"`
	}
	return q.reads("children", "getDependencies", args{"jobId": id}, func(s *stage, raw json.RawMessage) any {
		d := decoded[dependencies](s, raw)
		slices.Sort(d.Unprocessed)
		return []any{len(d.Unprocessed), len(d.Processed), len(d.Ignored), len(d.Failed), d.Processed, d.Ignored}
	}, func(s *stage, q *queue.Queue) any {
		counts, err := q.ChildCounts(s.ctx, id)
		s.must(err)
		values, err := q.ChildrenValues(s.ctx, id)
		s.must(err)
		reasons, err := q.IgnoredChildrenFailures(s.ctx, id)
		s.must(err)
		return []any{counts.Pending, counts.Processed, counts.Ignored, counts.Failed, values, reasons}
	})
}

// childOf are options that name an existing parent in the queue of parents.
func childOf(more args) args {
	opts := args{"parent": args{"id": "par", "queue": "bull:p"}}
	maps.Copy(opts, more)
	return opts
}

// rowsOfFlows are wire sections 4.4 and 4.15, and 3.2 for children.
func rowsOfFlows() []row {
	runs := []op{boss.add("par", args{"jobId": "par"}), boss.take()}
	var rows []row
	for _, option := range failureOptions[1:] {
		rows = append(rows, row{name: "add a child with " + option, wire: "4.4", ops: []op{
			addsFlow(boss.node("par", nil, mail.node("bad", args{option: true}), mail.node("good", nil))),
		}})
	}
	ends := map[string][]op{
		"waits": nil, "is active": {mail.take()}, "has completed": {mail.take(), mail.ends("own", end{value: 7})}, "has failed": {mail.take(), mail.failed("own")},
	}
	for _, state := range slices.Sorted(maps.Keys(ends)) {
		start := append([]op{mail.add("own", args{"jobId": "own"})}, ends[state]...)
		rows = append(rows,
			row{name: "add a flow with a child that " + state, wire: "4.4 3.2", start: start, major: 6, ops: []op{addsFlow(boss.node("par", nil, mail.node("own", nil)))}},
			row{name: "add a flow with two children, of which one " + state, wire: "4.4 3.2", start: start, major: 6, ops: []op{
				addsFlow(boss.node("par", nil, mail.node("own", nil), mail.node("other", nil))),
			}},
			row{name: "add to a parent a child that " + state, wire: "3.2", start: append(start[:len(start):len(start)], runs...), ops: []op{mail.add("own", childOf(args{"jobId": "own"}))}},
		)
	}
	return append(rows, append(rowsOfRunningParents(), []row{
		{name: "add a flow", wire: "4.4 8", ops: []op{addsFlow(boss.node("par", nil, mail.node("a", nil), mail.node("b", args{"priority": 2}), mail.node("c", args{"delay": 5000}), mail.node("d", args{"lifo": true})))}},
		{name: "add a flow in one queue", wire: "4.4", ops: []op{addsFlow(mail.node("par", nil, mail.node("a", nil)))}},
		{name: "add a flow without children", wire: "4.4", ops: []op{addsFlow(boss.node("par", args{"priority": 2}))}},
		{name: "add a flow of generations", wire: "4.4", ops: []op{addsFlow(boss.node("root", args{"priority": 3}, boss.node("middle", args{"delay": 9000, "failParentOnFailure": true}, mail.node("a", nil)), mail.node("aunt", nil)))}},
		{name: "add a flow whose root exists", wire: "4.4 3.2", start: []op{boss.add("par", args{"jobId": "par"})}, ops: []op{addsFlow(boss.node("par", nil, mail.node("a", nil)))}},
		{name: "add a flow to paused queues", wire: "4.4 4.17", start: []op{mail.pauses(), boss.pauses()}, ops: []op{addsFlow(boss.node("par", nil, mail.node("a", nil)))}},
	}...)...)
}

// rowsOfRunningParents add children to a parent that runs, and let it wait for them.
func rowsOfRunningParents() []row {
	runs := []op{boss.add("par", args{"jobId": "par"}), boss.take()}
	child := onlyNode("add a child", "add", on(string(mail), args{"name": "a", "opts": childOf(args{"jobId": "a"})}))
	with := func(more ...op) []op { return append(runs[:2:2], more...) }
	family := withSister(boss, nil, args{"ignoreDependencyOnFailure": true})
	return []row{
		{name: "add children to a parent that runs", wire: "4.4 4.1", start: runs, ops: []op{
			mail.add("a", childOf(nil)), mail.add("b", childOf(args{"priority": 3, "failParentOnFailure": true})), mail.add("c", childOf(args{"delay": 5000, "jobId": "c"})),
		}},
		{name: "add a child to a parent that is gone", wire: "4.4 13 3.3", ops: []op{mail.add("a", childOf(nil))}},
		{name: "add a child of another parent", wire: "3.2 13", start: append([]op{flow(boss.node("other", nil, mail.node("own", nil)))}, runs...), ops: []op{
			mail.add("own", childOf(args{"jobId": "own"})),
		}},
		{name: "wait for children", wire: "4.15 8", start: with(child), ops: []op{boss.awaitsChildren("par", ""), mail.take(), mail.done("a"), boss.take()}},
		{name: "wait for one child", wire: "4.15", start: with(child), ops: []op{boss.awaitsChildren("par", "a")}},
		{name: "wait for a child that does not pend", wire: "4.15", start: with(child), ops: []op{boss.awaitsChildren("par", "x")}},
		{name: "wait for nothing", wire: "4.15", start: runs, ops: []op{boss.awaitsChildren("par", "")}},
		{name: "wait without a lock", wire: "4.15 13", start: with(child, does("DEL", "bull:p:par:lock")), ops: []op{boss.awaitsChildren("par", "")}},
		{name: "wait with the lock of another", wire: "4.15 13", start: with(child, does("SET", "bull:p:par:lock", "u")), ops: []op{boss.awaitsChildren("par", "")}},
		{name: "wait when a child has failed", wire: "4.15 13", start: with(child, does("ZADD", "bull:p:par:unsuccessful", 1, "bull:q:x")), ops: []op{boss.awaitsChildren("par", "")}},
		{name: "wait though not active", wire: "4.15 13", start: with(child, does("LREM", "bull:p:active", 1, "par")), ops: []op{boss.awaitsChildren("par", "")}},
		{name: "leave a parent", wire: "4.20", start: []op{family}, ops: []op{mail.leavesParent("bad"), mail.leavesParent("good")}},
		{name: "leave a parent that is gone", wire: "4.20 13", start: []op{family, does("DEL", "bull:p:par")}, ops: []op{mail.leavesParent("bad")}},
		{name: "leave a parent after the end", wire: "4.20", start: []op{family, mail.take(), mail.done("bad")}, ops: []op{mail.leavesParent("bad")}},
		{name: "remove pending children", wire: "4.20", start: []op{alone(boss, nil, nil)}, ops: []op{boss.removesUnprocessed("par")}},
		{name: "remove pending children but one that runs", wire: "4.20", start: []op{family, mail.take()}, ops: []op{boss.removesUnprocessed("par")}},
		{name: "remove pending children but one that failed", wire: "4.20", start: []op{withSister(boss, nil, nil), mail.take(), mail.failed("bad")}, ops: []op{boss.removesUnprocessed("par")}},
		{name: "read children", wire: "12.3", start: []op{
			flow(boss.node("par", nil, mail.node("a", nil), mail.node("b", args{"ignoreDependencyOnFailure": true}), mail.node("c", nil), mail.node("d", args{"failParentOnFailure": true}))),
			mail.takes(4, "t", nil), mail.ends("a", end{value: args{"n": 1}}), mail.failed("b"), mail.failed("d"),
		}, ops: []op{boss.readsChildren("par"), boss.readsState("par")}},
	}
}
