package interop

import "fmt"

// rowsOfFailures are wire sections 4.8 to 4.11.
func rowsOfFailures() []row {
	var rows []row
	for _, b := range []struct {
		name    string
		backoff any
	}{
		{"no backoff", nil},
		{"a number", 1000},
		{"fixed", args{"type": "fixed", "delay": 1500}},
		{"fixed with jitter", args{"type": "fixed", "delay": 1000, "jitter": 0.5}},
		{"fixed, all jitter", args{"type": "fixed", "delay": 333, "jitter": 1}},
		{"exponential", args{"type": "exponential", "delay": 700}},
		{"exponential with jitter", args{"type": "exponential", "delay": 333, "jitter": 0.3}},
		{"fixed, no delay", args{"type": "fixed", "delay": 0}},
	} {
		opts := args{"attempts": 4}
		if b.backoff != nil {
			opts["backoff"] = b.backoff
		}
		var ops []op
		for i := range 4 {
			ops = append(ops, mail.takes(1, fmt.Sprint("t", i), nil), mail.ends("1", end{fail: fmt.Sprint("boom ", i), token: fmt.Sprint("t", i)}), passes(hour))
		}
		rows = append(rows, row{name: "backoff is " + b.name, wire: "4.8 4.9 4.10 2.2", start: []op{mail.add("a", opts)}, ops: ops})
	}
	for _, limit := range []int{0, 1, 2} {
		var ops []op
		for i := range 3 {
			ops = append(ops, mail.take(), mail.ends("1", end{fail: fmt.Sprint("boom ", i)}))
		}
		rows = append(rows, row{
			name: fmt.Sprintf("%d stack traces are kept", limit), wire: "4.8",
			start: []op{mail.add("a", args{"attempts": 3, "stackTraceLimit": limit})}, ops: ops,
		})
	}
	again := args{"attempts": 3}
	later := args{"attempts": 3, "backoff": 1000}
	next := end{fail: "boom", next: true}
	return append(rows, []row{
		{name: "a strategy of its own", wire: "4.8", start: []op{
			mail.add("a", args{"attempts": 3, "backoff": args{"type": "custom", "delay": 700}}), mail.takes(1, "t", crew{"backoffs": []int{5000}}),
		}, ops: []op{mail.ends("1", end{fail: "boom", by: crew{"backoffs": []int{5000}}})}, kept: []kept{{id: "own-backoffs", differs: []string{
			"q:1#delay", "q:delayed#1", "q:marker#1", "q:events delayed 1",
		}}}},
		{name: "try again at once", wire: "4.10 5.3", start: []op{mail.adds(job("a", again), job("b", nil), job("c", nil)), mail.take()}, ops: []op{mail.failed("1")}},
		{name: "try again at once, in front", wire: "4.10 5.3", start: []op{
			mail.adds(job("a", args{"attempts": 3, "lifo": true}), job("b", nil)), mail.take(),
		}, ops: []op{mail.failed("1")}},
		{name: "try again at once, with a priority", wire: "4.10 5.2", start: []op{
			mail.adds(job("a", args{"attempts": 3, "priority": 2}), job("b", args{"priority": 2})), mail.take(),
		}, ops: []op{mail.failed("1")}},
		{name: "try again at once while others come due", wire: "4.10 4.5", start: []op{
			mail.adds(job("a", again), job("b", args{"delay": 1000}), job("c", args{"delay": 500, "priority": 1})), mail.take(), passes(1000),
		}, ops: []op{mail.failed("1")}},
		{name: "try again at once in a paused queue", wire: "4.10 4.17", start: []op{mail.adds(job("a", again), job("b", nil)), mail.take(), mail.pauses()}, ops: []op{mail.failed("1")}},
		{name: "try again at once in a paused queue that is empty", wire: "4.10 4.17", start: []op{mail.add("a", again), mail.take(), mail.pauses()}, ops: []op{mail.failed("1")}},
		{name: "try again at once in a maxed queue", wire: "4.10 6", start: []op{
			mail.limits(2), mail.adds(job("a", again), job("b", again)), mail.takes(2, "t", nil), mail.limits(1),
		}, ops: []op{mail.failed("1"), mail.failed("2")}},
		{name: "try again later and take the next", wire: "4.9 5.4", start: []op{mail.adds(job("a", later), job("b", later)), mail.take()}, ops: []op{
			mail.ends("1", next), mail.ends("2", next),
		}},
		{name: "try again later beside others", wire: "4.9 5.1", start: []op{mail.adds(job("a", later), job("b", args{"delay": 1000}), job("c", args{"delay": 10})), mail.take()}, ops: []op{
			mail.failed("1"),
		}},
		{name: "try again later with a priority", wire: "4.9 5.2", start: []op{
			mail.add("a", args{"attempts": 3, "backoff": 1000, "priority": 3}), mail.take(),
		}, ops: []op{mail.failed("1"), passes(1000), mail.take()}},
		{name: "postponed by its handler", wire: "4.9 4.25", start: []op{mail.add("a", again), mail.take()}, ops: []op{mail.postpones("1", 2500)}},
		{name: "postponed by nothing", wire: "4.9", start: []op{mail.add("a", again), mail.take()}, ops: []op{mail.postpones("1", 0), mail.take()}},
		{name: "given back", wire: "4.11 5.3", start: []op{mail.adds(job("a", nil), job("b", nil)), mail.take()}, ops: []op{mail.givesBack("1")}},
		{
			name: "given back with a priority", wire: "4.11 5.2", start: []op{
				mail.adds(job("a", args{"priority": 2}), job("b", args{"priority": 2})), mail.take(), does("DEL", "bull:q:marker"),
			}, ops: []op{mail.givesBack("1")},
			kept: []kept{{id: "wake-for-given-back", differs: []string{"q:marker#0"}}},
		},
		{name: "given back to a paused queue", wire: "4.11 4.17", start: []op{mail.adds(job("a", nil), job("b", nil)), mail.take(), mail.pauses()}, ops: []op{mail.givesBack("1")}},
	}...)
}

