package render

import (
	"io"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// SchedulePage is everything about one schedule.
type SchedulePage struct {
	ScheduleRow
	// Upcoming are the times of its next jobs.
	Upcoming []time.Time
	// LastReason is why the last job failed; empty when it did not.
	LastReason string
}

// SchedulePageView is the page as JSON shows it.
type SchedulePageView struct {
	ScheduleView
	LastReason *string      `json:"lastReason" about:"why the last job failed"`
	Upcoming   []FiringView `json:"upcoming" about:"when its next jobs are due"`
}

// View returns the JSON view.
func (p SchedulePage) View() SchedulePageView {
	v := SchedulePageView{ScheduleView: p.ScheduleRow.View(), LastReason: textOrNil(p.LastReason, p.LastReason != ""), Upcoming: []FiringView{}}
	for _, t := range p.Upcoming {
		v.Upcoming = append(v.Upcoming, NewFiringView(p.inZone(t)))
	}
	return v
}

// Write writes the page for reading. What the schedule does not have is left out.
func (p SchedulePage) Write(w io.Writer, o Options) error {
	page := pageWriter{o: o}
	page.WriteString(page.o.Paint(Text(p.label()), StyleBold) + " " + page.o.Paint(Text(p.ID), StyleBold))
	page.WriteString("  " + page.cell(p.healthCell()) + "\n\n")
	for _, line := range p.facts(o) {
		page.fact(line.label, line.cell)
	}
	lines := make([]string, len(p.Upcoming))
	for i, t := range p.Upcoming {
		lines[i] = FiringText(p.inZone(t), o)
	}
	page.section(len(lines) > 0, "next", strings.Join(lines, "\n"))
	page.section(p.LastReason != "", "failed reason of the last job", page.prose(p.LastReason))
	page.section(len(p.Data) > 0, "data", page.shorten(JSONText(p.Data)))
	page.section(len(p.Opts) > 0, "opts", page.shorten(JSONText(p.Opts)))
	_, err := io.WriteString(w, page.String())
	return err
}

// label is what people call the queue.
func (p SchedulePage) label() string {
	if p.Alias != "" {
		return p.Alias
	}
	return p.Queue
}

func (p SchedulePage) facts(o Options) []fact {
	var facts []fact
	add := func(has bool, label, text string) {
		if has {
			facts = append(facts, fact{label, Cell{Text: text}})
		}
	}
	moment := func(label string, t time.Time) { add(!t.IsZero(), label, withAge(t, o)) }
	add(p.Pattern != "", "pattern", p.Pattern)
	add(p.Every > 0, "every", Interval(p.Every))
	add(p.Offset > 0, "offset", Interval(p.Offset))
	add(p.TZ != "", "time zone", p.TZ)
	add(p.Pattern != "" && p.TZ == "", "time zone", "none: UTC for qctl, the local one of each Node worker")
	moment("starts", p.Start)
	moment("ends", p.End)
	add(true, "jobs", p.jobsCell().forReader(o)+p.soFar())
	add(true, "job name", p.Name)
	if p.fires() {
		moment("next job due", p.Next)
	}
	add(p.JobID != "" && p.JobState != "", "next job", p.JobID+", "+string(p.JobState))
	moment("last job", p.Last)
	if p.LastOutcome != "" && p.LastOutcome != queue.StateUnknown {
		facts = append(facts, fact{"ended as", Cell{Text: p.LastJobID + ", " + string(p.LastOutcome)}})
	}
	add(p.Missed > 0, "missed", Count(int64(p.Missed))+" times since the next job was due")
	add(p.Legacy != "", "legacy", string(p.Legacy)+": qctl schedule convert makes a job scheduler of it")
	for _, reason := range p.Corrupt {
		facts = append(facts, fact{"corrupt", Cell{Text: reason, Style: StyleBad}})
	}
	return facts
}

// soFar tells how many jobs were made before the schedule was changed last.
func (p SchedulePage) soFar() string {
	if p.Limit > 0 && p.Iterations != p.Count {
		return ", " + Count(p.Iterations) + " in its life"
	}
	return ""
}

// forReader is the text of a cell for people or for programs.
func (c Cell) forReader(o Options) string {
	if !o.Terminal && c.Plain != "" {
		return c.Plain
	}
	return c.Text
}

// FiringText is a time at which a schedule fires, in its zone, with how far away
// it is for people.
func FiringText(t time.Time, o Options) string {
	text := t.Format("Mon ") + ZoneTime(t)
	if o.Terminal {
		text += "  (in " + Until(t, o.Now) + ")"
	}
	return text
}
