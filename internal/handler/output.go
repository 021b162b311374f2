package handler

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	maxLogLine = 4 << 10 // bytes of a log line; the rest of it is cut
	maxReason  = 2 << 10 // bytes of stderr in a failed reason
	maxStack   = 8 << 10 // bytes of stderr in a stack trace
)

// output gathers what a program prints. Whatever the program prints, it holds
// little more than the limits above and the one it was made with. Each writer
// belongs to one goroutine until the program's pipes are finished.
type output struct {
	stdout capped
	stderr stderr
	talk   talk
	fd3    lineWriter
}

// stderr is what a program says about itself: log lines and the tail.
type stderr struct {
	tail  tail
	lines lineWriter
}

func newOutput(rel *relay, limit int) *output {
	o := &output{
		stdout: capped{max: limit},
		stderr: stderr{
			tail:  tail{max: maxStack},
			lines: lineWriter{max: maxLogLine, emit: func(line []byte, cut bool) bool { return rel.log(logLine(line, cut)) }},
		},
		talk: talk{relay: rel, limit: limit},
	}
	o.fd3 = lineWriter{max: limit + len(`{"result":}`), emit: o.talk.line}
	return o
}

// writers returns where stdout, stderr and fd 3 go, in this order.
func (o *output) writers() []io.Writer {
	return []io.Writer{&o.stdout, &o.stderr, &o.fd3}
}

func (s *stderr) Write(b []byte) (int, error) {
	_, _ = s.tail.Write(b)
	return s.lines.Write(b)
}

func (s *stderr) flush() { s.lines.flush() }

// drain copies until the pipe ends, is closed or meets its deadline. None of
// these is a failure of the job.
func drain(w io.Writer, r io.Reader) {
	_, _ = io.Copy(w, r)
	if lines, ok := w.(interface{ flush() }); ok {
		lines.flush()
	}
}

// capped keeps the first max bytes and notes whether there were more.
type capped struct {
	max  int
	buf  []byte
	over bool
}

func (c *capped) Write(b []byte) (int, error) {
	keep := min(len(b), c.max-len(c.buf))
	c.buf = append(c.buf, b[:keep]...)
	c.over = c.over || keep < len(b)
	return len(b), nil
}

// tail keeps the last bytes written, at least max of them and fewer than twice
// as many plus one write.
type tail struct {
	max int
	buf []byte
	cut bool
}

func (t *tail) Write(b []byte) (int, error) {
	t.buf = append(t.buf, b...)
	if extra := len(t.buf) - t.max; extra > t.max {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
		t.cut = true
	}
	return len(b), nil
}

// text returns the last bytes, at most n, as trimmed valid UTF-8. A text that
// had to be cut begins with a whole line, when it holds one.
func (t *tail) text(n int) string {
	buf, cut := t.buf, t.cut
	if len(buf) > n {
		buf, cut = buf[len(buf)-n:], true
	}
	buf = bytes.TrimSpace(buf)
	if i := bytes.IndexByte(buf, '\n'); cut && i >= 0 {
		buf = buf[i+1:]
	}
	for cut && len(buf) > 0 && !utf8.RuneStart(buf[0]) {
		buf = buf[1:]
	}
	return strings.ToValidUTF8(string(bytes.TrimSpace(buf)), "\uFFFD")
}

// lineWriter splits what is written into lines of at most max bytes. The rest
// of a longer line is dropped and emit told so. The line given to emit is
// valid only during the call. Once emit returns false all else is dropped
// unread, which keeps a program that floods us from costing more than the copy.
type lineWriter struct {
	max  int
	emit func(line []byte, cut bool) bool
	buf  []byte
	cut  bool
	open bool // a line has begun
	deaf bool // emit wants no more
}

func (l *lineWriter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 && !l.deaf {
		i := bytes.IndexByte(b, '\n')
		part := b
		if i >= 0 {
			part = b[:i]
		}
		l.open = true
		keep := min(len(part), l.max-len(l.buf))
		l.buf = append(l.buf, part[:keep]...)
		l.cut = l.cut || keep < len(part)
		if i < 0 {
			break
		}
		l.flush()
		b = b[i+1:]
	}
	return n, nil
}

// flush emits the last line when it does not end with a newline.
func (l *lineWriter) flush() {
	if !l.open || l.deaf {
		return
	}
	l.deaf = !l.emit(bytes.TrimSuffix(l.buf, []byte{'\r'}), l.cut)
	l.buf, l.cut, l.open = l.buf[:0], false, false
}

// logLine makes a log line of foreign bytes.
func logLine(line []byte, cut bool) string {
	if cut {
		line = trimPartialRune(line)
	}
	s := strings.ToValidUTF8(string(line), "\uFFFD")
	if cut {
		s += "…"
	}
	return s
}

// trimPartialRune drops the bytes of a character that was cut in two.
func trimPartialRune(b []byte) []byte {
	for i := 1; i <= min(utf8.UTFMax, len(b)); i++ {
		if last := b[len(b)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}
