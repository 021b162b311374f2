package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A damage breaks one invariant of a queue where job 1 waits, job 2 has priority 3, and job 3 is delayed.
type damage struct {
	want string
	do   func(d *damaged)
}

// damaged is the queue at work.
type damaged struct{ *line }

func (d *damaged) hset(suffix string, fields ...any) { d.w.rdb.HSet(d.w.ctx, d.key(suffix), fields...) }

func (d *damaged) zadd(suffix string, score float64, member string) {
	d.w.rdb.ZAdd(d.w.ctx, d.key(suffix), redis.Z{Score: score, Member: member})
}

func (d *damaged) set(suffix string, value any) { d.w.rdb.Set(d.w.ctx, d.key(suffix), value, 0) }

func (d *damaged) del(suffix string) { d.w.rdb.Del(d.w.ctx, d.key(suffix)) }

func (d *damaged) push(suffix string, ids ...any) { d.w.rdb.RPush(d.w.ctx, d.key(suffix), ids...) }

func (d *damaged) depend(parent, child string) {
	d.w.rdb.SAdd(d.w.ctx, d.key(parent+":dependencies"), child)
}

func (d *damaged) event(kind, id string, more ...any) {
	d.w.rdb.XAdd(d.w.ctx, &redis.XAddArgs{Stream: d.key("events"), Values: append([]any{"event", kind, "jobId", id}, more...)})
}

// take takes job 1 out of the waiting ones.
func (d *damaged) take() { d.w.rdb.LRem(d.w.ctx, d.key("wait"), 0, "1") }

// start makes job 1 active, as a claim does but for the lock and the event.
func (d *damaged) start() {
	d.take()
	d.push("active", "1")
	d.hset("1", "processedOn", 5, "ats", 1)
}

// damages break the invariants in the order of the checks.
var damages = []damage{
	{"job 1 is in wait and in active", func(d *damaged) { d.push("active", "1") }},
	{"job 1 is in wait and in wait", func(d *damaged) { d.push("wait", "1") }},
	{"job 9 in failed has no name", func(d *damaged) { d.zadd("failed", 0, "9") }},
	{"job 2 is lost", func(d *damaged) { d.del("prioritized") }},
	{"paused holds [1] beside wait [1]", func(d *damaged) { d.push("paused", "1"); d.hset("meta", "paused", 1) }},
	{"paused holds [1], but the queue is not paused", func(d *damaged) { d.push("paused", "1") }},
	{"opts of job 1", func(d *damaged) { d.hset("1", "opts", "null") }},
	{"progress of job 1 is no JSON", func(d *damaged) { d.hset("1", "progress", "{") }},
	{"job 1 was attempted 2 times, started 0 times", func(d *damaged) { d.hset("1", "atm", 2) }},
	{"job 1 is active without a lock", func(d *damaged) { d.start(); d.set("stalled-check", 9) }},
	{"job 1 is locked", func(d *damaged) { d.set("1:lock", "x") }},
	{"2 jobs are active, the limit is 1", func(d *damaged) { d.hset("meta", "concurrency", 1); d.push("active", "2", "3") }},
	{"job 1 is active but was never started", func(d *damaged) { d.take(); d.push("active", "1") }},
	{"job 1 is active, its last event is", func(d *damaged) { d.start() }},
	{"job 3 is suspected of stalling", func(d *damaged) { d.w.rdb.SAdd(d.w.ctx, d.key("stalled"), "3") }},
	{"job 1 in wait has delay 5", func(d *damaged) { d.hset("1", "delay", 5) }},
	{"job 1 waits with priority 4", func(d *damaged) { d.hset("1", "priority", 4) }},
	{"job 2 has score", func(d *damaged) { d.hset("2", "priority", 5) }},
	{"the counter stands at 0", func(d *damaged) { d.del("pc") }},
	{"job 3 is due at", func(d *damaged) { d.zadd("delayed", 1<<52, "3") }},
	{"job 3 has delay 0, but is due", func(d *damaged) { d.hset("3", "delay", 0) }},
	{"job 1 in wait has an outcome", func(d *damaged) { d.hset("1", "finishedOn", 5) }},
	{"job 1 is completed at 5 without", func(d *damaged) { d.take(); d.zadd("completed", 5, "1") }},
	{"job 1 has failed and is still to be failed", func(d *damaged) {
		d.take()
		d.zadd("failed", 5, "1")
		d.hset("1", "finishedOn", 5, "failedReason", "x", "ats", 1, "atm", 1, "defa", "x")
	}},
	{"job 1 was retried and has still", func(d *damaged) { d.event("waiting", "1", "prev", "failed"); d.hset("1", "failedReason", "x") }},
	{"the queue is paused and its marker", func(d *damaged) { d.hset("meta", "paused", 1) }},
	{"the marker is map[1", func(d *damaged) { d.w.rdb.ZRem(d.w.ctx, d.key("marker"), "0") }},
	{"a job is due", func(d *damaged) { d.w.rdb.ZRem(d.w.ctx, d.key("marker"), "1") }},
	{"job 1 waits for no children", func(d *damaged) { d.take(); d.zadd("waiting-children", 5, "1") }},
	{"child x of job 1 has two outcomes", func(d *damaged) { d.hset("1:processed", "x", 1); d.hset("1:failed", "x", "y") }},
	{"job 1 waits for child", func(d *damaged) { d.depend("1", d.key("2")) }},
	{"child x of job 1 is pending and has an outcome", func(d *damaged) { d.depend("1", "x"); d.zadd("1:unsuccessful", 5, "x") }},
	{"deduplication id d", func(d *damaged) { d.set("de:d", "1") }},
	{"a next job is kept for deduplication id d", func(d *damaged) { d.hset("dn:d", "name", "n") }},
	{"scheduler s: map[]", func(d *damaged) { d.zadd("repeat", 5, "s") }},
	{"scheduler s has no job repeat:s:5", func(d *damaged) {
		d.zadd("repeat", 5, "s")
		d.hset("repeat:s", "name", "n", "ic", 1, "every", 5)
	}},
	{"job repeat:s:5 was fetched, and scheduler s", func(d *damaged) {
		d.zadd("repeat", 5, "s")
		d.hset("repeat:s", "name", "n", "ic", 1, "every", 5)
		d.hset("repeat:s:5", "rjk", "s", "ats", 1)
	}},
	{"would end Node's listeners", func(d *damaged) { d.event("completed", "1", "returnvalue", "{") }},
	{`job 3 became active after "delayed"`, func(d *damaged) { d.event("active", "3", "prev", "waiting") }},
	{`job 1 completed after "waiting"`, func(d *damaged) { d.event("completed", "1", "returnvalue", "1", "prev", "active") }},
	{`job 1 waiting as if it were new, after "waiting"`, func(d *damaged) { d.event("waiting", "1") }},
	{"meta has no opts.maxLenEvents", func(d *damaged) { d.w.rdb.HDel(d.w.ctx, d.key("meta"), "opts.maxLenEvents") }},
	{"events, the limit is 1", func(d *damaged) {
		d.hset("meta", "opts.maxLenEvents", 1)
		for range 102 {
			d.event("progress", "1", "data", "1")
		}
	}},
	{"beyond the counter", func(d *damaged) { d.set("id", 2) }},
	{"limiter does not expire", func(d *damaged) { d.set("limiter", 2) }},
	{"metrics:completed: map[count:1", func(d *damaged) { d.hset("metrics:completed", "count", 1, "prevCount", 2) }},
	{"metrics:failed has 4 minutes", func(d *damaged) { d.push("metrics:failed:data", 1, 2, 3, 4) }},
}

