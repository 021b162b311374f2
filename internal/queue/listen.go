package queue

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Listener waits for a queue's marker on a connection of its own. The
// connection carries the worker's name, by which BullMQ lists workers.
type Listener struct {
	q   *Queue
	rdb redis.UniversalClient
}

// blockSlack is how much longer than asked a blocking read may take before the
// connection counts as dead.
const blockSlack = 2 * time.Second

// Listen opens a listener for a worker of this name, which may be empty.
func (q *Queue) Listen(worker string) *Listener {
	return &Listener{q: q, rdb: q.client.conn.Dedicated(WorkerName(q.base, worker))}
}

// Open makes the connection, by which the worker can be seen, without waiting
// for anything.
func (l *Listener) Open(ctx context.Context) error {
	if err := l.rdb.Exists(ctx, l.q.base.key(keyMarker)).Err(); err != nil {
		return wrapRedis("listen to "+l.q.base.String(), err)
	}
	return nil
}

// Close ends the connection, and with it a Wait that blocks.
func (l *Listener) Close() error { return l.rdb.Close() }

// Leave ends the connection and puts back the marker that Redis may have handed
// to it in that moment.
func (l *Listener) Leave(ctx context.Context) error {
	_ = l.Close() // it may be closed already
	// Redis may have read the last blocking command and not yet the end of the
	// connection behind it: a marker set now would be handed to us once more.
	// It reads the end before anything that is sent after an answer to this.
	if err := l.q.client.rdb.Exists(ctx, l.q.base.key(keyMarker)).Err(); err != nil {
		return wrapRedis("marker of "+l.q.base.String(), err)
	}
	return l.q.Wake(ctx)
}

// Wait blocks until the queue's marker says that a job may be there, at most
// for limit. It returns the time of the earliest delayed job when the marker
// named one that is still to come, and whether there was a marker at all. Who
// has taken a marker must claim, or call Wake. The end of ctx closes the
// listener: Redis would hold the read until the limit.
func (l *Listener) Wait(ctx context.Context, limit time.Duration) (due time.Time, marked bool, err error) {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = l.rdb.Close()
	})
	defer func() {
		if !stop() {
			<-closed
		}
	}()
	bounded, cancel := context.WithTimeout(ctx, limit+blockSlack)
	defer cancel()
	score, err := l.pop(bounded, limit)
	switch {
	case ctx.Err() != nil:
		return time.Time{}, false, context.Cause(ctx)
	case errors.Is(err, redis.Nil):
		return time.Time{}, false, nil
	case err != nil:
		return time.Time{}, false, wrapRedis("wait for "+l.q.base.String(), err)
	}
	if at := time.UnixMilli(int64(score)); at.After(l.q.client.now()) && score < 1<<53 {
		due = at
	}
	return due, true, nil
}

// pop blocks for the marker and returns its score. The client's own method
// counts whole seconds only, and would let a job that is due in a tenth of one
// wait for a full one.
func (l *Listener) pop(ctx context.Context, limit time.Duration) (score float64, err error) {
	marker := l.q.base.key(keyMarker)
	if limit >= time.Second {
		entry, err := l.rdb.BZPopMin(ctx, limit, marker).Result()
		if err != nil {
			return 0, err
		}
		return entry.Score, nil
	}
	reply, err := l.rdb.Do(ctx, "BZPOPMIN", marker, max(limit, time.Millisecond).Seconds()).Slice()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(replyText(at(reply, 2)), 64)
}

// Wake sets the queue's marker when jobs wait, for a worker that took the
// marker and will not claim.
func (q *Queue) Wake(ctx context.Context) error {
	_, err := q.run(ctx, scriptWake)
	return err
}
