package render

import (
	"bufio"
	"io"
)

// LogLine is a line of a job's log.
type LogLine struct {
	// Number counts from 1, the oldest line.
	Number int64  `json:"number" about:"number of the line, from 1"`
	Text   string `json:"line" about:"the line"`
}

// NewLogLines returns a writer of a job's log in any format; for people it is the
// lines as they are, escaped.
func NewLogLines(w io.Writer, f Format, o Options) Rows[LogLine] {
	if f.ForPeople() {
		return &plainLines{out: bufio.NewWriter(w)}
	}
	return newList(w, f, o, nil, func(line LogLine) LogLine { return line }, nil)
}

// LogLayout is what a job's log consists of.
func LogLayout() Layout { return LayoutOf[LogLine](nil) }

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
