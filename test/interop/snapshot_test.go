package interop

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// snapshot is what a queue left in Redis, key by key, without what differs from run to run: times become "<ms>",
// the queue's own name "<base>". Left out are keys that tell of the past alone (stalled-check), or of the moment
// (marker, unless asked for), and the event stream, which eventsOf reads.
func (l *line) snapshot(marker bool) map[string]any {
	l.w.t.Helper()
	out := map[string]any{}
	keys, err := l.w.rdb.Keys(l.w.ctx, l.base.String()+":*").Result()
	l.w.must(err)
	for _, key := range keys {
		suffix := strings.TrimPrefix(key, l.base.String()+":")
		switch {
		case suffix == "events" || suffix == "stalled-check" || suffix == "stalled":
		case suffix == "marker" && !marker:
		default:
			out[suffix] = l.value(key, suffix)
		}
	}
	return out
}

func (l *line) value(key, suffix string) any {
	l.w.t.Helper()
	rdb, ctx := l.w.rdb, l.w.ctx
	kind, err := rdb.Type(ctx, key).Result()
	l.w.must(err)
	switch kind {
	case "string":
		text := l.plain(rdb.Get(ctx, key).Val())
		if rdb.PTTL(ctx, key).Val() > 0 {
			text += " expires"
		}
		return text
	case "list":
		return l.plainAll(rdb.LRange(ctx, key, 0, -1).Val())
	case "set":
		members := l.plainAll(rdb.SMembers(ctx, key).Val())
		slices.Sort(members)
		return members
	case "zset":
		return l.zset(suffix, rdb.ZRangeWithScores(ctx, key, 0, -1).Val())
	case "hash":
		fields := map[string]any{}
		for name, text := range rdb.HGetAll(ctx, key).Val() {
			fields[l.plain(name)] = l.field(name, text)
		}
		if _, scheduled := fields["rjk"]; scheduled {
			delete(fields, "nrjid") // only BullMQ 5 writes it, and nobody reads it
			scheduledTimes(fields)
		}
		if _, scheduler := fields["ic"]; scheduler && fields["offset"] != "0" {
			fields["offset"] = "<offset>"
		}
		if reason, _ := fields["failedReason"].(string); engineSays.MatchString(reason) {
			// Node adds the place in its code where it gave up; ours has no such place.
			delete(fields, "stacktrace")
		}
		return fields
	}
	return kind
}

// scheduledTimes takes out of a job how long it waits for a moment that is the same in every run.
func scheduledTimes(job map[string]any) {
	if job["delay"] != "0" {
		job["delay"] = "<delay>"
	}
	if opts, _ := job["opts"].(map[string]any); opts["delay"] != nil && opts["delay"] != 0.0 {
		opts["delay"] = "<delay>"
	}
}

// zset keeps the order and, of the scores, what is no time. Ends in the same millisecond come in the order of ids.
func (l *line) zset(suffix string, members []redis.Z) []string {
	out := make([]string, len(members))
	for i, m := range members {
		out[i] = l.plain(fmt.Sprint(m.Member))
		if suffix == "prioritized" {
			out[i] += fmt.Sprintf("=%d+%d", int64(m.Score)>>32, int64(m.Score)&(1<<32-1))
		}
	}
	if suffix != "prioritized" && suffix != "delayed" {
		slices.Sort(out)
	}
	return out
}

// field normalises one field of a hash. JSON is compared as such: Lua and JavaScript order and escape it in their
// own ways.
func (l *line) field(name, text string) any {
	switch name {
	case "opts", "progress", "parent", "returnvalue":
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return "not JSON: " + text
		}
		return l.plainValue(v)
	case "stacktrace":
		var traces []string
		if err := json.Unmarshal([]byte(text), &traces); err != nil {
			return "not JSON: " + text
		}
		for i := range traces {
			traces[i] = firstLine(traces[i])
		}
		return traces
	}
	return l.plain(text)
}

// engineSays matches the reasons of failures that no handler has seen.
var engineSays = regexp.MustCompile(`^child .* failed$|^job stalled more than allowable limit$`)

