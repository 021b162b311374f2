package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// addIDs adds standard jobs with these ids.
func (e *env) addIDs(ids ...string) {
	e.t.Helper()
	jobs := make([]queue.NewJob, len(ids))
	for i, id := range ids {
		jobs[i] = queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id}}
	}
	e.add(jobs...)
}

// claimedIDs claims all jobs and returns their ids in order.
func (e *env) claimedIDs() []string {
	e.t.Helper()
	var ids []string
	for _, job := range e.claim(queue.MaxClaim, "order") {
		ids = append(ids, job.ID)
	}
	return ids
}

func TestPauseAndResume(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			version int
			pause   map[string]string // what a pause changes
			add     map[string]string // where a job goes that is added then
		}{
			{6, map[string]string{"marker": ""}, map[string]string{"wait": "d c b a"}},
			{5, map[string]string{"marker": "", "wait": "", "paused": "c b a"}, map[string]string{"paused": "d c b a"}},
		} {
			e := e.fork()
			e.setVersion(c.version)
			e.addIDs("a", "b", "c")
			before, seen := e.dump(), len(e.events())
			e.must(e.q.Pause(e.ctx))
			e.must(e.q.Pause(e.ctx))
			c.pause["meta"] = fmt.Sprintf("opts.maxLenEvents=10000 paused=1 version=bullmq:%s", map[int]string{5: "5.81.5", 6: "6.7.0"}[c.version])
			e.changed(before, c.pause)
			paused, err := e.q.IsPaused(e.ctx)
			e.must(err)
			same(e, "paused", true, paused)
			same(e, "claimed while paused", nil, e.claimedIDs())

			whilePaused := e.dump()
			e.addIDs("d")
			after := e.dump()
			c.add["d"], c.add["id"] = after["d"], "4"
			e.changed(whilePaused, c.add)

			e.must(e.q.Resume(e.ctx))
			e.must(e.q.Resume(e.ctx))
			e.changed(before, map[string]string{"wait": "d c b a", "d": after["d"], "id": "4"})
			var changes []string
			for _, event := range e.newEvents(seen) {
				if event == "paused" || event == "resumed" {
					changes = append(changes, event)
				}
			}
			same(e, "events", []string{"paused", "paused", "resumed", "resumed"}, changes)
			same(e, "order", []string{"a", "b", "c", "d"}, e.claimedIDs())
			paused, err = e.q.IsPaused(e.ctx)
			e.must(err)
			same(e, "paused", false, paused)
		}
	})
}

// Jobs in both lists, as clients of both versions leave them, are merged in
// pages: none is lost, and those in paused come first.
func TestPauseAndResumeWithBothListsFilled(t *testing.T) {
	onEach(t, func(e *env) {
		var older, newer, order []string
		for i := range 2003 {
			older = append(older, fmt.Sprintf("old%d", i))
			newer = append(newer, fmt.Sprintf("new%d", i))
		}
		order = append(append(order, older...), newer...)
		fill := func(e *env) {
			e.must(e.rdb.HSet(e.ctx, e.key("meta"), "opts.maxLenEvents", 10000).Err())
			for _, page := range slices.Collect(slices.Chunk(older, 1000)) {
				e.must(e.rdb.LPush(e.ctx, e.key("paused"), anys(page)...).Err())
			}
			for _, page := range slices.Collect(slices.Chunk(newer, 1000)) {
				e.must(e.rdb.LPush(e.ctx, e.key("wait"), anys(page)...).Err())
			}
		}
		inOrder := func(e *env, list string) []string {
			ids := e.rdb.LRange(e.ctx, e.key(list), 0, -1).Val()
			slices.Reverse(ids)
			return ids
		}

		v5 := e.fork()
		fill(v5)
		v5.setVersion(5)
		v5.must(v5.q.Pause(v5.ctx))
		same(v5, "paused", order, inOrder(v5, "paused"))
		same(v5, "wait", nil, append([]string(nil), inOrder(v5, "wait")...))

		v6 := e.fork()
		fill(v6)
		v6.must(v6.q.Resume(v6.ctx))
		same(v6, "wait", order, inOrder(v6, "wait"))
		after := v6.dump()
		same(v6, "paused", "", after["paused"])
		same(v6, "marker", "0=0", after["marker"])
		same(v6, "events", []string{"resumed"}, v6.events())
	})
}

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, text := range texts {
		out[i] = text
	}
	return out
}

