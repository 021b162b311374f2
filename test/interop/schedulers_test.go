package interop

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
)

// schedule is one call of upsertJobScheduler, for either side.
type schedule struct {
	repeat   args
	template args
	spec     queue.SchedulerSpec
}

const hourOf = time.Hour

// upserts has the scheduler s written by the side that the twin is for.
func (l *line) upserts(ours bool, s schedule) {
	l.w.t.Helper()
	if !ours {
		request := args{"schedulerId": "s", "repeat": s.repeat}
		if s.template != nil {
			request["template"] = s.template
		}
		l.call("upsertJobScheduler", request, nil)
		return
	}
	spec := s.spec
	spec.ID = "s"
	_, err := l.q.UpsertScheduler(l.w.ctx, spec, cron.NextRun)
	l.w.must(err)
}

// schedules are all forms that a scheduler can have.
func schedules() map[string]schedule {
	now := time.Now().Truncate(time.Millisecond)
	ms := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	return map[string]schedule{
		"every": {args{"every": hour}, nil, queue.SchedulerSpec{Every: hourOf}},
		"every with a template": {
			args{"every": hour},
			args{"name": "tick", "data": args{"x": []any{1, nil}}, "opts": args{"attempts": 3, "priority": 2, "removeOnComplete": args{"count": 5}, "backoff": args{"type": "fixed", "delay": 9}, "keepLogs": 4}},
			queue.SchedulerSpec{Every: hourOf, Name: "tick", Data: json.RawMessage(`{"x":[1,null]}`), Opts: queue.JobOptions{
				Attempts: 3, Priority: 2, KeepCompleted: queue.KeepNewest(5, 0), Backoff: &queue.Backoff{Type: "fixed", Delay: 9 * time.Millisecond}, KeepLogs: 4,
			}},
		},
		"every with an offset": {args{"every": hour, "offset": 777000}, nil, queue.SchedulerSpec{Every: hourOf, Offset: 777 * time.Second}},
		"every with bounds": {
			args{"every": hour, "startDate": ms(time.Hour), "endDate": ms(9 * time.Hour), "limit": 7, "tz": "Asia/Tokyo"},
			args{"name": "n", "opts": args{"lifo": true}},
			queue.SchedulerSpec{
				Every: hourOf, Start: now.Add(time.Hour), End: now.Add(9 * time.Hour), Limit: 7, TZ: "Asia/Tokyo", Name: "n", Opts: queue.JobOptions{LIFO: true},
			},
		},
		"every with a start that has passed": {args{"every": hour, "startDate": ms(-time.Hour)}, nil, queue.SchedulerSpec{Every: hourOf, Start: now.Add(-time.Hour)}},
		"every, immediately":                 {args{"every": hour, "immediately": true}, nil, queue.SchedulerSpec{Every: hourOf, Immediately: true}},
		"pattern":                            {args{"pattern": "30 4 * * *"}, args{"data": "text"}, queue.SchedulerSpec{Pattern: "30 4 * * *", Data: json.RawMessage(`"text"`)}},
		"pattern with bounds": {
			args{"pattern": "15 30 4 * JAN-DEC MON#2", "tz": "Europe/Berlin", "startDate": ms(time.Hour), "endDate": ms(999 * 24 * time.Hour), "limit": 2},
			nil,
			queue.SchedulerSpec{
				Pattern: "15 30 4 * JAN-DEC MON#2", TZ: "Europe/Berlin", Start: now.Add(time.Hour), End: now.Add(999 * 24 * time.Hour), Limit: 2,
			},
		},
		"pattern, immediately": {
			args{"pattern": "0 0 L 2 *", "tz": "UTC", "immediately": true},
			args{"data": nil},
			queue.SchedulerSpec{Pattern: "0 0 L 2 *", TZ: "UTC", Immediately: true, Data: json.RawMessage("null")},
		},
		"with a deduplication": {
			args{"every": hour},
			args{"name": "n", "opts": args{"deduplication": args{"id": "d"}}},
			queue.SchedulerSpec{Every: hourOf, Name: "n", Opts: queue.JobOptions{Other: map[string]json.RawMessage{"de": json.RawMessage(`{"id":"d"}`)}}},
		},
	}
}

