package interop

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
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
	for _, id := range i.ids("waiting-children") {
		if len(i.sets[id+":dependencies"]) == 0 && !i.excused(childless, id) {
			i.broken("job %s waits for no children", id)
		}
	}
	for suffix, children := range i.sets {
		if parent, ok := strings.CutSuffix(suffix, ":dependencies"); ok {
			for child := range children {
				i.pending(parent, child)
			}
		}
	}
	for _, id := range i.jobs() {
		for child := range i.hashes[id+":processed"] {
			if (i.has(id+":failed", child) || i.failedIt(id, child)) && !i.excused(childAgain, id+" "+child) {
				i.broken("child %s of job %s has two outcomes", child, id)
			}
		}
	}
}

func (i *invariants) failedIt(parent, child string) bool {
	_, failed := i.zsets[parent+":unsuccessful"][child]
	return failed
}

// pending: a child that its parent waits for.
func (i *invariants) pending(parent, child string) {
	for base, c := range i.all {
		id, here := strings.CutPrefix(child, base+":")
		if !here {
			continue
		}
		if _, completed := c.zsets["completed"][id]; completed || c.hashes[id]["parentKey"] != i.base+":"+parent {
			i.broken("job %s waits for child %s, which is %v", parent, child, c.hashes[id])
		}
	}
	ended := i.has(parent+":processed", child) || i.has(parent+":failed", child) || i.failedIt(parent, child)
	if ended && !i.excused(childAgain, parent+" "+child) {
		i.broken("child %s of job %s is pending and has an outcome", child, parent)
	}
}

func (i *invariants) deduplication() {
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
		owner := i.contents.texts["de:"+key]
		if !ok || (owner == "" || i.ttls["de:"+key]) && i.excused(nextKept, key) {
			continue
		}
		if owner == "" || i.ttls["de:"+key] || i.number(owner, "ats") < 1 {
			i.broken("a next job is kept for deduplication id %s, whose owner is %q: %v", key, owner, i.hashes[owner])
		}
	}
}

// schedulers: each has a record, and a job that nobody has fetched, unless it came to its end.
func (i *invariants) schedulers() {
	for id, score := range i.zsets["repeat"] {
		record := i.hashes["repeat:"+id]
		_, every := record["every"]
		_, pattern := record["pattern"]
		if record["name"] == "" || record["ic"] == "" || every == pattern {
			i.broken("scheduler %s: %v", id, record)
		}
		iteration := fmt.Sprintf("repeat:%s:%.0f", id, score)
		if !i.has(iteration, "rjk") && !i.ended(record, score) {
			i.broken("scheduler %s has no job %s: %v", id, iteration, record)
		}
		if i.has(iteration, "rjk") && i.number(iteration, "ats") > 0 && !i.ended(record, score) {
			i.broken("job %s was fetched, and scheduler %s has made no other: %v", iteration, id, record)
		}
	}
}

// ended reports whether a scheduler has made the last of its jobs.
func (i *invariants) ended(record map[string]string, last float64) bool {
	number := func(field string) float64 { n, _ := strconv.ParseFloat(record[field], 64); return n }
	if end := number("endDate"); end > 0 && (last+number("every") > end || record["pattern"] != "") {
		return true
	}
	return record["limit"] != "" && number("ic") >= number("limit")
}

// An event is the newest of a job's.
type newest struct{ kind, prev string }

// lastEvents are the newest events that tell where a job is; none of a job that was removed.
func (i *invariants) lastEvents() map[string]newest {
	last := map[string]newest{}
	for _, e := range i.events {
		kind, id, prev := fmt.Sprint(e.Values["event"]), fmt.Sprint(e.Values["jobId"]), fmt.Sprint(e.Values["prev"])
		switch kind {
		case "added", "waiting", "delayed", "waiting-children", "active", "completed", "failed":
			last[id] = newest{kind, prev}
		case "removed":
			delete(last, id)
		}
	}
	return last
}

// whole reports that no event can have been trimmed away.
func (i *invariants) whole() bool {
	return float64(len(i.events)) < i.number("meta", "opts.maxLenEvents")
}

func eventTime(e redis.XMessage) float64 {
	ms, _, _ := strings.Cut(e.ID, "-")
	n, _ := strconv.ParseFloat(ms, 64)
	return n
}

// laterEvent compares ids of a stream.
func laterEvent(a, b string) bool {
	parts := func(id string) (ms, n int64) {
		_, _ = fmt.Sscanf(id, "%d-%d", &ms, &n)
		return ms, n
	}
	aMS, aN := parts(a)
	bMS, bN := parts(b)
	return aMS > bMS || aMS == bMS && aN > bN
}

// stream: events can be parsed, and tell a life in its order.
func (i *invariants) stream() {
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
			if before != "waiting" && before != "" && (before != "waiting-children" || !i.excused(silentRelease, id)) {
				i.broken("job %s became active after %q", id, before)
			}
		case "completed", "failed":
			if before != "active" && before != "" {
				i.broken("job %s %s after %q", id, kind, before)
			}
		case "waiting", "delayed", "waiting-children":
			if e.Values["prev"] == nil && before != "added" && before != "" && kind != "delayed" {
				i.broken("job %s %s as if it were new, after %q", id, kind, before)
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

// metricsKept is how many minutes of metrics the workers of random programs keep.
const metricsKept = 3

func (i *invariants) counters() {
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
		if kept := i.lists[which+":data"]; len(kept) > metricsKept {
			i.broken("%s has %d minutes of which %d are kept", which, len(kept), metricsKept)
		}
	}
}
