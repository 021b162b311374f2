package queue

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Removals of many jobs. Each goes in pages that keep other clients waiting for
// a few milliseconds, whatever the size of the queue.
var (
	scriptSweep        = &script{name: "sweep"}
	scriptRemoveWindow = &script{name: "remove_window"}
)

const (
	// sweepPage is the most jobs that one call looks at or removes, and
	// stretchPage that of one call deep in a list, where each costs more.
	sweepPage   = 1000
	stretchPage = 500
	// windowSlack is how far jobs may have moved on in a list between reading
	// a stretch of it and removing from it.
	windowSlack = 1000
)

// Modes of sweep.lua.
const (
	sweepClean      = "clean"
	sweepDrain      = "drain"
	sweepObliterate = "obliterate"
	sweepForce      = "force"
)

// CleanOptions says which jobs are old enough to go.
type CleanOptions struct {
	// State is where they are; not waiting-children, whose jobs BullMQ never
	// cleans.
	State State
	// OlderThan counts from when a job finished, was last started or was
	// created, whichever it has of them. 0 means all.
	OlderThan time.Duration
	// Limit is the most jobs to remove, the oldest first; 0 means no limit.
	Limit int
	// Keep leaves the newest so many in the state, however old.
	Keep int
	// OnPage hears after every step how many jobs it removed.
	OnPage func(removed int)
}

func (o *CleanOptions) validate() error {
	if o.State == StateWaitingChildren {
		return fmt.Errorf("%w: jobs that wait for children cannot be cleaned", ErrInvalidOption)
	}
	if o.OlderThan < 0 || o.Limit < 0 || o.Keep < 0 {
		return fmt.Errorf("%w: age, limit and number to keep cannot be negative", ErrInvalidOption)
	}
	return nil
}

// Clean removes old jobs of one state and returns how many. It leaves active
// jobs that a worker holds, those that a job scheduler waits for, and keys that
// are no jobs. A parent that waited for nothing else goes too. When ctx ends,
// the count so far comes with its error.
func (q *Queue) Clean(ctx context.Context, opts CleanOptions) (int, error) {
	if err := opts.validate(); err != nil {
		return 0, err
	}
	suffix, _, err := listKey(opts.State)
	if err != nil {
		return 0, err
	}
	s := sweep{
		mode: sweepClean, cutoff: q.nowMS() - opts.OlderThan.Milliseconds(),
		limit: opts.Limit, keep: opts.Keep, onPage: opts.OnPage,
	}
	if suffix == keyWait {
		return q.sweep(ctx, s, keyPaused, keyWait)
	}
	return q.sweep(ctx, s, suffix)
}

// DrainOptions says what a drain takes beside waiting jobs.
type DrainOptions struct {
	// Delayed takes delayed jobs too.
	Delayed bool
	// OnPage hears after every step how many jobs it removed.
	OnPage func(removed int)
}

// Drain removes all waiting and prioritized jobs and returns how many; jobs
// that are added meanwhile may go too. Those that a job scheduler waits for
// stay in their place. An entry whose key is no job leaves the queue, and its
// key stays. When ctx ends, the count so far comes with its error.
func (q *Queue) Drain(ctx context.Context, opts DrainOptions) (int, error) {
	structures := []string{keyPaused, keyWait, keyPrioritized}
	if opts.Delayed {
		structures = append(structures, keyDelayed)
	}
	return q.sweep(ctx, sweep{mode: sweepDrain, onPage: opts.OnPage}, structures...)
}

// sweep is one removal that goes through lists and sets from the oldest job on.
type sweep struct {
	mode   string
	cutoff int64 // ms
	limit  int   // 0 for none
	keep   int
	onPage func(int)
}

