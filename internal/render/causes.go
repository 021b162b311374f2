package render

import (
	"io"
	"strconv"
	"time"
)

// Cause is failed jobs of one queue that failed alike.
type Cause struct {
	Queue string
	ID    string
	Count int64
	// Of is how many failed jobs were looked at.
	Of          int64
	First, Last time.Time // when they failed
	// Names are the names of the jobs, the most frequent first.
	Names  []string
	Reason string
}

// CauseView is a cause as JSON shows it. Times are milliseconds since the epoch.
type CauseView struct {
	Queue  string   `json:"queue" about:"alias of the queue, else its name"`
	Cause  string   `json:"cause" about:"id of the cause, as --cause takes it"`
	Count  int64    `json:"count" about:"how many jobs failed for it"`
	Of     int64    `json:"of" about:"how many failed jobs were looked at"`
	First  *int64   `json:"first" about:"when the first of them failed, in milliseconds since the epoch"`
	Last   *int64   `json:"last" about:"when the last of them failed, in milliseconds since the epoch"`
	Names  []string `json:"names" about:"names of the jobs, the most frequent first"`
	Reason string   `json:"reason" about:"why they failed, without what differs"`
}

// View returns the JSON view.
func (c Cause) View() CauseView {
	names := c.Names
	if names == nil {
		names = []string{}
	}
	return CauseView{
		Queue: c.Queue, Cause: c.ID, Count: c.Count, Of: c.Of,
		First: millis(c.First), Last: millis(c.Last), Names: names, Reason: c.Reason,
	}
}

// WriteCauses writes the causes of failures in any format. The table names the
// queue where list says that there are many.
func WriteCauses(w io.Writer, causes []Cause, list JobList, f Format, o Options) error {
	return writeRows(newList(w, f, o, causeColumns(list), Cause.View, Cause.cells), causes)
}

// CauseLayout is what a list of causes consists of.
func CauseLayout(list JobList) Layout { return LayoutOf[CauseView](causeColumns(list)) }

func causeColumns(list JobList) []Column {
	return []Column{
		{Header: "QUEUE", Min: 8, Wide: !list.ManyQueues},
		{Header: "CAUSE"},
		{Header: "COUNT", Right: true},
		{Header: "%", Right: true, About: "share of the failed jobs that were looked at"},
		{Header: "FIRST", Right: true, Spare: 1},
		{Header: "LAST", Right: true},
		{Header: "NAMES", Min: 10},
		{Header: "REASON", Min: 20, Flex: true},
	}
}

func (c Cause) cells(o Options) []Cell {
	percent := none
	if c.Of > 0 {
		percent = strconv.FormatFloat(100*float64(c.Count)/float64(c.Of), 'f', 1, 64)
	}
	return []Cell{
		TextCell(c.Queue), TextCell(c.ID), NumberCell(c.Count),
		{Text: percent},
		AgoCell(c.First, o), AgoCell(c.Last, o), c.namesCell(), TextCell(c.Reason),
	}
}

// namesCell shows the first name and how many others there are.
func (c Cause) namesCell() Cell {
	if len(c.Names) == 0 {
		return Cell{Text: none}
	}
	text := c.Names[0]
	if others := len(c.Names) - 1; others > 0 {
		text += " +" + strconv.Itoa(others)
	}
	return Cell{Text: text}
}
