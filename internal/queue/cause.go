package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxCauseBytes bounds what is compared of a failed reason.
const maxCauseBytes = 300

// Cause returns what failed reasons that differ only from job to job have in
// common: the first line, with numbers, addresses and ids turned to #. The id
// stands for that text.
func Cause(failedReason string) (id, text string) {
	text = commonText(failedReason)
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:3]), text
}

// commonText keeps the words and turns what counts or identifies to #.
func commonText(reason string) string {
	reason = strings.TrimLeftFunc(reason, unicode.IsSpace)
	if i := strings.IndexAny(reason, "\r\n"); i >= 0 {
		reason = reason[:i]
	}
	if len(reason) > maxCauseBytes {
		reason = strings.ToValidUTF8(reason[:maxCauseBytes], "") + "…"
	}
	var b strings.Builder
	b.Grow(len(reason))
	for i := 0; i < len(reason); {
		switch end := wordEnd(reason, i); {
		case isUUID(reason[i:]):
			b.WriteByte('#')
			i += uuidBytes
		case end > i:
			writeWord(&b, reason[i:end])
			i = end
		case reason[i] == ' ' || reason[i] == '\t':
			for i < len(reason) && (reason[i] == ' ' || reason[i] == '\t') {
				i++
			}
			b.WriteByte(' ')
		default:
			_, size := utf8.DecodeRuneInString(reason[i:])
			b.WriteString(reason[i : i+size])
			i += size
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// wordEnd returns the end of the ASCII letters and digits from i on.
func wordEnd(s string, i int) int {
	for i < len(s) && (isDigit(s[i]) || isLetter(s[i])) {
		i++
	}
	return i
}

// leastHash is how long a word of hexadecimal digits must be to be an id: dead
// and face are words.
const leastHash = 6

// writeWord turns a number or a hash to #, and the digits within other words.
func writeWord(b *strings.Builder, word string) {
	digits, hexDigits := 0, 0
	for i := range len(word) {
		switch c := word[i] | 0x20; {
		case isDigit(word[i]):
			digits++
			hexDigits++
		case c >= 'a' && c <= 'f':
			hexDigits++
		}
	}
	switch {
	case digits == 0:
		b.WriteString(word)
	case digits == len(word), hexDigits == len(word) && len(word) >= leastHash:
		b.WriteByte('#')
	default:
		for i := range len(word) {
			if !isDigit(word[i]) {
				b.WriteByte(word[i])
			} else if i == 0 || !isDigit(word[i-1]) {
				b.WriteByte('#')
			}
		}
	}
}

const uuidBytes = 36

// isUUID reports whether the text begins with eight, four, four, four and twelve
// hexadecimal digits.
func isUUID(s string) bool {
	if len(s) < uuidBytes || (len(s) > uuidBytes && (isDigit(s[uuidBytes]) || isLetter(s[uuidBytes]))) {
		return false
	}
	for i := range uuidBytes {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
