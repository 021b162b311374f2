package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// oddCase is something in a queue that is not simply a waiting job, together
// with the healthy job h behind it, which every claim must bring.
type oddCase struct {
	name    string
	prepare func(e *env)
	dropped []string
	changes map[string]string // beyond h
	events  []string          // before that of h
}

func (c oddCase) run(e *env) {
	e.t.Helper()
	c.prepare(e)
	e.addIDs("h")
	e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
	before, seen := e.dump(), len(e.events())
	claimed := e.claimed(queue.ClaimRequest{N: 1, Token: "t"})
	same(e, c.name+": claimed", "h", jobIDs(claimed.Jobs))
	same(e, c.name+": dropped", c.dropped, claimed.Dropped)
	changes := map[string]string{
		"active": strings.TrimSpace("h " + before["active"]), "h:lock": "t", "marker": "0=0", "wait": "",
		"h": "ats=1 " + strings.Replace(before["h"], " timestamp", fmt.Sprintf(" processedOn=%d timestamp", start), 1),
	}
	for key, value := range c.changes {
		changes[key] = value
	}
	e.t.Log(c.name)
	e.changed(before, changes)
	same(e, c.name+": events", append(c.events, "active jobId=h prev=waiting"), e.newEvents(seen))

	after, seen := e.dump(), len(e.events())
	same(e, c.name+": then", queue.Claimed{Dropped: []string{}}, e.claimed(queue.ClaimRequest{N: 9, Token: "u"}))
	e.changed(after, map[string]string{"pc": ""})
	same(e, c.name+": events then", 0, len(e.newEvents(seen)))
}

// Ids without a job leave the queue unseen by any handler; those whose key is
// something else are set aside for the operator, with the key left as it is.
func TestClaimDropsWhatIsNoJob(t *testing.T) {
	aside := fmt.Sprintf("text=%d", start)
	text := func(e *env) { e.must(e.rdb.Set(e.ctx, e.key("text"), "x", 0).Err()) }
	cases := []oddCase{
		{
			name: "an id without a job", prepare: func(e *env) { e.fill("wait", "ghost"); e.fill("wait", "ghost2") },
			dropped: []string{"ghost", "ghost2"},
		},
		{
			name: "one of the queue's own keys", prepare: func(e *env) { e.fill("wait", "meta") },
			dropped: []string{"meta"},
		},
		{
			name: "a text for a job", prepare: func(e *env) { e.fill("wait", "text"); text(e) },
			dropped: []string{"text"}, changes: map[string]string{"qctl:corrupt": aside},
		},
		{
			name: "a text for a job, and the list of such jobs is none", dropped: []string{"text"},
			prepare: func(e *env) {
				e.fill("wait", "text")
				text(e)
				e.must(e.rdb.Set(e.ctx, e.key("qctl:corrupt"), "x", 0).Err())
			},
		},
		{
			name: "one of the queue's own keys", prepare: func(e *env) { e.fill("wait", "active"); e.fill("active", "x") },
			dropped: []string{"active"}, changes: map[string]string{"qctl:corrupt": fmt.Sprintf("active=%d", start)},
		},
		{
			name: "a lock without a job", dropped: []string{"ghost"},
			prepare: func(e *env) {
				e.fill("wait", "ghost")
				e.must(e.rdb.Set(e.ctx, e.key("ghost:lock"), "other", 0).Err())
			},
		},
		{
			name: "markers of old layouts", prepare: func(e *env) { e.fill("wait", "0:0"); e.fill("wait", "0:1795312800000") },
			dropped: []string{},
		},
	}
	onEach(t, func(e *env) {
		for _, c := range cases {
			c.run(e.fork())
		}
	})
}