// schedulerTwins is twins for keys that have times in their names.
func (w *world) schedulerTwins(name string, play func(l *line, ours bool)) (node, ours *line) {
	w.t.Helper()
	node, ours = w.line("node", name), w.line("ours", name)
	play(node, false)
	play(ours, true)
	diff(w.t, name+": Redis after Node and after ours", plainKeys(node, node.snapshot(false)), plainKeys(ours, ours.snapshot(false)))
	lives := func(l *line) map[string][]string {
		all := map[string][]string{}
		for id, parts := range plainKeys(l, l.eventsOf()) {
			all[id] = slices.Concat(parts...) // of jobs of one millisecond as of those of two
		}
		return all
	}
	diff(w.t, name+": events of Node and of ours", lives(node), lives(ours))
	ours.sameCounts()
	return node, ours
}

// What we write of a scheduler is what Node writes, and it is read by Node as its own.
func TestWeWriteSchedulersAsNodeDoes(t *testing.T) {
	eachWorld(t, func(w *world) {
		all := schedules()
		for i, name := range slices.Sorted(maps.Keys(all)) {
			node, ours := w.schedulerTwins(fmt.Sprint("upsert-", i), func(l *line, ours bool) { l.upserts(ours, all[name]) })
			var byNode, byOurs any
			for l, into := range map[*line]*any{node: &byNode, ours: &byOurs} {
				l.call("getJobScheduler", args{"schedulerId": "s"}, into)
				*into = l.plainValue(*into)
				scheduler, _ := (*into).(map[string]any)
				if scheduler["offset"] != nil && all[name].repeat["offset"] == nil && scheduler["offset"] != 0.0 {
					scheduler["offset"] = "<offset>"
				}
			}
			diff(w.t, name+": getJobScheduler of Node's and of ours", byNode, byOurs)
			ours.sameScheduler(name)
		}
	})
}

// sameScheduler holds what Node reads of the scheduler s against what we read.
func (l *line) sameScheduler(what string) {
	l.w.t.Helper()
	var all []struct {
		Key, Name, Pattern, TZ string
		Every, Limit, Next     int64
		StartDate, EndDate     int64
		IterationCount         int64
		Template               struct{ Data, Opts any }
	}
	l.call("getJobSchedulers", args{"start": 0, "end": -1, "asc": true}, &all)
	read, total, err := l.q.Schedulers(l.w.ctx, 0, 100)
	l.w.must(err)
	if len(all) != 1 || total != 1 || len(read) != 1 {
		l.w.t.Fatalf("%s: Node reads %d schedulers, we read %d", what, len(all), total)
	}
	n, o := all[0], read[0]
	unix := func(at time.Time) int64 {
		if at.IsZero() {
			return 0
		}
		return at.UnixMilli()
	}
	diff(l.w.t, what+": read by Node and by us",
		[]any{n.Key, n.Name, n.Pattern, n.TZ, n.Every, n.Limit, n.Next, n.StartDate, n.EndDate, n.IterationCount},
		[]any{o.ID, o.Name, o.Pattern, o.TZ, o.Every.Milliseconds(), o.Limit, unix(o.Next), unix(o.Start), unix(o.End), o.Iterations})
	diff(l.w.t, what+": its template", n.Template.Data, parsedJSON(l.w.t, o.Data))
	diff(l.w.t, what+": its health", queue.SchedulerHealthy, o.Health)
}

func parsedJSON(t *testing.T, text json.RawMessage) (v any) {
	t.Helper()
	if len(text) > 0 {
		if err := json.Unmarshal(text, &v); err != nil {
			t.Error(err)
		}
	}
	return v
}

// Changing a scheduler leaves what Node leaves, whoever had made it.
func TestWeChangeSchedulersAsNodeDoes(t *testing.T) {
	eachWorld(t, func(w *world) {
		all := schedules()
		names := []string{"every", "every with a template", "every with an offset", "pattern", "pattern, immediately", "every with bounds"}
		for i, first := range names {
			for j, second := range names {
				for _, byNode := range []bool{false, true} {
					w.schedulerTwins(fmt.Sprintf("change-%d-%d-%v", i, j, byNode), func(l *line, ours bool) {
						l.upserts(ours != byNode && ours, all[first])
						l.upserts(ours, all[second])
					})
				}
			}
		}
	})
}

