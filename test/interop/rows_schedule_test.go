package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
)

// upsert is a scheduler that Node makes before the row begins.
func upsert(id string, repeat, template args) op {
	return onlyNode("upsert "+id, "upsertJobScheduler", on(string(mail), args{"schedulerId": id, "repeat": repeat, "template": template}))
}

// producer is what BullMQ 5 notes on a job that has made the next one, of a schedule that goes on.
func producer(repeat args) []kept {
	if repeat["limit"] == 1 || repeat["endDate"] != nil {
		return nil
	}
	return []kept{{id: "next-job-id", major: 5, differs: []string{"q:repeat:s:*#nrjid"}}}
}

// rowsOfIterations are wire sections 7.2, 7.4 and 7.5: our worker takes over what Node has scheduled.
func rowsOfIterations() []row {
	template := args{"name": "tick", "data": args{"x": 1}, "opts": args{"attempts": 3, "removeOnComplete": args{"count": 5}}}
	var rows []row
	for _, c := range []struct {
		name   string
		repeat args
		t      args
		wait   int64 // ms until the first iteration is due
		late   int64 // ms by which it is taken too late
	}{
		{"every hour", args{"every": hour}, template, 0, 0},
		{"every hour, late", args{"every": hour}, template, 0, 90 * minute},
		{"every hour, very late", args{"every": hour}, template, 0, 25*hour + 1},
		{"every minute from an offset", args{"every": minute, "offset": 7000}, template, minute, 0},
		{"every minute from an offset, late", args{"every": minute, "offset": 7000}, template, minute, 5*minute + 3},
		{"every hour from a date", args{"every": hour, "startDate": stageTime + 10*minute}, template, 10 * minute, 0},
		{"every hour from a date, late", args{"every": hour, "startDate": stageTime + 10*minute}, template, 10 * minute, 3 * hour},
		{"every hour, twice", args{"every": hour, "limit": 2}, template, 0, 0},
		{"every hour, once", args{"every": hour, "limit": 1}, template, 0, 0},
		{"every hour until it ends", args{"every": hour, "endDate": stageTime + 90*minute}, template, 0, 2 * hour},
		{"every hour with a priority", args{"every": hour}, args{"name": "tick", "opts": args{"priority": 3}}, 0, 2 * hour},
		{"every hour in front", args{"every": hour}, args{"name": "tick", "data": args{"x": 1}, "opts": args{"lifo": true}}, 0, 0},
		{"by a pattern", args{"pattern": "0 0 3 * * *", "tz": "Europe/Berlin"}, template, 24 * hour, 0},
		{"by a pattern, late", args{"pattern": "0 */5 * * * *", "tz": "UTC"}, template, 5 * minute, 7*hour + 1},
		{"by a pattern at once", args{"pattern": "0 0 3 * * *", "tz": "Asia/Tokyo", "immediately": true}, template, 0, 0},
		{"by a pattern, once", args{"pattern": "0 0 3 * * *", "tz": "UTC", "limit": 1}, template, 24 * hour, 0},
		{"by a pattern until it ends", args{"pattern": "0 * * * * *", "tz": "UTC", "endDate": stageTime + 90_000}, template, minute, 0},
	} {
		rows = append(rows, row{
			name: "continue " + c.name, wire: "7.2 7.4 7.5", start: []op{upsert("s", c.repeat, c.t), passes(c.wait + c.late)},
			ops: []op{mail.take(), mail.take(), passes(hour), mail.take()}, kept: producer(c.repeat),
		})
	}
	return append(rows, []row{
		{name: "continue in a paused queue", wire: "7.4 4.17", start: []op{upsert("s", args{"every": hour}, template), mail.take(), mail.pauses(), passes(hour)}, ops: []op{
			mail.take(), mail.resumes(), mail.take(),
		}, kept: producer(nil)},
		{name: "continue what was removed meanwhile", wire: "7.4 7.6", start: []op{
			upsert("s", args{"every": hour}, template), onlyNode("remove the scheduler", "removeJobScheduler", on(string(mail), args{"schedulerId": "s"})),
		}, ops: []op{mail.take()}},
		{name: "finish an iteration", wire: "7.4 4.6", start: []op{upsert("s", args{"every": hour}, template), mail.take()}, ops: []op{
			mail.ends(fmt.Sprint("repeat:s:", stageTime), end{next: true}),
		}},
		{name: "remove the next iteration", wire: "4.20 13", start: []op{upsert("s", args{"every": hour, "startDate": stageTime + minute}, template)}, ops: []op{
			mail.removes(fmt.Sprint("repeat:s:", stageTime+minute), true),
		}},
		{name: "obliterate schedulers", wire: "4.23 7.6", start: []op{upsert("s", args{"every": hour}, template), upsert("u", args{"pattern": "0 0 3 * * *"}, template)}, ops: []op{mail.obliterates(false)}},
	}...)
}

