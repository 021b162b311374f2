package tui

import (
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// discoverWhenDue looks for new queues now and then.
func (m *model) discoverWhenDue() tea.Cmd {
	if m.link.discovering || m.link.discovered.IsZero() || m.now.Sub(m.link.discovered) < discoverEvery {
		return nil
	}
	m.link.discovering = true
	return m.load.discover()
}

// onDiscovered takes over the list of queues and what is known of those that
// were there before.
func (m *model) onDiscovered(msg discoveredMsg) tea.Cmd {
	m.link.discovering = false
	if msg.err != nil {
		if len(m.rows) > 0 {
			m.link.discovered = msg.at // the refreshes tell what is wrong
			return nil
		}
		return m.lose(msg.err)
	}
	m.link.discovered = msg.at
	known := map[queue.KeyBase]*row{}
	for _, r := range m.rows {
		known[r.Base] = r
	}
	var fresh []queue.KeyBase
	m.rows = m.rows[:0:0]
	for _, q := range msg.queues {
		r := known[q.Base]
		if r == nil {
			r = &row{Queue: q, workers: render.Unknown}
			fresh = append(fresh, q.Base)
		}
		m.rows = append(m.rows, r)
	}
	sortRows(m.rows)
	m.follow()
	var past tea.Cmd
	if len(fresh) > 0 {
		m.link.workers = time.Time{}
		past = m.load.history(fresh)
	}
	if m.link.refreshing {
		return past
	}
	return tea.Batch(past, m.refresh())
}

// refresh begins one, unless one is under way.
func (m *model) refresh() tea.Cmd {
	if m.link.refreshing {
		return nil
	}
	m.link.round++
	if len(m.rows) == 0 {
		if m.link.discovering {
			return nil
		}
		if !m.link.discovered.IsZero() && m.now.Sub(m.link.discovered) < m.o.Refresh {
			m.answer(m.now, 0)
			return m.load.after(m.o.Refresh, refreshDueMsg{m.link.round})
		}
		m.link.discovering = true
		return m.load.discover()
	}
	m.link.refreshing = true
	bases := make([]queue.KeyBase, len(m.rows))
	for i, r := range m.rows {
		bases[i] = r.Base
	}
	return m.load.refresh(bases, m.now.Sub(m.link.workers) >= workersEvery, m.link.firstStanding, m.link.minute(m.now))
}

// minute is from when on minutes are to be counted: the last one that was
// looked at may not have been over.
func (l *link) minute(now time.Time) int64 {
	if l.answered.IsZero() {
		return minuteOf(now)
	}
	return minuteOf(l.answered)
}

// answer notes that the source is there.
func (m *model) answer(at time.Time, took time.Duration) {
	m.link.answered, m.link.took = at, took
	m.link.lost, m.link.err, m.link.attempts = time.Time{}, nil, 0
}

// lose notes that it is not, and tries again later and later.
func (m *model) lose(err error) tea.Cmd {
	if m.link.lost.IsZero() {
		m.link.lost = m.now
	}
	const first, most = 500 * time.Millisecond, 10 * time.Second
	pause := min(first<<min(m.link.attempts, 5), most)
	m.link.attempts++
	m.link.err, m.link.next = err, m.now.Add(pause)
	m.link.round++
	return m.load.after(pause, refreshDueMsg{m.link.round})
}

// isLost reports whether what is shown is old.
func (m *model) isLost() bool { return !m.link.lost.IsZero() }

// onRefreshed takes over the numbers. A slow source is asked less often.
func (m *model) onRefreshed(msg refreshedMsg) tea.Cmd {
	m.link.refreshing = false
	if msg.err != nil {
		return m.lose(msg.err)
	}
	m.answer(msg.at, msg.took)
	byBase := make(map[queue.KeyBase]*row, len(m.rows))
	for _, r := range m.rows {
		byBase[r.Base] = r
	}
	if msg.asked {
		m.link.workers = msg.at
	}
	for i, base := range msg.bases {
		if r := byBase[base]; r != nil {
			r.take(msg, i)
		}
	}
	for i, base := range msg.moving {
		if r := byBase[base]; r != nil && msg.stands[i].Err == nil {
			r.standing = msg.stands[i].Standing
		}
	}
	m.link.firstStanding += standingsPerRefresh
	for _, r := range m.rows {
		r.status = r.judge(m.now)
	}
	sortRows(m.rows)
	m.follow()
	pause := m.o.Refresh
	if msg.took > pause/4 {
		pause = 4 * msg.took
	}
	m.link.next = m.now.Add(pause)
	return tea.Batch(m.load.after(pause, refreshDueMsg{m.link.round}), m.loadShown())
}

// take keeps what a refresh brought for one queue.
func (r *row) take(msg refreshedMsg, i int) {
	r.known, r.counts = true, msg.counts[i]
	if msg.asked {
		r.workers = render.Unknown
		if msg.workers != nil {
			r.workers = len(msg.workers[r.Base])
		}
	}
	if !r.waits() && r.counts.Active == 0 {
		r.standing = queue.Standing{}
	}
	if r.rated = msg.rates[i].Err == nil; r.rated {
		r.rates = msg.rates[i]
	}
	for minute, rates := range msg.minutes {
		if rates[i].Err == nil {
			r.done.begin(minuteOf(msg.at))
			r.failed.begin(minuteOf(msg.at))
			r.done.set(minute, rates[i].CompletedPerMinute)
			r.failed.set(minute, rates[i].FailedPerMinute)
		}
	}
}

// onHistory fills in the minutes before the program was started.
func (m *model) onHistory(msg historyMsg) {
	for i, base := range msg.bases {
		at := slices.IndexFunc(m.rows, func(r *row) bool { return r.Base == base })
		if at < 0 {
			continue
		}
		for minute, rates := range msg.minutes {
			if rates[i].Err == nil {
				r := m.rows[at]
				// The current minute comes first: the newest is the base of a history.
				r.done.begin(minuteOf(m.now))
				r.failed.begin(minuteOf(m.now))
				r.done.set(minute, rates[i].CompletedPerMinute)
				r.failed.set(minute, rates[i].FailedPerMinute)
			}
		}
	}
}