// While the job is active, finished or gone, and in a paused queue.
func TestWeChangeSchedulersBesideTheirJobsAsNodeDoes(t *testing.T) {
	eachWorld(t, func(w *world) {
		all := schedules()
		for name, do := range map[string]func(l *line){
			"ran": func(l *line) {
				l.call("promoteJobs", nil, nil)
				hand := l.nodeWorks(setup{})
				l.waitFinished(1, 0)
				hand.stop()
			},
			"gone": func(l *line) {
				for _, key := range l.w.rdb.Keys(l.w.ctx, l.key("repeat:s:*")).Val() {
					l.w.must(l.w.rdb.Del(l.w.ctx, key, l.key("wait"), l.key("delayed"), l.key("prioritized")).Err())
				}
			},
			"paused": func(l *line) {
				if l.w.peer.major == 5 { // 6 looks in the wrong list, see docs/compatibility.md
					l.call("pause", nil, nil)
				}
			},
		} {
			for i, form := range []string{"every", "pattern, immediately"} {
				w.schedulerTwins(fmt.Sprint(name, "-", i), func(l *line, ours bool) {
					l.upserts(false, all[form])
					do(l)
					l.upserts(ours, all[form])
				})
			}
		}
	})
}

func TestWeRemoveSchedulersAsNodeDoes(t *testing.T) {
	eachWorld(t, func(w *world) {
		all := schedules()
		for i, form := range []string{"every", "pattern", "every with a template"} {
			w.schedulerTwins(fmt.Sprint("remove-", i), func(l *line, ours bool) {
				l.upserts(false, all[form])
				if ours {
					w.must(l.q.RemoveScheduler(w.ctx, "s"))
				} else {
					l.call("removeJobScheduler", args{"schedulerId": "s"}, nil)
				}
			})
		}
	})
}

// bull-board shows the job of a scheduler of ours, and Node's cleaning up leaves what we keep of a paused one.
func TestNodeLooksAtOurSchedulers(t *testing.T) {
	eachWorld(t, func(w *world) {
		all := schedules()
		node, ours := w.line("node", "looked"), w.line("ours", "looked")
		for _, l := range []*line{node, ours} {
			l.upserts(l == ours, all["every with a template"])
			_ = l.board("prioritized", "")
		}
		diff(w.t, "bull-board", node.board("prioritized", ""), ours.board("prioritized", ""))
		w.must(ours.q.Fenced(3).PauseScheduler(w.ctx, "s"))
		ours.call("removeOrphanedJobs", args{"count": 1000, "limit": 0}, nil)
		var left []any
		ours.call("getJobSchedulers", args{"start": 0, "end": -1, "asc": true}, &left)
		diff(w.t, "schedulers that Node sees", 0, len(left))
		hand := ours.nodeWorks(setup{})
		ours.waitFinished(1, 0)
		hand.stop()
		resumed, err := ours.q.ResumeScheduler(w.ctx, "s", cron.NextRun)
		w.must(err)
		ours.sameScheduler("resumed")
		if !resumed.At.After(time.Now()) {
			w.t.Errorf("resumed at %v, which has passed", resumed.At)
		}
	})
}

// What either side makes the other continues, by turns, and a death in between ends nothing: Node's process is killed,
// and ours leaves without a word.
func TestSchedulersSurviveTheirMakers(t *testing.T) {
	eachMajor(t, func(t *testing.T, p *peer) {
		w := newWorld(t, p)
		l := w.fresh()
		l.upserts(false, schedule{repeat: args{"every": 300}, template: args{"name": "node", "data": args{"x": 1}}})
		w.client.Queue(l.base)
		_, err := l.q.UpsertScheduler(w.ctx, queue.SchedulerSpec{ID: "ours", Every: 300 * time.Millisecond, Data: json.RawMessage(`{"y":2}`)}, cron.NextRun)
		w.must(err)
		l.nodeWorks(setup{})
		l.ran("both by Node", 3)
		p.kill()

		hand := l.weWork(setup{})
		l.ran("both by us", 3)
		hand.stop()

		other := newWorld(t, startPeer(t, p.major, p.url))
		again := &line{w: other, base: l.base, q: other.client.Queue(l.base)}
		again.nodeWorks(setup{})
		again.ran("both by another Node", 3)
		checkOnce(t, again)
	})
}

