package interop

import (
	"encoding/json"
	"fmt"
)

func job(name string, opts args) args { return args{"name": name, "opts": opts} }

// rowsOfAdds are wire sections 3.1 to 3.3 and 4.1 to 4.3.
func rowsOfAdds() []row {
	late := args{"delay": hour}
	return append([]row{
		{name: "add one", wire: "4.1 5.3 8", ops: []op{mail.add("a", nil)}},
		{name: "add three at once, one more", wire: "4.1", ops: []op{mail.adds(job("a", nil), job("b", nil), job("c", nil)), mail.add("d", nil)}},
		{name: "add in front", wire: "4.1 5.3", ops: []op{mail.add("a", nil), mail.add("b", args{"lifo": true}), mail.add("c", args{"lifo": true})}},
		{name: "add with a priority", wire: "4.2 5.2", ops: []op{
			mail.add("a", args{"priority": 3}), mail.add("b", args{"priority": 1}), mail.add("c", args{"priority": 3, "lifo": true}),
			mail.add("d", args{"priority": 2097151}), mail.add("e", nil),
		}},
		{name: "add for later", wire: "4.3 5.1", ops: []op{
			mail.add("a", late), mail.add("b", args{"delay": minute}), mail.add("c", args{"delay": minute, "priority": 4}),
			mail.add("d", args{"delay": minute, "lifo": true}), passes(1), mail.add("e", args{"delay": minute - 1}),
		}},
		{name: "add with an own time", wire: "4.1 4.3", ops: []op{
			mail.add("a", args{"timestamp": stageTime - hour}), mail.add("b", args{"timestamp": stageTime - hour, "delay": minute}),
			mail.add("c", args{"timestamp": stageTime + hour, "delay": minute}),
		}},
		{name: "add all kinds in one call", wire: "4.1 4.2 4.3", ops: []op{mail.adds(
			job("a", nil), job("b", args{"priority": 2}), job("c", late), job("d", args{"lifo": true}), job("e", args{"jobId": "own"}),
			job("f", args{"jobId": "own"}), job("g", args{"priority": 2, "attempts": 3}), job("h", args{"lifo": true}), job("i", late),
		)}},
		{name: "add with an own id", wire: "3.1", ops: []op{
			mail.add("a", args{"jobId": "own"}), mail.add("b", args{"jobId": "007"}), mail.add("c", args{"jobId": "1.5"}),
			mail.add("d", args{"jobId": "12a"}), mail.add("e", args{"jobId": "a:b:c"}), mail.add("g", args{"jobId": "ünï /\\ \"x\""}),
		}},
		{
			name: "options in short forms", wire: "4.1", ops: []op{
				mail.add("a", args{"jobId": ""}), mail.add("b", args{"backoff": args{"type": "mine"}}), mail.add("c", args{"removeOnComplete": true, "removeOnFail": 5}),
			},
			kept: []kept{{id: "normal-options", differs: []string{"q:1#opts", "q:2#opts", "q:3#opts"}}},
		},
		{name: "ids that are refused", wire: "3.1 13", ops: []op{
			mail.add("a", args{"jobId": "0"}), mail.add("a", args{"jobId": "0:1"}), mail.add("a", args{"jobId": "12"}),
			mail.add("a", args{"jobId": "-5"}), mail.add("a", args{"jobId": "a:b"}), mail.add("a", args{"jobId": "a:b:c:d"}),
			mail.adds(job("fine", nil), job("a", args{"jobId": "7"})),
		}},
		{
			name: "ids of the queue's own keys", wire: "3.1", ops: []op{mail.add("a", args{"jobId": "meta"})},
			kept: []kept{{id: "reserved-ids", differs: []string{"answer", "q:id", "q:events duplicated meta"}}},
		},
		{name: "options that are refused", wire: "4.2 13", ops: []op{
			mail.add("a", args{"priority": 2097152}), mail.adds(args{"name": "a", "data": "12345678", "opts": args{"sizeLimit": 9}}),
			mail.adds(args{"name": "a", "data": "1234567", "opts": args{"sizeLimit": 9}}),
		}},
		{
			name: "a negative priority", wire: "4.2", ops: []op{mail.add("a", args{"priority": -1})},
			kept: []kept{{id: "negative-options", differs: []string{
				"answer", "q:1#data", "q:1#delay", "q:1#name", "q:1#opts", "q:1#priority", "q:1#timestamp", "q:id", "q:marker#0",
				"q:pc", "q:prioritized#1", "q:events added 1", "q:events waiting 1",
			}}},
		},
		{name: "the counter passes an own number by", wire: "3.1", start: []op{does("HSET", "bull:q:3", "name", "x", "timestamp", 1)}, ops: []op{
			mail.add("a", nil), mail.add("b", nil),
		}},
		{name: "options of every kind", wire: "4.1", ops: []op{
			mail.add("a", args{"attempts": 5, "backoff": 1000}),
			mail.add("b", args{"attempts": 5, "backoff": args{"type": "exponential", "delay": 10, "jitter": 0.5}}),
			mail.add("c", args{"backoff": args{"type": "mine", "delay": 5}}),
			mail.add("d", args{"removeOnComplete": args{"count": 0}, "removeOnFail": false}),
			mail.add("e", args{"removeOnComplete": args{"count": 5}, "removeOnFail": args{"age": 10}}),
			mail.add("f", args{"removeOnComplete": args{"age": 10, "count": 3, "limit": 7}}),
			mail.add("g", args{"keepLogs": 3, "stackTraceLimit": 0, "sizeLimit": 100}),
			mail.add("h", args{"color": "red", "size": 7}),
		}},
		{name: "payloads of every kind", wire: "4.1", ops: []op{mail.adds(
			args{"name": "none"}, args{"name": "text", "data": "ünï \"q\" / \\ <&> \u2028"}, args{"name": "list", "data": []any{}},
			args{"name": "number", "data": 1.5}, args{"name": "no", "data": false}, args{"name": "nothing", "data": json.RawMessage("null")},
			args{"name": "deep", "data": args{"a": args{"b": []any{args{}, nil, "x"}}}}, args{"name": "", "data": 1},
		)}},
		{name: "a queue without meta", wire: "4.1 11", start: []op{does("DEL", "bull:q:meta")}, ops: []op{mail.add("a", nil), mail.add("b", late)}},
		{name: "a queue with an own length of its stream", wire: "8 11", start: []op{does("HSET", "bull:q:meta", "opts.maxLenEvents", 7)}, ops: []op{
			mail.add("a", nil), mail.add("b", late),
		}},
	}, rowsOfDuplicates()...)
}

