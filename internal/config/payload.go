package config

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Limits of a payload that apply where none are set.
const (
	DefaultPayloadSize  = 10 << 20
	DefaultPayloadDepth = 512
)

// Limits bounds a payload. A zero field means the default.
type Limits struct {
	Size  int // bytes
	Depth int // arrays and objects inside each other
}

// PayloadError is a payload that is not one acceptable JSON document.
type PayloadError struct {
	Offset   int64 // of the first byte that is wrong, from 0
	Reason   string
	TooLarge bool // well formed as far as it was read, but beyond a limit
}

// Error names the offset and the reason.
func (e *PayloadError) Error() string {
	return fmt.Sprintf("payload is not acceptable JSON at offset %d: %s", e.Offset, e.Reason)
}

// Is reports whether target is ErrInvalid.
func (e *PayloadError) Is(target error) bool { return target == ErrInvalid }

// CheckPayload refuses everything but one JSON document within limits, with a
// PayloadError. It accepts what encoding/json accepts: duplicate keys, numbers
// of any size, lone surrogates and invalid UTF-8 inside strings are left alone,
// because a payload travels byte for byte. It allocates nothing unless it fails.
func CheckPayload(data []byte, limits Limits) error {
	if limits.Size == 0 {
		limits.Size = DefaultPayloadSize
	}
	if limits.Depth == 0 {
		limits.Depth = DefaultPayloadDepth
	}
	if len(data) > limits.Size {
		return &PayloadError{
			Offset: int64(limits.Size), TooLarge: true,
			Reason: fmt.Sprintf("%d bytes, at most %d are allowed", len(data), limits.Size),
		}
	}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return &PayloadError{Reason: "begins with a byte order mark"}
	}
	s := scanner{data: data, maxDepth: limits.Depth}
	end, err := s.value(s.space(0), 0)
	if err != nil {
		return err
	}
	if end = s.space(end); end < len(data) {
		return s.trailing(end)
	}
	return nil
}

// scanner walks one JSON document. Its methods take the offset to begin at and
// return the offset behind what they have read.
type scanner struct {
	data     []byte
	maxDepth int
}

// space skips white space.
func (s *scanner) space(i int) int {
	data := s.data
	for i < len(data) && data[i] <= ' ' && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// value reads one value that begins at i, inside depth arrays and objects.
func (s *scanner) value(i, depth int) (int, *PayloadError) {
	if i >= len(s.data) {
		return i, s.unexpected(i, "a value")
	}
	switch c := s.data[i]; {
	case c == '"':
		return s.text(i)
	case c == '{' || c == '[':
		if depth >= s.maxDepth {
			return i, &PayloadError{
				Offset: int64(i), TooLarge: true,
				Reason: fmt.Sprintf("nested deeper than %d", s.maxDepth),
			}
		}
		if c == '{' {
			return s.object(i, depth+1)
		}
		return s.array(i, depth+1)
	case '0' <= c && c <= '9' || c == '-':
		return s.number(i)
	case c == 't':
		return s.literal(i, "true")
	case c == 'f':
		return s.literal(i, "false")
	case c == 'n':
		return s.literal(i, "null")
	}
	return i, s.unexpected(i, "a value")
}

func (s *scanner) object(i, depth int) (int, *PayloadError) {
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(s.data) || s.data[i] != '"' {
			return i, s.unexpected(i, "a key in double quotes")
		}
		next, err := s.text(i)
		if err != nil {
			return next, err
		}
		if i = s.space(next); i >= len(s.data) || s.data[i] != ':' {
			return i, s.unexpected(i, "a colon after the key")
		}
		if i, err = s.value(s.space(i+1), depth); err != nil {
			return i, err
		}
		if i = s.space(i); i >= len(s.data) || s.data[i] != ',' && s.data[i] != '}' {
			return i, s.unexpected(i, "a comma or }")
		}
		if s.data[i] == '}' {
			return i + 1, nil
		}
		i = s.space(i + 1)
	}
}

func (s *scanner) array(i, depth int) (int, *PayloadError) {
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == ']' {
		return i + 1, nil
	}
	for {
		var err *PayloadError
		if i, err = s.value(i, depth); err != nil {
			return i, err
		}
		if i = s.space(i); i >= len(s.data) || s.data[i] != ',' && s.data[i] != ']' {
			return i, s.unexpected(i, "a comma or ]")
		}
		if s.data[i] == ']' {
			return i + 1, nil
		}
		i = s.space(i + 1)
	}
}

