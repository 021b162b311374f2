package render

import (
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// EventView is an event as JSON shows it.
type EventView struct {
	Queue   string            `json:"queue" about:"name of the queue"`
	KeyBase string            `json:"keyBase" about:"key base of the queue"`
	ID      string            `json:"id" about:"id of the event in its stream"`
	Event   string            `json:"event" about:"what happened: added, completed, failed …"`
	JobID   *string           `json:"jobId" about:"id of the job it happened to"`
	Time    int64             `json:"time" about:"when, in milliseconds since the epoch by the clock of Redis"`
	Fields  map[string]string `json:"fields" about:"everything that was stored with the event"`
	Gap     bool              `json:"gap,omitempty" about:"true when events before this one are lost"`
}

func viewOfEvent(e queue.Event) EventView {
	return EventView{
		Queue: e.Queue.Name, KeyBase: e.Queue.String(), ID: e.ID, Event: e.Type, JobID: textOrNil(e.JobID, e.JobID != ""),
		Time: e.Time.UnixMilli(), Fields: e.Fields, Gap: e.Gap,
	}
}

// NewEvents returns a writer of events. Rows are out after Flush.
func NewEvents(w io.Writer, f Format, o Options) Rows[queue.Event] {
	return newList(w, f, o, eventColumns(), viewOfEvent, eventCells)
}

// EventLayout is what a list of events consists of.
func EventLayout() Layout { return LayoutOf[EventView](eventColumns()) }

func eventColumns() []Column {
	return []Column{
		{Header: "TIME"},
		{Header: "QUEUE", Min: 8},
		{Header: "EVENT"},
		{Header: "JOB", About: "id of the job"},
		{Header: "DETAIL", Min: 12, Flex: true, About: "the reason of a failure, and what else the event says"},
		{Header: "ID", Wide: true},
	}
}

// eventStyles are the events that a reader's eye should find.
var eventStyles = map[string]Style{
	"completed": StyleGood, "failed": StyleBad, "retries-exhausted": StyleBad, "stalled": StyleWarn,
	"active": StyleBusy, "paused": StyleWarn,
}

func eventCells(e queue.Event, o Options) []Cell {
	return []Cell{
		clockCell(e.Time, o),
		TextCell(e.Queue.Name),
		{Text: e.Type, Style: eventStyles[e.Type]},
		TextCell(e.JobID),
		TextCell(eventDetail(e)),
		TextCell(e.ID),
	}
}

// clockCell shows the time of the day to people, who see events as they come.
func clockCell(t time.Time, o Options) Cell {
	if t.IsZero() || o.Now.IsZero() {
		return Cell{Text: Time(t)}
	}
	return Cell{Text: t.Format("15:04:05.000"), Plain: Time(t)}
}

// eventDetail is what an event says besides, the reason of a failure first.
func eventDetail(e queue.Event) string {
	var parts []string
	if e.Gap {
		parts = append(parts, "(events before this one are lost)")
	}
	if reason, ok := e.Fields["failedReason"]; ok {
		parts = append(parts, reason)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		value := e.Fields[name]
		switch name {
		case "failedReason", "prev":
		case "delay":
			parts = append(parts, "due "+timeText(value))
		default:
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, " ")
}

// timeText shows stored milliseconds as a time, and anything else as it is.
func timeText(ms string) string {
	n, err := strconv.ParseFloat(ms, 64)
	if err != nil || n < 1 || n > 1<<53 {
		return ms
	}
	return Time(time.UnixMilli(int64(n)))
}
