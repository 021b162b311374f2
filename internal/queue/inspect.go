package queue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Counts is how many jobs of each state a queue holds.
type Counts struct {
	// Waiting includes the list in which BullMQ 5 keeps the waiting jobs of a
	// paused queue.
	Waiting         int64
	Prioritized     int64
	Active          int64
	Completed       int64
	Failed          int64
	Delayed         int64
	WaitingChildren int64
	// Total is the sum of all of the above.
	Total  int64
	Paused bool
	// Err says why this queue of several could not be read, such as
	// ErrCorrupt; the rest is then zero.
	Err error
}

// Rates is how many jobs finished within the last minute.
type Rates struct {
	CompletedPerMinute int64
	FailedPerMinute    int64
	// Err says why this queue of several could not be read.
	Err error
}

// queuesPerRound is how many queues one pipeline asks.
const queuesPerRound = 250

// Counts counts the jobs of the queue. A queue that does not exist has none.
func (q *Queue) Counts(ctx context.Context) (Counts, error) {
	counts, err := q.client.CountsOf(ctx, []KeyBase{q.base})
	if err != nil {
		return Counts{}, err
	}
	return counts[0], counts[0].Err
}

// CountsOf counts the jobs of many queues, in the order given. A queue whose
// keys are of the wrong type, or forbidden to this user, has its error in Err
// and does not hide the others.
func (c *Client) CountsOf(ctx context.Context, bases []KeyBase) ([]Counts, error) {
	counts := make([]Counts, len(bases))
	errs, err := c.ask(ctx, bases, func(pipe redis.Pipeliner, i int) func() error {
		return askCounts(ctx, pipe, bases[i], &counts[i])
	})
	if err != nil {
		return nil, fmt.Errorf("counts: %w", err)
	}
	for i, err := range errs {
		if err != nil {
			counts[i] = Counts{Err: wrapRedis("counts of "+bases[i].String(), err)}
		}
	}
	return counts, nil
}

// markersLooked is how many entries at the end of the waiting list may be
// markers of an old layout; BullMQ itself expects one.
const markersLooked = 10

func askCounts(ctx context.Context, pipe redis.Pipeliner, base KeyBase, into *Counts) func() error {
	type number struct {
		reply *redis.IntCmd
		into  *int64
	}
	list := func(suffix string, n *int64) number { return number{pipe.LLen(ctx, base.key(suffix)), n} }
	set := func(suffix string, n *int64) number { return number{pipe.ZCard(ctx, base.key(suffix)), n} }
	var inPaused int64
	numbers := []number{
		list(keyWait, &into.Waiting), list(keyPaused, &inPaused), list(keyActive, &into.Active),
		set(keyPrioritized, &into.Prioritized), set(keyCompleted, &into.Completed), set(keyFailed, &into.Failed),
		set(keyDelayed, &into.Delayed), set(keyWaitingChildren, &into.WaitingChildren),
	}
	tail := pipe.LRange(ctx, base.key(keyWait), -markersLooked, -1)
	paused := pipe.HExists(ctx, base.key(keyMeta), "paused")
	return func() error {
		for _, n := range numbers {
			count, err := n.reply.Result()
			if err != nil {
				return err
			}
			*n.into = count
			into.Total += count
		}
		next, err := tail.Result()
		if err != nil {
			return err
		}
		markers := countMarkers(next)
		into.Waiting += inPaused - markers
		into.Total -= markers
		into.Paused, err = paused.Result()
		return err
	}
}

// isMarker recognizes the entries by which old layouts woke workers.
func isMarker(id string) bool { return strings.HasPrefix(id, "0:") }

// countMarkers counts the markers at the right end.
func countMarkers(tail []string) int64 {
	n := int64(0)
	for i := len(tail) - 1; i >= 0 && isMarker(tail[i]); i-- {
		n++
	}
	return n
}

// Rates counts the jobs that finished in the minute before now. See RatesOf.
func (q *Queue) Rates(ctx context.Context, now time.Time) (Rates, error) {
	rates, err := q.client.RatesOf(ctx, []KeyBase{q.base}, now)
	if err != nil {
		return Rates{}, err
	}
	return rates[0], rates[0].Err
}

// RatesOf counts the jobs of many queues that finished in the minute before
// now, in the order given. It sees jobs that are still there: a queue that keeps
// fewer than a minute's worth of finished jobs shows fewer than it finished.
func (c *Client) RatesOf(ctx context.Context, bases []KeyBase, now time.Time) ([]Rates, error) {
	finished, err := c.FinishedOf(ctx, bases, now.Add(-time.Minute), now)
	if err != nil {
		return nil, err
	}
	rates := make([]Rates, len(bases))
	for i, f := range finished {
		rates[i] = Rates{CompletedPerMinute: f.Completed, FailedPerMinute: f.Failed, Err: f.Err}
	}
	return rates, nil
}

