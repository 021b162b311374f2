package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// causes turns the answers of a call into words that can be compared.
func causes(errs []error) []string {
	names := map[string]error{
		"not found": queue.ErrJobNotFound, "not in state": queue.ErrJobNotInState, "locked": queue.ErrJobLocked,
		"scheduler": queue.ErrSchedulerJob, "corrupt": queue.ErrCorrupt,
	}
	words := make([]string, len(errs))
	for i, err := range errs {
		var job *queue.JobError
		switch {
		case err == nil:
			words[i] = "ok"
		case !errors.As(err, &job):
			words[i] = "no JobError: " + err.Error()
		default:
			words[i] = err.Error()
			for word, cause := range names {
				if errors.Is(err, cause) {
					words[i] = job.ID + " " + word
				}
			}
		}
	}
	return words
}

// same fails the test when a value is not as wanted.
func same[T any](e *env, what string, want, got T) {
	e.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		e.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// changed compares the whole queue with an earlier dump and what was expected
// to change; an empty text means that the key has gone.
func (e *env) changed(before, changes map[string]string) {
	e.t.Helper()
	want := map[string]string{}
	for k, v := range before {
		want[k] = v
	}
	for k, v := range changes {
		want[k] = v
		if v == "" {
			delete(want, k)
		}
	}
	same(e, "keys", want, e.dump())
}

// newEvents returns the events that came after the first seen ones.
func (e *env) newEvents(seen int) []string {
	e.t.Helper()
	return e.events()[seen:]
}

// fork returns another, empty queue on the same Redis.
func (e *env) fork() *env {
	other := *e
	other.base = queue.KeyBase{Prefix: fmt.Sprintf("t%d", bases.Add(1)), Name: "q"}
	other.q = e.client.Queue(other.base)
	return &other
}

func zAt(score int64, member string) redis.Z { return redis.Z{Score: float64(score), Member: member} }

// setVersion marks the queue as one of BullMQ 5 or 6.
func (e *env) setVersion(major int) {
	e.t.Helper()
	e.must(e.rdb.HSet(e.ctx, e.key("meta"), "version", map[int]string{5: "bullmq:5.81.5", 6: "bullmq:6.7.0"}[major]).Err())
}

// finish runs the next waiting job to its end, failed with boom or completed.
func (e *env) finish(kind queue.OutcomeKind) string {
	e.t.Helper()
	jobs := e.claim(1, "finish")
	if len(jobs) != 1 {
		e.t.Fatalf("claimed %d jobs, want 1", len(jobs))
	}
	o := queue.Outcome{Kind: kind, ID: jobs[0].ID, Token: "finish", Attempts: 1}
	if kind == queue.Fail {
		o.FailedReason = "boom"
	}
	e.settle(o)
	return jobs[0].ID
}

// family adds a parent that waits for children, and the children. Their ids:
// p, and c0, c1 and so on.
func (e *env) family(children int) {
	e.t.Helper()
	e.must(e.rdb.HSet(e.ctx, e.key("p"), "name", "parent", "data", "{}", "opts", "{}",
		"timestamp", start, "delay", 0, "priority", 0).Err())
	e.must(e.rdb.ZAdd(e.ctx, e.key("waiting-children"), zAt(start, "p")).Err())
	parent, _ := json.Marshal(map[string]string{"id": "p", "queueKey": e.base.String()})
	for i := range children {
		id := fmt.Sprintf("c%d", i)
		e.add(queue.NewJob{Name: "child", Opts: queue.JobOptions{ID: id}})
		e.must(e.rdb.HSet(e.ctx, e.key(id), "parentKey", e.key("p"), "parent", parent).Err())
		e.must(e.rdb.SAdd(e.ctx, e.key("p:dependencies"), e.key(id)).Err())
	}
}

func TestRetryFailed(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "a", Opts: queue.JobOptions{ID: "a"}})
		e.finish(queue.Fail)
		e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
		before, seen := e.dump(), len(e.events())
		errs, err := e.q.Retry(e.ctx, queue.StateFailed, []string{"a", "a", "gone"}, queue.RetryOptions{})
		e.must(err)
		same(e, "answers", []string{"ok", "a not in state", "gone not found"}, causes(errs))
		e.changed(before, map[string]string{
			"failed": "", "wait": "a", "marker": "0=0",
			"a": "atm=1 ats=1 data={} delay=0 name=a opts={\"attempts\":0,\"jobId\":\"a\"} priority=0 stacktrace=[] timestamp=1795312800000",
		})
		same(e, "events", []string{"waiting jobId=a prev=failed"}, e.newEvents(seen))
	})
}