// The same among prioritized and delayed jobs.
func TestClaimDropsFromSets(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.Set(e.ctx, e.key("text"), "x", 0).Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key("prioritized"), zAt(1, "ghost"), zAt(2, "text")).Err())
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "p", Priority: 1}})
		claimed := e.claimed(queue.ClaimRequest{N: 1, Token: "t"})
		same(e, "claimed", "p", jobIDs(claimed.Jobs))
		same(e, "dropped", []string{"ghost", "text"}, claimed.Dropped)
		same(e, "set aside", fmt.Sprintf("text=%d", start), e.dump()["qctl:corrupt"])

		e = e.fork()
		e.must(e.rdb.Set(e.ctx, e.key("text"), "x", 0).Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), zAt(1, "ghost"), zAt(2, "text")).Err())
		e.hash("bare", "data", "1") // a job, if a poor one
		e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), zAt(3, "bare")).Err())
		same(e, "claimed", "bare", jobIDs(e.claim(5, "t")))
		e.changed(nil, map[string]string{
			"text": "x", "qctl:corrupt": fmt.Sprintf("text=%d", start), "active": "bare", "bare:lock": "t", "marker": "0=0",
			"bare": fmt.Sprintf("ats=1 data=1 delay=0 processedOn=%d", start), "meta": "opts.maxLenEvents=10000",
		})
		same(e, "events", []string{"waiting jobId=bare prev=delayed", "active jobId=bare prev=waiting"}, e.events())
	})
}

// A second entry of a job that runs, or of one just claimed, is no second run.
func TestClaimNeverRunsAJobTwice(t *testing.T) {
	onEach(t, func(e *env) {
		oddCase{
			name: "an entry of a running job", dropped: []string{}, changes: map[string]string{"active": "h run"},
			prepare: func(e *env) { e.addIDs("run"); e.claim(1, "mine"); e.fill("wait", "run") },
		}.run(e.fork())

		e = e.fork()
		e.addIDs("a", "b")
		e.must(e.rdb.RPush(e.ctx, e.key("wait"), "a", "a").Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key("prioritized"), zAt(1, "a"), zAt(2, "b")).Err())
		same(e, "claimed", "a b", jobIDs(e.claim(4, "t")))
		same(e, "claimed again", "", jobIDs(e.claim(4, "u")))
		same(e, "active", []string{"a", "b"}, e.ids("active"))
		same(e, "started", "1", e.rdb.HGet(e.ctx, e.key("a"), "ats").Val())
		same(e, "lock", "t", e.dump()["a:lock"])
	})
}

// A lock that has outlived its job's last run stops nobody.
func TestClaimTakesOverAnOldLock(t *testing.T) {
	onEach(t, func(e *env) {
		e.addIDs("a", "b")
		e.must(e.rdb.Set(e.ctx, e.key("a:lock"), "old", time.Hour).Err())
		e.must(e.rdb.LPush(e.ctx, e.key("b:lock"), "no lock").Err())
		same(e, "claimed", "a b", jobIDs(e.claim(2, "t")))
		same(e, "locks", "t t", e.dump()["a:lock"]+" "+e.dump()["b:lock"])
		if ttl := e.rdb.PTTL(e.ctx, e.key("a:lock")).Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("the lock lives for %v, want a minute", ttl)
		}
	})
}

// A job that cannot be run is claimed once, says why, and can be failed; no
// worker meets it a second time.
func TestClaimUnrunnableJobs(t *testing.T) {
	cases := []struct {
		name, unrunnable string
		fields           []any
		corrupt          string
	}{
		{name: "no name", fields: []any{"data", "{}", "opts", "{}"}, unrunnable: "name: missing"},
		{name: "empty name", fields: []any{"name", "", "data", "{}", "opts", "{}"}, unrunnable: "name: missing"},
		{name: "no data", fields: []any{"name", "n", "opts", "{}"}, unrunnable: "data: missing"},
		{name: "cut data", fields: []any{"name", "n", "data", `{"a":`, "opts", "{}"}, unrunnable: "data: unexpected end of JSON input at byte 5"},
		{name: "two values", fields: []any{"name", "n", "data", `{}}`, "opts", "{}"}, unrunnable: "data: invalid character '}' after top-level value at byte 3"},
		{name: "cut opts", fields: []any{"name", "n", "data", "{}", "opts", `{"attempts":`}, unrunnable: "opts: not a JSON object"},
		{name: "null opts", fields: []any{"name", "n", "data", "{}", "opts", "null"}, unrunnable: "opts: not a JSON object"},
		{name: "list for opts", fields: []any{"name", "n", "data", "{}", "opts", "[]"}, unrunnable: "opts: not a JSON object"},
		{name: "no opts", fields: []any{"name", "n", "data", "1"}},
		{name: "empty opts", fields: []any{"name", "n", "data", "null", "opts", ""}},
		{name: "bad counter", fields: []any{"name", "n", "data", "1", "opts", "{}", "atm", "x"}, corrupt: `atm: "x" is not a number in range`},
		{name: "bad starts", fields: []any{"name", "n", "data", "1", "opts", "{}", "ats", "x"}},
		{name: "bad time", fields: []any{"name", "n", "data", "1", "opts", "{}", "timestamp", "1e300"}, corrupt: `timestamp: "1e300" is not a number in range`},
	}
	onEach(t, func(e *env) {
		for _, c := range cases {
			e := e.fork()
			e.hash("a", c.fields...)
			e.fill("wait", "a")
			jobs := e.claim(2, "t")
			same(e, c.name+": claimed", "a", jobIDs(jobs))
			same(e, c.name+": unrunnable", c.unrunnable, jobs[0].Unrunnable)
			same(e, c.name+": corrupt", c.corrupt, strings.Join(jobs[0].Corrupt, "|"))
			same(e, c.name+": attempts", "0 1", fmt.Sprint(jobs[0].AttemptsMade, jobs[0].AttemptsStarted))
			same(e, c.name+": options", c.unrunnable == "opts: not a JSON object", jobs[0].Options == nil)
			after := e.dump()
			same(e, c.name+": active and locked", "a t", after["active"]+" "+after["a:lock"])
			e.settle(queue.Outcome{Kind: queue.Fail, ID: "a", Token: "t", FailedReason: jobs[0].Unrunnable, Job: &jobs[0]})
			same(e, c.name+": failed", fmt.Sprintf("a=%d", start), e.dump()["failed"])
			same(e, c.name+": claimed again", "", jobIDs(e.claim(2, "u")))
		}
	})
}

