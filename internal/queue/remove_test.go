package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// everywhere adds a job to every state, with all the keys that can hang on
// one; the ids are the states' names.
func (e *env) everywhere() {
	e.t.Helper()
	e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "completed!"}})
	e.finish(queue.Complete)
	e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "failed!"}})
	e.finish(queue.Fail)
	e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "active!"}})
	e.claim(1, "held")
	e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "waiting!"}},
		queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "prioritized!", Priority: 1}},
		queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "delayed!", Delay: time.Hour}},
		queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "parent!"}})
	e.must(e.rdb.LRem(e.ctx, e.key("wait"), 0, "parent!").Err())
	e.must(e.rdb.ZAdd(e.ctx, e.key("waiting-children"), zAt(start, "parent!")).Err())
	for _, id := range []string{"completed!", "failed!", "active!", "waiting!", "prioritized!", "delayed!", "parent!"} {
		e.must(e.rdb.RPush(e.ctx, e.key(id+":logs"), "line").Err())
		e.must(e.rdb.HSet(e.ctx, e.key(id+":processed"), "k", "1").Err())
		e.must(e.rdb.HSet(e.ctx, e.key(id+":failed"), "k", "1").Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key(id+":unsuccessful"), zAt(1, "k")).Err())
		e.must(e.rdb.SAdd(e.ctx, e.key(id+":dependencies"), "k").Err())
	}
}

// scheduled adds a scheduler whose next iteration is in the delayed set, and
// returns that job's id.
func (e *env) scheduled() string {
	e.t.Helper()
	ms := start + 1000
	id := fmt.Sprintf("repeat:daily:%d", ms)
	e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), zAt(ms, "daily")).Err())
	e.must(e.rdb.HSet(e.ctx, e.key("repeat:daily"), "name", "n", "ic", 1, "every", 1000, "data", "{}", "opts", "{}").Err())
	e.must(e.rdb.HSet(e.ctx, e.key(id), "name", "n", "data", "{}", "opts", "{}", "timestamp", start,
		"delay", 1000, "priority", 0, "rjk", "daily").Err())
	e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), zAt(ms*4096, id)).Err())
	return id
}

func TestRemoveFromEveryState(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.HSet(e.ctx, e.key("meta"), "opts.maxLenEvents", 10000).Err())
		empty := e.dump()
		e.everywhere()
		seen := len(e.events())
		ids := []string{"completed!", "parent!", "delayed!", "failed!", "prioritized!", "waiting!", "active!"}
		errs, err := e.q.Remove(e.ctx, ids, queue.RemoveOptions{})
		e.must(err)
		same(e, "answers", []string{"ok", "ok", "ok", "ok", "ok", "ok", "active! locked"}, causes(errs))
		e.must(e.rdb.Del(e.ctx, e.key("active!:lock")).Err())
		e.must(e.rdb.SAdd(e.ctx, e.key("stalled"), "active!").Err())
		errs, err = e.q.Remove(e.ctx, []string{"active!", "active!"}, queue.RemoveOptions{})
		e.must(err)
		same(e, "answers", []string{"ok", "active! not found"}, causes(errs))
		after := e.dump()
		e.changed(empty, map[string]string{"id": after["id"], "marker": after["marker"], "pc": after["pc"]})
		same(e, "events", []string{
			"removed jobId=completed! prev=completed", "removed jobId=parent! prev=waiting-children",
			"removed jobId=delayed! prev=delayed", "removed jobId=failed! prev=failed",
			"removed jobId=prioritized! prev=prioritized", "removed jobId=waiting! prev=wait",
			"removed jobId=active! prev=active",
		}, e.newEvents(seen))
	})
}

// Nothing but a job is ever removed, whatever text comes as an id.
func TestRemoveRefusesWhatIsNoJob(t *testing.T) {
	onEach(t, func(e *env) {
		e.everywhere()
		next := e.scheduled()
		e.must(e.rdb.HSet(e.ctx, e.key("metrics:completed"), "count", 1).Err())
		e.must(e.rdb.Set(e.ctx, e.key("de:failed"), "x", 0).Err())
		before, seen := e.dump(), len(e.events())
		ids := []string{
			"gone", "", "meta", "wait", "repeat:daily", "metrics:completed", "metrics", "de", "de:failed",
			"active!:lock", "waiting!:logs", "waiting!:processed", next,
		}
		want := make([]string, len(ids))
		for i, id := range ids {
			want[i] = id + " not found"
		}
		want[len(ids)-1] = next + " scheduler"
		errs, err := e.q.Remove(e.ctx, ids, queue.RemoveOptions{Children: true})
		e.must(err)
		same(e, "answers", want, causes(errs))
		e.changed(before, nil)
		same(e, "events", nil, append([]string(nil), e.newEvents(seen)...))
	})
}

