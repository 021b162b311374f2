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
	"github.com/qctl/qctl/internal/redistest"
)

// onFullRedis is a queue with two waiting jobs on a Redis without any memory
// left.
func onFullRedis(t *testing.T) *env {
	t.Helper()
	server := redistest.Start(t)
	e := newEnv(t, server.Addr, true)
	e.addIDs("a", "b")
	e.must(e.rdb.ConfigSet(e.ctx, "maxmemory-policy", "noeviction").Err())
	e.must(e.rdb.ConfigSet(e.ctx, "maxmemory", "1").Err())
	return e
}

// aged puts jobs with these ids into one structure, created one second apart
// from start on, the first of them the oldest. The clock goes to the youngest.
func (e *env) aged(suffix string, n int) []string {
	e.t.Helper()
	ids := make([]string, n)
	pipe := e.rdb.Pipeline()
	for i := range n {
		if i%5000 == 4999 { // one answer of a hundred thousand would time out
			_, err := pipe.Exec(e.ctx)
			e.must(err)
		}
		id := fmt.Sprintf("%s%d", suffix[:1], i)
		at := start + int64(i)*1000
		ids[i] = id
		pipe.HSet(e.ctx, e.key(id), "name", "n", "timestamp", at)
		switch suffix {
		case "wait", "paused", "active":
			pipe.LPush(e.ctx, e.key(suffix), id)
		case "delayed":
			pipe.ZAdd(e.ctx, e.key(suffix), zAt(at*4096, id))
		case "prioritized":
			pipe.ZAdd(e.ctx, e.key(suffix), zAt(1<<32+int64(i), id))
		default:
			pipe.ZAdd(e.ctx, e.key(suffix), zAt(at, id))
		}
	}
	_, err := pipe.Exec(e.ctx)
	e.must(err)
	e.now.Store(max(e.now.Load(), start+int64(n-1)*1000))
	return ids
}

// ids returns what is left in a structure, the oldest first.
func (e *env) ids(suffix string) []string {
	e.t.Helper()
	if suffix == "wait" || suffix == "paused" || suffix == "active" {
		ids := e.rdb.LRange(e.ctx, e.key(suffix), 0, -1).Val()
		slices.Reverse(ids)
		return ids
	}
	return e.rdb.ZRange(e.ctx, e.key(suffix), 0, -1).Val()
}

var cleanable = map[queue.State]string{
	queue.StateWaiting: "wait", queue.StateActive: "active", queue.StatePrioritized: "prioritized",
	queue.StateDelayed: "delayed", queue.StateCompleted: "completed", queue.StateFailed: "failed",
}

func TestClean(t *testing.T) {
	onEach(t, func(e *env) {
		for state, suffix := range cleanable {
			for _, c := range []struct {
				name string
				opts queue.CleanOptions
				want int // removed, of 1200
			}{
				{"all", queue.CleanOptions{}, 1200},
				{"old", queue.CleanOptions{OlderThan: 100 * time.Second}, 1100},
				{"limit", queue.CleanOptions{Limit: 1050}, 1050},
				{"keep", queue.CleanOptions{Keep: 150}, 1050},
				{"keep more than there are", queue.CleanOptions{Keep: 2000}, 0},
			} {
				e := e.fork()
				ids := e.aged(suffix, 1200)
				var pages []string
				total := 0
				c.opts.State = state
				c.opts.OnPage = func(n int) {
					if total += n; n > 0 {
						pages = append(pages, fmt.Sprintf("cleaned count=%d", n))
					}
				}
				n, err := e.q.Clean(e.ctx, c.opts)
				e.must(err)
				if n == 0 {
					pages = []string{"cleaned count=0"} // once, however many lists were looked through
				}
				what := fmt.Sprintf("%s %s", state, c.name)
				same(e, what+": removed", c.want, n)
				same(e, what+": removed in pages", n, total)
				same(e, what+": left", append([]string{}, ids[c.want:]...), e.ids(suffix))
				same(e, what+": hashes", int64(len(ids)-c.want+len(e.metaKeys())), e.rdbKeys())
				same(e, what+": events", pages, e.events())
			}
		}
	})
}

