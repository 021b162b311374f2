package render

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strings"
)

// Layout is what the results of a command consist of.
type Layout struct {
	// Columns are those of its table; none where people read lines.
	Columns []Column
	// Fields are those of its JSON objects; none where they are not known
	// beforehand, which leaves no CSV.
	Fields []Field
	// Named results have a name for other commands.
	Named bool
}

// LayoutOf returns the layout of results with this view.
func LayoutOf[V any](columns []Column, except ...string) Layout {
	_, named := any(*new(V)).(Named)
	return Layout{Columns: columns, Fields: FieldsOf[V](except...), Named: named}
}

// Formats lists the formats that can show it.
func (l Layout) Formats() []Format {
	return slices.DeleteFunc(Formats(), func(f Format) bool {
		return f == FormatCSV && len(l.Fields) == 0 || f == FormatName && !l.Named
	})
}

// Choice is a column that can be asked for by name.
type Choice struct {
	Name  string
	About string
}

// Choices lists the columns of a table, or of CSV, by the names that choose
// them: the headers in lower case, and the fields of the JSON.
func (l Layout) Choices() []Choice {
	var choices []Choice
	for _, c := range l.Columns {
		about := c.About
		if at := l.field(c.Header); at >= 0 && about == "" {
			about = l.Fields[at].About
		}
		choices = append(choices, Choice{Name: strings.ToLower(c.Header), About: about})
	}
	for _, f := range l.Fields {
		if !slices.ContainsFunc(choices, func(c Choice) bool { return strings.EqualFold(c.Name, f.Name) }) {
			choices = append(choices, Choice{Name: f.Name, About: f.About})
		}
	}
	return choices
}

// FieldsOnly reports whether one of the names is of a field that the table has no
// column for.
func (l Layout) FieldsOnly(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return columnAt(l.Columns, name) < 0 })
}

func (l Layout) field(name string) int {
	return slices.IndexFunc(l.Fields, func(f Field) bool { return strings.EqualFold(f.Name, name) })
}

func columnAt(columns []Column, name string) int {
	return slices.IndexFunc(columns, func(c Column) bool { return strings.EqualFold(c.Header, name) })
}

// pick is one chosen column: a cell of the table, or a field of the JSON.
type pick struct {
	header string
	cell   int    // index into the cells, or -1
	field  string // in the quotes of JSON; empty for a cell
}

// pick finds the columns of these names; without names all fields of the JSON.
// A name that a column and a field share is the field of CSV and the column of a
// table.
func (l listing[R, V]) pick(names []string, fieldsFirst bool) []pick {
	fields := FieldsOf[V]()
	if len(names) == 0 {
		for _, f := range fields {
			names = append(names, f.Name)
		}
	}
	picks := make([]pick, 0, len(names))
	for _, name := range names {
		cell := columnAt(l.columns, name)
		at := slices.IndexFunc(fields, func(f Field) bool { return strings.EqualFold(f.Name, name) })
		switch {
		case at >= 0 && (fieldsFirst || cell < 0):
			picks = append(picks, pick{header: fields[at].Name, cell: -1, field: `"` + fields[at].Name + `"`})
		case cell >= 0:
			picks = append(picks, pick{header: l.columns[cell].Header, cell: cell})
		}
	}
	return picks
}

// picked writes rows by chosen columns.
type picked[R, V any] struct {
	listing[R, V]
	o     Options
	picks []pick
	// fieldsFirst is for programs: cells hold no signs for nothing.
	fieldsFirst bool
	to          cellWriter
	enc         encoder
}

// cellWriter takes the cells of rows, under the headers of the picks.
type cellWriter interface {
	open(picks []pick) error
	row(cells []Cell) error
	Flush() error
	Close() error
}

// Write writes the chosen cells of a row.
func (p *picked[R, V]) Write(row R) error {
	if err := p.to.open(p.picks); err != nil {
		return err
	}
	chosen := make([]Cell, len(p.picks))
	var cells []Cell
	object := false
	for i, pick := range p.picks {
		if pick.field != "" {
			object = true
			continue
		}
		if cells == nil {
			cells = p.cells(row, p.o)
		}
		chosen[i] = cells[pick.cell]
		if text := chosen[i].Text; p.fieldsFirst && (text == none || text == unknown) {
			chosen[i] = Cell{} // what is null in JSON
		}
	}
	if object {
		if err := p.fill(chosen, row); err != nil {
			return err
		}
	}
	return p.to.row(chosen)
}

