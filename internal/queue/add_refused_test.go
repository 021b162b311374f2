package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// A job whose id exists stays as it is, wherever it is; so does a key that is
// no job.
func TestAddDuplicateIDs(t *testing.T) {
	onEach(t, func(e *env) {
		e.everywhere()
		e.must(e.rdb.Set(e.ctx, e.key("text!"), "x", 0).Err())
		before, seen := e.dump(), len(e.events())
		var jobs []queue.NewJob
		var want []queue.Added
		var events []string
		for _, id := range []string{"completed!", "failed!", "active!", "waiting!", "prioritized!", "delayed!", "parent!", "text!"} {
			jobs = append(jobs, queue.NewJob{Name: "other", Data: []byte("1"), Opts: queue.JobOptions{ID: id, Priority: 9}})
			want = append(want, queue.Added{ID: id, Duplicate: true})
			events = append(events, "duplicated jobId="+id)
		}
		added, err := e.q.AddBulk(e.ctx, jobs)
		e.must(err)
		same(e, "answers", want, added)
		e.changed(before, map[string]string{"id": "15"})
		same(e, "events", events, e.newEvents(seen))

		one, err := e.q.Add(e.ctx, jobs[3])
		e.must(err)
		same(e, "answer", want[3], one)
		e.changed(before, map[string]string{"id": "16"})
		same(e, "event", events[3:4], e.newEvents(seen+len(events)))
	})
}

func TestAddAnIDTwiceInOneCall(t *testing.T) {
	onEach(t, func(e *env) {
		own := func(data string, opts queue.JobOptions) queue.NewJob {
			opts.ID = "own"
			return queue.NewJob{Name: "n", Data: []byte(data), Opts: opts}
		}
		added, err := e.q.AddBulk(e.ctx, []queue.NewJob{
			own("1", queue.JobOptions{}), own("2", queue.JobOptions{Priority: 1}), {Name: "n"}, own("3", queue.JobOptions{Delay: time.Hour}),
		})
		e.must(err)
		same(e, "answers", []queue.Added{{ID: "own"}, {ID: "own", Duplicate: true}, {ID: "3"}, {ID: "own", Duplicate: true}}, added)
		e.changed(nil, map[string]string{
			"id": "4", "meta": "opts.maxLenEvents=10000", "wait": "3 own", "marker": "0=0",
			"own": strings.Replace(freshHash("n", `{"attempts":0,"jobId":"own"}`, 0, 0), "data={}", "data=1", 1),
			"3":   freshHash("n", `{"attempts":0}`, 0, 0),
		})
		same(e, "events", []string{
			"added jobId=own name=n", "waiting jobId=own", "duplicated jobId=own", "added jobId=3 name=n", "waiting jobId=3",
			"duplicated jobId=own",
		}, e.events())
	})
}

// A counter that was lost or set back hands out no id of an existing job.
func TestAddAfterTheCounterWasSetBack(t *testing.T) {
	onEach(t, func(e *env) {
		for _, counter := range []string{"", "0", "2", "4", "-3"} {
			e := e.fork()
			for range 5 {
				e.add(queue.NewJob{Name: "old", Data: []byte(`"precious"`)})
			}
			e.must(e.rdb.Del(e.ctx, e.key("5")).Err()) // a gap
			e.claim(1, "t")
			before := e.dump()
			e.must(e.rdb.Del(e.ctx, e.key("id")).Err())
			if counter != "" {
				e.must(e.rdb.Set(e.ctx, e.key("id"), counter, 0).Err())
			}
			ids := e.add(queue.NewJob{Name: "new"}, queue.NewJob{Name: "new", Opts: queue.JobOptions{ID: "own"}}, queue.NewJob{Name: "new"})
			ids = append(ids, e.add(queue.NewJob{Name: "new"})...)
			after := e.dump()
			for _, id := range []string{"1", "2", "3", "4"} {
				same(e, "job "+id+" after the counter became "+counter, before[id], after[id])
			}
			fresh := slices.Compact(slices.Sorted(slices.Values(ids)))
			if len(fresh) != 4 || ids[1] != "own" {
				e.t.Errorf("ids %q after the counter became %q", ids, counter)
			}
			slices.Reverse(ids)
			same(e, "wait", strings.Join(ids, " ")+" "+before["wait"], after["wait"])
			for _, id := range ids {
				same(e, "name of "+id, "new", e.rdb.HGet(e.ctx, e.key(id), "name").Val())
			}
		}
	})
}

