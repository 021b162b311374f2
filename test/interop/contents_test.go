package interop

import (
	"context"
	"fmt"
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

// dumpQueue answers with everything under a key base: suffix, type, ttl (ms) and content of each key. Of the stream it
// reads what came after an entry that the caller has seen.
var dumpQueue = redis.NewScript(`
local all = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local kind, content = redis.call('TYPE', key).ok, false
  if kind == 'list' then
    content = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then
    content = redis.call('SMEMBERS', key)
  elseif kind == 'zset' then
    content = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'hash' then
    content = redis.call('HGETALL', key)
  elseif kind == 'string' then
    content = { redis.call('GET', key) }
  elseif kind == 'stream' then
    content = {}
    for _, entry in ipairs(redis.call('XRANGE', key, ARGV[2], '+')) do
      content[#content + 1] = entry[1]
      content[#content + 1] = entry[2]
    end
  end
  all[#all + 1] = { string.sub(key, tonumber(ARGV[3]) + 1), kind, redis.call('PTTL', key), content }
end
return all`)

// readContents reads the queue with this key base.
func readContents(t testing.TB, rdb *redis.Client, base string) *contents {
	t.Helper()
	c, err := readContentsAfter(t.Context(), rdb, base, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// readContentsAfter spares reading the events that the caller has read already.
func readContentsAfter(ctx context.Context, rdb *redis.Client, base string, before []redis.XMessage) (*contents, error) {
	c := &contents{
		base: base, lists: map[string][]string{}, sets: map[string]map[string]bool{},
		zsets: map[string]map[string]float64{}, hashes: map[string]map[string]string{},
		texts: map[string]string{}, ttls: map[string]bool{}, events: before,
	}
	from := "-"
	if len(before) > 0 {
		from = "(" + before[len(before)-1].ID
	}
	keys, err := dumpQueue.Run(ctx, rdb, nil, globEscaper.Replace(base)+":", from, len(base)+1).Slice()
	for _, key := range keys {
		parts, _ := key.([]any)
		suffix, kind := fmt.Sprint(parts[0]), fmt.Sprint(parts[1])
		ttl, _ := parts[2].(int64)
		c.ttls[suffix] = ttl >= 0 // the last part of a millisecond is 0, no end is -1
		content, _ := parts[3].([]any)
		c.take(suffix, kind, content)
	}
	return c, err
}

// globEscaper makes of a key base a pattern that matches itself.
var globEscaper = strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`)

func (c *contents) take(suffix, kind string, content []any) {
	texts := make([]string, len(content))
	for i, v := range content {
		texts[i], _ = v.(string)
	}
	switch kind {
	case "list":
		c.lists[suffix] = texts
	case "set":
		c.sets[suffix] = map[string]bool{}
		for _, member := range texts {
			c.sets[suffix][member] = true
		}
	case "zset":
		c.zsets[suffix] = map[string]float64{}
		for i := 0; i < len(texts); i += 2 {
			c.zsets[suffix][texts[i]], _ = strconv.ParseFloat(texts[i+1], 64)
		}
	case "hash":
		c.hashes[suffix] = map[string]string{}
		for i := 0; i < len(texts); i += 2 {
			c.hashes[suffix][texts[i]] = texts[i+1]
		}
	case "string":
		c.texts[suffix] = texts[0]
	case "stream":
		for i := 0; suffix == "events" && i < len(content); i += 2 {
			e := redis.XMessage{ID: texts[i], Values: map[string]any{}}
			fields, _ := content[i+1].([]any)
			for f := 0; f+1 < len(fields); f += 2 {
				e.Values[fmt.Sprint(fields[f])] = fields[f+1]
			}
			c.events = append(c.events, e)
		}
	}
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
