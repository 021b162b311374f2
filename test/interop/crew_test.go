package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// steps is how a job is played, by the peer's perform and by ours alike: as its data's "do" says, else as the
// worker's behaviors say of its name or of "*".
type steps struct {
	Log           []string `json:"log,omitempty"`
	Progress      []any    `json:"progress,omitempty"`
	Sleep         int      `json:"sleep,omitempty"` // ms
	Hold          bool     `json:"hold,omitempty"`  // until the worker's release
	Postpone      int      `json:"postpone,omitempty"`
	Unrecoverable string   `json:"unrecoverable,omitempty"`
	Fail          any      `json:"fail,omitempty"` // the first so many attempts, or true for all
	Reason        string   `json:"reason,omitempty"`
	Return        any      `json:"return,omitempty"`
}

// behaviors are steps by job name.
type behaviors map[string]steps

// setup is a worker of either kind. Times are in ms, as the peer has them.
type setup struct {
	Name            string         `json:"name,omitempty"`
	Concurrency     int            `json:"concurrency,omitempty"`
	LockDuration    int            `json:"lockDuration,omitempty"`
	StalledInterval int            `json:"stalledInterval,omitempty"`
	MaxStalledCount int            `json:"maxStalledCount,omitempty"`
	Limiter         map[string]int `json:"limiter,omitempty"`
	Metrics         map[string]int `json:"metrics,omitempty"`
	Behaviors       behaviors      `json:"-"`
}

// hand is a worker at work. stop waits for the jobs in hand; release lets held ones go on.
type hand struct {
	stop, release func()
	// started tells of jobs that begin, with the time in ms; the peer's are among its notices instead.
	started chan start
}

type start struct {
	id string
	at time.Time
}

// nodeWorks starts a worker in the peer.
func (l *line) nodeWorks(s setup) *hand {
	l.w.t.Helper()
	return l.nodeWorksBy(l.w.peer, s)
}

func (l *line) nodeWorksBy(by *peer, s setup) *hand {
	l.w.t.Helper()
	id := fmt.Sprintf("w%d", l.w.names.Add(1))
	orders := args{"worker": id, "opts": s}
	if s.Behaviors != nil {
		orders["behaviors"] = s.Behaviors
	}
	by.call("startWorker", l.with(orders), nil)
	return &hand{
		stop: sync.OnceFunc(func() { by.call("stopWorker", args{"worker": id}, nil) }),
		release: func() {
			by.call("release", args{"worker": id}, nil)
		},
	}
}

// weWork starts a worker of ours, which ends with the test at the latest.
func (l *line) weWork(s setup) *hand {
	l.w.t.Helper()
	p := &player{behaviors: s.Behaviors, gate: make(chan struct{}), started: make(chan start, 10_000)}
	work, err := worker.New(s.config(l.q, p))
	l.w.must(err)
	claim, stop := context.WithCancel(context.WithoutCancel(l.w.ctx))
	done := make(chan error, 1)
	go func() {
		_, err := work.Run(claim, context.WithoutCancel(claim))
		done <- err
	}()
	release := sync.OnceFunc(func() { close(p.gate) })
	h := &hand{release: release, started: p.started}
	h.stop = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			l.w.t.Errorf("our worker of %s: %v", l.base, err)
		}
	})
	l.w.t.Cleanup(func() { release(); h.stop() })
	return h
}

func (s setup) config(q worker.Engine, h worker.Handler) worker.Config {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	cfg := worker.Config{
		Queue: q, Handler: h, Name: s.Name, Concurrency: s.Concurrency, Lock: ms(s.LockDuration),
		StalledInterval: ms(s.StalledInterval), MaxStalled: s.MaxStalledCount,
		MetricsPoints: s.Metrics["maxDataPoints"], NextRun: cron.NextRun,
	}
	if s.Limiter != nil {
		cfg.Limiter = &queue.Limiter{Max: s.Limiter["max"], Duration: ms(s.Limiter["duration"])}
	}
	if cfg.MaxStalled == 0 {
		cfg.MaxStalled = 1 // BullMQ's default
	}
	return cfg
}

