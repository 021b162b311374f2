package render

import (
	"encoding/json"
	"strings"
)

// JSONText returns stored JSON for people: indented, every number with the
// digits and every string with the escapes it has, unsafe characters as JSON
// escapes. A text that is not JSON comes back through [Multiline].
func JSONText(raw []byte) string {
	if !json.Valid(raw) {
		return Multiline(string(raw))
	}
	return string(appendIndented(nil, raw, "", &textMode{json: true}))
}

// maxNesting is how deep stored JSON may be to count as JSON. One level less
// than encoding/json takes would be refused inside a job; a payload that deep is
// an attack on parsers.
const maxNesting = 9000

// isJSON reports whether a stored text can be part of a JSON document.
func isJSON(raw []byte) bool {
	return json.Valid(raw) && (len(raw) < 2*maxNesting || nesting(raw) <= maxNesting)
}

// probablyJSON tells without reading a text whether [isJSON] may say yes; of a
// long text it asks.
func probablyJSON(raw []byte) bool { return len(raw) < 2*maxNesting || isJSON(raw) }

// nesting returns how deep valid JSON is.
func nesting(raw []byte) int {
	deepest, depth := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = endOfString(raw, i) - 1
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}

// endOfString returns the place behind the string that begins at i.
func endOfString(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

const indent = "  "

// maxIndent is how many levels are indented; below, everything stands in one
// line. The size of an indented text grows with the square of its depth.
const maxIndent = 64

// appendIndented appends valid JSON over several lines, each but the first
// behind prefix. A mode, if any, says how to escape strings.
func appendIndented(b, raw []byte, prefix string, mode *textMode) []byte {
	depth := 0
	newline := func() {
		if depth <= maxIndent {
			b = append(append(b, '\n'), prefix...)
			for range depth {
				b = append(b, indent...)
			}
		}
	}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case ' ', '\t', '\r', '\n':
		case '"':
			end := endOfString(raw, i)
			b = appendString(b, raw[i:end], mode)
			i = end - 1
		case '{', '[':
			b = append(b, c)
			if next := skipSpace(raw, i+1); raw[next] == c+2 { // the bracket that closes it
				b = append(b, raw[next])
				i = next
				continue
			}
			depth++
			newline()
		case '}', ']':
			// Symmetric to the opening: the level that is left had its own line.
			if depth <= maxIndent {
				depth--
				newline()
			} else {
				depth--
			}
			b = append(b, c)
		case ',':
			b = append(b, c)
			newline()
		case ':':
			b = append(b, c, ' ')
		default:
			b = append(b, c)
		}
	}
	return b
}

func skipSpace(raw []byte, i int) int {
	for strings.IndexByte(" \t\r\n", raw[i]) >= 0 {
		i++
	}
	return i
}

// appendString appends JSON without spaces between its parts: a string with its
// quotes, or a whole document.
func appendString(b, quoted []byte, mode *textMode) []byte {
	if mode == nil {
		return append(b, quoted...)
	}
	return appendText(b, string(quoted), *mode)
}
