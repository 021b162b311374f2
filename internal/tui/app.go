package tui

import (
	"cmp"
	"context"
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
	"github.com/qctl/qctl/internal/tui/unasked"
)

// By now everything that is imported has been initialized.
var _ = restored()

func restored() bool {
	unasked.Restore()
	return true
}

// How often things are asked for that seldom change.
const (
	discoverEvery = time.Minute
	workersEvery  = 10 * time.Second
)

// link is how the source answers.
type link struct {
	refreshing, discovering bool
	round                   int // counts refreshes, so that an old pause ends nothing
	answered                time.Time
	took                    time.Duration
	lost                    time.Time // since when it does not answer; zero while it does
	attempts                int
	next                    time.Time // of the next attempt
	err                     error
	discovered              time.Time
	workers                 time.Time
	firstStanding           int
}

// notice is the last thing worth a line.
type notice struct {
	text string
	role role
}

// logged is a change that was made, as one would make it on the command line.
type logged struct {
	at   time.Time
	twin string
	end  string
	role role
}

// model is the whole state of the dashboard. Only Update changes it.
type model struct {
	o     Options
	load  loader
	theme *theme
	now   time.Time
	w, h  int

	link     link
	rows     []*row // in the order of attention
	selected queue.KeyBase
	cursor   int  // where selected is, or was, among the rows shown
	moved    bool // by somebody; the most urgent queue is selected until then
	top      int  // first row on screen
	filter   edit
	sample   sampleMsg
	sampling bool

	queue *queueScreen // nil outside of a queue
	job   *jobScreen   // nil outside of a job
	help  bool

	notice notice
	log    []logged // newest last
	acting bool
}

func newModel(ctx context.Context, o Options) *model {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Refresh <= 0 {
		o.Refresh = DefaultRefresh
	}
	return &model{
		o: o, load: loader{ctx, o.Source, o.Now, timer}, theme: newTheme(o.Color, o.ASCII), now: o.Now(),
	}
}

// Init begins with the list of queues.
func (m *model) Init() tea.Cmd {
	m.link.discovering = true
	return tea.Batch(m.load.discover(), m.load.clock())
}

// Update routes a message to whoever it is for.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.now = m.o.Now()
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
	case tea.KeyMsg:
		return m, m.onKeys(msg)
	case clockMsg:
		return m, tea.Batch(m.load.clock(), m.discoverWhenDue())
	case discoveredMsg:
		return m, m.onDiscovered(msg)
	case refreshDueMsg:
		if msg.round == m.link.round {
			return m, m.refresh()
		}
	case refreshedMsg:
		return m, m.onRefreshed(msg)
	case historyMsg:
		m.onHistory(msg)
	case sampleMsg:
		m.sampling = false
		if msg.err == nil {
			m.sample = msg
		}
		if msg.base != m.selected {
			return m, m.loadSample()
		}
	case pageMsg:
		if m.queue != nil {
			return m, m.queue.onPage(m, msg)
		}
	case jobMsg:
		if m.job != nil {
			m.job.onJob(msg)
		}
	case actedMsg:
		return m, m.onActed(msg)
	}
	return m, nil
}

// loadShown asks for what the screen shows besides numbers.
func (m *model) loadShown() tea.Cmd {
	switch {
	case m.job != nil:
		return m.job.reload(m)
	case m.queue != nil:
		return m.queue.reload(m)
	}
	return m.loadSample()
}

// loadSample asks why jobs of the selected queue failed, where there are others
// than last time.
func (m *model) loadSample() tea.Cmd {
	r := m.selectedRow()
	if r == nil || m.sampling || m.isLost() || r.counts.Failed == 0 ||
		m.sample.base == r.Base && m.sample.of == r.counts.Failed && m.now.Sub(m.link.answered) < m.o.Refresh {
		return nil
	}
	m.sampling = true
	return m.load.sample(r.Base, r.counts.Failed)
}

// shown is the rows that the filter leaves.
func (m *model) shown() []*row {
	if m.filter.text == "" {
		return m.rows
	}
	var shown []*row
	for _, r := range m.rows {
		if m.filter.matches(r.Name, r.Base.String(), string(r.status)) {
			shown = append(shown, r)
		}
	}
	return shown
}

// follow keeps the selection on its queue when rows move; when the queue is no
// longer shown, on its place.
func (m *model) follow() {
	shown := m.shown()
	if at := slices.IndexFunc(shown, func(r *row) bool { return r.Base == m.selected }); at >= 0 && m.moved {
		m.cursor = at
		return
	}
	m.choose(m.cursor)
}

// choose selects the row at a place, or the nearest.
func (m *model) choose(at int) {
	shown := m.shown()
	m.cursor = max(min(at, len(shown)-1), 0)
	if len(shown) > 0 {
		m.selected = shown[m.cursor].Base
	}
}

// selectedRow is nil where there is none.
func (m *model) selectedRow() *row {
	base := m.selected
	if m.queue != nil {
		base = m.queue.base
	} else if shown := m.shown(); m.cursor >= len(shown) {
		return nil
	}
	if at := slices.IndexFunc(m.rows, func(r *row) bool { return r.Base == base }); at >= 0 {
		return m.rows[at]
	}
	return nil
}

// onActed tells what became of a change, and looks at once.
func (m *model) onActed(msg actedMsg) tea.Cmd {
	m.acting = false
	entry := logged{at: m.now, twin: msg.twin, end: msg.done, role: roleGood}
	if msg.err != nil {
		entry.end, entry.role = m.theme.foreign(msg.err.Error()), roleBad
	}
	const keptLog = 50
	m.log = append(m.log, entry)
	m.log = m.log[max(len(m.log)-keptLog, 0):]
	mark := cmp.Or(map[role]string{roleGood: m.theme.ok, roleBad: "!"}[entry.role], "")
	m.notice = notice{"$ " + entry.twin + "   " + mark + " " + entry.end, entry.role}
	m.sample.of = render.Unknown
	return tea.Batch(m.refresh(), m.loadShown())
}
