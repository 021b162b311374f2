package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

func TestAddOne(t *testing.T) {
	onEach(t, func(e *env) {
		added, err := e.q.Add(e.ctx, queue.NewJob{Name: "a", Data: []byte("1")})
		e.must(err)
		same(e, "answer", queue.Added{ID: "1"}, added)
		added, err = e.q.Add(e.ctx, queue.NewJob{Name: "b", Opts: queue.JobOptions{ID: "own", LIFO: true}})
		e.must(err)
		same(e, "answer", queue.Added{ID: "own"}, added)
		e.changed(nil, map[string]string{
			"id": "2", "meta": "opts.maxLenEvents=10000", "wait": "1 own", "marker": "0=0",
			"1":   strings.Replace(freshHash("a", `{"attempts":0}`, 0, 0), "data={}", "data=1", 1),
			"own": freshHash("b", `{"attempts":0,"lifo":true,"jobId":"own"}`, 0, 0),
		})
		same(e, "events", []string{"added jobId=1 name=a", "waiting jobId=1", "added jobId=own name=b", "waiting jobId=own"}, e.events())

		gone, cancel := context.WithCancel(e.ctx)
		cancel()
		if added, err := e.q.Add(gone, queue.NewJob{Name: "c"}); !errors.Is(err, context.Canceled) && err != nil {
			e.t.Errorf("with a cancelled context: %v, %v", added, err)
		}
	})
}

// Many callers at once: each hears of its own job and of nobody else's.
func TestAddFromManyGoroutines(t *testing.T) {
	onEach(t, func(e *env) {
		const callers = 60
		answers := make([]queue.Added, callers)
		errs := make([]error, callers)
		var wg sync.WaitGroup
		for i := range callers {
			job := queue.NewJob{Name: "n", Data: fmt.Appendf(nil, "%d", i)}
			switch i % 6 {
			case 3:
				job.Opts.ID = "shared"
			case 4:
				job.Opts.ID = fmt.Sprintf("own%d", i)
			case 5:
				job.Opts.ID = "12" // refused
			}
			wg.Go(func() { answers[i], errs[i] = e.q.Add(e.ctx, job) })
		}
		wg.Wait()
		first := 0
		for i, added := range answers {
			if i%6 == 5 {
				if !errors.Is(errs[i], queue.ErrInvalidName) || added != (queue.Added{}) {
					t.Errorf("caller %d: %v, %v, want ErrInvalidName", i, added, errs[i])
				}
				continue
			}
			e.must(errs[i])
			if added.Duplicate {
				same(e, "only the shared id can be a duplicate", "shared", added.ID)
				continue
			}
			if added.ID == "shared" {
				first++
			}
			same(e, "data of "+added.ID, fmt.Sprint(i), e.rdb.HGet(e.ctx, e.key(added.ID), "data").Val())
		}
		same(e, "callers that stored the shared job", 1, first)
		same(e, "waiting", callers/6*4+1, len(e.ids("wait")))
	})
}

// queued is a context that tells when a call has begun to wait for its end.
type queued struct {
	context.Context
	waits chan struct{}
	once  *sync.Once
}

func (q queued) Done() <-chan struct{} {
	q.once.Do(func() { close(q.waits) })
	return q.Context.Done()
}

// pendingAdd is an Add whose answer is not there yet.
type pendingAdd struct {
	cancel context.CancelFunc
	done   chan struct{}
	added  queue.Added
	err    error
}

// startAdd returns when the job is in line to be sent.
func (e *env) startAdd(job queue.NewJob) *pendingAdd {
	e.t.Helper()
	ctx, cancel := context.WithCancel(e.ctx)
	e.t.Cleanup(cancel)
	waiting := queued{ctx, make(chan struct{}), &sync.Once{}}
	p := &pendingAdd{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.added, p.err = e.q.Add(waiting, job)
	}()
	select {
	case <-waiting.waits:
	case <-p.done: // refused at once
	case <-time.After(10 * time.Second):
		e.t.Fatal("Add does not wait for its answer")
	}
	return p
}

// answer waits for the end of the call.
func (p *pendingAdd) answer(e *env) (queue.Added, error) {
	e.t.Helper()
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		e.t.Fatal("Add gives no answer")
	}
	return p.added, p.err
}

// jam holds back every add until it is released, beginning with that of the
// job lone, which has a call to itself. That call then gets fail as its answer,
// unless it is nil; all others go through.
func (e *env) jam(lone queue.NewJob, fail error) (add *pendingAdd, release func()) {
	e.t.Helper()
	e.add(queue.NewJob{Name: "first"}) // the script is known from here on
	open, inTheAir := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	release = sync.OnceFunc(func() { close(open) })
	e.t.Cleanup(release)
	e.rdb.AddHook(beforeCommand(func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "evalsha" {
			return nil
		}
		var err error
		if calls.Add(1) == 1 {
			err = fail
			close(inTheAir)
		}
		select {
		case <-open:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}))
	add = e.startAdd(lone)
	select {
	case <-inTheAir:
	case <-time.After(10 * time.Second):
		e.t.Fatal("a lone add is not sent")
	}
	return add, release
}

