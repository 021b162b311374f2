package render

import (
	"bufio"
	"io"
	"strings"
)

// LogLine is a line of a job's log.
type LogLine struct {
	// Number counts from 1, the oldest line.
	Number int64  `json:"number" about:"number of the line, from 1"`
	Text   string `json:"line" about:"the line"`
}

// NewLogLines returns a writer of a job's log in any format; for people it is the
// lines, escaped. What a job has logged in one piece is one line in a pipe; on a
// terminal the lines after its first are indented. Either way a job cannot pass
// a part of what it logs off as a line of its own.
func NewLogLines(w io.Writer, f Format, o Options) Rows[LogLine] {
	if f.ForPeople() {
		return &plainLines{out: bufio.NewWriter(w), terminal: o.Terminal}
	}
	return newList(w, f, o, nil, func(line LogLine) LogLine { return line }, nil)
}

// LogText makes a line of a job's log fit for a terminal: where it is several
// lines, those after the first are indented. Tabs and the line ends of Windows
// are layout here, no threat.
func LogText(s string) string {
	return strings.ReplaceAll(prose(strings.TrimRight(s, "\r\n")), "\n", "\n"+indent)
}

// LogLayout is what a job's log consists of.
func LogLayout() Layout { return LayoutOf[LogLine](nil) }

type plainLines struct {
	out      *bufio.Writer
	terminal bool
}

// Write writes a line; the buffer keeps its first error until Flush.
func (p *plainLines) Write(line LogLine) error {
	text := Text(line.Text)
	if p.terminal {
		text = LogText(line.Text)
	}
	_, _ = p.out.WriteString(text)
	return p.out.WriteByte('\n')
}

// Flush writes what waits.
func (p *plainLines) Flush() error { return p.out.Flush() }

// Close writes what waits.
func (p *plainLines) Close() error { return p.out.Flush() }
