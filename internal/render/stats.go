package render

import (
	"io"

	"github.com/qctl/qctl/internal/queue"
)

// Unknown is the value of a number or a time span that could not be found out.
const Unknown = -1

// Stats is what is known about one queue.
type Stats struct {
	Queue   string
	Alias   string // empty when it has none
	KeyBase queue.KeyBase
	Evidence
}

// StatsView is the numbers of a queue as JSON shows them. The names and their
// order are a contract: fields are only ever added. What is unknown, and the age
// of the oldest job where none waits, is null.
type StatsView struct {
	Queue              string  `json:"queue"`
	Alias              *string `json:"alias"`
	KeyBase            string  `json:"keyBase"`
	Waiting            *int64  `json:"waiting"`
	Prioritized        *int64  `json:"prioritized"`
	Active             *int64  `json:"active"`
	Completed          *int64  `json:"completed"`
	Failed             *int64  `json:"failed"`
	Delayed            *int64  `json:"delayed"`
	WaitingChildren    *int64  `json:"waitingChildren"`
	Total              *int64  `json:"total"`
	Paused             *bool   `json:"paused"`
	Workers            *int64  `json:"workers"`
	Lag                *string `json:"lag"`
	OldestWaitingMs    *int64  `json:"oldestWaitingMs"`
	CompletedPerMinute *int64  `json:"completedPerMinute"`
	FailedPerMinute    *int64  `json:"failedPerMinute"`
	// Error says why the queue could not be read.
	Error *string `json:"error,omitempty"`
}

// View returns the JSON view.
func (s Stats) View() StatsView {
	v := StatsView{
		Queue:              s.Queue,
		Alias:              textOrNil(s.Alias, s.Alias != ""),
		KeyBase:            s.KeyBase.String(),
		Workers:            known(int64(s.Workers)),
		CompletedPerMinute: known(s.CompletedPerMinute),
		FailedPerMinute:    known(s.FailedPerMinute),
	}
	if s.Counts.Err != nil {
		v.Error = textOrNil(s.Counts.Err.Error(), true)
		return v
	}
	counts := s.Counts
	v.Waiting, v.Prioritized, v.Active = &counts.Waiting, &counts.Prioritized, &counts.Active
	v.Completed, v.Failed, v.Delayed = &counts.Completed, &counts.Failed, &counts.Delayed
	v.WaitingChildren, v.Total, v.Paused = &counts.WaitingChildren, &counts.Total, &counts.Paused
	if s.Waits() && s.OldestWaiting >= 0 {
		v.Lag = textOrNil(Age(s.OldestWaiting), true)
		v.OldestWaitingMs = known(s.OldestWaiting.Milliseconds())
	}
	return v
}

func known(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// WriteStats writes the numbers of queues in any format; a single queue is a
// list of one.
func WriteStats(w io.Writer, stats []Stats, f Format, o Options) error {
	return writeRows(newList(w, f, o, statsColumns(stats), Stats.View, Stats.cells), stats)
}

// statsColumns never leaves out jobs that wait: the prioritized ones have no
// column only where there are none.
func statsColumns(stats []Stats) []Column {
	prioritized := Column{Header: "PRIORITIZED", Right: true, Spare: 4}
	for _, s := range stats {
		if s.Counts.Prioritized > 0 {
			prioritized.Spare = 0
		}
	}
	return []Column{
		{Header: "QUEUE", Min: 8},
		{Header: "STATUS"},
		{Header: "WAITING", Right: true},
		prioritized,
		{Header: "ACTIVE", Right: true},
		{Header: "DELAYED", Right: true, Spare: 3},
		{Header: "FAILED", Right: true},
		{Header: "COMPLETED", Right: true, Spare: 2},
		{Header: "WORKERS", Right: true},
		{Header: "OLDEST", Right: true},
		{Header: "DONE/M", Right: true, Spare: 1},
		{Header: "CHILDREN", Right: true, Wide: true},
		{Header: "TOTAL", Right: true, Wide: true},
		{Header: "FAILED/M", Right: true, Wide: true},
		{Header: "KEYBASE", Wide: true},
	}
}

func (s Stats) cells(o Options) []Cell {
	count := func(n int64) Cell {
		if s.Counts.Err != nil {
			n = Unknown
		}
		return knownCell(n)
	}
	c := s.Counts
	failed := count(c.Failed)
	if c.Failed > 0 {
		failed.Style = StyleBad
	}
	return []Cell{
		TextCell(s.Queue), StatusCell(s.Status(), o), count(c.Waiting), count(c.Prioritized), count(c.Active),
		count(c.Delayed), failed, count(c.Completed), knownCell(int64(s.Workers)), s.oldestCell(),
		knownCell(s.CompletedPerMinute), count(c.WaitingChildren), count(c.Total), knownCell(s.FailedPerMinute),
		TextCell(s.KeyBase.String()),
	}
}

// oldestCell shows an age also to programs: it is no point in time.
func (s Stats) oldestCell() Cell {
	switch {
	case s.Counts.Err != nil:
		return Cell{Text: unknown}
	case !s.Waits():
		return Cell{Text: none}
	case s.OldestWaiting < 0:
		return Cell{Text: unknown}
	}
	return Cell{Text: Age(s.OldestWaiting)}
}

func knownCell(n int64) Cell {
	if n < 0 {
		return Cell{Text: unknown}
	}
	return NumberCell(n)
}
