package render

import (
	"strings"

	"github.com/qctl/qctl/internal/queue"
)

// Style is the meaning of a colour. It always accompanies a word.
type Style int

// The styles.
const (
	StyleNone Style = iota
	StyleGood
	StyleBusy
	StyleWarn
	StyleBad
	StyleDim
	StyleBold
)

// sgr are the 16 colours that follow the palette of the terminal's owner.
var sgr = [...]string{
	StyleNone: "",
	StyleGood: "\x1b[32m",
	StyleBusy: "\x1b[36m",
	StyleWarn: "\x1b[33m",
	StyleBad:  "\x1b[31m",
	StyleDim:  "\x1b[2m",
	StyleBold: "\x1b[1m",
}

const sgrReset = "\x1b[0m"

// Paint returns the text in a style, or as it is where there is no colour or
// nothing to see. The
// text must have gone through [Text].
func (o Options) Paint(s string, style Style) string {
	if !o.Terminal || !o.Color || style <= StyleNone || int(style) >= len(sgr) || strings.Trim(s, " ") == "" {
		return s
	}
	return sgr[style] + s + sgrReset
}

// look is how a word is shown.
type look struct {
	glyph string
	ascii string
	style Style
}

var stateLooks = map[queue.State]look{
	queue.StateWaiting:         {"○", "o", StyleNone},
	queue.StatePrioritized:     {"◆", "^", StyleNone},
	queue.StateDelayed:         {"◔", "~", StyleDim},
	queue.StateWaitingChildren: {"◇", "&", StyleDim},
	queue.StateActive:          {"●", "*", StyleBusy},
	queue.StateCompleted:       {"✓", "+", StyleGood},
	queue.StateFailed:          {"✖", "x", StyleBad},
	queue.StateUnknown:         {"?", "?", StyleWarn},
}

var statusLooks = map[Status]look{
	StatusUnreadable:  {"✖", "x", StyleBad},
	StatusNoWorkers:   {"✖", "x", StyleBad},
	StatusStuck:       {"✖", "x", StyleBad},
	StatusFailing:     {"▲", "!", StyleWarn},
	StatusLate:        {"▲", "!", StyleWarn},
	StatusPaused:      {"‖", "=", StyleWarn},
	StatusCapped:      {"▲", "!", StyleWarn},
	StatusRateLimited: {"▲", "!", StyleWarn},
	StatusBusy:        {"●", "*", StyleGood},
	StatusIdle:        {"○", "o", StyleDim},
}

// StateCell returns the cell of a job's state: glyph, word and colour for
// people, the word alone for programs.
func StateCell(s queue.State, o Options) Cell {
	if s == "" {
		return Cell{Text: none}
	}
	return lookCell(string(s), stateLooks[s], o)
}

// StatusCell is [StateCell] for the status of a queue.
func StatusCell(s Status, o Options) Cell { return lookCell(string(s), statusLooks[s], o) }

// lookCell shows words that have no look of their own as they are.
func lookCell(word string, l look, o Options) Cell {
	glyph := l.glyph
	if o.ASCII {
		glyph = l.ascii
	}
	if glyph == "" {
		return Cell{Text: word}
	}
	return Cell{Text: glyph + " " + word, Plain: word, Style: l.style}
}
