package interop

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// connected reports whether a worker of the queue is.
func connected(t testing.TB, rdb *redis.Client, base string) bool {
	t.Helper()
	list, err := rdb.ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndexByte(base, ':')
	name := " name=" + base[:at+1] + base64.StdEncoding.EncodeToString([]byte(base[at+1:]))
	return strings.Contains(list, name+" ") || strings.Contains(list, name+":w:")
}

// families: a waiting parent has children to wait for, which know their parent and are recorded once.
func (i *invariants) families() {
	i.t.Helper()
	for _, id := range i.ids("waiting-children") {
		if len(i.sets[id+":dependencies"]) == 0 {
			i.broken("job %s waits for no children", id)
		}
	}
	for suffix, children := range i.sets {
		parent, ok := strings.CutSuffix(suffix, ":dependencies")
		if !ok {
			continue
		}
		for child := range children {
			id, here := strings.CutPrefix(child, i.base+":")
			if !here {
				continue
			}
			_, completed := i.zsets["completed"][id]
			if completed || i.hashes[id]["parentKey"] != i.base+":"+parent {
				i.broken("job %s waits for child %s, which is %v", parent, id, i.hashes[id])
			}
			for _, record := range []string{":processed", ":failed"} {
				if i.has(parent+record, child) {
					i.broken("child %s of job %s is pending and in %s", id, parent, record)
				}
			}
			if _, failed := i.zsets[parent+":unsuccessful"][child]; failed {
				i.broken("child %s of job %s is pending and failed it", id, parent)
			}
		}
	}
}

func (i *invariants) deduplication() {
	i.t.Helper()
	for suffix, owner := range i.contents.texts {
		key, ok := strings.CutPrefix(suffix, "de:")
		if !ok || i.ttls[suffix] {
			continue
		}
		_, completed := i.zsets["completed"][owner]
		_, failed := i.zsets["failed"][owner]
		if completed || failed || i.hashes[owner]["deid"] != key {
			i.broken("deduplication id %s belongs to job %s, which is %v", key, owner, i.hashes[owner])
		}
	}
	for suffix := range i.hashes {
		key, ok := strings.CutPrefix(suffix, "dn:")
		if owner := i.contents.texts["de:"+key]; ok && (owner == "" || i.ttls["de:"+key]) {
			i.broken("a next job is kept for deduplication id %s, which nobody owns", key)
		}
	}
}

func (i *invariants) schedulers() {
	i.t.Helper()
	for id, score := range i.zsets["repeat"] {
		record := i.hashes["repeat:"+id]
		_, every := record["every"]
		_, pattern := record["pattern"]
		if record["name"] == "" || record["ic"] == "" || every == pattern {
			i.broken("scheduler %s: %v", id, record)
		}
		iteration := fmt.Sprintf("repeat:%s:%.0f", id, score)
		if !i.has(iteration, "rjk") {
			i.broken("scheduler %s has no job %s", id, iteration)
		}
	}
}

// stream: events can be parsed, and tell a life in its order.
func (i *invariants) stream() {
	i.t.Helper()
	seen := map[string]string{}
	for _, e := range i.events {
		kind, id := fmt.Sprint(e.Values["event"]), fmt.Sprint(e.Values["jobId"])
		text := map[string]any{"completed": e.Values["returnvalue"], "progress": e.Values["data"]}[kind]
		if (kind == "completed" || kind == "progress") && !json.Valid([]byte(fmt.Sprint(text))) {
			i.broken("event %v would end Node's listeners", e.Values)
		}
		before := seen[id]
		switch kind {
		case "active":
			if before != "waiting" && before != "" {
				i.broken("job %s became active after %q", id, before)
			}
		case "completed", "failed":
			if before != "active" && before != "" {
				i.broken("job %s %s after %q", id, kind, before)
			}
		}
		switch kind {
		case "added", "waiting", "delayed", "waiting-children", "active", "completed", "failed":
			seen[id] = kind
		case "removed":
			delete(seen, id)
		}
	}
	limit := i.number("meta", "opts.maxLenEvents")
	if len(i.jobs()) > 0 && limit == 0 {
		i.broken("meta has no opts.maxLenEvents")
	}
	if limit > 0 && float64(len(i.events)) > limit+100 {
		i.broken("%d events, the limit is %.0f", len(i.events), limit)
	}
}

