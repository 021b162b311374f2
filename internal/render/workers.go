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
	Queue   string  `json:"queue" about:"name of the queue"`
	Alias   *string `json:"alias" about:"alias of the queue"`
	KeyBase string  `json:"keyBase" about:"key base of the queue"`
	Name    *string `json:"name" about:"the worker's own name"`
	Addr    string  `json:"addr" about:"address it is connected from"`
	AgeMs   int64   `json:"ageMs" about:"milliseconds for which it is connected"`
	IdleMs  int64   `json:"idleMs" about:"milliseconds for which it has sent nothing"`
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

// WorkerLayout is what a list of workers consists of.
func WorkerLayout() Layout { return LayoutOf[WorkerView](workerColumns()) }

func workerColumns() []Column {
	return []Column{
		{Header: "QUEUE", Min: 8},
		{Header: "NAME", Min: 8},
		{Header: "ADDR"},
		{Header: "CONNECTED", Right: true, About: "for how long it is connected"},
		{Header: "IDLE", Right: true, Spare: 1, About: "for how long it has sent nothing"},
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
