package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Failure is what a failed job is counted by.
type Failure struct {
	ID, Name string
	// Reason may be cut behind what [Cause] looks at. It is empty, as Name is,
	// when it has more than ListFieldLimit bytes.
	Reason string
	// At is when the job failed, by its place among the failed jobs; zero when
	// that is no time.
	At time.Time
}

// Bounds of one page of failures. A page of short reasons keeps Redis busy for
// about three milliseconds.
const (
	failurePageBytes = 1 << 20
	// enoughReason leaves room for space in front of what is compared.
	enoughReason = 4 * maxCauseBytes
)

var scriptScanReasons = &script{name: "scan_reasons", readOnly: true}

// ScanFailures visits all failed jobs as [Queue.Scan] does, the first to fail
// first, and reads why they failed in the same call, which costs half of
// reading them by itself. The next page is on its way while visit works on
// one; a page is valid until visit returns. The state of the request does not
// matter. Ids without a job are passed over.
func (q *Queue) ScanFailures(ctx context.Context, r ScanRequest, visit func([]Failure) error) error {
	r.State = StateFailed
	low, high, err := r.bounds()
	if err != nil {
		return fmt.Errorf("scan %s: %w", q.base, err)
	}
	page := r.Page
	if page <= 0 {
		page = MaxScanPage
	}
	page = min(page, MaxScanPage)
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan failurePage)
	go q.readFailures(ctx, []any{page, low, high, ListFieldLimit, failurePageBytes, enoughReason}, pages)
	defer func() {
		cancel()
		for range pages { // until the reader has ended
		}
	}()
	var failures []Failure
	for page := range pages {
		if page.err != nil {
			return page.err
		}
		if failures = page.failures(failures[:0]); len(failures) == 0 {
			continue
		}
		if err := visit(failures); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// failurePage is a reply of scan_reasons.lua, or why there is none.
type failurePage struct {
	values []any
	err    error
}

// readFailures reads one page after the other and closes the channel behind the
// last.
func (q *Queue) readFailures(ctx context.Context, request []any, pages chan<- failurePage) {
	defer close(pages)
	args := request
	for {
		reply, err := q.run(ctx, scriptScanReasons, args...)
		parts := replyList(reply)
		if err == nil && replyText(at(parts, 2)) == "" {
			return
		}
		select {
		case pages <- failurePage{replyList(at(parts, 0)), err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		args = append(request[:len(request):len(request)], parts[1:]...)
	}
}

// failures appends the failures of the page.
func (p failurePage) failures(to []Failure) []Failure {
	for v := p.values; len(v) >= 4; v = v[4:] {
		to = append(to, Failure{
			ID: replyText(v[0]), At: scoreTime(replyText(v[1])), Name: replyText(v[2]), Reason: replyText(v[3]),
		})
	}
	return to
}

// latestScore is what no time in milliseconds reaches.
const latestScore = 1 << 53

// scoreTime returns the time that a finished job's score is; zero when it is
// none.
func scoreTime(score string) time.Time {
	ms, err := strconv.ParseInt(score, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(score, 64)
		if err != nil || !(f > 0 && f < latestScore) {
			return time.Time{}
		}
		ms = int64(f)
	}
	if ms <= 0 || ms >= latestScore {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
