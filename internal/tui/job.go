package tui

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// jobScreen is everything about one job.
type jobScreen struct {
	base    queue.KeyBase
	id      string
	got     *jobMsg // nil until the first answer
	err     error   // of the last answer
	gone    bool
	scroll  int
	loading bool
}

func (s *jobScreen) reload(m *model) tea.Cmd {
	if s.loading || m.isLost() {
		return nil
	}
	s.loading = true
	return m.load.job(s.base, s.id)
}

// onJob takes over a job if it is this one. When it was removed, what was read
// before stays, and says so.
func (s *jobScreen) onJob(msg jobMsg) {
	if msg.base != s.base || msg.id != s.id {
		return
	}
	s.loading = false
	s.err, s.gone = msg.err, errors.Is(msg.err, queue.ErrJobNotFound)
	if msg.err == nil {
		s.got = &msg
	}
}

// view draws the screen below the header.
func (s *jobScreen) view(m *model, w, h int) []line {
	t := m.theme
	if s.got == nil {
		if s.err != nil {
			return []line{{{" " + t.foreign(s.err.Error()), roleBad}}}
		}
		return []line{m.loadingLine()}
	}
	lines := s.summary(m, w)
	body := s.body(m, w)
	rows := max(h-len(lines), 0)
	s.scroll = max(min(s.scroll, len(body)-rows), 0)
	body = body[min(s.scroll, len(body)):]
	if len(body) > rows && rows > 0 {
		left := len(body) - rows + 1
		body = append(append([]line{}, body[:rows-1]...), line{{fmt.Sprintf(" %s %d more lines", t.down, left), roleDim}})
	}
	return append(lines, body...)
}

func (s *jobScreen) summary(m *model, w int) []line {
	t, job := m.theme, &s.got.job
	cell := render.StateCell(job.State, render.Options{Terminal: true, ASCII: t.ascii})
	l := line{{" " + t.foreign(cell.Text), ofStyle[cell.Style]}, {"  " + t.foreign(job.Name), roleBold}}
	if s.gone {
		l = append(l, span{"  removed meanwhile", roleWarn})
	} else if s.err != nil {
		l = append(l, span{"  " + t.foreign(s.err.Error()), roleBad})
	}
	facts := []string{"attempts " + attempts(job)}
	add := func(has bool, text string) {
		if has {
			facts = append(facts, text)
		}
	}
	add(job.Priority > 0, fmt.Sprintf("priority %d", job.Priority))
	add(job.Delay > 0, "delay "+render.Duration(job.Delay))
	add(job.StalledCounter > 0, fmt.Sprintf("stalled %d", job.StalledCounter))
	add(job.ProcessedBy != "", "worker "+t.foreign(job.ProcessedBy))
	add(job.ParentKey != "", "parent "+t.foreign(job.ParentKey))
	add(job.DeduplicationID != "", "dedup "+t.foreign(job.DeduplicationID))
	add(job.RepeatJobKey != "", "schedule "+t.foreign(job.RepeatJobKey))
	lines := []line{l, {plain(" " + strings.Join(facts, "   "))}}
	return append(lines, t.rule(nil, w))
}

// twoColumns is the width from which texts stand beside each other.
const twoColumns = 110

// body is the texts, of which the window shows a part.
func (s *jobScreen) body(m *model, w int) []line {
	t := m.theme
	left := func(width int) []line {
		lines := s.times(m, width)
		lines = append(lines, s.jsonSection(t, "data", s.got.job.Data, width)...)
		lines = append(lines, s.jsonSection(t, "opts", s.got.job.Opts, width)...)
		return append(lines, s.jsonSection(t, "return value", s.got.job.ReturnValue, width)...)
	}
	if w < twoColumns {
		return append(s.trouble(t, w), append(left(w), s.logs(t, w)...)...)
	}
	half := (w - 1) / 2
	a := left(half)
	b := append(s.trouble(t, w-half-1), s.logs(t, w-half-1)...)
	n := max(len(a), len(b))
	side := make([]line, n)
	for i := range side {
		side[i] = line{{t.vertical, roleDim}}
	}
	return beside(t.area(a, half, n), side, t.area(b, w-half-1, n))
}

