package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// tab is one state of a queue's screen.
type tab struct {
	title string
	brief string // where there is no room for all
	state queue.State
	count func(queue.Counts) int64
}

// tabs are the states in the order of their keys.
var tabs = [...]tab{
	{"Wait", "Wait", queue.StateWaiting, func(c queue.Counts) int64 { return c.Waiting }},
	{"Active", "Act", queue.StateActive, func(c queue.Counts) int64 { return c.Active }},
	{"Delayed", "Delay", queue.StateDelayed, func(c queue.Counts) int64 { return c.Delayed }},
	{"Prio", "Prio", queue.StatePrioritized, func(c queue.Counts) int64 { return c.Prioritized }},
	{"Children", "Child", queue.StateWaitingChildren, func(c queue.Counts) int64 { return c.WaitingChildren }},
	{"Failed", "Fail", queue.StateFailed, func(c queue.Counts) int64 { return c.Failed }},
	{"Done", "Done", queue.StateCompleted, func(c queue.Counts) int64 { return c.Completed }},
}

// queueScreen is one queue and the jobs of one of its states, of which it holds
// a page around the selected one.
type queueScreen struct {
	base    queue.KeyBase
	name    string
	tab     int
	filter  edit
	page    pageMsg
	loaded  bool
	loading bool
	cursor  int // in the page, among those shown
	top     int
	id      string // of the selected job, which is followed
	want    int    // the place in the whole list to go to; -1 for none
}

// newQueueScreen begins with what most likely brought somebody here.
func newQueueScreen(r *row) *queueScreen {
	s := &queueScreen{base: r.Base, name: r.Name, want: -1}
	for _, state := range []queue.State{
		queue.StateFailed, queue.StateWaiting, queue.StatePrioritized, queue.StateActive, queue.StateDelayed,
		queue.StateWaitingChildren, queue.StateCompleted,
	} {
		at := slices.IndexFunc(tabs[:], func(t tab) bool { return t.state == state })
		if tabs[at].count(r.counts) > 0 {
			s.tab = at
			break
		}
	}
	return s
}

func (s *queueScreen) state() queue.State { return tabs[s.tab].state }

// reload asks for the page again, unless it is on its way.
func (s *queueScreen) reload(m *model) tea.Cmd {
	if s.loading || m.isLost() {
		return nil
	}
	start, count := 0, filteredJobs
	if s.filter.text == "" {
		at := s.page.start + s.cursor
		if s.want >= 0 {
			at = s.want
		}
		start, count = max(at-pageJobs/2, 0), pageJobs
	}
	s.loading = true
	return m.load.page(s.base, s.state(), start, count)
}

// onPage takes over a page if it is of this queue and state, and stays on the
// selected job as long as it is there.
func (s *queueScreen) onPage(m *model, msg pageMsg) tea.Cmd {
	s.loading = false
	if msg.base != s.base || msg.state != s.state() {
		return s.reload(m)
	}
	if msg.err != nil {
		s.page.err = msg.err
		return nil
	}
	at := s.page.start + s.cursor
	s.page, s.loaded = msg, true
	shown := s.shown()
	follow := slices.IndexFunc(shown, func(i int) bool { return s.page.jobs[i].ID == s.id })
	switch {
	case s.want >= 0:
		s.choose(s.want - msg.start)
		s.want = -1
	case follow >= 0 && s.id != "":
		s.cursor = follow
	case s.filter.text == "":
		s.choose(at - msg.start)
	default:
		s.choose(s.cursor)
	}
	return nil
}

// shown is which jobs of the page the filter leaves.
func (s *queueScreen) shown() []int {
	shown := make([]int, 0, len(s.page.jobs))
	for i := range s.page.jobs {
		job := &s.page.jobs[i]
		if s.filter.text == "" || s.filter.matches(job.ID, job.Name, job.FailedReason) {
			shown = append(shown, i)
		}
	}
	return shown
}

// choose selects the job at a place among those shown, or the nearest.
func (s *queueScreen) choose(at int) {
	shown := s.shown()
	s.cursor, s.id = max(min(at, len(shown)-1), 0), ""
	if len(shown) > 0 {
		s.id = s.page.jobs[shown[s.cursor]].ID
	}
}

// selected is nil where no job is.
func (s *queueScreen) selected() *queue.Job {
	shown := s.shown()
	if !s.loaded || s.cursor >= len(shown) {
		return nil
	}
	return &s.page.jobs[shown[s.cursor]]
}

// total is how many jobs the state has, or at least.
func (s *queueScreen) total(m *model) int {
	n := s.page.start + len(s.page.jobs)
	if r := m.selectedRow(); r != nil && r.known && r.counts.Err == nil {
		n = max(n, int(tabs[s.tab].count(r.counts)))
	}
	return n
}

// move selects another job, and loads the page around it when it comes near
// the end of this one.
func (s *queueScreen) move(m *model, n int) tea.Cmd {
	if s.filter.text != "" {
		s.choose(s.cursor + n)
		return nil
	}
	at := max(min(s.page.start+s.cursor+n, s.total(m)-1), 0)
	s.choose(at - s.page.start)
	end := s.page.start + len(s.page.jobs)
	const margin = pageJobs / 8
	switch {
	case at < s.page.start || at >= end:
		s.want = at
	case at < s.page.start+margin && s.page.start > 0, at >= end-margin && end < s.total(m):
	default:
		return nil
	}
	return s.reload(m)
}