// metaKeys are the keys that are there beside hashes of jobs.
func (e *env) metaKeys() []string {
	e.t.Helper()
	var found []string
	for _, suffix := range []string{"meta", "events", "wait", "active", "prioritized", "delayed", "completed", "failed"} {
		if e.rdb.Exists(e.ctx, e.key(suffix)).Val() == 1 {
			found = append(found, suffix)
		}
	}
	return found
}

func (e *env) rdbKeys() int64 {
	e.t.Helper()
	keys, err := e.rdb.Keys(e.ctx, e.base.String()+":*").Result()
	e.must(err)
	return int64(len(keys))
}

// What stays does not end a sweep: the jobs behind it are looked at too.
func TestCleanGoesOnBehindWhatStays(t *testing.T) {
	onEach(t, func(e *env) {
		for _, suffix := range []string{"wait", "delayed", "prioritized", "active"} {
			e := e.fork()
			ids := e.aged(suffix, 2100)
			var stay []string
			for i, id := range ids {
				switch {
				case i < 1200 || i%7 == 0:
					e.must(e.rdb.HSet(e.ctx, e.key(id), "timestamp", start+1e9).Err())
				case i == 2005:
					e.must(e.rdb.HSet(e.ctx, e.key(id), "timestamp", "nan").Err())
				case i == 2006:
					e.must(e.rdb.Del(e.ctx, e.key(id)).Err())
					e.must(e.rdb.Set(e.ctx, e.key(id), "no job", 0).Err())
				case i == 2008 && suffix == "active":
					e.must(e.rdb.Set(e.ctx, e.key(id+":lock"), "held", 0).Err())
				case i == 2009:
					e.must(e.rdb.Del(e.ctx, e.key(id)).Err()) // an entry without a job is rubbish
					continue
				default:
					continue
				}
				stay = append(stay, id)
			}
			n, err := e.q.Clean(e.ctx, queue.CleanOptions{State: map[string]queue.State{
				"wait": queue.StateWaiting, "delayed": queue.StateDelayed,
				"prioritized": queue.StatePrioritized, "active": queue.StateActive,
			}[suffix]})
			e.must(err)
			same(e, suffix+": left", stay, e.ids(suffix))
			same(e, suffix+": removed", len(ids)-len(stay), n)
		}
	})
}

// Between two pages jobs leave from under the place that a sweep has reached,
// and come in front of it.
func TestCleanFindsItsPlaceAgain(t *testing.T) {
	onEach(t, func(e *env) {
		for _, suffix := range []string{"wait", "delayed"} {
			for _, gone := range []int{300, 1000, 1050} { // of the 1000 passed over, and beyond
				e := e.fork()
				ids := e.aged(suffix, 1500)
				for _, id := range ids[:1100] {
					e.must(e.rdb.HSet(e.ctx, e.key(id), "timestamp", start+1e9).Err())
				}
				// The first page of waiting jobs is that of the empty list paused.
				pages := map[string]int{"wait": -1}[suffix]
				n, err := e.q.Clean(e.ctx, queue.CleanOptions{
					State: map[string]queue.State{"wait": queue.StateWaiting, "delayed": queue.StateDelayed}[suffix],
					OnPage: func(int) {
						if pages++; pages != 1 {
							return
						}
						if suffix == "wait" {
							e.must(e.rdb.RPopCount(e.ctx, e.key(suffix), gone).Err())
							e.must(e.rdb.RPush(e.ctx, e.key(suffix), "front1", "front2").Err())
						} else {
							e.must(e.rdb.ZRemRangeByRank(e.ctx, e.key(suffix), 0, int64(gone-1)).Err())
							e.must(e.rdb.ZAdd(e.ctx, e.key(suffix), zAt(1, "front2"), zAt(2, "front1")).Err())
						}
						for _, id := range []string{"front1", "front2"} {
							e.must(e.rdb.HSet(e.ctx, e.key(id), "timestamp", start+1e9).Err())
						}
					},
				})
				e.must(err)
				same(e, suffix+": removed", 400, n)
				same(e, suffix+": left", append([]string{"front2", "front1"}, ids[gone:1100]...), e.ids(suffix))
			}
		}
	})
}

