package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// Engine is what a worker needs of a queue; *queue.Queue is one.
type Engine interface {
	Claim(ctx context.Context, r queue.ClaimRequest) (queue.Claimed, error)
	Settle(ctx context.Context, outcomes []queue.Outcome, opts queue.SettleOptions) (queue.Settled, error)
	// Mine and Adopt find out what a call did whose reply was lost.
	Mine(ctx context.Context, held []queue.Held) ([]bool, error)
	Adopt(ctx context.Context, token string, limit int) ([]queue.Job, error)
	RecoverStalled(ctx context.Context, interval time.Duration, maxStalled int) (queue.Recovered, error)
	ContinueSchedule(ctx context.Context, job queue.Job, next queue.NextRun) (bool, error)
	UpdateProgress(ctx context.Context, id string, progress json.RawMessage) error
	AppendLogs(ctx context.Context, id string, lines []string, keep int) (int64, error)
	// What became of a job's children, for handlers that ask.
	ChildCounts(ctx context.Context, id string) (queue.ChildCounts, error)
	ChildrenValues(ctx context.Context, id string) (map[string]json.RawMessage, error)
	IgnoredChildrenFailures(ctx context.Context, id string) (map[string]string, error)
	Listen(worker string) *queue.Listener
	Locks() *queue.Locks
	Wake(ctx context.Context) error
	KeyBase() queue.KeyBase
}

// Config says what a worker runs and how. Queue and Handler are required;
// zero values of the rest mean the defaults that their comments give.
type Config struct {
	Queue   Engine
	Handler Handler
	// Alias is what the operator calls the queue.
	Alias string
	// Name is shown in worker listings and stored with each job it runs.
	Name string
	// Concurrency is how many jobs run at once; 1.
	Concurrency int
	// Limiter bounds how many jobs all workers of the queue start; none.
	Limiter *queue.Limiter
	// Timeout ends a job that runs longer; none.
	Timeout time.Duration
	// Lock is how long a job stays ours without a sign of life; 30 s.
	Lock time.Duration
	// StalledInterval is how often jobs of dead workers are looked for; 30 s.
	StalledInterval time.Duration
	// MaxStalled fails a job that stalled more often; 2.
	MaxStalled int
	// KeepCompleted and KeepFailed apply to jobs that do not say themselves
	// how long they stay.
	KeepCompleted, KeepFailed *queue.Keep
	// MetricsPoints is how many minutes of BullMQ's metrics are kept; 0 none.
	MetricsPoints int
	// Grace is how long running jobs may go on after a stop; 30 s. A negative
	// grace is none.
	Grace time.Duration
	// Drain ends the worker when nothing waits and nothing runs.
	Drain bool
	// NextRun computes cron schedules.
	NextRun queue.NextRun
	Log     *slog.Logger
	Now     func() time.Time
	// Random returns a number in [0,1) for jitter.
	Random func() float64
}

// Stats is what a worker did.
type Stats struct {
	Completed, Failed, Retried, GivenBack, LocksLost int64
	// DelayedLeft is when the next delayed job is due; zero without one.
	DelayedLeft time.Time
}

// Worker works one queue.
type Worker struct {
	cfg  Config // as it was at the start; what can change is read from live
	live atomic.Pointer[settings]
	log  *slog.Logger

	mu         sync.Mutex
	outcomes   []finished        // decided, not yet recorded
	running    map[*run]struct{} // claimed and not yet recorded
	executing  int               // of these, the ones without an outcome
	free       int               // slots that neither run nor are asked for; see Update
	flights    int               // script calls in the air
	unanswered []lostClaim       // claims that may have brought jobs
	hungry     bool              // the queue may have jobs for us
	wakes      int               // times that the listener set hungry; see sate
	empty      bool              // the last short claim found nothing more
	limited    time.Time         // end of the rate limit that it met
	delayed    time.Time         // when the next delayed job is due
	troubled   bool              // the last flight failed
	pauseTo    time.Time         // no flights before: backing off after errors
	stopping   bool              // no more claims
	graceEnds  time.Time         // when jobs are cancelled after a stop
	giveUp     time.Time         // see timeLeft
	closed     bool              // nothing lands any more

	kick     chan struct{} // something above changed
	appetite chan struct{} // hungry became false
	tokens   atomic.Int64
	id       string
	errs     errorLog

	completed, failed, retried, givenBack, locksLost atomic.Int64
}

// maxFlights is how many script calls are in the air at once: while Redis
// works on one, the handlers' results fill the other.
const maxFlights = 2