func TestRetryCompletedWithReset(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "a", Opts: queue.JobOptions{ID: "a"}})
		e.finish(queue.Complete)
		before, seen := e.dump(), len(e.events())
		errs, err := e.q.Retry(e.ctx, queue.StateCompleted, []string{"a"}, queue.RetryOptions{ResetAttempts: true})
		e.must(err)
		same(e, "answers", []string{"ok"}, causes(errs))
		e.changed(before, map[string]string{
			"completed": "", "wait": "a", "marker": "0=0",
			"a": "data={} delay=0 name=a opts={\"attempts\":0,\"jobId\":\"a\"} priority=0 timestamp=1795312800000",
		})
		same(e, "events", []string{"waiting jobId=a prev=completed"}, e.newEvents(seen))
	})
}

func TestRetryGoesWhereANewJobWould(t *testing.T) {
	onEach(t, func(e *env) {
		for _, version := range []int{5, 6} {
			e := e.fork()
			e.setVersion(version)
			e.add(queue.NewJob{Name: "prio", Opts: queue.JobOptions{ID: "prio", Priority: 7}})
			e.finish(queue.Fail)
			e.add(queue.NewJob{Name: "lifo", Opts: queue.JobOptions{ID: "lifo", LIFO: true}})
			e.finish(queue.Fail)
			e.add(queue.NewJob{Name: "fifo", Opts: queue.JobOptions{ID: "fifo"}})
			e.finish(queue.Fail)
			e.must(e.rdb.HSet(e.ctx, e.key("fifo"), "opts", `{"lifo":true`).Err()) // not JSON: no lifo
			e.add(queue.NewJob{Name: "plain", Opts: queue.JobOptions{ID: "plain"}})
			e.finish(queue.Fail)
			e.must(e.rdb.HSet(e.ctx, e.key("plain"), "opts", `{"lifo":false}`).Err())
			e.add(queue.NewJob{Name: "new", Opts: queue.JobOptions{ID: "new"}})
			e.must(e.q.Pause(e.ctx))
			errs, err := e.q.Retry(e.ctx, queue.StateFailed, []string{"prio", "lifo", "fifo", "plain"}, queue.RetryOptions{})
			e.must(err)
			same(e, "answers", []string{"ok", "ok", "ok", "ok"}, causes(errs))
			after := e.dump()
			list := map[int]string{5: "paused", 6: "wait"}[version]
			same(e, "list", "plain fifo new lifo", after[list])
			same(e, "prioritized", "prio=30064771074", after["prioritized"])
			same(e, "marker while paused", "", after["marker"])
		}
	})
}

// A missing job stays in its set for whoever looks into it; a key that is no
// job is reported for that job alone.
func TestRetryOddJobs(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "a", Opts: queue.JobOptions{ID: "a"}})
		e.finish(queue.Fail)
		e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), zAt(1, "ghost"), zAt(2, "text"), zAt(3, "meta")).Err())
		e.must(e.rdb.Set(e.ctx, e.key("text"), "x", 0).Err())
		errs, err := e.q.Retry(e.ctx, queue.StateFailed, []string{"ghost", "text", "meta", "", "a"}, queue.RetryOptions{})
		e.must(err)
		same(e, "answers", []string{"ghost not found", "text corrupt", "meta not found", " not found", "ok"}, causes(errs))
		same(e, "failed", "ghost=1 text=2 meta=3", e.dump()["failed"])
		if _, err := e.q.Retry(e.ctx, queue.StateDelayed, []string{"a"}, queue.RetryOptions{}); !errors.Is(err, queue.ErrInvalidOption) {
			e.t.Errorf("retry of delayed jobs: %v, want ErrInvalidOption", err)
		}
	})
}

