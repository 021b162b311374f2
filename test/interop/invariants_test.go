package interop

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// known are defects of BullMQ whose traces a test must expect where Node did the work.
type known int

const (
	// priorityInWait: retryJobs, promoteJobs, stalled recovery, the release of a parent by the removal of its last
	// child, and any retry by BullMQ 5 put prioritized jobs into the list of those without a priority.
	priorityInWait known = iota
	// delayKept: promoteJobs and the release of a delayed parent leave the hash's delay.
	delayKept
	// markerTaken: a worker that is sent away with the marker of the delayed jobs in its hands does not put it back.
	markerTaken
)

// checkInvariants holds a queue at rest against what BullMQ's clients rely on. It wants no operation in flight, and
// no worker connected for what it says of the marker.
func checkInvariants(t testing.TB, rdb *redis.Client, base string, forgiven ...known) {
	t.Helper()
	i := &invariants{t: t, contents: readContents(t, rdb, base), forgiven: forgiven}
	i.places()
	i.texts()
	i.locks()
	i.waitingJobs()
	i.delayedJobs()
	i.finishedJobs()
	i.marker(rdb)
	i.families()
	i.deduplication()
	i.schedulers()
	i.stream()
	i.counters()
}

type invariants struct {
	t testing.TB
	*contents
	forgiven []known
}

func (i *invariants) broken(format string, with ...any) {
	i.t.Helper()
	i.t.Errorf("%s: %s", i.base, fmt.Sprintf(format, with...))
}

// places: each job is in one structure, once, and each entry is a job.
func (i *invariants) places() {
	i.t.Helper()
	at := map[string]string{}
	for _, structure := range structures {
		for _, id := range i.ids(structure) {
			if before, twice := at[id]; twice {
				i.broken("job %s is in %s and in %s", id, before, structure)
			}
			at[id] = structure
			for _, field := range []string{"name", "data", "opts", "timestamp"} {
				if !i.has(id, field) {
					i.broken("job %s in %s has no %s", id, structure, field)
				}
			}
		}
	}
	for _, id := range i.jobs() {
		if at[id] == "" {
			i.broken("job %s is lost: %v", id, i.hashes[id])
		}
	}
	if len(i.lists["paused"]) > 0 && (len(i.lists["wait"]) > 0 || !i.v5()) {
		i.broken("paused holds %v beside wait %v, version %s", i.lists["paused"], i.lists["wait"], i.hashes["meta"]["version"])
	}
	if len(i.lists["paused"]) > 0 && !i.paused() {
		i.broken("paused holds %v, but the queue is not paused", i.lists["paused"])
	}
}

// texts: what Node parses can be parsed.
func (i *invariants) texts() {
	i.t.Helper()
	for _, id := range i.jobs() {
		var opts map[string]any
		if err := json.Unmarshal([]byte(i.hashes[id]["opts"]), &opts); err != nil || opts == nil {
			i.broken("opts of job %s: %q", id, i.hashes[id]["opts"])
		}
		for _, field := range []string{"data", "progress", "parent", "stacktrace", "returnvalue"} {
			if i.has(id, field) && !json.Valid([]byte(i.hashes[id][field])) {
				i.broken("%s of job %s is no JSON: %q", field, id, i.hashes[id][field])
			}
		}
		if i.number(id, "atm") > i.number(id, "ats") {
			i.broken("job %s was attempted %v times, started %v times", id, i.number(id, "atm"), i.number(id, "ats"))
		}
	}
}

// locks: an active job is locked or about to be recovered, and no other job is locked.
func (i *invariants) locks() {
	i.t.Helper()
	active := i.lists["active"]
	for _, id := range active {
		_, locked := i.contents.texts[id+":lock"]
		checked, _ := strconv.ParseFloat(i.contents.texts["stalled-check"], 64)
		if !locked && !i.sets["stalled"][id] && checked > i.number(id, "processedOn") {
			i.broken("job %s is active without a lock and not marked as stalled", id)
		}
		if !i.has(id, "processedOn") || i.number(id, "ats") < 1 {
			i.broken("job %s is active but was never started: %v", id, i.hashes[id])
		}
	}
	for suffix := range i.contents.texts {
		if id, ok := strings.CutSuffix(suffix, ":lock"); ok && !slices.Contains(active, id) {
			i.broken("job %s is locked but not active", id)
		}
	}
	if limit := i.number("meta", "concurrency"); limit > 0 && float64(len(active)) > limit {
		i.broken("%d jobs are active, the limit is %v", len(active), limit)
	}
}

