package cmd

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/render"
)

const (
	// progressFirst is how long a change lasts before its progress is shown,
	// and progressRedraw how long a bar stays as it is.
	progressFirst  = 500 * time.Millisecond
	progressRedraw = 100 * time.Millisecond
	// progressLine is how often there is a line where nobody looks at a bar.
	progressLine = 10 * time.Second
)

// progress tells on standard error how far a change has come: as a bar on a
// terminal, else as a line now and then.
type progress struct {
	w       io.Writer
	now     func() time.Time
	bar     bool
	label   string
	total   int64 // 0 when it is not known
	done    int64
	started time.Time
	next    time.Time
	width   int // of the bar as it is shown
}

// newProgress begins a progress line. For programs there are no lines: what
// they read on standard error are errors.
func (a *app) newProgress(label string, total int64) *progress {
	now := a.now()
	p := &progress{
		w: a.streams.Err, now: a.now, bar: a.streams.ErrIsTerminal(), label: render.Text(label), total: total,
		started: now, next: now.Add(progressLine),
	}
	if p.bar {
		p.next = now.Add(progressFirst)
	} else if format, err := a.format(); err == nil && !format.ForPeople() {
		p.w = io.Discard
	}
	return p
}

// add counts jobs that are done, and shows it when it is time to.
func (p *progress) add(n int) {
	p.done += int64(n)
	now := p.now()
	if now.Before(p.next) {
		return
	}
	text := p.text(now)
	if !p.bar {
		p.next = now.Add(progressLine)
		fmt.Fprintln(p.w, text)
		return
	}
	p.next = now.Add(progressRedraw)
	text = render.Cut(text, barColumns)
	p.blank()
	p.width = render.Width(text)
	fmt.Fprintf(p.w, "\r%s", text)
}

// barColumns keeps the bar on one line of a common terminal.
const barColumns = 79

// end takes the bar away.
func (p *progress) end() { p.blank() }

func (p *progress) blank() {
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}

// text is `retry billing ███████░░░ 71% 970k/1.37M 262k/s ETA 2s`.
func (p *progress) text(now time.Time) string {
	elapsed := now.Sub(p.started).Seconds()
	rate := 0.0
	if elapsed > 0 {
		rate = float64(p.done) / elapsed
	}
	if p.total <= 0 {
		return fmt.Sprintf("%s %s %s/s", p.label, shortCount(float64(p.done)), shortCount(rate))
	}
	total := max(p.total, p.done)
	text := p.label
	if p.bar {
		const cells = 10
		full := int(cells * p.done / total)
		text += " " + strings.Repeat("█", full) + strings.Repeat("░", cells-full)
	}
	text += fmt.Sprintf(" %d%% %s/%s %s/s", 100*p.done/total, shortCount(float64(p.done)), shortCount(float64(total)), shortCount(rate))
	if rate > 0 {
		left := time.Duration(float64(total-p.done) / rate * float64(time.Second))
		text += " ETA " + render.Age(left)
	}
	return text
}

// shortCount is a number in three digits: 970, 970k, 1.37M.
func shortCount(n float64) string {
	unit := ""
	for _, u := range []string{"k", "M", "G"} {
		if n < 999.5 {
			break
		}
		n, unit = n/1000, u
	}
	switch {
	case unit == "" || n >= 99.95:
		return fmt.Sprintf("%.0f%s", n, unit)
	case n >= 9.995:
		return fmt.Sprintf("%.1f%s", n, unit)
	}
	return fmt.Sprintf("%.2f%s", n, unit)
}
