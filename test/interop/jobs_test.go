package interop

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// do is a job that plays these steps.
func do(name string, s steps, opts args) args {
	return args{"name": name, "data": args{"do": s, "n": 1}, "opts": opts}
}

// everyKind are jobs of every kind that an ordinary add makes, and of every end that they can come to.
func everyKind() []args {
	return []args{
		{"name": "plain"},
		do("value", steps{Return: args{"sent": true, "to": []string{"a", "b"}}}, nil),
		do("text", steps{Return: "ünïcode \"quoted\" / \\ \u2028"}, nil),
		do("lifo", steps{}, args{"lifo": true}),
		do("low", steps{}, args{"priority": 9}),
		do("high", steps{Return: 1}, args{"priority": 1}),
		do("late", steps{Return: false}, args{"delay": 60}),
		do("late and low", steps{}, args{"delay": 40, "priority": 4}),
		do("own", steps{}, args{"jobId": "own-id"}),
		do("talks", steps{Log: []string{"one", "two", "three"}, Progress: []any{50, args{"done": "all"}}}, args{"keepLogs": 2}),
		do("second time", steps{Fail: 1, Return: "ok"}, args{"attempts": 3, "backoff": args{"type": "fixed", "delay": 20}}),
		do("at once", steps{Fail: 2, Return: "ok"}, args{"attempts": 3}),
		do("at once, low", steps{Fail: 1}, args{"attempts": 2, "priority": 2}),
		do("at once, in front", steps{Fail: 1}, args{"attempts": 2, "lifo": true}),
		do("grows", steps{Fail: 2}, args{"attempts": 3, "backoff": args{"type": "exponential", "delay": 10}}),
		do("never", steps{Fail: true, Reason: "broken: \"x\""}, args{"attempts": 3, "backoff": 5, "stackTraceLimit": 2}),
		do("once", steps{Fail: true}, nil),
		do("no traces", steps{Fail: true}, args{"attempts": 2, "stackTraceLimit": 0}),
		do("fatal", steps{Unrecoverable: "no such user"}, args{"attempts": 5}),
		do("fatal at last", steps{Unrecoverable: "gone"}, args{"attempts": 1}),
		do("postponed", steps{Postpone: 30, Return: "then"}, args{"attempts": 2}),
		do("forgotten", steps{Return: 1}, args{"removeOnComplete": true}),
		do("forgotten failure", steps{Fail: true}, args{"removeOnFail": true, "attempts": 2}),
		do("kept", steps{}, args{"removeOnComplete": false, "removeOnFail": args{"age": 3600, "count": 100}}),
		{"name": "behaves", "data": []any{1, nil, "x"}},
		{"name": "deduplicated", "data": 5, "opts": args{"deduplication": args{"id": "d1"}}},
		{"name": "throttled", "data": 5, "opts": args{"deduplication": args{"id": "d2", "ttl": 60_000}}},
		{"name": "unknown option", "data": "x", "opts": args{"color": "red"}},
	}
}

// What Node adds and our worker works is left as a Node worker leaves it.
func TestOurWorkerLeavesWhatNodeLeaves(t *testing.T) {
	eachWorld(t, func(w *world) {
		all := everyKind()
		// Metrics count by the minute of the clock: both must fall into the same.
		w.waitUntil("a minute that lasts", func() bool { return time.Now().Second() < 48 })
		node, ours := w.twins("mail", func(l *line, mine bool) {
			l.nodeAdds(all...)
			hand := l.works(mine, setup{
				Name: "ann", Metrics: map[string]int{"maxDataPoints": 10},
				Behaviors: behaviors{"behaves": {Return: []int{1, 2}}},
			})
			l.waitFinished(21, 5)
			hand.stop()
		})
		// The same once more as Node reads it: nothing in it makes a getter fail, or look different.
		for _, state := range []string{"completed", "failed"} {
			diff(w.t, state+" jobs as Node reads them", jobsOf(node, state), jobsOf(ours, state))
		}
		diff(w.t, "counts by Node", node.counts(), ours.counts())
		for _, id := range []string{"own-id", "1", "16", "22", "99"} {
			diff(w.t, "state of "+id, node.state(id), ours.state(id))
		}
		for _, which := range []string{"completed", "failed"} {
			diff(w.t, "metrics of "+which, metricsOf(node, which), metricsOf(ours, which))
		}
	})
}