// spec is a scheduler of a request as our engine takes it.
func spec(id string, repeat, template args) (queue.SchedulerSpec, error) {
	n, err := newJob(template)
	s := queue.SchedulerSpec{ID: id, Name: n.Name, Data: n.Data, Opts: n.Opts}
	number := func(name string) int64 { return int64(crew(repeat).number(name, 0)) }
	date := func(name string) time.Time {
		if _, given := repeat[name]; !given {
			return time.Time{}
		}
		return time.UnixMilli(number(name))
	}
	s.Pattern, _ = repeat["pattern"].(string)
	s.TZ, _ = repeat["tz"].(string)
	s.Immediately, _ = repeat["immediately"].(bool)
	s.Every, s.Offset, s.Limit = millisecond(number("every")), millisecond(number("offset")), number("limit")
	s.Start, s.End = date("startDate"), date("endDate")
	return s, err
}

// upserts makes or changes a scheduler by both sides.
func (q place) upserts(id string, repeat, template args) op {
	with := args{"schedulerId": id, "repeat": repeat, "template": template}
	return op{
		fmt.Sprint("upsert ", with),
		func(s *stage) any {
			var made *jobJSON
			if refused := s.ask("upsertJobScheduler", on(string(q), with), &made); refused != nil {
				return plainRefusal(refused)
			}
			return made.ID
		},
		func(s *stage) any {
			sp, err := spec(id, repeat, template)
			if err != nil {
				return told(err)
			}
			made, err := s.q(string(q)).UpsertScheduler(s.ctx, sp, cron.NextRun)
			if errors.Is(err, queue.ErrSlotTaken) {
				return "code -10"
			}
			if err != nil {
				return told(err)
			}
			return made.JobID
		},
	}
}

func (q place) removesScheduler(id string) op {
	return op{
		"remove the scheduler " + id,
		func(s *stage) any {
			var removed bool
			if refused := s.ask("removeJobScheduler", on(string(q), args{"schedulerId": id}), &removed); refused != nil {
				return refused
			}
			return removed
		},
		func(s *stage) any {
			err := s.q(string(q)).RemoveScheduler(s.ctx, id)
			if err != nil && !errors.Is(err, queue.ErrSchedulerNotFound) {
				return told(err)
			}
			return err == nil
		},
	}
}

// readsSchedulers lists ids, names and next times.
func (q place) readsSchedulers() op {
	type read struct {
		Key   string `json:"key"`
		Name  string `json:"name"`
		Next  int64  `json:"next"`
		Count int64  `json:"iterationCount"`
	}
	return q.reads("schedulers", "getJobSchedulers", args{"start": 0, "end": -1, "asc": true}, func(s *stage, raw json.RawMessage) any {
		var all []string
		for _, r := range decoded[[]read](s, raw) {
			all = append(all, fmt.Sprint(r.Key, " ", r.Name, " ", r.Next, " ", r.Count))
		}
		return all
	}, func(s *stage, q *queue.Queue) any {
		listed, _, err := q.Schedulers(s.ctx, 0, 100)
		s.must(err)
		var all []string
		for _, r := range listed {
			all = append(all, fmt.Sprint(r.ID, " ", r.Name, " ", r.Next.UnixMilli(), " ", r.Iterations))
		}
		return all
	})
}

