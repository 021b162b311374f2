package tui

import (
	"io"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/qctl/qctl/internal/render"
)

// role is what a piece of text is; the theme says how that looks.
type role int

const (
	roleNone role = iota
	roleGood
	roleBusy
	roleWarn
	roleBad
	roleDim
	roleBold
	roleKey
	roleTitle
	roleSelected
	roles
)

// ofStyle is the role of a style of package render.
var ofStyle = map[render.Style]role{
	render.StyleGood: roleGood, render.StyleBusy: roleBusy, render.StyleWarn: roleWarn,
	render.StyleBad: roleBad, render.StyleDim: roleDim, render.StyleBold: roleBold,
}

// theme is how roles look, as escape codes that are made once: styling each
// cell anew would cost more than everything else in a frame.
type theme struct {
	glyphs
	ascii bool
	codes [roles]struct{ on, off string }
}

// newTheme never asks the terminal anything. Without colour it keeps bold,
// faint and reverse, or nobody would see what is selected.
func newTheme(color, ascii bool) *theme {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(termenv.ANSI)
	r.SetHasDarkBackground(true)
	plain := r.NewStyle()
	// The 16 colours follow the palette of the terminal's owner.
	tint := func(number string, otherwise lipgloss.Style) lipgloss.Style {
		if !color {
			return otherwise
		}
		return plain.Foreground(lipgloss.Color(number))
	}
	t := &theme{glyphs: unicodeGlyphs, ascii: ascii}
	if ascii {
		t.glyphs = asciiGlyphs
	}
	for role, style := range map[role]lipgloss.Style{
		roleGood:     tint("2", plain),
		roleBusy:     tint("6", plain),
		roleWarn:     tint("3", plain.Bold(true)),
		roleBad:      tint("1", plain.Bold(true)),
		roleDim:      plain.Faint(true),
		roleBold:     plain.Bold(true),
		roleKey:      tint("6", plain.Bold(true)),
		roleTitle:    plain.Bold(true),
		roleSelected: plain.Reverse(true),
	} {
		const sample = "x"
		on, off, _ := strings.Cut(style.Render(sample), sample)
		t.codes[role].on, t.codes[role].off = on, off
	}
	return t
}

// glyphs is everything drawn that is not text.
type glyphs struct {
	marker, ellipsis, enter, up, down, dot, refresh, crumb string
	ok, alarm, live, tick                                  string
	horizontal, vertical                                   string
	topLeft, topRight, bottomLeft, bottomRight             string
	// levels are the heights of a bar in eighths, from nothing to full.
	levels [9]string
	base   string // a bar of height 0 where there is a value
}

var unicodeGlyphs = glyphs{
	marker: "▸", ellipsis: "…", enter: "⏎", up: "↑", down: "↓", dot: "·", refresh: "⟳", crumb: "›",
	ok: "✓", alarm: "▲", live: "●", tick: "┤",
	horizontal: "─", vertical: "│", topLeft: "┌", topRight: "┐", bottomLeft: "└", bottomRight: "┘",
	levels: render.BarLevels(false), base: "▁",
}

var asciiGlyphs = glyphs{
	marker: ">", ellipsis: "~", enter: "Ret", up: "up", down: "dn", dot: "-", refresh: "", crumb: ">",
	ok: "+", alarm: "!", live: "*", tick: "|",
	horizontal: "-", vertical: "|", topLeft: "+", topRight: "+", bottomLeft: "+", bottomRight: "+",
	levels: render.BarLevels(true), base: "_",
}

// foreign makes somebody else's text fit for a line.
func (t *theme) foreign(s string) string {
	if t.ascii {
		return render.ASCII(s)
	}
	return render.Text(s)
}

// cut is [render.Cut] with the theme's ellipsis.
func (t *theme) cut(s string, width int) string {
	short := render.Cut(s, width)
	if t.ascii && short != s {
		return strings.TrimSuffix(short, "…") + t.ellipsis[:min(width, len(t.ellipsis))]
	}
	return short
}

// paint turns lines into the frame's text.
func (t *theme) paint(lines []line) string {
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, s := range l {
			code := t.codes[s.role]
			if code.on == "" || s.role != roleSelected && strings.Trim(s.text, " ") == "" {
				b.WriteString(s.text)
				continue
			}
			b.WriteString(code.on + s.text + code.off)
		}
	}
	return b.String()
}
