package tui

import (
	"context"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/qctl/qctl/internal/queue"
)

// screen is a place where keys mean something.
type screen int

const (
	onOverview screen = 1 << iota
	onQueue
	onJob
	anywhere = onOverview | onQueue | onJob
)

// binding is a key and everything that is said of it: the line of keys and the
// help are made from the same values that run it.
type binding struct {
	keys  []string // by bubbletea's names
	shown string   // the keys as people read them; empty means the first of keys
	group string   // of the help
	where screen
	// hint is what the line of keys says; nil keeps it out of there.
	hint func(m *model) string
	help string
	// off tells why the key does nothing now; nil means that it always works.
	off func(m *model) string
	run func(m *model) tea.Cmd
}

func says(text string) func(*model) string { return func(*model) string { return text } }

// The groups of the help.
const (
	groupMove = "MOVE"
	groupLook = "LOOK"
	groupAct  = "ACT"
)

// bindings is every key, the most useful first.
func (t *theme) bindings() []binding {
	step := func(n int) func(*model) tea.Cmd {
		return func(m *model) tea.Cmd { return m.move(n) }
	}
	pages := func(halves int) func(*model) tea.Cmd {
		return func(m *model) tea.Cmd { return m.move(halves * max(m.visible()/2, 1)) }
	}
	const far = 1 << 40
	return []binding{
		{keys: []string{"enter"}, shown: t.enter, group: groupLook, where: onOverview, hint: says("open"), help: "open the queue", off: noQueue, run: openQueue},
		{keys: []string{"enter"}, shown: t.enter, group: groupLook, where: onQueue, hint: says("job"), help: "open the job", off: noJob, run: openJob},
		{keys: []string{"r"}, group: groupAct, where: onQueue | onJob, hint: says("retry"), help: "retry the job", off: noRetry, run: retryJob},
		{keys: []string{"p"}, group: groupAct, where: onOverview | onQueue, hint: pauseWord, help: "pause or resume the queue", off: noPause, run: pauseQueue},
		{keys: []string{"1", "2", "3", "4", "5", "6", "7"}, shown: "1-7", group: groupLook, where: onQueue, hint: says("state"), help: "jobs of a state"},
		{keys: []string{"tab", "right", "l"}, shown: "Tab", group: groupLook, where: onQueue, help: "next state", run: func(m *model) tea.Cmd { return m.queue.turn(m, 1) }},
		{keys: []string{"shift+tab", "left", "h"}, shown: "S-Tab", group: groupLook, where: onQueue, help: "state before", run: func(m *model) tea.Cmd { return m.queue.turn(m, -1) }},
		{keys: []string{"/"}, group: groupLook, where: onOverview | onQueue, hint: says("filter"), help: "filter; !text not, ~txt letters", run: beginFilter},
		{keys: []string{"esc", "backspace", "q"}, shown: "Esc", group: groupMove, where: onQueue | onJob, hint: says("back"), help: "back (q too)", run: back},
		{keys: []string{"?"}, group: groupLook, where: anywhere, hint: says("help"), help: "these keys", run: func(m *model) tea.Cmd { m.help = true; return nil }},
		{keys: []string{"q", "esc", "backspace"}, shown: "q", group: groupMove, where: onOverview, hint: says("quit"), help: "quit", run: back},
		{keys: []string{"ctrl+c"}, shown: "^c", group: groupMove, where: anywhere, help: "quit at once", run: func(*model) tea.Cmd { return tea.Quit }},
		{keys: []string{"j", "down"}, shown: "j " + t.down, group: groupMove, where: anywhere, help: "down", run: step(1)},
		{keys: []string{"k", "up"}, shown: "k " + t.up, group: groupMove, where: anywhere, help: "up", run: step(-1)},
		{keys: []string{"ctrl+d"}, shown: "^d", group: groupMove, where: anywhere, help: "half a page down", run: pages(1)},
		{keys: []string{"ctrl+u"}, shown: "^u", group: groupMove, where: anywhere, help: "half a page up", run: pages(-1)},
		{keys: []string{"pgdown", "ctrl+f", " "}, shown: "PgDn", group: groupMove, where: anywhere, help: "page down", run: pages(2)},
		{keys: []string{"pgup", "ctrl+b"}, shown: "PgUp", group: groupMove, where: anywhere, help: "page up", run: pages(-2)},
		{keys: []string{"g", "home"}, shown: "g", group: groupMove, where: anywhere, help: "first", run: step(-far)},
		{keys: []string{"G", "end"}, shown: "G", group: groupMove, where: anywhere, help: "last", run: step(far)},
	}
}