// fill takes the cells that are fields from the JSON of the row.
func (p *picked[R, V]) fill(chosen []Cell, row R) error {
	err := p.enc.encode(p.view(row))
	if err != nil && p.careful != nil {
		err = p.enc.encode(p.careful(row))
	}
	if err != nil {
		return err
	}
	eachField(p.enc.compact(), func(name, value []byte) bool {
		for i, pick := range p.picks {
			if pick.field == string(name) {
				chosen[i].Text = plainJSON(value)
			}
		}
		return true
	})
	return nil
}

// Flush writes the rows so far.
func (p *picked[R, V]) Flush() error { return p.to.Flush() }

// Close ends the list; without rows it is the line of headers.
func (p *picked[R, V]) Close() error {
	if err := p.to.open(p.picks); err != nil {
		return err
	}
	return p.to.Close()
}

// plainJSON is a value as a cell shows it: a string without its quotes and
// escapes, nothing for null, and else the JSON as it is.
func plainJSON(value []byte) string {
	switch value[0] {
	case 'n':
		return ""
	case '"':
		var text string
		if err := json.Unmarshal(value, &text); err == nil {
			return text
		}
	}
	return string(value)
}

// csvWriter writes CSV as RFC 4180 has it, with line feeds.
type csvWriter struct {
	w      io.Writer
	out    *csv.Writer
	o      Options
	opened bool
	line   []string
}

func newCSV(w io.Writer, o Options) *csvWriter { return &csvWriter{w: w, out: csv.NewWriter(w), o: o} }

func (c *csvWriter) open(picks []pick) error {
	if c.opened {
		return nil
	}
	c.opened = true
	if c.o.NoHeaders {
		return nil
	}
	headers := make([]Cell, len(picks))
	for i, pick := range picks {
		headers[i].Text = pick.header
		if pick.field == "" {
			headers[i].Text = strings.ToLower(pick.header)
		}
	}
	return c.row(headers)
}

func (c *csvWriter) row(cells []Cell) error {
	c.line = c.line[:0]
	for _, cell := range cells {
		text := cell.Text
		if cell.Plain != "" {
			text = cell.Plain
		}
		if c.o.Terminal {
			text = Text(text)
		}
		c.line = append(c.line, text)
	}
	if len(c.line) == 1 && c.line[0] == "" {
		// Readers take a line with nothing in it for no line.
		if err := c.Flush(); err != nil {
			return err
		}
		_, err := io.WriteString(c.w, "\"\"\n")
		return err
	}
	return c.out.Write(c.line)
}

// Flush writes the rows so far.
func (c *csvWriter) Flush() error {
	c.out.Flush()
	return c.out.Error()
}

// Close writes what is left.
func (c *csvWriter) Close() error { return c.Flush() }

// chosenTable is a table of the columns that were asked for, in their order.
func (l listing[R, V]) chosenTable(w io.Writer, o Options) Rows[R] {
	picks := l.pick(o.Columns, false)
	columns := make([]Column, len(picks))
	for i, pick := range picks {
		if pick.field != "" {
			columns[i] = Column{Header: strings.ToUpper(pick.header), Min: 8, Flex: true}
			continue
		}
		columns[i] = l.columns[pick.cell]
		columns[i].Wide, columns[i].Spare = false, 0 // whoever asks for it, gets it
	}
	return &picked[R, V]{listing: l, o: o, picks: picks, to: &tableCells{NewTableWriter(w, columns, o)}}
}

// tableCells writes chosen cells as a table.
type tableCells struct{ *TableWriter }

func (t *tableCells) open([]pick) error { return nil }

func (t *tableCells) row(cells []Cell) error {
	for i, cell := range cells {
		if cell.Text == "" {
			cells[i].Text = none
		}
	}
	return t.Write(cells)
}
