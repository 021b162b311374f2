package queue

import (
	"context"
	"errors"
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

// Close ends the connection, and with it a Wait that blocks.
func (l *Listener) Close() error { return l.rdb.Close() }

// Wait blocks until the queue's marker says that a job may be there, at most
// for limit. It returns the time of the earliest delayed job when the marker
// named one that is still to come, and whether there was a marker at all. Who
// has taken a marker must claim, or call Wake. Cancelling ctx closes the
// listener: Redis would hold the read until its end.
func (l *Listener) Wait(ctx context.Context, limit time.Duration) (due time.Time, marked bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = l.rdb.Close() })
	defer stop()
	bounded, cancel := context.WithTimeout(ctx, limit+blockSlack)
	defer cancel()
	entry, err := l.rdb.BZPopMin(bounded, limit, l.q.base.key(keyMarker)).Result()
	switch {
	case ctx.Err() != nil:
		return time.Time{}, false, context.Cause(ctx)
	case errors.Is(err, redis.Nil):
		return time.Time{}, false, nil
	case err != nil:
		return time.Time{}, false, wrapRedis("wait for "+l.q.base.String(), err)
	}
	if at := time.UnixMilli(int64(entry.Score)); at.After(l.q.client.now()) && entry.Score < 1<<53 {
		due = at
	}
	return due, true, nil
}

// Wake sets the queue's marker when jobs wait, for a worker that took the
// marker and will not claim.
func (q *Queue) Wake(ctx context.Context) error {
	_, err := q.run(ctx, scriptWake)
	return err
}
