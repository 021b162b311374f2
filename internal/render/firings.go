package render

import (
	"io"
	"time"
)

// FiringView is a time at which a schedule fires, as JSON shows it.
type FiringView struct {
	At          string `json:"at" about:"when, in RFC 3339 in the schedule's zone"`
	MS          int64  `json:"ms" about:"when, in milliseconds since the epoch"`
	ClockChange string `json:"clockChange,omitempty" about:"forward or back, when the clock is changed on that day"`
}

// WriteFirings writes the times at which a schedule fires, each in the location
// of its zone.
func WriteFirings(w io.Writer, times []time.Time, f Format, o Options) error {
	return writeRows(newList(w, f, o, firingColumns(), NewFiringView, firingCells), times)
}

// FiringLayout is what a list of such times consists of.
func FiringLayout() Layout { return LayoutOf[FiringView](firingColumns()) }

func firingColumns() []Column {
	return []Column{
		{Header: "AT", About: "when, in the schedule's zone"},
		{Header: "DAY", About: "day of the week"},
		{Header: "IN", Right: true, About: "how far away it is"},
		{Header: "CLOCK", Flex: true, Min: 8, About: "whether the clock is changed on that day"},
	}
}

// NewFiringView is the view of a time in the location of its zone.
func NewFiringView(t time.Time) FiringView {
	return FiringView{At: ZoneTime(t), MS: t.UnixMilli(), ClockChange: clockChange(t)}
}

func firingCells(t time.Time, o Options) []Cell {
	clock := Cell{Text: none}
	if change := clockChange(t); change != "" {
		clock = Cell{Text: "goes " + change + " on that day", Plain: change, Style: StyleWarn}
	}
	return []Cell{{Text: ZoneTime(t)}, {Text: t.Format("Mon")}, {Text: Until(t, o.Now)}, clock}
}

// ZoneTime is a time on the clock of its location, with the offset from UTC, in
// RFC 3339. The zero time is "-".
func ZoneTime(t time.Time) string {
	if t.IsZero() {
		return none
	}
	if t.Nanosecond() == 0 {
		return t.Format(time.RFC3339)
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}

// Until is how far away a time to come is: 3m, 2h14m, or "now" for one that has
// passed; "-" for the zero time.
func Until(t, now time.Time) string {
	switch {
	case t.IsZero() || now.IsZero():
		return none
	case !t.After(now):
		return "now"
	}
	return Age(t.Sub(now))
}

// clockChange tells in which direction the clock of t's location is changed on
// its day: forward, back, or empty.
func clockChange(t time.Time) string {
	year, month, date := t.Date()
	_, before := time.Date(year, month, date, 0, 0, 0, 0, t.Location()).Add(-time.Minute).Zone()
	_, after := time.Date(year, month, date+1, 0, 0, 0, 0, t.Location()).Add(time.Minute).Zone()
	switch {
	case after > before:
		return "forward"
	case after < before:
		return "back"
	}
	return ""
}
