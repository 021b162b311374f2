package render

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// LagRow is how far behind a queue is with the jobs of one priority.
type LagRow struct {
	Queue   string
	Alias   string // empty when it has none
	KeyBase queue.KeyBase
	// Level is the jobs of the priority that are ready to run; nil for a queue
	// that has none at all.
	Level *queue.Level
	// Age is for how long the next of them has been ready, or Unknown.
	Age time.Duration
	// Ahead are the jobs of the queue that run before all of these.
	Ahead int64
	// Overdue is how many delayed jobs of the queue should have run, and
	// OverdueFor how late the first of them is.
	Overdue    int64
	OverdueFor time.Duration
	// PerMinute is how many jobs of the queue finish in a minute, or Unknown.
	PerMinute float64
	Evidence
}

// LagView is a row as JSON shows it. What is unknown is null, and so is what is
// about a priority where no job is ready.
type LagView struct {
	Queue      string   `json:"queue" about:"name of the queue"`
	Alias      *string  `json:"alias" about:"alias of the queue"`
	KeyBase    string   `json:"keyBase" about:"key base of the queue"`
	Priority   *int64   `json:"priority" about:"priority on the wire: 0 none, 1 highest"`
	Waiting    *int64   `json:"waiting" about:"jobs of the priority that are ready to run"`
	OldestMs   *int64   `json:"oldestMs" about:"for how many milliseconds the next of them has been ready"`
	OldestID   *string  `json:"oldestId" about:"id of that job"`
	Overdue    *int64   `json:"overdue" about:"delayed jobs of the queue that should have run"`
	OverdueMs  *int64   `json:"overdueMs" about:"how late the first of them is, in milliseconds"`
	PerMinute  *float64 `json:"perMinute" about:"jobs of the queue that finish in a minute"`
	ClearsInMs *int64   `json:"clearsInMs" about:"after how many milliseconds none of them waits at this rate, without new ones; null for never"`
	Clears     *string  `json:"clears" about:"the same for people, or why it never does"`
	Status     string   `json:"status" about:"the queue in a word"`
	Error      *string  `json:"error,omitempty" about:"why the queue could not be read"`
}

// ResultName is the oldest job, as QUEUE:ID; empty where there is none.
func (v LagView) ResultName() string {
	if v.OldestID == nil {
		return ""
	}
	return jobName(queueName(v.Alias, v.KeyBase), *v.OldestID)
}

// View returns the JSON view.
func (r LagRow) View() LagView {
	v := LagView{
		Queue: r.Queue, Alias: textOrNil(r.Alias, r.Alias != ""), KeyBase: r.KeyBase.String(), Status: string(r.Status()),
	}
	if r.Counts.Err != nil {
		v.Error = textOrNil(r.Counts.Err.Error(), true)
		return v
	}
	waiting := int64(0)
	v.Overdue = &r.Overdue
	if r.Overdue > 0 {
		v.OverdueMs = known(r.OverdueFor.Milliseconds())
	}
	if r.PerMinute >= 0 {
		rate := math.Round(100*r.PerMinute) / 100
		v.PerMinute = &rate
	}
	if r.Level != nil {
		priority := int64(r.Level.Priority)
		waiting, v.Priority = r.Level.Jobs, &priority
		v.OldestID = textOrNil(r.Level.Next, r.Level.Next != "")
		if r.Level.Next != "" && r.Age >= 0 {
			v.OldestMs = known(r.Age.Milliseconds())
		}
	}
	v.Waiting = &waiting
	in, why := r.ClearsIn()
	if why == "" && in >= 0 {
		v.ClearsInMs = known(in.Milliseconds())
	}
	v.Clears = textOrNil(r.clears(), r.clears() != none && r.clears() != unknown)
	return v
}