// Adds that come in while others are in the air travel together, and the end
// of one caller's context is nobody else's business: not even when it was that
// caller who set the others' jobs off.
func TestAddWithACancelledNeighbour(t *testing.T) {
	onEach(t, func(e *env) {
		calls := e.countCalls("evalsha")
		lone, release := e.jam(queue.NewJob{Name: "job0"}, nil)
		adds := []*pendingAdd{lone}
		for i := 1; i < 8; i++ {
			adds = append(adds, e.startAdd(queue.NewJob{Name: fmt.Sprintf("job%d", i)}))
		}
		cancelled := []int{0, 5}
		for _, i := range cancelled {
			adds[i].cancel()
			if added, err := adds[i].answer(e); !errors.Is(err, context.Canceled) || added != (queue.Added{}) {
				t.Errorf("cancelled add %d: %v, %v", i, added, err)
			}
		}
		release()
		names := []string{}
		for i, add := range adds {
			if slices.Contains(cancelled, i) {
				continue
			}
			added, err := add.answer(e)
			e.must(err)
			same(e, "name of "+added.ID, fmt.Sprintf("job%d", i), e.rdb.HGet(e.ctx, e.key(added.ID), "name").Val())
			names = append(names, added.ID)
		}
		slices.Sort(names)
		same(e, "different ids", 6, len(slices.Compact(names)))
		// That of the preparation is counted too, if the script was known.
		if n := calls.Load(); n > 5 {
			t.Errorf("%d calls for 8 jobs, want them to travel together", n)
		}
	})
}

// A call that fails is the answer to the callers whose jobs it carried, and to
// no others.
func TestAddErrorsReachTheirCallers(t *testing.T) {
	onEach(t, func(e *env) {
		boom := errors.New("boom")
		lone, release := e.jam(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "j0"}}, boom)
		adds := []*pendingAdd{lone}
		for i := 1; i < 6; i++ {
			adds = append(adds, e.startAdd(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: fmt.Sprintf("j%d", i)}}))
		}
		release()
		for i, add := range adds {
			id := fmt.Sprintf("j%d", i)
			added, err := add.answer(e)
			stored := e.rdb.Exists(e.ctx, e.key(id)).Val() == 1
			if i == 0 {
				if !errors.Is(err, boom) || added != (queue.Added{}) || stored {
					t.Errorf("%s: %v, %v, stored: %v; want only %v", id, added, err, stored, boom)
				}
				continue
			}
			e.must(err)
			same(e, "answer", queue.Added{ID: id}, added)
			same(e, "stored "+id, true, stored)
		}
	})
}

// What is wrong with one caller's job is not told to the others.
func TestAddNextToABadJob(t *testing.T) {
	onEach(t, func(e *env) {
		jobs := slices.Repeat([]queue.NewJob{{Name: "good"}}, 6)
		jobs[4].Opts.Other = rawOptions("tm", "{")
		lone, release := e.jam(jobs[0], nil)
		adds := []*pendingAdd{lone}
		for _, job := range jobs[1:] {
			adds = append(adds, e.startAdd(job))
		}
		release()
		var got []string
		for _, add := range adds {
			_, err := add.answer(e)
			got = append(got, map[bool]string{true: "added", false: "refused"}[err == nil])
		}
		if diff := cmp.Diff([]string{"added", "added", "added", "added", "refused", "added"}, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

// The stream is kept at the length that the queue's settings say.
func TestAddTrimsEvents(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			setting, meta string
			least, most   int64
		}{
			{"", "10000", 600, 600},
			{"50", "50", 50, 149}, // Redis trims whole nodes of up to 100 entries
			{"599", "599", 599, 600},
			{"lots", "10000", 600, 600},
			{"-1", "-1", 600, 600},
		} {
			e := e.fork()
			if c.setting != "" {
				e.must(e.rdb.HSet(e.ctx, e.key("meta"), "opts.maxLenEvents", c.setting).Err())
			}
			ids := e.add(slices.Repeat([]queue.NewJob{{Name: "n"}}, 300)...)
			n := e.rdb.XLen(e.ctx, e.key("events")).Val()
			if n < c.least || n > c.most {
				t.Errorf("%d events at maxLenEvents %q, want %d to %d", n, c.setting, c.least, c.most)
			}
			same(e, "newest event", "waiting jobId="+ids[299], e.newEvents(int(n) - 1)[0])
			same(e, "meta", "opts.maxLenEvents="+c.meta, e.dump()["meta"])
		}
	})
}
