package scheduler

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

var planNow = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// planCase has one schedule, as declared and as live.
type planCase struct {
	name     string
	declared *Declared
	live     *Live
	prune    []string
	want     string
}

// wanted is the declaration of most cases, changed by edit.
func wanted(edit func(*Declared)) *Declared {
	d := Declared{Queue: testBase, Spec: queue.SchedulerSpec{
		ID: "s", Name: "n", Pattern: "0 7 * * *", TZ: "UTC", Data: json.RawMessage(`{"a":1,"b":9007199254740993}`),
		Opts: queue.JobOptions{Attempts: 3},
	}}
	if edit != nil {
		edit(&d)
	}
	return &d
}

// found is what applying wanted(nil) leaves, changed by edit.
func found(edit func(*Live)) *Live {
	l := Live{Queue: testBase, Scheduler: stored(wanted(nil).Spec)}
	if edit != nil {
		edit(&l)
	}
	return &l
}

func with(health queue.SchedulerHealth, mark *queue.ScheduleMark) *Live {
	return found(func(l *Live) { l.Health, l.Mark = health, mark })
}

func ended(d *Declared) { d.Spec.End = planNow.Add(-time.Second) }

func paused(value bool) func(*Declared) { return func(d *Declared) { d.Paused = &value } }

var planCases = []planCase{
	{"new", wanted(nil), nil, nil, "add"},
	{"new and paused", wanted(paused(true)), nil, nil, "none: " + WhyPaused},
	{"new and over", wanted(ended), nil, nil, "none: " + WhyEnded},
	{"as declared", wanted(nil), found(nil), nil, "none"},
	{
		"payload spelled otherwise", wanted(nil),
		found(func(l *Live) { l.Data = json.RawMessage(`{ "b": 9007199254740993, "\u0061": 1 }`) }), nil, "none",
	},
	{
		"a digit beyond 2^53", wanted(nil),
		found(func(l *Live) { l.Data = json.RawMessage(`{"a":1,"b":9007199254740992}`) }), nil, "change data",
	},
	{
		"options as BullMQ 5 leaves them", wanted(nil),
		found(func(l *Live) { l.Opts = json.RawMessage(`{"repeat":{"pattern":"x"},"attempts":3}`) }), nil, "none",
	},
	{"other options", wanted(func(d *Declared) { d.Spec.Opts.Attempts = 5 }), found(nil), nil, "change opts"},
	{"other name", wanted(func(d *Declared) { d.Spec.Name = "m" }), found(nil), nil, "change name"},
	{"name of the id", wanted(func(d *Declared) { d.Spec.Name = "" }), found(func(l *Live) { l.Name = "s" }), nil, "none"},
	{"other pattern and zone", wanted(func(d *Declared) { d.Spec.Pattern, d.Spec.TZ = "1 7 * * *", "Asia/Tokyo" }), found(nil), nil, "change pattern tz"},
	{"an interval now", wanted(func(d *Declared) { d.Spec.Pattern, d.Spec.TZ, d.Spec.Every = "", "", time.Minute }), found(nil), nil, "change every pattern tz"},
	{"limited", wanted(func(d *Declared) { d.Spec.Limit = 7 }), found(nil), nil, "change limit"},
	{"begins later", wanted(func(d *Declared) { d.Spec.Start = planNow.Add(time.Hour) }), found(nil), nil, "change startDate"},
	{"ends", wanted(func(d *Declared) { d.Spec.End = planNow.Add(time.Hour) }), found(nil), nil, "change endDate"},
	{"less than a millisecond", wanted(func(d *Declared) { d.Spec.End = planNow.Add(1) }), found(func(l *Live) { l.End = planNow }), nil, "none"},
	{"immediately is only for the beginning", wanted(func(d *Declared) { d.Spec.Immediately = true }), found(nil), nil, "none"},
	{"an offset nobody asked for", wanted(nil), found(func(l *Live) { l.Offset = time.Second }), nil, "none"},
	{"stopped", wanted(nil), with(queue.SchedulerStopped, nil), nil, "restart: " + WhyStopped},
	{"stopped and changed", wanted(func(d *Declared) { d.Spec.Limit = 7 }), with(queue.SchedulerStopped, nil), nil, "change limit"},
	{"ended by its limit", wanted(nil), with(queue.SchedulerEnded, nil), nil, "none: " + WhyEnded},
	{"ended by its limit and changed", wanted(func(d *Declared) { d.Spec.Limit = 7 }), with(queue.SchedulerEnded, nil), nil, "change limit"},
	{"its end has passed", wanted(ended), with(queue.SchedulerStopped, nil), nil, "none: " + WhyEnded},
	{"corrupt", wanted(nil), with(queue.SchedulerCorrupt, nil), nil, "change: " + WhyCorrupt},
	{"legacy", wanted(nil), found(func(l *Live) { l.Legacy = queue.LegacyHashed }), nil, "none: " + WhyLegacy},
	{"paused by hand", wanted(nil), found(func(l *Live) { l.Paused = true }), nil, "none: " + WhyPaused},
	{"paused by hand and changed", wanted(func(d *Declared) { d.Spec.Limit = 7 }), found(func(l *Live) { l.Paused = true }), nil, "none: " + WhyPaused},
	{"paused by both", wanted(paused(true)), found(func(l *Live) { l.Paused = true }), nil, "none: " + WhyPaused},
	{"to be paused", wanted(paused(true)), found(nil), nil, "change paused"},
	{"to be resumed", wanted(paused(false)), found(func(l *Live) { l.Paused = true }), nil, "change paused"},
	{"not to be paused", wanted(paused(false)), found(nil), nil, "none"},

	{"nobody's", nil, with(queue.SchedulerHealthy, nil), []string{"", "s"}, ""},
	{"nobody's, stopped", nil, with(queue.SchedulerStopped, nil), []string{"", "s"}, "restart: " + WhyStopped},
	{"nobody's, corrupt", nil, with(queue.SchedulerCorrupt, nil), nil, "none: " + WhyCorrupt},
	{"nobody's, ended", nil, with(queue.SchedulerEnded, nil), nil, ""},
	{"nobody's, legacy", nil, found(func(l *Live) { l.Legacy = queue.LegacyPlain }), []string{""}, "none: " + WhyLegacy},
	{"of a file, declared no more", nil, with(queue.SchedulerHealthy, &queue.ScheduleMark{}), nil, "none: " + WhyLeftAlone},
	{"of a file, pruned", nil, with(queue.SchedulerHealthy, &queue.ScheduleMark{}), []string{""}, "remove: " + WhyLeftAlone},
	{"of a file, another set pruned", nil, with(queue.SchedulerStopped, &queue.ScheduleMark{}), []string{"s"}, "restart: " + WhyStopped},
	{"of a set, declared no more", nil, with(queue.SchedulerHealthy, &queue.ScheduleMark{Set: "s"}), []string{""}, ""},
	{"of a set, pruned", nil, with(queue.SchedulerHealthy, &queue.ScheduleMark{Set: "s"}), []string{"s"}, "remove: " + WhyLeftAlone},
	{"of a set, paused, pruned", nil, found(func(l *Live) { l.Paused, l.Mark = true, &queue.ScheduleMark{Set: "s"} }), []string{"s"}, "remove: " + WhyLeftAlone},
}

