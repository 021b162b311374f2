package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes one JSON document, indented, with a line feed at its end.
// Text is not escaped for HTML; stored JSON keeps its numbers and strings byte
// for byte in a pipe, and is made safe to look at on a terminal.
func WriteJSON[T any](w io.Writer, v T, o Options) error {
	var e encoder
	if err := e.encode(v); err != nil {
		return err
	}
	_, err := w.Write(append(appendIndented(nil, e.compact(), "", o.jsonMode()), '\n'))
	return err
}

// jsonMode says how strings are escaped for this reader; nil leaves them.
func (o Options) jsonMode() *textMode {
	if !o.Terminal {
		return nil
	}
	return &textMode{json: true, valid: true}
}

// Rows takes the elements of a list one by one. Flush writes those that wait to
// be written together with others, where the format allows it. Close ends the
// list and must be called also when there were none; it does not close the stream
// below.
type Rows[T any] interface {
	Write(row T) error
	Flush() error
	Close() error
}

// NDJSON writes one JSON object per line. Every line is out when Write returns,
// in one piece.
type NDJSON[T any] struct {
	w    io.Writer
	mode *textMode
	enc  encoder
	line []byte
}

// NewNDJSON returns a writer of JSON lines.
func NewNDJSON[T any](w io.Writer, o Options) *NDJSON[T] {
	return &NDJSON[T]{w: w, mode: o.jsonMode()}
}

// Write writes a line.
func (n *NDJSON[T]) Write(row T) error {
	if err := n.enc.encode(row); err != nil {
		return err
	}
	if n.mode == nil {
		_, err := n.w.Write(n.enc.buf.Bytes()) // ends in a line feed
		return err
	}
	n.line = append(appendString(n.line[:0], n.enc.compact(), n.mode), '\n')
	_, err := n.w.Write(n.line)
	return err
}

// Flush does nothing: no line waits.
func (n *NDJSON[T]) Flush() error { return nil }

// Close does nothing: lines need no end.
func (n *NDJSON[T]) Close() error { return nil }

// WriteNDJSON writes the rows as JSON lines.
func WriteNDJSON[T any](w io.Writer, rows []T, o Options) error {
	return writeRows(NewNDJSON[T](w, o), rows)
}

// arrayBuffer is how many bytes of an array are gathered before they are sent.
const arrayBuffer = 64 << 10

// ArrayWriter writes a JSON array without holding its elements, in the shape
// that [WriteJSON] gives a whole one. Without elements it is [], never null.
type ArrayWriter[T any] struct {
	w       io.Writer
	mode    *textMode
	enc     encoder
	out     []byte
	started bool
}

// NewArrayWriter returns a writer of one JSON array.
func NewArrayWriter[T any](w io.Writer, o Options) *ArrayWriter[T] {
	return &ArrayWriter[T]{w: w, mode: o.jsonMode()}
}

// Write adds an element. Elements are sent in blocks, the last at Close.
func (a *ArrayWriter[T]) Write(row T) error {
	if err := a.enc.encode(row); err != nil {
		return err
	}
	opening := ",\n"
	if !a.started {
		opening = "[\n"
	}
	a.started = true
	a.out = append(append(a.out, opening...), indent...)
	a.out = appendIndented(a.out, a.enc.compact(), indent, a.mode)
	if len(a.out) < arrayBuffer {
		return nil
	}
	return a.Flush()
}

// Close ends the array.
func (a *ArrayWriter[T]) Close() error {
	end := "\n]\n"
	if !a.started {
		end = "[]\n"
	}
	a.out = append(a.out, end...)
	return a.Flush()
}

// Flush writes the elements so far.
func (a *ArrayWriter[T]) Flush() error {
	_, err := a.w.Write(a.out)
	a.out = a.out[:0]
	return err
}

// encoder turns values into compact JSON, in a buffer that it keeps.
type encoder struct {
	buf bytes.Buffer
	enc *json.Encoder
}

func (e *encoder) encode(v any) error {
	if e.enc == nil {
		e.enc = json.NewEncoder(&e.buf)
		e.enc.SetEscapeHTML(false)
	}
	e.buf.Reset()
	if err := e.enc.Encode(v); err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	return nil
}

// compact returns what was encoded, valid until the next call of encode.
func (e *encoder) compact() []byte { return bytes.TrimSuffix(e.buf.Bytes(), []byte{'\n'}) }
