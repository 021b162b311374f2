package render

import (
	"io"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// WorkerRow is a connected worker of a queue.
type WorkerRow struct {
	Queue   string
	Alias   string // empty when it has none
	KeyBase queue.KeyBase
	queue.WorkerConn
}

// WorkerView is a connected worker as JSON shows it.
type WorkerView struct {
	Queue   string  `json:"queue"`
	Alias   *string `json:"alias"`
	KeyBase string  `json:"keyBase"`
	// Name is the worker's own; null when it has none.
	Name *string `json:"name"`
	Addr string  `json:"addr"`
	// AgeMs is how long it is connected, IdleMs since when it has sent nothing.
	AgeMs  int64 `json:"ageMs"`
	IdleMs int64 `json:"idleMs"`
}

// View returns the JSON view.
func (w WorkerRow) View() WorkerView {
	return WorkerView{
		Queue: w.Queue, Alias: textOrNil(w.Alias, w.Alias != ""), KeyBase: w.KeyBase.String(),
		Name: textOrNil(w.Name, w.Name != ""), Addr: w.Addr,
		AgeMs: w.Age.Milliseconds(), IdleMs: w.Idle.Milliseconds(),
	}
}

// WriteWorkers writes a list of workers in any format.
func WriteWorkers(w io.Writer, workers []WorkerRow, f Format, o Options) error {
	return writeRows(newList(w, f, o, workerColumns(), WorkerRow.View, WorkerRow.cells), workers)
}

func workerColumns() []Column {
	return []Column{
		{Header: "QUEUE", Min: 8},
		{Header: "NAME", Min: 8},
		{Header: "ADDR"},
		{Header: "CONNECTED", Right: true},
		{Header: "IDLE", Right: true, Spare: 1},
		{Header: "KEYBASE", Wide: true},
	}
}

func (w WorkerRow) cells(Options) []Cell {
	return []Cell{
		TextCell(w.Queue), TextCell(w.Name), TextCell(w.Addr), spanCell(w.Age), spanCell(w.Idle), TextCell(w.KeyBase.String()),
	}
}

// spanCell shows how long something lasts, to programs too: it is no point in
// time.
func spanCell(d time.Duration) Cell { return Cell{Text: Age(d)} }
