package interop

// rowsOfClaims are wire sections 4.5 and 6.
func rowsOfClaims() []row {
	mixed := mail.adds(
		job("a", nil), job("b", args{"priority": 2}), job("c", args{"priority": 1}), job("d", args{"lifo": true}), job("e", nil),
		job("f", args{"priority": 1}),
	)
	delayed := mail.adds(
		job("a", args{"delay": 2000}), job("b", args{"delay": 1000}), job("c", args{"delay": 1000, "priority": 5}),
		job("d", args{"delay": 1000, "lifo": true}), job("e", args{"delay": hour}), job("f", nil), job("g", args{"priority": 5}),
	)
	one := func(n int) []op {
		all := make([]op, n)
		for i := range all {
			all[i] = mail.take()
		}
		return all
	}
	ann := crew{"name": "ann", "lockDuration": 5000}
	return append([]row{
		{name: "take one by one until there are none", wire: "4.5 5.2 5.4", start: []op{mixed}, ops: one(8)},
		{name: "take many at once", wire: "4.5", start: []op{mixed}, ops: []op{mail.takes(4, "t", nil), mail.takes(4, "u", ann)}},
		{name: "take as a named worker", wire: "4.5", start: []op{mixed}, ops: []op{mail.takes(1, "t1", ann), mail.takes(2, "t2", ann)}},
		{name: "take from nothing", wire: "4.5", ops: one(1)},
		{name: "take what is delayed", wire: "4.5 5.1", start: []op{delayed}, ops: []op{
			mail.take(), passes(999), mail.take(), mail.take(), passes(1), mail.take(), mail.take(), mail.take(), mail.take(),
			passes(5000), mail.take(), mail.take(),
		}},
		{name: "take all that is due", wire: "4.5 5.1", start: []op{delayed, passes(3000)}, ops: []op{mail.takes(8, "t", nil)}},
		{name: "take what an earlier minute delayed", wire: "4.5", start: []op{mail.add("a", args{"delay": minute}), passes(10 * minute)}, ops: one(2)},
		{name: "take from a paused queue", wire: "4.5 4.17", start: []op{mixed, delayed, mail.pauses(), passes(1500)}, ops: one(2)},
		{name: "take what is due of a queue paused without waiting jobs", wire: "4.5 4.17", start: []op{
			mail.add("a", args{"delay": 1000}), mail.pauses(), passes(1500),
		}, ops: one(2)},
		{name: "take from a maxed queue", wire: "4.5 6", start: []op{mail.limits(2), mixed, delayed, mail.take()}, ops: []op{
			mail.take(), passes(1500), mail.take(), mail.done("4"), mail.take(),
		}},
		{name: "take many from a queue that is nearly maxed", wire: "6", start: []op{mail.limits(3), mixed, mail.take()}, ops: []op{mail.takes(5, "t", nil)}},
		{
			name: "take where meta is missing", wire: "4.5 11", start: []op{mixed, does("DEL", "bull:q:meta")}, ops: one(2),
			kept: []kept{{id: "missing-meta", differs: []string{"q:meta#opts.maxLenEvents"}}},
		},
		{name: "take over the lock of an earlier run", wire: "4.5 4.12", start: []op{mixed, does("SET", "bull:q:4:lock", "old", "PX", 60000)}, ops: one(1)},
		{name: "take beside markers of an old layout", wire: "4.5", start: []op{
			mail.add("a", nil), mail.add("b", nil), does("RPUSH", "bull:q:wait", "0:0"),
		}, ops: one(3)},
		{name: "take where a marker of an old layout is alone", wire: "4.5", start: []op{does("RPUSH", "bull:q:wait", "0:1773144020000")}, ops: one(1)},
		{name: "take prioritized ones behind a marker of an old layout", wire: "4.5", start: []op{
			mail.add("a", args{"priority": 1}), does("RPUSH", "bull:q:wait", "0:0"),
		}, ops: one(2)},
		{name: "take a job that was taken before", wire: "4.5 4.25", start: []op{mail.add("a", args{"attempts": 3}), mail.take(), mail.failed("1")}, ops: one(1)},
	}, append(rowsOfOddClaims(), rowsOfLimitedClaims()...)...)
}

