package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// What an operator or a producer changes about single jobs.
var (
	scriptRetry          = &script{name: "retry"}
	scriptPromote        = &script{name: "promote"}
	scriptRemove         = &script{name: "remove"}
	scriptChangeDelay    = &script{name: "change_delay"}
	scriptChangePriority = &script{name: "change_priority"}
	scriptUpdate         = &script{name: "update"}
	scriptAppendLogs     = &script{name: "append_logs"}
	scriptClearLogs      = &script{name: "clear_logs"}
)

const (
	// changePage is the most jobs that one script call changes.
	changePage = 500
	// removeSteps is how many list entries one call of remove.lua may walk
	// over, about 20 ms: a job is taken out of a list by a walk.
	removeSteps = 600_000
	// familyPage is the most jobs and children that one call of remove.lua
	// looks at.
	familyPage = 250
	// logPage is the most log lines that one call appends.
	logPage = 5000
)

// Codes of the scripts in this file, beyond those of codeErrors.
const (
	codeGoOn = 1 // part of the job's children is removed
)

// RetryOptions says how jobs are retried.
type RetryOptions struct {
	// ResetAttempts counts attempts made and started from zero again. Without
	// it a job whose attempts are used up runs once more.
	ResetAttempts bool
}

// Retry puts failed or completed jobs back among the waiting ones and clears
// their outcome; from says in which of the two states they are. Priority and
// LIFO count as for a new job, and a parent waits for its child again. Stack
// traces and progress stay.
//
// The answers are in the order of ids, nil for a job that waits now, else a
// [JobError] with ErrJobNotFound, ErrJobNotInState or ErrCorrupt. When the call
// itself fails, the jobs that it did not get to carry that error as well.
func (q *Queue) Retry(ctx context.Context, from State, ids []string, opts RetryOptions) ([]error, error) {
	if !from.Finished() {
		return nil, fmt.Errorf("%w: only failed and completed jobs can be retried, not %q", ErrInvalidOption, string(from))
	}
	return q.perJob(ctx, scriptRetry, []any{string(from), flag(opts.ResetAttempts)}, ids)
}

// Promote makes delayed jobs wait no longer. The answers are as those of
// [Queue.Retry].
func (q *Queue) Promote(ctx context.Context, ids []string) ([]error, error) {
	return q.perJob(ctx, scriptPromote, nil, ids)
}

// RemoveOptions says what goes with a job.
type RemoveOptions struct {
	// Children removes the job's children and theirs, finished or not. A
	// locked one keeps the whole family; of a family above 250 jobs,
	// which goes in several steps, some may be gone by then.
	Children bool
}

// Remove deletes jobs wherever they are; an active one only while no worker
// holds it. A parent that waited for nothing else is released. The answers are
// as those of [Queue.Retry], with ErrJobNotFound for an id that means nothing
// in this queue (BullMQ keeps silent), ErrJobLocked, and ErrSchedulerJob for a
// job whose removal would end its schedule.
func (q *Queue) Remove(ctx context.Context, ids []string, opts RemoveOptions) ([]error, error) {
	return q.perJob(ctx, scriptRemove, []any{"", flag(opts.Children), removeSteps, familyPage}, ids)
}

// perJob runs a script over ids, a page at a time, and returns an error or nil
// for each. The script answers with a code for each id that it got to.
func (q *Queue) perJob(ctx context.Context, s *script, head []any, ids []string) ([]error, error) {
	errs := make([]error, 0, len(ids))
	for len(errs) < len(ids) {
		page := ids[len(errs):min(len(errs)+changePage, len(ids))]
		args := append(make([]any, 0, len(head)+len(page)), head...)
		for _, id := range page {
			args = append(args, id)
		}
		codes, err := q.codes(ctx, s, args, len(page))
		if err != nil {
			return unreached(errs, ids, err), err
		}
		for i, code := range codes {
			if code == codeGoOn {
				break
			}
			errs = append(errs, codeError(page[i], code))
		}
	}
	return errs, nil
}

