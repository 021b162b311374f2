package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
)

// maxCauseBytes bounds what is compared of a failed reason.
const maxCauseBytes = 300

// Cause returns what failed reasons that differ only from job to job have in
// common: the first line, with numbers, addresses and ids turned to #. The id
// stands for that text.
func Cause(failedReason string) (id, text string) {
	common := AppendCause(nil, failedReason)
	sum := sha256.Sum256(common)
	return hex.EncodeToString(sum[:3]), string(common)
}

// AppendCause appends the text of a failed reason's cause to b. Who counts many
// reasons meets few texts, and needs the id of each only once.
func AppendCause(b []byte, failedReason string) []byte {
	reason, start := failedReason, len(b)
	reason = strings.TrimLeftFunc(reason, unicode.IsSpace)
	if i := strings.IndexAny(reason, "\r\n"); i >= 0 {
		reason = reason[:i]
	}
	if len(reason) > maxCauseBytes {
		reason = strings.ToValidUTF8(reason[:maxCauseBytes], "") + "…"
	}
	b = slices.Grow(b, len(reason))
	for i := 0; i < len(reason); {
		switch end := wordEnd(reason, i); {
		case isUUID(reason[i:]):
			b = append(b, '#')
			i += uuidBytes
		case end > i:
			b = appendWord(b, reason[i:end])
			i = end
		case reason[i] == ' ' || reason[i] == '\t':
			for i < len(reason) && (reason[i] == ' ' || reason[i] == '\t') {
				i++
			}
			b = append(b, ' ')
		default:
			b = append(b, reason[i])
			i++
		}
	}
	for len(b) > start && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
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

// appendWord turns a number or a hash to #, and the digits within other words.
func appendWord(b []byte, word string) []byte {
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
		return append(b, word...)
	case digits == len(word), hexDigits == len(word) && len(word) >= leastHash:
		return append(b, '#')
	}
	for i := range len(word) {
		if !isDigit(word[i]) {
			b = append(b, word[i])
		} else if i == 0 || !isDigit(word[i-1]) {
			b = append(b, '#')
		}
	}
	return b
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
