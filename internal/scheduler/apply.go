package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// Queue is what this package needs of a queue; *queue.Queue is one.
type Queue interface {
	KeyBase() queue.KeyBase
	Schedulers(ctx context.Context, after, limit int) ([]queue.Scheduler, int, error)
	UpsertScheduler(ctx context.Context, spec queue.SchedulerSpec, next queue.NextRun) (queue.Upserted, error)
	RemoveScheduler(ctx context.Context, id string) error
	RestartScheduler(ctx context.Context, id string, next queue.NextRun) (bool, error)
	PauseScheduler(ctx context.Context, id string) error
	ResumeScheduler(ctx context.Context, id string, next queue.NextRun) (queue.Upserted, error)
	ScheduleMarks(ctx context.Context) (map[string]queue.ScheduleMark, error)
	MarkScheduler(ctx context.Context, id string, mark queue.ScheduleMark) error
	UnmarkScheduler(ctx context.Context, id string) error
	SeenFence(ctx context.Context) (queue.Fence, error)
	Get(ctx context.Context, id string, fields queue.Fields, limit int64) (queue.Job, error)
}

// Applied is what became of a change.
type Applied struct {
	Change
	// Done says that something was written to the schedule. Nothing is when it
	// was as wanted by the time it was looked at again.
	Done bool
	Err  error
}

// Applier carries out changes.
type Applier struct {
	// Open returns a queue to write to; a leader opens it with its fence.
	Open    func(queue.KeyBase) Queue
	NextRun queue.NextRun
	Now     func() time.Time
	// May is asked before each change; its error ends the work. nil allows all.
	May func() error
}

// Apply carries out changes one by one and goes on after errors, but for the end
// of ctx, a refusal of May, and queue.ErrFenced, which no later change could
// survive either. It returns what became of those it tried.
func (a *Applier) Apply(ctx context.Context, changes []Change) []Applied {
	applied := make([]Applied, 0, len(changes))
	for _, c := range changes {
		if ctx.Err() != nil || (a.May != nil && a.May() != nil) {
			break
		}
		done, err := a.one(ctx, a.Open(c.Queue), &c)
		applied = append(applied, Applied{Change: c, Done: done, Err: err})
		if errors.Is(err, queue.ErrFenced) {
			break
		}
	}
	return applied
}

func (a *Applier) one(ctx context.Context, q Queue, c *Change) (bool, error) {
	switch c.Action {
	case ActionAdd:
		return true, a.write(ctx, q, c)
	case ActionChange:
		return true, a.change(ctx, q, c)
	case ActionRestart:
		done, err := q.RestartScheduler(ctx, c.ID, a.NextRun)
		return done, err
	case ActionRemove:
		err := q.RemoveScheduler(ctx, c.ID)
		if err != nil && !errors.Is(err, queue.ErrSchedulerNotFound) {
			return false, err
		}
		return err == nil, q.UnmarkScheduler(ctx, c.ID)
	}
	return false, a.adopt(ctx, q, c)
}

// change makes a schedule what it should be. A change that only wakes it keeps
// its counts.
func (a *Applier) change(ctx context.Context, q Queue, c *Change) error {
	onlyPause := len(c.Fields) == 1 && c.Fields[0].Name == fieldPaused
	switch {
	case onlyPause && c.Live.Paused:
		_, err := q.ResumeScheduler(ctx, c.ID, a.NextRun)
		return err
	case !onlyPause:
		if err := a.write(ctx, q, c); err != nil {
			return err
		}
	}
	if c.Declared.Paused != nil && *c.Declared.Paused {
		return q.PauseScheduler(ctx, c.ID)
	}
	return nil
}

// write marks the schedule before it makes it: a mark without a schedule harms
// nothing, a schedule without its mark would never be pruned.
func (a *Applier) write(ctx context.Context, q Queue, c *Change) error {
	if err := a.mark(ctx, q, c); err != nil {
		return err
	}
	_, err := q.UpsertScheduler(ctx, c.Declared.Spec, a.NextRun)
	return err
}

func (a *Applier) mark(ctx context.Context, q Queue, c *Change) error {
	d := c.Declared
	return q.MarkScheduler(ctx, c.ID, queue.ScheduleMark{Set: d.Set, Before: d.Before, Applied: a.Now()})
}

// adopt marks a schedule that is as declared, whoever made it.
func (a *Applier) adopt(ctx context.Context, q Queue, c *Change) error {
	d, l := c.Declared, c.Live
	if d == nil || l == nil || l.Legacy != queue.LegacyNone {
		return nil
	}
	if l.Mark != nil && l.Mark.Set == d.Set && l.Mark.Before == d.Before {
		return nil
	}
	return a.mark(ctx, q, c)
}

// livePage is how many schedules are read in one call.
const livePage = 500

// ReadLive reads all schedules of a queue, with their marks.
func ReadLive(ctx context.Context, q Queue) ([]Live, error) {
	live, _, err := readQueue(ctx, q)
	return live, err
}

// readQueue returns the schedules of a queue, and the built-in sets that its
// marks name, those of schedules that are gone, too.
func readQueue(ctx context.Context, q Queue) (live []Live, sets []string, err error) {
	base := q.KeyBase()
	for {
		page, total, err := q.Schedulers(ctx, len(live), livePage)
		if err != nil {
			return nil, nil, fmt.Errorf("schedules of %s: %w", base, err)
		}
		for _, s := range page {
			live = append(live, Live{Queue: base, Scheduler: s})
		}
		if len(page) == 0 || len(live) >= total {
			break
		}
	}
	marks, err := q.ScheduleMarks(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, mark := range marks {
		if mark.Set != "" {
			sets = append(sets, mark.Set)
		}
	}
	for i := range live {
		if mark, marked := marks[live[i].ID]; marked {
			live[i].Mark = &mark
		}
	}
	return live, sets, nil
}