// What a worker is given are the stored bytes, also of what it cannot run.
func TestClaimKeepsBrokenTexts(t *testing.T) {
	onEach(t, func(e *env) {
		e.hash("a", "name", "n\xff", "data", "{\xff", "opts", "[\x00", "stacktrace", "{", "defa", "")
		e.fill("wait", "a")
		job := e.claim(1, "t")[0]
		same(e, "texts", []string{"n\xff", "{\xff", "[\x00", ""}, []string{job.Name, string(job.Data), string(job.Opts), job.DeferredFailure})
		same(e, "deferred failure", true, job.HasDeferredFailure)
		same(e, "corrupt", 1, len(job.Corrupt))
		same(e, "parent", json.RawMessage(nil), job.Parent)
	})
}

// A key of the wrong type stops an add and a claim before they write.
func TestAddAndClaimStopAtWrongTypes(t *testing.T) {
	add := func(e *env) error {
		_, err := e.q.AddBulk(e.ctx, []queue.NewJob{
			{Name: "n"}, {Name: "n", Opts: queue.JobOptions{Priority: 1}}, {Name: "n", Opts: queue.JobOptions{Delay: time.Second}},
		})
		return err
	}
	claim := func(e *env) error {
		_, err := e.q.Claim(e.ctx, queue.ClaimRequest{N: 5, Token: "t", Lock: time.Minute})
		return err
	}
	onEach(t, func(e *env) {
		for _, c := range []struct {
			name, keys string
			call       func(e *env) error
		}{
			{"add", "meta id wait paused active prioritized delayed marker pc events", add},
			{"claim", "meta wait paused active prioritized delayed marker events", claim},
		} {
			for _, suffix := range strings.Fields(c.keys) {
				e := e.fork()
				e.waiting()
				e.now.Store(start + 2*time.Hour.Milliseconds())
				e.must(e.rdb.Del(e.ctx, e.key(suffix)).Err())
				e.must(e.rdb.SAdd(e.ctx, e.key(suffix), "x").Err())
				before := e.dump()
				if err := c.call(e); !errors.Is(err, queue.ErrCorrupt) || !strings.Contains(err.Error(), suffix) {
					t.Errorf("%s with a wrong %s: %v, want ErrCorrupt that names it", c.name, suffix, err)
				}
				e.changed(before, nil)
			}
		}
	})
}

// What a claim only counts with is no reason to stop.
func TestClaimGoesOnWithAWrongCounter(t *testing.T) {
	onEach(t, func(e *env) {
		e.waiting()
		e.must(e.rdb.Del(e.ctx, e.key("pc")).Err())
		e.must(e.rdb.LPush(e.ctx, e.key("pc"), "x").Err())
		e.hash("late", "priority", 9)
		e.now.Add(2 * time.Hour.Milliseconds())
		same(e, "claimed", "l2 l1 n1 n2 p1 p5a p5b late", jobIDs(e.claim(9, "t")))
	})
}
