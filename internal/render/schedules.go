package render

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// ScheduleRow is a job scheduler of a queue.
type ScheduleRow struct {
	Queue    string
	Alias    string // empty when it has none
	Argument string // the queue as an argument
	KeyBase  queue.KeyBase
	*queue.Scheduler
	// Zone is that of its pattern.
	Zone *time.Location
	// LastJobID is the job that was taken up last, LastOutcome the state it is in
	// now; empty where that is not known.
	LastJobID   string
	LastOutcome queue.State
	// Missed is how many times have passed since the current job was due.
	Missed int
}

// ScheduleView is a job scheduler as JSON shows it. Times are milliseconds since
// the epoch; those that end in At are the same in RFC 3339.
type ScheduleView struct {
	Queue       string          `json:"queue" about:"name of the queue"`
	ID          string          `json:"id" about:"id of the schedule"`
	Name        string          `json:"name" about:"name of its jobs"`
	Pattern     *string         `json:"pattern" about:"cron pattern"`
	Every       *int64          `json:"every" about:"interval in milliseconds"`
	TZ          *string         `json:"tz" about:"time zone of the pattern"`
	Next        *int64          `json:"next" about:"when the next job is due, in milliseconds since the epoch"`
	Last        *int64          `json:"last" about:"when a worker took up the last job, in milliseconds since the epoch"`
	Iterations  int64           `json:"iterations" about:"how many jobs it has made"`
	Limit       *int64          `json:"limit" about:"how many jobs it makes at most"`
	StartDate   *int64          `json:"startDate" about:"when it begins, in milliseconds since the epoch"`
	EndDate     *int64          `json:"endDate" about:"when it ends, in milliseconds since the epoch"`
	Data        json.RawMessage `json:"data" about:"payload of its jobs"`
	Opts        json.RawMessage `json:"opts" about:"options of its jobs"`
	Healthy     bool            `json:"healthy" about:"false when it should go on and does not"`
	Health      string          `json:"health" about:"healthy, stopped, ended, paused, legacy or corrupt"`
	HealthText  string          `json:"healthText" about:"the same for people, with the reason"`
	Paused      bool            `json:"paused" about:"whether it was paused with qctl"`
	Legacy      *string         `json:"legacy" about:"layout of a repeatable of BullMQ 5 or older: hashed or plain"`
	Count       int64           `json:"count" about:"number of the next job since the schedule was changed, which limit counts"`
	Offset      *int64          `json:"offset" about:"milliseconds by which the interval is moved"`
	JobID       *string         `json:"jobId" about:"id of the next job"`
	JobState    *string         `json:"jobState" about:"state of the next job"`
	LastJobID   *string         `json:"lastJobId" about:"id of the last job, while it exists"`
	LastOutcome *string         `json:"lastOutcome" about:"state of the last job: completed, failed, active …"`
	Missed      int             `json:"missed" about:"times that passed since the next job was due; they get no job"`
	NextAt      *string         `json:"nextAt" about:"next in RFC 3339, in the schedule's zone"`
	LastAt      *string         `json:"lastAt" about:"last in RFC 3339, in the schedule's zone"`
	Alias       *string         `json:"alias" about:"alias of the queue"`
	KeyBase     string          `json:"keyBase" about:"key base of the queue"`
	Corrupt     []string        `json:"corrupt,omitempty" about:"fields that could not be read"`

	argument string
}

// ResultName is the schedule as QUEUE:ID.
func (v ScheduleView) ResultName() string { return jobName(v.argument, v.ID) }

// Broken reports whether the scheduler should go on and does not.
func (s ScheduleRow) Broken() bool {
	return s.Health == queue.SchedulerStopped || s.Health == queue.SchedulerCorrupt
}

// View returns the JSON view.
func (s ScheduleRow) View() ScheduleView {
	text := func(t string) *string { return textOrNil(t, t != "") }
	number := func(n int64) *int64 {
		if n == 0 {
			return nil
		}
		return &n
	}
	v := ScheduleView{
		Queue: s.Queue, ID: s.ID, Name: s.Name, Pattern: text(s.Pattern), Every: number(s.Every.Milliseconds()), TZ: text(s.TZ),
		Next: millis(s.Next), Last: millis(s.Last), Iterations: s.Iterations, Limit: number(s.Limit),
		StartDate: millis(s.Start), EndDate: millis(s.End), Healthy: !s.Broken(), Health: string(s.Health), HealthText: s.HealthText(),
		Paused: s.Paused, Legacy: text(string(s.Legacy)), Count: s.Count, Offset: number(s.Offset.Milliseconds()),
		JobID: text(s.JobID), JobState: text(string(s.JobState)), LastJobID: text(s.LastJobID), LastOutcome: text(string(s.LastOutcome)),
		Missed: s.Missed, Alias: text(s.Alias), KeyBase: s.KeyBase.String(), Corrupt: s.Corrupt, argument: s.Argument,
	}
	v.NextAt = textOrNil(ZoneTime(s.inZone(s.Next)), !s.Next.IsZero())
	v.LastAt = textOrNil(ZoneTime(s.inZone(s.Last)), !s.Last.IsZero())
	v.Data, _ = stored(s.Data, isJSON)
	v.Opts, _ = stored(s.Opts, isJSON)
	return v
}

