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
	// ghost: a drain that passes over a scheduler's job in the middle of the waiting ones leaves an id without a job,
	// which a Node worker runs as a job without a name.
	ghost
	// lost: the same drain takes the scheduler's job out of the list; a resume by BullMQ 5 loses what version 6 added.
	lost
	// silentRelease: a clean or a drain that releases a parent of another queue writes no event.
	silentRelease
	// bothLists: BullMQ 5 adds to paused what version 6 adds to wait.
	bothLists
	// unmarked: what frees a place under the queue's limit, or raises the limit, wakes nobody; what was added while all
	// places were taken has no marker yet, and a worker that found all taken has the one there was. Nor does a prioritized
	// job that is given back wake anybody.
	unmarked
	// childAgain: a child that is added again under the same id, or attached again, is pending beside the outcome that it
	// had, and may get another one. The id is that of the parent, a space, and the child's key.
	childAgain
	// nextKept: a next job is kept for a deduplication id; adding another with a time to live makes the id expire,
	// and freeing the id leaves the next job.
	nextKept
	// suspected: the removal of an active job leaves it among those that may have stalled, for the next one of its id.
	suspected
	// childless: the release of a parent that an existing child was attached to.
	childless
)

func (k known) String() string {
	return []string{
		"a priority in wait", "a delay kept", "a marker taken", "a ghost", "a lost job", "a silent release", "both lists", "no marker", "a child again", "a next job kept", "a suspicion", "no children",
	}[k]
}

// checkInvariants holds a queue at rest against what BullMQ's clients rely on. It wants no operation in flight, and
// no worker connected for what it says of the marker.
func checkInvariants(t testing.TB, rdb *redis.Client, base string, forgiven ...known) {
	t.Helper()
	c := readContents(t, rdb, base)
	i := &invariants{
		contents: c, all: map[string]*contents{base: c}, limit: int(c.number("meta", "concurrency")),
		connected: func() bool { return connected(t, rdb, base) },
		excused:   func(k known, _ string) bool { return slices.Contains(forgiven, k) },
		complain:  func(text string) { t.Helper(); t.Errorf("%s: %s", base, text) },
	}
	i.check()
}

// invariants are what section 14.2 of the wire description says of one queue. What it says of moments and not of a
// queue at rest, operations check: that a pause takes the marker away (18), that an empty claim ends the counter of
// priorities (19), and that active jobs are never more than the limit (30).
type invariants struct {
	*contents
	all       map[string]*contents // every queue that families may reach into, by key base
	connected func() bool          // whether a worker may sleep on the marker
	// excused lets a defect of BullMQ through. It is asked only about what is broken.
	excused  func(k known, id string) bool
	complain func(text string)
	limit    int // the most jobs that may be active; 0 means no limit
	// sureFrom is the newest event at which the marker of the delayed jobs could not be relied on.
	sureFrom string
}

func (i *invariants) check() {
	i.places()
	i.texts()
	i.locks()
	i.activeJobs()
	i.waitingJobs()
	i.counterOfPriorities()
	i.delayedJobs()
	i.finishedJobs()
	i.retriedJobs()
	i.marker()
	i.families()
	i.deduplication()
	i.schedulers()
	i.stream()
	i.counters()
}

func (i *invariants) broken(format string, with ...any) { i.complain(fmt.Sprintf(format, with...)) }

// places: each job is in one structure, once, and each entry is a job.
func (i *invariants) places() {
	at := map[string]string{}
	for _, structure := range structures {
		for _, id := range i.ids(structure) {
			if before, twice := at[id]; twice {
				i.broken("job %s is in %s and in %s", id, before, structure)
			}
			at[id] = structure
			if !i.has(id, "timestamp") && i.excused(ghost, id) {
				continue
			}
			for _, field := range []string{"name", "data", "opts", "timestamp"} {
				if !i.has(id, field) {
					i.broken("job %s in %s has no %s", id, structure, field)
				}
			}
		}
	}
	for _, id := range i.jobs() {
		if at[id] == "" && !i.excused(lost, id) {
			i.broken("job %s is lost: %v", id, i.hashes[id])
		}
	}
	if len(i.lists["paused"]) > 0 && (len(i.lists["wait"]) > 0 || !i.v5()) && !i.excused(bothLists, "") {
		i.broken("paused holds %v beside wait %v, version %s", i.lists["paused"], i.lists["wait"], i.hashes["meta"]["version"])
	}
	if len(i.lists["paused"]) > 0 && !i.paused() {
		i.broken("paused holds %v, but the queue is not paused", i.lists["paused"])
	}
}

