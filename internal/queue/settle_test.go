package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// refusals turns the answers of a settle call into words that can be compared.
func refusals(errs []error) []string {
	words := make([]string, len(errs))
	for i, err := range errs {
		words[i] = "ok"
		if err == nil {
			continue
		}
		words[i] = "another error: " + err.Error()
		for word, cause := range map[string]error{
			"lock lost": queue.ErrLockLost, "not found": queue.ErrJobNotFound, "not in state": queue.ErrJobNotInState,
			"pending children": queue.ErrPendingChildren, "failed children": queue.ErrFailedChildren,
		} {
			var job *queue.JobError
			if errors.Is(err, cause) && errors.As(err, &job) {
				words[i] = job.ID + " " + word
			}
		}
	}
	return words
}

// settleAll records outcomes in one call and returns the answers.
func (e *env) settleAll(outcomes ...queue.Outcome) []string {
	e.t.Helper()
	settled, err := e.q.Settle(e.ctx, outcomes, queue.SettleOptions{})
	e.must(err)
	return refusals(settled.Errs)
}

// claimedHash is the hash of job n, claimed once at the start, with some
// fields ("name=value") set or changed; a field without a value has gone.
func claimedHash(fields ...string) string {
	all := map[string]string{}
	for _, field := range append([]string{
		"ats=1", "data={}", "delay=0", "name=n", `opts={"attempts":0}`, "priority=0",
		"processedOn=1795312800000", "timestamp=1795312800000",
	}, fields...) {
		name, value, ok := strings.Cut(field, "=")
		all[name] = value
		if !ok {
			delete(all, name)
		}
	}
	var out []string
	for name, value := range all {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// A settleCase claims job 1, at the start, and settles it a second later.
type settleCase struct {
	name    string
	job     queue.JobOptions
	ready   func(e *env) // before the claim
	between func(e *env) // after it
	outcome queue.Outcome
	keys    map[string]string // changes beyond active and the lock
	events  []string
}

// run holds one case against the engine, as a caller that passes on the job as
// it was claimed and as one that does not: the keys must be the same.
func (c settleCase) run(e *env, known bool) {
	e.t.Helper()
	e = e.fork()
	e.now.Store(start)
	e.add(queue.NewJob{Name: "n", Opts: c.job})
	if c.ready != nil {
		c.ready(e)
	}
	jobs := e.claim(1, "tok")
	if len(jobs) != 1 || jobs[0].ID != "1" {
		e.t.Fatalf("%s: claimed %v, want job 1", c.name, jobs)
	}
	if c.between != nil {
		c.between(e)
	}
	e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
	e.must(e.rdb.SAdd(e.ctx, e.key("stalled"), "1").Err())
	before, seen := e.dump(), len(e.events())
	e.now.Store(start + 1000)
	o := c.outcome
	o.ID, o.Token = "1", "tok"
	if known {
		o.Job = &jobs[0]
	}
	same(e, c.name+": answers", []string{"ok"}, e.settleAll(o))
	keys := map[string]string{"active": "", "1:lock": "", "stalled": ""}
	for key, value := range c.keys {
		keys[key] = value
	}
	want := map[string]string{}
	for _, changes := range []map[string]string{before, keys} {
		for key, value := range changes {
			want[key] = value
			if value == "" {
				delete(want, key)
			}
		}
	}
	same(e, fmt.Sprintf("%s, known=%v: keys", c.name, known), want, e.dump())
	same(e, fmt.Sprintf("%s, known=%v: events", c.name, known), c.events, e.newEvents(seen))
}

func runSettleCases(t *testing.T, cases []settleCase) {
	t.Helper()
	onEach(t, func(e *env) {
		for _, c := range cases {
			c.run(e, false)
			c.run(e, true)
		}
	})
}

func TestSettleComplete(t *testing.T) {
	done := func(value string) map[string]string {
		return map[string]string{
			"completed": "1=1795312801000",
			"1":         claimedHash("atm=1", "finishedOn=1795312801000", "returnvalue="+value),
		}
	}
	runSettleCases(t, []settleCase{
		{
			name: "a value", outcome: queue.Outcome{Kind: queue.Complete, ReturnValue: []byte(`{"a":1}`)}, keys: done(`{"a":1}`),
			events: []string{`completed jobId=1 returnvalue={"a":1} prev=active`, "drained"},
		},
		{
			name: "no value", outcome: queue.Outcome{Kind: queue.Complete}, keys: done("null"),
			events: []string{"completed jobId=1 returnvalue=null prev=active", "drained"},
		},
		{
			name: "remove at once", outcome: queue.Outcome{Kind: queue.Complete, Keep: queue.KeepNewest(0, 0)},
			keys:   map[string]string{"1": ""},
			events: []string{"completed jobId=1 returnvalue=null prev=active", "drained"},
		},
		{
			// Only a delayed job is left: without a claim, that is drained.
			name: "a delayed job is left", between: waits(queue.JobOptions{Delay: time.Hour}),
			outcome: queue.Outcome{Kind: queue.Complete, ReturnValue: []byte("1")}, keys: done("1"),
			events: []string{"completed jobId=1 returnvalue=1 prev=active", "drained"},
		},
		{
			name: "others are active", between: func(e *env) { e.fill("active", "2") },
			outcome: queue.Outcome{Kind: queue.Complete, ReturnValue: []byte("1")},
			keys: map[string]string{
				"completed": "1=1795312801000", "active": "2",
				"1": claimedHash("atm=1", "finishedOn=1795312801000", "returnvalue=1"),
			},
			events: []string{"completed jobId=1 returnvalue=1 prev=active"},
		},
		{
			name: "prioritized jobs wait", between: func(e *env) { e.fill("prioritized", "2") },
			outcome: queue.Outcome{Kind: queue.Complete, ReturnValue: []byte("1")}, keys: done("1"),
			events: []string{"completed jobId=1 returnvalue=1 prev=active"},
		},
		{
			name:    "a second attempt",
			ready:   func(e *env) { e.hash("1", "ats", 1, "atm", 1, "failedReason", "boom", "stacktrace", `["boom"]`) },
			outcome: queue.Outcome{Kind: queue.Complete, ReturnValue: []byte("1")},
			events:  []string{"completed jobId=1 returnvalue=1 prev=active", "drained"},
			keys: map[string]string{
				"completed": "1=1795312801000",
				"1": claimedHash("ats=2", "atm=2", "failedReason=boom", `stacktrace=["boom"]`,
					"finishedOn=1795312801000", "returnvalue=1"),
			},
		},
	})
}

func TestSettleFail(t *testing.T) {
	failed := func(extra ...string) map[string]string {
		return map[string]string{
			"failed": "1=1795312801000",
			"1":      claimedHash(append([]string{"atm=1", "finishedOn=1795312801000"}, extra...)...),
		}
	}
	runSettleCases(t, []settleCase{
		{
			name:    "the last attempt",
			outcome: queue.Outcome{Kind: queue.Fail, FailedReason: "boom: \x00 é", Stacktrace: []string{"a\nb", `"c"`}, Attempts: 1},
			keys:    failed("failedReason=boom: \x00 é", `stacktrace=["a\nb","\"c\""]`),
			events: []string{
				"failed jobId=1 failedReason=boom: \x00 é prev=active",
				"retries-exhausted jobId=1 attemptsMade=1", "drained",
			},
		},
		{
			// BullMQ counts no limit as one that is reached.
			name: "no limit, no reason", outcome: queue.Outcome{Kind: queue.Fail},
			keys: failed("failedReason=", "stacktrace=[]"),
			events: []string{
				"failed jobId=1 failedReason= prev=active", "retries-exhausted jobId=1 attemptsMade=1", "drained",
			},
		},
		{
			name: "with attempts left", outcome: queue.Outcome{Kind: queue.Fail, FailedReason: "boom", Attempts: 2},
			keys:   failed("failedReason=boom", "stacktrace=[]"),
			events: []string{"failed jobId=1 failedReason=boom prev=active", "drained"},
		},
		{
			name: "deferred", ready: func(e *env) { e.hash("1", "defa", "child x failed") },
			outcome: queue.Outcome{Kind: queue.Fail, FailedReason: "child x failed", Attempts: 2},
			keys:    failed("failedReason=child x failed", "stacktrace=[]"),
			events:  []string{"failed jobId=1 failedReason=child x failed prev=active", "drained"},
		},
		{
			name: "deferred since the claim, by a child",
			between: func(e *env) {
				e.hash("1", "defa", "child c failed")
				e.fill("1:unsuccessful", "c")
			},
			outcome: queue.Outcome{Kind: queue.Fail, FailedReason: "boom", Attempts: 1},
			keys:    failed("failedReason=boom", "stacktrace=[]"),
			events: []string{
				"failed jobId=1 failedReason=boom prev=active", "retries-exhausted jobId=1 attemptsMade=1", "drained",
			},
		},
		{
			name:    "remove at once",
			between: func(e *env) { e.must(e.rdb.RPush(e.ctx, e.key("1:logs"), "line").Err()) },
			outcome: queue.Outcome{Kind: queue.Fail, FailedReason: "boom", Attempts: 1, Keep: queue.KeepNewest(0, 0)},
			keys:    map[string]string{"1": "", "1:logs": ""},
			events: []string{
				"failed jobId=1 failedReason=boom prev=active", "retries-exhausted jobId=1 attemptsMade=1", "drained",
			},
		},
	})
}

// waits adds job 2, which waits, after job 1 was claimed.
func waits(opts queue.JobOptions) func(e *env) {
	return func(e *env) { e.add(queue.NewJob{Name: "n", Opts: opts}) }
}

func TestSettleRetryNow(t *testing.T) {
	tried := claimedHash("atm=1", "failedReason=boom", `stacktrace=["at x"]`)
	retry := queue.Outcome{Kind: queue.RetryNow, FailedReason: "boom", Stacktrace: []string{"at x"}}
	lifo := retry
	lifo.LIFO = true
	again := []string{"waiting jobId=1 prev=active"}
	prioritized := claimedHash("atm=1", "failedReason=boom", `stacktrace=["at x"]`, "priority=3", `opts={"attempts":0,"priority":3}`)
	runSettleCases(t, []settleCase{
		{
			name: "behind the others", between: waits(queue.JobOptions{}), outcome: retry, events: again,
			keys: map[string]string{"1": tried, "wait": "1 2", "marker": "0=0"},
		},
		{
			name: "LIFO", between: waits(queue.JobOptions{}), outcome: lifo, events: again,
			keys: map[string]string{"1": tried, "wait": "2 1", "marker": "0=0"},
		},
		{
			name: "prioritized", job: queue.JobOptions{Priority: 3}, between: waits(queue.JobOptions{Priority: 3}),
			outcome: retry, events: again,
			keys: map[string]string{
				"1": prioritized, "prioritized": "2=12884901890 1=12884901891", "pc": "3", "marker": "0=0",
			},
		},
		{
			name: "behind delayed jobs that are due", between: waits(queue.JobOptions{Delay: time.Second}), outcome: retry,
			events: []string{"waiting jobId=2 prev=delayed", "waiting jobId=1 prev=active"},
			keys: map[string]string{
				"1": tried, "wait": "1 2", "delayed": "", "marker": "0=0",
				"2": `data={} delay=0 name=n opts={"attempts":0,"delay":1000} priority=0 timestamp=1795312800000`,
			},
		},
		{
			name: "paused, version 6", between: func(e *env) { e.setVersion(6); e.must(e.q.Pause(e.ctx)) },
			outcome: retry, events: again, keys: map[string]string{"1": tried, "wait": "1"},
		},
		{
			name: "paused, version 5", between: func(e *env) { e.setVersion(5); e.must(e.q.Pause(e.ctx)) },
			outcome: retry, events: again, keys: map[string]string{"1": tried, "paused": "1"},
		},
		{
			// A deferred failure is not forgotten by an attempt that failed otherwise.
			name: "deferred", between: func(e *env) { e.hash("1", "defa", "child c failed") }, outcome: retry, events: again,
			keys: map[string]string{
				"1": claimedHash("atm=1", "failedReason=boom", `stacktrace=["at x"]`, "defa=child c failed"), "wait": "1", "marker": "0=0",
			},
		},
	})
}

func TestSettleDelays(t *testing.T) {
	later := queue.Outcome{Kind: queue.RetryLater, FailedReason: "boom", Stacktrace: []string{"at x"}, Delay: 1500 * time.Millisecond}
	postponed := queue.Outcome{Kind: queue.Postpone, Delay: 1500 * time.Millisecond}
	tried := claimedHash("atm=1", "delay=1500", "failedReason=boom", `stacktrace=["at x"]`)
	const due = start + 2500
	delayed := []string{fmt.Sprintf("delayed jobId=1 delay=%d", due)}
	marker := fmt.Sprintf("1=%d", due)
	runSettleCases(t, []settleCase{
		{
			name: "a retry", outcome: later, events: delayed,
			keys: map[string]string{"1": tried, "delayed": fmt.Sprintf("1=%d", due*4096), "marker": marker},
		},
		{
			name: "behind a job due in the same millisecond", outcome: later, events: delayed,
			between: waits(queue.JobOptions{Delay: 2500 * time.Millisecond}),
			keys:    map[string]string{"1": tried, "delayed": fmt.Sprintf("2=%d 1=%d", due*4096, due*4096+1), "marker": marker},
		},
		{
			name: "the marker names the earliest job", outcome: later, events: delayed,
			between: waits(queue.JobOptions{Delay: 2 * time.Second}),
			keys: map[string]string{
				"1": tried, "delayed": fmt.Sprintf("2=%d 1=%d", (start+2000)*4096, due*4096), "marker": fmt.Sprintf("1=%d", start+2000),
			},
		},
		{
			name: "postponed", outcome: postponed, events: delayed,
			keys: map[string]string{"1": claimedHash("delay=1500"), "delayed": fmt.Sprintf("1=%d", due*4096), "marker": marker},
		},
		{
			name: "a prioritized job", job: queue.JobOptions{Priority: 3}, outcome: postponed, events: delayed,
			keys: map[string]string{
				"1":       claimedHash("delay=1500", "priority=3", `opts={"attempts":0,"priority":3}`),
				"delayed": fmt.Sprintf("1=%d", due*4096), "marker": marker,
			},
		},
	})
}

func TestSettleGiveBack(t *testing.T) {
	back := queue.Outcome{Kind: queue.GiveBack}
	waiting := []string{"waiting jobId=1 prev=active"}
	runSettleCases(t, []settleCase{
		{
			name: "in front", between: waits(queue.JobOptions{}), outcome: back, events: waiting,
			keys: map[string]string{"wait": "2 1", "marker": "0=0"},
		},
		{
			name: "in front of its class", job: queue.JobOptions{Priority: 3}, between: waits(queue.JobOptions{Priority: 3}),
			outcome: back, events: waiting, keys: map[string]string{"prioritized": "1=12884901888 2=12884901890", "marker": "0=0"},
		},
		{
			name: "paused, version 5", between: func(e *env) { e.setVersion(5); e.must(e.q.Pause(e.ctx)) },
			outcome: back, events: waiting, keys: map[string]string{"paused": "1"},
		},
	})
}

// Other clients parse the value: not one byte of it may be touched.
func TestSettleKeepsTheBytesOfValues(t *testing.T) {
	onEach(t, func(e *env) {
		for _, value := range []string{
			`{"n":12345678901234567890, "f":1.10, "e":1e400}`, "[ ]", "{}", "\"\x00\xff\\u0000 é 🜚\"", `"a\/b"`, " 1\n",
			`"` + strings.Repeat("x", 1<<20) + `"`,
		} {
			e.family(1)
			e.claim(1, "tok")
			seen := len(e.events())
			e.settle(queue.Outcome{Kind: queue.Complete, ID: "c0", Token: "tok", ReturnValue: json.RawMessage(value)})
			same(e, "stored", value, e.rdb.HGet(e.ctx, e.key("c0"), "returnvalue").Val())
			same(e, "given to the parent", value, e.rdb.HGet(e.ctx, e.key("p:processed"), e.key("c0")).Val())
			same(e, "told", "completed jobId=c0 returnvalue="+value+" prev=active", e.newEvents(seen)[1])
			e = e.fork()
		}
	})
}
