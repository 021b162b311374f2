package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// finished puts jobs that finished a second apart, the last of them at the
// start, into completed or failed: f0, f1 and so on, the oldest first.
func (e *env) finished(set string, n int) {
	e.t.Helper()
	pipe := e.rdb.Pipeline()
	for i := range n {
		id := fmt.Sprintf("f%d", i)
		pipe.HSet(e.ctx, e.key(id), "name", "n", "timestamp", start)
		pipe.ZAdd(e.ctx, e.key(set), zAt(start-int64(n-1-i)*1000, id))
	}
	_, err := pipe.Exec(e.ctx)
	e.must(err)
}

// finishWith finishes one new job, a second after the start, under a rule.
func (e *env) finishWith(kind queue.OutcomeKind, keep *queue.Keep) {
	e.t.Helper()
	e.now.Store(start + 1000)
	e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "new"}})
	e.claim(1, "tok")
	e.settle(queue.Outcome{Kind: kind, ID: "new", Token: "tok", Keep: keep, FailedReason: "boom"})
}

// kept returns what is left in a set, and checks that the hashes of these jobs
// and no others are.
func (e *env) kept(set string) string {
	e.t.Helper()
	ids := e.rdb.ZRange(e.ctx, e.key(set), 0, -1).Val()
	hashes := []string{}
	for key := range e.dump() {
		if key == "new" || (strings.HasPrefix(key, "f") && key != "failed") {
			hashes = append(hashes, key)
		}
	}
	slices.Sort(hashes)
	same(e, "hashes", strings.Join(slices.Sorted(slices.Values(ids)), " "), strings.Join(hashes, " "))
	return strings.Join(ids, " ")
}

func TestRetentionRules(t *testing.T) {
	count := func(n int64) *int64 { return &n }
	age := func(d time.Duration) *time.Duration { return &d }
	// Before, f0 to f4 finished 4 to 0 s before the start; the new one at 1 s.
	for _, c := range []struct {
		name string
		keep *queue.Keep
		want string
	}{
		{"no rule", nil, "f0 f1 f2 f3 f4 new"},
		{"an empty rule", &queue.Keep{}, "f0 f1 f2 f3 f4 new"},
		{"only a limit", &queue.Keep{Limit: 1}, "f0 f1 f2 f3 f4 new"},
		{"the newest 3", queue.KeepNewest(3, 0), "f3 f4 new"},
		{"the newest", queue.KeepNewest(1, 0), "new"},
		{"as many as there are", queue.KeepNewest(6, 0), "f0 f1 f2 f3 f4 new"},
		{"more than there are", queue.KeepNewest(60, 0), "f0 f1 f2 f3 f4 new"},
		{"none: only the job itself goes", queue.KeepNewest(0, 0), "f0 f1 f2 f3 f4"},
		{"none and an age", queue.KeepNewest(0, 2*time.Second), "f0 f1 f2 f3 f4"},
		{"an age", &queue.Keep{Age: age(3 * time.Second)}, "f3 f4 new"}, // f2 finished just 3 s ago
		{"an age of none", &queue.Keep{Age: age(0)}, ""},
		{"an age that nothing has", &queue.Keep{Age: age(time.Hour)}, "f0 f1 f2 f3 f4 new"},
		{"an age, the newest of the old ones first", &queue.Keep{Age: age(3 * time.Second), Limit: 2}, "f0 f3 f4 new"},
		{"an age, then a count", queue.KeepNewest(2, 4*time.Second), "f4 new"},
		{"an age with a limit, then a count", &queue.Keep{Count: count(4), Age: age(3 * time.Second), Limit: 1}, "f1 f3 f4 new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				for kind, set := range map[queue.OutcomeKind]string{queue.Complete: "completed", queue.Fail: "failed"} {
					e := e.fork()
					e.finished(set, 5)
					e.finishWith(kind, c.keep)
					same(e, set, c.want, e.kept(set))
				}
			})
		})
	}
}

// A rule concerns the jobs of one outcome, and tells nobody.
func TestRetentionIsQuiet(t *testing.T) {
	onEach(t, func(e *env) {
		e.finished("completed", 3)
		e.hash("f0", "deid", "d")
		e.must(e.rdb.Set(e.ctx, e.key("de:d"), "f0", 0).Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), zAt(1, "other")).Err())
		e.hash("other", "name", "n")
		e.finishWith(queue.Complete, queue.KeepNewest(1, 0))
		after := e.dump()
		same(e, "keys", map[string]string{
			"completed": "new=1795312801000", "failed": "other=1", "other": "name=n", "new": after["new"], "de:d": "f0",
			"id": "1", "meta": "opts.maxLenEvents=10000", "marker": "0=0",
		}, after)
		same(e, "events", []string{
			"added jobId=new name=n", "waiting jobId=new", "active jobId=new prev=waiting",
			"completed jobId=new returnvalue=null prev=active", "drained",
		}, e.events())
	})
}

