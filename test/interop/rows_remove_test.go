package interop

// fullHouse has jobs in every state but waiting-children: 1 to 3 wait (3 in front), 4 and 5 have priorities, 6 and 7
// are delayed, 8 is active with a lock, 9 has completed and 10 has failed.
func fullHouse() []op {
	return []op{
		mail.adds(job("h", nil), job("i", nil), job("j", nil)),
		mail.takes(3, "t", crew{"name": "ann"}), mail.ends("2", end{value: 1}), mail.ends("3", end{fail: "boom"}), mail.logs("3", "row", 0),
		passes(1000), mail.adds(job("a", nil), job("b", nil), job("c", args{"lifo": true})),
		passes(1000), mail.adds(job("d", args{"priority": 2}), job("e", args{"priority": 1}), job("f", args{"delay": hour}), job("g", args{"delay": minute})),
	}
}

// rowsOfRemovals are wire section 4.20.
func rowsOfRemovals() []row {
	house := fullHouse()
	with := func(more ...op) []op { return append(house[:len(house):len(house)], more...) }
	unlocked := does("DEL", "bull:q:1:lock")
	return []row{
		{name: "remove what waits", wire: "4.20 8", start: house, ops: []op{mail.removes("5", true), mail.removes("6", false), mail.removes("4", true)}},
		{name: "remove what has a priority", wire: "4.20", start: house, ops: []op{mail.removes("7", true), mail.removes("8", false)}},
		{name: "remove what is delayed", wire: "4.20", start: house, ops: []op{mail.removes("9", true), mail.removes("10", false)}},
		{name: "remove what has finished", wire: "4.20", start: house, ops: []op{mail.removes("2", true), mail.removes("3", false)}},
		{name: "remove what is locked", wire: "4.20 13", start: house, ops: []op{mail.removes("1", true), mail.removes("1", false)}},
		{name: "remove what is active without a lock", wire: "4.20", start: with(unlocked), ops: []op{mail.removes("1", true)}},
		{
			name: "remove a suspect", wire: "4.20 4.13", start: with(mail.checksStalled(1), unlocked), ops: []op{mail.removes("1", false)},
			kept: []kept{{id: "removed-suspects", differs: []string{"q:stalled#1"}}},
		},
		{name: "remove from a paused queue", wire: "4.20 4.17", start: with(mail.pauses()), ops: []op{mail.removes("5", true), mail.removes("7", true)}},
		{
			name: "remove what is not there", wire: "4.20 13", start: house, ops: []op{mail.removes("99", true)},
			kept: []kept{{id: "remove-unknown", differs: []string{"answer"}}},
		},
		{
			name: "remove what is in no list", wire: "4.20", start: with(does("LREM", "bull:q:wait", 1, "5")), ops: []op{mail.removes("5", false)},
		},
	}
}

