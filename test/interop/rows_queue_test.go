package interop

// rowsOfPauses are wire section 4.17.
func rowsOfPauses() []row {
	jobs := mail.adds(job("a", nil), job("b", nil), job("c", args{"lifo": true}))
	prioritized := mail.add("p", args{"priority": 1})
	delayed := mail.add("d", args{"delay": hour})
	paused := does("HSET", "bull:q:meta", "paused", 1)
	leftovers := does("RPUSH", "bull:q:paused", "old2", "old1")
	both := []op{mail.pauses(), mail.resumes()}
	return []row{
		{name: "pause and resume what waits", wire: "4.17 5.4 8 11", start: []op{jobs}, ops: both},
		{name: "pause and resume what has priorities", wire: "4.17 5.4", start: []op{prioritized}, ops: both},
		{name: "pause and resume what is delayed", wire: "4.17 5.4", start: []op{delayed}, ops: both},
		{name: "pause and resume all kinds", wire: "4.17 5.4", start: []op{jobs, prioritized, delayed}, ops: both},
		{name: "pause and resume nothing", wire: "4.17", ops: both},
		{name: "pause twice, resume twice", wire: "4.17", start: []op{jobs}, ops: []op{
			mail.pauses(), mail.pauses(), mail.resumes(), mail.resumes(),
		}},
		{name: "resume what was never paused", wire: "4.17", start: []op{jobs, delayed}, ops: []op{mail.resumes()}},
		{name: "pause and resume with changes between", wire: "4.17 4.14", start: []op{jobs, delayed}, ops: []op{
			mail.pauses(), mail.add("x", nil), mail.add("y", args{"priority": 3}), mail.promotes("4"), mail.removes("1", true), mail.take(), mail.resumes(), mail.take(),
		}},
		{name: "pause with jobs at work", wire: "4.17 4.6", start: []op{jobs, mail.take()}, ops: []op{mail.pauses(), mail.done("3"), mail.resumes(), mail.take()}},
		{name: "pause while maxed", wire: "4.17 6", start: []op{jobs, mail.limits(1), mail.take()}, ops: both},
		{
			name: "resume a maxed queue", wire: "4.17 6", start: []op{jobs, mail.limits(1), mail.take(), mail.pauses()}, ops: []op{mail.resumes()},
		},
		// Version 5 has paused the queue, version 6 has added to it.
		{
			name: "resume what both versions have filled", wire: "4.17", start: []op{jobs, paused, leftovers}, ops: []op{mail.resumes()},
			kept: []kept{{id: "both-lists", major: 5, differs: []string{"q:wait"}}},
		},
		{
			name: "pause what both versions have filled", wire: "4.17", start: []op{jobs, leftovers}, ops: []op{mail.pauses()},
			kept: []kept{{id: "both-lists", major: 5, differs: []string{"q:paused"}}},
		},
		{name: "resume what only the other version has filled", wire: "4.17", start: []op{paused, leftovers}, ops: []op{mail.resumes()}},
		{
			name: "add where the other version keeps its jobs", wire: "4.17 4.1", start: []op{paused, leftovers}, ops: []op{mail.add("x", nil)},
			kept: []kept{{id: "both-lists", major: 6, differs: []string{"q:wait", "q:paused"}}},
		},
		{
			name: "add where version 6 keeps its jobs", wire: "4.17 4.1", start: []op{jobs, paused}, ops: []op{mail.add("x", nil)},
			kept: []kept{{id: "both-lists", major: 5, differs: []string{"q:wait", "q:paused"}}},
		},
	}
}

// rowsOfLimits set what holds for all workers of a queue.
func rowsOfLimits() []row {
	jobs := mail.adds(job("a", nil), job("b", nil))
	wakes := []kept{{id: "wake-for-free-slots", differs: []string{"q:marker#0"}}}
	unmarked := does("DEL", "bull:q:marker")
	return []row{
		{name: "limit an empty queue", wire: "6 11", ops: []op{mail.limits(3), mail.rates(5, 1000), mail.limits(2), mail.rates(1, 2000)}},
		{name: "unlimit an empty queue", wire: "6 11", start: []op{mail.limits(3), mail.rates(5, 1000)}, ops: []op{mail.limits(0), mail.rates(0, 0), mail.limits(0)}},
		{name: "raise the concurrency", wire: "6 5.4", start: []op{mail.limits(1), jobs, mail.take(), unmarked}, ops: []op{mail.limits(2)}, kept: wakes},
		{name: "lower the concurrency", wire: "6", start: []op{jobs, mail.takes(2, "t", nil), mail.add("c", nil), unmarked}, ops: []op{mail.limits(1)}},
		{name: "remove the concurrency", wire: "6 5.4", start: []op{mail.limits(1), jobs, mail.take(), unmarked}, ops: []op{mail.limits(0)}, kept: wakes},
		{name: "remove the rate", wire: "6 5.4", start: []op{mail.rates(1, 60_000), jobs, mail.take(), unmarked}, ops: []op{mail.rates(0, 0)}, kept: wakes},
	}
}
