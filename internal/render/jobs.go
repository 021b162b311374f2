package render

import (
	"cmp"
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
	// Argument is the name by which every command knows it; empty means Queue.
	Argument string
	Job      *queue.Job
	// Due is when a delayed job is due; zero for others, and when not known.
	Due time.Time
}

// NewJobs returns a writer of a list of jobs in any format. Stored JSON is
// checked only when encoding has failed over it: it would be read twice
// otherwise, for every job.
func NewJobs(w io.Writer, list JobList, f Format, o Options) Rows[JobRow] {
	return listing[JobRow, JobView]{
		columns: JobColumns(list),
		cells:   func(row JobRow, o Options) []Cell { return JobCells(row, list, o) },
		view:    func(row JobRow) JobView { return row.view(probablyJSON) },
		careful: JobRow.View,
	}.rows(w, f, o)
}

// View returns the JSON view.
func (r JobRow) View() JobView { return r.view(isJSON) }

func (r JobRow) view(isJSON func([]byte) bool) JobView {
	v := viewJob(r.Queue, r.Job, isJSON)
	v.argument = cmp.Or(r.Argument, r.Queue)
	return v
}

// JobLayout is what a list of jobs consists of.
func JobLayout(list JobList) Layout { return LayoutOf[JobView](JobColumns(list)) }

// JobColumns returns the columns of a list of jobs.
func JobColumns(list JobList) []Column {
	head := []Column{
		{Header: "QUEUE", Min: 8, Wide: !list.ManyQueues},
		{Header: "ID"},
		{Header: "NAME", Min: 8},
	}
	tail := []Column{
		{Header: "PRIORITY", Right: true, Wide: true},
		{Header: "STALLED", Right: true, Wide: true, About: "how often it was found without a worker"},
		{Header: "STARTED", Right: true, Wide: true, About: "when its last attempt began"},
		{Header: "TOOK", Right: true, Wide: true, About: "how long its last attempt ran"},
		{Header: "WORKER", Wide: true, About: "worker of its last attempt"},
		{Header: "REASON", Min: 12, Flex: true, About: "why it failed"},
	}
	middle := []Column{
		{Header: "STATE"},
		{Header: "ATTEMPTS", Right: true, About: "attempts made, and most attempts"},
		{Header: "CREATED", Right: true, About: "when it was created"},
		{Header: "DUE", Right: true, Spare: 1, About: "when it will be due"},
		{Header: "FINISHED", Right: true, Spare: 3, About: "when it finished"},
	}
	if list.Failed {
		middle = []Column{
			{Header: "ATTEMPTS", Right: true, About: "attempts made, and most attempts"},
			{Header: "CREATED", Right: true, Wide: true, About: "when it was created"},
			{Header: "FAILED", Right: true, About: "when it failed"},
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