func TestPlan(t *testing.T) {
	for _, c := range planCases {
		t.Run(c.name, func(t *testing.T) {
			var declared []Declared
			var live []Live
			if c.declared != nil {
				declared = append(declared, *c.declared)
			}
			if c.live != nil {
				live = append(live, *c.live)
			}
			changes := Plan(declared, live, PlanOptions{Now: planNow, Prune: c.prune, ExpiresAt: testExpiry})
			if got := planText(changes); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func planText(changes []Change) string {
	var lines []string
	for _, c := range changes {
		text := string(c.Action)
		for _, f := range c.Fields {
			text += " " + f.Name
		}
		if c.Why != "" {
			text += ": " + c.Why
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n")
}

// A renewal is written once for each expiry: a job that has run waits for a later
// one, and the later of two times counts.
func TestPlanRenewal(t *testing.T) {
	const before = 24 * time.Hour
	payload := func(at time.Time) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"expiresAt":%q,"id":"c"}`, at.Format(time.RFC3339)))
	}
	declare := func(at time.Time) Declared {
		return Declared{
			Queue: testBase, Before: before, Expires: at,
			Spec: Renewal(queue.SchedulerSpec{ID: "c", Data: payload(at)}, before, at),
		}
	}
	at := planNow.Add(48 * time.Hour)
	for name, c := range map[string]struct {
		declared time.Time
		live     time.Time
		health   queue.SchedulerHealth
		want     string
	}{
		"waits for its time":   {at, at, queue.SchedulerHealthy, "none"},
		"has run":              {at, at, queue.SchedulerEnded, "none: " + WhyWaits},
		"was renewed since":    {at, at.Add(before), queue.SchedulerHealthy, "none"},
		"renewed, and has run": {at, at.Add(before), queue.SchedulerEnded, "none: " + WhyWaits},
		"declared later":       {at.Add(before), at, queue.SchedulerEnded, "change startDate data"},
		"its job was lost":     {at, at, queue.SchedulerStopped, "restart: " + WhyStopped},
	} {
		d := declare(c.declared)
		l := Live{Queue: testBase, Scheduler: stored(declare(c.live).Spec), Mark: &queue.ScheduleMark{Before: before}}
		l.Health = c.health
		changes := Plan([]Declared{d}, []Live{l}, PlanOptions{Now: planNow, ExpiresAt: testExpiry})
		if got := planText(changes); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Changes come by queue and id, whatever the order of the declaration; a second
// declaration of one schedule does not count.
func TestPlanOrder(t *testing.T) {
	other := queue.KeyBase{Prefix: "bull", Name: "a"}
	declared := []Declared{tick("b"), tick("a"), tick("b"), {Queue: other, Spec: queue.SchedulerSpec{ID: "z", Every: time.Minute}}}
	var got []string
	for _, c := range Plan(declared, nil, PlanOptions{Now: planNow}) {
		got = append(got, c.Queue.Name+" "+c.ID)
	}
	if text := strings.Join(got, ", "); text != "a z, q a, q b" {
		t.Error(text)
	}
}

// Applying marks what it writes, and what is as declared without being marked.
func TestApplyMarks(t *testing.T) {
	for name, c := range map[string]struct {
		live  []queue.Scheduler
		marks map[string]queue.ScheduleMark
		prune []string
		calls string
		want  string
	}{
		"added":                     {nil, nil, nil, "upsert one", "one:s"},
		"adopted":                   {[]queue.Scheduler{stored(tick("one").Spec)}, nil, nil, "", "one:s"},
		"of another set":            {[]queue.Scheduler{stored(tick("one").Spec)}, map[string]queue.ScheduleMark{"one": {Set: "t"}}, nil, "", "one:s"},
		"removed":                   {[]queue.Scheduler{stored(tick("two").Spec)}, map[string]queue.ScheduleMark{"two": {Set: "s"}}, []string{"s"}, "upsert one, remove two", "one:s"},
		"a mark without a schedule": {nil, map[string]queue.ScheduleMark{"two": {Set: "s"}}, []string{"s"}, "upsert one", "one:s two:s"},
	} {
		r := newFakeRedis()
		r.schedulers = c.live
		for id, mark := range c.marks {
			r.marks[id] = mark
		}
		d := tick("one")
		d.Set = "s"
		open := func(queue.KeyBase) Queue { return fakeQueue{r, 0} }
		live, err := ReadLive(t.Context(), open(testBase))
		if err != nil {
			t.Fatal(err)
		}
		a := Applier{Open: open, Now: func() time.Time { return planNow }}
		for _, done := range a.Apply(t.Context(), Plan([]Declared{d}, live, PlanOptions{Now: planNow, Prune: c.prune})) {
			if done.Err != nil {
				t.Errorf("%s: %v", name, done.Err)
			}
		}
		if got := r.calls(); got != c.calls {
			t.Errorf("%s: writes %q, want %q", name, got, c.calls)
		}
		var marks []string
		for _, id := range []string{"one", "two"} {
			if mark, ok := r.marks[id]; ok {
				marks = append(marks, id+":"+mark.Set)
			}
		}
		if got := strings.Join(marks, " "); got != c.want {
			t.Errorf("%s: marks %q, want %q", name, got, c.want)
		}
	}
}
