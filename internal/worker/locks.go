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
	ticker := time.NewTicker(max(w.cfg.Lock/3, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		w.renewOnce(ctx, locks)
	}
}

func (w *Worker) renewOnce(ctx context.Context, locks *queue.Locks) {
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
		return
	}
	asked := time.Now()
	bounded, cancel := context.WithTimeout(ctx, max(w.cfg.Lock/3, 50*time.Millisecond))
	lost, err := locks.Extend(bounded, held, w.cfg.Lock)
	cancel()
	if err != nil {
		w.errs.report(w.log, w.cfg.Now(), "renew locks", err)
	}
	for _, h := range lost {
		w.lose(byToken[h], "lock is gone")
		delete(byToken, h)
	}
	for _, r := range byToken {
		if err == nil {
			r.lockEnds = asked.Add(w.cfg.Lock)
		} else if time.Now().After(r.lockEnds) {
			w.lose(r, "lock ended while redis did not answer")
		}
	}
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
