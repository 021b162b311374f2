package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/render"
)

// The smallest windows of the layouts, in columns and lines.
const (
	tinyWidth, tinyHeight         = 40, 8
	stripWidth, stripHeight       = 80, 24
	wideWidth, wideHeight         = 120, 40
	hugeWidth, hugeHeight         = 180, 50
	portraitWidth, portraitHeight = 84, 46 // at most so wide, at least so high
	portraitLeast                 = 60
)

// layout is how much of everything is shown.
type layout int

const (
	layoutTiny layout = iota
	layoutList
	layoutStrip
	layoutWide
	layoutHuge
	layoutPortrait
)

func layoutOf(w, h int) layout {
	switch {
	case w < tinyWidth || h < tinyHeight:
		return layoutTiny
	case w >= portraitLeast && w <= portraitWidth && h >= portraitHeight:
		return layoutPortrait
	case w < stripWidth || h < stripHeight:
		return layoutList
	case w >= hugeWidth && h >= hugeHeight:
		return layoutHuge
	case w >= wideWidth && h >= wideHeight:
		return layoutWide
	}
	return layoutStrip
}

// maxCells bounds the work of a frame in a window of absurd size.
const maxCells = 10000

// View draws the whole window.
func (m *model) View() string {
	w, h := min(m.w, maxCells), min(m.h, maxCells)
	if w <= 0 || h <= 0 {
		return ""
	}
	lines := m.theme.area(m.frame(w, h), w, h)
	for i := range lines {
		lines[i] = trimmed(lines[i])
	}
	return m.theme.paint(lines)
}

// trimmed leaves out blanks at the end that nobody sees.
func trimmed(l line) line {
	for len(l) > 0 && l[len(l)-1].role != roleSelected {
		last := &l[len(l)-1]
		if last.text = strings.TrimRight(last.text, " "); last.text != "" {
			break
		}
		l = l[:len(l)-1]
	}
	return l
}

func (m *model) frame(w, h int) []line {
	form := layoutOf(w, h)
	if form == layoutTiny {
		return []line{m.oneLine(w)}
	}
	lines := m.header(w, form)
	foot := m.footer(w, form)
	height := h - len(lines) - len(foot)
	var body []line
	switch {
	case m.help:
		body = m.helpView(w, height)
	case m.job != nil:
		body = m.job.view(m, w, height)
	case m.queue != nil:
		body = m.queue.view(m, w, height)
	default:
		body = m.overview(w, height, form)
	}
	if m.isLost() && !m.help {
		for i := range body {
			body[i] = faded(body[i])
		}
	}
	return append(append(lines, m.theme.area(body, w, height)...), foot...)
}

// faded is what old data looks like; the selection stays.
func faded(l line) line {
	old := make(line, len(l))
	for i, s := range l {
		old[i] = s
		if s.role != roleSelected {
			old[i].role = roleDim
		}
	}
	return old
}

func (m *model) loadingLine() line {
	if m.isLost() {
		return line{{" not read yet; it is when Redis is back", roleDim}}
	}
	return line{{" loading" + m.theme.ellipsis, roleDim}}
}

// visible is about how many lines a page of the current screen has.
func (m *model) visible() int { return max(m.h-8, 2) }

// oneLine is all that fits into the smallest windows.
func (m *model) oneLine(w int) line {
	if m.queue != nil && w >= 12 {
		return m.theme.fit(line{plain(m.theme.foreign(m.queue.name) + " "), {"window too small", roleDim}}, w)
	}
	sum := total(m.rows, m.now)
	dot := span{m.theme.live, roleGood}
	if m.isLost() {
		dot = span{"x", roleBad}
	}
	l := line{dot, plain(fmt.Sprintf(" %dq w%s f%s", len(m.rows),
		short(sum.counts.Waiting+sum.counts.Prioritized, 5), short(sum.counts.Failed, 5)))}
	if len(m.rows) > 0 && m.rows[0].status.Urgent() {
		l = append(l, plain(" "), m.statusGlyph(m.rows[0]), plain(" "+m.theme.foreign(m.rows[0].Name)))
	}
	return m.theme.fit(l, w)
}

// header is who and how it is: where, how fresh, and the sums.
func (m *model) header(w int, form layout) []line {
	t := m.theme
	left := line{{" qctl top", roleTitle}}
	if m.o.Title != "" && form != layoutList {
		left = append(left, plain(" ["+t.cut(t.foreign(m.o.Title), 40)+"]"))
	}
	if m.queue != nil {
		left = append(left, plain(" "+t.crumb+" "), span{t.foreign(m.queue.name), roleBold})
	}
	if m.job != nil {
		left = append(left, plain(" "+t.crumb+" "), span{"#" + t.cut(t.foreign(m.job.id), 40), roleBold})
	}
	if m.o.ReadOnly {
		left = append(left, span{" read-only", roleWarn})
	}
	right := m.linkSpans(w)
	left = t.cutLine(left, max(w-right.width()-1, w/3))
	lines := []line{t.ends(left, right, w)}
	if m.isLost() {
		lines = append(lines, m.lostLine(w))
	} else if m.queue == nil {
		lines = append(lines, m.totalsLine(w))
	}
	if form != layoutList && m.queue == nil && !m.help {
		lines = append(lines, t.rule(nil, w))
	}
	return lines
}