// rowsOfSweeps are wire sections 4.21 to 4.23.
func rowsOfSweeps() []row {
	house := fullHouse()
	with := func(more ...op) []op { return append(house[:len(house):len(house)], more...) }
	var rows []row
	for _, state := range []string{"waiting", "prioritized", "delayed", "completed", "failed", "active"} {
		for _, grace := range []int64{0, 1500, hour} {
			name := map[int64]string{0: "", 1500: " that is old", hour: " that is very old"}[grace]
			rows = append(rows, row{name: "clean " + state + name, wire: "4.21 8", start: house, ops: []op{mail.cleans(state, grace, 0)}})
		}
	}
	unlocked := does("DEL", "bull:q:1:lock")
	return append(rows, append(rowsOfDrains(), []row{
		{name: "clean active without a lock", wire: "4.21", start: with(unlocked), ops: []op{mail.cleans("active", 0, 0)}},
		{name: "clean active without a lock in a maxed queue", wire: "4.21 6", start: with(mail.limits(1), unlocked, does("DEL", "bull:q:marker")), ops: []op{mail.cleans("active", 0, 0)}, kept: []kept{
			{id: "wake-for-free-slots", differs: []string{"q:marker#0"}},
		}},
		{name: "clean two of prioritized", wire: "4.21", start: []op{
			mail.adds(job("a", args{"priority": 1}), job("b", args{"priority": 1}), job("c", args{"priority": 2})),
		}, ops: []op{mail.cleans("prioritized", 0, 2)}},
		{name: "clean one of completed", wire: "4.21", start: []op{
			mail.adds(job("a", nil), job("b", nil), job("c", nil)), mail.takes(3, "t", nil), mail.done("1"), passes(10), mail.done("2"), passes(10), mail.done("3"),
		}, ops: []op{mail.cleans("completed", 0, 1), mail.cleans("completed", 5, 0), mail.cleans("completed", 0, 0)}},
		{
			name: "clean goes on behind what is kept", wire: "4.21", start: []op{
				mail.adds(job("a", args{"delay": 10, "timestamp": stageTime}), job("b", args{"delay": hour, "timestamp": stageTime - minute})),
			}, ops: []op{mail.cleans("delayed", 1000, 1)},
			kept: []kept{{id: "clean-goes-on", differs: []string{
				"answer", "q:2#data", "q:2#delay", "q:2#name", "q:2#opts", "q:2#priority", "q:2#timestamp", "q:delayed#2", "q:events cleaned",
			}}},
		},
		{name: "clean the next job of a scheduler", wire: "4.21 7.1", start: []op{
			mail.add("a", args{"jobId": "repeat:s:1"}), does("HSET", "bull:q:repeat:s:1", "rjk", "s"), does("ZADD", "bull:q:repeat", 1, "s"), mail.add("b", nil),
		}, ops: []op{mail.cleans("waiting", 0, 0)}},
		{name: "obliterate", wire: "4.23", start: with(unlocked, mail.removes("1", false)), ops: []op{mail.obliterates(false)}},
		{name: "obliterate with force", wire: "4.23", start: house, ops: []op{mail.obliterates(true)}},
		{name: "obliterate what is active", wire: "4.23 13", start: house, ops: []op{mail.obliterates(false)}},
		{name: "obliterate a paused queue", wire: "4.23 4.17", start: with(unlocked, mail.removes("1", false), mail.pauses()), ops: []op{mail.obliterates(false)}},
		{
			name: "obliterate what Node leaves", wire: "4.23", start: with(does("SET", "bull:q:limiter", 1, "PX", 60_000), does("SET", "bull:q:de:x", "99"), does("HSET", "bull:q:dn:x", "name", "x"), does("SET", "bull:q:7:lock", "t")),
			ops:  []op{mail.obliterates(true)},
			kept: []kept{{id: "obliterate-all", differs: []string{"q:limiter", "q:limiter expires", "q:de:x", "q:dn:x#name", "q:7:lock"}}},
		},
	}...)...)
}

// rowsOfDrains are wire section 4.22.
func rowsOfDrains() []row {
	house := fullHouse()
	with := func(more ...op) []op { return append(house[:len(house):len(house)], more...) }
	return []row{
		{name: "drain", wire: "4.22", start: house, ops: []op{mail.drains(false)}},
		{name: "drain delayed jobs too", wire: "4.22", start: house, ops: []op{mail.drains(true)}},
		{name: "drain a paused queue", wire: "4.22 4.17", start: with(mail.pauses()), ops: []op{mail.drains(false)}},
		{name: "drain what is empty", wire: "4.22", ops: []op{mail.drains(true)}},
		{name: "drain around the next job of a scheduler", wire: "4.22 7.1", start: []op{
			mail.add("b", args{"jobId": "repeat:s:1"}), does("HSET", "bull:q:repeat:s:1", "rjk", "s"), does("ZADD", "bull:q:repeat", 1, "s"), mail.add("a", nil), mail.add("c", nil),
		}, ops: []op{mail.drains(false)}},
		{
			name: "drain where Node trims the wrong jobs", wire: "4.22 7.1", start: []op{
				mail.add("a", nil), mail.add("b", args{"jobId": "repeat:s:1"}), does("HSET", "bull:q:repeat:s:1", "rjk", "s"), does("ZADD", "bull:q:repeat", 1, "s"), mail.add("c", nil),
			}, ops: []op{mail.drains(false)},
			kept: []kept{{id: "drain-keeps-schedules", differs: []string{"q:wait"}}},
		},
	}
}