func TestRetryMakesTheParentWaitAgain(t *testing.T) {
	onEach(t, func(e *env) {
		e.family(3)
		e.must(e.rdb.SAdd(e.ctx, e.key("p:dependencies"), "other:q:1").Err())
		for range 3 {
			e.finish(queue.Complete)
		}
		e.must(e.rdb.ZRem(e.ctx, e.key("completed"), "c1", "c2").Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), zAt(1, "c1"), zAt(2, "c2")).Err())
		e.must(e.rdb.HDel(e.ctx, e.key("p:processed"), e.key("c1"), e.key("c2")).Err())
		e.must(e.rdb.ZAdd(e.ctx, e.key("p:unsuccessful"), zAt(1, e.key("c1"))).Err())
		e.must(e.rdb.HSet(e.ctx, e.key("p:failed"), e.key("c2"), "boom").Err())

		errs, err := e.q.Retry(e.ctx, queue.StateCompleted, []string{"c0"}, queue.RetryOptions{})
		e.must(err)
		more, err := e.q.Retry(e.ctx, queue.StateFailed, []string{"c1", "c2"}, queue.RetryOptions{})
		e.must(err)
		same(e, "answers", []string{"ok", "ok", "ok"}, causes(append(errs, more...)))
		after := e.dump()
		same(e, "pending", strings.Join([]string{"other:q:1", e.key("c0"), e.key("c1"), e.key("c2")}, " "), after["p:dependencies"])
		for _, record := range []string{"p:processed", "p:unsuccessful", "p:failed"} {
			same(e, record, "", after[record])
		}
	})
}

// A parent that does not name the child is not touched.
func TestRetryWithForgedParent(t *testing.T) {
	onEach(t, func(e *env) {
		e.family(1)
		e.finish(queue.Complete)
		e.add(queue.NewJob{Name: "forged", Opts: queue.JobOptions{ID: "forged"}})
		// The parent was released in front; its turn comes first.
		e.finish(queue.Complete)
		e.finish(queue.Complete)
		e.must(e.rdb.HSet(e.ctx, e.key("forged"), "parentKey", e.key("p"), "parent", `{"id":"p","queueKey":"`+e.base.String()+`"}`).Err())
		before := e.dump()
		_, err := e.q.Retry(e.ctx, queue.StateCompleted, []string{"forged"}, queue.RetryOptions{})
		e.must(err)
		after := e.dump()
		same(e, "processed", before["p:processed"], after["p:processed"])
		same(e, "pending", "", after["p:dependencies"])
	})
}

func TestRetryManyPages(t *testing.T) {
	onEach(t, func(e *env) {
		var ids []string
		for i := range 603 {
			id := fmt.Sprintf("j%d", i)
			ids = append(ids, id)
			e.must(e.rdb.HSet(e.ctx, e.key(id), "name", "x", "timestamp", start).Err())
			e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), zAt(start, id)).Err())
		}
		errs, err := e.q.Retry(e.ctx, queue.StateFailed, ids, queue.RetryOptions{})
		e.must(err)
		same(e, "answers", make([]error, len(ids)), errs)
		same(e, "waiting", int64(len(ids)), e.rdb.LLen(e.ctx, e.key("wait")).Val())

		cancelled, cancel := context.WithCancel(e.ctx)
		cancel()
		errs, err = e.q.Retry(cancelled, queue.StateFailed, ids[:2], queue.RetryOptions{})
		if !errors.Is(err, context.Canceled) || len(errs) != 2 || !errors.Is(errs[1], context.Canceled) {
			e.t.Errorf("cancelled retry: %v, %v", errs, err)
		}
	})
}

