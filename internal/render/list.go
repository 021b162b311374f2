package render

import (
	"encoding/json"
	"errors"
	"io"
)

// listing is how the rows of a list are written in any format. All formats for
// programs are made from the JSON of the views, so that a field has one name.
type listing[R, V any] struct {
	// columns and cells are of the table.
	columns []Column
	cells   func(R, Options) []Cell
	view    func(R) V
	// careful is the view of a row of which view could not be written as JSON; nil
	// where that cannot be.
	careful func(R) V
}

// newList returns a writer of a list in any format: JSON of the views of its
// rows, or a table of their cells.
func newList[R, V any](
	w io.Writer, f Format, o Options, columns []Column, view func(R) V, cells func(R, Options) []Cell,
) Rows[R] {
	return listing[R, V]{columns: columns, cells: cells, view: view}.rows(w, f, o)
}

func (l listing[R, V]) rows(w io.Writer, f Format, o Options) Rows[R] {
	switch f {
	case FormatName:
		return mapped[R, V]{newNames[V](w, o), l.view}
	case FormatCSV:
		return &picked[R, V]{listing: l, o: o, picks: l.pick(o.Columns, true), fieldsFirst: true, to: newCSV(w, o)}
	case FormatJSON, FormatNDJSON, FormatYAML, FormatTemplate:
		views := newViews[V](w, f, o)
		if l.careful == nil {
			return mapped[R, V]{views, l.view}
		}
		return carefully[R, V]{views, l.view, l.careful}
	case FormatWide:
		o.Wide = true
	}
	if len(o.Columns) > 0 {
		return l.chosenTable(w, o)
	}
	return mapped[R, []Cell]{NewTableWriter(w, l.columns, o), func(row R) []Cell { return l.cells(row, o) }}
}

// newViews returns a writer of a list in a format that shows whole views.
func newViews[V any](w io.Writer, f Format, o Options) Rows[V] {
	switch {
	case f == FormatYAML:
		return &objects[V]{to: &yamlList{w: w, o: o}}
	case f == FormatTemplate:
		return &objects[V]{to: newTemplateRows(w, o)}
	case o.Query != nil && f == FormatNDJSON:
		return &objects[V]{to: &queryRows{queryOut: newQueryOut(w, o)}}
	case o.Query != nil:
		return &objects[V]{to: &queryDocument{queryOut: newQueryOut(w, o), values: []any{}}}
	case f == FormatNDJSON:
		return NewNDJSON[V](w, o)
	}
	return NewArrayWriter[V](w, o)
}

// WriteList writes views in any format but a table.
func WriteList[V any](w io.Writer, views []V, f Format, o Options) error {
	same := func(v V) V { return v }
	return writeRows(newList(w, f, o, nil, same, nil), views)
}

// WriteRows writes a list in any format. A table has the columns, with the cells of
// each row.
func WriteRows[R, V any](
	w io.Writer, rows []R, columns []Column, view func(R) V, cells func(R, Options) []Cell, f Format, o Options,
) error {
	return writeRows(newList(w, f, o, columns, view, cells), rows)
}

// WriteOne writes a single view in any format but a table: in JSON and YAML it is
// no list of one.
func WriteOne[V any](w io.Writer, v V, f Format, o Options) error {
	switch {
	case f == FormatJSON && o.Query == nil:
		return WriteJSON(w, v, o)
	case f != FormatJSON && f != FormatYAML:
		return WriteList(w, []V{v}, f, o)
	}
	var e encoder
	if err := e.encode(v); err != nil {
		return err
	}
	if f == FormatYAML {
		_, err := w.Write(append(appendYAML(nil, e.compact(), 0, o), '\n'))
		return err
	}
	out := &queryRows{queryOut: newQueryOut(w, o)}
	return errors.Join(out.write(e.compact()), out.Close())
}

// mapped takes rows of one type for a list of another.
type mapped[R, V any] struct {
	Rows[V]
	turn func(R) V
}

// Write writes what the row turns into.
func (m mapped[R, V]) Write(row R) error { return m.Rows.Write(m.turn(row)) }

// carefully is mapped with a second view for the rows of which the first cannot
// be encoded, which writes nothing.
type carefully[R, V any] struct {
	Rows[V]
	view, careful func(R) V
}

// Write writes one of the views.
func (c carefully[R, V]) Write(row R) error {
	err := c.Rows.Write(c.view(row))
	if _, bad := errors.AsType[*json.MarshalerError](err); bad {
		return c.Rows.Write(c.careful(row))
	}
	return err
}

// objects writes rows by the JSON of their views.
type objects[V any] struct {
	enc encoder
	to  objectWriter
}

// objectWriter takes the compact JSON of one row after the other. It must not
// keep it.
type objectWriter interface {
	write(object []byte) error
	Flush() error
	Close() error
}

// Write writes a row.
func (o *objects[V]) Write(row V) error {
	if err := o.enc.encode(row); err != nil {
		return err
	}
	return o.to.write(o.enc.compact())
}

// Flush writes the rows so far, where the format allows it.
func (o *objects[V]) Flush() error { return o.to.Flush() }

// Close ends the list.
func (o *objects[V]) Close() error { return o.to.Close() }

func writeRows[T any](list Rows[T], rows []T) error {
	for _, row := range rows {
		if err := list.Write(row); err != nil {
			return errors.Join(err, list.Flush())
		}
	}
	return list.Close()
}