// ClearsIn estimates when the last of these jobs starts or finishes, at the rate
// at which jobs finish now and when no others come in front: Unknown when that
// cannot be told, and a reason when they never do.
func (r LagRow) ClearsIn() (in time.Duration, never string) {
	switch {
	case r.Level == nil:
		return 0, ""
	case r.Counts.Paused:
		return Unknown, "paused"
	case r.Workers == 0:
		return Unknown, "no workers"
	case r.Counts.Concurrency != nil && *r.Counts.Concurrency <= 0:
		return Unknown, "none may run"
	case r.PerMinute > 0:
		minutes := float64(r.Ahead+r.Level.Jobs) / r.PerMinute
		return time.Duration(min(minutes*float64(time.Minute), math.MaxInt64/2)), ""
	case r.PerMinute == 0 && r.Counts.Active == 0:
		return Unknown, "nothing completes"
	}
	return Unknown, "" // jobs run, and none was seen to finish: it may take long, or none is kept
}

// clears words the estimate.
func (r LagRow) clears() string {
	in, never := r.ClearsIn()
	switch {
	case r.Counts.Err != nil:
		return unknown
	case r.Level == nil:
		return none
	case never != "":
		return "never: " + never
	case in < 0:
		return unknown
	}
	rate := strconv.FormatFloat(r.PerMinute, 'f', 1, 64)
	if r.PerMinute >= 10 {
		rate = Count(int64(math.Round(r.PerMinute)))
	}
	return fmt.Sprintf("in %s at %s/min", Age(in), rate)
}

// WriteLag writes how far behind queues are, in any format.
func WriteLag(w io.Writer, rows []LagRow, f Format, o Options) error {
	return writeRows(newList(w, f, o, lagColumns(), LagRow.View, LagRow.cells), rows)
}

// LagLayout is what it consists of.
func LagLayout() Layout { return LayoutOf[LagView](lagColumns()) }

func lagColumns() []Column {
	return []Column{
		{Header: "QUEUE", Min: 8},
		{Header: "PRIORITY", Right: true},
		{Header: "WAITING", Right: true},
		{Header: "OLDEST", Right: true, About: "for how long the next of them has been ready"},
		{Header: "ID", Min: 4, About: "id of that job"},
		{Header: "OVERDUE", Right: true, Spare: 1},
		{Header: "LATE", Right: true, Wide: true, About: "how late the first of the overdue jobs is"},
		{Header: "CLEARS", About: "when none of them waits at this rate, without new ones"},
		{Header: "STATUS", Wide: true},
		{Header: "KEYBASE", Wide: true},
	}
}

func (r LagRow) cells(o Options) []Cell {
	cells := []Cell{TextCell(r.Queue), {Text: none}, NumberCell(0), {Text: none}, {Text: none}}
	overdue, late := NumberCell(r.Overdue), Cell{Text: none}
	switch level := r.Level; {
	case r.Counts.Err != nil:
		for i := range cells[1:] {
			cells[i+1] = Cell{Text: unknown}
		}
		overdue, late = Cell{Text: unknown}, Cell{Text: unknown}
	case level != nil:
		cells[1], cells[2], cells[4] = Cell{Text: strconv.Itoa(level.Priority)}, NumberCell(level.Jobs), TextCell(level.Next)
		cells[3] = r.ageCell()
	}
	if r.Overdue > 0 && r.Counts.Err == nil {
		overdue.Style, late = StyleWarn, spanCell(r.OverdueFor)
	}
	clears := Cell{Text: r.clears()}
	if _, never := r.ClearsIn(); never != "" {
		clears.Style = StyleWarn
	}
	return append(cells, overdue, late, clears, StatusCell(r.Status(), o), TextCell(r.KeyBase.String()))
}

func (r LagRow) ageCell() Cell {
	switch {
	case r.Age < 0 || r.Level.Next == "":
		return Cell{Text: unknown}
	case r.Age > LateAfter:
		return Cell{Text: Age(r.Age), Style: StyleWarn}
	}
	return spanCell(r.Age)
}
