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
	// Concurrency is the most jobs active at one time over all workers; nil
	// means no limit.
	Concurrency *int
	// LimitedFor is how long the queue's rate lets no further job start; 0 when
	// it lets some. A rate that only workers have is not known here.
	LimitedFor time.Duration
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

// markersLooked is how many entries at the end of a waiting list may be markers
// of an old layout; BullMQ itself expects one.
const markersLooked = 10

func askCounts(ctx context.Context, pipe redis.Pipeliner, base KeyBase, into *Counts) func() error {
	type number struct {
		reply *redis.IntCmd
		into  *int64
	}
	set := func(suffix string, n *int64) number { return number{pipe.ZCard(ctx, base.key(suffix)), n} }
	numbers := []number{
		{pipe.LLen(ctx, base.key(keyActive)), &into.Active},
		set(keyPrioritized, &into.Prioritized), set(keyCompleted, &into.Completed), set(keyFailed, &into.Failed),
		set(keyDelayed, &into.Delayed), set(keyWaitingChildren, &into.WaitingChildren),
	}
	waiting := askWaiting(ctx, pipe, base)
	meta := pipe.HMGet(ctx, base.key(keyMeta), metaPaused, metaConcurrency, metaMax)
	used, left := pipe.Get(ctx, base.key(keyLimiter)), pipe.PTTL(ctx, base.key(keyLimiter))
	return func() (err error) {
		for _, n := range numbers {
			count, err := n.reply.Result()
			if err != nil {
				return err
			}
			*n.into = count
			into.Total += count
		}
		if into.Waiting, err = waiting(); err != nil {
			return err
		}
		into.Total += into.Waiting
		values, err := meta.Result()
		if err != nil {
			return err
		}
		into.Paused, into.Concurrency = at(values, 0) != nil, decodeLimit(at(values, 1))
		// A counter that is no text is no counter, as for claims.
		if most := decodeLimit(at(values, 2)); most != nil && used.Err() == nil && left.Err() == nil {
			if n := decodeLimit(used.Val()); n != nil && *n >= *most {
				into.LimitedFor = max(left.Val(), 0)
			}
		}
		return nil
	}
}

// askWaiting asks how many jobs wait without a priority, those of a paused queue
// of BullMQ 5 included.
func askWaiting(ctx context.Context, pipe redis.Pipeliner, base KeyBase) func() (int64, error) {
	var lengths []*redis.IntCmd
	var tails []*redis.StringSliceCmd
	for _, suffix := range []string{keyWait, keyPaused} {
		lengths = append(lengths, pipe.LLen(ctx, base.key(suffix)))
		tails = append(tails, pipe.LRange(ctx, base.key(suffix), -markersLooked, -1))
	}
	return func() (int64, error) {
		waiting := int64(0)
		for i := range lengths {
			if err := errors.Join(lengths[i].Err(), tails[i].Err()); err != nil {
				return 0, err
			}
			waiting += lengths[i].Val() - countMarkers(tails[i].Val())
		}
		return waiting, nil
	}
}

// isMarker recognizes the entries by which old layouts woke workers.
func isMarker(id string) bool { return strings.HasPrefix(id, "0:") }

// countMarkers counts the markers among the next to run: jobs that were pushed
// in front stand behind them.
func countMarkers(tail []string) int64 {
	n := int64(0)
	for _, id := range tail {
		if isMarker(id) {
			n++
		}
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