// text reads the string whose opening quote is at i. Eight bytes at a time are
// tested for the three kinds that end a run: control characters, quotes and
// backslashes.
func (s *scanner) text(i int) (int, *PayloadError) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	data := s.data
	for i++; i < len(data); {
		if len(data)-i >= 8 {
			word := binary.LittleEndian.Uint64(data[i:])
			quotes, slashes := word^'"'*ones, word^'\\'*ones
			// Each term marks its lowest hit exactly; marks above that may be
			// borrows, so only the lowest mark of the union is trusted.
			hits := (word-' '*ones)&^word | (quotes-ones)&^quotes | (slashes-ones)&^slashes
			if hits &= highs; hits == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(hits) / 8
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, nil
		case c == '\\':
			var err *PayloadError
			if i, err = s.escape(i); err != nil {
				return i, err
			}
		case c < ' ':
			return i, &PayloadError{Offset: int64(i), Reason: "control character inside a string, write it as an escape"}
		default:
			i++
		}
	}
	return i, s.unexpected(len(data), "the end of a string")
}

// escape reads the escape sequence whose backslash is at i.
func (s *scanner) escape(i int) (int, *PayloadError) {
	if i++; i >= len(s.data) {
		return i, s.unexpected(i, "an escape sequence")
	}
	switch s.data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1, nil
	case 'u':
		for range 4 {
			if i++; i >= len(s.data) || !isHex(s.data[i]) {
				return i, s.unexpected(i, "four hexadecimal digits")
			}
		}
		return i + 1, nil
	}
	return i, s.unexpected(i, `one of " \ / b f n r t u after a backslash`)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// number reads the number that begins at i with a digit or a minus.
func (s *scanner) number(i int) (int, *PayloadError) {
	if s.data[i] == '-' {
		i++
	}
	start := i
	if i = s.digits(i); i == start {
		return i, s.unexpected(i, "a digit")
	}
	if s.data[start] == '0' && i > start+1 {
		return i, &PayloadError{Offset: int64(start), Reason: "number with a leading zero"}
	}
	if i < len(s.data) && s.data[i] == '.' {
		start = i + 1
		if i = s.digits(start); i == start {
			return i, s.unexpected(i, "a digit")
		}
	}
	if i < len(s.data) && s.data[i]|0x20 == 'e' {
		start = i + 1
		if start < len(s.data) && (s.data[start] == '+' || s.data[start] == '-') {
			start++
		}
		if i = s.digits(start); i == start {
			return i, s.unexpected(i, "a digit")
		}
	}
	return i, nil
}

// digits skips decimal digits.
func (s *scanner) digits(i int) int {
	data := s.data
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	return i
}

func (s *scanner) literal(i int, word string) (int, *PayloadError) {
	if end := i + len(word); end <= len(s.data) && string(s.data[i:end]) == word {
		return end, nil
	}
	return i, s.unexpected(i, "a value")
}

// unexpected explains what stands at i in place of want.
func (s *scanner) unexpected(i int, want string) *PayloadError {
	fail := func(reason string) *PayloadError { return &PayloadError{Offset: int64(i), Reason: reason} }
	if i >= len(s.data) {
		if len(bytes.TrimSpace(s.data)) == 0 {
			return fail("empty, want one JSON value")
		}
		return fail("ends where " + want + " is expected")
	}
	rest := s.data[i:]
	switch rest[0] {
	case '/', '#':
		return fail("comments are not JSON")
	case '\'':
		return fail("strings and keys take double quotes")
	case '}', ']':
		if last := bytes.TrimRight(s.data[:i], " \t\r\n"); bytes.HasSuffix(last, []byte(",")) {
			return fail("comma before the closing bracket")
		}
	}
	for _, word := range []string{"NaN", "Infinity", "undefined", "None", "True", "False"} {
		if bytes.HasPrefix(rest, []byte(word)) {
			return fail(word + " is not JSON")
		}
	}
	return fail(first(rest) + " where " + want + " is expected")
}

// trailing explains what stands at i, behind the document.
func (s *scanner) trailing(i int) *PayloadError {
	reason := first(s.data[i:]) + " after the end of the document"
	if c := s.data[i]; c == '/' || c == '#' {
		reason = "comments are not JSON"
	} else if _, err := s.value(i, 0); err == nil {
		reason = "a second document, only one is allowed"
	}
	return &PayloadError{Offset: int64(i), Reason: reason}
}

// first returns the first character of data in quotes, safe to print.
func first(data []byte) string {
	r, size := utf8.DecodeRune(data)
	if r == utf8.RuneError && size <= 1 {
		return fmt.Sprintf("byte 0x%02x", data[0])
	}
	return strconv.QuoteRune(r)
}
