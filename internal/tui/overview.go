package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// Heights of the panes below the list of queues.
const (
	stripLines   = 6
	shortStrip   = 4 // where the list needs the room
	graphLines   = 14
	shortGraph   = 11
	lowerLines   = 9
	shortLower   = 5
	fewestQueues = 5 // lines of the list, its head and foot included
)

// overview draws the screen below the header. The panes go in a fixed order when
// there is no room: the log of commands, attention, the graphs.
func (m *model) overview(w, h int, form layout) []line {
	switch form {
	case layoutList:
		return m.queueList(w, h)
	case layoutWide:
		return m.wideOverview(w, h)
	case layoutHuge:
		return m.hugeOverview(w, h)
	case layoutPortrait:
		return m.portraitOverview(w, h)
	}
	attention := m.attention(w, 4)
	strip := m.strip(w, stripLines)
	if len(m.shown())+1 > h-len(strip)-len(attention)-1 {
		strip = m.strip(w, shortStrip)
	}
	rows := h - len(strip) - len(attention) - 1
	list := m.queueList(w, min(rows, max(len(m.shown())+2, fewestQueues)))
	title := fmt.Sprintf("needs attention (%d)", m.urgentRows())
	lines := append(list, m.theme.area(nil, w, rows-len(list))...)
	lines = append(append(lines, strip...), m.theme.rule(line{{title, roleBold}}, w))
	return append(lines, attention...)
}

func (m *model) wideOverview(w, h int) []line {
	list := h - graphLines - lowerLines
	// An empty half of the window is better used by a higher graph.
	if spare := list - max(len(m.shown())+4, 8); spare > 0 {
		list -= spare
	}
	// What a full list lacks comes from the panes below, as far as they can do
	// without it.
	lower := lowerLines
	if lacks := len(m.shown()) + 3 - list; lacks > 0 {
		lower -= min(lacks, lowerLines-shortLower)
		list += min(lacks, lowerLines-shortLower+graphLines-shortGraph)
	}
	graph := h - list - lower
	left := w * 6 / 10
	lines := m.queueBox(w, list)
	lines = append(lines, beside(m.graphBox(left, graph), m.reasonsBox(w-left, graph))...)
	return append(lines, beside(m.attentionBox(left, lower), m.logBox(w-left, lower))...)
}

func (m *model) hugeOverview(w, h int) []line {
	upper := h - 2*lowerLines - 4
	left, middle := w/2, w/4
	lines := beside(m.queueBox(left, upper), m.graphBox(middle, upper), m.reasonsBox(w-left-middle, upper))
	lines = append(lines, beside(m.failedBox(left, lowerLines+4), m.attentionBox(w-left, lowerLines+4))...)
	return append(lines, m.logBox(w, lowerLines)...)
}

func (m *model) portraitOverview(w, h int) []line {
	const attention, log = 6, 5
	graph := 12
	list := h - graph - attention - log - lowerLines
	if spare := list - max(len(m.shown())+4, 8); spare > 0 {
		list -= spare
		graph += spare
	}
	lines := m.queueBox(w, list)
	lines = append(lines, m.graphBox(w, graph)...)
	lines = append(lines, m.reasonsBox(w, lowerLines)...)
	lines = append(lines, m.attentionBox(w, attention)...)
	return append(lines, m.logBox(w, log)...)
}

// queueBox is the list of queues in a frame.
func (m *model) queueBox(w, h int) []line {
	title := line{{"Queues", roleBold}, plain(fmt.Sprintf(" (%d)", len(m.rows))), {" " + m.theme.horizontal + " attention first", roleDim}}
	return m.theme.box(title, m.queueList(w-2, h-2), w, h)
}

