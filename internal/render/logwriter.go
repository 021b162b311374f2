package render

import (
	"io"
	"unicode/utf8"
)

// NewLogWriter returns a writer for the lines of a log handler. Handlers escape
// what their format asks for, which is less than a terminal needs: DEL in
// key=value, and everything beyond ASCII in JSON. What is hidden becomes an
// escape of JSON; colours and line feeds of the handler stay.
func NewLogWriter(w io.Writer) io.Writer { return logWriter{w} }

type logWriter struct{ w io.Writer }

// Write writes whole lines, as handlers do.
func (l logWriter) Write(p []byte) (int, error) {
	b := make([]byte, 0, len(p))
	for rest := p; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, `\ufffd`...)
		case isHidden(r):
			b = appendUnits(b, r)
		default:
			b = append(b, rest[:size]...)
		}
		rest = rest[size:]
	}
	if _, err := l.w.Write(b); err != nil {
		return 0, err
	}
	return len(p), nil
}
