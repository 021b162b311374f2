package render

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// JobPage is everything about one job.
type JobPage struct {
	Queue string // the name by which the operator knows it
	Job   *queue.Job
	// Due is when a delayed job is due; zero for others.
	Due time.Time
	// Position is the place of a waiting job in the order of running, from 1; 0
	// when it has none, or it is not known.
	Position int64
	// Logs are the lines of its log, the newest last, and LogsTotal how many
	// there are.
	Logs      []string
	LogsTotal int64
	Children  queue.ChildCounts
}

// Write writes the page for reading. What the job does not have is left out. On
// a terminal a text that nobody would read to its end is cut, with its size,
// unless everything is asked for.
func (p JobPage) Write(w io.Writer, o Options) error {
	page := pageWriter{o: o}
	page.title(p)
	for _, line := range p.facts(o) {
		page.fact(line.label, line.cell)
	}
	p.sections(&page)
	_, err := io.WriteString(w, page.String())
	return err
}

type fact struct {
	label string
	cell  Cell
}

func (p JobPage) facts(o Options) []fact {
	job := p.Job
	var facts []fact
	add := func(has bool, label, text string) {
		if has {
			facts = append(facts, fact{label, Cell{Text: text}})
		}
	}
	moment := func(label string, t time.Time) { add(!t.IsZero(), label, withAge(t, o)) }

	moment("created", job.Timestamp)
	moment("due", p.Due)
	add(p.Position > 0, "position", ordinal(p.Position)+" to run")
	moment("processed on", job.ProcessedOn)
	moment("finished on", job.FinishedOn)
	took, ok := jobTook(job)
	add(ok, "took", Duration(took))
	attempts := strconv.Itoa(job.AttemptsMade) + " made"
	if job.Attempts > 0 {
		attempts += " of " + strconv.Itoa(job.Attempts)
	}
	add(true, "attempts", attempts+", "+strconv.Itoa(job.AttemptsStarted)+" started")
	add(job.StalledCounter > 0, "stalled", strconv.Itoa(job.StalledCounter))
	add(job.Priority > 0, "priority", strconv.Itoa(job.Priority))
	add(job.Delay > 0, "delay", Duration(job.Delay))
	add(job.ProcessedBy != "", "worker", job.ProcessedBy)
	add(job.ParentKey != "", "parent", job.ParentKey)
	add(p.Children.Total() > 0, "children", ChildCountsText(p.Children))
	add(job.DeduplicationID != "", "deduplication id", job.DeduplicationID)
	add(job.RepeatJobKey != "", "schedule", job.RepeatJobKey)
	for _, field := range cutFields(job) {
		add(true, "not read", field+" ("+Bytes(job.Cut[field])+")")
	}
	for _, reason := range job.Corrupt {
		facts = append(facts, fact{"corrupt", Cell{Text: reason, Style: StyleBad}})
	}
	return facts
}

// ordinal is a number as a place: 1st, 22nd, 1,013th.
func ordinal(n int64) string {
	ending := "th"
	if n%100/10 != 1 {
		switch n % 10 {
		case 1:
			ending = "st"
		case 2:
			ending = "nd"
		case 3:
			ending = "rd"
		}
	}
	return Count(n) + ending
}

// withAge is a time and, for people, how far away it is.
func withAge(t time.Time, o Options) string {
	switch away := o.Now.Sub(t); {
	case !o.Terminal || o.Now.IsZero():
		return Time(t)
	case away < 0:
		return Time(t) + "  (in " + Age(-away) + ")"
	default:
		return Time(t) + "  (" + Age(away) + " ago)"
	}
}

func (p JobPage) sections(page *pageWriter) {
	job := p.Job
	page.section(job.HasFailedReason, "failed reason", page.prose(job.FailedReason))
	page.section(job.HasDeferredFailure, "fails next with", page.prose(job.DeferredFailure))
	for _, part := range []struct {
		title string
		raw   []byte
	}{
		{"data", job.Data}, {"opts", job.Opts}, {"progress", job.Progress}, {"return value", job.ReturnValue},
	} {
		page.section(len(part.raw) > 0, part.title, page.shorten(JSONText(part.raw)))
	}
	for i, trace := range job.Stacktrace {
		title := "stack trace"
		if len(job.Stacktrace) > 1 {
			title = fmt.Sprintf("stack trace %d of %d", i+1, len(job.Stacktrace))
		}
		page.section(true, title, page.prose(trace))
	}
	title := "logs"
	if hidden := p.LogsTotal - int64(len(p.Logs)); hidden > 0 {
		title = fmt.Sprintf("logs (last %d of %s)", len(p.Logs), Count(p.LogsTotal))
	}
	lines := make([]string, len(p.Logs))
	for i, line := range p.Logs {
		lines[i] = page.shorten(LogText(line))
	}
	page.section(len(lines) > 0, title, strings.Join(lines, "\n"))
}

// pageWriter gathers a page.
type pageWriter struct {
	strings.Builder
	o Options
}

func (p *pageWriter) title(page JobPage) {
	job := page.Job
	fmt.Fprintf(p, "%s %s", p.o.Paint(Text(page.Queue), StyleBold), p.o.Paint("#"+Text(job.ID), StyleBold))
	if job.Name != "" {
		fmt.Fprintf(p, "  %s", Text(job.Name))
	}
	if job.State != "" {
		fmt.Fprintf(p, "  %s", p.cell(StateCell(job.State, p.o)))
	}
	p.WriteString("\n\n")
}

// cell returns the escaped text of a cell for this reader, painted.
func (p *pageWriter) cell(c Cell) string {
	if !p.o.Terminal && c.Plain != "" {
		c.Text = c.Plain
	}
	return p.o.Paint(Text(c.Text), c.Style)
}

// labelWidth holds the longest label and a gap.
const labelWidth = len("deduplication id") + gap

func (p *pageWriter) fact(label string, c Cell) {
	fmt.Fprintf(p, "%s%s%s\n", p.o.Paint(label, StyleDim), strings.Repeat(" ", labelWidth-len(label)), p.cell(c))
}

// section writes an indented block under a title. The body must be escaped.
func (p *pageWriter) section(has bool, title, body string) {
	if !has {
		return
	}
	fmt.Fprintf(p, "\n%s\n", p.o.Paint(title, StyleBold))
	for line := range strings.SplitSeq(strings.TrimRight(body, "\n"), "\n") {
		p.WriteString(strings.TrimRight(indent+line, " ") + "\n")
	}
}

// prose makes a foreign text of several lines fit for the page. Tabs and the
// line ends of Windows are layout here, no threat.
func (p *pageWriter) prose(s string) string {
	return p.shorten(prose(s))
}

func prose(s string) string {
	return Multiline(strings.NewReplacer("\r\n", "\n", "\t", "    ").Replace(s))
}

func (p *pageWriter) shorten(s string) string {
	if !p.o.Terminal || p.o.Wide {
		return s
	}
	return shorten(s)
}