// times is when what happened, and how long it took.
func (s *jobScreen) times(m *model, w int) []line {
	job := &s.got.job
	lines := []line{sectionTitle("times")}
	step := func(name string, at time.Time, note string) {
		if at.IsZero() {
			return
		}
		age := render.Age(m.now.Sub(at)) + " ago"
		lines = append(lines, m.theme.cutLine(line{
			{"   " + name + blank(9-len(name)), roleDim},
			plain(at.UTC().Format("2006-01-02 15:04:05.000Z")),
			{"  " + age + "  " + note, roleDim},
		}, w))
	}
	step("added", job.Timestamp, "")
	waited := ""
	if !job.Timestamp.IsZero() && !job.ProcessedOn.IsZero() {
		waited = "waited " + render.Duration(job.ProcessedOn.Sub(job.Timestamp))
	}
	step("started", job.ProcessedOn, waited)
	took := ""
	if !job.ProcessedOn.IsZero() && !job.FinishedOn.IsZero() {
		took = "ran " + ran(job)
	}
	step(cmp.Or(map[queue.State]string{queue.StateFailed: "failed", queue.StateCompleted: "done"}[job.State], "finished"), job.FinishedOn, took)
	return append(lines, nil)
}

// trouble is why it failed, where, and what of it cannot be read.
func (s *jobScreen) trouble(t *theme, w int) []line {
	job := &s.got.job
	var lines []line
	for _, c := range job.Corrupt {
		lines = append(lines, line{{" corrupt: " + t.foreign(c), roleBad}})
	}
	for _, field := range slices.Sorted(maps.Keys(job.Cut)) {
		lines = append(lines, line{{" not read: " + field + " (" + render.Bytes(job.Cut[field]) + ")", roleWarn}})
	}
	if job.HasFailedReason {
		lines = append(lines, s.section(t, "failed reason", prose(t, job.FailedReason), w)...)
	}
	if job.HasDeferredFailure {
		lines = append(lines, s.section(t, "fails next with", prose(t, job.DeferredFailure), w)...)
	}
	for i := len(job.Stacktrace) - 1; i >= 0; i-- {
		title := "stack trace"
		if n := len(job.Stacktrace); n > 1 {
			title = fmt.Sprintf("stack trace %d of %d", i+1, n)
		}
		lines = append(lines, s.section(t, title, prose(t, job.Stacktrace[i]), w)...)
	}
	return lines
}

func (s *jobScreen) logs(t *theme, w int) []line {
	if len(s.got.logs) == 0 {
		return nil
	}
	title := fmt.Sprintf("logs (%d)", s.got.lines)
	if n := int64(len(s.got.logs)); n < s.got.lines {
		title = fmt.Sprintf("logs (last %d of %s)", n, render.Count(s.got.lines))
	}
	texts := make([]string, len(s.got.logs))
	for i, text := range s.got.logs {
		texts[i] = strings.ReplaceAll(prose(t, strings.TrimRight(text, "\r\n")), "\n", "\n  ") // no line of it passes for another
	}
	return s.section(t, title, strings.Join(texts, "\n"), w)
}

func (s *jobScreen) jsonSection(t *theme, title string, raw []byte, w int) []line {
	if len(raw) == 0 {
		return nil
	}
	text := render.JSONText(raw)
	if t.ascii {
		text = asciiLines(text)
	}
	return s.section(t, fmt.Sprintf("%s (%s)", title, render.Bytes(int64(len(raw)))), text, w)
}

func sectionTitle(title string) line { return line{{" " + title, roleBold}} }

// maxSectionLines is more of one text than anybody scrolls through.
const maxSectionLines = 2000

// section is a text under a title, wrapped to the width. It must be escaped.
func (s *jobScreen) section(_ *theme, title, text string, w int) []line {
	lines := []line{sectionTitle(title)}
	const indent = 3
	// Cut before it is wrapped: a payload may be a megabyte in one line.
	if most := maxSectionLines * max(w, 1); len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	for _, part := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		for _, wrapped := range strings.Split(ansi.Wrap(part, max(w-indent-1, 1), ""), "\n") {
			if len(lines) > maxSectionLines {
				return append(lines, line{{"   " + "(there is more: qctl show)", roleDim}}, nil)
			}
			lines = append(lines, line{plain(blank(indent) + wrapped)})
		}
	}
	return append(lines, nil)
}

// prose makes a foreign text of several lines fit for the screen. Tabs and the
// line ends of Windows are layout here, no threat.
func prose(t *theme, text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\t", "    ").Replace(text)
	if t.ascii {
		lines := strings.Split(text, "\n")
		for i, l := range lines {
			lines[i] = render.ASCII(l)
		}
		return strings.Join(lines, "\n")
	}
	return render.Multiline(text)
}

// asciiLines escapes what is not ASCII in a text that is escaped already.
func asciiLines(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}
