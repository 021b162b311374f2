package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Fence is the number of a leader's term. Of those who write with a fence, the
// one with the highest that a queue has seen wins; 0 is none.
type Fence int64

// What callers of the scheduler writes branch on.
var (
	// ErrSchedulerNotFound: no scheduler of that id exists in the queue.
	ErrSchedulerNotFound = errors.New("job scheduler not found")
	// ErrSchedulerExists: a scheduler of that id exists already.
	ErrSchedulerExists = errors.New("job scheduler exists")
	// ErrLegacyScheduler: a repeatable of an old BullMQ must be converted first.
	ErrLegacyScheduler = errors.New("legacy repeatable")
	// ErrSlotTaken: a job that is not the scheduler's current one stands at the
	// time of the next one.
	ErrSlotTaken = errors.New("a job of that time exists")
	// ErrNeverFires: the scheduler would never make a job.
	ErrNeverFires = errors.New("never fires")
	// ErrFenced: another leader has written to the queue since.
	ErrFenced = errors.New("a later leader has taken over")
	// ErrBusy: others changed the same thing at every try.
	ErrBusy = errors.New("changed by others meanwhile")
)

// ScheduleError says which option of a scheduler cannot be. It wraps
// ErrInvalidOption.
type ScheduleError struct {
	// Option is the name in BullMQ's API: every, pattern, endDate and so on.
	Option string
	Reason string
}

// Error names the option.
func (e *ScheduleError) Error() string { return e.Option + ": " + e.Reason }

// Unwrap returns ErrInvalidOption.
func (e *ScheduleError) Unwrap() error { return ErrInvalidOption }

var (
	scriptSchedulerUpsert = &script{name: "scheduler_upsert"}
	scriptSchedulerRemove = &script{name: "scheduler_remove"}
)

// schedulerTries is how often a change is tried again that others came before.
const schedulerTries = 8

// Fenced returns the same queue for a leader: its writes to schedulers fail with
// ErrFenced once a leader of a later term has written to the queue.
func (q *Queue) Fenced(fence Fence) *Queue {
	return &Queue{client: q.client, base: q.base, fence: fence}
}

// UpsertScheduler creates a scheduler or changes it, as BullMQ's
// upsertJobScheduler does, and adds its first job, which replaces a current one
// that has not started. Changing a paused scheduler makes it run again. It
// returns a [ScheduleError] for options that BullMQ would refuse, ErrNeverFires
// for a pattern without a time, and ErrSlotTaken when a job that runs or has
// finished stands at the time of the first; then nothing is changed.
func (q *Queue) UpsertScheduler(ctx context.Context, spec SchedulerSpec, next NextRun) (Upserted, error) {
	if err := spec.validate(q.client.now()); err != nil {
		return Upserted{}, q.schedulerError(spec.ID, err)
	}
	now := q.nowMS()
	every, due, start := any(""), any(""), any("")
	if spec.Every > 0 {
		every = spec.Every.Milliseconds()
	} else {
		at, err := spec.first(now, next)
		if err != nil {
			return Upserted{}, q.schedulerError(spec.ID, err)
		}
		due = at
	}
	if !spec.Start.IsZero() {
		start = spec.Start.UnixMilli()
	}
	made, opts, err := spec.template(now, 1)
	if err != nil {
		return Upserted{}, q.schedulerError(spec.ID, err)
	}
	return q.putScheduler(ctx, scriptSchedulerUpsert, made, spec.record(opts),
		now, spec.ID, int64(q.fence), every, due, spec.Offset.Milliseconds(), start)
}

// first returns when a pattern fires first.
func (s *SchedulerSpec) first(now int64, next NextRun) (int64, error) {
	it := iteration{pattern: s.Pattern, tz: s.TZ}
	if !s.Start.IsZero() {
		it.startDate = s.Start.UnixMilli()
	}
	if !s.End.IsZero() {
		it.endDate = s.End.UnixMilli()
	}
	due, ok, err := it.nextOfPattern(now, next)
	switch {
	case err != nil:
		return 0, err
	case s.Immediately:
		return now, nil
	case !ok:
		return 0, fmt.Errorf("pattern %q: %w", s.Pattern, ErrNeverFires)
	}
	return due, nil
}

// putScheduler runs a script that ends in an iteration and the scheduler's
// record, and answers with a time, a state and whether one existed.
func (q *Queue) putScheduler(ctx context.Context, s *script, made *template, record []any, args ...any) (Upserted, error) {
	block, err := made.args()
	if err != nil {
		return Upserted{}, q.schedulerError(made.id, err)
	}
	reply, err := q.run(ctx, s, append(append(args, block...), record...)...)
	if err != nil {
		return Upserted{}, err
	}
	answer := replyList(reply)
	if answer == nil {
		switch code := replyInt(reply); code {
		case 0:
			return Upserted{}, errMovedOn
		case 1:
			return Upserted{}, errCanReplace
		case 2:
			return Upserted{}, errCannotReplace
		default:
			return Upserted{}, q.schedulerCode(made.id, code)
		}
	}
	ms, err := strconv.ParseInt(replyText(at(answer, 0)), 10, 64)
	if err != nil {
		return Upserted{}, fmt.Errorf("%s %s: %w: %w", s.name, q.base, ErrCorrupt, err)
	}
	return Upserted{
		JobID: made.head + strconv.FormatInt(ms, 10), At: time.UnixMilli(ms),
		State: State(replyText(at(answer, 1))), Replaced: replyText(at(answer, 2)) == "1",
	}, nil
}

// RemoveScheduler removes a scheduler, running or paused, with its current job
// if that is delayed; one that waits or runs stays. It returns
// ErrSchedulerNotFound for an unknown id.
func (q *Queue) RemoveScheduler(ctx context.Context, id string) error {
	return q.takeOut(ctx, "remove", id)
}

// PauseScheduler takes a scheduler out as RemoveScheduler does and keeps its
// record for ResumeScheduler. BullMQ knows no such thing: to Node the scheduler
// is removed, and one that Node makes of the same id replaces the kept one.
// Pausing a paused scheduler does nothing. A legacy repeatable cannot be paused:
// ErrLegacyScheduler.
func (q *Queue) PauseScheduler(ctx context.Context, id string) error {
	return q.takeOut(ctx, "pause", id)
}

func (q *Queue) takeOut(ctx context.Context, how, id string) error {
	head := ""
	if key, legacy := parseLegacyKey(id); legacy {
		head = key.head()
	}
	reply, err := q.run(ctx, scriptSchedulerRemove, how, id, int64(q.fence), head, q.nowMS())
	if err != nil {
		return err
	}
	return q.schedulerCode(id, replyInt(reply))
}

// schedulerCode translates the reply of a script.
func (q *Queue) schedulerCode(id string, code int64) error {
	if code >= 0 {
		return nil
	}
	err, known := schedulerCodes[code]
	if !known {
		err = fmt.Errorf("script answered %d", code)
	}
	return q.schedulerError(id, err)
}

func (q *Queue) schedulerError(id string, err error) error {
	return fmt.Errorf("scheduler %q of %s: %w", id, q.base, err)
}
