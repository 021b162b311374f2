package queue

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Limits of a search for queues. Redis has crashed on longer patterns
// (CVE-2024-31228); a scan of a page costs the server about a millisecond.
const (
	maxPatternBytes = 256
	scanPage        = 1000
)

// EscapePattern returns the pattern that stands for this text alone.
func EscapePattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(text)
}

// Queues finds the queues whose key base, prefix:name, matches a glob pattern;
// "" finds all. There is no list of queues anywhere: the search goes through all
// key names of all primaries, a page at a time, about a second for a million of
// keys. Names are sorted by prefix and name. A queue shows by its `meta` hash,
// which its first job or its first client wrote; other hashes of that name do
// not count.
func (c *Client) Queues(ctx context.Context, pattern string) ([]KeyBase, error) {
	return c.QueuesWithin(ctx, pattern, 0)
}

// QueuesWithin is Queues for who cannot wait: it goes through key names for no
// longer than a time and returns what it has found by then. 0 is no limit.
func (c *Client) QueuesWithin(ctx context.Context, pattern string, most time.Duration) ([]KeyBase, error) {
	if pattern == "" {
		pattern = "*"
	}
	if len(pattern) > maxPatternBytes {
		return nil, fmt.Errorf("%w: pattern of %d bytes is longer than %d", ErrInvalidOption, len(pattern), maxPatternBytes)
	}
	found := map[KeyBase]bool{}
	var mu sync.Mutex
	searching := ctx
	if most > 0 {
		var cancel context.CancelFunc
		searching, cancel = context.WithTimeout(ctx, most)
		defer cancel()
	}
	err := c.onEachPrimary(searching, func(ctx context.Context, rdb redis.Cmdable) error {
		return scanMeta(ctx, rdb, pattern, func(base KeyBase) {
			mu.Lock()
			defer mu.Unlock()
			found[base] = true
		})
	})
	if err != nil && (searching.Err() == nil || ctx.Err() != nil) {
		return nil, wrapRedis("search for queues", err)
	}
	bases := slices.SortedFunc(maps.Keys(found), compareBases)
	return c.queuesAmong(ctx, bases)
}

// onEachPrimary calls visit for every server that holds keys; in Redis Cluster
// at the same time.
func (c *Client) onEachPrimary(ctx context.Context, visit func(ctx context.Context, rdb redis.Cmdable) error) error {
	if cluster, ok := c.rdb.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, rdb *redis.Client) error {
			return visit(ctx, rdb)
		})
	}
	return visit(ctx, c.rdb)
}

// scanMeta yields what may be a queue, possibly more than once.
func scanMeta(ctx context.Context, rdb redis.Cmdable, pattern string, yield func(KeyBase)) error {
	cursor := uint64(0)
	for {
		keys, next, err := rdb.ScanType(ctx, cursor, pattern+":"+keyMeta, scanPage, "hash").Result()
		if err != nil {
			return err
		}
		for _, key := range keys {
			if base, err := ParseKeyBase(strings.TrimSuffix(key, ":"+keyMeta)); err == nil {
				yield(base)
			}
		}
		if next == 0 {
			return nil
		}
		cursor = next
	}
}

func compareBases(a, b KeyBase) int {
	if order := strings.Compare(a.Prefix, b.Prefix); order != 0 {
		return order
	}
	return strings.Compare(a.Name, b.Name)
}

// queuesAmong drops the hashes called meta that no queue wrote: a job or a
// scheduler whose id ends so, or another program's.
func (c *Client) queuesAmong(ctx context.Context, bases []KeyBase) ([]KeyBase, error) {
	isQueue := make([]bool, len(bases))
	errs, err := c.ask(ctx, bases, func(pipe redis.Pipeliner, i int) func() error {
		meta := pipe.HMGet(ctx, bases[i].key(keyMeta), metaFields...)
		counter := pipe.Exists(ctx, bases[i].key(keyID))
		return func() error {
			isQueue[i] = looksLikeQueue(meta.Val(), counter.Val() == 1)
			return meta.Err()
		}
	})
	if err != nil {
		return nil, wrapRedis("search for queues", err)
	}
	queues := make([]KeyBase, 0, len(bases))
	for i, base := range bases {
		if isQueue[i] && errs[i] == nil {
			queues = append(queues, base)
		}
	}
	return queues, nil
}

// metaFields are what a queue's meta may hold (wire section 11). Every queue
// that had a job or a BullMQ client has the first or the second.
var metaFields = []string{"opts.maxLenEvents", "version", "paused", "concurrency", "max"}

var libraryVersion = regexp.MustCompile(`^[^\s:]+:\d+\.`)

// looksLikeQueue judges the values of metaFields. The settings alone, such as
// concurrency, are words that other programs use: they count only beside a job
// counter.
func looksLikeQueue(values []any, hasCounter bool) bool {
	if allDigits(replyText(at(values, 0))) || libraryVersion.MatchString(replyText(at(values, 1))) {
		return true
	}
	return hasCounter && slices.ContainsFunc(values, func(value any) bool { return value != nil })
}

// Exists reports whether the queue has ever been used and not obliterated
// since.
func (q *Queue) Exists(ctx context.Context) (bool, error) {
	n, err := q.client.rdb.Exists(ctx, q.base.key(keyMeta), q.base.key(keyID)).Result()
	if err != nil {
		return false, wrapRedis("look for "+q.base.String(), err)
	}
	return n > 0, nil
}