// What stands in a list without a job can be removed, and a key of the wrong
// type that has been set aside.
func TestRemoveRubbish(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "w"}})
		before, seen := e.dump(), len(e.events())
		e.must(e.rdb.LPush(e.ctx, e.key("wait"), "ghost", "meta").Err())
		e.must(e.rdb.Set(e.ctx, e.key("text"), "x", 0).Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key("qctl:corrupt"), zAt(1, "text")).Err())
		errs, err := e.q.Remove(e.ctx, []string{"ghost", "text", "meta"}, queue.RemoveOptions{})
		e.must(err)
		same(e, "answers", []string{"ok", "ok", "ok"}, causes(errs))
		e.changed(before, nil)
		same(e, "events", []string{"removed jobId=text prev=unknown"}, e.newEvents(seen))
	})
}

// An iteration that its scheduler does not wait for is a job like any other,
// also when the scheduler has gone.
func TestRemoveOldIterations(t *testing.T) {
	onEach(t, func(e *env) {
		e.scheduled()
		before := e.dump()
		for _, id := range []string{"repeat:daily:5", "repeat:gone:5"} {
			scheduler := strings.Split(id, ":")[1]
			e.must(e.rdb.HSet(e.ctx, e.key(id), "timestamp", 1, "rjk", scheduler).Err())
			e.must(e.rdb.LPush(e.ctx, e.key("wait"), id).Err())
		}
		errs, err := e.q.Remove(e.ctx, []string{"repeat:daily:5", "repeat:gone:5"}, queue.RemoveOptions{})
		e.must(err)
		same(e, "answers", []string{"ok", "ok"}, causes(errs))
		e.changed(before, map[string]string{"meta": "opts.maxLenEvents=10000"})
	})
}

func TestRemoveReleasesDeduplication(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "a"}}, queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "b"}})
		e.must(e.rdb.HSet(e.ctx, e.key("a"), "deid", "mine").Err())
		e.must(e.rdb.HSet(e.ctx, e.key("b"), "deid", "taken").Err())
		e.must(e.rdb.MSet(e.ctx, e.key("de:mine"), "a", e.key("de:taken"), "other").Err())
		e.must(e.rdb.HSet(e.ctx, e.key("dn:mine"), "name", "n").Err())
		before := e.dump()
		_, err := e.q.Remove(e.ctx, []string{"a", "b"}, queue.RemoveOptions{})
		e.must(err)
		e.changed(before, map[string]string{"a": "", "b": "", "wait": "", "de:mine": "", "dn:mine": ""})
	})
}

func TestRemoveOfTheLastChildReleasesTheParent(t *testing.T) {
	onEach(t, func(e *env) {
		e.family(2)
		before, seen := e.dump(), len(e.events())
		_, err := e.q.Remove(e.ctx, []string{"c0"}, queue.RemoveOptions{Children: true})
		e.must(err)
		e.changed(before, map[string]string{"c0": "", "wait": "c1", "p:dependencies": e.key("c1")})
		_, err = e.q.Remove(e.ctx, []string{"c1"}, queue.RemoveOptions{})
		e.must(err)
		e.changed(before, map[string]string{"c0": "", "c1": "", "wait": "p", "p:dependencies": "", "waiting-children": ""})
		same(e, "events", []string{
			"removed jobId=c0 prev=wait", "waiting jobId=p prev=waiting-children", "removed jobId=c1 prev=wait",
		}, e.newEvents(seen))
	})
}

