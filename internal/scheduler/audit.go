package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/qctl/qctl/internal/queue"
)

// State is what an audit found: what is declared, what is there, and what would
// have to be done.
type State struct {
	// Sets are the built-in sets that are on: a mark names them.
	Sets    []string
	Changes []Change
	// Renewals are jobs that returned a later time for what they renew.
	Renewals []Change
}

// Look reads everything that a leader looks at and plans what it would do. It
// changes nothing. Queues that cannot be read are left out and named by the
// error, and so is what is not declared rightly.
func (s *Scheduler) Look(ctx context.Context, bases []queue.KeyBase) (State, error) {
	var errs []error
	declared, err := s.cfg.Declared()
	if err != nil {
		errs = append(errs, err)
	}
	declared = slices.Clone(declared)
	var live []Live
	var state State
	unread := map[queue.KeyBase]bool{}
	read := func(base queue.KeyBase) {
		found, sets, err := readQueue(ctx, s.cfg.Open(base, 0))
		if err != nil {
			unread[base] = true
			errs = append(errs, err)
			return
		}
		live = append(live, found...)
		state.Sets = append(state.Sets, sets...)
	}
	seen := map[queue.KeyBase]bool{}
	readNew := func(more []queue.KeyBase) {
		for _, base := range more {
			if !seen[base] && ctx.Err() == nil {
				seen[base] = true
				read(base)
			}
		}
	}
	readNew(bases)
	readNew(basesOf(declared))
	slices.Sort(state.Sets)
	state.Sets = slices.Compact(state.Sets)
	prune := state.Sets
	for _, set := range state.Sets {
		more, err := s.cfg.Builtin(set)
		if err != nil {
			// Its schedules stay: a set that this version does not know may be another's.
			errs = append(errs, err)
			prune = slices.DeleteFunc(slices.Clone(prune), func(name string) bool { return name == set })
			continue
		}
		declared = append(declared, more...)
		readNew(basesOf(more))
	}
	if ctx.Err() != nil {
		return State{}, context.Cause(ctx)
	}
	declared = slices.DeleteFunc(declared, func(d Declared) bool { return unread[d.Queue] })
	state.Changes = Plan(declared, live, PlanOptions{Now: s.cfg.Now(), Prune: prune, ExpiresAt: s.cfg.ExpiresAt})
	state.Renewals, err = s.renewals(ctx, live)
	return state, errors.Join(append(errs, err)...)
}

func basesOf(declared []Declared) []queue.KeyBase {
	bases := make([]queue.KeyBase, len(declared))
	for i := range declared {
		bases[i] = declared[i].Queue
	}
	return bases
}

// renewals reads what the jobs of renewals returned.
func (s *Scheduler) renewals(ctx context.Context, live []Live) ([]Change, error) {
	var (
		changes []Change
		errs    []error
	)
	for i := range live {
		l := &live[i]
		if l.Mark == nil || l.Mark.Before == 0 || l.JobState != queue.StateCompleted {
			continue
		}
		job, err := s.cfg.Open(l.Queue, 0).Get(ctx, l.JobID, queue.FieldReturnValue, 0)
		if err != nil {
			if !errors.Is(err, queue.ErrJobNotFound) {
				errs = append(errs, fmt.Errorf("renewal %s of %s: %w", l.ID, l.Queue, err))
			}
			continue
		}
		if later, ok := next(l, job.ReturnValue, s.cfg.Now(), s.cfg.ExpiresAt); ok {
			changes = append(changes, Change{
				Queue: l.Queue, ID: l.ID, Action: ActionChange, Why: WhyRenewed, Declared: later, Live: l,
				Fields: differences(&later.Spec, &l.Scheduler),
			})
		}
	}
	return changes, errors.Join(errs...)
}

