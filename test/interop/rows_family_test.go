package interop

import "fmt"

// boss is the queue of parents whose children are in mail.
const boss place = "p"

// onlyNode is something that begins a row and that our engine is not asked for.
func onlyNode(name, request string, with args) op {
	return op{name, func(s *stage) any { return s.ask(request, with, nil) }, func(s *stage) any {
		s.t.Fatalf("our engine was asked to %s", name)
		return nil
	}}
}

// node is one job of a flow.
func (q place) node(id string, opts args, children ...args) args {
	all := args{"jobId": id}
	for name, value := range opts {
		all[name] = value
	}
	return args{"name": id, "queueName": string(q), "data": args{"n": id}, "opts": all, "children": children}
}

// flow is a flow that Node adds.
func flow(root args) op { return onlyNode("add a flow", "addFlow", args{"flow": root}) }

// alone and withSister are parents of the child "bad", with these options of parent and child.
func alone(q place, parent, bad args) op { return flow(q.node("par", parent, mail.node("bad", bad))) }

func withSister(q place, parent, bad args) op {
	return flow(q.node("par", parent, mail.node("bad", bad), mail.node("good", nil)))
}

// failureOptions are the four things that a child may say of its failure, and nothing.
var failureOptions = []string{"", "failParentOnFailure", "continueParentOnFailure", "ignoreDependencyOnFailure", "removeDependencyOnFailure"}

// rowsOfFamilies are wire sections 4.16 and what 4.6, 4.7, 4.18 and 4.20 say of parents.
func rowsOfFamilies() []row {
	var rows []row
	moved := func(q place, to ...any) []op {
		return []op{does("ZREM", "bull:"+string(q)+":waiting-children", "par"), does(to...)}
	}
	states := []struct {
		name string
		q    place
		opts args
		then func(q place) []op
	}{
		{"waits", boss, nil, nil},
		{"in the same queue waits", mail, nil, nil},
		{"with a priority waits", boss, args{"priority": 3}, nil},
		{"with a delay waits", boss, args{"delay": 5000}, nil},
		{"in a paused queue waits", boss, nil, func(q place) []op { return []op{q.pauses()} }},
		{"in a maxed queue waits", boss, nil, func(q place) []op {
			return []op{q.limits(1), does("LPUSH", "bull:"+string(q)+":active", "x")}
		}},
		{"is delayed", boss, args{"delay": 5000}, func(q place) []op { return moved(q, "ZADD", "bull:p:delayed", (stageTime+5000)*4096, "par") }},
		{"is active", boss, nil, func(q place) []op { return moved(q, "LPUSH", "bull:p:active", "par") }},
		{"is waiting", boss, nil, func(q place) []op { return moved(q, "LPUSH", "bull:p:wait", "par") }},
		{"has failed", boss, nil, func(q place) []op { return moved(q, "ZADD", "bull:p:failed", stageTime, "par") }},
		{"has completed", boss, nil, func(q place) []op { return moved(q, "ZADD", "bull:p:completed", stageTime, "par") }},
		{"is gone", boss, nil, func(q place) []op { return moved(q, "DEL", "bull:p:par") }},
	}
	for _, option := range failureOptions {
		bad := args{}
		if option != "" {
			bad[option] = true
		}
		for _, state := range states {
			for _, sisters := range []bool{false, true} {
				begin := alone
				name := fmt.Sprintf("a child fails with %q, its parent %s", option, state.name)
				if sisters {
					begin = withSister
					name += " and has another child"
				}
				start := []op{begin(state.q, state.opts, bad), mail.take()}
				if state.then != nil {
					start = append(start, state.then(state.q)...)
				}
				r := row{name: name, wire: "4.16 4.0", start: start, ops: []op{mail.failed("bad")}}
				if state.name == "is gone" && option != "" {
					r.kept = []kept{{id: "parents-gone", differs: recordsOf(option)}}
				}
				rows = append(rows, r)
			}
		}
		again := args{option: true, "attempts": 2}
		forgotten := args{option: true, "removeOnFail": true}
		if option == "" {
			delete(again, option)
			delete(forgotten, option)
		}
		rows = append(rows,
			row{name: fmt.Sprintf("a child fails with %q and attempts left", option), wire: "4.16", start: []op{alone(boss, nil, again), mail.take()}, ops: []op{mail.failed("bad")}},
			row{name: fmt.Sprintf("a child fails with %q and is forgotten", option), wire: "4.16 4.7", start: []op{alone(boss, nil, forgotten), mail.take()}, ops: []op{mail.failed("bad")}},
			row{name: fmt.Sprintf("a child fails with %q and is retried", option), wire: "4.16 4.18", start: []op{withSister(boss, nil, bad), mail.take(), mail.failed("bad")}, ops: []op{
				mail.retries("bad", "failed", false), mail.takes(2, "t", nil), mail.done("bad"), mail.done("good"),
			}},
			row{name: fmt.Sprintf("a child fails with %q and is removed", option), wire: "4.16 4.20", start: []op{alone(boss, nil, bad), mail.take(), mail.failed("bad")}, ops: []op{
				mail.removes("bad", false),
			}},
		)
	}
	return append(rows, append(rowsOfChildren(), rowsOfRemovedFamilies()...)...)
}

