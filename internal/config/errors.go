package config

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// ErrInvalid is matched by every error of this package: an input was refused
// before anything was sent.
var ErrInvalid = errors.New("invalid input")

// ErrNotClockOwner says that by the environment another instance owns the clock of
// schedules. It does not match ErrInvalid: nothing needs mending.
var ErrNotClockOwner = errors.New("this instance may not own the clock")

// ValueError is one refused flag, variable, name or word.
type ValueError struct {
	What  string // what was being read: "duration", "BULLMQ_PREFIX"
	Value string // the refused text, unchanged and possibly hostile
	Want  string // the rule it breaks, with the allowed range
	Near  string // what was probably meant; empty when nobody knows
}

// Error quotes the refused text, cut and with everything unprintable escaped.
func (e *ValueError) Error() string {
	return e.What + " " + quote(e.Value) + ": " + e.Want
}

// Is reports whether target is ErrInvalid.
func (e *ValueError) Is(target error) bool { return target == ErrInvalid }

// shownBytes bounds how much of a refused value an error repeats.
const shownBytes = 80

// quote makes foreign text safe and short enough for an error message.
func quote(text string) string {
	if len(text) <= shownBytes {
		return strconv.Quote(text)
	}
	end := shownBytes
	for end > shownBytes-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return strconv.Quote(text[:end]) + "… (" + strconv.Itoa(len(text)) + " bytes)"
}

// Quote shows foreign text in an error message: quoted, escaped, and cut with
// the number of its bytes when it is long.
func Quote(text string) string { return quote(text) }
