package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
)

// change is what a command does to many jobs.
type change struct {
	verb string // retry
	done string // retried
	// apply changes jobs that stand in a state, or with an empty state wherever
	// they are. It answers as [queue.Queue.Retry] does.
	apply func(ctx context.Context, q *queue.Queue, state queue.State, ids []string) ([]error, error)
	// needsData says that a job without data cannot be changed.
	needsData bool
}

// bulkChange carries out a change on jobs of one queue, a page at a time, and
// counts what becomes of them.
type bulkChange struct {
	a      *app
	change change
	t      target
	// state is where the jobs must be; empty for anywhere.
	state  queue.State
	byID   bool   // the jobs were named one by one
	noun   string // what the jobs are called in the last line: failed, jobs
	dryRun bool
	pace   *pacer
	total  int64 // how many jobs it will be; 0 when that is not known

	started  time.Time
	progress *progress
	tally    tally
	early    bool // it ended before the last job
}

// run does the work between the first and the last line of the command, and
// returns what became of it.
func (c *bulkChange) run(ctx context.Context, work func(context.Context) error) (changeView, error) {
	c.started = c.a.now()
	c.progress = c.a.newProgress(c.change.verb+" "+c.t.label(), c.total)
	err := work(ctx)
	c.progress.end()
	c.early = err != nil
	view := c.view(c.a.now().Sub(c.started))
	return view, c.verdict(ctx, err)
}

// page changes some jobs, as fast as the pace allows, and returns those that
// stay where they are.
func (c *bulkChange) page(ctx context.Context, ids []string) (kept []string, err error) {
	for len(ids) > 0 {
		n, err := c.pace.take(ctx, len(ids))
		if err != nil {
			return append(kept, ids...), err
		}
		apply := c.change.apply
		if c.dryRun {
			apply = c.would
		}
		errs, err := apply(ctx, c.t.q, c.state, ids[:n])
		if len(errs) == 0 && err != nil { // refused as a whole
			return append(kept, ids...), err
		}
		c.tally.count(ids[:n], errs, err)
		c.progress.add(n)
		for i := range errs {
			if errs[i] != nil || c.dryRun {
				kept = append(kept, ids[i])
			}
		}
		if ids = ids[n:]; err != nil {
			return append(kept, ids...), err
		}
	}
	return kept, nil
}

// would answers as apply would, and changes nothing. Whether a worker or a job
// scheduler holds a job shows only when it is tried.
func (c *bulkChange) would(ctx context.Context, q *queue.Queue, state queue.State, ids []string) ([]error, error) {
	var states []queue.State
	if c.byID {
		var err error
		if states, err = q.StateOf(ctx, ids); err != nil {
			return nil, err
		}
	}
	_, missing, err := q.Read(ctx, ids, queue.FieldTimestamp, 0)
	if err != nil {
		return nil, err
	}
	gone := make(map[string]bool, len(missing))
	for _, id := range missing {
		gone[id] = true
	}
	errs := make([]error, len(ids))
	for i, id := range ids {
		switch {
		case gone[id] && (c.change.needsData || c.byID && states[i] == queue.StateUnknown):
			errs[i] = &queue.JobError{ID: id, Err: queue.ErrJobNotFound}
		case c.byID && state != "" && states[i] != state:
			errs[i] = &queue.JobError{ID: id, State: states[i], Err: queue.ErrJobNotInState}
		}
	}
	return errs, nil
}

// named changes jobs that are named one by one.
func (c *bulkChange) named(ctx context.Context, ids *idReader) error {
	for {
		page, err := ids.next(ctx)
		if len(page) > 0 {
			if _, err := c.page(ctx, page); err != nil {
				return err
			}
		}
		if err != nil || len(page) == 0 {
			return err
		}
	}
}

// selected changes the selected jobs of one state.
func (c *bulkChange) selected(ctx context.Context, s scope) error {
	c.state = s.state
	switch {
	case s.limit > 0 && s.fromNewest(s.state):
		ids, err := s.newestIDs(ctx, c.t.q)
		if err != nil {
			return err
		}
		_, err = c.page(ctx, ids)
		return err
	case !c.dryRun && (s.state == queue.StateWaiting || s.state == queue.StateActive):
		return c.inRounds(ctx, s, maxRound)
	}
	return s.each(ctx, c.t.q, func(ids []string) ([]string, error) { return c.page(ctx, ids) })
}

