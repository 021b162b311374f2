package render

import (
	"io"

	"github.com/qctl/qctl/internal/queue"
)

// QueueRow is one queue of the list of queues.
type QueueRow struct {
	Queue   string
	Alias   string // empty when it has none
	Role    string // empty when it has none
	KeyBase queue.KeyBase
	// Configured says that it is in the configuration or built in; others were
	// found in Redis.
	Configured bool
	// Exists says that it is in Redis.
	Exists bool
	// Status is empty for one that does not exist.
	Status Status
	Counts queue.Counts
}

// QueueView is a queue of the list of queues as JSON shows it. What could not be
// read is null.
type QueueView struct {
	Queue      string  `json:"queue" about:"name of the queue"`
	Alias      *string `json:"alias" about:"alias of the queue"`
	KeyBase    string  `json:"keyBase" about:"key base of the queue"`
	Role       *string `json:"role" about:"role that @ROLE means"`
	Configured bool    `json:"configured" about:"whether it is configured or built in"`
	Exists     bool    `json:"exists" about:"whether it is in this Redis"`
	Total      *int64  `json:"total" about:"how many jobs it holds"`
	Paused     *bool   `json:"paused" about:"whether it is paused"`
	Status     *string `json:"status" about:"the queue in a word"`
	Error      *string `json:"error,omitempty" about:"why it could not be read"`
}

// View returns the JSON view.
func (q QueueRow) View() QueueView {
	v := QueueView{
		Queue:      q.Queue,
		Alias:      textOrNil(q.Alias, q.Alias != ""),
		KeyBase:    q.KeyBase.String(),
		Role:       textOrNil(q.Role, q.Role != ""),
		Configured: q.Configured,
		Exists:     q.Exists,
		Status:     textOrNil(string(q.Status), q.Status != ""),
	}
	if q.Counts.Err != nil {
		v.Error = textOrNil(q.Counts.Err.Error(), true)
		return v
	}
	v.Total, v.Paused = &q.Counts.Total, &q.Counts.Paused
	return v
}

// WriteQueues writes the list of queues in any format.
func WriteQueues(w io.Writer, queues []QueueRow, f Format, o Options) error {
	return writeRows(newList(w, f, o, queueColumns(), QueueRow.View, QueueRow.cells), queues)
}

// QueueLayout is what the list of queues consists of.
func QueueLayout() Layout { return LayoutOf[QueueView](queueColumns()) }

func queueColumns() []Column {
	return []Column{
		{Header: "QUEUE", Min: 10},
		{Header: "ALIAS", Min: 8, Spare: 2},
		{Header: "ROLE", Spare: 1},
		{Header: "JOBS", Right: true, About: "how many jobs it holds"},
		{Header: "STATUS", Spare: 3, About: "the queue in a word"},
		{Header: "PAUSED"},
		{Header: "CONFIGURED", Wide: true},
		{Header: "EXISTS", Wide: true},
		{Header: "KEYBASE", Min: 12, Flex: true},
	}
}

func (q QueueRow) cells(o Options) []Cell {
	jobs, paused := NumberCell(q.Counts.Total), yesNoCell(q.Counts.Paused)
	if q.Counts.Paused {
		paused.Style = StyleWarn
	}
	if q.Counts.Err != nil {
		jobs, paused = Cell{Text: unknown}, Cell{Text: unknown}
	}
	return []Cell{
		TextCell(q.Queue), TextCell(q.Alias), TextCell(q.Role), jobs, q.statusCell(o), paused,
		yesNoCell(q.Configured), yesNoCell(q.Exists), TextCell(q.KeyBase.String()),
	}
}

func (q QueueRow) statusCell(o Options) Cell {
	if q.Status == "" {
		return Cell{Text: none}
	}
	return StatusCell(q.Status, o)
}

func yesNoCell(yes bool) Cell {
	if yes {
		return Cell{Text: "yes"}
	}
	return Cell{Text: "no"}
}