// rowsOfLocks are wire sections 4.12 and 4.13.
func rowsOfLocks() []row {
	two := []op{mail.adds(job("a", nil), job("b", args{"priority": 2})), mail.takes(2, "t", nil)}
	lost := func(more ...op) []op {
		return append(append(two[:2:2], mail.checksStalled(1), does("DEL", "bull:q:1:lock", "bull:q:2:lock", "bull:q:stalled-check")), more...)
	}
	check := []op{mail.checksStalled(1)}
	return []row{
		{name: "renew locks", wire: "4.12", start: two, ops: []op{mail.extends("t", 60_000, "1", "2")}},
		{name: "renew locks of suspects", wire: "4.12 4.13", start: append(two[:2:2], check...), ops: []op{mail.extends("t", 60_000, "1")}},
		{name: "renew locks of others", wire: "4.12 13", start: two, ops: []op{mail.extends("u", 60_000, "1", "2")}},
		{name: "renew locks that have gone", wire: "4.12 13", start: append(two[:2:2], does("DEL", "bull:q:1:lock")), ops: []op{mail.extends("t", 60_000, "1", "2", "9")}},
		{name: "suspect what is active", wire: "4.13", start: two, ops: []op{mail.checksStalled(1), mail.checksStalled(1)}},
		{name: "suspect nothing", wire: "4.13", ops: check},
		{name: "recover", wire: "4.13 4.25 5.3", start: lost(), ops: check},
		{name: "recover nothing that is locked", wire: "4.13", start: append(two[:2:2], mail.checksStalled(1), does("DEL", "bull:q:stalled-check")), ops: check},
		{name: "recover one of two", wire: "4.13", start: lost(does("SET", "bull:q:2:lock", "t", "PX", 60_000)), ops: check},
		{name: "recover in a paused queue", wire: "4.13 4.17", start: lost(mail.pauses()), ops: check},
		{name: "recover in a paused queue with waiting jobs", wire: "4.13 4.17", start: lost(mail.add("c", nil), mail.pauses()), ops: check},
		{name: "recover in a maxed queue", wire: "4.13 6", start: lost(mail.limits(1)), ops: check},
		{name: "recover too often", wire: "4.13", start: lost(does("HSET", "bull:q:1", "stc", 1), does("HSET", "bull:q:2", "stc", 4)), ops: []op{
			mail.checksStalled(1), mail.take(),
		}},
		{name: "recover too often and fail", wire: "4.13", major: 6, start: lost(does("HSET", "bull:q:2", "stc", 4)), ops: []op{
			mail.checksStalled(1), mail.take(), mail.ends("2", end{fail: "job stalled more than allowable limit", fatal: true}), mail.take(),
		}},
		{name: "recover when none is allowed to stall", wire: "4.13", start: lost(), ops: []op{mail.checksStalled(0)}},
		{name: "recover jobs of a scheduler", wire: "4.13 7.4", start: lost(
			does("HSET", "bull:q:1", "stc", 5, "rjk", "s"), does("ZADD", "bull:q:repeat", stageTime, "s"), does("HSET", "bull:q:2", "stc", 5, "rjk", "gone"),
		), ops: check},
		{name: "recover what has finished meanwhile", wire: "4.13", start: lost(does("SET", "bull:q:1:lock", "t"), mail.done("1")), ops: check},
		{
			name: "recover what was removed", wire: "4.13", start: lost(does("DEL", "bull:q:1")), ops: check,
			kept: []kept{{id: "ghosts", differs: []string{"q:1#stc", "q:wait", "q:events waiting 1", "q:events stalled 1"}}},
		},
	}
}
