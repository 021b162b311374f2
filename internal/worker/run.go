package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// run is one execution of one claimed job.
type run struct {
	w       *Worker
	job     queue.Job
	ctx     context.Context
	cancel  context.CancelCauseFunc
	started time.Time
	// decided is set when the outcome is known: from then on nothing is left
	// to be cancelled.
	decided atomic.Bool

	// lockEnds is when the lock ends unless renewed, by the local monotonic
	// clock; only renewLocks touches it after the run has begun.
	lockEnds time.Time
}

// newRun books a job; its handler runs under jobs. claimed is the time before the claim was sent: the lock
// began no earlier.
func newRun(jobs context.Context, w *Worker, job queue.Job, claimed time.Time) *run {
	r := &run{w: w, job: job, lockEnds: claimed.Add(w.cfg.Lock)}
	r.ctx, r.cancel = context.WithCancelCause(jobs)
	return r
}

// do runs the job and queues its outcome.
func (r *run) do(writes context.Context) {
	w := r.w
	r.started = time.Now()
	if r.job.RepeatJobKey != "" {
		r.continueSchedule(writes)
	}
	outcome := w.decide(&r.job, r.execute())
	r.decided.Store(true)
	w.mu.Lock()
	w.outcomes = append(w.outcomes, finished{run: r, outcome: outcome})
	w.executing--
	w.free++
	w.mu.Unlock()
	w.nudge()
}

// redecide turns a completion that the engine refused into a failed attempt:
// the job has children that are pending, or that failed for it.
func (r *run) redecide(refused error) {
	outcome := r.w.decide(&r.job, result{err: &Failure{
		Reason: refused.Error(), Unrecoverable: errors.Is(refused, queue.ErrFailedChildren),
	}})
	r.w.mu.Lock()
	r.w.outcomes = append(r.w.outcomes, finished{run: r, outcome: outcome})
	r.w.mu.Unlock()
}

// execute returns what the handler said. Jobs that must not run are answered
// for it.
func (r *run) execute() result {
	if r.job.HasDeferredFailure {
		return result{err: &Failure{Reason: r.job.DeferredFailure, Unrecoverable: true}}
	}
	if r.job.Unrunnable != "" {
		return result{err: &Failure{Reason: "corrupt job: " + r.job.Unrunnable, Unrecoverable: true}}
	}
	ctx := r.ctx
	if ctx.Err() != nil {
		return result{err: context.Cause(ctx)} // stopped, or lost, before it began
	}
	job := Job{
		Job: r.job, Queue: r.w.cfg.Queue.KeyBase().String(), Alias: r.w.cfg.Alias,
		Attempt: r.job.AttemptsMade + 1, MaxAttempts: max(1, r.job.Attempts), Fence: int64(r.job.AttemptsStarted),
		Children: r.children,
	}
	live := r.w.live.Load()
	if live.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, live.timeout, &TimeoutError{After: live.timeout})
		defer cancel()
		job.Deadline, _ = ctx.Deadline()
	}
	value, err := r.handle(ctx, live.handler, job)
	if err == nil && len(value) > 0 && !json.Valid(value) {
		err = &Failure{Reason: "handler returned something that is not JSON"}
	}
	if err != nil && ctx.Err() != nil {
		err = r.causeOf(ctx, err)
	}
	return result{value: value, err: err}
}

// causeOf prefers the reason why the context ended to what the handler made
// of it.
func (r *run) causeOf(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	var timeout *TimeoutError
	if errors.As(cause, &timeout) {
		return &Failure{Reason: timeout.Error()}
	}
	if errors.Is(cause, ErrStopped) || errors.Is(cause, ErrLockLost) {
		return cause
	}
	return err
}

// handle turns a panic into a failed attempt: one job must not end the others.
func (r *run) handle(ctx context.Context, h Handler, job Job) (value json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			value, err = nil, &Failure{Reason: fmt.Sprintf("panic: %v", p), Stack: string(debug.Stack())}
		}
	}()
	return h.Handle(ctx, job, reporter{r})
}

// continueSchedule adds the next iteration of the scheduler that made the job.
// When it cannot, the schedule goes on as soon as the job is claimed again, so
// the failure is only logged.
func (r *run) continueSchedule(ctx context.Context) {
	if r.w.cfg.NextRun == nil {
		r.w.log.Error("no cron clock: schedule ends", "job", r.job.ID, "scheduler", r.job.RepeatJobKey)
		return
	}
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		_, err := r.w.cfg.Queue.ContinueSchedule(ctx, r.job, r.w.cfg.NextRun)
		class := queue.Classify(err)
		again := class == queue.ClassUnreachable || class == queue.ClassRefused || class == queue.ClassUnknown
		if err == nil || !again || wait > 5*time.Second || !sleep(r.ctx, wait) {
			if err != nil {
				r.w.log.Error("schedule not continued", "job", r.job.ID, "scheduler", r.job.RepeatJobKey, "err", err)
			}
			return
		}
	}
}

// recorded logs and counts what became of the job.
func (r *run) recorded(o queue.Outcome, err error) {
	r.cancel(nil)
	w := r.w
	if err != nil {
		if errors.Is(err, queue.ErrLockLost) || errors.Is(err, queue.ErrJobNotFound) || errors.Is(err, queue.ErrJobNotInState) {
			if !errors.Is(context.Cause(r.ctx), ErrLockLost) { // else it is counted already
				w.locksLost.Add(1)
			}
			w.log.Warn("lock lost: result dropped", r.attrs("err", err)...)
			return
		}
		w.log.Error("outcome refused", r.attrs("err", err)...)
		return
	}
	switch o.Kind {
	case queue.Complete:
		w.completed.Add(1)
		if w.log.Enabled(r.ctx, slog.LevelInfo) {
			w.log.Info("job completed", r.attrs()...)
		}
	case queue.Fail:
		w.failed.Add(1)
		if w.log.Enabled(r.ctx, slog.LevelError) {
			w.log.Error("job failed", r.attrs("reason", o.FailedReason)...)
		}
	case queue.RetryNow, queue.RetryLater:
		w.retried.Add(1)
		w.log.Warn("attempt failed", r.attrs("reason", o.FailedReason, "retryIn", o.Delay)...)
	case queue.Postpone, queue.GiveBack:
		w.givenBack.Add(1)
		w.log.Info("job put back", r.attrs("delay", o.Delay)...)
	}
}

func (r *run) attrs(more ...any) []any {
	return append([]any{
		"job", r.job.ID, "name", r.job.Name, "attempt", r.job.AttemptsMade + 1,
		"duration", time.Since(r.started).Round(time.Microsecond),
	}, more...)
}

// reporter passes on what a handler says while it runs.
type reporter struct{ run *run }

// Progress stores progress unless the job is no longer ours.
func (p reporter) Progress(ctx context.Context, progress json.RawMessage) error {
	if err := context.Cause(p.run.ctx); err != nil {
		return err
	}
	return p.run.w.cfg.Queue.UpdateProgress(ctx, p.run.job.ID, progress)
}

// Log appends to the job's log, as long as its options say.
func (p reporter) Log(ctx context.Context, lines ...string) error {
	keep := 0
	if p.run.job.Options != nil {
		keep = p.run.job.Options.KeepLogs
	}
	_, err := p.run.w.cfg.Queue.AppendLogs(ctx, p.run.job.ID, lines, keep)
	return err
}
