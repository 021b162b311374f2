package interop

import "fmt"

// rowsOfFinishes are wire section 4.6.
func rowsOfFinishes() []row {
	three := mail.adds(job("a", nil), job("b", args{"priority": 2}), job("c", nil))
	next := end{next: true}
	failedNext := end{fail: "boom", next: true}
	rows := []row{
		{name: "complete one by one", wire: "4.6 4.25 8", start: []op{three, mail.takes(3, "t", nil)}, ops: []op{mail.done("1"), mail.done("3"), mail.done("2")}},
		{name: "complete and take the next", wire: "4.6 4.5", start: []op{three, mail.take()}, ops: []op{
			mail.ends("1", next), mail.ends("3", next), mail.ends("2", next),
		}},
		{name: "complete with values", wire: "4.6", start: []op{three, mail.takes(3, "t", nil)}, ops: []op{
			mail.ends("1", end{value: args{"sent": true, "to": []any{"a", 1.5}}}), mail.ends("2", end{value: "ünï \"q\" / \\ <&>"}), mail.ends("3", end{value: 0}),
		}},
		{name: "complete the last while a job is delayed", wire: "4.6", start: []op{
			mail.adds(job("a", nil), job("b", nil), job("c", args{"delay": hour})), mail.takes(2, "t", nil),
		}, ops: []op{mail.ends("1", next), mail.ends("2", next)}},
		{name: "complete the last without taking while a job is delayed", wire: "4.6", start: []op{
			mail.adds(job("a", nil), job("c", args{"delay": hour})), mail.take(),
		}, ops: []op{mail.done("1")}},
		{name: "complete and take what has come due", wire: "4.6 4.5", start: []op{
			mail.adds(job("a", nil), job("c", args{"delay": 1000})), mail.take(), passes(1000),
		}, ops: []op{mail.ends("1", next)}},
		{name: "complete in a paused queue", wire: "4.6 4.17", start: []op{three, mail.takes(2, "t", nil), mail.pauses()}, ops: []op{
			mail.ends("1", next), mail.done("3"),
		}},
		{name: "complete the last in a paused queue", wire: "4.6 4.17", start: []op{mail.add("a", nil), mail.take(), mail.pauses()}, ops: []op{mail.ends("1", next)}},
		{name: "complete in a maxed queue", wire: "4.6 6", start: []op{mail.limits(1), three, mail.take()}, ops: []op{mail.ends("1", next), mail.done("3"), mail.take()}},
		{name: "complete beside markers of an old layout", wire: "4.5 4.6", start: []op{
			three, mail.takes(3, "t", nil), mail.add("d", args{"priority": 1}), does("RPUSH", "bull:q:wait", "0:0"),
		}, ops: []op{mail.ends("1", next)}},
		{name: "fail for good", wire: "4.6 4.8 8", start: []op{three, mail.takes(3, "t", nil)}, ops: []op{
			mail.failed("1"), mail.ends("2", failedNext), mail.ends("3", end{fail: "no way", fatal: true}),
		}},
		{name: "fail for good with attempts left", wire: "4.6 4.8", start: []op{mail.add("a", args{"attempts": 3}), mail.take()}, ops: []op{
			mail.ends("1", end{fail: "no way", fatal: true}),
		}},
		{name: "fail as its deferred failure says", wire: "4.6 4.13", start: []op{
			mail.add("a", nil), does("HSET", "bull:q:1", "defa", "too often"), mail.take(),
		}, ops: []op{mail.ends("1", end{fail: "too often", fatal: true})}},
		{name: "finish what is suspected", wire: "4.6 4.13", start: []op{three, mail.takes(3, "t", nil), mail.checksStalled(1)}, ops: []op{
			mail.done("1"), mail.failed("2"),
		}},
		{name: "finish with the token that proves nothing", wire: "4.6 4.12", start: []op{three, mail.takes(1, "0", nil)}, ops: []op{
			mail.ends("1", end{token: "0"}),
		}},
	}
	return append(rows, rowsOfMetrics()...)
}