// rowsOfOddClaims take what no client of Redis should have put there.
func rowsOfOddClaims() []row {
	return []row{
		{
			name: "an id without a job", wire: "4.5", start: []op{does("RPUSH", "bull:q:wait", "ghost")}, ops: []op{mail.take()},
			kept: []kept{{id: "ghosts", differs: []string{
				"answer", "q:active", "q:ghost#ats", "q:ghost#processedOn", "q:ghost:lock", "q:ghost:lock expires", "q:marker#0",
				"q:events active ghost",
			}}},
		},
		{
			name: "a key that is no job", wire: "4.5", start: []op{mail.add("a", nil), does("DEL", "bull:q:1"), does("SET", "bull:q:1", "x")}, ops: []op{mail.take()},
			kept: []kept{{id: "keys-of-no-job", differs: []string{
				"answer", "q:1:lock", "q:1:lock expires", "q:active", "q:qctl:corrupt#1", "q:events active 1",
			}}},
		},
		{
			name: "an id that is twice in the list", wire: "4.5", start: []op{mail.add("a", nil), does("RPUSH", "bull:q:wait", "1")},
			ops:  []op{mail.take(), mail.takes(1, "u", nil)},
			kept: []kept{{id: "ids-twice", differs: []string{"answer", "q:active", "q:1#ats", "q:1:lock", "q:events active 1"}}},
		},
	}
}

// rowsOfLimitedClaims are wire section 6.
func rowsOfLimitedClaims() []row {
	five := mail.adds(job("a", nil), job("b", nil), job("c", nil), job("d", args{"priority": 1}), job("e", nil))
	two := crew{"limiter": args{"max": 2, "duration": 50_000}}
	return []row{
		{name: "a worker's own rate", wire: "6", start: []op{five}, ops: []op{
			mail.takes(1, "t", two), mail.takes(1, "t", two), mail.takes(1, "t", two), mail.takes(2, "t", two), mail.takes(1, "u", nil),
		}},
		{name: "a worker's own rate, many at once", wire: "6", start: []op{five}, ops: []op{mail.takes(4, "t", two)}},
		{name: "the queue's rate", wire: "6", start: []op{five, mail.rates(2, 40_000)}, ops: []op{
			mail.takes(1, "t", nil), mail.takes(2, "t", nil), mail.takes(1, "t", nil),
		}},
		{name: "the queue's rate beside a worker's own", wire: "6", start: []op{five, mail.rates(3, 40_000)}, ops: []op{
			mail.takes(2, "t", two), mail.takes(2, "t", two),
		}},
		{name: "the queue's rate without a window", wire: "6 11", start: []op{five, does("HSET", "bull:q:meta", "max", 2)}, ops: []op{
			mail.takes(1, "t", two), mail.takes(2, "t", two),
		}},
		{name: "closed by hand", wire: "6", start: []op{five, does("SET", "bull:q:limiter", "9007199254740991", "PX", 60_000)}, ops: []op{
			mail.takes(1, "t", two), mail.takes(1, "t", nil),
		}},
		{name: "a count that does not end", wire: "6", start: []op{five, does("SET", "bull:q:limiter", 7)}, ops: []op{mail.takes(1, "t", two)}},
		{name: "what is due while limited", wire: "6 4.5", start: []op{
			five, mail.add("f", args{"delay": 1000}), does("SET", "bull:q:limiter", 7, "PX", 60_000), passes(1000),
		}, ops: []op{mail.takes(1, "t", two)}},
		{
			name: "jobs that are to fail do not count", wire: "6 4.5", start: []op{five, does("HSET", "bull:q:1", "defa", "no")},
			ops:  []op{mail.takes(1, "t", two)},
			kept: []kept{{id: "limit-of-deferred-failures", major: 5, differs: []string{"q:limiter"}}},
		},
		{name: "limited at the end of another", wire: "6 4.6", start: []op{five, mail.takes(2, "t", two)}, ops: []op{
			mail.ends("1", end{next: true, by: two}), mail.ends("2", end{next: true, by: two}),
		}},
	}
}
