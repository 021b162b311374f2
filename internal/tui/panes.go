package tui

import (
	"fmt"
	"strings"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// strip is the selected queue in h lines: its rates and why its jobs fail. In
// the shortest there is room for one reason, in others for a blank line too.
func (m *model) strip(w, h int) []line {
	r := m.selectedRow()
	if r == nil {
		return m.theme.area([]line{m.theme.rule(line{{"no queue is selected", roleDim}}, w)}, w, h)
	}
	title := append(line{{m.theme.foreign(r.Name), roleBold}, plain(" ")}, m.statusSpans(r)...)
	title = append(title, span{" " + m.theme.dot + " " + workersText(r.workers), roleDim})
	lines := []line{
		m.theme.rule(title, w),
		m.stripGraph("done/m", &r.done, w, roleGood),
		m.stripGraph("fail/m", &r.failed, w, roleBad),
	}
	reasons := m.reasonLines("why", w, max(h-len(lines)-1, 1))
	return m.theme.area(append(lines, reasons...), w, h)
}

func workersText(n int) string {
	switch n {
	case render.Unknown:
		return "? workers"
	case 1:
		return "1 worker"
	}
	return fmt.Sprintf("%d workers", n)
}

// stripGraph is the last hour in one line.
func (m *model) stripGraph(name string, h *history, w int, look role) line {
	series := h.series(m.now, kept)
	columns := min(w-20, kept)
	return line{
		{" " + name + " ", roleDim},
		{m.theme.sparkline(buckets(series, columns)), look},
		{"  max " + short(highest(series), 5), roleDim},
	}
}

// reasonLines is why jobs of the selected queue failed, the most frequent
// reason first; a star marks counts among the newest jobs only.
func (m *model) reasonLines(label string, w, most int) []line {
	r := m.selectedRow()
	switch {
	case r == nil || most <= 0:
		return nil
	case !r.known || r.counts.Err != nil:
		return []line{m.unreadable(r)}
	case r.counts.Failed == 0:
		return []line{{{" no failed jobs", roleDim}}}
	case m.sample.base != r.Base:
		return []line{{{" asking why" + m.theme.ellipsis, roleDim}}}
	}
	star := ""
	if m.sample.of > int64(len(m.sample.jobs)) {
		star = "*"
	}
	var lines []line
	for _, c := range m.causes() {
		if len(lines) == most {
			break
		}
		head := " "
		if label != "" {
			head = fmt.Sprintf(" %-6s ", label)
			label = " "
		}
		age := render.AgoCell(c.newest.FinishedOn, render.Options{Now: m.now}).Text
		right := line{{" " + age + " ago ", roleDim}}
		text := m.theme.foreign(c.reason)
		if text == "" {
			text = "(no reason)"
		}
		left := line{{head, roleDim}, {fmt.Sprintf("%4d%-1s ", c.count, star), roleBad}, plain(text)}
		lines = append(lines, m.theme.ends(m.theme.cutLine(left, w-right.width()-1), right, w))
	}
	return lines
}

func (m *model) unreadable(r *row) line {
	if r.known {
		return line{{" " + m.theme.foreign(r.counts.Err.Error()), roleBad}}
	}
	return line{{" nothing is known yet", roleDim}}
}

// urgentRows is how many queues need attention.
func (m *model) urgentRows() int {
	n := 0
	for _, r := range m.rows {
		if r.status.Urgent() {
			n++
		}
	}
	return n
}

// attention is who needs somebody and why, in at most so many lines and at least
// one.
func (m *model) attention(w, most int) []line {
	all := m.urgentRows()
	if all == 0 {
		if m.link.answered.IsZero() {
			return []line{{{" ?", roleWarn}}}
		}
		return []line{{{" " + m.theme.ok, roleGood}, plain(" nothing needs attention")}}
	}
	var lines []line
	longest := 0
	for _, r := range m.rows[:min(all, most)] {
		longest = min(max(longest, render.Width(m.theme.foreign(r.Name))), 24)
	}
	for _, r := range m.rows {
		if !r.status.Urgent() {
			break // the rows are in the order of attention
		}
		if len(lines) == most-1 && all > most {
			lines = append(lines, line{{fmt.Sprintf(" and %d more", all-len(lines)), roleDim}})
			break
		}
		name := m.theme.cut(m.theme.foreign(r.Name), longest)
		name += blank(longest - render.Width(name))
		lines = append(lines, m.theme.cutLine(line{
			plain(" "), m.statusGlyph(r), {" " + name, roleBold}, plain("  " + m.complaint(r)),
		}, w))
	}
	return lines
}

// complaint is a status in words and numbers.
func (m *model) complaint(r *row) string {
	waiting := short(r.counts.Waiting+r.counts.Prioritized, 11) + " waiting"
	if r.waits() {
		waiting += ", oldest " + m.oldestText(r)
	}
	switch r.status {
	case render.StatusUnreadable:
		return m.theme.foreign(r.counts.Err.Error())
	case render.StatusNoWorkers:
		return "no workers connected, " + waiting
	case render.StatusStuck:
		if e := r.evidence(m.now); r.counts.Active > 0 {
			return "stuck: nobody holds a job started " + render.Age(e.Unheld) + " ago, " + waiting
		}
		return "stuck: workers take no jobs, " + waiting
	case render.StatusFailing:
		e := r.evidence(m.now)
		rate, _ := e.ErrorRate()
		return fmt.Sprintf("failing: %s failed in 5m (%.0f%%), %s failed in all",
			short(e.Lately.Failed, 9), rate, short(r.counts.Failed, 11))
	case render.StatusLate:
		return "late: " + waiting
	}
	return string(r.status)
}

func (m *model) attentionBox(w, h int) []line {
	title := line{{fmt.Sprintf("Needs attention (%d)", m.urgentRows()), roleBold}}
	return m.theme.box(title, m.attention(w-2, max(h-2, 1)), w, h)
}

// graphBox is the throughput of the selected queue.
func (m *model) graphBox(w, h int) []line {
	r := m.selectedRow()
	if r == nil {
		return m.theme.box(line{{"throughput", roleBold}}, nil, w, h)
	}
	t := m.theme
	title := line{{t.foreign(r.Name), roleBold}, {
		fmt.Sprintf(" %s throughput, last %d min, of the jobs still kept", t.horizontal, graphMinutes(w-2)), roleDim,
	}}
	inner := h - 2 - 3 // two labels and the axis
	failed := max(inner/3, 1)
	lines := t.graph("done/m", r.done.series(m.now, kept), w-2, max(inner-failed, 1), roleGood)
	lines = append(lines, t.graph("fail/m", r.failed.series(m.now, kept), w-2, failed, roleBad)...)
	return t.box(title, append(lines, t.axis(m.now, w-2)), w, h)
}

// reasonsBox is why jobs of the selected queue failed, and who works on it.
func (m *model) reasonsBox(w, h int) []line {
	r := m.selectedRow()
	if r == nil {
		return m.theme.box(line{{"why it fails", roleBold}}, nil, w, h)
	}
	t := m.theme
	title := line{{t.foreign(r.Name), roleBold}, {" " + t.horizontal + " why it fails", roleDim}}
	const facts = 5
	lines := m.reasonLines("", w-2, max(h-2-facts-1, 1))
	if m.sample.base == r.Base && m.sample.of > int64(len(m.sample.jobs)) && r.counts.Failed > 0 {
		lines = append(lines, line{{fmt.Sprintf(" * among the newest %d", len(m.sample.jobs)), roleDim}})
	}
	lines = t.area(lines, w-2, max(h-2-facts, 0))
	fact := func(name, value string, look role) line {
		return line{{" " + name + blank(9-len(name)), roleDim}, {value, look}}
	}
	paused := "no"
	if r.counts.Paused {
		paused = "yes: workers take no jobs"
	}
	lines = append(
		lines,
		append(fact("status", "", roleNone), m.statusSpans(r)...),
		fact("workers", short(int64(r.workers), 9), roleNone),
		fact("paused", paused, roleNone),
		fact("oldest", m.oldestText(r), roleNone),
		fact("keys", t.foreign(r.Base.String())+":*", roleNone),
	)
	return t.box(title, lines, w, h)
}

// failedBox is the newest failed jobs of the selected queue.
func (m *model) failedBox(w, h int) []line {
	r := m.selectedRow()
	if r == nil {
		return m.theme.box(line{{"failed", roleBold}}, nil, w, h)
	}
	t := m.theme
	title := line{{t.foreign(r.Name), roleBold}, {" " + t.horizontal + " newest failed jobs", roleDim}}
	if r.counts.Failed == 0 || m.sample.base != r.Base {
		return t.box(title, []line{{{" no failed jobs", roleDim}}}, w, h)
	}
	list := &queueScreen{page: pageMsg{jobs: m.sample.jobs}, loaded: true}
	for i, tab := range tabs {
		if tab.state == queue.StateFailed {
			list.tab = i
		}
	}
	cols := list.columns(m, w-3)
	lines := []line{cols.head(t)}
	for i := range min(len(m.sample.jobs), max(h-3, 0)) {
		lines = append(lines, cols.row(t, jobRow{job: &m.sample.jobs[i], state: queue.StateFailed}, false))
	}
	return t.box(title, lines, w, h)
}

// logBox is what was done, as one would do it on the command line.
func (m *model) logBox(w, h int) []line {
	title := line{{"Commands", roleBold}, {" " + m.theme.horizontal + " the same on the command line", roleDim}}
	var lines []line
	for i := len(m.log) - 1; i >= 0 && len(lines) < h-2; i-- {
		e := m.log[i]
		lines = append(lines, line{
			{" " + e.at.UTC().Format("15:04:05") + " ", roleDim}, plain("$ " + e.twin + "  "), {strings.TrimSpace(e.end), e.role},
		})
	}
	if len(m.log) == 0 {
		lines = []line{{{" nothing was changed yet", roleDim}}}
	}
	return m.theme.box(title, lines, w, h)
}
