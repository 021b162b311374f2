package queue_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

// at is a time of so many seconds after the start.
func at(seconds int) time.Time { return time.UnixMilli(start + int64(seconds)*1000) }

// ready puts a job that was created so many seconds after the start in front of
// a list, or into a class of the prioritized ones.
func (e *env) ready(list string, priority int, id string, created int) {
	e.t.Helper()
	e.hash(id, "name", "n", "timestamp", at(created).UnixMilli())
	if priority == 0 {
		e.fill(list, id)
		return
	}
	score := float64(priority)*(1<<32) + float64(e.rdb.Incr(e.ctx, e.key("pc")).Val())
	e.must(e.rdb.ZAdd(e.ctx, e.key("prioritized"), redis.Z{Score: score, Member: id}).Err())
}

func TestLag(t *testing.T) {
	const lowest = queue.MaxPriority
	for _, test := range []struct {
		name string
		seed func(e *env)
		want queue.Lag
	}{
		{"nothing", func(*env) {}, queue.Lag{}},
		{"the next of a list is the oldest", func(e *env) {
			e.ready("wait", 0, "1", 1)
			e.ready("wait", 0, "2", 2)
		}, queue.Lag{Levels: []queue.Level{{Jobs: 2, Next: "1", Since: at(1)}}}},
		{"every priority, as they run", func(e *env) {
			e.ready("", lowest, "low", 1)
			e.ready("", 5, "five", 2)
			e.ready("", 5, "five2", 3)
			e.ready("wait", 0, "none", 4)
			e.ready("", 1, "one", 5)
			e.ready("", -2, "minus", 6)
		}, queue.Lag{Levels: []queue.Level{
			{Priority: 0, Jobs: 1, Next: "none", Since: at(4)},
			{Priority: -2, Jobs: 1, Next: "minus", Since: at(6)},
			{Priority: 1, Jobs: 1, Next: "one", Since: at(5)},
			{Priority: 5, Jobs: 2, Next: "five", Since: at(2)},
			{Priority: lowest, Jobs: 1, Next: "low", Since: at(1)},
		}}},
		{"given back to the front of its priority", func(e *env) {
			e.ready("", 3, "1", 2)
			e.hash("back", "timestamp", at(1).UnixMilli())
			e.must(e.rdb.ZAdd(e.ctx, e.key("prioritized"), redis.Z{Score: 3 << 32, Member: "back"}).Err())
		}, queue.Lag{Levels: []queue.Level{{Priority: 3, Jobs: 2, Next: "back", Since: at(1)}}}},
		{"a paused queue of version 5", func(e *env) {
			e.hash("meta", "version", "bullmq:5.81.5", "paused", 1)
			e.ready("paused", 0, "1", 1)
			e.ready("", 2, "2", 2)
		}, queue.Lag{Levels: []queue.Level{{Jobs: 1, Next: "1", Since: at(1)}, {Priority: 2, Jobs: 1, Next: "2", Since: at(2)}}}},
		{"what a resume puts in front", func(e *env) {
			e.ready("wait", 0, "1", 1)
			e.ready("paused", 0, "2", 2)
		}, queue.Lag{Levels: []queue.Level{{Jobs: 2, Next: "2", Since: at(2)}}}},
		{"a marker alone", func(e *env) { e.fill("wait", "0:0") }, queue.Lag{}},
		{"markers of old layouts", func(e *env) {
			e.ready("wait", 0, "1", 1)
			e.must(e.rdb.RPush(e.ctx, e.key("wait"), "0:1795312800000", "0:0").Err())
		}, queue.Lag{Levels: []queue.Level{{Jobs: 1, Next: "1", Since: at(1)}}}},
		{"ids without a job", func(e *env) {
			e.ready("", 1, "1", 1)
			e.must(e.rdb.ZAdd(e.ctx, e.key("prioritized"), redis.Z{Score: 1 << 32, Member: "ghost"}).Err())
			e.must(e.rdb.ZAdd(e.ctx, e.key("prioritized"), redis.Z{Score: 2 << 32, Member: "ghost2"}).Err())
			e.fill("wait", "ghost3")
		}, queue.Lag{Levels: []queue.Level{
			{Jobs: 1}, {Priority: 1, Jobs: 2, Next: "1", Since: at(1)}, {Priority: 2, Jobs: 1},
		}}},
		{"times that cannot be read", func(e *env) {
			e.hash("1", "timestamp", "soon")
			e.fill("wait", "1")
		}, queue.Lag{Levels: []queue.Level{{Jobs: 1, Next: "1"}}}},
		{"delayed jobs that should have run", func(e *env) {
			for id, due := range map[string]int64{"a": start - 5000, "b": start - 1, "now": start, "later": start + 1} {
				e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), zAt(due*4096+7, id)).Err())
			}
		}, queue.Lag{Overdue: 2, DueSince: at(-5)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				test.seed(e)
				got, err := e.q.Lag(e.ctx, 0)
				e.must(err)
				if diff := cmp.Diff(test.want, got); diff != "" {
					e.t.Error(diff)
				}
				var priorities []int
				var want []int64
				for _, level := range test.want.Levels {
					priorities, want = append(priorities, level.Priority), append(want, level.Jobs)
				}
				counts, err := e.q.CountsPerPriority(e.ctx, append(priorities, 77))
				e.must(err)
				if diff := cmp.Diff(append(want, 0), counts); diff != "" {
					e.t.Errorf("counts of %v: %s", priorities, diff)
				}
				overdue, err := e.q.DueBefore(e.ctx, at(0))
				e.must(err)
				same(e, "overdue", test.want.Overdue, overdue)
			})
		})
	}
}

