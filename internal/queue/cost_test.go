package queue_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

// cost returns how long (CPU time) the server works on an average script call
// of what run does. The clock would count in whatever else the machine does.
func (e *env) cost(run func()) time.Duration {
	e.t.Helper()
	e.must(e.rdb.ConfigResetStat(e.ctx).Err())
	before, _ := e.usage()
	run()
	after, calls := e.usage()
	return (after - before) / time.Duration(max(1, calls))
}

func (e *env) usage() (cpu time.Duration, calls int) {
	e.t.Helper()
	text, err := e.rdb.Info(e.ctx, "cpu", "commandstats").Result()
	e.must(err)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "used_cpu_user", "used_cpu_sys":
			seconds, err := strconv.ParseFloat(value, 64)
			e.must(err)
			cpu += time.Duration(seconds * float64(time.Second))
		case "cmdstat_evalsha", "cmdstat_eval":
			count, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			n, err := strconv.Atoi(count)
			e.must(err)
			calls += n
		}
	}
	return cpu, calls
}

// No call may hold up other clients for long, however many jobs there are.
func TestCallsOverManyJobsAreCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("fills two queues with 100000 jobs")
	}
	t.Parallel()
	const jobs = 100_000
	done := func(errs []error, err error) (int, error) {
		return len(slices.DeleteFunc(errs, func(err error) bool { return err != nil })), err
	}
	type step struct {
		name string
		want int
		run  func(e *env, ids []string) (int, error)
	}
	for suffix, steps := range map[string][]step{
		"wait": {
			{"remove from the far end", 50, func(e *env, ids []string) (int, error) {
				return done(e.q.Remove(e.ctx, ids[:50], queue.RemoveOptions{Children: true}))
			}},
			{"remove from the middle", 10_000, func(e *env, ids []string) (int, error) {
				return done(e.q.RemoveFrom(e.ctx, queue.StateWaiting, ids[40_000:50_000]))
			}},
			{"clean behind what stays", 9_999, func(e *env, ids []string) (int, error) {
				e.must(e.rdb.LMove(e.ctx, e.key("wait"), e.key("wait"), "left", "right").Err()) // the youngest
				return e.q.Clean(e.ctx, queue.CleanOptions{
					State: queue.StateWaiting, OlderThan: 50_000*time.Second - time.Millisecond, Limit: 9_999,
				})
			}},
			{"drain", jobs - 50 - 10_000 - 9_999, func(e *env, _ []string) (int, error) {
				return e.q.Drain(e.ctx, queue.DrainOptions{})
			}},
		},
		"failed": {
			{"retry", 10_000, func(e *env, ids []string) (int, error) {
				return done(e.q.Retry(e.ctx, queue.StateFailed, ids[:10_000], queue.RetryOptions{}))
			}},
			{"remove from a set", 10_000, func(e *env, ids []string) (int, error) {
				return done(e.q.RemoveFrom(e.ctx, queue.StateFailed, ids[50_000:60_000]))
			}},
			{"clean", 20_000, func(e *env, _ []string) (int, error) {
				return e.q.Clean(e.ctx, queue.CleanOptions{State: queue.StateFailed, Limit: 20_000})
			}},
			{"obliterate", jobs - 30_000, func(e *env, _ []string) (int, error) {
				return e.q.Obliterate(e.ctx, queue.ObliterateOptions{})
			}},
		},
	} {
		t.Run(suffix, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, redistest.Start(t).Addr, true)
			ids := e.aged(suffix, jobs)
			for _, s := range steps {
				cost := e.cost(func() {
					n, err := s.run(e, ids)
					e.must(err)
					same(e, s.name, s.want, n)
				})
				if cost > 50*time.Millisecond {
					t.Errorf("%s: a call keeps Redis busy for %v on average", s.name, cost)
				}
			}
		})
	}
}
