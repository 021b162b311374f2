package queue_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// A dedupCase settles a job that owns a deduplication key. Without a change,
// the key is left as it was.
type dedupCase struct {
	name    string
	before  func(e *env)
	outcome queue.Outcome
	keys    map[string]string // changes beyond the job itself and its sets
	events  []string          // the first ones, if it matters
}

func runDedupCases(t *testing.T, cases []dedupCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.add(queue.NewJob{Name: "n"})
				e.hash("1", "deid", "d")
				e.must(e.rdb.Set(e.ctx, e.key("de:d"), "1", 0).Err())
				jobs := e.claim(1, "tok")
				e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
				if c.before != nil {
					c.before(e)
				}
				want, seen := e.dump(), len(e.events())
				e.now.Store(start + 1000)
				o := c.outcome
				o.ID, o.Token, o.Job = "1", "tok", &jobs[0]
				e.settle(o)
				got := e.dump()
				maps.Copy(want, c.keys)
				for _, key := range []string{"1", "1:lock", "active", "completed", "failed"} {
					delete(want, key)
					delete(got, key)
				}
				maps.DeleteFunc(want, func(_, value string) bool { return value == "" })
				same(e, "keys", want, got)
				if c.events != nil {
					same(e, "events", c.events, e.newEvents(seen)[:len(c.events)])
				}
			})
		})
	}
}

func TestSettleReleasesDeduplication(t *testing.T) {
	fail := queue.Outcome{Kind: queue.Fail, FailedReason: "boom"}
	complete := queue.Outcome{Kind: queue.Complete}
	removed := queue.Outcome{Kind: queue.Complete, Keep: queue.KeepNewest(0, 0)}
	window := func(e *env) { e.must(e.rdb.PExpire(e.ctx, e.key("de:d"), time.Hour).Err()) }
	gone := map[string]string{"de:d": ""}
	runDedupCases(t, []dedupCase{
		{name: "completed", outcome: complete, keys: gone, events: []string{"completed jobId=1 returnvalue=null prev=active"}},
		{name: "failed", outcome: fail, keys: gone, events: []string{"failed jobId=1 failedReason=boom prev=active"}},
		{name: "removed at once", outcome: removed, keys: gone},
		{name: "a window that outlives the job", before: window, outcome: complete},
		{name: "a window that outlives the removed job", before: window, outcome: removed},
		{name: "another owner", before: func(e *env) { e.must(e.rdb.Set(e.ctx, e.key("de:d"), "2", 0).Err()) }, outcome: complete},
		{
			name: "attempts left", outcome: queue.Outcome{Kind: queue.RetryLater, Delay: time.Second},
			keys:   map[string]string{"delayed": fmt.Sprintf("1=%d", (start+2000)*4096), "marker": "1=1795312802000"},
			events: []string{"delayed jobId=1 delay=1795312802000"},
		},
	})
}

// keptBack stores a job that was kept back while job 1 ran.
func keptBack(fields ...any) func(e *env) {
	return func(e *env) {
		e.hash("dn:d", append([]any{"name", "next", "data", `{"n":1}`, "opts", `{"attempts":2}`, "jid", "kept"}, fields...)...)
	}
}