// rowsOfSchedulers are wire sections 7.3 and 7.6.
func rowsOfSchedulers() []row {
	template := args{"name": "tick", "data": args{"x": 1}, "opts": args{"attempts": 3, "removeOnComplete": args{"count": 5}}}
	plain := args{"name": "tick"}
	var rows []row
	kinds := []struct {
		name      string
		repeat    args
		continued args // whether a second one is made, for producer
	}{
		{"every hour", args{"every": hour}, nil},
		{"every minute from an offset", args{"every": minute, "offset": 7000}, nil},
		{"every hour from a date", args{"every": hour, "startDate": stageTime + 10*minute}, nil},
		{"every hour until a date", args{"every": hour, "endDate": stageTime + 100*minute}, nil},
		{"every hour, twice", args{"every": hour, "limit": 2}, nil},
		{"by a pattern", args{"pattern": "0 0 3 * * *", "tz": "Europe/Berlin"}, nil},
		{"by a pattern at once", args{"pattern": "0 0 3 * * *", "tz": "UTC", "immediately": true}, nil},
		{"by a pattern from a date", args{"pattern": "0 0 3 * * *", "tz": "UTC", "startDate": stageTime + 48*hour}, args{"limit": 1}},
		{"by a pattern, twice", args{"pattern": "0 */5 * * * *", "tz": "Asia/Tokyo", "limit": 2}, nil},
	}
	for _, k := range kinds {
		rows = append(rows,
			row{name: "upsert " + k.name, wire: "7.3 7.5", ops: []op{mail.upserts("s", k.repeat, template), mail.readsSchedulers()}},
			row{name: "upsert again " + k.name, wire: "7.3 7.5", start: []op{upsert("s", k.repeat, template), passes(1000)}, ops: []op{mail.upserts("s", k.repeat, plain), mail.readsSchedulers()}},
			row{name: "upsert later " + k.name, wire: "7.3 7.5", start: []op{upsert("s", args{"every": 2 * hour}, template), passes(90 * minute)}, ops: []op{mail.upserts("s", k.repeat, template)}},
			row{name: "upsert instead of a pattern " + k.name, wire: "7.3", start: []op{upsert("s", args{"pattern": "0 0 * * * *", "tz": "UTC"}, template), passes(1000)}, ops: []op{mail.upserts("s", k.repeat, template)}},
			row{name: "upsert and continue " + k.name, wire: "7.3 7.4", ops: []op{mail.upserts("s", k.repeat, template), passes(hour), mail.take(), passes(24 * hour), mail.take()}, kept: producer(k.continued)},
			row{name: "remove the scheduler " + k.name, wire: "7.6 8", start: []op{upsert("s", k.repeat, template)}, ops: []op{mail.removesScheduler("s"), mail.removesScheduler("s"), mail.readsSchedulers()}},
		)
	}
	return append(rows, []row{
		{name: "upsert with options", wire: "7.3", ops: []op{
			mail.upserts("a", args{"every": hour}, args{"name": "a", "opts": args{"priority": 3, "backoff": args{"type": "fixed", "delay": 5}}}),
			mail.upserts("b", args{"every": hour}, args{"name": "b", "data": "text", "opts": args{"lifo": true}}), mail.upserts("c", args{"every": hour}, args{"name": "c"}),
		}},
		{name: "continue a repeatable of old", wire: "7.7 7.4", major: 5, start: []op{
			onlyNode("add a repeatable", "add", on(string(mail), args{"name": "old", "data": args{"x": 1}, "opts": args{"repeat": args{"every": hour}}})), passes(hour),
		}, ops: []op{mail.take()}, kept: []kept{
			{id: "next-job-id", differs: []string{"q:repeat:1d3815632699a7ad8726ab740935dc1a:*#nrjid"}},
		}},
		{name: "upsert while the first is active", wire: "7.3 7.4", start: []op{upsert("s", args{"every": hour}, template), mail.take()}, ops: []op{mail.upserts("s", args{"every": hour}, plain)}},
		{name: "upsert while a pattern's is active", wire: "7.3 13", start: []op{upsert("s", args{"pattern": "0 0 * * * *", "tz": "UTC", "immediately": true}, template), mail.take()}, ops: []op{
			mail.upserts("s", args{"pattern": "0 0 * * * *", "tz": "UTC"}, plain),
		}},
		{name: "upsert in a paused queue", wire: "7.3 4.17", start: []op{mail.pauses()}, ops: []op{mail.upserts("s", args{"every": hour}, template)}},
		{name: "remove a scheduler whose job waits", wire: "7.6", start: []op{upsert("s", args{"every": hour}, template)}, ops: []op{mail.removesScheduler("s"), mail.take()}},
	}...)
}
