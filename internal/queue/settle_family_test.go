package queue_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// flag sets the failure option in the children's record of their parent.
func (e *env) flag(name string, children ...string) {
	e.t.Helper()
	text := fmt.Sprintf(`{"id":"p","queueKey":"%s"}`, e.base)
	if name != "" {
		text = fmt.Sprintf(`{"id":"p","queueKey":"%s","%s":true}`, e.base, name)
	}
	for _, id := range children {
		e.hash(id, "parent", text)
	}
}

// movedParent takes the parent out of waiting-children, into another structure.
func movedParent(to string) func(e *env) {
	return func(e *env) {
		e.must(e.rdb.ZRem(e.ctx, e.key("waiting-children"), "p").Err())
		e.fill(to, "p")
	}
}

// parentKeys is what a child's end can change, the children's names cut short.
func (e *env) parentKeys() map[string]string {
	e.t.Helper()
	keys, all := map[string]string{}, e.dump()
	for _, key := range []string{
		"p", "p:dependencies", "p:processed", "p:failed", "p:unsuccessful", "wait", "paused", "prioritized", "delayed",
		"waiting-children", "failed", "completed", "marker",
	} {
		if value, ok := all[key]; ok {
			keys[key] = strings.ReplaceAll(value, e.base.String()+":", "")
		}
	}
	return keys
}

// A familyCase settles the first of two children; the second one waits.
type familyCase struct {
	name    string
	flag    string
	before  func(e *env)
	outcome queue.Outcome
	keys    map[string]string // changes to what the parent was, and to the sets of the finished
	events  []string          // before those of the child
}

func runFamilyCases(t *testing.T, cases []familyCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.family(2)
				e.flag(c.flag, "c0")
				if c.before != nil {
					c.before(e)
				}
				jobs := e.claim(1, "tok")
				e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
				want, seen := e.parentKeys(), len(e.events())
				o := c.outcome
				o.ID, o.Token, o.Job, o.Attempts = "c0", "tok", &jobs[0], 2
				e.settle(o)
				maps.Copy(want, c.keys)
				maps.DeleteFunc(want, func(_, value string) bool { return value == "" })
				same(e, "keys", want, e.parentKeys())
				own := map[queue.OutcomeKind]string{
					queue.Complete: "completed jobId=c0 returnvalue=7 prev=active", queue.Fail: "failed jobId=c0 failedReason=boom prev=active",
					queue.RetryNow: "waiting jobId=c0 prev=active",
				}[o.Kind]
				wantEvents := append(append([]string(nil), c.events...), own)
				got := e.newEvents(seen)
				for i := range got {
					got[i] = strings.ReplaceAll(got[i], e.base.String()+":", "")
				}
				same(e, "events", wantEvents, got)
			})
		})
	}
}

const (
	parentHash     = "data={} delay=0 name=parent opts={} priority=0 timestamp=1795312800000"
	deferredParent = "data={} defa=child c0 failed delay=0 name=parent opts={} priority=0 timestamp=1795312800000"
)

var (
	released   = []string{"waiting jobId=p prev=waiting-children"}
	childFails = queue.Outcome{Kind: queue.Fail, FailedReason: "boom"}
	childDone  = queue.Outcome{Kind: queue.Complete, ReturnValue: []byte("7")}
)

func onlyC0(e *env) { e.must(e.rdb.SRem(e.ctx, e.key("p:dependencies"), e.key("c1")).Err()) }

func TestSettleChildCompleted(t *testing.T) {
	done := func(more map[string]string) map[string]string {
		keys := map[string]string{"completed": "c0=1795312800000", "p:dependencies": "c1", "p:processed": "c0=7"}
		maps.Copy(keys, more)
		return keys
	}
	runFamilyCases(t, []familyCase{
		{name: "others pend", outcome: childDone, keys: done(nil)},
		{
			name: "the last one", before: onlyC0, outcome: childDone, events: released,
			keys: done(map[string]string{"p:dependencies": "", "waiting-children": "", "wait": "c1 p", "marker": "0=0"}),
		},
		{
			name: "removed at once", before: onlyC0, events: released,
			outcome: queue.Outcome{Kind: queue.Complete, ReturnValue: []byte("7"), Keep: queue.KeepNewest(0, 0)},
			keys:    done(map[string]string{"p:dependencies": "", "waiting-children": "", "wait": "c1 p", "marker": "0=0", "completed": ""}),
		},
		{
			name: "of a prioritized parent", before: func(e *env) { onlyC0(e); e.hash("p", "priority", 2) }, outcome: childDone,
			events: released, keys: done(map[string]string{
				"p:dependencies": "", "waiting-children": "", "prioritized": "p=8589934593", "marker": "0=0",
			}),
		},
		{
			name: "of a delayed parent", before: func(e *env) { onlyC0(e); e.hash("p", "delay", 1000) }, outcome: childDone,
			events: []string{"delayed jobId=p delay=1795312801000"}, keys: done(map[string]string{
				"p:dependencies": "", "waiting-children": "", "delayed": "p=7353601232896000", "marker": "1=1795312801000",
			}),
		},
		{name: "the parent is active", before: func(e *env) { onlyC0(e); movedParent("active")(e) }, outcome: childDone, keys: done(map[string]string{"p:dependencies": ""})},
		{
			name: "a parent that names no such child", outcome: childDone, keys: map[string]string{"completed": "c0=1795312800000"},
			before: func(e *env) { e.must(e.rdb.SRem(e.ctx, e.key("p:dependencies"), e.key("c0")).Err()) },
		},
		{
			name: "the parent is gone", outcome: childDone, keys: map[string]string{"completed": "c0=1795312800000"},
			before: func(e *env) { e.must(e.rdb.Del(e.ctx, e.key("p"), e.key("p:dependencies")).Err()) },
		},
		{name: "an unreadable record of the parent", outcome: childDone, before: func(e *env) { e.hash("c0", "parent", "{") }, keys: done(nil)},
		{name: "a failure option", flag: "fpof", outcome: childDone, keys: done(nil)},
	})
}

