package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// Elections is what a scheduler needs to become the leader; *queue.Client is one.
type Elections interface {
	Lead(ctx context.Context, r queue.LeadRequest) (queue.Lease, error)
	Renew(ctx context.Context, r queue.LeadRequest, fence queue.Fence) (queue.Lease, error)
	Resign(ctx context.Context, r queue.LeadRequest, fence queue.Fence) (bool, error)
}

// Config says what a scheduler keeps going and how. Everything without a default
// in its comment is required.
type Config struct {
	Elections Elections
	// Owner tells processes apart; no two may have the same.
	Owner string
	Info  queue.LeaderInfo
	// Lock is the life of the lease; 15 s.
	Lock time.Duration
	// Every is how often the schedules of the known queues are looked at; 10 s.
	Every time.Duration
	// Search is how often queues are looked for among all keys; a minute.
	Search time.Duration

	// Open returns a queue to write to in a term; fence 0 is none.
	Open func(base queue.KeyBase, fence queue.Fence) Queue
	// Queues finds the queues of this Redis.
	Queues func(ctx context.Context) ([]queue.KeyBase, error)
	// Declared returns what is declared now, and Builtin what a built-in set
	// declares. An error leaves everything declared as it is in Redis.
	Declared func() ([]Declared, error)
	Builtin  func(set string) ([]Declared, error)

	NextRun   queue.NextRun
	ExpiresAt func(data []byte) (time.Time, error)
	Now       func() time.Time
	Log       *slog.Logger
}

// ErrNotLeader is why nothing is done: another scheduler leads.
var ErrNotLeader = errors.New("another scheduler leads")

// NotLeaderError says who leads. It wraps ErrNotLeader.
type NotLeaderError struct{ Lease queue.Lease }

// Error names the leader.
func (e *NotLeaderError) Error() string {
	return fmt.Sprintf("%v: process %d of %s", ErrNotLeader, e.Lease.Info.PID, e.Lease.Info.Host)
}

// Unwrap returns ErrNotLeader.
func (e *NotLeaderError) Unwrap() error { return ErrNotLeader }

// Stats is what a scheduler did.
type Stats struct {
	Terms, Added, Changed, Restarted, Renewed, Removed, Failed int64
}

// Scheduler keeps schedules going whenever it leads.
type Scheduler struct {
	cfg    Config
	log    *slog.Logger
	reload chan struct{}
	above  queue.Fence // the highest that a queue has refused us for
	leader string      // who led when we last asked, to say it once

	mu    sync.Mutex
	stats Stats
}

// New fills in the defaults of a configuration.
func New(cfg Config) *Scheduler {
	if cfg.Lock == 0 {
		cfg.Lock = 15 * time.Second
	}
	if cfg.Every == 0 {
		cfg.Every = 10 * time.Second
	}
	if cfg.Search == 0 {
		cfg.Search = time.Minute
	}
	return &Scheduler{cfg: cfg, log: cfg.Log, reload: make(chan struct{}, 1)}
}

// Reload makes the leader look at everything again at once, because what is
// declared has changed.
func (s *Scheduler) Reload() {
	select {
	case s.reload <- struct{}{}:
	default: // it will already
	}
}

// Stats returns what has been done so far.
func (s *Scheduler) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Run waits to become the leader, leads for as long as it can, and begins again,
// until ctx ends. Trouble with Redis is logged and waited for.
func (s *Scheduler) Run(ctx context.Context) {
	for ctx.Err() == nil {
		sent := s.cfg.Now()
		lease, err := s.cfg.Elections.Lead(ctx, s.request())
		wait := s.cfg.Lock / 3
		switch {
		case ctx.Err() != nil:
		case err != nil:
			s.log.Error("leader unknown", "err", err)
		case lease.Held:
			s.term(ctx, lease, sent, nil)
		default:
			s.standBy(lease)
			wait = min(lease.Left+afterwards, wait)
		}
		sleep(ctx, wait)
	}
}

// Once leads for one look at everything. It returns a NotLeaderError when another
// leads, and otherwise the first thing that went wrong.
func (s *Scheduler) Once(ctx context.Context) error {
	sent := s.cfg.Now()
	lease, err := s.cfg.Elections.Lead(ctx, s.request())
	switch {
	case err != nil:
		return err
	case !lease.Held:
		return &NotLeaderError{lease}
	}
	var first error
	s.term(ctx, lease, sent, &first)
	return first
}

// DryRun logs and counts what a leader would do now, and changes nothing: it does
// not even ask to lead.
func (s *Scheduler) DryRun(ctx context.Context) error {
	bases, err := s.cfg.Queues(ctx)
	if err != nil {
		return fmt.Errorf("search for queues: %w", err)
	}
	state, err := s.Look(ctx, bases)
	for _, c := range append(state.Renewals, state.Changes...) {
		if c.Action != ActionNone {
			s.record(ctx, "schedule would be ", &c)
		}
	}
	return err
}

// afterwards is added to the end of another's lease: it must have passed.
const afterwards = 5 * time.Millisecond

func (s *Scheduler) request() queue.LeadRequest {
	return queue.LeadRequest{Owner: s.cfg.Owner, TTL: s.cfg.Lock, Above: s.above, Info: s.cfg.Info}
}

func (s *Scheduler) standBy(lease queue.Lease) {
	if lease.Leader == s.leader {
		return
	}
	s.leader = lease.Leader
	s.log.Info("standing by", "leader", lease.Leader, "host", lease.Info.Host, "pid", lease.Info.PID, "term", int64(lease.Fence))
}

// sleep waits for a time, or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
