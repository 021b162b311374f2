package render

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Text makes foreign text fit for one line of a terminal. What could move the
// cursor, change the terminal, reorder or hide text, or look like nothing at
// all becomes a visible escape as in a Go string: \n \r \t, \x1b for other
// control characters of ASCII, \u009b and \u202e for those beyond, \xff for a
// byte that is not UTF-8. A backslash becomes two, so what is shown stands for
// one text only and can be read back; apply Text once. Combining marks are
// escaped where they have nothing to combine with and from the ninth in a row.
func Text(s string) string {
	if isPlain(s) {
		return s
	}
	return string(appendText(nil, s, textMode{}))
}

// Multiline is [Text] for text of several lines: line feeds stay.
func Multiline(s string) string {
	if isPlain(s) {
		return s
	}
	return string(appendText(nil, s, textMode{lines: true}))
}

// ASCII is [Text] for the names that somebody is asked to confirm: letters
// beyond ASCII are escaped as well, because some of them look like ASCII.
func ASCII(s string) string {
	if isPlain(s) {
		return s
	}
	return string(appendText(nil, s, textMode{ascii: true}))
}

type textMode struct {
	lines bool // line feeds stay
	ascii bool // everything else is escaped
	json  bool // the text is of a JSON string, whose own escapes stay
	valid bool // with json: bytes that are not UTF-8 become U+FFFD
}

// maxMarks is how many combining marks one letter may carry. Scripts in use
// need five; more serve to paint over the lines around.
const maxMarks = 8

// appendText appends s with its unsafe characters escaped.
func appendText(b []byte, s string, mode textMode) []byte {
	// A mark at the very beginning would combine with what stands before, and
	// one behind an escape would disfigure the escape.
	marks := maxMarks
	for i := 0; i < len(s); {
		if end := i + plainRun(s[i:], mode); end > i {
			b, marks, i = append(b, s[i:end]...), 0, end
			continue
		}
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		switch {
		case r == utf8.RuneError && size == 1:
			b, marks = appendInvalid(b, s[i], mode), maxMarks
		case r >= utf8.RuneSelf && unicode.IsMark(r) && !isHidden(r):
			marks++
			if marks > maxMarks || mode.ascii {
				b = appendEscape(b, r, mode)
			} else {
				b = utf8.AppendRune(b, r)
			}
		case r == '\n' && mode.lines:
			b, marks = append(b, s[i]), maxMarks
		case r < ' ' || r == '\\' || isHidden(r) || mode.ascii && r >= utf8.RuneSelf:
			b, marks = appendEscape(b, r, mode), maxMarks
		default:
			b, marks = append(b, s[i:i+size]...), 0
		}
		i += size
	}
	return b
}

// isPlain reports whether the text is ASCII without anything to escape, as
// nearly all text is.
func isPlain(s string) bool { return plainRun(s, textMode{}) == len(s) }

// plainRun returns how many bytes at the beginning are ASCII without anything to
// escape.
func plainRun(s string, mode textMode) int {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '\\' && !mode.json {
			return i
		}
	}
	return len(s)
}

// hidden are the characters that leave no mark, or whose only effect is on the
// order or the look of others: format characters such as the bidirectional and
// zero-width ones, line and paragraph separators, fillers, tags.
var hidden = []*unicode.RangeTable{
	unicode.Cf, unicode.Zl, unicode.Zp,
	unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
	unicode.Noncharacter_Code_Point,
}

// isHidden reports whether a character of two bytes or more, or DEL, must be
// shown by its number.
func isHidden(r rune) bool {
	switch {
	case r < 0x7f:
		return false
	case r < 0xa0 || r == 0xad:
		return true
	case r < 0x300:
		return false
	case r == 0xfe0e || r == 0xfe0f:
		return false // text or emoji style of the character before
	}
	return unicode.In(r, hidden...)
}

const hexDigits = "0123456789abcdef"

func appendByte(b []byte, c byte) []byte {
	return append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
}

func appendInvalid(b []byte, c byte, mode textMode) []byte {
	if mode.valid {
		return append(b, `\ufffd`...)
	}
	return appendByte(b, c)
}

func appendEscape(b []byte, r rune, mode textMode) []byte {
	switch {
	case mode.json:
		return appendUnits(b, r)
	case r == '\\':
		return append(b, `\\`...)
	case r == '\n':
		return append(b, `\n`...)
	case r == '\r':
		return append(b, `\r`...)
	case r == '\t':
		return append(b, `\t`...)
	case r < utf8.RuneSelf:
		return appendByte(b, byte(r))
	}
	quoted := strconv.QuoteRuneToASCII(r)
	return append(b, quoted[1:len(quoted)-1]...)
}

// appendUnits appends a character as JSON escapes, one for each of its UTF-16 units.
func appendUnits(b []byte, r rune) []byte {
	if r >= 0x10000 {
		r -= 0x10000
		b = appendUnits(b, 0xd800+r>>10)
		r = 0xdc00 + r&0x3ff
	}
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
