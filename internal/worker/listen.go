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
func (w *Worker) listen(ctx, writes context.Context, listener *queue.Listener) {
	defer w.briefly(writes, "leave", listener.Leave)
	// A worker that always finds jobs never waits, and is to be seen all the same.
	w.briefly(writes, "listen", listener.Open)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.appetite:
		}
		w.mu.Lock()
		hungry, limited, delayed := w.hungry, time.Until(w.limited), w.delayed
		w.mu.Unlock()
		var marked, ok bool
		switch {
		case hungry:
			continue
		case limited > 0:
			ok = sleep(ctx, min(limited, longestLimited))
		default:
			marked, ok = w.awaitMarker(ctx, listener, delayed)
		}
		if !ok {
			return
		}
		w.mu.Lock()
		w.hungry = true
		w.wakes++
		full := w.free <= 0
		w.mu.Unlock()
		w.nudge()
		if marked && full {
			// A marker that we took and cannot follow is another's.
			w.briefly(writes, "wake", w.cfg.Queue.Wake)
		}
	}
}

// awaitMarker sleeps until the marker says so, or until the next delayed job is
// due, if known. A marker that names a time still to come is waited out. ok is
// false when ctx is done.
func (w *Worker) awaitMarker(ctx context.Context, listener *queue.Listener, known time.Time) (marked, ok bool) {
	for {
		due, marked, err := listener.Wait(ctx, w.sleepUntil(known))
		switch {
		case ctx.Err() != nil:
			return false, false
		case err != nil:
			return false, sleep(ctx, w.errs.report(w.log, w.cfg.Now(), "wait", err))
		case !marked || due.IsZero():
			return marked, true
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