// player is the handler that does what the peer's perform does.
type player struct {
	behaviors behaviors
	gate      chan struct{}
	started   chan start
}

// Handle plays one job.
func (p *player) Handle(ctx context.Context, job worker.Job, report worker.Reporter) (json.RawMessage, error) {
	if p.started != nil {
		p.started <- start{id: job.ID, at: time.Now()}
	}
	s := p.stepsOf(job)
	for _, row := range s.Log {
		if err := report.Log(ctx, row); err != nil {
			return nil, err
		}
	}
	for _, progress := range s.Progress {
		text, err := json.Marshal(progress)
		if err == nil {
			err = report.Progress(ctx, text)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := p.wait(ctx, s); err != nil {
		return nil, err
	}
	return s.outcome(job)
}

func (p *player) stepsOf(job worker.Job) steps {
	var data struct {
		Do *steps `json:"do"`
	}
	if err := json.Unmarshal(job.Data, &data); err == nil && data.Do != nil {
		return *data.Do
	}
	if s, ok := p.behaviors[job.Name]; ok {
		return s
	}
	return p.behaviors["*"]
}

func (p *player) wait(ctx context.Context, s steps) error {
	timer := time.NewTimer(time.Duration(s.Sleep) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !s.Hold {
		return nil
	}
	select {
	case <-p.gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outcome is the job's end. Stacks begin as those of Node do, whose further lines name Node's files.
func (s steps) outcome(job worker.Job) (json.RawMessage, error) {
	if s.Postpone > 0 && job.AttemptsStarted <= 1 {
		return nil, &worker.Failure{TryAgain: true, RetryAfter: time.Duration(s.Postpone) * time.Millisecond}
	}
	if s.Unrecoverable != "" {
		stack := "UnrecoverableError: " + s.Unrecoverable + "\n    at perform"
		return nil, &worker.Failure{Reason: s.Unrecoverable, Stack: stack, Unrecoverable: true}
	}
	if s.fails(job.AttemptsMade) {
		reason := s.Reason
		if reason == "" {
			reason = fmt.Sprintf("attempt %d failed", job.Attempt)
		}
		return nil, &worker.Failure{Reason: reason, Stack: "Error: " + reason + "\n    at perform"}
	}
	return json.Marshal(s.Return)
}

func (s steps) fails(made int) bool {
	switch times := s.Fail.(type) {
	case bool:
		return times
	case int: // as tests write it
		return made < times
	case float64: // as JSON has it
		return made < int(times)
	}
	return false
}

// orders are what a worker process is told.
type orders struct {
	URL       string
	Base      queue.KeyBase
	Setup     setup
	Behaviors behaviors
}

// workAlone is the main function of a worker process. It works until it is killed.
func workAlone(text string) error {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	conn, err := openRedis(o.URL)
	if err != nil {
		return err
	}
	q := queue.NewClient(conn, queue.ClientOptions{}).Queue(o.Base)
	work, err := worker.New(o.Setup.config(q, &player{behaviors: o.Behaviors, gate: make(chan struct{})}))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // the test may have been killed itself
	defer cancel()
	_, err = work.Run(ctx, ctx)
	return err
}

// weWorkApart starts a worker of ours in a process of its own, and returns how to kill that.
func (l *line) weWorkApart(s setup) (kill func()) {
	l.w.t.Helper()
	text, err := json.Marshal(orders{URL: l.w.url, Base: l.base, Setup: s, Behaviors: s.Behaviors})
	l.w.must(err)
	self, err := os.Executable()
	l.w.must(err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	l.w.must(cmd.Start())
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // it may have ended already, which the test notices otherwise
		_ = cmd.Wait()         // killed: its error is no news
	})
	l.w.t.Cleanup(kill)
	return kill
}
