package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// settings are what [Worker.Update] may change while jobs run. They are
// replaced as a whole: a job begins under one set of them.
type settings struct {
	handler                   Handler
	concurrency               int
	limiter                   *queue.Limiter
	timeout                   time.Duration
	stalledInterval           time.Duration
	maxStalled                int
	keepCompleted, keepFailed *queue.Keep
}

// settingsOf takes them out of a checked configuration with its defaults.
func settingsOf(cfg *Config) *settings {
	return &settings{
		handler: cfg.Handler, concurrency: cfg.Concurrency, limiter: cfg.Limiter, timeout: cfg.Timeout,
		stalledInterval: cfg.StalledInterval, maxStalled: cfg.MaxStalled,
		keepCompleted: cfg.KeepCompleted, keepFailed: cfg.KeepFailed,
	}
}

// Update changes how the next jobs are run: handler, concurrency, limiter, timeout,
// stalled checks and what is kept. Everything else in cfg is left as it was.
// Jobs that run go on as they began; with a lower concurrency nothing is
// claimed until enough of them have ended. After an error nothing has changed.
// It may be called at any time, from any goroutine.
func (w *Worker) Update(cfg Config) error {
	if cfg.Handler == nil {
		return errors.New("update of a worker: no handler")
	}
	if err := cfg.check(); err != nil {
		return fmt.Errorf("update of a worker: %w", err)
	}
	cfg.setDefaults()
	next := settingsOf(&cfg)
	w.mu.Lock()
	before := w.live.Load()
	w.free += next.concurrency - before.concurrency
	w.live.Store(next)
	// A limit that was met may be gone: the next claim finds out.
	w.limited = time.Time{}
	w.hungry = true
	w.wakes++
	w.mu.Unlock()
	w.nudge()
	return nil
}