// The marker tells sleeping workers what there is to do after a resume.
func TestResumeMarker(t *testing.T) {
	onEach(t, func(e *env) {
		for want, job := range map[string]queue.JobOptions{
			"0=0":                           {},
			"0=0 ":                          {Priority: 3},
			fmt.Sprintf("1=%d", start+5000): {Delay: 5 * time.Second},
		} {
			e := e.fork()
			e.add(queue.NewJob{Name: "n", Opts: job})
			e.must(e.q.Pause(e.ctx))
			same(e, "marker while paused", "", e.dump()["marker"])
			e.must(e.q.Resume(e.ctx))
			same(e, "marker", strings.TrimSpace(want), e.dump()["marker"])
		}
		empty := e.fork()
		empty.must(empty.q.Resume(empty.ctx))
		same(empty, "keys", map[string]string{"meta": "opts.maxLenEvents=10000"}, empty.dump())
	})
}

// A pause must be possible when Redis has no memory left.
func TestPauseWhenOutOfMemory(t *testing.T) {
	t.Parallel()
	e := onFullRedis(t)
	if err := e.rdb.Set(e.ctx, "more", "x", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "OOM") {
		t.Fatalf("Redis is not full: %v", err)
	}
	e.must(e.q.Pause(e.ctx))
	same(e, "meta", "opts.maxLenEvents=10000 paused=1", e.dump()["meta"])
	n, err := e.q.Drain(e.ctx, queue.DrainOptions{})
	e.must(err)
	same(e, "drained", 2, n)
}

func TestLimits(t *testing.T) {
	onEach(t, func(e *env) {
		limits := func() queue.Limits {
			e.t.Helper()
			l, err := e.q.Limits(e.ctx)
			e.must(err)
			return l
		}
		number := func(n int) *int { return &n }
		same(e, "unset", queue.Limits{}, limits())
		e.must(e.q.SetConcurrency(e.ctx, number(2)))
		e.must(e.q.SetRate(e.ctx, &queue.Limiter{Max: 10, Duration: 1500 * time.Millisecond}))
		same(e, "keys", map[string]string{"meta": "concurrency=2 duration=1500 max=10"}, e.dump())
		same(e, "set", queue.Limits{Concurrency: number(2), Max: number(10), Duration: 1500 * time.Millisecond}, limits())
		e.must(e.q.SetConcurrency(e.ctx, nil))
		e.must(e.q.SetRate(e.ctx, nil))
		same(e, "removed", queue.Limits{}, limits())
		same(e, "keys", map[string]string{}, e.dump())

		e.must(e.rdb.HSet(e.ctx, e.key("meta"), "concurrency", "many", "max", "", "duration", "NaN").Err())
		same(e, "nonsense", queue.Limits{}, limits())
		for _, err := range []error{
			e.q.SetConcurrency(e.ctx, number(0)), e.q.SetRate(e.ctx, &queue.Limiter{Max: 0, Duration: time.Second}),
			e.q.SetRate(e.ctx, &queue.Limiter{Max: 1}),
		} {
			if !errors.Is(err, queue.ErrInvalidOption) {
				e.t.Errorf("%v, want ErrInvalidOption", err)
			}
		}
	})
}

// Workers sleep at the limit; nothing else would wake them when it is raised.
func TestRaisedConcurrencyWakesWorkers(t *testing.T) {
	onEach(t, func(e *env) {
		one, two := 1, 2
		e.must(e.q.SetConcurrency(e.ctx, &one))
		e.addIDs("a", "b", "c")
		e.claim(5, "held")
		e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
		for _, c := range []struct {
			limit  *int
			marker string
		}{{&one, ""}, {&two, "0=0"}, {nil, "0=0"}} {
			e.must(e.q.SetConcurrency(e.ctx, c.limit))
			same(e, "marker", c.marker, e.dump()["marker"])
			e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
		}
		same(e, "claimed", []string{"b", "c"}, e.claimedIDs())
	})
}
