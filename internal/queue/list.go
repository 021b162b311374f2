package queue

import (
	"context"
	"fmt"
)

// MaxList is the most jobs that one List returns.
const MaxList = 10000

// ListRequest asks for the jobs of one state.
type ListRequest struct {
	State State
	// Start skips that many jobs; Count is at most MaxList.
	Start int
	Count int
	// Newest lists from the other end. By itself a list begins with the job
	// that runs next, was active first, is due first or finished first.
	Newest bool
	Fields Fields
	// Cap is the most bytes of one field; 0 means ListFieldLimit.
	Cap int64
}

// Listed is the answer to a [ListRequest].
type Listed struct {
	Jobs []Job
	// Missing are ids in the list that had no job behind them when it was
	// read: removed in that moment, or lost.
	Missing []string
}

// List reads jobs of one state. Waiting includes the list in which BullMQ 5
// keeps the waiting jobs of a paused queue. Paging by Start is for looking: in a
// queue at work, jobs move between two calls. [Queue.Scan] misses none.
func (q *Queue) List(ctx context.Context, r ListRequest) (Listed, error) {
	if r.Start < 0 || r.Count < 0 || r.Count > MaxList {
		return Listed{}, fmt.Errorf("list %s: %w: start %d, count %d (at most %d)", q.base, ErrInvalidOption, r.Start, r.Count, MaxList)
	}
	ids, err := q.listIDs(ctx, r)
	if err != nil {
		return Listed{}, err
	}
	jobs, missing, err := q.Read(ctx, ids, r.Fields, r.Cap)
	for i := range jobs {
		jobs[i].State = r.State
	}
	return Listed{Jobs: jobs, Missing: missing}, err
}

// listIDs returns a part of a state in the asked direction.
func (q *Queue) listIDs(ctx context.Context, r ListRequest) ([]string, error) {
	suffix, list, err := listKey(r.State)
	if err != nil || r.Count == 0 {
		return nil, err
	}
	if list {
		end := fromNext
		if r.Newest {
			end = fromNewest
		}
		page, err := q.lineIDs(ctx, r.State, end, r.Start, r.Count, nil)
		return page.jobs(), err
	}
	read := q.client.rdb.ZRange
	if r.Newest {
		read = q.client.rdb.ZRevRange
	}
	ids, err := read(ctx, q.base.key(suffix), int64(r.Start), int64(r.Start+r.Count-1)).Result()
	if err != nil {
		return nil, wrapRedis(fmt.Sprintf("%s jobs of %s", r.State, q.base), err)
	}
	return ids, nil
}

var scriptListIDs = &script{name: "list_ids", readOnly: true}

// The ends of a list, as list_ids.lua calls them.
const (
	fromNext   = "next"
	fromNewest = "newest"
)

// linePage is a part of a list of waiting or active jobs.
type linePage struct {
	ids     []string
	length  int // of the whole list
	skipped int // entries between the end of the list and this page
}

// jobs leaves out the markers of old layouts.
func (p linePage) jobs() []string {
	jobs := make([]string, 0, len(p.ids))
	for _, id := range p.ids {
		if !isMarker(id) {
			jobs = append(jobs, id)
		}
	}
	return jobs
}

// lineIDs reads a page of waiting or active ids after skip others. before are
// the ids that stood last before the page, nearest first; they find the place
// again when the list has moved. It is for the next end only.
func (q *Queue) lineIDs(ctx context.Context, s State, end string, skip, count int, before []string) (linePage, error) {
	lists := keyActive
	if s == StateWaiting {
		lists = keyWait + " " + keyPaused
	}
	args := make([]any, 0, 4+len(before))
	args = append(args, lists, end, skip, count)
	for _, id := range before {
		args = append(args, id)
	}
	reply, err := q.run(ctx, scriptListIDs, args...)
	if err != nil {
		return linePage{}, err
	}
	parts := replyList(reply)
	return linePage{
		ids: replyTexts(at(parts, 0)), length: int(replyInt(at(parts, 1))), skipped: int(replyInt(at(parts, 2))),
	}, nil
}
