package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/qctl/qctl/internal/queue"
)

// result is what a handler returned.
type result struct {
	value json.RawMessage
	err   error
}

// decide turns a result into an outcome. It is pure but for the worker's
// random source, which jitter needs.
func (w *Worker) decide(job *queue.Job, res result) queue.Outcome {
	live := w.live.Load()
	return Decide(job, res.value, res.err, Policy{Completed: live.keepCompleted, Failed: live.keepFailed, Random: w.cfg.Random})
}

// Policy is what a worker adds to a job's own options.
type Policy struct {
	// Completed and Failed are what is kept of jobs whose options do not say.
	Completed, Failed *queue.Keep
	// Random returns the luck of a jitter, from 0 up to 1.
	Random func() float64
}

// Decide returns what becomes of a claimed job whose handler has returned a
// value or an error.
func Decide(job *queue.Job, value json.RawMessage, err error, p Policy) queue.Outcome {
	opts := job.Options
	if opts == nil {
		opts = &queue.JobOptions{}
	}
	out := queue.Outcome{ID: job.ID, Job: job, Token: job.Token, Attempts: opts.Attempts, LIFO: opts.LIFO}
	if err == nil {
		out.Kind, out.ReturnValue, out.Keep = queue.Complete, value, orKeep(opts.KeepCompleted, p.Completed)
		return out
	}
	if errors.Is(err, ErrStopped) || errors.Is(err, ErrLockLost) {
		// Without the lock the engine refuses it, which is what we want.
		out.Kind = queue.GiveBack
		return out
	}
	failure := &Failure{Reason: err.Error()}
	errors.As(err, &failure)
	if failure.TryAgain {
		out.Kind, out.Delay = queue.Postpone, failure.RetryAfter
		if out.Delay <= 0 {
			out.Delay = backoff(opts.Backoff, job.AttemptsMade+1, p.Random)
		}
		out.Delay = max(out.Delay, leastPause)
		return out
	}
	out.FailedReason = cut(failure.Reason)
	out.Stacktrace = appendTrace(job.Stacktrace, cut(failure.Stack), opts.StackTraceLimit)
	if failure.Unrecoverable || job.AttemptsMade+1 >= opts.Attempts {
		out.Kind, out.Keep = queue.Fail, orKeep(opts.KeepFailed, p.Failed)
		return out
	}
	out.Kind, out.Delay = queue.RetryLater, backoff(opts.Backoff, job.AttemptsMade+1, p.Random)
	if out.Delay <= 0 {
		out.Kind = queue.RetryNow
	}
	return out
}

// leastPause is how long a job at least waits that asked to be tried again: it
// uses up no attempt, and without a pause it would keep all others from running.
const leastPause = time.Second

// maxReason is the most bytes of a failed reason or a stack that are stored.
const maxReason = 64 << 10

// cut shortens a text to what is stored of it, at the beginning of a character.
func cut(text string) string {
	if len(text) <= maxReason {
		return text
	}
	end := maxReason
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes more)", text[:end], len(text)-end)
}

func orKeep(own, otherwise *queue.Keep) *queue.Keep {
	if own != nil {
		return own
	}
	return otherwise
}

// backoff is the wait after the n-th failed attempt, by BullMQ's formulas
// (wire section 4.8). A strategy that only the job's own workers know counts
// as fixed: its delay is all that is known of it.
func backoff(b *queue.Backoff, n int, random func() float64) time.Duration {
	if b == nil {
		return 0
	}
	ms := float64(b.Delay.Milliseconds())
	if b.Type == "exponential" {
		ms = math.Round(math.Pow(2, float64(min(n-1, 1000))) * ms)
	}
	ms = math.Min(ms, float64(queue.MaxDelay.Milliseconds()))
	if b.Jitter > 0 {
		ms = math.Floor(random()*ms*b.Jitter + ms*(1-b.Jitter))
	}
	return time.Duration(ms) * time.Millisecond
}

// appendTrace adds a stack and keeps the newest limit of them; nil is no limit.
func appendTrace(traces []string, stack string, limit *int) []string {
	if stack != "" {
		traces = append(traces[:len(traces):len(traces)], stack)
	}
	if limit != nil && len(traces) > *limit {
		traces = traces[len(traces)-*limit:]
	}
	return traces
}
