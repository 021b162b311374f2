package interop

// rowsOfChanges are wire section 4.14.
func rowsOfChanges() []row {
	delayed := mail.adds(
		job("a", args{"delay": 3 * hour}), job("b", args{"delay": hour}), job("c", args{"delay": 2 * hour, "priority": 3}),
		job("d", args{"delay": hour, "lifo": true}), job("e", nil),
	)
	waiting := mail.adds(
		job("a", nil), job("b", nil), job("c", nil), job("d", args{"priority": 2}), job("e", args{"priority": 5}), job("f", args{"priority": 5}),
	)
	finished := []op{mail.adds(job("a", nil), job("b", nil)), mail.takes(2, "t", nil), mail.done("1"), mail.failed("2")}
	return []row{
		{name: "promote", wire: "4.14 8", start: []op{delayed}, ops: []op{mail.promotes("1"), mail.promotes("3"), mail.promotes("4"), mail.promotes("2")}},
		{name: "promote in a paused queue", wire: "4.14 4.17", start: []op{delayed, mail.pauses()}, ops: []op{mail.promotes("1"), mail.promotes("3")}},
		{name: "promote in a paused queue that has none waiting", wire: "4.14 4.17", start: []op{mail.add("a", args{"delay": hour}), mail.pauses()}, ops: []op{mail.promotes("1")}},
		{name: "promote in a maxed queue", wire: "4.14 6", start: []op{mail.limits(1), delayed, mail.take()}, ops: []op{mail.promotes("1")}},
		{
			name: "promote all", wire: "4.14 4.19", start: []op{delayed}, ops: []op{mail.promotesAll("2", "4", "3", "1")},
			kept: []kept{{id: "many-as-one", differs: []string{
				"q:1#delay", "q:2#delay", "q:3#delay", "q:4#delay", "q:wait", "q:prioritized#3", "q:pc",
			}}},
		},
		{
			name: "promote all without a priority", wire: "4.14 4.19", start: []op{mail.adds(job("a", args{"delay": 2000}), job("b", args{"delay": 1000}))},
			ops:  []op{mail.promotesAll("2", "1")},
			kept: []kept{{id: "many-as-one", differs: []string{"q:1#delay", "q:2#delay"}}},
		},
		{name: "promote all of none", wire: "4.14", start: []op{mail.add("a", nil)}, ops: []op{mail.promotesAll()}},
		{name: "change the delay", wire: "4.14 5.1", start: []op{delayed}, ops: []op{
			mail.changesDelay("2", 4*hour), mail.changesDelay("1", 5*hour), passes(1000), mail.changesDelay("3", 1), mail.changesDelay("4", 0), mail.take(),
		}},
		{name: "change the delay to that of another", wire: "4.14 5.1", start: []op{delayed}, ops: []op{mail.changesDelay("1", hour), mail.changesDelay("2", hour)}},
		{name: "change the delay in a paused queue", wire: "4.14 4.17", start: []op{delayed, mail.pauses()}, ops: []op{mail.changesDelay("1", 10)}},
		{name: "change the priority of what waits", wire: "4.14 5.2", start: []op{waiting}, ops: []op{
			mail.changesPriority("2", 5, false), mail.changesPriority("6", 0, false), mail.changesPriority("4", 5, false),
			mail.changesPriority("3", 2, false), mail.changesPriority("1", 0, false),
		}},
		{
			name: "change the priority of what waits, to the front", wire: "4.14 5.2", start: []op{waiting, does("DEL", "bull:q:marker")}, ops: []op{
				mail.changesPriority("5", 2, true),
			},
			kept: []kept{{id: "wake-for-changed-priority", differs: []string{"q:marker#0"}}},
		},
		{name: "change the priority to none, to the front", wire: "4.14 5.3", start: []op{waiting}, ops: []op{
			mail.changesPriority("4", 0, true), mail.changesPriority("1", 0, true), mail.changesPriority("2", 7, true),
		}},
		{name: "change the priority of what is delayed", wire: "4.14", start: []op{delayed}, ops: []op{
			mail.changesPriority("1", 7, false), mail.changesPriority("3", 0, false), mail.promotes("1"), mail.promotes("3"),
		}},
		{name: "change the priority of what is active", wire: "4.14", start: []op{waiting, mail.take()}, ops: []op{mail.changesPriority("1", 7, false)}},
		{name: "change the priority of what has finished", wire: "4.14", start: finished, ops: []op{mail.changesPriority("1", 7, false), mail.changesPriority("2", 7, true)}},
		{name: "change the priority in a paused queue", wire: "4.14 4.17", start: []op{waiting, mail.pauses()}, ops: []op{
			mail.changesPriority("2", 5, false), mail.changesPriority("6", 0, false), mail.changesPriority("1", 0, true),
		}},
		{name: "change the data", wire: "4.14", start: []op{waiting}, ops: []op{
			mail.updatesData("1", args{"x": []int{1}}), mail.updatesData("2", "text"), mail.updatesData("3", nil),
		}},
		{name: "change the progress", wire: "4.14 8", start: []op{waiting, mail.take()}, ops: []op{
			mail.updatesProgress("1", args{"p": 1, "t": "ü/<"}), mail.updatesProgress("1", 50), mail.updatesProgress("4", "half"), mail.updatesProgress("5", true),
		}},
		{name: "log", wire: "4.14", start: []op{waiting, mail.add("g", args{"keepLogs": 2})}, ops: []op{
			mail.logs("1", "one", 0), mail.logs("1", "two\nlines", 0), mail.logs("1", "", 0), mail.logs("7", "one", 2), mail.logs("7", "two", 2), mail.logs("7", "three", 2),
		}},
		{name: "clear logs", wire: "4.14", start: []op{
			waiting, mail.logs("1", "one", 0), mail.logs("1", "two", 0), mail.logs("1", "three", 0), mail.logs("2", "one", 0),
		}, ops: []op{mail.clearsLogs("1", 2), mail.clearsLogs("1", 5), mail.clearsLogs("1", 0), mail.clearsLogs("2", 0), mail.clearsLogs("3", 0)}},
	}
}