// audit looks at the known queues and puts right what is wrong.
func (t *term) audit(ctx context.Context) error {
	state, err := t.s.Look(ctx, t.bases)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t.problems(ctx, err)
	a := &Applier{
		Open:    func(base queue.KeyBase) Queue { return t.s.cfg.Open(base, t.fence) },
		NextRun: t.s.cfg.NextRun, Now: t.s.cfg.Now, May: t.may,
	}
	errs := []error{err}
	for _, done := range a.Apply(ctx, append(state.Renewals, state.Changes...)) {
		errs = append(errs, done.Err)
		t.account(ctx, &done)
	}
	return errors.Join(errs...)
}

// account logs and counts what became of a change. A later leader ends the term.
func (t *term) account(ctx context.Context, done *Applied) {
	attrs := []any{"queue", done.Queue.String(), "schedule", done.ID}
	switch {
	case errors.Is(done.Err, queue.ErrFenced):
		if seen, err := t.s.cfg.Open(done.Queue, 0).SeenFence(ctx); err == nil {
			t.s.above = max(t.s.above, seen)
		}
		t.end(done.Err)
		return
	case done.Err != nil && ctx.Err() != nil:
		return
	case done.Err != nil:
		t.s.count(func(n *Stats) { n.Failed++ })
		t.tell(ctx, slog.LevelError, "schedule not "+pastOf[done.Action], append(attrs, "err", done.Err)...)
		return
	case done.Action == ActionNone:
		t.notice(ctx, done, attrs)
		return
	case !done.Done:
		return
	}
	t.s.record(ctx, "schedule ", &done.Change)
}

// record counts a change and logs it.
func (s *Scheduler) record(ctx context.Context, words string, c *Change) {
	level := slog.LevelInfo
	switch {
	case c.Why == WhyRenewed:
		s.count(func(n *Stats) { n.Renewed++ })
	case c.Action == ActionAdd:
		s.count(func(n *Stats) { n.Added++ })
	case c.Action == ActionChange:
		s.count(func(n *Stats) { n.Changed++ })
	case c.Action == ActionRemove:
		s.count(func(n *Stats) { n.Removed++ })
	case c.Action == ActionRestart:
		level = slog.LevelWarn
		s.count(func(n *Stats) { n.Restarted++ })
	}
	attrs := []any{"queue", c.Queue.String(), "schedule", c.ID}
	if c.Why != "" {
		attrs = append(attrs, "why", c.Why)
	}
	for _, f := range c.Fields {
		attrs = append(attrs, f.Name, f.Before+" -> "+f.After)
	}
	s.log.Log(ctx, level, words+pastOf[c.Action], attrs...)
}

var pastOf = map[Action]string{
	ActionAdd: "added", ActionChange: "changed", ActionRemove: "removed", ActionRestart: "restarted", ActionNone: "marked",
}

// notice says what is worth telling of a schedule that is left as it is.
func (t *term) notice(ctx context.Context, done *Applied, attrs []any) {
	switch done.Why {
	case "":
	case WhyLegacy, WhyCorrupt:
		t.tell(ctx, slog.LevelWarn, "schedule left alone", append(attrs, "why", done.Why)...)
	case WhyLeftAlone:
		t.tell(ctx, slog.LevelInfo, "schedule left alone", append(attrs, "why", done.Why)...)
	default:
		t.tell(ctx, slog.LevelDebug, "schedule left alone", append(attrs, "why", done.Why)...)
	}
}

// problems logs what could not be read, line by line.
func (t *term) problems(ctx context.Context, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			t.problems(ctx, one)
		}
		return
	}
	if err != nil {
		t.tell(ctx, slog.LevelError, "schedules not looked at", "err", err)
	}
}

// tell logs what an audit finds again and again, once in a term.
func (t *term) tell(ctx context.Context, level slog.Level, message string, attrs ...any) {
	key := fmt.Sprint(append([]any{message}, attrs...)...)
	if t.told[key] {
		return
	}
	t.told[key] = true
	t.s.log.Log(ctx, level, message, attrs...)
}
