package queue

import (
	"context"
	"time"
)

// Recovered is what a stalled check did.
type Recovered struct {
	// Checked is false when another worker checked within the interval; Next
	// is how much of that interval is left, 0 when Redis cannot tell.
	Checked bool
	Next    time.Duration
	// IDs went back to wait; Failing are those of them that have stalled too
	// often, which the next worker fails.
	IDs     []string
	Failing []string
}

// stalledMarkPage bounds one marking call; the first pages hold the oldest
// jobs, which are the likeliest to have stalled.
const stalledMarkPage = 5000

// RecoverStalled gives jobs back whose worker has gone: those that were active
// without a lock at this check and active at the one before. Each fleet of
// workers checks once per interval, whoever comes first. The check goes in
// pages, so that a huge active list keeps other clients waiting for no more
// than milliseconds at a time.
func (q *Queue) RecoverStalled(ctx context.Context, interval time.Duration, maxStalled int) (Recovered, error) {
	var r Recovered
	first := "1"
	for {
		reply, err := q.run(ctx, scriptStalledRecover, q.nowMS(), interval.Milliseconds(), maxStalled, first, stalledMarkPage)
		if err != nil {
			return r, err
		}
		if left, ok := reply.(int64); ok {
			r.Next = time.Duration(-left) * time.Millisecond
			return r, nil
		}
		first, r.Checked = "", true
		parts := replyList(reply)
		r.IDs = append(r.IDs, replyTexts(at(parts, 0))...)
		r.Failing = append(r.Failing, replyTexts(at(parts, 1))...)
		if replyInt(at(parts, 2)) == 0 {
			return r, q.markSuspects(ctx, replyInt(at(parts, 3)))
		}
	}
}

// markSuspects marks the active jobs that the last page of a check did not get
// to; left is how many they are.
func (q *Queue) markSuspects(ctx context.Context, left int64) error {
	for marked := stalledMarkPage; left > 0; marked += stalledMarkPage {
		reply, err := q.run(ctx, scriptStalledMark, marked, stalledMarkPage)
		if err != nil {
			return err
		}
		left = replyInt(reply)
	}
	return nil
}