// Finished is how many jobs of a queue finished in a span of time.
type Finished struct {
	Completed int64
	Failed    int64
	// Err is why the numbers are missing, matched as ErrCorrupt or by its
	// class.
	Err error
}

// FinishedOf counts the jobs of many queues that finished after from and not
// after to, in the order given, as far as they are still there.
func (c *Client) FinishedOf(ctx context.Context, bases []KeyBase, from, to time.Time) ([]Finished, error) {
	low := "(" + strconv.FormatInt(from.UnixMilli(), 10)
	high := strconv.FormatInt(to.UnixMilli(), 10)
	finished := make([]Finished, len(bases))
	errs, err := c.ask(ctx, bases, func(pipe redis.Pipeliner, i int) func() error {
		completed := pipe.ZCount(ctx, bases[i].key(keyCompleted), low, high)
		failed := pipe.ZCount(ctx, bases[i].key(keyFailed), low, high)
		return func() error {
			finished[i] = Finished{Completed: completed.Val(), Failed: failed.Val()}
			return errors.Join(completed.Err(), failed.Err())
		}
	})
	if err != nil {
		return nil, fmt.Errorf("rates: %w", err)
	}
	for i, err := range errs {
		if err != nil {
			finished[i] = Finished{Err: wrapRedis("rates of "+bases[i].String(), err)}
		}
	}
	return finished, nil
}

// ask puts the same questions to many queues, in few round trips. put adds the
// commands of one queue and returns what reads their replies. Errors that
// concern one queue are returned in its place; any other ends the whole.
func (c *Client) ask(ctx context.Context, bases []KeyBase, put func(pipe redis.Pipeliner, i int) func() error) ([]error, error) {
	errs := make([]error, len(bases))
	for start := 0; start < len(bases); start += queuesPerRound {
		pipe := c.rdb.Pipeline()
		replies := make([]func() error, min(queuesPerRound, len(bases)-start))
		for i := range replies {
			replies[i] = put(pipe, start+i)
		}
		// Every command holds its own error, also when none was sent.
		_, _ = pipe.Exec(ctx)
		for i, read := range replies {
			err := read()
			switch Classify(err) {
			case ClassNone:
			case ClassCorrupt, ClassDenied:
				errs[start+i] = err
			default:
				return nil, err
			}
		}
	}
	return errs, nil
}

var scriptOldestWaiting = &script{name: "oldest_waiting", readOnly: true}

// OldestWaiting tells since when the longest-waiting job has been ready to run,
// and false when none waits. It looks where that job must be: at the next to
// run, and at the first of the lowest priority class. A job is ready from its
// creation or the end of its delay, and after a failed attempt or a stall from
// that attempt's start, as its end is not stored; a finished job that was
// retried by hand counts from its creation.
func (q *Queue) OldestWaiting(ctx context.Context) (time.Time, bool, error) {
	reply, err := q.run(ctx, scriptOldestWaiting, ListFieldLimit)
	if err != nil {
		return time.Time{}, false, err
	}
	var oldest time.Time
	for _, entry := range replyList(reply) {
		since := readySince(replyTexts(entry))
		if !since.IsZero() && (oldest.IsZero() || since.Before(oldest)) {
			oldest = since
		}
	}
	return oldest, !oldest.IsZero(), nil
}

// readySince returns the zero time when the job's creation is not readable.
func readySince(texts []string) time.Time {
	if len(texts) < 3 {
		return time.Time{}
	}
	var job Job
	decodeField(&job, fieldTimestamp, texts[0])
	if job.Timestamp.IsZero() {
		return time.Time{}
	}
	since := job.Timestamp
	if opts, err := DecodeOptions([]byte(texts[2])); err == nil {
		since = since.Add(opts.Delay)
	}
	if texts[1] != "" {
		decodeField(&job, fieldProcessedOn, texts[1])
	}
	if job.ProcessedOn.After(since) {
		since = job.ProcessedOn
	}
	return since
}

// DueTimes tells when delayed jobs are due, in the order of the ids; the zero
// time for an id that is not delayed.
func (q *Queue) DueTimes(ctx context.Context, ids []string) ([]time.Time, error) {
	due := make([]time.Time, 0, len(ids))
	for len(ids) > 0 {
		page := ids[:min(readBatchJobs, len(ids))]
		scores, err := q.client.rdb.ZMScore(ctx, q.base.key(keyDelayed), page...).Result()
		if err != nil {
			return nil, wrapRedis("delayed jobs of "+q.base.String(), err)
		}
		for _, score := range scores {
			at := time.Time{}
			if ms := math.Floor(score / delayedScale); ms > 0 && ms < 1<<53 {
				at = time.UnixMilli(int64(ms))
			}
			due = append(due, at)
		}
		ids = ids[len(page):]
	}
	return due, nil
}