// name is the key as people read it.
func (b binding) name() string {
	if b.shown != "" {
		return b.shown
	}
	return b.keys[0]
}

// why is why the binding does nothing now, empty when it works.
func (b binding) why(m *model) string {
	if b.off == nil {
		return ""
	}
	return b.off(m)
}

// screen is where the user is.
func (m *model) screen() screen {
	switch {
	case m.job != nil:
		return onJob
	case m.queue != nil:
		return onQueue
	}
	return onOverview
}

// typed is the filter being typed, if one is.
func (m *model) typed() *edit {
	switch {
	case m.job != nil:
		return nil
	case m.queue != nil && m.queue.filter.typing:
		return &m.queue.filter
	case m.queue == nil && m.filter.typing:
		return &m.filter
	}
	return nil
}

// onKeys takes keys apart that were typed so fast that they came as one.
func (m *model) onKeys(k tea.KeyMsg) tea.Cmd {
	if k.Type != tea.KeyRunes || k.Paste || k.Alt || len(k.Runes) < 2 {
		return m.onKey(k)
	}
	cmds := make([]tea.Cmd, 0, len(k.Runes))
	for _, r := range k.Runes {
		cmds = append(cmds, m.onKey(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}}))
	}
	return tea.Batch(cmds...)
}

// onKey finds what the key means here. A key that is off says why.
func (m *model) onKey(k tea.KeyMsg) tea.Cmd {
	if k.String() == "ctrl+c" {
		return tea.Quit
	}
	if m.help {
		m.help = false
		return nil
	}
	if e := m.typed(); e != nil && k.Type != tea.KeyUp && k.Type != tea.KeyDown {
		e.key(k)
		return m.onFilter()
	}
	m.notice = notice{}
	here := m.screen()
	for _, b := range m.theme.bindings() {
		if b.where&here == 0 || k.Paste || !slices.Contains(b.keys, k.String()) {
			continue
		}
		if why := b.why(m); why != "" {
			m.notice = notice{b.name() + ": " + why, roleWarn}
			return nil
		}
		if b.run == nil {
			return m.queue.show(m, int(k.Runes[0]-'1'))
		}
		return b.run(m)
	}
	return nil
}

func (m *model) onFilter() tea.Cmd {
	if m.queue != nil {
		return m.queue.onFilter(m)
	}
	m.follow()
	return m.loadSample()
}

// move goes n lines down, or up.
func (m *model) move(n int) tea.Cmd {
	switch {
	case m.job != nil:
		m.job.scroll = max(m.job.scroll+n, 0)
		return nil
	case m.queue != nil:
		return m.queue.move(m, n)
	}
	m.moved = true
	m.choose(m.cursor + n)
	return m.loadSample()
}

func beginFilter(m *model) tea.Cmd {
	if m.queue != nil {
		m.queue.filter.begin()
	} else {
		m.filter.begin()
	}
	return nil
}

// back leaves a filter, then the screen, and at last the dashboard.
func back(m *model) tea.Cmd {
	switch {
	case m.job != nil:
		m.job = nil
		return m.queue.reload(m)
	case m.queue != nil && m.queue.filter.text != "":
		m.queue.filter = edit{}
		return m.queue.onFilter(m)
	case m.queue != nil:
		m.queue = nil
		m.follow()
		return m.loadSample()
	case m.filter.text != "":
		m.filter = edit{}
		m.follow()
		return nil
	}
	return tea.Quit
}

func noQueue(m *model) string {
	if m.selectedRow() == nil {
		return "no queue is selected"
	}
	return ""
}

func openQueue(m *model) tea.Cmd {
	m.moved = true
	m.queue = newQueueScreen(m.selectedRow())
	return m.queue.reload(m)
}

func noJob(m *model) string {
	if m.queue.selected() == nil {
		return "no job is selected"
	}
	return ""
}