// queueList is the table of queues, of at most h lines. The last says how many
// are shown, where not all of them are.
func (m *model) queueList(w, h int) []line {
	shown := m.shown()
	cols := fitColumns(m.queueColumns(shown), w-1)
	lines := []line{cols.head(m.theme)}
	rows := max(h-1, 0)
	filtered := m.filter.text != ""
	if len(shown) > rows || filtered {
		rows = max(rows-1, 0)
	}
	m.top = scrolled(m.top, m.cursor, rows, len(shown))
	for i := m.top; i < min(m.top+rows, len(shown)); i++ {
		lines = append(lines, cols.row(m.theme, shown[i], i == m.cursor))
	}
	switch {
	case len(m.rows) == 0 && !m.link.answered.IsZero():
		lines = append(lines, line{{" no queues in this Redis yet; the first job makes one: qctl enqueue email queueId=1", roleDim}})
	case filtered:
		lines = append(lines, line{{fmt.Sprintf(" %d of %d match ", len(shown), len(m.rows)), roleDim}, {m.theme.foreign(m.filter.text), roleKey}})
	case len(shown) > rows:
		first := min(m.top+1, len(shown))
		lines = append(lines, line{{fmt.Sprintf(" %d to %d of %d", first, min(m.top+rows, len(shown)), len(shown)), roleDim}})
	}
	return lines
}

// statusGlyph is a queue's status as one sign, ? while it is not known.
func (m *model) statusGlyph(r *row) span {
	text, look := m.status(r)
	glyph, _, _ := strings.Cut(text, " ")
	return span{glyph, look}
}

func (m *model) statusWord(r *row) span {
	text, look := m.status(r)
	_, word, _ := strings.Cut(text, " ")
	return span{word, look}
}

// statusSpans is both.
func (m *model) statusSpans(r *row) line {
	text, look := m.status(r)
	return line{{text, look}}
}

func (m *model) status(r *row) (string, role) {
	if r.status == "" || m.isLost() {
		return "? unknown", roleWarn
	}
	cell := render.StatusCell(r.status, render.Options{Terminal: true, ASCII: m.theme.ascii})
	return cell.Text, ofStyle[cell.Style]
}

func (m *model) errorSpan(r *row) span {
	if !r.rated || m.isLost() {
		return span{"?", roleWarn}
	}
	rate, ok := r.evidence(m.now).ErrorRate()
	switch {
	case !ok:
		return span{"-", roleDim}
	case rate == 0:
		return span{"0", roleDim}
	case rate >= render.FailingRate:
		return span{strconv.FormatFloat(rate, 'f', 0, 64), roleBad}
	case rate < 0.1:
		return span{"<0.1", roleNone}
	}
	return span{strconv.FormatFloat(rate, 'f', 1, 64), roleNone}
}

// oldestText is how long the oldest job waits, - where none does.
func (m *model) oldestText(r *row) string {
	switch {
	case !r.known || r.counts.Err != nil || r.waits() && r.standing.OldestWaiting.IsZero():
		return "?"
	case !r.waits():
		return "-"
	}
	return render.Age(m.now.Sub(r.standing.OldestWaiting))
}

func (m *model) oldestSpan(r *row) span {
	text := m.oldestText(r)
	switch {
	case text == "-":
		return span{text, roleDim}
	case text == "?":
		return span{text, roleWarn}
	case m.now.Sub(r.standing.OldestWaiting) > render.LateAfter:
		return span{text, roleWarn}
	}
	return plain(text)
}

func (m *model) workersSpan(r *row, w int) span {
	if r.status == render.StatusNoWorkers {
		return span{"0", roleBad}
	}
	return numberSpan(int64(r.workers), w, roleNone)
}

// cause is failed jobs of the sample that failed alike.
type cause struct {
	reason string
	count  int
	newest *queue.Job
}

// causes groups the failed jobs that were looked at by what they have in common,
// the most frequent first.
func (m *model) causes() []cause {
	var found []cause
	for i := range m.sample.jobs {
		job := &m.sample.jobs[i]
		_, reason := queue.Cause(job.FailedReason)
		at := slices.IndexFunc(found, func(c cause) bool { return c.reason == reason })
		if at < 0 {
			found = append(found, cause{reason: reason, newest: job})
			at = len(found) - 1
		}
		found[at].count++
	}
	slices.SortStableFunc(found, func(a, b cause) int { return b.count - a.count })
	return found
}