// Everything that hangs on a job goes with it, but nothing of its neighbors.
func TestRetentionTakesEverything(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			kind queue.OutcomeKind
			set  string
			keep *queue.Keep
			job  string // that goes
		}{
			{queue.Complete, "completed", queue.KeepNewest(1, 0), "f0"},
			{queue.Fail, "failed", queue.KeepNewest(1, 0), "f0"},
			{queue.Complete, "completed", &queue.Keep{Age: new(time.Duration)}, "f0"},
			{queue.Fail, "failed", queue.KeepNewest(0, 0), "new"},
			{queue.Complete, "completed", queue.KeepNewest(0, 0), "new"},
		} {
			e := e.fork()
			if c.job == "f0" {
				e.finished(c.set, 1)
			}
			e.must(e.rdb.RPush(e.ctx, e.key(c.job+":logs"), "line").Err())
			e.hash(c.job+":processed", "k", "1")
			e.hash(c.job+":failed", "k", "1")
			if c.kind == queue.Fail || c.job == "f0" { // it could not be completed
				e.must(e.rdb.SAdd(e.ctx, e.key(c.job+":dependencies"), "k").Err())
				e.fill(c.job+":unsuccessful", "k")
			}
			e.must(e.rdb.RPush(e.ctx, e.key("f00:logs"), "of another job").Err())
			e.finishWith(c.kind, c.keep)
			var left []string
			for key := range e.dump() {
				if strings.HasPrefix(key, c.job) && (c.job != "new" || key != "new") {
					left = append(left, key)
				}
			}
			want := map[string][]string{"f0": {"f00:logs"}}[c.job]
			same(e, fmt.Sprintf("%s of %s", c.job, c.set), want, left)
		}
	})
}

// A rule that was tightened catches up over the next finishes.
func TestRetentionCatchesUp(t *testing.T) {
	hour := time.Hour
	for _, c := range []struct {
		name  string
		keep  *queue.Keep
		after []int64 // each finish; 2500 finished before, long ago
	}{
		{"a count", queue.KeepNewest(10, 0), []int64{1501, 502, 10, 10}},
		{"an age", &queue.Keep{Age: &hour}, []int64{1501, 502, 3, 4}},
		{"an age with a limit", &queue.Keep{Age: &hour, Limit: 300}, []int64{2201, 1902, 1603}},
		{"an age with a limit above all", &queue.Keep{Age: &hour, Limit: 5000}, []int64{1501, 502, 3}},
		{"both", queue.KeepNewest(10, hour), []int64{501, 2, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.finished("completed", 2500)
				var left []int64
				for i := range c.after {
					e.now.Store(start + 2*hour.Milliseconds() + int64(i))
					e.add(queue.NewJob{Name: "n"})
					e.claim(1, "tok")
					e.settle(queue.Outcome{Kind: queue.Complete, ID: fmt.Sprint(i + 1), Token: "tok", Keep: c.keep})
					left = append(left, e.rdb.ZCard(e.ctx, e.key("completed")).Val())
				}
				same(e, "left", c.after, left)
				keys, err := e.rdb.Keys(e.ctx, e.key("*")).Result()
				e.must(err)
				own := slices.DeleteFunc(keys, func(key string) bool {
					return slices.Contains([]string{"completed", "events", "id", "marker", "meta"}, strings.TrimPrefix(key, e.key("")))
				})
				same(e, "hashes", int(left[len(left)-1]), len(own))
				newest := fmt.Sprint(len(c.after))
				same(e, "the newest", []string{newest}, e.rdb.ZRange(e.ctx, e.key("completed"), -1, -1).Val())
			})
		})
	}
}