// show turns to another state.
func (s *queueScreen) show(m *model, tab int) tea.Cmd {
	if tab < 0 || tab >= len(tabs) || tab == s.tab {
		return nil
	}
	s.tab, s.page, s.loaded, s.cursor, s.top, s.id, s.want = tab, pageMsg{}, false, 0, 0, "", -1
	return s.reload(m)
}

func (s *queueScreen) turn(m *model, by int) tea.Cmd {
	return s.show(m, (s.tab+by+len(tabs))%len(tabs))
}

func (s *queueScreen) onFilter(m *model) tea.Cmd {
	s.choose(0)
	s.top = 0
	if s.filter.text == "" || s.page.count < filteredJobs {
		return s.reload(m)
	}
	return nil
}

// view draws the screen below the header.
func (s *queueScreen) view(m *model, width, height int) []line {
	t := m.theme
	lines := []line{s.summary(m), s.tabLine(m, width), t.rule(nil, width)}
	body := max(height-len(lines)-1, 0)
	list := s.list(m, width, body)
	lines = append(lines, t.area(list, width, body)...)
	return append(lines, s.footer(m, width))
}

func (s *queueScreen) summary(m *model) line {
	r := m.selectedRow()
	if r == nil {
		return line{{" the queue is no longer there", roleWarn}}
	}
	l := append(line{plain(" ")}, m.statusSpans(r)...)
	l = append(l, plain("   "+workersText(r.workers)))
	if r.waits() {
		l = append(l, plain("   oldest waiting "+m.oldestText(r)))
	}
	if r.rated {
		l = append(l, plain("   done "+short(r.rates.CompletedPerMinute, 7)+"/min   failed "+short(r.rates.FailedPerMinute, 7)+"/min"))
	}
	return l
}

// tabLine is the states with their numbers; the selected one stays in sight.
func (s *queueScreen) tabLine(m *model, width int) line {
	l, end := s.tabSpans(m, 9, func(t tab) string { return t.title })
	if l.width() > width {
		l, end = s.tabSpans(m, 5, func(t tab) string { return t.brief })
	}
	for len(l) > 1 && end > width {
		end -= render.Width(l[0].text)
		l = l[1:]
	}
	return l
}

// tabSpans also tells where the selected state ends.
func (s *queueScreen) tabSpans(m *model, digits int, title func(tab) string) (l line, end int) {
	r := m.selectedRow()
	for i, tab := range tabs {
		n := "?"
		if r != nil && r.known && r.counts.Err == nil {
			n = short(tab.count(r.counts), digits)
		}
		text := fmt.Sprintf("%d %s %s", i+1, title(tab), n)
		switch {
		case i == s.tab:
			l = append(l, span{"[" + text + "]", roleSelected})
			end = l.width()
		case n == "0":
			l = append(l, span{" " + text + " ", roleDim})
		default:
			l = append(l, plain(" "+text+" "))
		}
	}
	return l, end
}

func (s *queueScreen) list(m *model, width, height int) []line {
	switch {
	case s.page.err != nil && !s.loaded:
		return []line{{{" " + m.theme.foreign(s.page.err.Error()), roleBad}}}
	case !s.loaded:
		return []line{m.loadingLine()}
	}
	shown := s.shown()
	if len(shown) == 0 {
		if s.filter.text != "" {
			return []line{{{" no job of these matches; Esc ends the filter", roleDim}}}
		}
		return []line{{{" no " + string(s.state()) + " jobs", roleDim}}}
	}
	columns := s.columns(m, width)
	lines := []line{columns.head(m.theme)}
	rows := max(height-1, 0)
	s.top = scrolled(s.top, s.cursor, rows, len(shown))
	for i := s.top; i < min(s.top+rows, len(shown)); i++ {
		l := columns.row(m.theme, jobRow{&s.page.jobs[shown[i]], s.dueOf(shown[i]), s.state()}, i == s.cursor)
		lines = append(lines, l)
	}
	return lines
}

func (s *queueScreen) dueOf(i int) time.Time {
	if i < len(s.page.due) {
		return s.page.due[i]
	}
	return time.Time{}
}

// footer says what part of the whole is shown.
func (s *queueScreen) footer(m *model, width int) line {
	shown, all := len(s.shown()), s.total(m)
	text := ""
	if s.loaded && all > 0 {
		text = fmt.Sprintf("%s of %s", render.Count(int64(min(s.page.start+s.cursor+1, all))), render.Count(int64(all)))
	}
	if s.loaded && s.filter.text != "" {
		text = fmt.Sprintf("%s match among the first %s of %s", render.Count(int64(shown)),
			render.Count(int64(len(s.page.jobs))), render.Count(int64(all)))
	}
	left := line{}
	if s.filter.text != "" && !s.filter.typing {
		left = line{{" filter: ", roleKey}, plain(m.theme.foreign(s.filter.text))}
	}
	if s.page.err != nil && s.loaded {
		left = line{{" " + m.theme.foreign(strings.TrimSpace(s.page.err.Error())), roleBad}}
	}
	return m.theme.ends(left, line{{text + " ", roleDim}}, width)
}

// scrolled is the first line to show so that the cursor is in sight.
func scrolled(top, cursor, rows, all int) int {
	top = min(top, cursor)
	top = max(top, cursor-rows+1)
	return max(min(top, all-rows), 0)
}