// rowsOfMetrics are wire section 9.
func rowsOfMetrics() []row {
	counting := crew{"metrics": args{"maxDataPoints": 4}}
	var start, ops []op
	// Minutes between the ends of jobs: in the same, in the next, after a gap, after one longer than is kept.
	for i, gap := range []int64{0, 1000, minute, 3 * minute, 39_999, 1, 9 * minute, 0} {
		id := fmt.Sprint(i + 1)
		start = append(start, mail.add("n", nil))
		ops = append(ops, passes(gap), mail.takes(1, "t", counting))
		if i%3 == 2 {
			ops = append(ops, mail.ends(id, end{fail: "boom", by: counting}))
		} else {
			ops = append(ops, mail.ends(id, end{by: counting}))
		}
	}
	return []row{
		{name: "count what finishes", wire: "9", start: start, ops: append(ops, mail.readsMetrics("completed"), mail.readsMetrics("failed"))},
		{name: "count what is deleted at once", wire: "9 4.7", start: []op{mail.add("a", args{"removeOnComplete": true}), mail.take()}, ops: []op{
			mail.ends("1", end{by: counting}),
		}},
		{name: "count nothing", wire: "9", start: []op{mail.add("a", nil), mail.take()}, ops: []op{mail.done("1"), mail.readsMetrics("completed")}},
	}
}

// rowsOfRetention are wire section 4.7: every form, said by the job and said by the worker.
func rowsOfRetention() []row {
	forms := []struct {
		name string
		rule any
	}{
		{"false", false},
		{"a negative number", -1},
		{"true", true},
		{"0", 0},
		{"a count of 0", args{"count": 0}},
		{"a number", 2},
		{"a count", args{"count": 3}},
		{"an age", args{"age": 15}},
		{"an age of 0", args{"age": 0}},
		{"an age and a count", args{"age": 35, "count": 2}},
		{"an age and a high count", args{"age": 15, "count": 100}},
		{"an age and a limit", args{"age": 5, "limit": 2}},
		{"an age, a count and a limit", args{"age": 5, "count": 2, "limit": 1}},
		{"a negative count", args{"count": -1}},
		{"a count of more than there are", 50},
		{"an age in parts of a second", args{"age": 9.5}},
	}
	var rows []row
	for _, form := range forms {
		for _, option := range []string{"removeOnComplete", "removeOnFail"} {
			e := end{}
			if option == "removeOnFail" {
				e.fail = "boom"
			}
			// Four that finished ten seconds apart, the last of them ten seconds before the one whose rule counts.
			var start []op
			for i := range 4 {
				start = append(start, mail.add("old", nil), mail.take(), mail.ends(fmt.Sprint(i+1), e), passes(10_000))
			}
			byJob := append(start[:len(start):len(start)], mail.add("new", args{option: form.rule}), mail.take())
			rows = append(rows, row{name: option + " is " + form.name, wire: "4.7 4.6", start: byJob, ops: []op{mail.ends("5", e)}})
			e.by = crew{option: workerRule(form.rule)}
			if e.by[option] == nil {
				continue
			}
			byWorker := append(start[:len(start):len(start)], mail.add("new", nil), mail.takes(1, "t", e.by))
			rows = append(rows, row{name: option + " of the worker is " + form.name, wire: "4.7 4.6", start: byWorker, ops: []op{mail.ends("5", e)}})
		}
	}
	var gone []string
	for i := range 50 {
		gone = append(gone, fmt.Sprintf("q:completed#old%d", 1000+i))
	}
	return append(rows,
		row{name: "its own rule wins over the worker's", wire: "4.7", start: []op{
			mail.add("a", nil), mail.take(), mail.done("1"), mail.add("b", args{"removeOnComplete": false}), mail.take(),
		}, ops: []op{mail.ends("2", end{by: crew{"removeOnComplete": args{"count": 0}}})}},
		row{name: "deleted at once, and the next", wire: "4.7 4.6", start: []op{
			mail.adds(job("a", args{"removeOnComplete": true}), job("b", args{"removeOnFail": true})), mail.take(),
		}, ops: []op{mail.ends("1", end{next: true}), mail.ends("2", end{fail: "boom", next: true})}},
		row{name: "a thousand at most by age", wire: "4.7", start: []op{
			finishedLongAgo(1050), mail.add("new", args{"removeOnComplete": args{"age": 1}}), mail.take(),
		}, ops: []op{mail.done("1")}},
		row{
			name: "a thousand at most by count", wire: "4.7", start: []op{
				finishedLongAgo(1050), mail.add("new", args{"removeOnComplete": 1}), mail.take(),
			}, ops: []op{mail.done("1")},
			kept: []kept{{id: "retention-by-count", differs: gone}},
		},
	)
}

// workerRule is a rule as a worker's option may have it: always an object.
func workerRule(rule any) any {
	of, _ := rule.(args)
	if of == nil {
		return nil
	}
	return of
}

// finishedLongAgo puts entries of n completed jobs there, a millisecond apart.
func finishedLongAgo(n int) op {
	return does("EVAL", `for i = 0, ARGV[1] - 1 do
		redis.call('ZADD', KEYS[1], 1700000000000 + i, 'old' .. i)
	end return 1`, 1, "bull:q:completed", n)
}