func (i *invariants) waitingJobs() {
	i.t.Helper()
	for _, structure := range []string{"wait", "paused", "active", "prioritized"} {
		for _, id := range i.ids(structure) {
			if i.number(id, "delay") != 0 && !slices.Contains(i.forgiven, delayKept) {
				i.broken("job %s in %s has delay %s", id, structure, i.hashes[id]["delay"])
			}
		}
	}
	for _, id := range append(slices.Clone(i.lists["wait"]), i.lists["paused"]...) {
		if i.number(id, "priority") != 0 && !slices.Contains(i.forgiven, priorityInWait) {
			i.broken("job %s waits with priority %s", id, i.hashes[id]["priority"])
		}
	}
	counter, counted := 0.0, false
	if text, ok := i.contents.texts["pc"]; ok {
		counter, _ = strconv.ParseFloat(text, 64)
		counted = true
	}
	for id, score := range i.zsets["prioritized"] {
		priority, order := math.Floor(score/(1<<32)), math.Mod(score, 1<<32)
		if priority != i.number(id, "priority") || priority <= 0 {
			i.broken("job %s has score %.0f and priority %s", id, score, i.hashes[id]["priority"])
		}
		if order > 0 && (!counted || order > counter) {
			i.broken("job %s came %.0fth, the counter stands at %.0f", id, order, counter)
		}
	}
}

// delayedJobs: a job is due when its last event said.
func (i *invariants) delayedJobs() {
	i.t.Helper()
	said := map[string]float64{}
	for _, e := range i.events {
		if e.Values["event"] == "delayed" {
			due, _ := strconv.ParseFloat(fmt.Sprint(e.Values["delay"]), 64)
			said[fmt.Sprint(e.Values["jobId"])] = due
		}
	}
	for id, score := range i.zsets["delayed"] {
		if due := math.Floor(score / 4096); due != math.Floor(said[id]) {
			i.broken("job %s is due at %.0f, its event said %.0f", id, due, said[id])
		}
		if i.number(id, "delay") < 0 {
			i.broken("job %s has delay %s", id, i.hashes[id]["delay"])
		}
	}
}

func (i *invariants) finishedJobs() {
	i.t.Helper()
	for _, structure := range structures {
		outcome := map[string]string{"completed": "returnvalue", "failed": "failedReason"}[structure]
		for _, id := range i.ids(structure) {
			if outcome == "" {
				if i.has(id, "finishedOn") || i.has(id, "returnvalue") {
					i.broken("job %s in %s has an outcome: %v", id, structure, i.hashes[id])
				}
				continue
			}
			if i.zsets[structure][id] != i.number(id, "finishedOn") || !i.has(id, outcome) || i.number(id, "atm") < 1 {
				i.broken("job %s is %s at %.0f without the fields of it: %v", id, structure, i.zsets[structure][id], i.hashes[id])
			}
			if structure == "failed" && i.has(id, "defa") {
				i.broken("job %s has failed and is still to be failed", id)
			}
		}
	}
}

// marker: a worker that comes now, and sleeps, will be woken.
func (i *invariants) marker(rdb *redis.Client) {
	i.t.Helper()
	now, ready := i.zsets["marker"]["0"]
	switch {
	case i.paused():
		if ready {
			i.broken("the queue is paused and its marker says that a job may be there")
		}
	case i.maxed() || connected(i.t, rdb, i.base):
	case i.waiting() > 0 && (!ready || now != 0):
		i.broken("%d jobs wait, the marker is %v", i.waiting(), i.zsets["marker"])
	}
	// A worker takes the marker of the delayed jobs, and knows the time from then on. A pause deletes it, and what a
	// resume sets makes a worker look, which then knows the time too.
	unsure := slices.ContainsFunc(i.events, func(e redis.XMessage) bool {
		return e.Values["event"] == "active" || e.Values["event"] == "paused"
	})
	if unsure || slices.Contains(i.forgiven, markerTaken) || len(i.zsets["delayed"]) == 0 || connected(i.t, rdb, i.base) {
		return
	}
	earliest := math.Inf(1)
	for _, score := range i.zsets["delayed"] {
		earliest = min(earliest, score/4096)
	}
	if due, ok := i.zsets["marker"]["1"]; !ok || due > earliest+1 {
		i.broken("a job is due at %.0f, the marker is %v", earliest, i.zsets["marker"])
	}
}