// refusedJobs are jobs that must never reach Redis, by what is wrong.
func refusedJobs() map[error][]queue.NewJob {
	var options, names []queue.NewJob
	for _, o := range []queue.JobOptions{
		{Priority: -1},
		{Priority: queue.MaxPriority + 1},
		{Delay: -1},
		{Delay: queue.MaxDelay + 1},
		{Attempts: -1},
		{Attempts: queue.MaxAttempts + 1},
		{SizeLimit: -1},
		{KeepLogs: -1},
		{Backoff: &queue.Backoff{Type: "fixed", Jitter: -0.1}},
		{Backoff: &queue.Backoff{Type: "fixed", Jitter: 1.1}},
		{Backoff: &queue.Backoff{Type: "fixed", Jitter: math.NaN()}},
		{Backoff: &queue.Backoff{Type: "fixed", Delay: -1}},
		{Backoff: &queue.Backoff{Type: "fixed", Delay: queue.MaxDelay + 1}},
	} {
		options = append(options, queue.NewJob{Name: "n", Opts: o})
	}
	for _, id := range []string{
		"0", "0:a", "0:a:b", "12", "-5", "99999999999999999999", "a:b", "a:b:c:d", ":", "meta", "id", "wait", "paused", "active",
		"prioritized", "delayed", "waiting-children", "completed", "failed", "marker", "pc", "stalled", "stalled-check",
		"limiter", "events", "repeat", "repeat:x:1", "metrics:completed:data", "de", "dn:a:b", "qctl:a:b", "delay", "priority",
		"a\n", "a\x00", "\x7f", "\xff", strings.Repeat("x", queue.MaxIDBytes+1),
	} {
		names = append(names, queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id}})
	}
	return map[error][]queue.NewJob{
		queue.ErrInvalidOption: options,
		queue.ErrInvalidName:   names,
		queue.ErrTooLarge:      {{Name: "n", Data: []byte(`"12345"`), Opts: queue.JobOptions{SizeLimit: 6}}},
	}
}

// One bad job keeps the whole call from being sent, from its first batch on.
func (e *env) refuses(want error, bad queue.NewJob) {
	e.t.Helper()
	e = e.fork()
	jobs := slices.Repeat([]queue.NewJob{{Name: "good"}}, 601)
	jobs[600] = bad
	if added, err := e.q.AddBulk(e.ctx, jobs); !errors.Is(err, want) || len(added) != 0 {
		e.t.Errorf("bulk with %.60q, %+v: %d answers, %v; want none, %v", bad.Data, bad.Opts, len(added), err, want)
	}
	if added, err := e.q.Add(e.ctx, bad); !errors.Is(err, want) || added != (queue.Added{}) {
		e.t.Errorf("add of %.60q, %+v: %v, %v; want %v", bad.Data, bad.Opts, added, err, want)
	}
	same(e, "keys written", 0, len(e.dump()))
}

func TestAddRefusesInvalidJobs(t *testing.T) {
	onEach(t, func(e *env) {
		for want, jobs := range refusedJobs() {
			for _, bad := range jobs {
				e.refuses(want, bad)
			}
		}
	})
}

// A payload that is no JSON would reach a worker only to be failed.
func TestAddRefusesInvalidJSON(t *testing.T) {
	onEach(t, func(e *env) {
		for _, data := range []string{"{", " ", "undefined", `{"a":1}{`, "NaN", "'a'", `"` + "\n" + `"`} {
			e.refuses(queue.ErrInvalidOption, queue.NewJob{Name: "n", Data: []byte(data)})
		}
	})
}

func TestAddRefusesInvalidUnknownOptions(t *testing.T) {
	onEach(t, func(e *env) {
		e.refuses(queue.ErrInvalidOption, queue.NewJob{Name: "n", Opts: queue.JobOptions{Other: rawOptions("tm", "{")}})
	})
}

