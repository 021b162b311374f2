package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Column describes one column of a table.
type Column struct {
	// Header is upper case and without spaces, the same on a terminal and in a
	// pipe.
	Header string
	// About says in a few words what it shows, unless the field of the same name
	// does.
	About string
	// Right aligns numbers.
	Right bool
	// Wide columns are shown only when everything is.
	Wide bool
	// Min is the width to which a terminal may cut the column; 0 means that it
	// is never cut, as numbers and ids must not be.
	Min int
	// Flex columns are cut before others: the long text at the end.
	Flex bool
	// Spare columns are left out when a terminal is too narrow for all: those
	// with nothing but zeros first, then 1 before 2 before 3. 0 always stays.
	Spare int
}

// Cell is what stands in one column of one row. It is foreign text until the
// table has escaped it.
type Cell struct {
	Text  string // for people
	Plain string // for programs; empty means Text
	Style Style
}

// TextCell returns a cell with the same text for everybody, "-" for none.
func TextCell(s string) Cell {
	if s == "" {
		s = none
	}
	return Cell{Text: s}
}

// Table is a table whose rows are all known.
type Table struct {
	Columns []Column
	Rows    [][]Cell
}

// Write writes the table. Every row must have a cell for every column, the ones
// that are not shown included.
func (t Table) Write(w io.Writer, o Options) error {
	return writeRows[[]Cell](NewTableWriter(w, t.Columns, o), t.Rows)
}

// sampleRows is how many rows of a table for people are looked at before the
// first is written: widths come from them. Rows after them are not held.
const sampleRows = 2000

// TableWriter writes a table row by row, aligned on a terminal, with tabs
// elsewhere.
type TableWriter struct {
	columns []Column
	shown   []int // indices into columns
	o       Options
	out     *bufio.Writer
	// sample holds the first rows of a table for people, until it is full.
	sample [][]Cell
	grid   *grid // nil until the sample is written
	opened bool  // the header is written
}

// NewTableWriter returns a writer of a table with these columns.
func NewTableWriter(w io.Writer, columns []Column, o Options) *TableWriter {
	t := &TableWriter{columns: columns, o: o, out: bufio.NewWriterSize(w, 32<<10)}
	for i, column := range columns {
		if o.Wide || !column.Wide {
			t.shown = append(t.shown, i)
		}
	}
	return t
}

// Write adds a row. It is out after Flush or Close, or when there is enough to
// write.
func (t *TableWriter) Write(cells []Cell) error {
	if len(cells) != len(t.columns) {
		return fmt.Errorf("table row of %d cells for %d columns", len(cells), len(t.columns))
	}
	row := make([]Cell, len(t.shown))
	for i, at := range t.shown {
		row[i] = t.escape(cells[at])
	}
	switch {
	case !t.o.Terminal:
		return t.writePlain(row)
	case t.grid != nil:
		return t.grid.row(row)
	}
	t.sample = append(t.sample, row)
	if len(t.sample) < sampleRows {
		return nil
	}
	return t.open()
}

// Flush writes every row added so far. On a terminal it settles the widths of
// the columns; a longer id widens its column from there on.
func (t *TableWriter) Flush() error {
	if err := t.open(); err != nil {
		return err
	}
	return t.out.Flush()
}

// Close writes what is left. A table without rows is a line of headers.
func (t *TableWriter) Close() error { return t.Flush() }

// escape makes the cell fit to be written and keeps the text for this reader.
func (t *TableWriter) escape(c Cell) Cell {
	if !t.o.Terminal && c.Plain != "" {
		c.Text = c.Plain
	}
	return Cell{Text: Text(c.Text), Style: c.Style}
}

// open writes the header, and the sample of a table for people.
func (t *TableWriter) open() error {
	if t.opened {
		return nil
	}
	t.opened = true
	columns := make([]Column, len(t.shown))
	for i, at := range t.shown {
		columns[i] = t.columns[at]
	}
	if !t.o.Terminal {
		return t.writePlainHeader(columns)
	}
	sample := t.sample
	t.sample = nil
	t.grid = newGrid(t.out, columns, sample, t.o)
	return t.grid.draw(sample)
}

func (t *TableWriter) writePlainHeader(columns []Column) error {
	if t.o.NoHeaders {
		return nil
	}
	headers := make([]string, len(columns))
	for i, column := range columns {
		headers[i] = column.Header
	}
	_, err := t.out.WriteString(strings.Join(headers, "\t") + "\n")
	return err
}

func (t *TableWriter) writePlain(row []Cell) error {
	if err := t.open(); err != nil {
		return err
	}
	// The buffer keeps its first error until Flush.
	for i, cell := range row {
		if i > 0 {
			_ = t.out.WriteByte('\t')
		}
		_, _ = t.out.WriteString(cell.Text)
	}
	return t.out.WriteByte('\n')
}
