package interop

import "fmt"

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
