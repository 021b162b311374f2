package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/qctl/qctl/internal/config"
)

// maxPayload is the largest payload that enqueue takes.
const maxPayload = config.DefaultPayloadSize

// field is one member of a JSON object, its value as written.
type field struct {
	name  string
	value json.RawMessage
}

// object is a JSON object whose members keep their order and their text, so
// that a payload can be added to without touching the rest of it.
type object []field

func parseObject(text []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("the payload is not a JSON object")
	}
	var o object
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		o = append(o, field{name: name.(string), value: value})
	}
	return o, nil
}

// get returns the last member of this name, as JSON readers do.
func (o object) get(name string) (json.RawMessage, bool) {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].name == name {
			return o[i].value, true
		}
	}
	return nil, false
}

// set replaces a member, or adds it at the end.
func (o *object) set(name string, value json.RawMessage) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, field{name: name, value: value})
}

// bytes writes the object.
func (o object) bytes() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := encode(f.name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(f.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode writes JSON as people write it, without escapes for HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// parseFields reads field=value (a text) and field:=json arguments.
func parseFields(args []string) (object, error) {
	var o object
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		raw := strings.HasSuffix(name, ":")
		name = strings.TrimSuffix(name, ":")
		if !ok || name == "" {
			return nil, &usageError{err: fmt.Errorf("argument %s is not field=value or field:=json", config.Quote(arg))}
		}
		if _, twice := o.get(name); twice {
			return nil, &usageError{err: fmt.Errorf("field %s is given twice", config.Quote(name))}
		}
		text := json.RawMessage(value)
		if raw {
			if err := config.CheckPayload(text, config.Limits{}); err != nil {
				return nil, &usageError{err: fmt.Errorf("field %s: %w", config.Quote(name), err)}
			}
		} else {
			encoded, err := encode(value)
			if err != nil {
				return nil, err
			}
			text = encoded
		}
		o = append(o, field{name: name, value: text})
	}
	return o, nil
}

// readText returns the text of a flag that is given as itself, as @FILE, or as
// - for standard input, at most maxPayload bytes of it.
func (a *app) readText(flag, value string) ([]byte, error) {
	if value != "-" && !strings.HasPrefix(value, "@") {
		return []byte(value), nil
	}
	in, closeIn, err := a.openInput(strings.TrimPrefix(value, "@"))
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("%s: %w", flag, err)}
	}
	defer closeIn()
	text, err := io.ReadAll(io.LimitReader(in, maxPayload+1))
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("%s: %w", flag, err)}
	}
	return bytes.TrimRight(text, "\r\n"), nil
}

// openInput opens a file, or standard input for "-".
func (a *app) openInput(name string) (io.Reader, func(), error) {
	if name == "-" {
		return a.streams.In, func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { _ = f.Close() }, nil
}