// One job after the other, every event comes in the same order, also between jobs.
func TestOurWorkerTakesJobsInNodesOrder(t *testing.T) {
	eachWorld(t, func(w *world) {
		sequence := func(l *line, mine bool) []string {
			l.nodeAdds(
				args{"name": "a"}, args{"name": "b", "opts": args{"priority": 5}}, args{"name": "c", "opts": args{"lifo": true}},
				args{"name": "d", "opts": args{"priority": 1}}, do("e", steps{Fail: 1}, args{"attempts": 2}),
				do("f", steps{Fail: 1}, args{"attempts": 2, "lifo": true}), args{"name": "g", "opts": args{"priority": 5}},
				do("h", steps{Fail: 1}, args{"attempts": 2, "priority": 1}), args{"name": "i"},
			)
			hand := l.works(mine, setup{})
			l.waitFinished(9, 0)
			hand.stop()
			var all []string
			for _, e := range rawEvents(l) {
				all = append(all, e.kind+" "+e.jobID)
			}
			return all
		}
		diff(w.t, "events", sequence(w.line("node", "order"), false), sequence(w.line("ours", "order"), true))
	})
}

// jobsOf reads the jobs in a state by the peer, by id, without their times.
func jobsOf(l *line, state string) map[string]jobJSON {
	l.w.t.Helper()
	var jobs []jobJSON
	l.call("getJobs", args{"types": []string{state}, "start": 0, "end": -1, "asc": true}, &jobs)
	byID := map[string]jobJSON{}
	for _, job := range jobs {
		if job.Timestamp == 0 || job.ProcessedOn < job.Timestamp || job.FinishedOn < job.ProcessedOn {
			l.w.t.Errorf("times of job %s of %s: %d %d %d", job.ID, l.base, job.Timestamp, job.ProcessedOn, job.FinishedOn)
		}
		job.Timestamp, job.ProcessedOn, job.FinishedOn = 0, 0, 0
		for i, trace := range job.Stacktrace {
			job.Stacktrace[i] = firstLine(trace)
		}
		byID[job.ID] = job
	}
	return byID
}

func metricsOf(l *line, which string) (count int) {
	l.w.t.Helper()
	var metrics struct {
		Meta struct {
			Count int `json:"count"`
		} `json:"meta"`
	}
	l.call("getMetrics", args{"type": which}, &metrics)
	return metrics.Meta.Count
}

// What our engine adds is run by Node in the order in which Node runs its own, and arrives byte for byte.
func TestNodeWorksWhatWeAdd(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		const big = `{"id":12345678901234567890,"e":1.0e2,"t":"\u00e9\/ é"}`
		three := 3
		l.weAdd(
			queue.NewJob{Name: "big", Data: json.RawMessage(big)},
			queue.NewJob{Name: "second"},
			queue.NewJob{Name: "lifo", Opts: queue.JobOptions{LIFO: true}},
			queue.NewJob{Name: "low", Opts: queue.JobOptions{Priority: 7}},
			queue.NewJob{Name: "high", Opts: queue.JobOptions{Priority: 2}},
			queue.NewJob{Name: "high too", Opts: queue.JobOptions{Priority: 2}},
			queue.NewJob{Name: "own", Opts: queue.JobOptions{ID: "own-id"}},
			queue.NewJob{Name: "own", Opts: queue.JobOptions{ID: "own-id"}},
			queue.NewJob{Name: "late", Opts: queue.JobOptions{Delay: 700 * time.Millisecond}},
			queue.NewJob{Name: "sooner", Opts: queue.JobOptions{Delay: 600 * time.Millisecond}},
			queue.NewJob{Name: "flaky", Opts: queue.JobOptions{
				Attempts: 3, Backoff: &queue.Backoff{Type: "fixed", Delay: 10 * time.Millisecond}, StackTraceLimit: &three,
			}},
			queue.NewJob{Name: "forgotten", Opts: queue.JobOptions{KeepCompleted: queue.KeepNewest(0, 0)}},
		)
		if got := w.rdb.HGet(w.ctx, l.key("1"), "data").Val(); got != big {
			w.t.Errorf("payload %s, want %s", got, big)
		}
		checkInvariants(w.t, w.rdb, l.base.String())
		hand := l.nodeWorks(setup{Behaviors: behaviors{"flaky": {Fail: 2}}})
		l.waitFinished(10, 0)
		hand.stop()
		if got := w.rdb.HGet(w.ctx, l.key("1"), "data").Val(); got != big {
			w.t.Errorf("payload after Node's worker %s, want %s", got, big)
		}
		var order []string
		for _, n := range w.peer.notices() {
			if n.Event == "started" && n.Queue == l.base.Name && n.Name != "flaky" {
				order = append(order, n.Name)
			}
		}
		want := []string{"lifo", "big", "second", "own", "forgotten", "high", "high too", "low", "sooner", "late"}
		diff(w.t, "order", want, order)
		flaky := jobsOf(l, "completed")["11"]
		diff(w.t, "flaky job", []int{3, 3, 2}, []int{flaky.AttemptsMade, flaky.AttemptsStarted, len(flaky.Stacktrace)})
		checkInvariants(w.t, w.rdb, l.base.String())
	})
}
