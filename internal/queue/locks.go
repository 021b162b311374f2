package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Held is a job that a worker believes to own.
type Held struct {
	ID    string
	Token string
}

// Locks renews and asks about job locks on a connection of its own, so that
// renewals never wait behind other traffic.
type Locks struct {
	q   *Queue
	rdb redis.UniversalClient
}

// Locks opens the connection; Close it.
func (q *Queue) Locks() *Locks { return &Locks{q: q, rdb: q.client.conn.Dedicated("")} }

// Close ends the connection.
func (l *Locks) Close() error { return l.rdb.Close() }

// Extend gives all held jobs another lock life, and returns those whose lock
// has gone or is another's. It works while Redis is out of memory.
func (l *Locks) Extend(ctx context.Context, held []Held, lock time.Duration) (lost []Held, err error) {
	for start := 0; start < len(held); start += MaxClaim {
		page := held[start:min(start+MaxClaim, len(held))]
		args := make([]any, 1, 1+2*len(page))
		args[0] = lock.Milliseconds()
		for _, h := range page {
			args = append(args, h.ID, h.Token)
		}
		reply, err := scriptExtendLocks.run(ctx, l.q.client, l.rdb, l.q.base, args...)
		if err != nil {
			return lost, err
		}
		for _, position := range replyList(reply) {
			if n := replyInt(position); n >= 1 && n <= int64(len(page)) {
				lost = append(lost, page[n-1])
			}
		}
	}
	return lost, nil
}

// Mine reports, for each job, whether its lock still holds the token. After a
// lost reply it tells an outcome that was recorded from one that was not.
func (q *Queue) Mine(ctx context.Context, held []Held) ([]bool, error) {
	mine := make([]bool, len(held))
	if len(held) == 0 {
		return mine, nil
	}
	keys := make([]string, len(held))
	for i, h := range held {
		keys[i] = q.base.key(h.ID + ":lock")
	}
	tokens, err := q.client.rdb.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, wrapRedis("locks of "+q.base.String(), err)
	}
	for i, token := range tokens {
		text, locked := token.(string)
		mine[i] = locked && text == held[i].Token
	}
	return mine, nil
}

// Adopt returns the active jobs whose lock holds the token: those of a claim
// whose reply was lost. It looks at the newest limit active jobs only; older
// ones cannot be of a claim just made.
func (q *Queue) Adopt(ctx context.Context, token string, limit int) ([]Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	ids, err := q.client.rdb.LRange(ctx, q.base.key(keyActive), 0, int64(limit-1)).Result()
	if err != nil {
		return nil, wrapRedis("active jobs of "+q.base.String(), err)
	}
	held := make([]Held, len(ids))
	for i, id := range ids {
		held[i] = Held{ID: id, Token: token}
	}
	mine, err := q.Mine(ctx, held)
	if err != nil {
		return nil, err
	}
	var jobs []Job
	for i, id := range ids {
		if !mine[i] {
			continue
		}
		values, err := q.client.rdb.HMGet(ctx, q.base.key(id), claimFields...).Result()
		if err != nil {
			return nil, wrapRedis(fmt.Sprintf("job %q", id), err)
		}
		job := Job{ID: id, State: StateActive, Token: token}
		for f, value := range values {
			if text, ok := value.(string); ok {
				decodeField(&job, claimFields[f], text)
			}
		}
		job.Options = q.client.options.get(string(job.Opts))
		if job.Options != nil {
			job.Attempts = job.Options.Attempts
		}
		checkRunnable(&job)
		jobs = append(jobs, job)
	}
	return jobs, nil
}