// ran waits until each scheduler has made so many jobs more.
func (l *line) ran(what string, more int64) {
	l.w.t.Helper()
	made := func() map[string]int64 {
		all, _, err := l.q.Schedulers(l.w.ctx, 0, 10)
		l.w.must(err)
		n := map[string]int64{}
		for _, s := range all {
			n[s.ID] = s.Iterations
		}
		return n
	}
	before := made()
	l.w.waitUntil(what, func() bool {
		for id, n := range made() {
			if n < before[id]+more {
				return false
			}
		}
		return true
	})
}

// checkOnce fails when a scheduler has more than one job that has not started, or numbers that do not go up one by one.
func checkOnce(t *testing.T, l *line) {
	t.Helper()
	all, _, err := l.q.Schedulers(l.w.ctx, 0, 10)
	l.w.must(err)
	for _, s := range all {
		seen := map[int64]bool{}
		for _, key := range l.w.rdb.Keys(l.w.ctx, l.key("repeat:"+s.ID+":*")).Val() {
			if !strings.HasSuffix(key, ":lock") {
				ms, err := strconv.ParseInt(key[strings.LastIndexByte(key, ':')+1:], 10, 64)
				l.w.must(err)
				var opts struct{ Repeat struct{ Count int64 } }
				l.w.must(json.Unmarshal([]byte(l.w.rdb.HGet(l.w.ctx, key, "opts").Val()), &opts))
				if seen[opts.Repeat.Count] {
					t.Errorf("scheduler %s: number %d came twice, again at %d", s.ID, opts.Repeat.Count, ms)
				}
				seen[opts.Repeat.Count] = true
			}
		}
		if len(seen) < 9 {
			t.Errorf("scheduler %s: %d jobs, want at least 9", s.ID, len(seen))
		}
		for n := range int64(len(seen)) {
			if !seen[n+1] {
				t.Errorf("scheduler %s: number %d is missing", s.ID, n+1)
			}
		}
	}
}

// A repeatable of BullMQ 5 runs to its end by our worker as by Node's, or becomes a job scheduler that Node continues.
func TestLegacyRepeatables(t *testing.T) {
	eachWorld(t, func(w *world) {
		if w.peer.major != 5 {
			return // version 6 makes none
		}
		l := w.fresh()
		l.call("add", args{"name": "old", "data": args{"a": 1}, "opts": args{"attempts": 2, "repeat": args{"every": 200, "limit": 4}}}, nil)
		all, _, err := l.q.Schedulers(w.ctx, 0, 10)
		w.must(err)
		if len(all) != 1 || all[0].Health != queue.SchedulerLegacy || all[0].Legacy != queue.LegacyHashed || all[0].Name != "old" || all[0].Limit != 4 {
			w.t.Fatalf("read as %+v", all)
		}
		hand := l.weWork(setup{})
		l.waitFinished(4, 0)
		hand.stop()
		all, _, err = l.q.Schedulers(w.ctx, 0, 10)
		w.must(err)
		diff(w.t, "health at its end", queue.SchedulerEnded, all[0].Health)

		for i, repeat := range []args{{"every": 200, "limit": 4}, {"pattern": "* * * * * *", "tz": "Europe/Berlin", "limit": 3, "key": "mine"}} {
			l := w.fresh()
			l.call("add", args{"name": "old", "data": args{"a": 1}, "opts": args{"attempts": 2, "repeat": repeat}}, nil)
			all, _, err := l.q.Schedulers(w.ctx, 0, 10)
			w.must(err)
			_, err = l.q.ConvertScheduler(w.ctx, all[0].ID, "s", cron.NextRun)
			w.must(err)
			l.sameScheduler("converted")
			limit := int64(repeat["limit"].(int))
			hand := l.works(i == 0, setup{})
			l.waitFinished(1, 0)
			hand.stop()
			hand = l.nodeWorks(setup{})
			l.waitFinished(limit, 0)
			hand.stop()
			_, numbers := l.iterations("s")
			want := make([]int, limit)
			for i := range want {
				want[i] = i + 1
			}
			diff(w.t, "numbers of the iterations", want, numbers)
		}
	})
}

// plainKeys takes the times out of the keys, which iterations have in their ids. Values whose keys become one stay in order.
func plainKeys[V any](l *line, all map[string]V) map[string][]V {
	out := map[string][]V{}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out[l.plain(key)] = append(out[l.plain(key)], all[key])
	}
	return out
}