// childFailed is the keys after the first child's failure, of which its parent
// knows no more that it pends; more is what else has changed.
func childFailed(more map[string]string) map[string]string {
	keys := map[string]string{"failed": "c0=1795312800000", "p:dependencies": "c1"}
	maps.Copy(keys, more)
	return keys
}

// with is the keys with another value of one.
func with(keys map[string]string, key, value string) map[string]string {
	keys = maps.Clone(keys)
	keys[key] = value
	return keys
}

func TestSettleChildFailsItsParent(t *testing.T) {
	atOnce := childFails
	atOnce.Keep = queue.KeepNewest(0, 0)
	failing := map[string]string{
		"p": deferredParent, "p:unsuccessful": "c0=1795312800000", "waiting-children": "", "delayed": "", "wait": "c1 p", "marker": "0=0",
	}
	elsewhere := map[string]string{"p": deferredParent, "p:unsuccessful": "c0=1795312800000"}
	runFamilyCases(t, []familyCase{
		{name: "fpof", flag: "fpof", outcome: childFails, events: released, keys: childFailed(failing)},
		{
			name: "fpof, delayed parent", flag: "fpof", outcome: childFails, events: released, keys: childFailed(failing),
			before: func(e *env) {
				e.must(e.rdb.ZRem(e.ctx, e.key("waiting-children"), "p").Err())
				e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), zAt((start+60000)*4096, "p")).Err())
				e.hash("p", "delay", 60000)
			},
		},
		{
			name: "fpof, prioritized parent", flag: "fpof", outcome: childFails, before: func(e *env) { e.hash("p", "priority", 2) }, events: released,
			keys: childFailed(map[string]string{
				"p":              "data={} defa=child c0 failed delay=0 name=parent opts={} priority=2 timestamp=1795312800000",
				"p:unsuccessful": "c0=1795312800000", "waiting-children": "", "prioritized": "p=8589934593", "marker": "0=0",
			}),
		},
		{name: "fpof, active parent", flag: "fpof", before: movedParent("active"), outcome: childFails, keys: childFailed(elsewhere)},
		{name: "fpof, completed parent", flag: "fpof", before: movedParent("completed"), outcome: childFails, keys: childFailed(elsewhere)},
		{
			name: "fpof, failed parent", flag: "fpof", before: movedParent("failed"), outcome: childFails,
			keys: childFailed(map[string]string{"p:unsuccessful": "c0=1795312800000", "failed": "p=1 c0=1795312800000"}),
		},
		{name: "fpof, removed at once", flag: "fpof", outcome: atOnce, events: released, keys: with(childFailed(failing), "failed", "")},
	})
}

