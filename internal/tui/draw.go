package tui

import (
	"strings"

	"github.com/qctl/qctl/internal/render"
)

// span is text of one look, without escape codes and line feeds.
type span struct {
	text string
	role role
}

// line is one line of the screen.
type line []span

func plain(text string) span { return span{text, roleNone} }

// width is how many columns the line takes.
func (l line) width() int {
	n := 0
	for _, s := range l {
		n += render.Width(s.text)
	}
	return n
}

// as gives the whole line one look.
func (l line) as(r role) line {
	all := make(line, len(l))
	for i, s := range l {
		all[i] = span{s.text, r}
	}
	return all
}

// fit cuts or fills a line to a width.
func (t *theme) fit(l line, width int) line {
	fitted := make(line, 0, len(l)+1)
	left := max(width, 0)
	for _, s := range l {
		w := render.Width(s.text)
		if w > left {
			s.text = t.cut(s.text, left)
			w = render.Width(s.text)
			fitted = append(fitted, s)
			left -= w
			break
		}
		fitted = append(fitted, s)
		left -= w
	}
	if left > 0 {
		fitted = append(fitted, plain(blank(left)))
	}
	return fitted
}

func blank(n int) string { return strings.Repeat(" ", max(n, 0)) }

// ends puts one text at the left and one at the right end of a line; the right
// one goes first when there is no room for both.
func (t *theme) ends(left, right line, width int) line {
	gap := width - left.width() - right.width()
	if gap < 1 {
		return t.fit(left, width)
	}
	all := append(append(line{}, left...), plain(blank(gap)))
	return append(all, right...)
}

// rule is a line across with a title in it.
func (t *theme) rule(title line, width int) line {
	if title == nil {
		return line{{strings.Repeat(t.horizontal, max(width, 0)), roleDim}}
	}
	l := append(line{{t.horizontal + " ", roleDim}}, title...)
	l = append(l, plain(" "))
	return t.fit(append(l, span{strings.Repeat(t.horizontal, max(width-l.width(), 0)), roleDim}), width)
}

// box draws lines in a frame of exactly this size.
func (t *theme) box(title line, body []line, width, height int) []line {
	if width < 4 || height < 2 {
		return t.area(body, width, height)
	}
	top := append(line{{t.topLeft + " ", roleDim}}, t.cutLine(title, width-6)...)
	top = append(top, plain(" "))
	top = append(top, span{strings.Repeat(t.horizontal, max(width-top.width()-1, 0)) + t.topRight, roleDim})
	lines := []line{top}
	side := span{t.vertical, roleDim}
	for _, l := range t.area(body, width-2, height-2) {
		lines = append(lines, append(append(line{side}, l...), side))
	}
	return append(lines, line{{t.bottomLeft + strings.Repeat(t.horizontal, width-2) + t.bottomRight, roleDim}})
}

// cutLine is fit without the filling.
func (t *theme) cutLine(l line, width int) line {
	if l.width() <= width {
		return l
	}
	return t.fit(l, width)
}

// area makes lines exactly so wide and so many.
func (t *theme) area(lines []line, width, height int) []line {
	area := make([]line, 0, max(height, 0))
	for i := range max(height, 0) {
		var l line
		if i < len(lines) {
			l = lines[i]
		}
		area = append(area, t.fit(l, width))
	}
	return area
}

// beside joins areas of the same height.
func beside(areas ...[]line) []line {
	joined := make([]line, len(areas[0]))
	for i := range joined {
		for _, a := range areas {
			if i < len(a) {
				joined[i] = append(joined[i], a[i]...)
			}
		}
	}
	return joined
}
