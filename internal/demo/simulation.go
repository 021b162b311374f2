package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// Queue is a queue that the simulation may use, with the policy that holds there.
type Queue struct {
	Alias string
	// Open opens the queue on a clock: the real one, or that of the past.
	Open func(now func() time.Time) *queue.Queue
	// NewJob applies the queue's policy to a job, and refuses a payload that
	// its schema refuses.
	NewJob func(Job) (queue.NewJob, error)
	// Worker is the policy of its workers. The simulation sets what runs and
	// when.
	Worker worker.Config
}

// Config says what is simulated and where. All fields are required.
type Config struct {
	Queues []Queue
	// Seed decides everything that is left to chance.
	Seed uint64
	Now  func() time.Time
}

// Simulation is the life of the queues.
type Simulation struct {
	lines []*line
	now   func() time.Time
}

// line is one queue with its script.
type line struct {
	Queue
	script script
	seed   uint64
	now    func() time.Time
	live   *queue.Queue
	next   int // number of the next job
	tally  tally
}

// New checks that every queue has a script.
func New(c Config) (*Simulation, error) {
	byAlias := map[string]script{}
	for _, s := range scripts() {
		byAlias[s.alias] = s
	}
	sim := &Simulation{now: c.Now}
	for _, q := range c.Queues {
		s, known := byAlias[q.Alias]
		if !known {
			return nil, fmt.Errorf("demo: no script for the queue %q", q.Alias)
		}
		sim.lines = append(sim.lines, &line{
			Queue: q, script: s, seed: c.Seed, now: c.Now, live: q.Open(c.Now), next: 1,
			tally: tally{causes: map[string]int64{}},
		})
	}
	return sim, nil
}

// Run adds and works jobs until ctx ends, which is no error. What runs then goes
// back to wait. It returns early only when the store fails.
func (s *Simulation) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range s.lines {
		group.Go(func() error { return l.produce(ctx) })
		for i := range max(l.script.workers, 1) {
			group.Go(func() error { return l.work(ctx, i+1) })
		}
		if l.script.crashes > 0 {
			group.Go(func() error { return l.crash(ctx) })
		}
	}
	return group.Wait()
}

// produce adds jobs, each when it is time.
func (l *line) produce(ctx context.Context) error {
	for sleep(ctx, l.script.pause(l.seed, l.next, l.now(), 0)) {
		job, err := l.newJob()
		if err == nil {
			_, err = l.live.Add(ctx, job)
		}
		if err != nil {
			return unlessEnded(ctx, err)
		}
		l.tally.added.Add(1)
	}
	return nil
}

// newJob makes the next job of the queue.
func (l *line) newJob() (queue.NewJob, error) {
	job, err := l.NewJob(l.script.job(l.seed, l.next))
	if err != nil {
		return job, fmt.Errorf("demo: job %d of %s: %w", l.next, l.Alias, err)
	}
	l.next++
	return job, nil
}

// stalledEvery is how often workers look for jobs of dead ones. The queues' own
// half a minute is longer than most people watch a demo.
const stalledEvery = 4 * time.Second

// work runs the n-th worker of the queue, from when it comes.
func (l *line) work(ctx context.Context, n int) error {
	if !sleep(ctx, l.script.absent) {
		return nil
	}
	cfg := l.Worker
	cfg.Queue, cfg.Handler, cfg.Alias = watched{l.live, &l.tally}, worker.HandlerFunc(l.handle), l.Alias
	cfg.Name, cfg.Now, cfg.StalledInterval = workerName(l.Alias, n), l.now, stalledEvery
	cfg.Grace = -1 // nobody waits for a made-up job
	w, err := worker.New(cfg)
	if err != nil {
		return err
	}
	_, err = w.Run(ctx, ctx)
	return unlessEnded(ctx, err)
}

// handle runs one job as its fate says.
func (l *line) handle(ctx context.Context, job worker.Job, report worker.Reporter) (json.RawMessage, error) {
	f := l.script.fate(l.seed, number(job.ID), job.Attempt, 0)
	steps := l.script.steps
	for i, step := range steps {
		if !sleep(ctx, f.takes/time.Duration(len(steps)+1)) {
			return nil, context.Cause(ctx)
		}
		// A report that is lost is not missed.
		_ = report.Log(ctx, step)
		_ = report.Progress(ctx, text(100*(i+1)/(len(steps)+1)))
	}
	if !sleep(ctx, f.takes/time.Duration(len(steps)+1)) {
		return nil, context.Cause(ctx)
	}
	if f.failure != nil {
		return nil, f.failure
	}
	return f.result, nil
}

// Times of a worker that dies.
const (
	crashLock = 1500 * time.Millisecond
	crashTry  = 150 * time.Millisecond
)

// crash takes a job now and then like a worker that dies at once: its lock
// ends, and the others find the job.
func (l *line) crash(ctx context.Context) error {
	for dead := 1; sleep(ctx, l.script.crashes); dead++ {
		for taken := false; !taken; {
			var err error
			if taken, err = l.takeAndDie(ctx, l.live, dead); err != nil {
				return unlessEnded(ctx, err)
			}
			if !taken && !sleep(ctx, crashTry) {
				return nil
			}
		}
	}
	return nil
}

// takeAndDie claims one job that nobody will settle.
func (l *line) takeAndDie(ctx context.Context, q *queue.Queue, dead int) (taken bool, err error) {
	claimed, err := q.Claim(ctx, queue.ClaimRequest{
		N: 1, Token: fmt.Sprintf("dead:%s:%d", l.Alias, dead), Lock: crashLock, Worker: workerName(l.Alias, 90+dead),
	})
	return len(claimed.Jobs) > 0, err
}

func workerName(alias string, n int) string { return fmt.Sprintf("%s-%d", alias, n) }

// unlessEnded drops the errors of calls that the end has cut off.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
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