func openJob(m *model) tea.Cmd {
	m.job = &jobScreen{base: m.queue.base, id: m.queue.selected().ID}
	return m.job.reload(m)
}

// noChange is why nothing can be changed now.
func (m *model) noChange() string {
	switch {
	case m.o.ReadOnly && m.o.ReadOnlyWhy != "":
		return "read-only: " + m.theme.foreign(m.o.ReadOnlyWhy)
	case m.o.ReadOnly:
		return "read-only"
	case m.isLost():
		return "off until Redis is back"
	case m.acting:
		return "the last change is still under way"
	}
	return ""
}

func noPause(m *model) string {
	r := m.selectedRow()
	switch {
	case r == nil:
		return "no queue is selected"
	case !r.known:
		return "nothing is known of the queue yet"
	case r.counts.Err != nil:
		return "the queue cannot be read"
	}
	if why := m.noChange(); why != "" || !r.Protected {
		return why
	}
	return "protected; to do it, type " + twinOf(pauseWord(m), r.Typed)
}

func pauseWord(m *model) string {
	if r := m.selectedRow(); r != nil && r.counts.Paused {
		return "resume"
	}
	return "pause"
}

func pauseQueue(m *model) tea.Cmd {
	r := m.selectedRow()
	m.acting, m.moved = true, true
	base := r.Base
	if r.counts.Paused {
		return m.load.act(twinOf("resume", r.Typed), "resumed", func(ctx context.Context) error {
			return m.o.Source.Resume(ctx, base)
		})
	}
	return m.load.act(twinOf("pause", r.Typed), "paused", func(ctx context.Context) error {
		return m.o.Source.Pause(ctx, base)
	})
}

// subject is the job that an action is about.
func (m *model) subject() (id string, state queue.State, ok bool) {
	if m.job != nil {
		if m.job.got == nil || m.job.gone {
			return m.job.id, "", false
		}
		return m.job.id, m.job.got.job.State, true
	}
	if job := m.queue.selected(); job != nil {
		return job.ID, m.queue.state(), true
	}
	return "", "", false
}

func noRetry(m *model) string {
	_, state, ok := m.subject()
	switch {
	case !ok && m.job != nil && m.job.gone:
		return "the job is no longer there"
	case !ok:
		return "no job is selected"
	case !state.Finished():
		return "only failed and completed jobs can be retried; this one is " + string(state)
	}
	return m.noChange()
}

func retryJob(m *model) tea.Cmd {
	id, state, _ := m.subject()
	r := m.selectedRow()
	if r == nil {
		return nil
	}
	m.acting = true
	base, source := r.Base, m.o.Source
	return m.load.act(retryTwin(r.Typed, id, state), "retried", func(ctx context.Context) error {
		return source.Retry(ctx, base, state, id)
	})
}

// keyLine lists the keys that work on what is selected, as many as there is
// room for.
func (m *model) keyLine(w int) line {
	if e := m.typed(); e != nil {
		return line{{" filter: ", roleKey}, plain(m.theme.foreign(e.text)), {" ", roleSelected}, {"   " + m.theme.enter + " keep  Esc undo", roleDim}}
	}
	var l line
	here := m.screen()
	for _, b := range m.theme.bindings() {
		if b.where&here == 0 || b.hint == nil || b.why(m) != "" {
			continue
		}
		hint := line{plain(" "), {b.name(), roleKey}, plain(" " + b.hint(m) + " ")}
		if l.width()+hint.width() <= w {
			l = append(l, hint...)
		}
	}
	return l
}

// helpLines lists every key of this screen, in groups.
func (m *model) helpLines() (groups [][]line) {
	here := m.screen()
	for _, group := range []string{groupAct, groupLook, groupMove} {
		lines := []line{{{group, roleBold}}}
		for _, b := range m.theme.bindings() {
			if b.where&here == 0 || b.group != group {
				continue
			}
			l := line{{b.name() + strings.Repeat(" ", max(6-len([]rune(b.name())), 1)), roleKey}, plain(b.help)}
			if why := b.why(m); why != "" {
				l = line{{b.name() + blank(6-len([]rune(b.name()))) + b.help + " (" + why + ")", roleDim}}
			}
			lines = append(lines, l)
		}
		if len(lines) > 1 {
			groups = append(groups, lines)
		}
	}
	return groups
}