// maxRound bounds the ids that a change has in memory.
const maxRound = 100_000

// inRounds changes jobs that stand in a list. To take one out of a list is a
// walk over it, so as many as a round may have are collected and taken out in one
// walk.
func (c *bulkChange) inRounds(ctx context.Context, s scope, round int) error {
	counts, err := c.t.q.Counts(ctx)
	if err != nil {
		return err
	}
	// Jobs that are added meanwhile stand behind those that are there now.
	left := int(countOf(counts, s.state))
	if s.limit > 0 {
		left = min(left, s.limit)
	}
	s.except = map[string]bool{}
	for left > 0 {
		s.limit = min(left, round)
		ids, err := s.collect(ctx, c.t.q)
		if err != nil {
			return err
		}
		kept, err := c.page(ctx, ids)
		if err != nil || len(ids) < s.limit {
			return err
		}
		for _, id := range kept {
			s.except[id] = true
		}
		left -= len(ids)
	}
	return nil
}

// verdict returns the error that the command ends with: that of the only job
// that was named, or that some jobs were not changed, or the one that ended the
// work early.
func (c *bulkChange) verdict(ctx context.Context, err error) error {
	left := c.tally.matched - c.tally.changed
	switch {
	case err == nil && left == 0:
		return nil
	case err == nil && c.onlyJob():
		return c.whereIsIt(ctx, c.tally.first)
	case err == nil:
		return &partialError{err: fmt.Errorf("%d of %d jobs of %s were not %s, the first: %w",
			left, c.tally.matched, c.t.label(), c.change.done, c.tally.first)}
	case as[*usageError](err) && c.tally.changed > 0:
		return &partialError{err: err} // it came late
	case errors.Is(err, context.DeadlineExceeded) && c.tally.changed > 0:
		return &partialError{err: fmt.Errorf("the time is up: %w", err)}
	}
	return err
}

// onlyJob reports whether the command was about one job.
func (c *bulkChange) onlyJob() bool { return c.byID && c.tally.matched == 1 }

// whereIsIt adds its state to the error of a job in the wrong one.
func (c *bulkChange) whereIsIt(ctx context.Context, err error) error {
	var job *queue.JobError
	if !errors.As(err, &job) || job.State != "" || !errors.Is(err, queue.ErrJobNotInState) {
		return err
	}
	states, lookErr := c.t.q.StateOf(ctx, []string{job.ID})
	if lookErr != nil {
		return err // what went wrong first says more
	}
	return &queue.JobError{ID: job.ID, State: states[0], Err: job.Err}
}

// mayChange refuses before anything is asked or counted what would be refused
// in the end: a change under --read-only, results in a format that does not
// exist.
func (a *app) mayChange(dryRun bool) error {
	if _, err := a.format(); err != nil {
		return err
	}
	c, err := a.loadConfig()
	if err != nil {
		return err
	}
	if c.ReadOnly && !dryRun {
		return fmt.Errorf("nothing is changed: %w", queue.ErrReadOnly)
	}
	return nil
}

// pacer spreads a bulk change over time. A nil pacer does not.
type pacer struct {
	limit   config.Limiter
	now     func() time.Time
	started time.Time
	taken   int
}

// parsePace reads --pace; empty means no limit.
func (a *app) parsePace(text string) (*pacer, error) {
	if text == "" {
		return nil, nil
	}
	limit, err := config.ParseRate(text)
	if err != nil {
		return nil, fmt.Errorf("--pace: %w", err)
	}
	return &pacer{limit: limit, now: a.now}, nil
}

// paceStep is how long the jobs that go at once may take of the time.
const paceStep = 100 * time.Millisecond

// take waits until jobs may go, and returns how many of those that want to.
func (p *pacer) take(ctx context.Context, want int) (int, error) {
	if p == nil {
		return want, nil
	}
	if p.started.IsZero() {
		p.started = p.now()
	}
	perJob := float64(p.limit.Duration) / float64(p.limit.Max)
	due := p.started.Add(time.Duration(float64(p.taken) * perJob))
	if wait := due.Sub(p.now()); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	n := max(1, min(want, int(float64(paceStep)/perJob)))
	p.taken += n
	return n, nil
}
