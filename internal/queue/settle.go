package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// OutcomeKind is what becomes of an active job.
type OutcomeKind byte

// The outcomes of a job.
const (
	Complete   OutcomeKind = 'c' // done
	Fail       OutcomeKind = 'f' // failed for good
	RetryNow   OutcomeKind = 'r' // failed attempt, waiting again
	RetryLater OutcomeKind = 'b' // failed attempt, delayed by its backoff
	Postpone   OutcomeKind = 'd' // delayed; no attempt used up
	GiveBack   OutcomeKind = 'w' // waiting, in front; no attempt used up
)

// Outcome is what a worker decided about a job that it holds.
type Outcome struct {
	Kind  OutcomeKind
	ID    string
	Token string
	// ReturnValue is the JSON text of a completed job; empty means null.
	ReturnValue json.RawMessage
	// FailedReason and Stacktrace (all traces to be stored, newest last)
	// belong to failed attempts.
	FailedReason string
	Stacktrace   []string
	// Delay is the wait of RetryLater and Postpone.
	Delay time.Duration
	// Keep is the retention rule of a finished job; nil keeps all.
	Keep *Keep
	// Attempts is the job's limit, for the event that says they are used up.
	Attempts int
	// LIFO puts a RetryNow at the front.
	LIFO bool
	// Job is the job as it was claimed. It is optional: with it, most jobs
	// need not be read again.
	Job *Job
}

// Settled is the answer to a settle call.
type Settled struct {
	// Errs holds an error for each outcome that was not recorded, in order:
	// ErrLockLost, ErrJobNotFound, ErrJobNotInState, ErrPendingChildren,
	// ErrFailedChildren. Nil entries were recorded.
	Errs []error
	// Claimed is what the next claim brought, if one was asked for.
	Claimed Claimed
}

// SettleOptions are the worker's settings that are not of one job.
type SettleOptions struct {
	// MetricsPoints is how many minutes of metrics are kept; 0 counts nothing.
	MetricsPoints int
	// Next claims more jobs in the same step, when set.
	Next *ClaimRequest
}

// Settle records outcomes, each proven by the job's lock token, in one atomic
// step. One that cannot be recorded does not hold up the others. At most
// MaxClaim outcomes go in one call.
func (q *Queue) Settle(ctx context.Context, outcomes []Outcome, opts SettleOptions) (Settled, error) {
	if len(outcomes) > MaxClaim {
		return Settled{}, fmt.Errorf("settle %s: %d outcomes are more than %d", q.base, len(outcomes), MaxClaim)
	}
	next := opts.Next
	switch {
	case next == nil && len(outcomes) == 0:
		return Settled{}, nil
	case next == nil:
		next = &ClaimRequest{}
	case len(outcomes) == 0:
		claimed, err := q.Claim(ctx, *next)
		return Settled{Claimed: claimed}, err
	}
	args := make([]any, 0, 9+8*len(outcomes))
	args = append(args, q.nowMS())
	args = append(args, next.args()...)
	args = append(args, opts.MetricsPoints, len(outcomes))
	for i := range outcomes {
		args = outcomes[i].appendArgs(args)
	}
	reply, err := q.run(ctx, scriptSettle, args...)
	if err != nil {
		return Settled{}, err
	}
	parts := replyList(reply)
	settled := Settled{Errs: make([]error, len(outcomes))}
	codes := replyList(at(parts, 0))
	for i := range outcomes {
		settled.Errs[i] = codeError(outcomes[i].ID, replyInt(at(codes, i)))
	}
	if opts.Next != nil {
		settled.Claimed = q.decodeClaimed(at(parts, 1), next.Token)
	}
	return settled, nil
}

func (o *Outcome) appendArgs(args []any) []any {
	args = append(args, string([]byte{byte(o.Kind)}), o.ID, o.Token)
	switch o.Kind {
	case Complete:
		value := "null"
		if len(o.ReturnValue) > 0 {
			value = string(o.ReturnValue)
		}
		return append(args, value, o.Keep.rule(), o.made())
	case Fail:
		return append(args, o.FailedReason, o.Keep.rule(), o.made(), encodeStacktrace(o.Stacktrace), o.Attempts)
	case RetryNow:
		lifo := ""
		if o.LIFO {
			lifo = "lifo"
		}
		return append(args, o.FailedReason, encodeStacktrace(o.Stacktrace), lifo)
	case RetryLater:
		return append(args, o.FailedReason, encodeStacktrace(o.Stacktrace), o.Delay.Milliseconds())
	case Postpone:
		return append(args, o.Delay.Milliseconds())
	default: // GiveBack
		return args
	}
}

// made returns the attempts made, this one counted, of a job that cannot have
// changed in what settling depends on since it was claimed; empty when it may
// have, or when it was claimed to be failed. Adding a job with the id of an
// existing one can give that one a parent, but nobody can add a job with a
// plain number for an id.
func (o *Outcome) made() string {
	if o.Job == nil || o.Job.ParentKey != "" || o.Job.DeduplicationID != "" || o.Job.HasDeferredFailure || len(o.Job.Corrupt) > 0 || !canonicalInteger(o.ID) {
		return ""
	}
	return strconv.Itoa(o.Job.AttemptsMade + 1)
}
