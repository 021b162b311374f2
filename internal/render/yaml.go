package render

import (
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// yamlList writes a list as a YAML sequence, row by row.
type yamlList struct {
	w   io.Writer
	o   Options
	out []byte
	any bool
}

func (y *yamlList) write(object []byte) error {
	y.any = true
	y.out = append(y.out, "- "...)
	y.out = append(appendYAML(y.out, object, 1, y.o), '\n')
	if len(y.out) < arrayBuffer {
		return nil
	}
	return y.Flush()
}

// Flush writes the rows so far.
func (y *yamlList) Flush() error {
	_, err := y.w.Write(y.out)
	y.out = y.out[:0]
	return err
}

// Close writes what is left; without rows it is an empty list.
func (y *yamlList) Close() error {
	if !y.any {
		y.out = append(y.out, "[]\n"...)
	}
	return y.Flush()
}

// appendYAML appends compact JSON as YAML of version 1.2, without a line feed at
// its end. Keys keep their order and numbers their digits. What is nested deeper
// than it makes sense to indent stands in one line.
func appendYAML(b, raw []byte, depth int, o Options) []byte {
	switch {
	case raw[0] == '"':
		return appendYAMLString(b, raw, o)
	case raw[0] != '{' && raw[0] != '[' || len(raw) == 2:
		return append(b, raw...)
	case depth > maxIndent:
		return appendYAMLFlow(b, raw, o)
	}
	first := true
	newline := func() {
		if !first { // the first line stands behind the dash, or is indented already
			b = append(b, '\n')
			for range depth {
				b = append(b, indent...)
			}
		}
		first = false
	}
	if raw[0] == '[' {
		eachElement(raw, func(value []byte) {
			newline()
			b = appendYAML(append(b, "- "...), value, depth+1, o)
		})
		return b
	}
	eachField(raw, func(name, value []byte) bool {
		newline()
		b = append(appendYAMLString(b, name, o), ':')
		b = appendYAMLValue(b, value, depth, o)
		return true
	})
	return b
}

// appendYAMLValue appends what stands behind a key and its colon.
func appendYAMLValue(b, value []byte, depth int, o Options) []byte {
	if value[0] != '{' && value[0] != '[' || len(value) == 2 || depth >= maxIndent {
		return appendYAML(append(b, ' '), value, depth+1, o)
	}
	b = append(b, '\n')
	for range depth + 1 {
		b = append(b, indent...)
	}
	return appendYAML(b, value, depth+1, o)
}

// appendYAMLFlow appends JSON in one line, with the strings of YAML.
func appendYAMLFlow(b, raw []byte, o Options) []byte {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case '"':
			end := endOfString(raw, i)
			b = appendYAMLQuoted(b, raw[i:end], o)
			i = end - 1
		case ':', ',':
			b = append(b, c, ' ')
		default:
			b = append(b, c)
		}
	}
	return b
}

// appendYAMLString appends a JSON string: without quotes where every reader takes
// it for a text all the same.
func appendYAMLString(b, quoted []byte, o Options) []byte {
	text := quoted[1 : len(quoted)-1]
	if isYAMLWord(text) {
		return append(b, text...)
	}
	return appendYAMLQuoted(b, quoted, o)
}

// isYAMLWord reports whether a text is a name, and none that YAML of any version
// reads as something else.
func isYAMLWord(text []byte) bool {
	if len(text) == 0 || len(text) > 64 {
		return false
	}
	for i, c := range text {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.' && c != '/') {
			return false
		}
	}
	switch strings.ToLower(string(text)) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return false
	}
	return true
}

// appendYAMLQuoted appends a JSON string in double quotes. YAML knows the escapes
// of JSON but does not put two halves of a character together, and wants what no
// printer shows to be escaped. A terminal gets what JSON shows there.
func appendYAMLQuoted(b, quoted []byte, o Options) []byte {
	if o.Terminal {
		return appendString(b, quoted, o.jsonMode())
	}
	for i := 0; i < len(quoted); {
		c := quoted[i]
		switch {
		case c == '\\' && quoted[i+1] == 'u':
			r, size := escapedRune(quoted[i:])
			if r < utf8.RuneSelf || isHidden(r) || utf16.IsSurrogate(r) {
				b = appendYAMLEscape(b, r)
			} else {
				b = utf8.AppendRune(b, r)
			}
			i += size
		case c == '\\' && quoted[i+1] == '/':
			b = append(b, '/')
			i += 2
		case c == '\\':
			b = append(b, c, quoted[i+1])
			i += 2
		case c < utf8.RuneSelf && c != 0x7f:
			b = append(b, c)
			i++
		default:
			r, size := utf8.DecodeRune(quoted[i:])
			if r != utf8.RuneError && (isHidden(r) || isLineBreak(r)) {
				b = appendYAMLEscape(b, r)
			} else {
				b = append(b, quoted[i:i+size]...)
			}
			i += size
		}
	}
	return b
}

// isLineBreak reports whether YAML of some version ends a line there.
func isLineBreak(r rune) bool { return r == 0x85 || r == 0x2028 || r == 0x2029 }

// escapedRune reads a \u escape, or two that are halves of one character.
func escapedRune(text []byte) (r rune, size int) {
	unit := func(at int) rune {
		if at+6 > len(text) || text[at] != '\\' || text[at+1] != 'u' {
			return -1
		}
		n, err := strconv.ParseUint(string(text[at+2:at+6]), 16, 16)
		if err != nil {
			return -1
		}
		return rune(n)
	}
	r = unit(0)
	if low := unit(6); utf16.IsSurrogate(r) && low >= 0 {
		if whole := utf16.DecodeRune(r, low); whole != utf8.RuneError {
			return whole, 12
		}
	}
	return r, 6
}

func appendYAMLEscape(b []byte, r rune) []byte {
	if r < 0x10000 {
		return appendUnits(b, r)
	}
	b = append(b, `\U`...)
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[r>>shift&15])
	}
	return b
}