func TestCleanWaitingOfAPausedQueue(t *testing.T) {
	onEach(t, func(e *env) {
		e.aged("paused", 10)
		e.aged("wait", 5)
		n, err := e.q.Clean(e.ctx, queue.CleanOptions{State: queue.StateWaiting, Keep: 7})
		e.must(err)
		same(e, "removed", 8, n)
		same(e, "paused", []string{"p8", "p9"}, e.ids("paused"))
		same(e, "wait", []string{"w0", "w1", "w2", "w3", "w4"}, e.ids("wait"))
	})
}

// With its last child a parent in the same queue goes, and one in another queue
// is released.
func TestCleanAndParents(t *testing.T) {
	onEach(t, func(e *env) {
		e.family(2)
		e.must(e.rdb.HSet(e.ctx, e.key("c0"), "deid", "d").Err())
		e.must(e.rdb.MSet(e.ctx, e.key("de:d"), "c0").Err())
		other := e.fork()
		other.addIDs("x")
		e.must(e.rdb.HSet(e.ctx, other.key("x"), "parentKey", e.key("p"), "parent", `{"id":"p","queueKey":"`+e.base.String()+`"}`).Err())
		e.must(e.rdb.SAdd(e.ctx, e.key("p:dependencies"), other.key("x")).Err())
		before := e.dump()
		_, err := e.q.Clean(e.ctx, queue.CleanOptions{State: queue.StateWaiting})
		e.must(err)
		e.changed(before, map[string]string{"c0": "", "c1": "", "wait": "", "de:d": "", "p:dependencies": other.key("x")})
		_, err = other.q.Clean(e.ctx, queue.CleanOptions{State: queue.StateWaiting})
		e.must(err)
		e.changed(before, map[string]string{"c0": "", "c1": "", "wait": "p", "de:d": "", "p:dependencies": "", "waiting-children": ""})

		alone := e.fork()
		alone.family(2)
		_, err = alone.q.Clean(e.ctx, queue.CleanOptions{State: queue.StateWaiting})
		e.must(err)
		same(e, "keys", []string{"id", "marker", "meta"}, keysOf(alone.dump()))
	})
}

// A parent in another queue is released by whatever takes its last child away: in its own line, no longer delayed, and
// its own queue tells of it.
func TestTheLastChildOfAnotherQueueGoes(t *testing.T) {
	ways := map[string]func(e *env) error{
		"remove": func(e *env) error { _, err := e.q.Remove(e.ctx, []string{"c"}, queue.RemoveOptions{}); return err },
		"clean": func(e *env) error {
			_, err := e.q.Clean(e.ctx, queue.CleanOptions{State: queue.StateWaiting})
			return err
		},
		"drain": func(e *env) error { _, err := e.q.Drain(e.ctx, queue.DrainOptions{}); return err },
	}
	for name, take := range ways {
		for _, c := range []struct {
			priority, delay int
			prioritized     string
			wait            string
		}{{0, 0, "", "p before"}, {0, 60000, "", "p before"}, {2, 60000, "p=8589934593", "before"}} {
			t.Run(fmt.Sprintf("%s, priority %d, delay %d", name, c.priority, c.delay), func(t *testing.T) {
				onEach(t, func(e *env) {
					parents := e.fork()
					parents.addIDs("before")
					parents.hash("p", "name", "n", "timestamp", start, "priority", c.priority, "delay", c.delay)
					parents.fill("waiting-children", "p")
					e.addIDs("c")
					e.hash("c", "parentKey", parents.key("p"), "parent", fmt.Sprintf(`{"id":"p","queueKey":"%s"}`, parents.base))
					e.must(e.rdb.SAdd(e.ctx, parents.key("p:dependencies"), e.key("c")).Err())
					e.must(e.rdb.Del(e.ctx, parents.key("marker")).Err())
					seen := len(parents.events())
					e.must(take(e))
					after := parents.dump()
					same(e, "children and parents that wait for them", "", e.dump()["c"]+after["p:dependencies"]+after["waiting-children"])
					same(e, "prioritized", c.prioritized, after["prioritized"])
					same(e, "wait, its front first", strings.Fields(c.wait), parents.ids("wait"))
					same(e, "delay", "0", e.rdb.HGet(e.ctx, parents.key("p"), "delay").Val())
					same(e, "marker", "0=0", after["marker"])
					same(e, "events", []string{"waiting jobId=p prev=waiting-children"}, parents.newEvents(seen))
				})
			})
		}
	}
}