// codes runs a script that answers with a list of codes, from 1 up to most.
func (q *Queue) codes(ctx context.Context, s *script, args []any, most int) ([]int64, error) {
	// Between pages, a cancelled caller gets the answers so far.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	reply, err := q.run(ctx, s, args...)
	if err != nil {
		return nil, err
	}
	list := replyList(reply)
	if len(list) == 0 || len(list) > most {
		return nil, fmt.Errorf("%s %s: %w: %d answers for %d jobs", s.name, q.base, ErrCorrupt, len(list), most)
	}
	codes := make([]int64, len(list))
	for i, code := range list {
		codes[i] = replyInt(code)
	}
	return codes, nil
}

// unreached fills up the answers with the error that ended the call.
func unreached(errs []error, ids []string, err error) []error {
	for _, id := range ids[len(errs):] {
		errs = append(errs, &JobError{ID: id, Err: err})
	}
	return errs
}

// ChangeDelay lets a delayed job wait for d from now, or returns a [JobError]
// with ErrJobNotFound or ErrJobNotInState.
func (q *Queue) ChangeDelay(ctx context.Context, id string, d time.Duration) error {
	if d < 0 || d > MaxDelay {
		return fmt.Errorf("%w: delay %v is not between 0 and 10 years", ErrInvalidOption, d)
	}
	return q.change(ctx, scriptChangeDelay, id, q.nowMS(), d.Milliseconds())
}

// ChangePriority gives a job another priority. One that is waiting goes behind
// the others of that priority, or, with lifo, in front of them. It returns a
// [JobError] with ErrJobNotFound when there is no such job.
func (q *Queue) ChangePriority(ctx context.Context, id string, priority int, lifo bool) error {
	if priority < 0 || priority > MaxPriority {
		return fmt.Errorf("%w: priority %d is not between 0 and %d", ErrInvalidOption, priority, MaxPriority)
	}
	return q.change(ctx, scriptChangePriority, id, priority, flag(lifo))
}

// UpdateData replaces a job's payload by a JSON text, which is stored byte for
// byte. A worker that has the job already keeps the old one.
func (q *Queue) UpdateData(ctx context.Context, id string, data json.RawMessage) error {
	return q.update(ctx, id, fieldData, data)
}

// UpdateProgress stores a job's progress and tells listeners. It refuses what
// is not JSON: BullMQ's listeners would never hear of any later event.
func (q *Queue) UpdateProgress(ctx context.Context, id string, progress json.RawMessage) error {
	return q.update(ctx, id, fieldProgress, progress)
}

func (q *Queue) update(ctx context.Context, id, field string, text json.RawMessage) error {
	if !json.Valid(text) {
		return fmt.Errorf("%w: %s is not JSON: %w", ErrInvalidOption, field, jsonError(text))
	}
	return q.change(ctx, scriptUpdate, id, field, []byte(text))
}

// AppendLogs appends lines to a job's log, leaves the newest keep lines of it
// (0 for all), and returns how many it holds. Lines beyond 5000 go in further
// steps.
func (q *Queue) AppendLogs(ctx context.Context, id string, lines []string, keep int) (int64, error) {
	if keep > 0 && len(lines) > keep {
		lines = lines[len(lines)-keep:]
	}
	for {
		page := lines[:min(logPage, len(lines))]
		args := append(make([]any, 0, 2+len(page)), id, max(0, keep))
		for _, line := range page {
			args = append(args, line)
		}
		reply, err := q.run(ctx, scriptAppendLogs, args...)
		if err != nil {
			return 0, err
		}
		lines = lines[len(page):]
		count := replyInt(reply)
		if err := codeError(id, count); err != nil || len(lines) == 0 {
			return max(0, count), err
		}
	}
}

// ClearLogs deletes a job's log but for its newest keep lines.
func (q *Queue) ClearLogs(ctx context.Context, id string, keep int) error {
	return q.change(ctx, scriptClearLogs, id, max(0, keep))
}

// change runs a script about one job that answers with a code.
func (q *Queue) change(ctx context.Context, s *script, id string, args ...any) error {
	reply, err := q.run(ctx, s, append([]any{id}, args...)...)
	if err != nil {
		return err
	}
	return codeError(id, replyInt(reply))
}

// flag is how scripts take a bool.
func flag(set bool) string {
	if set {
		return "1"
	}
	return ""
}
