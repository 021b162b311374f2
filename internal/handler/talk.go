package handler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xhit/go-str2duration/v2"
)

// talk understands the JSON lines that a program writes to fd 3. A line may
// have several of the known keys; what cannot be understood becomes a log line.
type talk struct {
	relay *relay
	limit int

	result     json.RawMessage
	hasResult  bool
	resultOver bool // the last result was too long to be kept
	retryAfter time.Duration
}

// line takes one line and always wants the next.
func (t *talk) line(line []byte, cut bool) bool {
	switch {
	case len(bytes.TrimSpace(line)) == 0:
	case cut:
		t.longLine(line)
	case !t.understand(line):
		t.complain(line)
	}
	return true
}

// understand acts on the keys of a line that it knows. It reports false if
// there was anything else.
func (t *talk) understand(line []byte) bool {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil || fields == nil {
		return false
	}
	understood := true
	for key, value := range fields {
		switch key {
		case "progress":
			t.relay.setProgress(value)
		case "log":
			t.relay.log(logText(value))
		case "result":
			t.result, t.hasResult, t.resultOver = value, true, false
		case "retryAfter":
			understood = t.setRetryAfter(value) && understood
		default:
			understood = false
		}
	}
	return understood
}

// longLine deals with a line over the limit. A result must not be lost without
// a word, any other line may.
func (t *talk) longLine(line []byte) {
	start := strings.Join(strings.Fields(string(line[:min(len(line), 64)])), "")
	if strings.HasPrefix(start, `{"result":`) {
		t.resultOver = true
		return
	}
	t.complain(line)
}

func (t *talk) complain(line []byte) {
	cut := len(line) > maxLogLine
	if cut {
		line = line[:maxLogLine]
	}
	t.relay.log("not understood on fd 3: " + logLine(line, cut))
}

// setRetryAfter takes a positive duration such as "30s" or "2d".
func (t *talk) setRetryAfter(value json.RawMessage) bool {
	var text string
	if json.Unmarshal(value, &text) != nil {
		return false
	}
	d, err := str2duration.ParseDuration(text)
	if err != nil || d <= 0 {
		return false
	}
	t.retryAfter = d
	return true
}

// logText is the text of a JSON string, or any other JSON as it is, with
// newlines kept: one call, one log line.
func logText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	cut := len(text) > maxLogLine
	return logLine([]byte(text[:min(len(text), maxLogLine)]), cut)
}

// returnValue is what the program answered: the result from fd 3 if there is
// one, else what it printed to stdout. The error says why it cannot be kept.
func (o *output) returnValue() (json.RawMessage, error) {
	switch {
	case o.talk.resultOver:
		return nil, fmt.Errorf("result on fd 3 is over %s", byteSize(o.talk.limit))
	case o.talk.hasResult:
		return o.talk.result, nil
	case o.stdout.over:
		return nil, fmt.Errorf("return value on stdout is over %s", byteSize(o.stdout.max))
	}
	return jsonValue(o.stdout.buf)
}

// jsonValue keeps JSON byte for byte, less the white space around it; numbers
// of any size survive. Other text becomes a JSON string without its last
// newlines, nothing becomes nil.
func jsonValue(text []byte) (json.RawMessage, error) {
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) == 0 {
		return nil, nil
	}
	if utf8.Valid(trimmed) && json.Valid(trimmed) {
		return trimmed, nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(strings.TrimRight(string(text), "\r\n")); err != nil {
		return nil, fmt.Errorf("return value: %w", err)
	}
	return bytes.TrimSpace(buf.Bytes()), nil
}