// TestInvariantsAreSeen breaks a queue in every way that the checker is to see.
func TestInvariantsAreSeen(t *testing.T) {
	eachWorld(t, func(w *world) {
		for _, damage := range damages {
			l := w.fresh()
			l.nodeAdds(args{"name": "a"}, args{"name": "b", "opts": args{"priority": 3}}, args{"name": "c", "opts": args{"delay": hour}})
			checkInvariants(w.t, w.rdb, l.base.String())
			damage.do(&damaged{l})
			seen := &complaints{TB: w.t}
			checkInvariants(seen, w.rdb, l.base.String())
			if !slices.ContainsFunc(seen.all, func(text string) bool { return strings.Contains(text, damage.want) }) {
				w.t.Errorf("not seen: %s; but %q", damage.want, seen.all)
			}
		}
	})
}

// What our engine breaks is never forgiven, whatever it looks like.
func TestOnlyNodeIsForgiven(t *testing.T) {
	t.Parallel()
	c := &contents{
		hashes: map[string]map[string]string{"meta": {"paused": "1"}, "1": {"rjk": "s", "delay": "5"}},
		lists:  map[string][]string{"wait": {"1"}},
		events: []redis.XMessage{
			{ID: "5-0", Values: map[string]any{"event": "waiting-children", "jobId": "1"}},
			{ID: "5-1", Values: map[string]any{"event": "waiting", "jobId": "1", "prev": "delayed"}},
			{ID: "5-2", Values: map[string]any{"event": "waiting", "jobId": "1", "prev": "waiting-children"}},
		},
	}
	l := &site{excused: map[known]map[string]bool{}}
	for k := priorityInWait; k <= childless; k++ {
		p := &program{arena: &arena{}, since: map[string]bool{}}
		if p.excuse(l, c, k, "1") {
			t.Errorf("%v is forgiven although Node did nothing", k)
		}
	}
}

// complaints gathers what a test would have failed with.
type complaints struct {
	testing.TB
	all []string
}

func (c *complaints) Helper() {}

func (c *complaints) Errorf(format string, with ...any) {
	c.all = append(c.all, fmt.Sprintf(format, with...))
}