// rowsOfDuplicates add a job of an id that exists, and jobs to queues that hand out none.
func rowsOfDuplicates() []row {
	own := args{"jobId": "own"}
	again := []op{mail.add("b", own), mail.add("c", args{"jobId": "own", "delay": hour})}
	rows := []row{
		{name: "add what waits", wire: "3.2 3.3", start: []op{mail.add("a", own)}, ops: again},
		{name: "add what is delayed", wire: "3.2", start: []op{mail.add("a", args{"jobId": "own", "delay": minute})}, ops: again},
		{name: "add what is active", wire: "3.2", start: []op{mail.add("a", own), mail.take()}, ops: again},
		{name: "add what has completed", wire: "3.2", start: []op{mail.add("a", own), mail.take(), mail.done("own")}, ops: again},
		{name: "add what has failed", wire: "3.2", start: []op{mail.add("a", own), mail.take(), mail.failed("own")}, ops: again},
		{name: "add what was removed", wire: "3.2", start: []op{mail.add("a", own), mail.removes("own", true)}, ops: again},
	}
	kinds := []op{
		mail.add("a", nil), mail.add("b", args{"lifo": true}), mail.add("c", args{"priority": 2}), mail.add("d", args{"delay": hour}),
		mail.adds(job("e", nil), job("f", args{"lifo": true})),
	}
	for i, start := range [][]op{
		{mail.pauses()},
		{mail.add("x", nil), mail.pauses()},
		{mail.add("x", args{"priority": 1}), mail.add("y", args{"delay": hour}), mail.pauses()},
		{mail.limits(1), mail.add("x", nil), mail.take()},
		{mail.limits(2), mail.add("x", nil), mail.take()},
		// Left by the other version: its jobs of a paused queue are where this one keeps none.
	} {
		rows = append(rows, row{name: fmt.Sprint("add to a queue that holds back, ", i), wire: "4.1 4.17 6", start: start, ops: kinds})
	}
	return rows
}
