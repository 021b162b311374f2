package worker_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// vanish claims all waiting jobs as a worker would that dies at once.
func (e *env) vanish(n int, lock time.Duration) {
	e.t.Helper()
	claimed, err := e.q.Claim(e.ctx, queue.ClaimRequest{N: n, Token: "gone", Lock: lock})
	e.must(err)
	if len(claimed.Jobs) != n {
		e.t.Fatalf("claimed %d jobs, want %d", len(claimed.Jobs), n)
	}
}

func TestJobsOfDeadWorkersAreRecovered(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 3} {
		e := onRealRedis(t)
		const lock, interval = 500 * time.Millisecond, 400 * time.Millisecond
		ids := e.addMany(5, queue.JobOptions{})
		l := newLedger()
		e.vanish(5, lock)
		at := time.Now()
		for range workers {
			e.start(worker.Config{Concurrency: 2, Lock: lock, StalledInterval: interval, Handler: l.around(succeed)})
		}
		e.eventually("the jobs", func() bool { return e.counts()["completed"] == 5 })
		if late := time.Since(at); late > lock+interval+time.Second {
			t.Errorf("recovered after %v", late)
		}
		if diff := cmp.Diff(each(ids, 1), l.times()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if got := e.hash(ids[0], "stc") + e.hash(ids[0], "atm"); got != "11" {
			t.Errorf("stalled and attempts made: %q", got)
		}
	}
}

// The worker that checked last dies: another takes its place within the time.
func TestStalledCheckOutlivesTheChecker(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	const lock, interval = 1500 * time.Millisecond, 1500 * time.Millisecond
	l := newLedger()
	cfg := worker.Config{Lock: lock, StalledInterval: interval, Handler: l.around(succeed)}
	first := e.start(cfg)
	e.eventually("the first check", func() bool { return e.rdb.Exists(e.ctx, e.key("stalled-check")).Val() == 1 })
	check := e.rdb.Get(e.ctx, e.key("stalled-check")).Val()
	pass(interval * 9 / 10)
	e.start(cfg)
	e.eventually("the second check", func() bool { now := e.rdb.Get(e.ctx, e.key("stalled-check")).Val(); return now != "" && now != check })
	first.finish()
	// As a worker leaves it that dies right after its claim.
	id := e.add("job", `{}`, queue.JobOptions{Delay: time.Hour})
	e.must(e.rdb.Set(e.ctx, e.key(id+":lock"), "gone", lock).Err())
	e.must(e.rdb.LPush(e.ctx, e.key("active"), id).Err())
	e.must(e.rdb.ZRem(e.ctx, e.key("delayed"), id).Err())
	at := time.Now()
	e.eventually("the job", func() bool { return e.counts()["completed"] == 1 })
	if late := time.Since(at); late > lock+interval+time.Second {
		t.Errorf("recovered after %v", late)
	}
}

func TestTooManyStallsFailTheJob(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	poison := e.add("poison", `{}`, queue.JobOptions{Attempts: 5})
	scheduled := "repeat:s:1000"
	e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), z(5000, "s")).Err())
	e.must(e.rdb.HSet(e.ctx, e.key("repeat:s"), "name", "x", "ic", 1, "every", 1000).Err())
	e.must(e.rdb.HSet(e.ctx, e.key(scheduled), "name", "x", "data", "{}", "opts", `{}`, "rjk", "s", "stc", 9).Err())
	e.must(e.rdb.LPush(e.ctx, e.key("wait"), scheduled).Err())
	e.must(e.rdb.HSet(e.ctx, e.key(poison), "stc", 2).Err())
	e.vanish(2, 200*time.Millisecond)
	l := newLedger()
	e.start(worker.Config{
		Concurrency: 2, Lock: 200 * time.Millisecond, StalledInterval: 200 * time.Millisecond, MaxStalled: 2, Handler: l.around(succeed),
	})
	e.eventually("both jobs", func() bool { c := e.counts(); return c["completed"] == 1 && c["failed"] == 1 })
	if diff := cmp.Diff(map[string]int{scheduled: 1}, l.times()); diff != "" {
		t.Errorf("runs (-want +got)\n%s", diff)
	}
	if got := e.hash(poison, "failedReason"); got != "job stalled more than allowable limit" {
		t.Errorf("failed reason %q", got)
	}
}