// recordsOf are the records of a parent that a child's failure changes.
func recordsOf(option string) []string {
	paths := []string{"p:par:dependencies#bull:q:bad"}
	switch option {
	case "failParentOnFailure":
		paths = append(paths, "p:par:unsuccessful#bull:q:bad")
	case "continueParentOnFailure", "ignoreDependencyOnFailure":
		paths = append(paths, "p:par:failed#bull:q:bad")
	}
	return paths
}

// rowsOfChildren let children complete, and parents end.
func rowsOfChildren() []row {
	both := withSister(boss, args{"priority": 2}, nil)
	failing := args{"failParentOnFailure": true}
	deep := flow(boss.node("root", nil, boss.node("middle", failing, mail.node("bad", failing))))
	return []row{
		{name: "children complete", wire: "4.6 4.0", start: []op{both, mail.takes(2, "t", nil)}, ops: []op{
			mail.ends("bad", end{value: args{"n": 1.5}}), mail.ends("good", end{value: "x"}), boss.take(), boss.done("par"),
		}},
		{name: "children complete and are forgotten", wire: "4.6 4.7", start: []op{
			withSister(boss, nil, args{"removeOnComplete": true}), mail.takes(2, "t", nil),
		}, ops: []op{mail.done("bad"), mail.done("good")}},
		{name: "children complete under a delayed parent", wire: "4.0", start: []op{alone(boss, args{"delay": 5000}, nil), mail.take()}, ops: []op{
			mail.done("bad"), boss.take(), passes(5000), boss.take(),
		}},
		{name: "a completed child is retried", wire: "4.18", start: []op{both, mail.takes(2, "t", nil), mail.done("bad")}, ops: []op{
			mail.retries("bad", "completed", false), mail.takes(1, "t", nil), mail.done("bad"), mail.done("good"),
		}},
		{name: "a completed child is retried after its parent was released", wire: "4.18", start: []op{alone(boss, nil, nil), mail.take(), mail.done("bad")}, ops: []op{
			mail.retries("bad", "completed", false), boss.take(), boss.done("par"),
		}},
		{name: "complete with children pending", wire: "13 4.6", start: []op{
			both, does("ZREM", "bull:p:waiting-children", "par"), does("LPUSH", "bull:p:wait", "par"), boss.take(),
		}, ops: []op{boss.done("par"), boss.ends("par", end{fail: "gives up"})}},
		{name: "complete with a failed child", wire: "13 4.6", start: []op{alone(boss, nil, failing), mail.take(), mail.failed("bad"), does("HDEL", "bull:p:par", "defa"), boss.take()}, ops: []op{
			boss.done("par"), boss.ends("par", end{fail: "as its child", fatal: true}),
		}},
		{name: "a failure goes up", wire: "4.16", major: 6, start: []op{deep, mail.take()}, ops: []op{
			mail.failed("bad"), boss.take(), boss.ends("middle", end{fail: "child bull:q:bad failed", fatal: true}), boss.take(),
		}},
	}
}

// rowsOfRemovedFamilies remove parents and children.
func rowsOfRemovedFamilies() []row {
	one, two := alone(boss, nil, nil), withSister(boss, nil, nil)
	deep := flow(boss.node("root", nil, boss.node("middle", nil, mail.node("a", nil), mail.node("b", args{"priority": 1})), boss.node("aunt", args{"delay": hour})))
	same := flow(mail.node("root", nil, mail.node("middle", nil, mail.node("a", nil))))
	return []row{
		{name: "remove the last child", wire: "4.20 4.0", start: []op{one}, ops: []op{mail.removes("bad", false)}},
		{name: "remove one of two children", wire: "4.20 4.0", start: []op{two}, ops: []op{mail.removes("bad", true), mail.removes("good", true)}},
		{
			name: "remove the last child under a priority and a delay", wire: "4.20 4.0",
			start: []op{alone(boss, args{"priority": 3, "delay": 1000}, nil)}, ops: []op{mail.removes("bad", false)},
			kept: []kept{{id: "released-parents", differs: []string{"p:par#delay", "p:pc", "p:prioritized#par", "p:wait"}}},
		},
		{name: "remove a parent alone", wire: "4.20", start: []op{two}, ops: []op{boss.removes("par", false)}},
		{name: "remove a parent of ended children with all of them", wire: "4.20", start: []op{two, mail.takes(2, "t", nil), mail.done("bad"), mail.done("good")}, ops: []op{boss.removes("par", true)}},
		{name: "remove a parent whose child is locked", wire: "4.20 13", start: []op{two, mail.take()}, ops: []op{boss.removes("par", true)}},
		{name: "remove a grandparent whose grandchild is locked", wire: "4.20 13", start: []op{deep, mail.take()}, ops: []op{boss.removes("root", true)}},
		{
			name: "clean the last child", wire: "4.21 4.0", start: []op{one}, ops: []op{mail.cleans("waiting", 0, 0)},
			kept: []kept{{id: "released-parents", differs: []string{"p:events waiting par"}}},
		},
		{name: "clean children in the parent's queue", wire: "4.21 4.0", start: []op{same}, ops: []op{mail.cleans("waiting", 0, 0)}},
		{
			name: "drain children", wire: "4.22 4.0", start: []op{deep}, ops: []op{mail.drains(false)},
			kept: []kept{{id: "released-parents", differs: []string{"p:events waiting middle"}}},
		},
		{name: "drain children in the parent's queue", wire: "4.22 4.0", start: []op{same}, ops: []op{mail.drains(true)}},
	}
}
