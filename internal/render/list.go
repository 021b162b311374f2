package render

import "io"

// newList returns a writer of a list in any format: JSON of the views of its
// rows, or a table of their cells.
func newList[R, V any](
	w io.Writer, f Format, o Options, columns []Column, view func(R) V, cells func(R, Options) []Cell,
) Rows[R] {
	switch f {
	case FormatJSON:
		return mapped[R, V]{NewArrayWriter[V](w, o), view}
	case FormatNDJSON:
		return mapped[R, V]{NewNDJSON[V](w, o), view}
	case FormatWide:
		o.Wide = true
	}
	return mapped[R, []Cell]{NewTableWriter(w, columns, o), func(row R) []Cell { return cells(row, o) }}
}

// mapped takes rows of one type for a list of another.
type mapped[R, V any] struct {
	Rows[V]
	turn func(R) V
}

// Write writes what the row turns into.
func (m mapped[R, V]) Write(row R) error { return m.Rows.Write(m.turn(row)) }

func writeRows[T any](list Rows[T], rows []T) error {
	for _, row := range rows {
		if err := list.Write(row); err != nil {
			return err
		}
	}
	return list.Close()
}