// Jobs of one batch under one rule count together, those under another alone.
func TestRetentionOfABatch(t *testing.T) {
	onEach(t, func(e *env) {
		e.finished("failed", 3)
		e.running(6)
		var outcomes []queue.Outcome
		for i, o := range []queue.Outcome{
			{Kind: queue.Complete, Keep: queue.KeepNewest(2, 0)},
			{Kind: queue.Complete, Keep: queue.KeepNewest(2, 0)},
			{Kind: queue.Complete, Keep: queue.KeepNewest(2, 0)},
			{Kind: queue.Fail, Keep: queue.KeepNewest(3, 0)},
			{Kind: queue.Fail, Keep: queue.KeepNewest(0, 0)},
			{Kind: queue.Fail},
		} {
			o.ID, o.Token = fmt.Sprint(i+1), "tok"
			outcomes = append(outcomes, o)
		}
		e.now.Store(start + 1000)
		e.settleAll(outcomes...)
		after := e.dump()
		same(e, "completed", "2=1795312801000 3=1795312801000", after["completed"])
		same(e, "failed", "f1=1795312799000 f2=1795312800000 4=1795312801000 6=1795312801000", after["failed"])
		same(e, "hashes that are gone", int64(0), e.rdb.Exists(e.ctx, e.key("1"), e.key("5"), e.key("f0")).Val())
		same(e, "hashes that are left", int64(6), e.rdb.Exists(e.ctx, e.key("2"), e.key("3"), e.key("4"), e.key("6"), e.key("f1"), e.key("f2")).Val())
	})
}

// A failed job that its parent still waits for cannot be retried any more once
// it is gone: the parent is released, as by a removal.
func TestRetentionReleasesParents(t *testing.T) {
	onEach(t, func(e *env) {
		e.family(2)
		e.hash("p", "priority", 2, "delay", 60000)
		e.finish(queue.Fail)
		e.finish(queue.Fail)
		same(e, "pending", e.key("c0")+" "+e.key("c1"), e.dump()["p:dependencies"])
		e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
		seen := len(e.events())
		e.finishWith(queue.Fail, queue.KeepNewest(2, 0))
		after := e.dump()
		same(e, "one is gone", e.key("c1")+" p", after["p:dependencies"]+" "+after["waiting-children"][:1])
		e.add(queue.NewJob{Name: "n"})
		jobs := e.claim(1, "tok")
		e.settle(queue.Outcome{Kind: queue.Fail, ID: jobs[0].ID, Token: "tok", Keep: queue.KeepNewest(2, 0), Attempts: 2})
		after = e.dump()
		same(e, "both are gone", "", after["p:dependencies"]+after["waiting-children"]+after["c0"]+after["c1"])
		same(e, "the parent waits in its own line", "p=8589934593", after["prioritized"])
		same(e, "its delay", "0", e.rdb.HGet(e.ctx, e.key("p"), "delay").Val())
		same(e, "marker", "0=0", after["marker"])
		events := e.newEvents(seen)
		same(e, "events", []string{"failed jobId=4 failedReason= prev=active", "waiting jobId=p prev=waiting-children"}, events[len(events)-2:])
	})
}

// A completed parent can wait for a child again, one whose failure it had
// ignored and that was retried. Nothing of it may stay behind.
func TestRetentionOfAParentWhoseChildWasRetried(t *testing.T) {
	for name, keep := range map[string]*queue.Keep{"count": queue.KeepNewest(1, 0), "age": {Age: new(time.Duration)}} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.family(1)
				e.flag("idof", "c0")
				e.finish(queue.Fail)
				same(e, "ignored", e.key("c0")+"=boom", e.dump()["p:failed"])
				same(e, "completed", "p", e.finish(queue.Complete))
				errs, err := e.q.Retry(e.ctx, queue.StateFailed, []string{"c0"}, queue.RetryOptions{})
				e.must(errors.Join(append(errs, err)...))
				same(e, "pending again", e.key("c0"), e.dump()["p:dependencies"])
				jobs := e.claim(1, "held")
				e.finishWith(queue.Complete, keep)
				e.settle(queue.Outcome{Kind: queue.Complete, ID: "c0", Token: "held", Job: &jobs[0]})
				var left []string
				for key := range e.dump() {
					if key == "p" || strings.HasPrefix(key, "p:") {
						left = append(left, key)
					}
				}
				same(e, "keys of the parent", nil, left)
			})
		})
	}
}

// What is no job goes out of the set without harm to its key or to others.
func TestRetentionOfRubbish(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), zAt(1, "ghost"), zAt(2, "odd"), redis.Z{Score: 3, Member: "orphan"}).Err())
		e.hash("odd", "name", "n", "parentKey", "no such parent")
		e.hash("orphan", "name", "n", "parentKey", e.key("gone"), "parent", "{")
		e.finishWith(queue.Fail, queue.KeepNewest(1, 0))
		after := e.dump()
		same(e, "failed", "new=1795312801000", after["failed"])
		same(e, "hashes", "", after["odd"]+after["orphan"]+after["ghost"])
	})
}