func keysOf(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func TestCleanKeepsWhatSchedulersWaitFor(t *testing.T) {
	onEach(t, func(e *env) {
		next := e.scheduled()
		e.must(e.rdb.HSet(e.ctx, e.key("repeat:daily:7"), "timestamp", 1, "rjk", "daily").Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), zAt(7*4096, "repeat:daily:7")).Err())
		before := e.dump()
		n, err := e.q.Clean(e.ctx, queue.CleanOptions{State: queue.StateDelayed})
		e.must(err)
		same(e, "removed", 1, n)
		e.changed(before, map[string]string{
			"repeat:daily:7": "", "delayed": fmt.Sprintf("%s=%d", next, (start+1000)*4096), "meta": "opts.maxLenEvents=10000",
		})
	})
}

func TestCleanRefusesNonsense(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			opts queue.CleanOptions
			want error
		}{
			{queue.CleanOptions{State: queue.StateWaitingChildren}, queue.ErrInvalidOption},
			{queue.CleanOptions{State: queue.StateFailed, OlderThan: -1}, queue.ErrInvalidOption},
			{queue.CleanOptions{State: queue.StateFailed, Limit: -1}, queue.ErrInvalidOption},
			{queue.CleanOptions{State: "paused"}, queue.ErrUnknownState},
		} {
			if _, err := e.q.Clean(e.ctx, c.opts); !errors.Is(err, c.want) {
				e.t.Errorf("clean %+v: %v, want %v", c.opts, err, c.want)
			}
		}
		same(e, "keys", map[string]string{}, e.dump())
	})
}

// A cancelled sweep says how far it came.
func TestCancelledSweep(t *testing.T) {
	onEach(t, func(e *env) {
		e.aged("failed", 1500)
		ctx, cancel := context.WithCancel(e.ctx)
		n, err := e.q.Clean(ctx, queue.CleanOptions{State: queue.StateFailed, OnPage: func(int) { cancel() }})
		if !errors.Is(err, context.Canceled) || n != 1000 {
			e.t.Errorf("removed %d, %v; want 1000 and context.Canceled", n, err)
		}
		same(e, "left", 500, len(e.ids("failed")))
	})
}

func TestDrain(t *testing.T) {
	onEach(t, func(e *env) {
		for _, delayed := range []bool{false, true} {
			e := e.fork()
			e.everywhere()
			e.aged("wait", 1100)
			e.aged("prioritized", 300)
			next := e.scheduled()
			e.must(e.rdb.LInsertBefore(e.ctx, e.key("wait"), "w700", "repeat:x:5").Err())
			e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), zAt(5, "x")).Err())
			e.must(e.rdb.HSet(e.ctx, e.key("repeat:x:5"), "timestamp", 1, "rjk", "x").Err())
			e.must(e.rdb.LPush(e.ctx, e.key("wait"), "ghost", "text").Err())
			e.must(e.rdb.Set(e.ctx, e.key("text"), "no job", 0).Err())
			seen := len(e.events())
			n, err := e.q.Drain(e.ctx, queue.DrainOptions{Delayed: delayed})
			e.must(err)
			want, left := 1100+300+3, []string{next, "delayed!"}
			if delayed {
				want, left = want+1, []string{next}
			}
			same(e, "removed", want, n)
			same(e, "wait", []string{"repeat:x:5"}, e.ids("wait"))
			same(e, "prioritized", []string{}, e.ids("prioritized"))
			same(e, "delayed", left, e.ids("delayed"))
			after := e.dump()
			same(e, "set aside", fmt.Sprintf("text=%d", e.now.Load()), after["qctl:corrupt"])
			same(e, "its key", "no job", after["text"])
			same(e, "states that stay", "active! completed! failed! parent!", strings.Join([]string{
				after["active"], strings.Split(after["completed"], "=")[0], strings.Split(after["failed"], "=")[0],
				strings.Split(after["waiting-children"], "=")[0],
			}, " "))
			same(e, "hashes left", int64(0), e.rdb.Exists(e.ctx, e.key("w0"), e.key("p299"), e.key("waiting!"), e.key("waiting!:logs")).Val())
			same(e, "events", 0, len(e.newEvents(seen)))
		}
	})
}
