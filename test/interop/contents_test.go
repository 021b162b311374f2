package interop

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// contents is all that Redis holds of one queue, read while nobody works on it.
type contents struct {
	base   string
	lists  map[string][]string
	sets   map[string]map[string]bool
	zsets  map[string]map[string]float64
	hashes map[string]map[string]string
	texts  map[string]string
	ttls   map[string]bool // keys that expire
	events []redis.XMessage
}

// structures are the eight keys of which each job is in one.
var structures = []string{"wait", "paused", "active", "prioritized", "delayed", "waiting-children", "completed", "failed"}

// readContents reads the queue with this key base.
func readContents(t testing.TB, rdb *redis.Client, base string) *contents {
	t.Helper()
	ctx := t.Context()
	c := &contents{
		base: base, lists: map[string][]string{}, sets: map[string]map[string]bool{},
		zsets: map[string]map[string]float64{}, hashes: map[string]map[string]string{},
		texts: map[string]string{}, ttls: map[string]bool{},
	}
	keys, err := rdb.Keys(ctx, base+":*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		suffix := strings.TrimPrefix(key, base+":")
		c.ttls[suffix] = rdb.PTTL(ctx, key).Val() > 0
		switch rdb.Type(ctx, key).Val() {
		case "list":
			c.lists[suffix] = rdb.LRange(ctx, key, 0, -1).Val()
		case "set":
			c.sets[suffix] = map[string]bool{}
			for _, member := range rdb.SMembers(ctx, key).Val() {
				c.sets[suffix][member] = true
			}
		case "zset":
			c.zsets[suffix] = map[string]float64{}
			for _, z := range rdb.ZRangeWithScores(ctx, key, 0, -1).Val() {
				member, _ := z.Member.(string)
				c.zsets[suffix][member] = z.Score
			}
		case "hash":
			c.hashes[suffix] = rdb.HGetAll(ctx, key).Val()
		case "string":
			c.texts[suffix] = rdb.Get(ctx, key).Val()
		case "stream":
			if c.events, err = rdb.XRange(ctx, key, "-", "+").Result(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

// ids returns the jobs in one of the structures.
func (c *contents) ids(structure string) []string {
	if list, ok := c.lists[structure]; ok {
		return list
	}
	return slices.Sorted(maps.Keys(c.zsets[structure]))
}

// waiting are the jobs that a worker would take.
func (c *contents) waiting() int { return len(c.lists["wait"]) + len(c.zsets["prioritized"]) }

// jobs returns the ids of all hashes that are jobs.
func (c *contents) jobs() []string {
	var ids []string
	for suffix, hash := range c.hashes {
		_, isJob := hash["timestamp"]
		_, stub := hash["processedOn"] // what BullMQ makes of an id without a job
		if isJob || stub {
			ids = append(ids, suffix)
		}
	}
	slices.Sort(ids)
	return ids
}

// number reads a field of a hash; one that is missing counts as 0, as in Node.
func (c *contents) number(suffix, field string) float64 {
	n, _ := strconv.ParseFloat(c.hashes[suffix][field], 64)
	return n
}

func (c *contents) has(suffix, field string) bool {
	_, ok := c.hashes[suffix][field]
	return ok
}

func (c *contents) paused() bool { return c.has("meta", "paused") }

// maxed reports whether the queue's global concurrency holds jobs back.
func (c *contents) maxed() bool {
	return c.has("meta", "concurrency") && float64(len(c.lists["active"])) >= c.number("meta", "concurrency")
}

func (c *contents) v5() bool {
	version := c.hashes["meta"]["version"]
	return strings.HasPrefix(version, "bullmq:5.") || strings.HasPrefix(version, "bullmq:4.")
}