func (q *Queue) sweep(ctx context.Context, s sweep, structures ...string) (int, error) {
	removed := 0
	for n, suffix := range structures {
		// A clean that removes nothing says so once, of the last structure.
		first := n == len(structures)-1 && removed == 0
		place := []any{0, "", ""}
		for {
			if err := ctx.Err(); err != nil {
				return removed, err
			}
			most := math.MaxInt32
			if s.limit > 0 {
				most = s.limit - removed
			}
			args := append([]any{suffix, s.mode, q.nowMS(), s.cutoff, sweepPage, most, s.keep}, place...)
			reply, err := q.run(ctx, scriptSweep, append(args, flag(first))...)
			if err != nil {
				return removed, err
			}
			if code, refused := reply.(int64); refused {
				return removed, fmt.Errorf("%s: %w", q.base, codeErrors[code])
			}
			first = false
			parts := replyList(reply)
			if len(parts) != 5 {
				return removed, fmt.Errorf("sweep %s: %w: unexpected answer", q.base, ErrCorrupt)
			}
			n := int(replyInt(parts[0]))
			removed += n
			if s.onPage != nil {
				s.onPage(n)
			}
			if s.limit > 0 && removed >= s.limit {
				return removed, nil
			}
			if replyText(parts[1]) != "" {
				break
			}
			place = parts[2:]
		}
	}
	return removed, nil
}

// RemoveFrom deletes many jobs that were found in one state, much faster than
// [Queue.Remove] where that state is a list. Its answers are the same, with
// ErrJobNotInState for a job that has moved on.
func (q *Queue) RemoveFrom(ctx context.Context, state State, ids []string) ([]error, error) {
	suffix, list, err := listKey(state)
	if err != nil {
		return nil, err
	}
	if !list {
		return q.perJob(ctx, scriptRemove, []any{suffix, "", removeSteps, changePage}, ids)
	}
	r := &listRemoval{q: q, errs: make([]error, len(ids)), pending: make(map[string]int, len(ids))}
	var order []string
	for i, id := range ids {
		if _, twice := r.pending[id]; twice {
			r.errs[i] = &JobError{ID: id, Err: ErrJobNotFound}
			continue
		}
		r.pending[id] = i
		order = append(order, id)
	}
	lists := []string{suffix}
	if suffix == keyWait {
		lists = append(lists, keyPaused)
	}
	for _, name := range lists {
		if err == nil {
			err = r.walk(ctx, name)
		}
	}
	if err == nil {
		err = r.rest(ctx, suffix, order)
	}
	if err != nil {
		for id, i := range r.pending {
			r.errs[i] = &JobError{ID: id, Err: err}
		}
	}
	return r.errs, err
}

// listRemoval is one RemoveFrom on its way through a list.
type listRemoval struct {
	q       *Queue
	errs    []error
	pending map[string]int // id to its place in errs
}

// walk goes through the list from its left, where a change elsewhere in the
// list moves nothing, and removes the pending jobs of each stretch at once.
func (r *listRemoval) walk(ctx context.Context, name string) error {
	for from := 0; len(r.pending) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		stretch, err := r.q.client.rdb.LRange(ctx, r.q.base.key(name), int64(from), int64(from+stretchPage-1)).Result()
		if err != nil {
			return wrapRedis(name+" of "+r.q.base.String(), err)
		}
		removed, err := r.remove(ctx, name, from, stretch)
		if err != nil {
			return err
		}
		if len(stretch) < stretchPage {
			return nil
		}
		from += len(stretch) - removed
	}
	return nil
}

// remove takes the pending jobs out of a stretch that was read at from. Those
// that are not there any more stay pending.
func (r *listRemoval) remove(ctx context.Context, name string, from int, stretch []string) (removed int, err error) {
	args := []any{name, from, from + stretchPage + windowSlack - 1}
	var hits []string
	for _, id := range stretch {
		if _, ok := r.pending[id]; ok {
			hits = append(hits, id)
			args = append(args, id)
		}
	}
	if len(hits) == 0 {
		return 0, nil
	}
	codes, err := r.q.codes(ctx, scriptRemoveWindow, args, len(hits))
	if err != nil {
		return 0, err
	}
	for i, code := range codes {
		if code == -3 {
			continue
		}
		if code == 0 {
			removed++
		}
		r.done(hits[i], codeError(hits[i], code))
	}
	return removed, nil
}

// rest removes one by one what the walk has missed, and finds out why.
func (r *listRemoval) rest(ctx context.Context, suffix string, order []string) error {
	var left []string
	for _, id := range order {
		if _, ok := r.pending[id]; ok {
			left = append(left, id)
		}
	}
	errs, err := r.q.perJob(ctx, scriptRemove, []any{suffix, "", removeSteps, changePage}, left)
	for i, id := range left {
		r.done(id, errs[i])
	}
	return err
}

func (r *listRemoval) done(id string, err error) {
	if i, ok := r.pending[id]; ok {
		r.errs[i] = err
		delete(r.pending, id)
	}
}