func TestRemoveWithChildren(t *testing.T) {
	onEach(t, func(e *env) {
		other := e.fork()
		e.must(other.rdb.HSet(e.ctx, other.key("meta"), "opts.maxLenEvents", 10).Err())
		otherBefore := other.dump()
		e.must(e.rdb.HSet(e.ctx, e.key("meta"), "opts.maxLenEvents", 10000).Err())
		before := e.dump()
		e.family(3)
		e.finish(queue.Complete)
		e.must(e.rdb.LRem(e.ctx, e.key("wait"), 0, "c1").Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), zAt(1, "c1")).Err())
		// A grandchild in another queue, and a stranger that c2 only claims.
		e.must(e.rdb.HSet(e.ctx, other.key("g"), "timestamp", 1, "parentKey", e.key("c2")).Err())
		e.must(e.rdb.ZAdd(e.ctx, other.key("failed"), zAt(1, "g")).Err())
		e.must(e.rdb.HSet(e.ctx, e.key("c2:failed"), other.key("g"), "boom").Err())
		e.must(e.rdb.HSet(e.ctx, e.key("stranger"), "timestamp", 1, "parentKey", "elsewhere").Err())
		e.must(e.rdb.SAdd(e.ctx, e.key("c2:dependencies"), e.key("stranger"), e.key("gone"), "nonsense").Err())
		seen := len(e.events())

		errs, err := e.q.Remove(e.ctx, []string{"p"}, queue.RemoveOptions{Children: true})
		e.must(err)
		same(e, "answers", []string{"ok"}, causes(errs))
		after := e.dump()
		e.changed(before, map[string]string{"id": after["id"], "marker": "0=0", "stranger": "parentKey=elsewhere timestamp=1"})
		same(e, "other queue", otherBefore, other.dump())
		same(e, "events of the other queue", []string{"removed jobId=g prev=failed"}, other.events())
		events := e.newEvents(seen)
		slices.Sort(events)
		same(e, "events", []string{
			"removed jobId=c0 prev=completed", "removed jobId=c1 prev=delayed", "removed jobId=c2 prev=wait",
			"removed jobId=p prev=waiting-children",
		}, events)
	})
}

func TestRemoveKeepsAFamilyWithALockedChild(t *testing.T) {
	onEach(t, func(e *env) {
		e.family(3)
		e.claim(1, "held")
		before := e.dump()
		errs, err := e.q.Remove(e.ctx, []string{"p"}, queue.RemoveOptions{Children: true})
		e.must(err)
		same(e, "answers", []string{"p locked"}, causes(errs))
		e.changed(before, nil)
	})
}

// A large family goes in several calls; while children are left the parent
// waits, and its removal ends the last call.
func TestRemoveLargeFamily(t *testing.T) {
	onEach(t, func(e *env) {
		e.family(420)
		e.must(e.rdb.HSet(e.ctx, e.key("p:processed"), e.key("gone"), "1").Err())
		errs, err := e.q.Remove(e.ctx, []string{"p"}, queue.RemoveOptions{Children: true})
		e.must(err)
		same(e, "answers", []string{"ok"}, causes(errs))
		after := e.dump()
		same(e, "keys", map[string]string{"id": "420", "meta": after["meta"], "marker": "0=0"}, after)
		removed := 0
		for _, event := range e.events() {
			if strings.HasPrefix(event, "removed") {
				removed++
			}
			if strings.HasPrefix(event, "waiting jobId=p") {
				e.t.Errorf("the parent was released: %s", event)
			}
		}
		same(e, "removed", 421, removed)
	})
}

func TestRemoveChain(t *testing.T) {
	onEach(t, func(e *env) {
		for i := range 150 {
			id := fmt.Sprintf("n%d", i)
			e.must(e.rdb.HSet(e.ctx, e.key(id), "timestamp", 1, "parentKey", e.key(fmt.Sprintf("n%d", i-1))).Err())
			e.must(e.rdb.SAdd(e.ctx, e.key(id+":dependencies"), e.key(fmt.Sprintf("n%d", i+1))).Err())
		}
		// A circle must not be walked for ever.
		e.must(e.rdb.SAdd(e.ctx, e.key("n1:dependencies"), e.key("n0")).Err())
		errs, err := e.q.Remove(e.ctx, []string{"n0"}, queue.RemoveOptions{Children: true})
		e.must(err)
		same(e, "answers", []string{"ok"}, causes(errs))
		var left []string
		for key := range e.dump() {
			if strings.HasPrefix(key, "n") && !strings.Contains(key, ":") {
				left = append(left, key)
			}
		}
		same(e, "jobs beyond a depth of 100", 49, len(left))
	})
}