func TestPromote(t *testing.T) {
	onEach(t, func(e *env) {
		delayed := func(id string, priority int) queue.NewJob {
			return queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id, Delay: time.Hour, Priority: priority}}
		}
		e.add(delayed("a", 0), delayed("b", 3), delayed("c", 0), queue.NewJob{Name: "w", Opts: queue.JobOptions{ID: "w"}})
		e.must(e.rdb.Set(e.ctx, e.key("text"), "x", 0).Err())
		before, seen := e.dump(), len(e.events())
		errs, err := e.q.Promote(e.ctx, []string{"a", "b", "w", "gone", "text"})
		e.must(err)
		same(e, "answers", []string{"ok", "ok", "w not in state", "gone not found", "text corrupt"}, causes(errs))
		due := (start + time.Hour.Milliseconds()) * 4096
		e.changed(before, map[string]string{
			"wait": "a w", "prioritized": "b=12884901889", "pc": "1", "delayed": fmt.Sprintf("c=%d", due+2),
			"a": strings.Replace(before["a"], "delay=3600000 ", "delay=0 ", 1),
			"b": strings.Replace(before["b"], "delay=3600000 ", "delay=0 ", 1),
		})
		same(e, "events", []string{"waiting jobId=a prev=delayed", "waiting jobId=b prev=delayed"}, e.newEvents(seen))
	})
}

func TestChangeDelay(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "a", Delay: time.Hour}},
			queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "w"}})
		before, seen := e.dump(), len(e.events())
		e.must(e.q.ChangeDelay(e.ctx, "a", time.Minute))
		due := start + 60000
		e.changed(before, map[string]string{
			"delayed": fmt.Sprintf("a=%d", due*4096), "marker": fmt.Sprintf("0=0 1=%d", due),
			"a": strings.Replace(before["a"], "delay=3600000 ", "delay=60000 ", 1),
		})
		same(e, "events", []string{fmt.Sprintf("delayed jobId=a delay=%d", due)}, e.newEvents(seen))
		before = e.dump()
		same(e, "answers", []string{"w not in state", "gone not found"}, causes([]error{
			e.q.ChangeDelay(e.ctx, "w", time.Minute), e.q.ChangeDelay(e.ctx, "gone", time.Minute),
		}))
		if err := e.q.ChangeDelay(e.ctx, "a", -1); !errors.Is(err, queue.ErrInvalidOption) {
			e.t.Errorf("negative delay: %v, want ErrInvalidOption", err)
		}
		e.changed(before, nil)
	})
}

func TestChangePriority(t *testing.T) {
	onEach(t, func(e *env) {
		for _, id := range []string{"a", "b", "c", "d"} {
			e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id}})
		}
		seen := len(e.events())
		e.must(e.q.ChangePriority(e.ctx, "b", 5, false))
		e.must(e.q.ChangePriority(e.ctx, "c", 5, true))
		after := e.dump()
		same(e, "wait", "d a", after["wait"])
		same(e, "prioritized", "c=21474836480 b=21474836481", after["prioritized"])
		same(e, "priority", "5", e.rdb.HGet(e.ctx, e.key("c"), "priority").Val())

		e.must(e.q.ChangePriority(e.ctx, "b", 0, true))
		e.must(e.q.ChangePriority(e.ctx, "c", 0, false))
		same(e, "wait", "c d a b", e.dump()["wait"])

		e.must(e.q.Pause(e.ctx))
		e.must(e.rdb.Rename(e.ctx, e.key("wait"), e.key("paused")).Err())
		e.must(e.q.ChangePriority(e.ctx, "d", 0, true))
		same(e, "paused", "c a b d", e.dump()["paused"])

		e.must(e.rdb.HSet(e.ctx, e.key("done"), "timestamp", 1).Err())
		e.must(e.q.ChangePriority(e.ctx, "done", 9, false))
		same(e, "job elsewhere", "priority=9 timestamp=1", e.dump()["done"])
		same(e, "answers", []string{"gone not found", "meta not found"}, causes([]error{
			e.q.ChangePriority(e.ctx, "gone", 1, false), e.q.ChangePriority(e.ctx, "meta", 1, false),
		}))
		if err := e.q.ChangePriority(e.ctx, "a", queue.MaxPriority+1, false); !errors.Is(err, queue.ErrInvalidOption) {
			e.t.Errorf("priority too high: %v, want ErrInvalidOption", err)
		}
		same(e, "events", []string{"paused"}, e.newEvents(seen))
	})
}