// Many priorities come in pages, and no more of them than were asked for.
func TestLagOfManyPriorities(t *testing.T) {
	onEach(t, func(e *env) {
		e.ready("wait", 0, "standard", 0)
		pipe := e.rdb.Pipeline()
		for p := 1; p <= 250; p++ {
			for i := range 2 {
				id := fmt.Sprint(p, "-", i)
				pipe.HSet(e.ctx, e.key(id), "timestamp", at(p).UnixMilli())
				pipe.ZAdd(e.ctx, e.key("prioritized"), redis.Z{Score: float64(p)*(1<<32) + float64(i), Member: id})
			}
		}
		_, err := pipe.Exec(e.ctx)
		e.must(err)
		for asked, want := range map[int]struct {
			levels int
			behind int64
		}{0: {251, 0}, 1: {1, 500}, 100: {100, 302}, 101: {101, 300}, 251: {251, 0}, 300: {251, 0}} {
			got, err := e.q.Lag(e.ctx, asked)
			e.must(err)
			if len(got.Levels) != want.levels || got.Behind != want.behind {
				e.t.Errorf("asked for %d: %d levels and %d jobs behind, want %+v", asked, len(got.Levels), got.Behind, want)
			}
			for i, level := range got.Levels {
				want := queue.Level{Priority: i, Jobs: 2, Next: fmt.Sprint(i, "-0"), Since: at(i)}
				if i == 0 {
					want = queue.Level{Jobs: 1, Next: "standard", Since: at(0)}
				}
				same(e, "level", want, level)
			}
		}
	})
}

func TestLagOfWrongKeys(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.Set(e.ctx, e.key("prioritized"), "x", 0).Err())
		if _, err := e.q.Lag(e.ctx, 0); !errors.Is(err, queue.ErrCorrupt) {
			e.t.Errorf("lag: %v", err)
		}
		if _, err := e.q.CountsPerPriority(e.ctx, []int{0, 1}); !errors.Is(err, queue.ErrCorrupt) {
			e.t.Errorf("counts: %v", err)
		}
		if _, _, err := e.q.Position(e.ctx, "1"); !errors.Is(err, queue.ErrCorrupt) {
			e.t.Errorf("position: %v", err)
		}
	})
}