// firstLine leaves out of a stack trace the files it names.
func firstLine(trace string) string {
	line, _, _ := strings.Cut(trace, "\n")
	return line
}

// millis finds times of the years 2020 to 2050 in a text.
var millis = regexp.MustCompile(`\b(1[6-9]|2[0-4])\d{11}\b`)

// plain takes out of a text what differs between two queues and two runs.
func (l *line) plain(text string) string {
	text = strings.ReplaceAll(text, l.base.Prefix+":", "<prefix>:")
	text = strings.ReplaceAll(text, `"`+l.base.Prefix+`"`, `"<prefix>"`)
	return millis.ReplaceAllString(text, "<ms>")
}

// plainValue is plain for what JSON holds.
func (l *line) plainValue(v any) any {
	switch v := v.(type) {
	case string:
		return l.plain(v)
	case float64:
		if v > 1.6e12 && v < 2.5e12 {
			return "<ms>"
		}
	case []any:
		for i := range v {
			v[i] = l.plainValue(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = l.plainValue(v[name])
		}
	}
	return v
}

func (l *line) plainAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = l.plain(text)
	}
	return out
}

// rawEvent is an entry of an event stream.
type rawEvent struct {
	at     time.Time
	kind   string
	jobID  string
	fields map[string]string
}

// rawEvents reads the whole stream.
func rawEvents(l *line) []rawEvent {
	l.w.t.Helper()
	entries, err := l.w.rdb.XRange(l.w.ctx, l.key("events"), "-", "+").Result()
	l.w.must(err)
	events := make([]rawEvent, len(entries))
	for i, entry := range entries {
		ms, _, _ := strings.Cut(entry.ID, "-")
		n, err := strconv.ParseInt(ms, 10, 64)
		l.w.must(err)
		e := rawEvent{at: time.UnixMilli(n), fields: map[string]string{}}
		for name, value := range entry.Values {
			switch name {
			case "event":
				e.kind = fmt.Sprint(value)
			case "jobId":
				e.jobID = fmt.Sprint(value)
			default:
				e.fields[name] = fmt.Sprint(value)
			}
		}
		events[i] = e
	}
	return events
}

// eventsOf is the stream as the life of each job, and of the queue under "". The order between jobs is left out.
func (l *line) eventsOf() map[string][]string {
	l.w.t.Helper()
	lives := map[string][]string{}
	for _, e := range rawEvents(l) {
		text := e.kind
		names := make([]string, 0, len(e.fields))
		for name := range e.fields {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			text += fmt.Sprintf(" %s=%v", name, l.eventField(name, e.fields[name]))
		}
		lives[e.jobID] = append(lives[e.jobID], text)
	}
	return lives
}

// eventField is one field of an event. JSON is written anew: there are several ways to escape a text.
func (l *line) eventField(name, text string) string {
	if name != "returnvalue" && name != "data" {
		return l.plain(text)
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return "not JSON: " + text
	}
	again, err := json.Marshal(l.plainValue(v))
	l.w.must(err)
	return string(again)
}

// twins plays the same scenario on two queues, one named node and one named ours, by what the scenario makes of
// that name, and holds the jobs, the states and the events that are left against each other.
func (w *world) twins(name string, play func(l *line, ours bool)) (node, ours *line) {
	w.t.Helper()
	node, ours = w.line("node", name), w.line("ours", name)
	play(node, false)
	play(ours, true)
	diff(w.t, name+": Redis after Node and after ours", node.snapshot(false), ours.snapshot(false))
	diff(w.t, name+": events of Node and of ours", node.eventsOf(), ours.eventsOf())
	ours.sameCounts()
	for _, l := range []*line{node, ours} {
		checkInvariants(w.t, w.rdb, l.base.String())
	}
	return node, ours
}

// works starts the worker of the kind that the twin is for.
func (l *line) works(ours bool, s setup) *hand {
	l.w.t.Helper()
	if ours {
		return l.weWork(s)
	}
	return l.nodeWorks(s)
}
