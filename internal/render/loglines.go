package render

import (
	"bufio"
	"io"
)

// LogLine is a line of a job's log.
type LogLine struct {
	// Number counts from 1, the oldest line.
	Number int64  `json:"number"`
	Text   string `json:"line"`
}

// NewLogLines returns a writer of a job's log: JSON, or the lines as they are,
// escaped.
func NewLogLines(w io.Writer, f Format, o Options) Rows[LogLine] {
	switch f {
	case FormatJSON:
		return NewArrayWriter[LogLine](w, o)
	case FormatNDJSON:
		return NewNDJSON[LogLine](w, o)
	}
	return &plainLines{out: bufio.NewWriter(w)}
}

type plainLines struct{ out *bufio.Writer }

// Write writes a line; the buffer keeps its first error until Flush.
func (p *plainLines) Write(line LogLine) error {
	_, _ = p.out.WriteString(Multiline(line.Text))
	return p.out.WriteByte('\n')
}

// Flush writes what waits.
func (p *plainLines) Flush() error { return p.out.Flush() }

// Close writes what waits.
func (p *plainLines) Close() error { return p.out.Flush() }
