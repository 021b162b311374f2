package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// deduped is a job of the deduplication d.
func deduped(d queue.Deduplication, opts queue.JobOptions) queue.NewJob {
	if d.ID == "" {
		d.ID = "d"
	}
	opts.Dedup = &d
	return queue.NewJob{Name: "n", Opts: opts}
}

// ttl returns the time to live of a key in whole seconds, rounded up; 0 is none.
func (e *env) ttl(suffix string) int64 {
	e.t.Helper()
	left, err := e.rdb.PTTL(e.ctx, e.key(suffix)).Result()
	e.must(err)
	return int64((max(0, left) + time.Second - 1) / time.Second)
}

// A second job of a deduplication comes when the first one waits, or is delayed.
type secondCase struct {
	name    string
	dedup   queue.Deduplication
	first   queue.JobOptions
	second  queue.JobOptions
	want    queue.Added
	owner   string
	ttl     int64 // s
	changes map[string]string
	events  []string
}

func secondCases() []secondCase {
	hour := queue.JobOptions{Delay: time.Hour}
	day := queue.JobOptions{Delay: 24 * time.Hour}
	hit := []string{"deduplicated jobId=1 deduplicationId=d deduplicatedJobId=2"}
	kept := queue.Added{ID: "1", Deduplicated: true}
	gave := queue.Added{ID: "2", Replaced: "1"}
	due := start + 24*3600*1000
	moved := []string{hit[0], fmt.Sprintf("delayed jobId=1 delay=%d", due)}
	stored := func(rules string) map[string]string {
		return map[string]string{
			"1": "", "delayed": fmt.Sprintf("2=%d", dueScore(due, 0)), "marker": fmt.Sprintf("1=%d", due),
			"2": fmt.Sprintf(`data={} deid=d delay=86400000 name=n opts={"attempts":0,"delay":86400000,"de":{"id":"d"%s}} priority=0 timestamp=%d`, rules, start),
		}
	}
	replaced := []string{
		"removed jobId=1 prev=delayed", "deduplicated jobId=2 deduplicationId=d deduplicatedJobId=1",
		"added jobId=2 name=n", fmt.Sprintf("delayed jobId=2 delay=%d", due),
	}
	return []secondCase{
		{name: "simple", want: kept, owner: "1", events: hit},
		{name: "throttle", dedup: queue.Deduplication{TTL: time.Minute}, want: kept, owner: "1", ttl: 30, events: hit},
		{name: "extended", dedup: queue.Deduplication{TTL: time.Minute, Extend: true}, want: kept, owner: "1", ttl: 60, events: hit},
		{name: "keep last of a waiting one", dedup: queue.Deduplication{KeepLastIfActive: true, TTL: time.Minute}, want: kept, owner: "1", events: hit},
		{name: "replace a waiting one", dedup: queue.Deduplication{Replace: true}, second: day, want: kept, owner: "1"},
		{
			name: "replace", dedup: queue.Deduplication{Replace: true}, first: hour, second: day, want: gave, owner: "2",
			changes: stored(`,"replace":true`), events: replaced,
		},
		{
			name: "replace in a window", dedup: queue.Deduplication{Replace: true, TTL: time.Minute}, first: hour, second: day,
			want: gave, owner: "2", ttl: 30, changes: stored(`,"ttl":60000,"replace":true`), events: replaced,
		},
		{
			name: "debounce", dedup: queue.Deduplication{Replace: true, TTL: time.Minute, Extend: true}, first: hour, second: day,
			want: gave, owner: "2", ttl: 60, changes: stored(`,"ttl":60000,"extend":true,"replace":true`), events: replaced,
		},
		{
			name: "reschedule", dedup: queue.Deduplication{Reschedule: true}, first: hour, second: day, want: kept, owner: "1",
			changes: map[string]string{
				"1":       fmt.Sprintf(`data={} deid=d delay=86400000 name=n opts={"attempts":0,"delay":3600000,"de":{"id":"d","reschedule":true}} priority=0 timestamp=%d`, start),
				"delayed": fmt.Sprintf("1=%d", dueScore(due, 0)), "marker": fmt.Sprintf("1=%d", due),
			}, events: moved,
		},
		{name: "reschedule a waiting one", dedup: queue.Deduplication{Reschedule: true}, second: day, want: kept, owner: "1", events: hit},
	}
}

