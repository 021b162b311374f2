package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// Why a term ends while the process goes on.
var (
	errTooLate  = errors.New("the lease was not renewed in time")
	errTermDone = errors.New("done")
)

// resignTime bounds how long a leader that ends tries to say so; its lease ends
// without it, too.
const resignTime = 2 * time.Second

// term is one time of leading.
type term struct {
	s     *Scheduler
	fence queue.Fence
	// end stops everything that the term does.
	end context.CancelCauseFunc

	mu    sync.Mutex
	until time.Time // no change after it
	over  *time.Timer

	bases []queue.KeyBase // the queues that are looked at
	told  map[string]bool // what was logged, see tell
}

// term leads until the lease is lost or ctx ends, or, if once is given, for one
// look at everything, whose error it stores there.
func (s *Scheduler) term(ctx context.Context, lease queue.Lease, sent time.Time, once *error) {
	leading, end := context.WithCancelCause(ctx)
	defer end(nil)
	t := &term{s: s, fence: lease.Fence, end: end, told: map[string]bool{}}
	t.over = time.AfterFunc(time.Hour, func() { end(errTooLate) })
	defer t.over.Stop()
	t.prolong(sent)
	s.leader = s.cfg.Owner
	s.count(func(n *Stats) { n.Terms++ })
	s.log.Info("leading", "term", int64(t.fence), "lock", s.cfg.Lock)

	var renewing sync.WaitGroup
	renewing.Go(func() { t.renew(leading) })
	if once != nil {
		*once = t.look(leading)
		end(errTermDone)
	} else {
		t.watch(leading)
	}
	renewing.Wait()

	cause := context.Cause(leading)
	if ctx.Err() == nil && !errors.Is(cause, errTermDone) {
		s.log.Warn("leading no more", "term", int64(t.fence), "err", cause)
		s.leader = ""
		if once != nil && *once == nil {
			*once = cause
		}
	}
	// What was lost to another is not ours to give up, and Resign knows.
	resigning, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(resignTime, s.cfg.Lock))
	defer cancel()
	if given, err := s.cfg.Elections.Resign(resigning, s.request(), t.fence); err != nil {
		s.log.Warn("lease not given up, it runs out by itself", "err", err)
	} else if given {
		s.log.Info("resigned", "term", int64(t.fence))
	}
}

// prolong counts the lease from when it was asked for, which is before Redis
// began to count, less a tenth for clocks that do not run alike.
func (t *term) prolong(sent time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = sent.Add(t.s.cfg.Lock - t.s.cfg.Lock/10)
	t.over.Reset(t.until.Sub(t.s.cfg.Now()))
}

// may is asked before every change. The timer alone would not do: after a process
// was stopped and goes on, it fires too late.
func (t *term) may() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.s.cfg.Now().Before(t.until) {
		return nil
	}
	t.end(errTooLate)
	return errTooLate
}

// renew keeps the lease until the term ends, and ends it when the lease is lost.
// After an error it tries again soon: the lease may still be saved.
func (t *term) renew(ctx context.Context) {
	wait := t.s.cfg.Lock / 3
	for {
		sleep(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		sent := t.s.cfg.Now()
		_, err := t.s.cfg.Elections.Renew(ctx, t.s.request(), t.fence)
		switch {
		case err == nil:
			t.prolong(sent)
			wait = t.s.cfg.Lock / 3
		case errors.Is(err, queue.ErrLeaseLost):
			t.end(err)
			return
		case ctx.Err() == nil:
			t.s.log.Error("lease not renewed", "err", err)
			wait = t.s.cfg.Lock / 15
		}
	}
}

// watch looks at the schedules again and again until the term ends. A look that
// failed shows in the log, and the next one may do better.
func (t *term) watch(ctx context.Context) {
	var searched time.Time
	for ctx.Err() == nil {
		now := t.s.cfg.Now()
		if searched.IsZero() || now.Sub(searched) >= t.s.cfg.Search {
			if t.search(ctx) == nil {
				searched = now
			}
		}
		_ = t.audit(ctx)
		timer := time.NewTimer(t.s.cfg.Every)
		select {
		case <-timer.C:
		case <-t.s.reload:
			t.told = map[string]bool{}
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// look looks at the schedules of all queues once.
func (t *term) look(ctx context.Context) error {
	return errors.Join(t.search(ctx), t.audit(ctx))
}

// search finds the queues to look at; when it fails, those known before stay.
func (t *term) search(ctx context.Context) error {
	bases, err := t.s.cfg.Queues(ctx)
	if err != nil {
		if ctx.Err() == nil {
			t.s.log.Error("queues not searched for", "err", err)
		}
		return fmt.Errorf("search for queues: %w", err)
	}
	t.bases = bases
	return nil
}

func (s *Scheduler) count(add func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	add(&s.stats)
}
