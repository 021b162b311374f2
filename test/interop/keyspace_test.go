package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// keyspace is all that a database holds, as text by path: "q:wait" is a list, "q:1#data" a field of a hash,
// "q:delayed#1" the score of a member, "q:1:lock" a string. Event streams are apart, in their order. Nothing is
// taken out but what cannot be alike: ids of stream entries, and the files that stack traces name.
type keyspace struct {
	fields map[string]string
	events map[string][]string
	ends   map[string]time.Time // of keys that expire
	leaves int
}

// readKeyspace reads a database in two round trips.
func readKeyspace(ctx context.Context, rdb *redis.Client) (*keyspace, error) {
	keys, err := rdb.Keys(ctx, "*").Result()
	if err != nil {
		return nil, err
	}
	pipe := rdb.Pipeline()
	kinds, ttls := map[string]*redis.StatusCmd{}, map[string]*redis.DurationCmd{}
	for _, key := range keys {
		kinds[key], ttls[key] = pipe.Type(ctx, key), pipe.PTTL(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	k := &keyspace{fields: map[string]string{}, events: map[string][]string{}, ends: map[string]time.Time{}}
	var reads []func()
	for _, key := range keys {
		path := strings.TrimPrefix(key, "bull:")
		if ttl := ttls[key].Val(); ttl > 0 {
			k.ends[path] = now.Add(ttl)
		}
		reads = append(reads, k.read(ctx, pipe, key, path, kinds[key].Val()))
	}
	if _, err := pipe.Exec(ctx); err != nil && len(keys) > 0 {
		return nil, err
	}
	for _, read := range reads {
		read()
	}
	k.leaves += len(k.ends)
	return k, nil
}

// read asks for one key and returns what takes the answer.
func (k *keyspace) read(ctx context.Context, pipe redis.Pipeliner, key, path, kind string) func() {
	switch kind {
	case "string":
		reply := pipe.Get(ctx, key)
		return func() { k.put(path, reply.Val(), 1) }
	case "list":
		reply := pipe.LRange(ctx, key, 0, -1)
		return func() { k.put(path, "list "+strings.Join(reply.Val(), " "), len(reply.Val())) }
	case "set":
		reply := pipe.SMembers(ctx, key)
		return func() {
			for _, member := range reply.Val() {
				k.put(path+"#"+member, "member", 1)
			}
		}
	case "zset":
		reply := pipe.ZRangeWithScores(ctx, key, 0, -1)
		return func() {
			for _, z := range reply.Val() {
				k.put(fmt.Sprintf("%s#%v", path, z.Member), strconv.FormatFloat(z.Score, 'f', -1, 64), 1)
			}
		}
	case "hash":
		reply := pipe.HGetAll(ctx, key)
		return func() {
			for field, text := range reply.Val() {
				k.put(path+"#"+field, sameText(path, field, text), 1)
			}
		}
	case "stream":
		reply := pipe.XRange(ctx, key, "-", "+")
		return func() {
			k.events[path] = eventTexts(reply.Val())
			k.leaves += len(k.events[path])
		}
	}
	return func() { k.put(path, "a "+kind, 1) }
}

func (k *keyspace) put(path, text string, leaves int) {
	k.fields[path] = text
	k.leaves += leaves
}

// sameText writes JSON that both sides may write in their own ways, anew. Payloads stay as they are.
func sameText(path, field, text string) string {
	switch {
	case field == "stacktrace":
		var traces []string
		if json.Unmarshal([]byte(text), &traces) != nil {
			return text
		}
		for i := range traces {
			traces[i] = firstLine(traces[i])
		}
		return fmt.Sprintf("%q", traces)
	case field == "opts" || field == "parent" || field == "progress" || strings.HasSuffix(path, ":repeat") && field == "data":
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return text
		}
		again, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		return string(again)
	}
	return text
}

func eventTexts(entries []redis.XMessage) []string {
	texts := make([]string, len(entries))
	for i, entry := range entries {
		text := fmt.Sprint(entry.Values["event"])
		for _, name := range slices.Sorted(maps.Keys(entry.Values)) {
			if name != "event" {
				text += fmt.Sprintf(" %s=%v", name, entry.Values[name])
			}
		}
		texts[i] = text
	}
	return texts
}

// distinction is one difference between two keyspaces, or two answers.
type distinction struct{ path, node, ours string }

func (d distinction) String() string {
	return fmt.Sprintf("%s\n\tNode: %s\n\tours: %s", d.path, d.node, d.ours)
}

const absent = "(nothing)"

// compare returns what differs. slack bounds how far apart two keys may expire that were set by one operation of
// each side.
func compare(node, ours *keyspace, slack time.Duration) []distinction {
	var all []distinction
	for _, path := range union(node.fields, ours.fields) {
		n, haveNode := node.fields[path]
		o, haveOurs := ours.fields[path]
		if !haveNode {
			n = absent
		}
		if !haveOurs {
			o = absent
		}
		if n != o {
			all = append(all, distinction{path, n, o})
		}
	}
	for _, path := range union(node.events, ours.events) {
		all = append(all, compareEvents(path, node.events[path], ours.events[path])...)
	}
	for _, path := range union(node.ends, ours.ends) {
		n, haveNode := node.ends[path]
		o, haveOurs := ours.ends[path]
		switch {
		case !haveNode:
			all = append(all, distinction{path + " expires", absent, o.String()})
		case !haveOurs:
			all = append(all, distinction{path + " expires", n.String(), absent})
		case o.Sub(n).Abs() > slack:
			all = append(all, distinction{path + " expires", n.String(), o.String()})
		}
	}
	return all
}

func union[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// compareEvents finds the longest common part of two streams: the path of every other entry is the stream's, with
// the event's name and job.
func compareEvents(path string, node, ours []string) []distinction {
	length := make([][]int, len(node)+1)
	for i := range length {
		length[i] = make([]int, len(ours)+1)
	}
	for i := len(node) - 1; i >= 0; i-- {
		for j := len(ours) - 1; j >= 0; j-- {
			if node[i] == ours[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var all []distinction
	i, j := 0, 0
	for i < len(node) || j < len(ours) {
		switch {
		case i < len(node) && j < len(ours) && node[i] == ours[j]:
			i, j = i+1, j+1
		case j == len(ours) || i < len(node) && length[i+1][j] >= length[i][j+1]:
			all = append(all, distinction{path + " " + eventName(node[i]), node[i], absent})
			i++
		default:
			all = append(all, distinction{path + " " + eventName(ours[j]), absent, ours[j]})
			j++
		}
	}
	return all
}

// eventName is "waiting 7" of "waiting jobId=7 prev=active".
func eventName(text string) string {
	kind, rest, _ := strings.Cut(text, " ")
	for part := range strings.FieldsSeq(rest) {
		if id, ok := strings.CutPrefix(part, "jobId="); ok {
			return kind + " " + id
		}
	}
	return kind
}
