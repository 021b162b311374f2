package queue

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"
)

// What concerns a queue as a whole.
var (
	scriptPause     = &script{name: "pause"}
	scriptResume    = &script{name: "resume"}
	scriptSetLimits = &script{name: "set_limits"}
)

// Fields of a queue's meta hash (wire section 11).
const (
	metaPaused      = "paused"
	metaConcurrency = "concurrency"
	metaMax         = "max"
	metaDuration    = "duration"
)

// movePage is how many jobs one call of pause.lua or resume.lua moves from list
// to list. It matters only when a foreign client has filled both lists: one
// list alone is renamed, whatever its size.
const movePage = 1000

// Pause stops workers of every kind from claiming jobs; those that run go on.
// Pausing a paused queue changes nothing but its event stream. Waiting jobs
// stay in order, and where the queue is BullMQ 5's they move to the list where
// it expects them.
func (q *Queue) Pause(ctx context.Context) error { return q.inPages(ctx, scriptPause) }

// Resume lets workers claim jobs again and wakes them. Jobs that BullMQ 5 put
// aside at a pause come before those that were added since.
func (q *Queue) Resume(ctx context.Context) error { return q.inPages(ctx, scriptResume) }

// inPages calls a script until it has nothing more to move.
func (q *Queue) inPages(ctx context.Context, s *script) error {
	for first := true; ; first = false {
		reply, err := q.run(ctx, s, flag(first), movePage)
		if err != nil || replyInt(reply) == 0 {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// IsPaused reports whether the queue is paused; one that does not exist is not.
func (q *Queue) IsPaused(ctx context.Context) (bool, error) {
	paused, err := q.client.rdb.HExists(ctx, q.base.key(keyMeta), metaPaused).Result()
	if err != nil {
		return false, wrapRedis("meta of "+q.base.String(), err)
	}
	return paused, nil
}

// Limits are what holds for all workers of a queue together.
type Limits struct {
	// Concurrency is the most jobs active at one time; nil means no limit.
	Concurrency *int
	// Max jobs start within each Duration. Max overrides a worker's own
	// limit; a Duration of 0 leaves that part to the worker. Nil means that
	// each worker's own limit counts.
	Max      *int
	Duration time.Duration
}

// Limits returns the queue's limits. A stored text that is no number counts as
// no limit, as it does for workers.
func (q *Queue) Limits(ctx context.Context) (Limits, error) {
	values, err := q.client.rdb.HMGet(ctx, q.base.key(keyMeta), metaConcurrency, metaMax, metaDuration).Result()
	if err != nil {
		return Limits{}, wrapRedis("meta of "+q.base.String(), err)
	}
	limits := Limits{Concurrency: decodeLimit(at(values, 0)), Max: decodeLimit(at(values, 1))}
	if ms := decodeLimit(at(values, 2)); ms != nil {
		limits.Duration = millis(float64(*ms))
	}
	return limits, nil
}

func decodeLimit(v any) *int {
	n, err := strconv.ParseFloat(replyText(v), 64)
	if err != nil || math.IsNaN(n) || math.Abs(n) > 1<<53 {
		return nil
	}
	limit := int(n)
	return &limit
}

// SetConcurrency limits how many jobs of the queue are active at one time,
// whoever runs them; nil removes the limit. Jobs that run already go on.
func (q *Queue) SetConcurrency(ctx context.Context, n *int) error {
	if n == nil {
		return q.setLimits(ctx, metaConcurrency, "")
	}
	if *n < 1 || *n > math.MaxInt32 {
		return fmt.Errorf("%w: concurrency %d is not between 1 and %d", ErrInvalidOption, *n, math.MaxInt32)
	}
	return q.setLimits(ctx, metaConcurrency, *n)
}

// SetRate limits how many jobs of the queue start in a window of time, whoever
// starts them; nil removes the limit. A window that has begun runs to its end.
func (q *Queue) SetRate(ctx context.Context, limit *Limiter) error {
	if limit == nil {
		return q.setLimits(ctx, metaMax, "", metaDuration, "")
	}
	if limit.Max < 1 || limit.Max > math.MaxInt32 {
		return fmt.Errorf("%w: rate of %d jobs is not between 1 and %d", ErrInvalidOption, limit.Max, math.MaxInt32)
	}
	if limit.Duration < time.Millisecond || limit.Duration > MaxDelay {
		return fmt.Errorf("%w: rate window %v is not between 1ms and 10 years", ErrInvalidOption, limit.Duration)
	}
	return q.setLimits(ctx, metaMax, limit.Max, metaDuration, limit.Duration.Milliseconds())
}

func (q *Queue) setLimits(ctx context.Context, fields ...any) error {
	_, err := q.run(ctx, scriptSetLimits, fields...)
	return err
}
