package queue

import (
	"context"
	"errors"
	"sync"
	"time"
)

// adder gathers single adds that come in while others are under way and sends
// them together: a lone add leaves at once, a hundred callers share a batch.
type adder struct {
	mu      sync.Mutex
	pending []*addCall
	flights int
}

// addCall is one caller of Add. done is closed when the answer is there.
type addCall struct {
	job   NewJob
	added Added
	err   error
	done  chan struct{}
}

// maxAddFlights lets one batch be built while Redis works on another.
const maxAddFlights = 2

// addTimeout bounds a batch: it serves many callers, so none of their contexts
// can end it.
const addTimeout = 30 * time.Second

// Add adds one job and returns its id. It may be called from many goroutines;
// their jobs then travel together. When ctx ends first, the job may be added
// all the same.
func (q *Queue) Add(ctx context.Context, job NewJob) (Added, error) {
	if err := job.validate(); err != nil {
		return Added{}, err
	}
	call := &addCall{job: job, done: make(chan struct{})}
	q.adds.mu.Lock()
	q.adds.pending = append(q.adds.pending, call)
	fly := q.adds.flights < maxAddFlights
	if fly {
		q.adds.flights++
	}
	q.adds.mu.Unlock()
	if fly {
		// It ends when nothing is pending; every caller waits for its answer.
		go q.sendAdds(context.WithoutCancel(ctx))
	}
	select {
	case <-call.done:
		return call.added, call.err
	case <-ctx.Done():
		return Added{}, wrapRedis("add to "+q.base.String(), ctx.Err())
	}
}

// sendAdds sends what is pending, batch by batch, until nothing is.
func (q *Queue) sendAdds(ctx context.Context) {
	for {
		q.adds.mu.Lock()
		n := min(len(q.adds.pending), addBatchJobs)
		if n == 0 {
			q.adds.flights--
			q.adds.mu.Unlock()
			return
		}
		calls := q.adds.pending[:n:n]
		q.adds.pending = q.adds.pending[n:]
		q.adds.mu.Unlock()

		jobs := make([]NewJob, n)
		for i, call := range calls {
			jobs[i] = call.job
		}
		for len(calls) > 0 {
			n := q.answerAdds(ctx, calls, jobs)
			calls, jobs = calls[n:], jobs[n:]
		}
	}
}

// answerAdds adds jobs and answers their callers, of which it returns how many.
// There may be more when a job is refused: those after it are not to blame.
func (q *Queue) answerAdds(ctx context.Context, calls []*addCall, jobs []NewJob) int {
	bounded, cancel := context.WithTimeout(ctx, addTimeout)
	added, err := q.AddBulk(bounded, jobs)
	cancel()
	var refused *refusedJob
	if errors.As(err, &refused) {
		err = refused.err
		calls = calls[:min(len(added)+1, len(calls))]
	}
	for i, call := range calls {
		if i < len(added) {
			call.added = added[i]
		} else {
			call.err = err
		}
		close(call.done)
	}
	return len(calls)
}
