package render

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// grid draws a table for people: no borders, two spaces between columns,
// nothing at the end of a line. Widths are settled by a sample of the rows, so
// that the drawing library neither wraps nor cuts. It draws the sample; rows
// after that would take it seconds for every 50,000, so they are put into the
// same columns here.
type grid struct {
	w       io.Writer
	columns []Column
	layout  layout
	o       Options
}

// newGrid settles the widths by a sample of the rows.
func newGrid(w io.Writer, columns []Column, sample [][]Cell, o Options) *grid {
	natural, zero := make([]int, len(columns)), make([]bool, len(columns))
	for i, column := range columns {
		if !o.NoHeaders {
			natural[i] = Width(column.Header)
		}
		zero[i] = true
		for _, row := range sample {
			natural[i] = max(natural[i], Width(row[i].Text))
			zero[i] = zero[i] && (row[i].Text == "0" || row[i].Text == none)
		}
	}
	return &grid{w: &lineTrimmer{w: w}, columns: columns, o: o, layout: fit(columns, natural, zero, o.limit())}
}

// draw writes the header and the sample.
func (g *grid) draw(sample [][]Cell) error {
	table := g.table()
	if err := table.Start(); err != nil {
		return fmt.Errorf("draw table: %w", err)
	}
	if !g.o.NoHeaders {
		headers := make([]string, len(g.layout.shown))
		for i, at := range g.layout.shown {
			headers[i] = g.paint(i, Cell{Text: g.columns[at].Header, Style: StyleBold})
		}
		table.Header(headers)
	}
	for _, row := range sample {
		if err := g.drawRow(table, row); err != nil {
			return fmt.Errorf("draw table: %w", err)
		}
	}
	if err := table.Close(); err != nil {
		return fmt.Errorf("draw table: %w", err)
	}
	return nil
}

// drawRow leaves the row to the library where the two of us agree how wide its
// cells are. The library adds up single characters, ambiguous ones by the locale,
// and would tear an emoji of several apart.
func (g *grid) drawRow(table *tablewriter.Table, row []Cell) error {
	cells := make([]string, len(g.layout.shown))
	for i, at := range g.layout.shown {
		cells[i] = g.paint(i, row[at])
		if twwidth.Width(cells[i]) != Width(cells[i]) {
			return g.row(row)
		}
	}
	return table.Append(cells)
}

// row writes a row without the library.
func (g *grid) row(row []Cell) error {
	g.widen(row)
	var line []byte
	for i, at := range g.layout.shown {
		text := g.paint(i, row[at])
		space := strings.Repeat(" ", max(g.layout.widths[i]-Width(text), 0))
		if i > 0 {
			line = append(line, "  "...)
		}
		if g.columns[at].Right {
			line = append(append(line, space...), text...)
		} else {
			line = append(append(line, text...), space...)
		}
	}
	_, err := g.w.Write(append(line, '\n'))
	return err
}

// paint returns the text of the column i, cut where the column is, in its style.
func (g *grid) paint(i int, c Cell) string {
	if g.layout.cut[i] {
		c.Text = Cut(c.Text, g.layout.widths[i])
	}
	return g.o.Paint(c.Text, c.Style)
}

// widen makes room for a cell that is wider than all of the sample, up to the
// edge for what may be cut.
func (g *grid) widen(row []Cell) {
	for i, at := range g.layout.shown {
		more := Width(row[at].Text) - g.layout.widths[i]
		if more <= 0 || g.layout.cut[i] {
			continue
		}
		if limit := g.o.limit(); limit > 0 && g.columns[at].Min > 0 {
			room := max(limit-g.layout.total(), 0)
			g.layout.cut[i] = more > room
			more = min(more, room)
		}
		g.layout.widths[i] += more
	}
}

// table returns a table of the drawing library with the widths as they are.
func (g *grid) table() *tablewriter.Table {
	last := len(g.layout.shown) - 1
	widths := tw.NewMapper[int, int]()
	padding := make([]tw.Padding, len(g.layout.shown))
	align := make([]tw.Align, len(g.layout.shown))
	for i, at := range g.layout.shown {
		width := max(g.layout.widths[i], 1) // 0 would hide the column
		padding[i] = tw.PaddingNone
		if i < last {
			width += gap
			padding[i] = tw.Padding{Right: "  ", Overwrite: true}
		}
		widths.Set(i, width)
		align[i] = tw.AlignLeft
		if g.columns[at].Right {
			align[i] = tw.AlignRight
		}
	}
	// Without truncation, for which every cell is narrow enough, the library
	// wraps words and joins the spaces between them: to it, no wrapping at all
	// is the absence of a choice.
	cell := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoWrap: tw.WrapTruncate, AutoFormat: tw.Off},
		Padding:    tw.CellPadding{Global: tw.PaddingNone, PerColumn: padding},
		Alignment:  tw.CellAlignment{Global: tw.AlignLeft, PerColumn: align},
	}
	return tablewriter.NewTable(
		g.w,
		tablewriter.WithConfig(tablewriter.Config{
			Header: cell, Row: cell,
			Widths: tw.CellWidth{PerColumn: widths},
			Stream: tw.StreamConfig{Enable: true, StrictColumns: true},
		}),
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:   tw.BorderNone,
			Symbols:   tw.NewSymbols(tw.StyleNone),
			Settings:  tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
			Streaming: true,
		})),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithTrimLine(tw.Off),
		tablewriter.WithTrimTab(tw.Off),
	)
}

// lineTrimmer takes the spaces off the ends of lines, also those before the code
// that ends a colour.
type lineTrimmer struct {
	w    io.Writer
	line []byte // the beginning of a line
}

func (t *lineTrimmer) Write(b []byte) (int, error) {
	n := len(b)
	for {
		head, rest, found := bytes.Cut(b, []byte{'\n'})
		t.line = append(t.line, head...)
		if !found {
			return n, nil
		}
		if _, err := t.w.Write(append(trimEnd(t.line), '\n')); err != nil {
			return 0, err
		}
		t.line, b = t.line[:0], rest
	}
}

func trimEnd(line []byte) []byte {
	colored := false
	for {
		line = bytes.TrimRight(line, " ")
		head, found := bytes.CutSuffix(line, []byte(sgrReset))
		if !found {
			break
		}
		line, colored = head, true
	}
	if colored && bytes.IndexByte(line, '\x1b') >= 0 {
		line = append(line, sgrReset...)
	}
	return line
}