// Where the state is a list, jobs go in stretches of it; those that are asked
// for and must stay, or are not there, are told apart.
func TestRemoveFromLists(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			state queue.State
			keys  []string
		}{
			{queue.StateWaiting, []string{"wait"}},
			{queue.StateWaiting, []string{"wait", "paused"}},
			{queue.StateActive, []string{"active"}},
		} {
			e := e.fork()
			var ids, stay []string
			for i := range 1300 {
				id := fmt.Sprintf("j%d", i)
				e.must(e.rdb.HSet(e.ctx, e.key(id), "timestamp", start).Err())
				key := e.key(c.keys[i%len(c.keys)])
				if i%3 == 0 {
					stay = append(stay, id)
				} else {
					ids = append(ids, id)
				}
				e.must(e.rdb.LPush(e.ctx, key, id).Err())
			}
			next := e.scheduled()
			e.must(e.rdb.RPush(e.ctx, e.key(c.keys[0]), next).Err())
			e.must(e.rdb.ZRem(e.ctx, e.key("delayed"), next).Err())
			e.must(e.rdb.Set(e.ctx, e.key(stay[7]+":lock"), "held", 0).Err())
			e.must(e.rdb.HSet(e.ctx, e.key("elsewhere"), "timestamp", 1).Err())
			e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), zAt(1, "elsewhere")).Err())

			odd := []string{next, stay[7], "elsewhere", "gone", ids[0]}
			errs, err := e.q.RemoveFrom(e.ctx, c.state, append(slices.Clone(ids), odd...))
			e.must(err)
			want := slices.Repeat([]string{"ok"}, len(ids))
			want = append(want, next+" scheduler", stay[7]+" locked", "elsewhere not in state", "gone not found", ids[0]+" not found")
			same(e, "answers", want, causes(errs))
			var left []string
			for _, key := range c.keys {
				left = append(left, e.rdb.LRange(e.ctx, e.key(key), 0, -1).Val()...)
			}
			slices.Sort(left)
			stay = append(stay, next)
			slices.Sort(stay)
			same(e, "left", stay, left)
			same(e, "jobs that are gone", int64(0), e.rdb.Exists(e.ctx, e.key(ids[0]), e.key(ids[len(ids)-1])).Val())
		}
	})
}

func TestRemoveFromSets(t *testing.T) {
	onEach(t, func(e *env) {
		e.everywhere()
		seen := len(e.events())
		states := map[queue.State]string{
			queue.StateCompleted: "completed!", queue.StateFailed: "failed!", queue.StateDelayed: "delayed!",
			queue.StatePrioritized: "prioritized!", queue.StateWaitingChildren: "parent!",
		}
		for state, id := range states {
			errs, err := e.q.RemoveFrom(e.ctx, state, []string{id, "waiting!", "gone", id})
			e.must(err)
			same(e, string(state), []string{"ok", "waiting! not in state", "gone not found", id + " not found"}, causes(errs))
			if e.rdb.Exists(e.ctx, e.key(id), e.key(id+":logs")).Val() != 0 {
				e.t.Errorf("%s: the job is left", state)
			}
		}
		same(e, "events", 5, len(e.newEvents(seen)))
		if _, err := e.q.RemoveFrom(e.ctx, "paused", nil); !errors.Is(err, queue.ErrUnknownState) {
			e.t.Errorf("unknown state: %v, want ErrUnknownState", err)
		}
	})
}

// A call that fails half-way says so of the jobs that it did not get to.
func TestRemoveFromAnswersForAllWhenItFails(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "a"}})
		cancelled, cancel := context.WithCancel(e.ctx)
		cancel()
		for _, state := range []queue.State{queue.StateWaiting, queue.StateFailed} {
			errs, err := e.q.RemoveFrom(cancelled, state, []string{"a", "b"})
			if !errors.Is(err, context.Canceled) || len(errs) != 2 || !errors.Is(errs[0], context.Canceled) || !errors.Is(errs[1], context.Canceled) {
				e.t.Errorf("%s: %v, %v; want every answer to be context.Canceled", state, errs, err)
			}
		}
	})
}

// A worker that takes jobs meanwhile moves what lies in the list.
func TestRemoveFromWhileJobsAreClaimed(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	var jobs []queue.NewJob
	for i := range 6000 {
		jobs = append(jobs, queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: fmt.Sprintf("j%d", i)}})
	}
	ids := e.add(jobs...)
	claimed := make(chan []string)
	go func() {
		var mine []string
		for range 40 {
			got, err := e.q.Claim(e.ctx, queue.ClaimRequest{N: 20, Token: "w", Lock: time.Minute})
			if err != nil {
				t.Error(err)
			}
			for _, job := range got.Jobs {
				mine = append(mine, job.ID)
			}
		}
		claimed <- mine
	}()
	errs, err := e.q.RemoveFrom(e.ctx, queue.StateWaiting, ids)
	mine := <-claimed
	e.must(err)
	var kept []string
	for i, err := range errs {
		if err != nil {
			kept = append(kept, ids[i])
		}
	}
	slices.Sort(kept)
	slices.Sort(mine)
	same(e, "jobs kept are the claimed ones", mine, kept)
	same(e, "left in wait", int64(0), e.rdb.LLen(e.ctx, e.key("wait")).Val())
	same(e, "active", int64(len(mine)), e.rdb.LLen(e.ctx, e.key("active")).Val())
}