func TestSettleChildFailed(t *testing.T) {
	atOnce := childFails
	atOnce.Keep = queue.KeepNewest(0, 0)
	last := map[string]string{"p:dependencies": "", "waiting-children": "", "wait": "c1 p", "marker": "0=0"}
	runFamilyCases(t, []familyCase{
		{name: "cpof", flag: "cpof", outcome: childFails, events: released, keys: childFailed(map[string]string{
			"p:failed": "c0=boom", "waiting-children": "", "wait": "c1 p", "marker": "0=0",
		})},
		{name: "cpof, active parent", flag: "cpof", before: movedParent("active"), outcome: childFails, keys: childFailed(map[string]string{"p:failed": "c0=boom"})},
		{name: "idof, others pend", flag: "idof", outcome: childFails, keys: childFailed(map[string]string{"p:failed": "c0=boom"})},
		{name: "idof, the last one", flag: "idof", before: onlyC0, outcome: childFails, events: released, keys: with(childFailed(last), "p:failed", "c0=boom")},
		{name: "rdof, others pend", flag: "rdof", outcome: childFails, keys: childFailed(nil)},
		{name: "rdof, the last one", flag: "rdof", before: onlyC0, outcome: childFails, events: released, keys: childFailed(last)},
		{name: "none", before: onlyC0, outcome: childFails, keys: childFailed(map[string]string{"p:dependencies": "c0"})},
		{name: "none, removed at once", before: onlyC0, outcome: atOnce, events: released, keys: with(childFailed(last), "failed", "")},
		{name: "none, removed at once, others pend", outcome: atOnce, keys: with(childFailed(nil), "failed", "")},
		{name: "attempts left", flag: "fpof", outcome: queue.Outcome{Kind: queue.RetryNow, FailedReason: "boom"}, keys: map[string]string{"wait": "c0 c1", "marker": "0=0"}},
		{
			name: "a parent that names no such child", flag: "fpof", outcome: childFails, keys: childFailed(nil),
			before: func(e *env) { e.must(e.rdb.SRem(e.ctx, e.key("p:dependencies"), e.key("c0")).Err()) },
		},
		{
			name: "the parent is gone", flag: "fpof", outcome: childFails, keys: map[string]string{"failed": "c0=1795312800000"},
			before: func(e *env) { e.must(e.rdb.Del(e.ctx, e.key("p"), e.key("p:dependencies")).Err()) },
		},
	})
}

// A parent may lie in another queue: what happens to it is told there.
func TestSettleChildOfAnotherQueue(t *testing.T) {
	onEach(t, func(e *env) {
		for _, kind := range []queue.OutcomeKind{queue.Complete, queue.Fail} {
			for _, paused := range []bool{false, true} {
				e := e.fork()
				other := *e
				other.base.Name = "parents"
				other.q = e.client.Queue(other.base)
				e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "c"}})
				e.hash("c", "parentKey", other.key("p"), "parent", fmt.Sprintf(`{"id":"p","queueKey":"%s","idof":true}`, other.base))
				other.hash("p", "name", "n", "timestamp", start)
				other.fill("waiting-children", "p")
				e.must(e.rdb.SAdd(e.ctx, other.key("p:dependencies"), e.key("c")).Err())
				want := map[string]string{"p": "name=n timestamp=1795312800000", "meta": "opts.maxLenEvents=10000", "wait": "p", "marker": "0=0"}
				if paused {
					other.must(other.q.Pause(e.ctx))
					want["meta"] += " paused=1"
					delete(want, "marker")
				}
				e.finish(kind)
				record := map[queue.OutcomeKind]string{queue.Complete: "processed", queue.Fail: "failed"}[kind]
				want["p:"+record] = e.key("c") + map[queue.OutcomeKind]string{queue.Complete: "=null", queue.Fail: "=boom"}[kind]
				same(e, "keys of the parent's queue", want, other.dump())
				events := other.events()
				same(e, "its last event", released, events[len(events)-1:])
				if got := strings.Join(e.events(), "\n"); strings.Contains(got, "jobId=p") {
					e.t.Errorf("the child's queue tells of the parent:\n%s", got)
				}
			}
		}
	})
}

// BullMQ attaches an existing job to any parent, also to itself.
func TestSettleAJobThatIsItsOwnParent(t *testing.T) {
	onEach(t, func(e *env) {
		e.addIDs("own")
		e.hash("own", "parentKey", e.key("own"), "parent", fmt.Sprintf(`{"id":"own","queueKey":"%s","fpof":true}`, e.base))
		e.must(e.rdb.SAdd(e.ctx, e.key("own:dependencies"), e.key("own")).Err())
		e.finish(queue.Fail)
		same(e, "failed", "own=1795312800000", e.dump()["failed"])
		same(e, "still to be failed", false, e.rdb.HExists(e.ctx, e.key("own"), "defa").Val())
	})
}

// The last children of one batch release their parent once.
func TestSettleAllChildrenTogether(t *testing.T) {
	onEach(t, func(e *env) {
		e.family(10)
		e.flag("idof", "c1", "c3")
		jobs := e.claim(10, "tok")
		seen := len(e.events())
		var outcomes []queue.Outcome
		want := []string{}
		for i := range jobs {
			o := queue.Outcome{Kind: queue.Complete, ID: jobs[i].ID, Token: "tok", Job: &jobs[i], Attempts: 2, Delay: time.Second}
			if o.ID == "c1" || o.ID == "c3" {
				o.Kind = queue.Fail
			}
			outcomes = append(outcomes, o)
			want = append(want, "ok")
		}
		same(e, "answers", want, e.settleAll(outcomes...))
		keys := e.parentKeys()
		same(e, "pending and waiting", "p", keys["p:dependencies"]+keys["waiting-children"]+keys["wait"])
		same(e, "failed", "c1= c3=", keys["p:failed"])
		same(e, "events of all children and the parent", 11, len(e.newEvents(seen)))
	})
}