func TestUpdateDataAndProgress(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "a"}})
		before, seen := e.dump(), len(e.events())
		e.must(e.q.UpdateData(e.ctx, "a", []byte(`{"n": 9007199254740993}`)))
		e.must(e.q.UpdateProgress(e.ctx, "a", []byte(`{"done":0.5}`)))
		e.changed(before, map[string]string{
			"a": `data={"n": 9007199254740993} delay=0 name=n opts={"attempts":0,"jobId":"a"} priority=0 progress={"done":0.5} timestamp=1795312800000`,
		})
		same(e, "events", []string{`progress jobId=a data={"done":0.5}`}, e.newEvents(seen))

		before = e.dump()
		same(e, "answers", []string{"gone not found", "meta not found", "a:processed not found"}, causes([]error{
			e.q.UpdateData(e.ctx, "gone", []byte("1")), e.q.UpdateProgress(e.ctx, "meta", []byte("1")),
			e.q.UpdateData(e.ctx, "a:processed", []byte("1")),
		}))
		for _, text := range []string{"", "{", "undefined"} {
			for _, err := range []error{e.q.UpdateData(e.ctx, "a", []byte(text)), e.q.UpdateProgress(e.ctx, "a", []byte(text))} {
				if !errors.Is(err, queue.ErrInvalidOption) {
					e.t.Errorf("update to %q: %v, want ErrInvalidOption", text, err)
				}
			}
		}
		e.changed(before, nil)
	})
}

func TestLogs(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "a"}})
		before := e.dump()
		n, err := e.q.AppendLogs(e.ctx, "a", []string{"one", "two", "three"}, 0)
		e.must(err)
		same(e, "count", int64(3), n)
		n, err = e.q.AppendLogs(e.ctx, "a", []string{"four"}, 2)
		e.must(err)
		same(e, "count", int64(2), n)
		e.changed(before, map[string]string{"a:logs": "three four"})

		n, err = e.q.AppendLogs(e.ctx, "a", slices.Repeat([]string{"x"}, 12001), 0)
		e.must(err)
		same(e, "count over several pages", int64(12003), n)
		e.must(e.q.ClearLogs(e.ctx, "a", 2))
		e.changed(before, map[string]string{"a:logs": "x x"})
		e.must(e.q.ClearLogs(e.ctx, "a", 0))
		e.changed(before, nil)

		_, err = e.q.AppendLogs(e.ctx, "gone", []string{"x"}, 0)
		same(e, "answers", []string{"gone not found", "gone not found"}, causes([]error{err, e.q.ClearLogs(e.ctx, "gone", 0)}))
		e.must(e.rdb.Set(e.ctx, e.key("a:logs"), "x", 0).Err())
		if _, err := e.q.AppendLogs(e.ctx, "a", []string{"x"}, 0); !errors.Is(err, queue.ErrCorrupt) {
			e.t.Errorf("log that is no list: %v, want ErrCorrupt", err)
		}
		if err := e.q.ClearLogs(e.ctx, "a", 1); !errors.Is(err, queue.ErrCorrupt) {
			e.t.Errorf("log that is no list: %v, want ErrCorrupt", err)
		}
	})
}
