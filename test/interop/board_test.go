package interop

import (
	"encoding/json"
	"testing"
)

// bull-board shows of a queue that our worker has worked what it shows of one that Node has worked.
func TestBullBoardShowsOurQueues(t *testing.T) {
	eachWorld(t, func(w *world) {
		node, ours := w.line("node", "board"), w.line("ours", "board")
		for _, l := range []*line{node, ours} {
			// Worked by the one, then added to.
			l.nodeAdds(
				do("good", steps{Return: args{"sent": 1}, Progress: []any{40}}, nil),
				do("bad", steps{Fail: true, Reason: "broken", Log: []string{"row one", "row two"}}, args{"attempts": 2}),
			)
			hand := l.works(l == ours, setup{Name: "ann"})
			l.waitFinished(1, 1)
			hand.stop()
			threeWaiting(l)
			fourDelayed(l)
		}
		for _, status := range []string{"latest", "completed", "failed", "waiting", "delayed", "prioritized", "active"} {
			diff(w.t, status+" page", node.board(status, ""), ours.board(status, ""))
		}
		for _, id := range []string{"1", "2", "3", "10"} {
			diff(w.t, "page of job "+id, node.board("latest", id), ours.board("latest", id))
		}
		counts := map[string]int{}
		for state, n := range ours.counts() {
			if n > 0 {
				counts[state] = n
			}
		}
		diff(w.t, "counts", map[string]int{"completed": 1, "failed": 1, "waiting": 3, "prioritized": 3, "delayed": 4}, counts)

		// A press of its buttons is understood by our worker.
		ours.call("bullBoardCall", args{"method": "put", "route": "/api/queues/:queueName/:jobId/retry", "jobId": "2"}, nil)
		ours.call("bullBoardCall", args{"method": "put", "route": "/api/queues/:queueName/:jobId/promote", "jobId": "10"}, nil)
		ours.sameCounts()
		hand := ours.weWork(setup{})
		ours.waitFinished(8, 1)
		hand.stop()
		checkInvariants(w.t, w.rdb, ours.base.String())
	})
}

// board is a page of bull-board without what differs between two runs.
func (l *line) board(status, jobID string) any {
	l.w.t.Helper()
	request := args{"status": status}
	if jobID != "" {
		request["jobId"] = jobID
	}
	var page any
	l.call("bullBoard", request, &page)
	page = l.withoutTraces(l.plainValue(page))
	text, err := json.Marshal(page)
	l.w.must(err)
	if len(text) < 100 {
		l.w.t.Errorf("bull-board shows little: %s", text)
	}
	return page
}

// withoutTraces cuts stack traces, which name files, to their first lines.
func (l *line) withoutTraces(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = l.withoutTraces(v[i])
		}
	case map[string]any:
		for name, value := range v {
			traces, isList := value.([]any)
			if name != "stacktrace" || !isList {
				v[name] = l.withoutTraces(value)
				continue
			}
			for i := range traces {
				text, _ := traces[i].(string)
				traces[i] = firstLine(text)
			}
		}
	}
	return v
}
