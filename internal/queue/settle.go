package queue

import (
	"context"
	"encoding/json"
	"errors"
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
	args := append([]any{q.nowMS()}, next.args()...)
	args = append(args, opts.MetricsPoints)
	args = append(args, outcomeArgs(outcomes)...)
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
	q.findOut(ctx, settled.Errs)
	if opts.Next != nil {
		settled.Claimed = q.decodeClaimed(at(parts, 1), next.Token)
	}
	return settled, nil
}

// findOut notes where the jobs are that were not active, which costs nothing when
// all were. It is for the reader of the error: what cannot be found out is left
// open, and so is a job that is active by now.
func (q *Queue) findOut(ctx context.Context, errs []error) {
	var elsewhere []*JobError
	var ids []string
	for _, err := range errs {
		var job *JobError
		if errors.As(err, &job) && errors.Is(job.Err, ErrJobNotInState) {
			elsewhere, ids = append(elsewhere, job), append(ids, job.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	states, err := q.StateOf(ctx, ids)
	if err != nil {
		return
	}
	for i, state := range states {
		if state != StateActive {
			elsewhere[i].State = state
		}
	}
}

// terms is what outcomes of one batch mostly have in common, as settle.lua
// takes it.
type terms struct{ kind, token, rule, made, stacktrace, more string }

// recentTerms is how many terms an outcome's are compared with.
const recentTerms = 8

// outcomeArgs writes each distinct terms once, and outcomes that refer to them.
func outcomeArgs(outcomes []Outcome) []any {
	var distinct []terms
	refs := make([]any, 0, 3*len(outcomes))
	for i := range outcomes {
		t := outcomes[i].terms()
		number := len(distinct)
		for n := len(distinct) - 1; n >= max(0, len(distinct)-recentTerms); n-- {
			if distinct[n] == t {
				number = n
				break
			}
		}
		if number == len(distinct) {
			distinct = append(distinct, t)
		}
		refs = append(refs, number+1, outcomes[i].ID, outcomes[i].value())
	}
	args := make([]any, 0, 2+6*len(distinct)+len(refs))
	args = append(args, len(outcomes), len(distinct))
	for _, t := range distinct {
		args = append(args, t.kind, t.token, t.rule, t.made, t.stacktrace, t.more)
	}
	return append(args, refs...)
}

func (o *Outcome) terms() terms {
	t := terms{kind: string(rune(o.Kind)), token: o.Token}
	switch o.Kind {
	case Complete:
		t.rule, t.made = o.Keep.rule(), o.made()
	case Fail:
		t.rule, t.made = o.Keep.rule(), o.made()
		t.stacktrace, t.more = encodeStacktrace(o.Stacktrace), strconv.Itoa(o.Attempts)
	case RetryNow:
		t.stacktrace = encodeStacktrace(o.Stacktrace)
		if o.LIFO {
			t.more = "lifo"
		}
	case RetryLater:
		t.stacktrace, t.more = encodeStacktrace(o.Stacktrace), strconv.FormatInt(o.Delay.Milliseconds(), 10)
	case Postpone:
		t.more = strconv.FormatInt(o.Delay.Milliseconds(), 10)
	case GiveBack:
	}
	return t
}

// value is what is stored of the outcome itself.
func (o *Outcome) value() string {
	switch {
	case o.Kind != Complete:
		return o.FailedReason
	case len(o.ReturnValue) == 0:
		return "null"
	}
	return string(o.ReturnValue)
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