// linkSpans tell whether what is shown is of now.
func (m *model) linkSpans(w int) line {
	clock := m.now.UTC().Format("15:04:05Z")
	switch {
	case m.isLost():
		l := line{{"x", roleBad}}
		if !m.theme.ascii {
			l = line{{"✖", roleBad}}
		}
		next := max(m.link.next.Sub(m.now), 0)
		text := " redis lost " + render.Age(m.now.Sub(m.link.lost))
		if w >= stripWidth {
			text += fmt.Sprintf(" %s try %d in %s", m.theme.dot, m.link.attempts+1, render.Age(next+time.Second/2))
		}
		return append(l, span{text + " ", roleBad})
	case m.link.answered.IsZero():
		return line{{"connecting" + m.theme.ellipsis + " ", roleDim}}
	case w < 60:
		return line{{m.theme.live + " ", roleGood}}
	}
	return line{
		{m.theme.live, roleGood},
		plain(fmt.Sprintf(" %s  ", latency(m.link.took))),
		{m.theme.refresh + render.Duration(m.o.Refresh) + " " + clock + " ", roleDim},
	}
}

func latency(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	}
	return render.Duration(d)
}

// lostLine dates the data and says why there is no newer.
func (m *model) lostLine(w int) line {
	reason := ""
	if m.link.err != nil {
		reason = m.theme.foreign(m.link.err.Error())
	}
	if m.link.answered.IsZero() {
		return m.theme.fit(line{plain(" no data yet   "), {reason, roleDim}}, w)
	}
	when := m.link.answered.UTC().Format("15:04:05Z")
	text := fmt.Sprintf(" data from %s, %s old; actions are off   ", when, render.Age(m.now.Sub(m.link.answered)))
	if last := strings.LastIndex(reason, ": "); last >= 0 && render.Width(text)+render.Width(reason) > w {
		reason = reason[last+2:] // what happened, rather than to whom
	}
	return m.theme.fit(line{{text, roleWarn}, {reason, roleDim}}, w)
}

// totalsLine is the sums of all queues.
func (m *model) totalsLine(w int) line {
	if m.link.answered.IsZero() {
		return line{{" asking for the queues" + m.theme.ellipsis, roleDim}}
	}
	sum := total(m.rows, m.now)
	number := func(name string, n int64, look role) line {
		return line{{name + " ", roleDim}, numberSpan(n, 9, look), plain("  ")}
	}
	l := line{plain(" ")}
	l = append(l, number("wait", sum.counts.Waiting, roleBold)...)
	if sum.counts.Prioritized > 0 || w >= wideWidth {
		l = append(l, number("prio", sum.counts.Prioritized, roleBold)...)
	}
	l = append(l, number("active", sum.counts.Active, roleBusy)...)
	if w >= 60 {
		l = append(l, number("delayed", sum.counts.Delayed, roleBold)...)
	}
	l = append(l, number("failed", sum.counts.Failed, roleBad)...)
	if sum.newFailed > 0 && w >= 60 {
		l = append(l[:len(l)-1], plain(" "), span{fmt.Sprintf("%s+%s/5m", m.theme.alarm, short(sum.newFailed, 6)), roleWarn}, plain("  "))
	}
	if w >= 60 {
		l = append(l, number("done/m", sum.done, roleGood)...)
	}
	if sum.unknown {
		l = append(l, span{"(not of every queue)", roleWarn})
	}
	return l
}

// footer is the last news and the keys.
func (m *model) footer(w int, form layout) []line {
	place := m.place()
	keys := m.keyLine(w - len(place) - 1)
	if m.help {
		keys = line{{" any key closes the help", roleDim}}
	}
	foot := []line{m.theme.ends(m.theme.cutLine(keys, w), line{{place + " ", roleDim}}, w)}
	switch {
	case m.notice.text != "":
		return append([]line{m.theme.fit(line{{" " + m.notice.text, m.notice.role}}, w)}, foot...)
	case form != layoutList:
		return append([]line{m.theme.rule(nil, w)}, foot...)
	}
	return foot
}

// place is where the selection is among how many.
func (m *model) place() string {
	if m.queue != nil || m.help {
		return ""
	}
	n := len(m.shown())
	if n == 0 {
		return "0/0"
	}
	return fmt.Sprintf("%d/%d", m.cursor+1, n)
}

// helpView is the keys of this screen in columns, or below each other.
func (m *model) helpView(w, h int) []line {
	groups := m.helpLines()
	title := map[screen]string{onOverview: "queues", onQueue: "a queue", onJob: "a job"}[m.screen()]
	const narrowest = 34
	inner := max(w-2, 0)
	columns := make([][]line, max(min(inner/narrowest, len(groups)), 1))
	for i, g := range groups {
		at := min(i, len(columns)-1)
		columns[at] = append(columns[at], padded(g)...)
	}
	rows := 0
	for _, c := range columns {
		rows = max(rows, len(c))
	}
	for i, c := range columns {
		columns[i] = m.theme.area(c, inner/len(columns), rows)
	}
	body := beside(columns...)
	return m.theme.box(line{{"Keys: " + title, roleBold}}, body, w, min(h, len(body)+2))
}

func padded(lines []line) []line {
	all := make([]line, len(lines))
	for i, l := range lines {
		all[i] = append(line{plain(" ")}, l...)
	}
	return all
}