// texts: what Node parses can be parsed.
func (i *invariants) texts() {
	for _, id := range i.jobs() {
		if !i.has(id, "timestamp") && i.excused(ghost, id) {
			continue
		}
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
	active := i.lists["active"]
	for _, id := range active {
		_, locked := i.contents.texts[id+":lock"]
		checked, _ := strconv.ParseFloat(i.contents.texts["stalled-check"], 64)
		if !locked && !i.sets["stalled"][id] && checked > i.number(id, "processedOn") {
			i.broken("job %s is active without a lock and not marked as stalled", id)
		}
	}
	for suffix := range i.contents.texts {
		if id, ok := strings.CutSuffix(suffix, ":lock"); ok && !slices.Contains(active, id) {
			i.broken("job %s is locked but not active", id)
		}
	}
	if i.limit > 0 && len(active) > i.limit {
		i.broken("%d jobs are active, the limit is %d", len(active), i.limit)
	}
}

// activeJobs: they have started, and the stream says so; nothing that has left active is suspected of stalling.
func (i *invariants) activeJobs() {
	last := i.lastEvents()
	for _, id := range i.lists["active"] {
		if !i.has(id, "processedOn") || i.number(id, "ats") < 1 {
			i.broken("job %s is active but was never started: %v", id, i.hashes[id])
		}
		if i.whole() && last[id].kind != "active" {
			i.broken("job %s is active, its last event is %v", id, last[id])
		}
	}
	for id := range i.sets["stalled"] {
		e := last[id]
		left := e.kind == "completed" || e.kind == "failed" || e.kind == "delayed" || e.kind == "waiting" && e.prev == "active"
		if left && !slices.Contains(i.lists["active"], id) && !i.excused(suspected, id) {
			i.broken("job %s is suspected of stalling after %v", id, e)
		}
	}
}

func (i *invariants) waitingJobs() {
	for _, structure := range []string{"wait", "paused", "active", "prioritized"} {
		for _, id := range i.ids(structure) {
			if i.number(id, "delay") != 0 && !i.excused(delayKept, id) {
				i.broken("job %s in %s has delay %s", id, structure, i.hashes[id]["delay"])
			}
		}
	}
	for _, id := range append(slices.Clone(i.lists["wait"]), i.lists["paused"]...) {
		if i.number(id, "priority") != 0 && !i.excused(priorityInWait, id) {
			i.broken("job %s waits with priority %s", id, i.hashes[id]["priority"])
		}
	}
}

// counterOfPriorities: it is ahead of every score that it gave out.
func (i *invariants) counterOfPriorities() {
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

// delayedJobs: a job is due when its last event said, and has no delay of 0 unless it was due at once.
func (i *invariants) delayedJobs() {
	said, at := map[string]float64{}, map[string]float64{}
	for _, e := range i.events {
		if e.Values["event"] == "delayed" {
			id := fmt.Sprint(e.Values["jobId"])
			said[id], _ = strconv.ParseFloat(fmt.Sprint(e.Values["delay"]), 64)
			at[id] = eventTime(e)
		}
	}
	const clocks = 2000 // ms that the clocks of producers and of Redis may seem apart, a job being on its way
	for id, score := range i.zsets["delayed"] {
		if due := math.Floor(score / 4096); due != math.Floor(said[id]) {
			i.broken("job %s is due at %.0f, its event said %.0f", id, due, said[id])
		}
		if delay := i.number(id, "delay"); delay < 0 || delay == 0 && said[id] > at[id]+clocks {
			i.broken("job %s has delay %s, but is due at %.0f", id, i.hashes[id]["delay"], said[id])
		}
	}
}

func (i *invariants) finishedJobs() {
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

// retriedJobs: a manual retry takes the outcome away.
func (i *invariants) retriedJobs() {
	for id, e := range i.lastEvents() {
		if e.kind != "waiting" || e.prev != "failed" && e.prev != "completed" {
			continue
		}
		outcome := map[string]string{"completed": "returnvalue", "failed": "failedReason"}[e.prev]
		if i.has(id, "processedOn") || i.has(id, "finishedOn") || i.has(id, outcome) {
			i.broken("job %s was retried and has still %v", id, i.hashes[id])
		}
	}
}

// marker: a worker that comes now, and sleeps, will be woken.
func (i *invariants) marker() {
	now, ready := i.zsets["marker"]["0"]
	switch {
	case i.paused():
		if ready {
			i.broken("the queue is paused and its marker says that a job may be there")
		}
	case i.maxed() || i.connected():
	case i.waiting() > 0 && (!ready || now != 0) && !i.excused(unmarked, ""):
		i.broken("%d jobs wait, the marker is %v", i.waiting(), i.zsets["marker"])
	}
	if len(i.zsets["delayed"]) == 0 || !i.delaysAnnounced() || i.connected() {
		return
	}
	earliest := math.Inf(1)
	for _, score := range i.zsets["delayed"] {
		earliest = min(earliest, score/4096)
	}
	if due, ok := i.zsets["marker"]["1"]; (!ok || due > earliest+1) && !i.excused(markerTaken, "") {
		i.broken("a job is due at %.0f, the marker is %v", earliest, i.zsets["marker"])
	}
}

// delaysAnnounced reports whether the marker must tell of the delayed jobs. A worker takes it, and knows the time from
// then on; a pause deletes it, and what a resume sets makes a worker look, which then knows the time too. The next
// job to be delayed sets it again, unless the same step started another: then that one's marker makes a worker look.
func (i *invariants) delaysAnnounced() bool {
	sure := i.sureFrom == ""
	for n, e := range i.events {
		switch e.Values["event"] {
		case "active":
			sure = sure && i.sureFrom != ""
		case "paused":
			sure = false
		case "delayed":
			sure = (sure || i.sureFrom != "") && !i.startedWith(n)
		}
		if i.sureFrom != "" && !laterEvent(e.ID, i.sureFrom) {
			sure = false
		}
	}
	return sure
}

// startedWith reports whether the step that wrote an event has started a job after that: a step has one time.
func (i *invariants) startedWith(n int) bool {
	for _, later := range i.events[n+1:] {
		if eventTime(later) > eventTime(i.events[n]) {
			return false
		}
		if later.Values["event"] == "active" {
			return true
		}
	}
	return false
}