func TestDeduplication(t *testing.T) {
	for _, c := range secondCases() {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				first, err := e.q.Add(e.ctx, deduped(c.dedup, c.first))
				e.must(err)
				same(e, "first", queue.Added{ID: "1"}, first)
				if e.ttl("de:d") > 0 {
					e.must(e.rdb.PExpire(e.ctx, e.key("de:d"), 30*time.Second).Err())
				}
				before, seen := e.dump(), len(e.events())
				second, err := e.q.Add(e.ctx, deduped(c.dedup, c.second))
				e.must(err)
				same(e, "second", c.want, second)
				changes := map[string]string{"id": "2", "de:d": c.owner}
				for key, value := range c.changes {
					changes[key] = value
				}
				e.changed(before, changes)
				same(e, "events", c.events, append([]string(nil), e.newEvents(seen)...))
				same(e, "time to live (s)", c.ttl, e.ttl("de:d"))
				owner, left, err := e.q.DeduplicationOwner(e.ctx, "d")
				e.must(err)
				same(e, "owner", c.owner, owner)
				same(e, "owner's time", c.ttl > 0, left > 0)
			})
		})
	}
}

// BullMQ 5 hears of it under the old name as well.
func TestDeduplicationSpeaksToBullMQ5(t *testing.T) {
	onEach(t, func(e *env) {
		e.setVersion(5)
		e.add(deduped(queue.Deduplication{}, queue.JobOptions{}), deduped(queue.Deduplication{}, queue.JobOptions{ID: "own"}))
		same(e, "events", []string{
			"added jobId=1 name=n", "waiting jobId=1", "debounced jobId=1 debounceId=d",
			"deduplicated jobId=1 deduplicationId=d deduplicatedJobId=own",
		}, e.events())
	})
}

// The last of those that come while the first runs is kept, and the key with it.
func TestDeduplicationKeepsTheLast(t *testing.T) {
	onEach(t, func(e *env) {
		last := queue.Deduplication{KeepLastIfActive: true, TTL: time.Hour}
		e.add(deduped(last, queue.JobOptions{}))
		jobs := e.claim(1, "t")
		e.must(e.rdb.PExpire(e.ctx, e.key("de:d"), time.Minute).Err())
		before := e.dump()
		for i := range 8 { // more than are looked for one by one
			job := deduped(last, queue.JobOptions{Priority: i + 1})
			job.Data = fmt.Appendf(nil, "%d", i)
			added, err := e.q.AddBulk(e.ctx, []queue.NewJob{job, job})
			e.must(err)
			same(e, "answers", []queue.Added{{ID: "1", Deduplicated: true}, {ID: "1", Deduplicated: true}}, added)
		}
		e.changed(before, map[string]string{
			"id": "17", "de:d": "1",
			"dn:d": `data=7 jid=17 name=n opts={"attempts":0,"priority":8,"de":{"id":"d","ttl":3600000,"keepLastIfActive":true}}`,
		})
		same(e, "time to live", int64(0), e.ttl("de:d"))
		e.settle(queue.Outcome{Kind: queue.Complete, ID: "1", Token: "t", Job: &jobs[0]})
		same(e, "next", []string{"17"}, e.ids("prioritized"))
		same(e, "owner", "17", e.dump()["de:d"])
	})
}

// An owner that is gone keeps nobody out, unless its key will end by itself.
func TestDeduplicationOwnerIsGone(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.Set(e.ctx, e.key("de:d"), "gone", 0).Err())
		e.must(e.rdb.HSet(e.ctx, e.key("dn:d"), "name", "n").Err())
		same(e, "ids", []string{"1"}, e.add(deduped(queue.Deduplication{}, queue.JobOptions{})))
		same(e, "keys", "1 ", e.dump()["de:d"]+" "+e.dump()["dn:d"])
		e.must(e.rdb.Set(e.ctx, e.key("de:d"), "gone", time.Minute).Err())
		same(e, "ids", []string{"gone"}, e.add(deduped(queue.Deduplication{}, queue.JobOptions{})))
	})
}

// A job that was made a child after it was added does not hold up its parent
// when another takes its place; one that a scheduler waits for stays.
func TestDeduplicationReplacesWithCare(t *testing.T) {
	onEach(t, func(e *env) {
		e.family(1)
		replace := queue.Deduplication{Replace: true}
		delayed := queue.JobOptions{Delay: time.Hour}
		e.add(deduped(replace, delayed))
		e.must(e.rdb.HSet(e.ctx, e.key("2"), "parentKey", e.key("p"), "parent", fmt.Sprintf(`{"id":"p","queueKey":"%s"}`, e.base)).Err())
		e.must(e.rdb.Del(e.ctx, e.key("p:dependencies")).Err())
		e.must(e.rdb.SAdd(e.ctx, e.key("p:dependencies"), e.key("2")).Err())
		e.add(deduped(replace, delayed))
		same(e, "wait", []string{"p", "c0"}, e.ids("wait"))

		next := e.scheduled()
		e.must(e.rdb.HSet(e.ctx, e.key(next), "deid", "s").Err())
		e.must(e.rdb.Set(e.ctx, e.key("de:s"), next, 0).Err())
		replace.ID = "s"
		added, err := e.q.Add(e.ctx, deduped(replace, delayed))
		e.must(err)
		same(e, "answer", queue.Added{ID: next, Deduplicated: true}, added)
	})
}

