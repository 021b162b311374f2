package worker

import (
	"log/slog"
	"sync"
	"time"
)

// errorLog keeps a worker calm while Redis is in trouble: it spaces out the
// next try and logs each kind of error at most once a second, with the number
// of those it left out.
type errorLog struct {
	mu    sync.Mutex
	first time.Time // of the present trouble
	last  error
	wait  time.Duration
	seen  map[string]*repeated // outlives a trouble: it may come and go
	told  time.Time            // when the last end of a trouble was logged
}

type repeated struct {
	logged  time.Time
	skipped int
}

const (
	firstWait = 100 * time.Millisecond
	mostWait  = 5 * time.Second
)

// report logs an error and returns how long to wait before the next try.
func (e *errorLog) report(log *slog.Logger, now time.Time, what string, err error) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen == nil {
		e.seen = map[string]*repeated{}
	}
	if e.first.IsZero() {
		e.first = now
	}
	e.last = err
	e.wait = min(max(e.wait*2, firstWait), mostWait)
	r := e.seen[what]
	if r == nil {
		r = &repeated{}
		e.seen[what] = r
	}
	if now.Sub(r.logged) >= time.Second {
		log.Error("worker error", "doing", what, "err", err, "skipped", r.skipped)
		r.logged, r.skipped = now, 0
	} else {
		r.skipped++
	}
	return e.wait
}

// clear ends the present trouble.
func (e *errorLog) clear(log *slog.Logger, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.first.IsZero() {
		return
	}
	if now.Sub(e.told) >= time.Second {
		log.Info("redis answers again", "after", now.Sub(e.first).Round(time.Millisecond))
		e.told = now
	}
	e.first, e.last, e.wait = time.Time{}, nil, 0
}

func (e *errorLog) lastError() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}