// New checks the configuration and fills in its defaults.
func New(cfg Config) (*Worker, error) {
	if cfg.Queue == nil {
		return nil, errors.New("worker: no queue")
	}
	if cfg.Handler == nil {
		return nil, fmt.Errorf("worker of %s: no handler", cfg.Queue.KeyBase())
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("worker of %s: %w", cfg.Queue.KeyBase(), err)
	}
	cfg.setDefaults()
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, fmt.Errorf("worker id: %w", err)
	}
	w := &Worker{
		cfg: cfg, id: hex.EncodeToString(id), free: cfg.Concurrency, hungry: true,
		running: map[*run]struct{}{}, kick: make(chan struct{}, 1), appetite: make(chan struct{}, 1),
		log: cfg.Log.With("queue", cfg.Queue.KeyBase().String()),
	}
	w.live.Store(settingsOf(&cfg))
	return w, nil
}

// check refuses numbers that mean nothing.
func (cfg *Config) check() error {
	if cfg.Concurrency < 0 || cfg.Lock < 0 || cfg.StalledInterval < 0 || cfg.Timeout < 0 || cfg.MaxStalled < 0 {
		return errors.New("negative setting")
	}
	return nil
}

// setDefaults fills in what was left out.
func (cfg *Config) setDefaults() {
	cfg.Concurrency = orDefault(cfg.Concurrency, 1)
	cfg.Lock = orDefault(cfg.Lock, 30*time.Second)
	cfg.StalledInterval = orDefault(cfg.StalledInterval, 30*time.Second)
	cfg.MaxStalled = orDefault(cfg.MaxStalled, 2)
	cfg.Grace = orDefault(cfg.Grace, 30*time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = mathrand.Float64
	}
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// Run works until claim is done, or, with Drain, until the queue is empty.
// Then running jobs may go on for the grace period or until work is done,
// whichever is first; what still runs is cancelled and goes back to wait
// without using up an attempt. Run may be called once. It returns an error
// only when outcomes could not be recorded before the end; those jobs are
// recovered by the stalled check of another worker.
//
// Run waits for its goroutines, but not for calls that Redis leaves without an
// answer: these end by the connection's own timeouts.
func (w *Worker) Run(claim, work context.Context) (Stats, error) {
	// What must still be written after a cancel runs under this context.
	writes, stopWrites := context.WithCancel(context.WithoutCancel(work))
	defer stopWrites()
	jobs, cancelJobs := context.WithCancelCause(context.WithoutCancel(work))
	defer cancelJobs(nil)
	claiming, stopClaiming := context.WithCancel(claim)
	defer stopClaiming()

	listener := w.cfg.Queue.Listen(w.cfg.Name)
	locks := w.cfg.Queue.Locks()
	defer func() { _ = listener.Close(); _ = locks.Close() }()

	var listening, background sync.WaitGroup
	listening.Go(func() { w.listen(claiming, writes, listener) })
	background.Go(func() { w.renewLocks(writes, locks) })
	background.Go(func() { w.watchStalled(claiming) })
	background.Go(func() { w.stopInTime(claiming, work, writes, cancelJobs) })

	err := w.dispatch(claiming, jobs, writes, stopClaiming)
	stopClaiming()
	waitFor(&listening, lastWait)
	stopWrites()
	waitFor(&background, lastWait)
	return w.stats(), err
}

// waitFor waits for a group, but no longer than limit.
func waitFor(group *sync.WaitGroup, limit time.Duration) {
	ended := make(chan struct{})
	go func() { group.Wait(); close(ended) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

// briefly makes a call that is worth a short wait, and logs its error.
func (w *Worker) briefly(ctx context.Context, what string, call func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, lastWait)
	defer cancel()
	if err := call(ctx); err != nil {
		w.errs.report(w.log, w.cfg.Now(), what, err)
	}
}

func (w *Worker) stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Stats{
		Completed: w.completed.Load(), Failed: w.failed.Load(), Retried: w.retried.Load(),
		GivenBack: w.givenBack.Load(), LocksLost: w.locksLost.Load(), DelayedLeft: w.delayed,
	}
}

// stopInTime cancels the running jobs when the grace period after the end of
// claiming is over, or at once when work is done.
func (w *Worker) stopInTime(claiming, work, writes context.Context, cancelJobs context.CancelCauseFunc) {
	select {
	case <-claiming.Done():
	case <-work.Done():
	case <-writes.Done():
		return
	}
	w.mu.Lock()
	w.stopping = true
	w.graceEnds = time.Now().Add(w.cfg.Grace)
	running := len(w.running)
	w.mu.Unlock()
	w.nudge()
	if running > 0 {
		w.log.Info("stopping: no more claims, jobs may finish", "running", running, "grace", w.cfg.Grace)
	}
	grace := time.NewTimer(max(0, w.cfg.Grace))
	defer grace.Stop()
	select {
	case <-grace.C:
	case <-work.Done():
	case <-writes.Done():
		return
	}
	cancelJobs(ErrStopped)
	w.mu.Lock()
	w.graceEnds = time.Now()
	w.mu.Unlock()
	w.nudge()
}

// nudge makes dispatch look again.
func (w *Worker) nudge() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// nextToken returns a lock token that was never used before.
func (w *Worker) nextToken() string {
	return fmt.Sprintf("%s:%d", w.id, w.tokens.Add(1))
}
