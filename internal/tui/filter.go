package tui

import (
	"strings"
	"unicode"

	tea "github.com/charmbracelet/bubbletea"
)

// maxFilter bounds what can be typed, or pasted by mistake, in characters.
const maxFilter = 200

// edit is a filter and the line in which it is typed.
type edit struct {
	text   string
	typing bool
	before string // the filter to go back to
}

func (e *edit) begin() { e.typing, e.before = true, e.text }

// key changes the text. The filter works while it is typed; Enter keeps it, Esc
// goes back to the one before.
func (e *edit) key(k tea.KeyMsg) {
	switch k.Type {
	case tea.KeyEnter:
		e.typing = false
	case tea.KeyEsc:
		e.typing, e.text = false, e.before
	case tea.KeyBackspace:
		if e.text == "" {
			e.typing = false
			return
		}
		letters := []rune(e.text)
		e.text = string(letters[:len(letters)-1])
	case tea.KeyCtrlU:
		e.text = ""
	case tea.KeyCtrlW:
		kept := strings.TrimRight(e.text, " ")
		e.text = kept[:strings.LastIndex(kept, " ")+1]
	case tea.KeyRunes, tea.KeySpace:
		for _, r := range k.Runes {
			if len(e.text) < maxFilter && unicode.IsPrint(r) {
				e.text += string(r)
			}
		}
	}
}

// matches reports whether one of the texts has the filter in it, in either
// case. A ! in front means none of them, a ~ that the letters come in this order
// with others between.
func (e *edit) matches(texts ...string) bool {
	want, inverse := strings.CutPrefix(strings.ToLower(e.text), "!")
	contains := strings.Contains
	if rest, fuzzy := strings.CutPrefix(want, "~"); fuzzy {
		want, contains = rest, subsequence
	}
	if want == "" {
		return true
	}
	for _, text := range texts {
		if contains(strings.ToLower(text), want) {
			return !inverse
		}
	}
	return inverse
}

func subsequence(text, letters string) bool {
	rest := []rune(letters)
	for _, r := range text {
		if len(rest) > 0 && r == rest[0] {
			rest = rest[1:]
		}
	}
	return len(rest) == 0
}
