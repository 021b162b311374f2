package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

var scriptObliterate = &script{name: "obliterate"}

// ObliterateOptions says how far an obliteration goes.
type ObliterateOptions struct {
	// Force removes active jobs too; their workers lose them.
	Force bool
	// OnPage hears after every step how many jobs it removed.
	OnPage func(removed int)
}

// Obliterate pauses the queue and removes it with all its jobs, and returns how
// many there were. It returns ErrActiveJobs when jobs are active and Force is
// not set, ErrQueueNotPaused when somebody resumes the queue meanwhile. The
// queue stays paused then, and after a cancelled ctx; calling again goes on.
//
// It also removes what BullMQ leaves behind: jobs that wait for children, the
// rate limit's counter, locks, deduplication keys and qctl's own keys.
func (q *Queue) Obliterate(ctx context.Context, opts ObliterateOptions) (int, error) {
	// A key of the wrong type is found before the queue is paused.
	if _, err := q.run(ctx, scriptObliterate, "check", sweepPage); err != nil {
		return 0, err
	}
	if err := q.Pause(ctx); err != nil {
		return 0, err
	}
	s := sweep{mode: sweepObliterate, onPage: opts.OnPage}
	if opts.Force {
		s.mode = sweepForce
	}
	removed := 0
	for {
		n, err := q.sweep(ctx, s, keyActive, keyDelayed, keyCompleted, keyWait, keyPaused,
			keyPrioritized, keyFailed, keyWaitingChildren, keyCorrupt)
		removed += n
		if err != nil {
			return removed, err
		}
		if err := q.removeStray(ctx); err != nil {
			return removed, err
		}
		reply, err := q.run(ctx, scriptObliterate, "end", sweepPage)
		if err != nil {
			return removed, err
		}
		switch code := replyInt(reply); code {
		case 0:
			return removed, nil
		case codeGoOn:
		default:
			return removed, fmt.Errorf("%s: %w", q.base, codeErrors[code])
		}
	}
}

// strayKeys are the beginnings of keys that nothing lists: deduplication
// windows, the payloads kept for after them, and our own.
var strayKeys = []string{"de:", "dn:", "qctl:"}

// removeStray looks through all keys of the server for those of the queue that
// nothing lists, in steps that hold up nobody.
func (q *Queue) removeStray(ctx context.Context) error {
	node := redis.Cmdable(q.client.rdb)
	if cluster, ok := q.client.rdb.(*redis.ClusterClient); ok {
		master, err := cluster.MasterForKey(ctx, q.base.key(keyMeta))
		if err != nil {
			return wrapRedis("node of "+q.base.String(), err)
		}
		node = master
	}
	for _, begin := range strayKeys {
		// bull:mail:de is a queue of its own, whose keys look like those of
		// deduplication ids of bull:mail.
		queue, err := node.HExists(ctx, q.base.key(begin+keyMeta), "opts.maxLenEvents").Result()
		if Classify(err) == ClassCorrupt { // the deduplication id "meta"
			err = nil
		}
		if err == nil && !queue {
			err = unlinkAll(ctx, node, q.base.key(begin))
		}
		if err != nil {
			return wrapRedis("stray keys of "+q.base.String(), err)
		}
	}
	return nil
}

// unlinkAll deletes every key that begins so.
func unlinkAll(ctx context.Context, node redis.Cmdable, begin string) error {
	var cursor uint64
	for {
		keys, next, err := node.Scan(ctx, cursor, EscapePattern(begin)+"*", sweepPage).Result()
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			if err := node.Unlink(ctx, keys...).Err(); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
