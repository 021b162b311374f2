package worker

import (
	"context"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// How long a worker sleeps at most before it looks by itself: markers can be
// lost with the client that took them (wire section 5.4).
const (
	idleSleep      = 5 * time.Second
	longestSleep   = 10 * time.Second
	longestLimited = 30 * time.Second
)

// listen sleeps on the queue's marker whenever the last claim came back short,
// and makes the worker hungry again.
func (w *Worker) listen(ctx context.Context, listener *queue.Listener) {
	for {
		var limited time.Duration
		select {
		case <-ctx.Done():
			return
		case limited = <-w.appetite:
		}
		if limited > 0 {
			if !sleep(ctx, min(limited, longestLimited)) {
				return
			}
		} else if !w.awaitMarker(ctx, listener) {
			return
		}
		w.mu.Lock()
		w.hungry = true
		w.wakes++
		w.mu.Unlock()
		w.nudge()
	}
}

// awaitMarker returns false when ctx is done. A marker that names a time still
// to come is waited out.
func (w *Worker) awaitMarker(ctx context.Context, listener *queue.Listener) bool {
	w.mu.Lock()
	known := w.delayed
	w.mu.Unlock()
	for {
		due, marked, err := listener.Wait(ctx, w.sleepUntil(known))
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil:
			now := w.cfg.Now()
			return sleep(ctx, w.errs.report(w.log, now, "wait", err))
		case !marked || due.IsZero():
			return true
		case known.IsZero() || due.Before(known):
			known = due
		}
	}
}

// sleepUntil is how long to wait for a marker when a delayed job is due then.
func (w *Worker) sleepUntil(due time.Time) time.Duration {
	if due.IsZero() {
		return idleSleep
	}
	return max(time.Millisecond, min(due.Sub(w.cfg.Now()), longestSleep))
}

// sleep returns false when ctx is done first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
