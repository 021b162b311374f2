package worker

import (
	"context"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// renewLocks gives all held jobs another lock life, every third of one. A job
// whose lock is gone, or must be by now because Redis has not answered, is
// cancelled: it may be running elsewhere.
func (w *Worker) renewLocks(ctx context.Context, locks *queue.Locks) {
	stop := context.AfterFunc(ctx, func() { _ = locks.Close() })
	defer stop()
	third := max(w.cfg.Lock/3, time.Millisecond)
	for wait := third; sleep(ctx, wait); {
		started := time.Now()
		retry, failed := w.renewOnce(ctx, locks)
		if wait = max(time.Millisecond, third-time.Since(started)); failed {
			wait = min(wait, retry)
		}
	}
}

// renewOnce makes one attempt. When it failed, retry is when to make the next:
// several are made in a lock's life, and one right at its end.
func (w *Worker) renewOnce(ctx context.Context, locks *queue.Locks) (retry time.Duration, failed bool) {
	w.mu.Lock()
	byToken := make(map[queue.Held]*run, len(w.running))
	held := make([]queue.Held, 0, len(w.running))
	for r := range w.running {
		h := queue.Held{ID: r.job.ID, Token: r.job.Token}
		byToken[h] = r
		held = append(held, h)
	}
	w.mu.Unlock()
	if len(held) == 0 {
		return 0, false
	}
	asked := time.Now()
	limit := max(w.cfg.Lock/3, 50*time.Millisecond)
	for _, r := range byToken {
		if left := r.lockEnds.Sub(asked); left > 0 {
			limit = min(limit, max(left, 50*time.Millisecond))
		}
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	lost, err := locks.Extend(bounded, held, w.cfg.Lock)
	cancel()
	for _, h := range lost {
		w.lose(byToken[h], "lock is gone")
		delete(byToken, h)
	}
	if err == nil {
		for _, r := range byToken {
			r.lockEnds = asked.Add(w.cfg.Lock)
		}
		return 0, false
	}
	if ctx.Err() != nil {
		return 0, true
	}
	w.errs.report(w.log, w.cfg.Now(), "renew locks", err)
	now := time.Now()
	retry = min(max(w.cfg.Lock/12, 50*time.Millisecond), time.Second)
	for _, r := range byToken {
		if left := r.lockEnds.Sub(now); left <= 0 {
			w.lose(r, "lock ended while redis did not answer")
		} else {
			retry = min(retry, left)
		}
	}
	return retry, true
}

// lose cancels a run. One whose outcome is known is left alone: its lock may be
// gone because it has just been recorded.
func (w *Worker) lose(r *run, why string) {
	if r.decided.Load() || r.ctx.Err() != nil {
		return
	}
	w.locksLost.Add(1)
	w.log.Warn("lock lost: job cancelled", "job", r.job.ID, "name", r.job.Name, "why", why)
	r.cancel(ErrLockLost)
}
