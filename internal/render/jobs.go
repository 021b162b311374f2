package render

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// JobList says what a list of jobs is about, which chooses its columns.
type JobList struct {
	// Failed is a list of failed jobs alone, which shows why they failed
	// instead of where they are.
	Failed bool
	// ManyQueues is a list whose jobs are of several queues.
	ManyQueues bool
}

// JobRow is one job of a list.
type JobRow struct {
	Queue string // the name by which the operator knows it
	Job   *queue.Job
	// Due is when a delayed job is due; zero for others, and when not known.
	Due time.Time
}

// NewJobs returns a writer of a list of jobs in any format.
func NewJobs(w io.Writer, list JobList, f Format, o Options) Rows[JobRow] {
	switch f {
	case FormatJSON:
		return jobViews{NewArrayWriter[JobView](w, o)}
	case FormatNDJSON:
		return jobViews{NewNDJSON[JobView](w, o)}
	case FormatWide:
		o.Wide = true
	}
	cells := func(row JobRow) []Cell { return JobCells(row, list, o) }
	return mapped[JobRow, []Cell]{NewTableWriter(w, JobColumns(list), o), cells}
}

// jobViews writes the views of jobs.
type jobViews struct{ Rows[JobView] }

// Write checks stored JSON only when encoding has failed over it, which writes
// nothing: it would be read twice otherwise, for every job.
func (j jobViews) Write(row JobRow) error {
	err := j.Rows.Write(viewJob(row.Queue, row.Job, probablyJSON))
	if _, bad := errors.AsType[*json.MarshalerError](err); bad {
		return j.Rows.Write(ViewJob(row.Queue, row.Job))
	}
	return err
}

// JobColumns returns the columns of a list of jobs.
func JobColumns(list JobList) []Column {
	head := []Column{
		{Header: "QUEUE", Min: 8, Wide: !list.ManyQueues},
		{Header: "ID"},
		{Header: "NAME", Min: 8},
	}
	tail := []Column{
		{Header: "PRIORITY", Right: true, Wide: true},
		{Header: "STALLED", Right: true, Wide: true},
		{Header: "STARTED", Right: true, Wide: true},
		{Header: "TOOK", Right: true, Wide: true},
		{Header: "WORKER", Wide: true},
		{Header: "REASON", Min: 12, Flex: true},
	}
	middle := []Column{
		{Header: "STATE"},
		{Header: "ATTEMPTS", Right: true},
		{Header: "CREATED", Right: true},
		{Header: "DUE", Right: true, Spare: 1},
		{Header: "FINISHED", Right: true, Spare: 3},
	}
	if list.Failed {
		middle = []Column{
			{Header: "ATTEMPTS", Right: true},
			{Header: "CREATED", Right: true, Wide: true},
			{Header: "FAILED", Right: true},
		}
	}
	return append(append(head, middle...), tail...)
}

// JobCells returns the row of a job, matching [JobColumns].
func JobCells(row JobRow, list JobList, o Options) []Cell {
	job := row.Job
	cells := []Cell{TextCell(row.Queue), TextCell(job.ID), TextCell(job.Name)}
	if list.Failed {
		cells = append(cells, attemptsCell(job), AgoCell(job.Timestamp, o), AgoCell(job.FinishedOn, o))
	} else {
		cells = append(
			cells, StateCell(job.State, o), attemptsCell(job),
			AgoCell(job.Timestamp, o), UntilCell(row.Due, o), AgoCell(job.FinishedOn, o),
		)
	}
	return append(
		cells, NumberCell(int64(job.Priority)), NumberCell(int64(job.StalledCounter)),
		AgoCell(job.ProcessedOn, o), tookCell(job), TextCell(job.ProcessedBy), reasonCell(job),
	)
}

// AgoCell returns the cell of a time that has passed.
func AgoCell(t time.Time, o Options) Cell {
	if t.IsZero() || o.Now.IsZero() {
		return Cell{Text: Time(t)}
	}
	return Cell{Text: Age(o.Now.Sub(t)), Plain: Time(t)}
}

// UntilCell returns the cell of a time to come; one that has passed is "now".
func UntilCell(t time.Time, o Options) Cell {
	if t.IsZero() || o.Now.IsZero() {
		return Cell{Text: Time(t)}
	}
	until := t.Sub(o.Now)
	if until <= 0 {
		return Cell{Text: "now", Plain: Time(t)}
	}
	return Cell{Text: Age(until), Plain: Time(t)}
}

// NumberCell returns the cell of a number, grouped for people.
func NumberCell(n int64) Cell { return Cell{Text: Count(n), Plain: strconv.FormatInt(n, 10)} }

// attemptsCell shows the attempts made and, where it is known, the limit.
func attemptsCell(job *queue.Job) Cell {
	text := strconv.Itoa(job.AttemptsMade)
	if job.Attempts > 0 {
		text += "/" + strconv.Itoa(job.Attempts)
	}
	return Cell{Text: text}
}

// tookCell shows how long the last attempt ran, in milliseconds for programs.
func tookCell(job *queue.Job) Cell {
	took, ok := jobTook(job)
	if !ok {
		return Cell{Text: none}
	}
	return Cell{Text: Duration(took), Plain: strconv.FormatInt(took.Milliseconds(), 10)}
}

func jobTook(job *queue.Job) (time.Duration, bool) {
	if job.ProcessedOn.IsZero() || job.FinishedOn.IsZero() {
		return 0, false
	}
	return job.FinishedOn.Sub(job.ProcessedOn), true
}

// reasonCell shows what is wrong with the job, above all that it cannot be read.
func reasonCell(job *queue.Job) Cell {
	text, style := "", StyleNone
	switch {
	case job.HasFailedReason:
		text = job.FailedReason
	case job.Cut["failedReason"] > 0:
		text = notRead(job.Cut["failedReason"])
	case job.HasDeferredFailure:
		text = job.DeferredFailure
	}
	if len(job.Corrupt) > 0 {
		field, _, _ := strings.Cut(job.Corrupt[0], ":")
		text, style = strings.TrimSpace("[corrupt: "+field+"] "+text), StyleBad
	}
	cell := TextCell(text)
	cell.Style = style
	return cell
}

// notRead stands for a field that was too large to be read.
func notRead(size int64) string { return "(" + Bytes(size) + ", not read)" }
