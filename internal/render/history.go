package render

import (
	"fmt"
	"io"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// MinuteView is how many jobs of a queue finished in a minute, as JSON shows it.
type MinuteView struct {
	Minute    int64  `json:"minute" about:"when the minute began, in milliseconds since the epoch"`
	MinuteAt  string `json:"minuteAt" about:"minute in RFC 3339"`
	Completed int64  `json:"completed" about:"jobs that completed in it"`
	Failed    int64  `json:"failed" about:"jobs that failed in it"`
}

func viewMinute(m queue.Minute) MinuteView {
	return MinuteView{Minute: m.Start.UnixMilli(), MinuteAt: Time(m.Start), Completed: m.Completed, Failed: m.Failed}
}

// HistoryLayout is what a list of minutes consists of.
func HistoryLayout() Layout { return LayoutOf[MinuteView](minuteColumns()) }

func minuteColumns() []Column {
	return []Column{
		{Header: "MINUTE", About: "when the minute began"},
		{Header: "COMPLETED", Right: true},
		{Header: "FAILED", Right: true},
	}
}

func minuteCells(m queue.Minute, _ Options) []Cell {
	failed := NumberCell(m.Failed)
	if m.Failed > 0 {
		failed.Style = StyleBad
	}
	return []Cell{{Text: m.Start.UTC().Format("2006-01-02 15:04Z"), Plain: Time(m.Start)}, NumberCell(m.Completed), failed}
}

// WriteHistory writes minutes in any format. A table on a terminal ends with a
// curve of each number.
func WriteHistory(w io.Writer, minutes []queue.Minute, f Format, o Options) error {
	if err := writeRows(newList(w, f, o, minuteColumns(), viewMinute, minuteCells), minutes); err != nil {
		return err
	}
	if !f.ForPeople() || !o.Terminal || len(minutes) == 0 {
		return nil
	}
	completed, failed := make([]int64, len(minutes)), make([]int64, len(minutes))
	for i, m := range minutes {
		completed[i], failed[i] = m.Completed, m.Failed
	}
	span := time.Duration(len(minutes)) * time.Minute
	for _, line := range []struct {
		label  string
		values []int64
		style  Style
	}{{"completed", completed, StyleGood}, {"failed   ", failed, StyleBad}} {
		if _, err := fmt.Fprintln(w, curve(line.label, line.values, span, line.style, o)); err != nil {
			return err
		}
	}
	return nil
}

// curve draws a series in a line with what it sums up to: of a series longer than
// the line, a column is the highest of several minutes.
func curve(label string, values []int64, span time.Duration, style Style, o Options) string {
	sum, top := int64(0), int64(0)
	for _, v := range values {
		sum, top = sum+v, max(top, v)
	}
	tail := fmt.Sprintf("%s in %s, at most %s a minute", Count(sum), Duration(span), Count(top))
	columns := 60
	if limit := o.limit(); limit > 0 {
		columns = min(columns, limit-len(label)-len(tail)-2)
	}
	if columns < 1 {
		return label + " " + tail
	}
	return label + " " + o.Paint(Sparkline(highestOf(values, columns), o.ASCII), style) + " " + tail
}

// highestOf shortens a series to at most n values.
func highestOf(values []int64, n int) []int64 {
	if len(values) <= n {
		return values
	}
	short := make([]int64, n)
	for i, v := range values {
		at := i * n / len(values)
		short[at] = max(short[at], v)
	}
	return short
}