func TestSettleRequeuesTheJobKeptBack(t *testing.T) {
	complete := queue.Outcome{Kind: queue.Complete}
	hash := func(opts, delay, priority string, more string) string {
		return `data={"n":1} deid=d delay=` + delay + " name=next opts=" + opts + more + " priority=" + priority + " timestamp=1795312801000"
	}
	added := []string{"added jobId=kept name=next", "waiting jobId=kept", "completed jobId=1 returnvalue=null prev=active"}
	requeued := func(more map[string]string) map[string]string {
		keys := map[string]string{
			"dn:d": "", "de:d": "kept", "id": "2", "marker": "0=0", "wait": "kept", "kept": hash(`{"attempts":2}`, "0", "0", ""),
		}
		maps.Copy(keys, more)
		return keys
	}
	runDedupCases(t, []dedupCase{
		{name: "completed", before: keptBack(), outcome: complete, keys: requeued(nil), events: added},
		{
			name: "failed", before: keptBack(), outcome: queue.Outcome{Kind: queue.Fail, FailedReason: "boom"}, keys: requeued(nil),
			events: []string{added[0], added[1], "failed jobId=1 failedReason=boom prev=active"},
		},
		{name: "removed at once", before: keptBack(), outcome: queue.Outcome{Kind: queue.Complete, Keep: queue.KeepNewest(0, 0)}, keys: requeued(nil), events: added},
		{
			name: "by its number", before: func(e *env) { keptBack()(e); e.must(e.rdb.HDel(e.ctx, e.key("dn:d"), "jid").Err()) }, outcome: complete,
			keys:   requeued(map[string]string{"kept": "", "2": hash(`{"attempts":2}`, "0", "0", ""), "de:d": "2", "wait": "2"}),
			events: []string{"added jobId=2 name=next", "waiting jobId=2"},
		},
		{
			name: "delayed", before: keptBack("opts", `{"delay":500}`), outcome: complete,
			keys: requeued(map[string]string{
				"wait": "", "kept": hash(`{"delay":500}`, "500", "0", ""), "delayed": fmt.Sprintf("kept=%d", (start+1500)*4096), "marker": "1=1795312801500",
			}),
			events: []string{added[0], "delayed jobId=kept delay=1795312801500"},
		},
		{
			name: "prioritized", before: keptBack("opts", `{"priority":2}`), outcome: complete, events: added,
			keys: requeued(map[string]string{"wait": "", "kept": hash(`{"priority":2}`, "0", "2", ""), "prioritized": "kept=8589934593", "pc": "1"}),
		},
		{
			name: "in front", before: func(e *env) { keptBack("opts", `{"lifo":true}`)(e); e.fill("wait", "x") }, outcome: complete, events: added,
			keys: requeued(map[string]string{"wait": "x kept", "kept": hash(`{"lifo":true}`, "0", "0", "")}),
		},
		{
			name: "with a parent", before: keptBack("pk", "P", "pd", `{"id":"P"}`, "rjk", "s"), outcome: complete, events: added,
			keys: requeued(map[string]string{
				"kept": `data={"n":1} deid=d delay=0 name=next opts={"attempts":2} parent={"id":"P"} parentKey=P priority=0 rjk=s timestamp=1795312801000`,
			}),
		},
		{name: "retried", before: keptBack(), outcome: queue.Outcome{Kind: queue.RetryNow}, keys: map[string]string{"wait": "1", "marker": "0=0"}},
	})
}

// The window of the job that was kept back begins anew, unless it is one that
// lasts while the job runs.
func TestSettleRequeueWindow(t *testing.T) {
	onEach(t, func(e *env) {
		for opts, want := range map[string]bool{
			`{"de":{"id":"d","ttl":60000}}`: true, `{"de":{"id":"d","ttl":60000,"keepLastIfActive":true}}`: false, `{"de":{"id":"d"}}`: false, "nonsense": false,
		} {
			e := e.fork()
			e.add(queue.NewJob{Name: "n"})
			e.hash("1", "deid", "d")
			e.must(e.rdb.Set(e.ctx, e.key("de:d"), "1", 0).Err())
			e.claim(1, "tok")
			keptBack("opts", opts, "pdk", e.key("P:dependencies"))(e)
			e.settle(queue.Outcome{Kind: queue.Complete, ID: "1", Token: "tok"})
			ttl := e.rdb.PTTL(e.ctx, e.key("de:d")).Val()
			if got := ttl > 50*time.Second && ttl <= time.Minute; got != want || (!want && ttl >= 0) {
				e.t.Errorf("%s: the key lives for %v", opts, ttl)
			}
			same(e, "the parent's children", e.key("kept"), e.dump()["P:dependencies"])
		}
	})
}