// The position of each waiting job is its place in the order in which a worker
// gets them.
func TestPosition(t *testing.T) {
	for _, test := range []struct {
		name  string
		seed  func(e *env)
		order []string // as they run
		not   []string // ids that have no position
	}{
		{"nothing", func(*env) {}, nil, []string{"1", "wait"}},
		{"a list", func(e *env) {
			for _, id := range []string{"1", "2", "3"} {
				e.ready("wait", 0, id, 0)
			}
		}, []string{"1", "2", "3"}, []string{"4"}},
		{"priorities after the rest", func(e *env) {
			e.ready("", 9, "low", 0)
			e.ready("", 1, "high", 0)
			e.ready("", 9, "low2", 0)
			e.ready("wait", 0, "1", 0)
			e.ready("wait", 0, "2", 0)
		}, []string{"1", "2", "high", "low", "low2"}, nil},
		{"markers are no jobs", func(e *env) {
			e.ready("", 1, "last", 0)
			e.ready("wait", 0, "1", 0)
			e.ready("wait", 0, "2", 0)
			e.must(e.rdb.RPush(e.ctx, e.key("wait"), "0:1795312800000").Err())
			e.hash("front", "name", "n", "timestamp", start)
			e.must(e.rdb.RPush(e.ctx, e.key("wait"), "front", "0:0").Err())
		}, []string{"front", "1", "2", "last"}, nil},
		{"other states", func(e *env) {
			for _, state := range []string{"active", "delayed", "completed", "failed", "waiting-children"} {
				e.fill(state, state+"1")
			}
			e.ready("wait", 0, "1", 0)
		}, []string{"1"}, []string{"active1", "delayed1", "completed1", "failed1", "waiting-children1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				test.seed(e)
				for i, id := range test.order {
					ahead, found, err := e.q.Position(e.ctx, id)
					e.must(err)
					if !found || ahead != int64(i) {
						e.t.Errorf("%s: %d ahead, %v, want %d", id, ahead, found, i)
					}
				}
				for _, id := range test.not {
					if ahead, found, err := e.q.Position(e.ctx, id); found || err != nil {
						e.t.Errorf("%s: %d ahead, %v, %v", id, ahead, found, err)
					}
				}
				var ran []string
				for _, job := range e.claim(100, "tok") {
					ran = append(ran, job.ID)
				}
				same(e, "order of running", test.order, ran)
			})
		})
	}
}

// The jobs that BullMQ 5 put aside at a pause run first after a resume.
func TestPositionInAPausedQueue(t *testing.T) {
	onEach(t, func(e *env) {
		e.hash("meta", "version", "bullmq:5.81.5", "paused", 1)
		e.ready("wait", 0, "3", 0) // a client of version 6
		e.ready("paused", 0, "1", 0)
		e.ready("paused", 0, "2", 0)
		e.ready("", 1, "4", 0)
		for i, id := range []string{"1", "2", "3", "4"} {
			ahead, found, err := e.q.Position(e.ctx, id)
			e.must(err)
			if !found || ahead != int64(i) {
				e.t.Errorf("%s: %d ahead, %v", id, ahead, found)
			}
		}
		e.must(e.q.Resume(e.ctx))
		same(e, "order of running", []string{"1", "2", "3", "4"}, e.claimedIDs())
	})
}

// However many jobs wait, one of each priority is read.
func TestLagReadsOneJobOfEachPriority(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a queue with 100000 jobs")
	}
	t.Parallel()
	e := newEnv(t, redistest.Start(t).Addr, true)
	const jobs, levels = 100_000, 20
	for i := 0; i < jobs; i += 10_000 {
		pipe := e.rdb.Pipeline()
		for id := i; id < i+10_000; id++ {
			pipe.HSet(e.ctx, e.key(fmt.Sprint("j", id)), "timestamp", at(id).UnixMilli())
			if p := id % levels; p == 0 {
				pipe.LPush(e.ctx, e.key("wait"), fmt.Sprint("j", id))
			} else {
				pipe.ZAdd(e.ctx, e.key("prioritized"), redis.Z{Score: float64(p)*(1<<32) + float64(id), Member: fmt.Sprint("j", id)})
			}
		}
		_, err := pipe.Exec(e.ctx)
		e.must(err)
	}
	e.must(e.rdb.ConfigResetStat(e.ctx).Err())
	lag, err := e.q.Lag(e.ctx, 0)
	e.must(err)
	for i, level := range lag.Levels {
		same(e, "level", queue.Level{Priority: i, Jobs: jobs / levels, Next: fmt.Sprint("j", i), Since: at(i)}, level)
	}
	same(e, "levels", levels, len(lag.Levels))
	text, err := e.rdb.Info(e.ctx, "commandstats").Result()
	e.must(err)
	calls := 0
	for line := range strings.Lines(text) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), ":calls="); strings.HasPrefix(name, "cmdstat_h") {
			count, _, _ := strings.Cut(value, ",")
			n, err := strconv.Atoi(count)
			e.must(err)
			calls += n
		}
	}
	if calls == 0 || calls > 6*levels {
		t.Errorf("%d reads of jobs for %d priorities", calls, levels)
	}
}
