package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// ScanRequest asks for all jobs of one state.
type ScanRequest struct {
	State State
	// Since and Until, both included, bound when the job finished, is due, or
	// began to wait for its children; zero means no bound. The other states
	// know no such time.
	Since, Until time.Time
	// Page is how many ids are visited at a time, at most MaxScanPage; 0 means
	// 500.
	Page int
}

// Pages of a scan.
const (
	MaxScanPage     = 1000
	defaultScanPage = 500
)

// Scan visits the ids of all jobs of one state, in pages: from the next to run,
// the earliest due, or the first to finish. visit may remove or move the jobs
// of its page; it returns those that still stand where they were. An error of
// visit ends the scan and is returned as it is.
//
// Each job that was there at the beginning is visited once, unless others take
// it away before. Jobs that come back behind the end, such as retried ones that
// fail again, are not visited a second time. Waiting and active jobs stand in
// lists: when others take out very many of them at the same time the scan can
// lose its place, and begins again at the front.
func (q *Queue) Scan(ctx context.Context, r ScanRequest, visit func(ids []string) (kept []string, err error)) error {
	suffix, list, err := listKey(r.State)
	if err != nil {
		return err
	}
	low, high, err := r.bounds()
	if err != nil {
		return fmt.Errorf("scan %s: %w", q.base, err)
	}
	page := r.Page
	if page <= 0 {
		page = defaultScanPage
	}
	page = min(page, MaxScanPage)
	if list {
		return q.scanLine(ctx, r.State, page, visit)
	}
	return q.scanSet(ctx, []any{suffix, page, low, high}, visit)
}

// delayedScale is what the due time of a delayed job is multiplied by in its
// score (wire section 5.1).
const delayedScale = 4096

// bounds returns the lowest and the highest score.
func (r *ScanRequest) bounds() (low, high string, err error) {
	low, high = "-inf", "+inf"
	if r.Since.IsZero() && r.Until.IsZero() {
		return low, high, nil
	}
	scale, width := int64(1), int64(0)
	switch r.State {
	case StateDelayed:
		scale, width = delayedScale, delayedScale-1
	case StateCompleted, StateFailed, StateWaitingChildren:
	default:
		return "", "", fmt.Errorf("%w: %s jobs cannot be chosen by time", ErrInvalidOption, r.State)
	}
	if !r.Since.IsZero() {
		low = strconv.FormatInt(r.Since.UnixMilli()*scale, 10)
	}
	if !r.Until.IsZero() {
		high = strconv.FormatInt(r.Until.UnixMilli()*scale+width, 10)
	}
	return low, high, nil
}

var scriptScanSet = &script{name: "scan_set", readOnly: true}

// scanSet keeps its place by score and id, so it does not matter what visit
// kept.
func (q *Queue) scanSet(ctx context.Context, request []any, visit func([]string) ([]string, error)) error {
	args := request
	for {
		reply, err := q.run(ctx, scriptScanSet, args...)
		if err != nil {
			return err
		}
		parts := replyList(reply)
		ids := replyTexts(at(parts, 0))
		if len(ids) == 0 {
			return nil
		}
		last := ids[len(ids)-1]
		if _, err := visit(ids); err != nil {
			return err
		}
		args = append(request[:len(request):len(request)], at(parts, 1), last, at(parts, 2), at(parts, 3))
	}
}

// Most ids by which scanLine finds its place again, and how many steps over the
// list that may cost.
const (
	maxAnchors  = 100
	anchorSteps = 1000000
)

func (q *Queue) scanLine(ctx context.Context, s State, count int, visit func([]string) ([]string, error)) error {
	skip, left := 0, -1
	var before []string // entries left standing, nearest first
	for {
		page, err := q.lineIDs(ctx, s, fromNext, skip, count, before)
		if err != nil {
			return err
		}
		if left < 0 {
			left = page.length
		}
		page.ids = page.ids[:min(left, len(page.ids))]
		if len(page.ids) == 0 {
			return nil
		}
		left -= len(page.ids)
		standing, err := page.visit(visit)
		if err != nil {
			return err
		}
		skip = page.skipped + len(standing)
		before = nearest(standing, before, min(maxAnchors, max(3, anchorSteps/(skip+1))))
	}
}

// visit returns the entries that still stand, in the order of the page.
func (p linePage) visit(visit func([]string) ([]string, error)) ([]string, error) {
	standing := map[string]bool{}
	if jobs := p.jobs(); len(jobs) > 0 {
		kept, err := visit(jobs)
		if err != nil {
			return nil, err
		}
		for _, id := range kept {
			standing[id] = true
		}
	}
	entries := make([]string, 0, len(p.ids))
	for _, id := range p.ids {
		if standing[id] || isMarker(id) {
			entries = append(entries, id)
		}
	}
	return entries, nil
}

// nearest returns up to n entries, those of the newest page first.
func nearest(page, before []string, n int) []string {
	entries := make([]string, 0, n)
	for i := len(page) - 1; i >= 0 && len(entries) < n; i-- {
		entries = append(entries, page[i])
	}
	return append(entries, before[:min(len(before), n-len(entries))]...)
}