func TestAddTakesJobsAtTheLimits(t *testing.T) {
	onEach(t, func(e *env) {
		var jobs []queue.NewJob
		var want []queue.Added
		for _, id := range []string{
			"007", "1.5", "12a", "a:b:c", "wait2", "Meta", " ", "a b", "é{}", strings.Repeat("x", queue.MaxIDBytes), "a/b", "--5",
		} {
			jobs = append(jobs, queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id}})
			want = append(want, queue.Added{ID: id})
		}
		for _, o := range []queue.JobOptions{
			{Attempts: queue.MaxAttempts},
			{Priority: queue.MaxPriority},
			{Delay: queue.MaxDelay},
			{SizeLimit: 7},
			{Backoff: &queue.Backoff{Type: "fixed", Jitter: 1, Delay: queue.MaxDelay}},
		} {
			jobs = append(jobs, queue.NewJob{Name: "n", Data: []byte(`"12345"`), Opts: o})
			want = append(want, queue.Added{ID: fmt.Sprint(len(jobs))})
		}
		added, err := e.q.AddBulk(e.ctx, jobs)
		e.must(err)
		same(e, "answers", want, added)
		same(e, "delayed", fmt.Sprintf("15=%d", dueScore(start+queue.MaxDelay.Milliseconds(), 0)), e.dump()["delayed"])
	})
}

// beforeCommand runs before every command of a client; an error of it takes
// the command's place.
type beforeCommand func(ctx context.Context, cmd redis.Cmder) error

func (beforeCommand) DialHook(next redis.DialHook) redis.DialHook { return next }

func (beforeCommand) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (b beforeCommand) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := b(ctx, cmd); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func TestAddManyPages(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "first"}) // the script is known from here on
		calls := e.countCalls("evalsha")
		added, err := e.q.AddBulk(e.ctx, nil)
		e.must(err)
		same(e, "answers to nothing", []queue.Added{}, added)
		same(e, "calls for nothing", 0, calls.Load())

		jobs := make([]queue.NewJob, 1001)
		want := make([]queue.Added, len(jobs))
		waiting := make([]string, len(jobs))
		for i := range jobs {
			id := fmt.Sprint(i + 2)
			jobs[i] = queue.NewJob{Name: "n", Data: []byte(id)}
			want[i] = queue.Added{ID: id}
			waiting[len(jobs)-1-i] = id
		}
		added, err = e.q.AddBulk(e.ctx, jobs)
		e.must(err)
		same(e, "answers", want, added)
		same(e, "calls", 3, calls.Load())
		same(e, "wait", strings.Join(waiting, " ")+" 1", e.dump()["wait"])
		for _, id := range []string{"2", "501", "502", "1001", "1002"} {
			same(e, "data of "+id, id, e.rdb.HGet(e.ctx, e.key(id), "data").Val())
		}

		large := queue.NewJob{Name: "n", Data: []byte(`"` + strings.Repeat("x", 3<<20) + `"`)}
		same(e, "large jobs", []string{"1003", "1004", "1005"}, e.add(large, large, large))
		same(e, "calls for large jobs", 6, calls.Load())
	})
}

// When a batch fails, the answers of those before it are still given.
func TestAddBulkThatFailsHalfWay(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "first"})
		boom, calls := errors.New("boom"), 0
		e.rdb.AddHook(beforeCommand(func(_ context.Context, cmd redis.Cmder) error {
			if cmd.Name() == "evalsha" {
				if calls++; calls == 2 {
					return boom
				}
			}
			return nil
		}))
		added, err := e.q.AddBulk(e.ctx, slices.Repeat([]queue.NewJob{{Name: "n"}}, 1200))
		if !errors.Is(err, boom) {
			e.t.Errorf("error %v, want %v", err, boom)
		}
		want := make([]queue.Added, 500)
		for i := range want {
			want[i].ID = fmt.Sprint(i + 2)
		}
		same(e, "answers", want, added)
		same(e, "calls", 2, calls)
		same(e, "waiting", int64(501), e.rdb.LLen(e.ctx, e.key("wait")).Val())
	})
}
