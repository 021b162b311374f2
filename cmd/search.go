package cmd

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// searchPage is how many jobs a search reads at a time.
const searchPage = 500

// search looks for the jobs of a selection. It never holds more than a page of
// them, however many there are.
type search struct {
	*selection
	// want is what to read of each job that is found.
	want queue.Fields
	// due asks when delayed jobs are due.
	due bool
	// page is how many ids are looked at in one go.
	page int
	// lost counts the ids that had no job behind them.
	lost int
}

// hit is a job that a search found.
type hit struct {
	queue.Job
	due time.Time // zero unless the job is delayed and the search asks
}

// hits are found one by one; an error is the last.
type hits = iter.Seq2[hit, error]

// newSearch reads no more than the limit makes necessary.
func newSearch(s *selection, want queue.Fields) *search {
	page := searchPage
	if s.limit > 0 && !s.filtered() {
		page = min(page, s.limit+1)
	}
	return &search{selection: s, want: want | queue.FieldFinishedOn, page: page}
}

// of looks through one state of a queue, from the end that the selection says.
func (s *search) of(ctx context.Context, q *queue.Queue, state queue.State) hits {
	if s.fromNewest(state) {
		return s.newestFirst(ctx, q, state)
	}
	return s.inOrder(ctx, q, state)
}

// errEnough ends a scan whose reader wants no more.
var errEnough = errors.New("enough")

// inOrder yields jobs as they will run, fall due or finished.
func (s *search) inOrder(ctx context.Context, q *queue.Queue, state queue.State) hits {
	return func(yield func(hit, error) bool) {
		request := s.scan(state)
		request.Page = s.page
		err := q.Scan(ctx, request, func(ids []string) ([]string, error) {
			found, err := s.choose(ctx, q, state, ids)
			if err != nil {
				return nil, err
			}
			for _, h := range found {
				if !yield(h, nil) {
					return nil, errEnough
				}
			}
			return ids, nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(hit{}, err)
		}
	}
}

// newestFirst yields jobs from the other end. In a queue at work they move
// between two pages; those of the page before are not yielded twice.
func (s *search) newestFirst(ctx context.Context, q *queue.Queue, state queue.State) hits {
	return func(yield func(hit, error) bool) {
		var before map[string]bool
		for start := 0; ; start += s.page {
			listed, err := q.List(ctx, queue.ListRequest{
				State: state, Start: start, Count: s.page, Newest: true, Fields: s.firstLook() | queue.FieldFinishedOn,
			})
			if err != nil {
				yield(hit{}, err)
				return
			}
			s.lost += len(listed.Missing)
			found, err := s.keep(ctx, q, state, listed.Jobs, before)
			if err != nil {
				yield(hit{}, err)
				return
			}
			for _, h := range found {
				if !yield(h, nil) {
					return
				}
			}
			if len(listed.Jobs)+len(listed.Missing) < s.page || s.past(listed.Jobs) {
				return
			}
			before = idSet(listed.Jobs)
		}
	}
}

// past reports whether everything behind these jobs finished too long ago.
func (s *search) past(jobs []queue.Job) bool {
	if len(jobs) == 0 || s.since.IsZero() {
		return false
	}
	last := jobs[len(jobs)-1]
	return last.State.Finished() && !last.FinishedOn.IsZero() && last.FinishedOn.Before(s.since)
}

// firstLook is what is read of every job: what decides, since most payloads may
// not be wanted, or everything at once where nothing has to be decided.
func (s *search) firstLook() queue.Fields {
	if s.filtered() {
		return s.fields()
	}
	return s.want
}

// choose returns the jobs behind the ids that belong to the selection.
func (s *search) choose(ctx context.Context, q *queue.Queue, state queue.State, ids []string) ([]hit, error) {
	if s.idGlob != nil {
		ids = matchingIDs(s.idGlob.MatchString, ids)
	}
	jobs, missing, err := q.Read(ctx, ids, s.firstLook(), 0)
	if err != nil {
		return nil, err
	}
	s.lost += len(missing)
	return s.keep(ctx, q, state, inState(jobs, state), nil)
}

// keep returns those of the jobs that belong to the selection and were not on
// the page before, with everything that is wanted of them. A job that is gone by
// the second look was taken away, and is no loss.
func (s *search) keep(
	ctx context.Context, q *queue.Queue, state queue.State, jobs []queue.Job, before map[string]bool,
) ([]hit, error) {
	kept := make([]queue.Job, 0, len(jobs))
	for _, job := range jobs {
		if !before[job.ID] && s.filter(job) {
			kept = append(kept, job)
		}
	}
	if s.filtered() {
		ids := make([]string, len(kept))
		for i := range kept {
			ids[i] = kept[i].ID
		}
		var err error
		if kept, _, err = q.Read(ctx, ids, s.want, 0); err != nil {
			return nil, err
		}
		inState(kept, state)
	}
	return s.withDue(ctx, q, state, kept)
}

func (s *search) withDue(ctx context.Context, q *queue.Queue, state queue.State, jobs []queue.Job) ([]hit, error) {
	found := make([]hit, len(jobs))
	ids := make([]string, len(jobs))
	for i, job := range jobs {
		found[i], ids[i] = hit{Job: job}, job.ID
	}
	if !s.due || state != queue.StateDelayed {
		return found, nil
	}
	times, err := q.DueTimes(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, at := range times {
		found[i].due = at
	}
	return found, nil
}

func matchingIDs(match func(string) bool, ids []string) []string {
	matching := make([]string, 0, len(ids))
	for _, id := range ids {
		if match(id) {
			matching = append(matching, id)
		}
	}
	return matching
}

// inState notes where the jobs were found.
func inState(jobs []queue.Job, state queue.State) []queue.Job {
	for i := range jobs {
		jobs[i].State = state
	}
	return jobs
}

func idSet(jobs []queue.Job) map[string]bool {
	set := make(map[string]bool, len(jobs))
	for _, job := range jobs {
		set[job.ID] = true
	}
	return set
}