func (i *invariants) counters() {
	i.t.Helper()
	last, _ := strconv.ParseInt(i.contents.texts["id"], 10, 64)
	for _, id := range i.jobs() {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && n > last {
			i.broken("job %s is beyond the counter, %d", id, last)
		}
	}
	if _, ok := i.contents.texts["limiter"]; ok && !i.ttls["limiter"] {
		i.broken("the limiter does not expire")
	}
	for _, which := range []string{"metrics:completed", "metrics:failed"} {
		if i.number(which, "count") < i.number(which, "prevCount") {
			i.broken("%s: %v", which, i.hashes[which])
		}
	}
}

// TestInvariantsAreSeen breaks a queue in many ways, each of which the checker must see.
func TestInvariantsAreSeen(t *testing.T) {
	eachWorld(t, func(w *world) {
		l := w.fresh()
		l.nodeAdds(args{"name": "a"}, args{"name": "b", "opts": args{"priority": 3}}, args{"name": "c", "opts": args{"delay": 3_600_000}})
		checkInvariants(w.t, w.rdb, l.base.String())
		ctx, key := w.ctx, l.key
		for _, damage := range []struct {
			want string
			do   func()
			undo func()
		}{
			{"job 1 is in wait and in active", func() { w.rdb.LPush(ctx, key("active"), "1") }, func() { w.rdb.Del(ctx, key("active")) }},
			{"job 9 in failed has no name", func() { w.rdb.ZAdd(ctx, key("failed"), redis.Z{Member: "9"}) }, func() { w.rdb.Del(ctx, key("failed")) }},
			{"job 2 is lost", func() { w.rdb.ZRem(ctx, key("prioritized"), "2") }, func() { w.rdb.ZAdd(ctx, key("prioritized"), redis.Z{Member: "2", Score: 3<<32 + 1}) }},
			{"opts of job 1", func() { w.rdb.HSet(ctx, key("1"), "opts", "null") }, func() { w.rdb.HSet(ctx, key("1"), "opts", "{}") }},
			{"job 1 is locked", func() { w.rdb.Set(ctx, key("1:lock"), "x", 0) }, func() { w.rdb.Del(ctx, key("1:lock")) }},
			{"job 1 waits with priority 4", func() { w.rdb.HSet(ctx, key("1"), "priority", 4) }, func() { w.rdb.HSet(ctx, key("1"), "priority", 0) }},
			{"job 1 in wait has delay 5", func() { w.rdb.HSet(ctx, key("1"), "delay", 5) }, func() { w.rdb.HSet(ctx, key("1"), "delay", 0) }},
			{"the counter stands at 0", func() { w.rdb.Del(ctx, key("pc")) }, func() { w.rdb.Set(ctx, key("pc"), 1, 0) }},
			{"the marker is map[1", func() { w.rdb.ZRem(ctx, key("marker"), "0") }, func() { w.rdb.ZAdd(ctx, key("marker"), redis.Z{Member: "0"}) }},
			{"a job is due", func() { w.rdb.ZRem(ctx, key("marker"), "1") }, func() { w.rdb.ZAdd(ctx, key("marker"), redis.Z{Member: "1", Score: 1}) }},
			{"job 1 in wait has an outcome", func() { w.rdb.HSet(ctx, key("1"), "finishedOn", 5) }, func() { w.rdb.HDel(ctx, key("1"), "finishedOn") }},
			{"beyond the counter", func() { w.rdb.Set(ctx, key("id"), 2, 0) }, func() { w.rdb.Set(ctx, key("id"), 3, 0) }},
			{"limiter does not expire", func() { w.rdb.Set(ctx, key("limiter"), 2, 0) }, func() { w.rdb.Del(ctx, key("limiter")) }},
			{"deduplication id d", func() { w.rdb.Set(ctx, key("de:d"), "1", 0) }, func() { w.rdb.Del(ctx, key("de:d")) }},
			{"job 3 is due at", func() { w.rdb.ZAdd(ctx, key("delayed"), redis.Z{Member: "3", Score: 1 << 52}) }, nil},
		} {
			damage.do()
			seen := &complaints{TB: w.t}
			checkInvariants(seen, w.rdb, l.base.String())
			if !slices.ContainsFunc(seen.all, func(text string) bool { return strings.Contains(text, damage.want) }) {
				w.t.Errorf("not seen: %s; but %q", damage.want, seen.all)
			}
			if damage.undo != nil {
				damage.undo()
			}
		}
	})
}

// complaints gathers what a test would have failed with.
type complaints struct {
	testing.TB
	all []string
}

func (c *complaints) Helper() {}

func (c *complaints) Errorf(format string, with ...any) {
	c.all = append(c.all, fmt.Sprintf(format, with...))
}
