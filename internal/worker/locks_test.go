package worker_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// hold runs a job until its context ends, and tells why and when.
type hold struct {
	started chan time.Time
	ended   chan ending
	release chan struct{}
}

type ending struct {
	at    time.Time
	cause error
}

func newHold() *hold {
	return &hold{started: make(chan time.Time, 10), ended: make(chan ending, 10), release: make(chan struct{})}
}

// Handle pretends success after its context has ended: that must not count.
func (h *hold) Handle(ctx context.Context, _ worker.Job, _ worker.Reporter) (json.RawMessage, error) {
	h.started <- time.Now()
	select {
	case <-ctx.Done():
	case <-h.release:
	}
	h.ended <- ending{time.Now(), context.Cause(ctx)}
	return json.RawMessage(`"late"`), nil
}

func TestLongJobKeepsItsLock(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	id := e.add("job", `{}`, queue.JobOptions{})
	h := newHold()
	// Long enough for a busy machine: it is renewed after a third of that.
	cfg := worker.Config{Handler: h, Lock: time.Second, StalledInterval: 100 * time.Millisecond}
	r := e.start(cfg)
	e.start(cfg) // would run it again
	<-h.started
	for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); pass(20 * time.Millisecond) {
		if ttl := e.rdb.PTTL(e.ctx, e.key(id+":lock")).Val(); ttl <= 0 {
			t.Fatalf("no lock: %v", ttl)
		}
	}
	close(h.release)
	e.eventually("the job to complete", func() bool { return e.counts()["completed"] == 1 })
	if got := (<-h.ended).cause; got != nil || len(h.started) > 0 {
		t.Errorf("cancelled by %v, %d more starts", got, len(h.started))
	}
	r.finish()
}

func TestLostLockCancels(t *testing.T) {
	t.Parallel()
	const lock = 600 * time.Millisecond
	for name, lose := range map[string]func(e *env, id string) error{
		"stolen": func(e *env, id string) error {
			return e.rdb.Set(e.ctx, e.key(id+":lock"), "other:1", time.Minute).Err()
		},
		"deleted": func(e *env, id string) error { return e.rdb.Del(e.ctx, e.key(id+":lock")).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := onRealRedis(t)
			id := e.add("job", `{}`, queue.JobOptions{})
			h := newHold()
			r := e.start(worker.Config{Handler: h, Lock: lock})
			<-h.started
			e.must(lose(e, id))
			e.must(e.rdb.HSet(e.ctx, e.key(id), "progress", "theirs").Err())
			before := e.rdb.HGetAll(e.ctx, e.key(id)).Val()
			at := time.Now()
			got := <-h.ended
			if late := got.at.Sub(at); got.cause != worker.ErrLockLost || late > lock/3+time.Second { //nolint:errorlint // the cause itself
				t.Errorf("cancelled by %v after %v", got.cause, late)
			}
			stats := r.finish()
			if diff := cmp.Diff(worker.Stats{LocksLost: 1}, stats); diff != "" {
				t.Errorf("stats (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(before, e.rdb.HGetAll(e.ctx, e.key(id)).Val()); diff != "" {
				t.Errorf("the other owner's job changed (-before +after)\n%s", diff)
			}
			if diff := cmp.Diff(map[string]int64{"active": 1}, e.counts()); diff != "" {
				t.Errorf("counts (-want +got)\n%s", diff)
			}
		})
	}
}

// Cut off from Redis, a worker knows by its own clock when its locks have ended,
// and not before. Afterwards it works again.
func TestLocksEndByTheLocalClock(t *testing.T) {
	t.Parallel()
	const lock = 900 * time.Millisecond
	for name, part := range map[string]func(p *proxy){"refused": (*proxy).cut, "black hole": (*proxy).shut} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := onRealRedis(t)
			p := newProxy(t, realRedis.Addr(t), nil)
			e.add("job", `{}`, queue.JobOptions{})
			h := newHold()
			r := e.start(worker.Config{Queue: e.via(p.addr), Handler: h, Lock: lock, StalledInterval: 300 * time.Millisecond})
			<-h.started
			pass(50 * time.Millisecond)
			part(p)
			at := time.Now()
			got := <-h.ended
			after := got.at.Sub(at)
			if got.cause != worker.ErrLockLost || after < lock/2 || after > lock+200*time.Millisecond { //nolint:errorlint // the cause itself
				t.Errorf("cancelled by %v after %v", got.cause, after)
			}
			if name == "refused" {
				p.heal(t)
			} else {
				p.open()
			}
			close(h.release)
			e.eventually("the job to complete after all", func() bool { return e.counts()["completed"] == 1 })
			r.finish()
		})
	}
}