// inZone is a time on the clock of the schedule.
func (s ScheduleRow) inZone(t time.Time) time.Time {
	if s.Zone == nil || t.IsZero() {
		return t
	}
	return t.In(s.Zone)
}

// Rule is when it fires, in a word or a pattern: every 15m, 0 7 * * *.
func (s ScheduleRow) Rule() string {
	if s.Every > 0 {
		return "every " + Interval(s.Every)
	}
	return s.Pattern
}

// Interval is a length of time with nothing left out: 1h30m, 1s500ms.
func Interval(d time.Duration) string {
	text := ""
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if n := d / unit.length; n > 0 {
			text += strconv.FormatInt(int64(n), 10) + unit.name
		}
		d %= unit.length
	}
	return cmp.Or(text, "0s")
}

// HealthText is the health for people, with the reason.
func (s ScheduleRow) HealthText() string {
	switch s.Health {
	case queue.SchedulerStopped:
		if s.JobState == "" || s.JobState == queue.StateUnknown {
			return "stopped: its next job is missing"
		}
		return fmt.Sprintf("stopped: its job is %s and no other was made", s.JobState)
	case queue.SchedulerEnded:
		switch {
		case s.Limit > 0 && s.Count >= s.Limit:
			return "ended: it has made all its jobs"
		case !s.End.IsZero():
			return "ended: its time is over"
		}
		return "ended"
	case queue.SchedulerCorrupt:
		if len(s.Corrupt) > 0 {
			return "corrupt: " + s.Corrupt[0]
		}
	}
	return string(s.Health)
}

var healthStyles = map[queue.SchedulerHealth]Style{
	queue.SchedulerHealthy: StyleGood, queue.SchedulerStopped: StyleBad, queue.SchedulerCorrupt: StyleBad,
	queue.SchedulerEnded: StyleDim, queue.SchedulerPaused: StyleWarn, queue.SchedulerLegacy: StyleWarn,
}

func (s ScheduleRow) healthCell() Cell {
	return Cell{Text: s.HealthText(), Style: healthStyles[s.Health]}
}

// WriteSchedules writes a list of schedules in any format.
func WriteSchedules(w io.Writer, rows []ScheduleRow, f Format, o Options) error {
	return writeRows(newList(w, f, o, scheduleColumns(), ScheduleRow.View, ScheduleRow.cells), rows)
}

// ScheduleLayout is what a list of schedules consists of.
func ScheduleLayout() Layout { return LayoutOf[ScheduleView](scheduleColumns()) }

func scheduleColumns() []Column {
	return []Column{
		{Header: "QUEUE", Min: 8},
		{Header: "ID", Min: 8},
		{Header: "SCHEDULE", Min: 10, About: "its pattern, or how often it fires"},
		{Header: "TZ", Spare: 2},
		{Header: "NEXT"},
		{Header: "IN", Right: true, About: "how far away the next job is"},
		{Header: "LAST", Right: true, Spare: 3},
		{Header: "OUTCOME", Spare: 3, About: "what has become of the last job"},
		{Header: "JOBS", Right: true, Spare: 1, About: "how many jobs it has made, and how many it makes at most"},
		{Header: "HEALTH", Min: 8, Flex: true, About: "whether it goes on, and if not, why"},
		{Header: "NAME", Wide: true},
		{Header: "KEYBASE", Wide: true},
	}
}

func (s ScheduleRow) cells(o Options) []Cell {
	return []Cell{
		TextCell(cmp.Or(s.Alias, s.Queue)), TextCell(s.ID), TextCell(s.Rule()), TextCell(s.TZ),
		s.nextCell(), s.inCell(o), AgoCell(s.Last, o), s.outcomeCell(o), s.jobsCell(), s.healthCell(),
		TextCell(s.Name), TextCell(s.KeyBase.String()),
	}
}

// fires reports whether the time of the next job means anything.
func (s ScheduleRow) fires() bool {
	return s.Health == queue.SchedulerHealthy || s.Health == queue.SchedulerLegacy
}

func (s ScheduleRow) nextCell() Cell {
	if !s.fires() || s.Next.IsZero() {
		return Cell{Text: none}
	}
	return Cell{Text: s.inZone(s.Next).Format("2006-01-02 15:04:05 MST"), Plain: Time(s.Next)}
}

func (s ScheduleRow) inCell(o Options) Cell {
	if !s.fires() || s.Next.IsZero() || o.Now.IsZero() {
		return Cell{Text: none}
	}
	if late := o.Now.Sub(s.Next); late >= time.Second {
		return Cell{Text: Age(late) + " late", Style: StyleWarn}
	}
	return Cell{Text: Until(s.Next, o.Now)}
}

func (s ScheduleRow) outcomeCell(o Options) Cell {
	if s.LastOutcome == "" || s.LastOutcome == queue.StateUnknown {
		return Cell{Text: none}
	}
	return StateCell(s.LastOutcome, o)
}

func (s ScheduleRow) jobsCell() Cell {
	text := Cell{Text: Count(s.Iterations), Plain: strconv.FormatInt(s.Iterations, 10)}
	if s.Limit > 0 {
		text = Cell{Text: Count(s.Count) + " of " + Count(s.Limit), Plain: fmt.Sprintf("%d/%d", s.Count, s.Limit)}
	}
	return text
}