func TestDeduplicationKeyOfTheWrongType(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.LPush(e.ctx, e.key("de:d"), "x").Err())
		added, err := e.q.AddBulk(e.ctx, []queue.NewJob{{Name: "a"}, deduped(queue.Deduplication{}, queue.JobOptions{}), {Name: "b"}})
		if !errors.Is(err, queue.ErrCorrupt) || !strings.Contains(err.Error(), "job 2: ") {
			e.t.Errorf("error: %v", err)
		}
		same(e, "answers", []queue.Added{{ID: "1"}}, added)
		same(e, "wait", []string{"1"}, e.ids("wait"))
	})
}

func TestRemoveDeduplicationKey(t *testing.T) {
	onEach(t, func(e *env) {
		job := deduped(queue.Deduplication{ID: "a:b c"}, queue.JobOptions{})
		e.add(job)
		for _, want := range []bool{true, false} {
			removed, err := e.q.RemoveDeduplicationKey(e.ctx, "a:b c")
			e.must(err)
			same(e, "removed", want, removed)
		}
		owner, left, err := e.q.DeduplicationOwner(e.ctx, "a:b c")
		e.must(err)
		same(e, "owner", "", owner)
		same(e, "time", 0, left)
		same(e, "ids", []string{"2"}, e.add(job))
		readOnly := queue.NewClient(testConn{"", e.rdb}, queue.ClientOptions{ReadOnly: true}).Queue(e.base)
		if _, err := readOnly.RemoveDeduplicationKey(e.ctx, "a:b c"); !errors.Is(err, queue.ErrReadOnly) {
			e.t.Errorf("read-only: %v", err)
		}
	})
}

// Plain jobs and others keep their order in one slice.
func TestAddBulkOfMixedJobs(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "p", Opts: queue.JobOptions{ID: "p"}})
		child := queue.NewJob{Name: "c", Opts: queue.JobOptions{Parent: &queue.ParentRef{Queue: e.base, ID: "p"}}}
		added, err := e.q.AddBulk(e.ctx, []queue.NewJob{
			{Name: "a"},
			deduped(queue.Deduplication{}, queue.JobOptions{}), child,
			{Name: "b"},
			deduped(queue.Deduplication{}, queue.JobOptions{}),
			{Name: "c", Opts: queue.JobOptions{ID: "p"}},
		})
		e.must(err)
		same(e, "answers", []queue.Added{
			{ID: "2"}, {ID: "3"}, {ID: "4"}, {ID: "5"}, {ID: "3", Deduplicated: true}, {ID: "p", Duplicate: true},
		}, added)
		same(e, "wait", []string{"p", "2", "3", "4", "5"}, e.ids("wait"))
		same(e, "dependencies", e.key("4"), e.dump()["p:dependencies"])
	})
}

// A counter that was set back does not hand out an id twice.
func TestAddRelatedPassesOverTakenIDs(t *testing.T) {
	onEach(t, func(e *env) {
		e.addN(20)
		e.must(e.rdb.Set(e.ctx, e.key("id"), 3, 0).Err())
		id := e.add(deduped(queue.Deduplication{}, queue.JobOptions{}))[0]
		if len(id) != 2 || id <= "20" {
			e.t.Errorf("id %s", id)
		}
	})
}

// Of a burst that comes in one call the last job is left.
func TestDeduplicationWithinOneCall(t *testing.T) {
	onEach(t, func(e *env) {
		burst := deduped(queue.Deduplication{Replace: true, TTL: time.Minute, Extend: true}, queue.JobOptions{Delay: time.Second})
		added, err := e.q.AddBulk(e.ctx, []queue.NewJob{burst, burst, burst})
		e.must(err)
		same(e, "answers", []queue.Added{{ID: "1"}, {ID: "2", Replaced: "1"}, {ID: "3", Replaced: "2"}}, added)
		same(e, "delayed", fmt.Sprintf("3=%d", dueScore(start+1000, 0)), e.dump()["delayed"])
		same(e, "jobs", "  ", e.dump()["1"]+" "+e.dump()["2"]+" ")
	})
}
