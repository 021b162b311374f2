package cmd

import (
	"context"
	"errors"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// scope is the selected jobs of one state, for commands that change them.
type scope struct {
	*selection
	state queue.State
	// begun is when the command began: jobs that finish later are not meant.
	begun time.Time
	// limit is the selection's, or less; 0 means all.
	limit  int
	except map[string]bool
}

// scopes returns a scope for each state of the selection.
func (s *selection) scopes(begun time.Time) []scope {
	scopes := make([]scope, 0, len(s.states))
	for _, state := range s.states {
		scopes = append(scopes, scope{selection: s, state: state, begun: begun, limit: s.limit})
	}
	return scopes
}

// each visits the jobs in pages; see [queue.Queue.Scan].
func (s scope) each(ctx context.Context, q *queue.Queue, visit func(ids []string) (kept []string, err error)) error {
	request := s.scan(s.state)
	if s.state.Finished() && (request.Until.IsZero() || request.Until.After(s.begun)) {
		request.Until = s.begun
	}
	found := 0
	err := q.Scan(ctx, request, func(ids []string) ([]string, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		picked, kept, err := s.pick(ctx, q, ids)
		if err != nil {
			return nil, err
		}
		enough := s.limit > 0 && found+len(picked) >= s.limit
		if enough {
			kept = append(kept, picked[s.limit-found:]...)
			picked = picked[:s.limit-found]
		}
		found += len(picked)
		stay, err := visit(picked)
		if err == nil && enough {
			err = errEnough
		}
		return append(kept, stay...), err
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// pick parts a page into the jobs that belong to the selection and the others.
func (s scope) pick(ctx context.Context, q *queue.Queue, ids []string) (picked, others []string, err error) {
	byTimeAlone := s.nameGlob == nil && s.idGlob == nil && s.cause == "" && s.state.Finished()
	if !s.filtered() || byTimeAlone { // Redis has looked at the time
		for _, id := range ids {
			if s.except[id] {
				others = append(others, id)
			} else {
				picked = append(picked, id)
			}
		}
		return picked, others, nil
	}
	jobs := make([]queue.Job, 0, len(ids))
	if fields := s.fields(); fields == 0 {
		for _, id := range ids {
			jobs = append(jobs, queue.Job{ID: id})
		}
	} else if jobs, others, err = q.Read(ctx, ids, fields, 0); err != nil {
		return nil, nil, err
	}
	for _, job := range jobs {
		job.State = s.state
		if s.filter(job) && !s.except[job.ID] {
			picked = append(picked, job.ID)
		} else {
			others = append(others, job.ID)
		}
	}
	return picked, others, nil
}

// collect returns the ids, the next to run or the first to finish in front.
func (s scope) collect(ctx context.Context, q *queue.Queue) ([]string, error) {
	var found []string
	err := s.each(ctx, q, func(ids []string) ([]string, error) {
		found = append(found, ids...)
		return ids, nil
	})
	return found, err
}

// newestIDs returns the ids from the newest on, as many as the limit.
func (s scope) newestIDs(ctx context.Context, q *queue.Queue) ([]string, error) {
	until := *s.selection
	if until.until.IsZero() || until.until.After(s.begun) {
		until.until = s.begun
	}
	var newest []string
	for h, err := range newSearch(&until, 0).of(ctx, q, s.state) {
		if err != nil {
			return nil, err
		}
		if newest = append(newest, h.ID); len(newest) == s.limit {
			break
		}
	}
	return newest, nil
}

// count tells how many jobs there are.
func (s scope) count(ctx context.Context, q *queue.Queue) (int64, error) {
	n := int64(0)
	if s.filtered() {
		err := s.each(ctx, q, func(ids []string) ([]string, error) {
			n += int64(len(ids))
			return ids, nil
		})
		return n, err
	}
	counts, err := q.Counts(ctx)
	if n = countOf(counts, s.state); s.limit > 0 {
		n = min(n, int64(s.limit))
	}
	return n, err
}

// countOf returns the number of jobs in one state.
func countOf(c queue.Counts, state queue.State) int64 {
	switch state {
	case queue.StateWaiting:
		return c.Waiting
	case queue.StatePrioritized:
		return c.Prioritized
	case queue.StateActive:
		return c.Active
	case queue.StateCompleted:
		return c.Completed
	case queue.StateFailed:
		return c.Failed
	case queue.StateDelayed:
		return c.Delayed
	case queue.StateWaitingChildren:
		return c.WaitingChildren
	}
	return 0
}