// rowsOfRetries are wire sections 4.18 and 4.19.
func rowsOfRetries() []row {
	// Three failed and three completed, one second apart.
	start := []op{mail.adds(
		job("a", args{"attempts": 2}), job("b", args{"priority": 3}), job("c", args{"lifo": true}), job("d", nil), job("e", args{"priority": 1}), job("f", nil),
	)}
	for i, id := range []string{"3", "1", "4", "6", "1", "5", "2"} {
		e := end{value: i}
		if id < "4" {
			e = end{fail: "boom"}
		}
		start = append(start, mail.takes(1, "t", crew{"name": "ann"}), mail.ends(id, e), passes(1000))
	}
	start = append(start, mail.updatesProgress("1", 5), does("HSET", "bull:q:3", "stc", 1))
	onlyInWait := []kept{{id: "retry-with-priority", major: 5, differs: []string{"q:wait", "q:prioritized#2", "q:pc"}}}
	return []row{
		{name: "retry what has failed", wire: "4.18 4.25", start: start, ops: []op{mail.retries("1", "failed", false), mail.retries("3", "failed", false)}},
		{name: "retry what has failed with a priority", wire: "4.18 5.2", start: start, ops: []op{mail.retries("2", "failed", false)}, kept: onlyInWait},
		{name: "retry what has completed", wire: "4.18", start: start, ops: []op{mail.retries("4", "completed", false), mail.retries("6", "completed", false)}},
		{name: "retry from the beginning", wire: "4.18 4.25", start: start, ops: []op{mail.retries("1", "failed", true), mail.retries("4", "completed", true)}},
		{name: "retry in a paused queue", wire: "4.18 4.17", start: append(start[:len(start):len(start)], mail.pauses()), ops: []op{mail.retries("1", "failed", false)}},
		{name: "retry in a maxed queue", wire: "4.18 6", start: append(start[:len(start):len(start)], mail.limits(1), mail.add("x", nil), mail.take()), ops: []op{mail.retries("1", "failed", false)}},
		{name: "retry and run again", wire: "4.18 4.6", start: start, ops: []op{
			mail.retries("1", "failed", false), mail.take(), mail.failed("1"), mail.retries("1", "failed", false), mail.take(), mail.done("1"),
		}},
		{
			name: "retry all that failed", wire: "4.19", start: start, ops: []op{mail.retriesAll("failed", "3", "1", "2")},
			kept: []kept{{id: "many-as-one", differs: []string{"q:wait", "q:prioritized#2", "q:pc"}}},
		},
		{
			name: "retry all that completed", wire: "4.19", start: start, ops: []op{mail.retriesAll("completed", "4", "6", "5")},
			kept: []kept{{id: "many-as-one", differs: []string{"q:wait", "q:prioritized#5", "q:pc"}}},
		},
		{name: "retry all, standard ones alone", wire: "4.19", start: []op{
			mail.adds(job("a", nil), job("b", nil), job("c", nil)), mail.take(), mail.failed("1"), passes(1), mail.take(), mail.failed("2"), passes(1), mail.take(), mail.failed("3"),
		}, ops: []op{mail.retriesAll("failed", "1", "2", "3")}},
		{name: "retry all of none", wire: "4.19", start: []op{mail.add("a", nil)}, ops: []op{mail.retriesAll("failed")}},
	}
}
