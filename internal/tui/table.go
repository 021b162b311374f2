package tui

import (
	"cmp"
	"slices"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// column is one column of a list of T.
type column[T any] struct {
	head  string
	width int // at least
	right bool
	// drop is the order in which columns go when there is no room: the highest
	// first. 0 always stays.
	drop int
	// grow is up to which width the column takes room that is left.
	grow int
	cell func(row T, width int) span
}

// columns is a list's columns, fitted to a width.
type columns[T any] []column[T]

// fitColumns leaves out and widens columns. One column is for the marker.
func fitColumns[T any](all []column[T], width int) columns[T] {
	kept := slices.Clone(all)
	need := func() int {
		n := 0
		for _, c := range kept {
			n += c.width + 1
		}
		return n
	}
	for need() > width {
		at := 0
		for i, c := range kept {
			if c.drop > kept[at].drop {
				at = i
			}
		}
		if kept[at].drop == 0 {
			break
		}
		kept = slices.Delete(kept, at, at+1)
	}
	for i := range kept {
		if spare := width - need(); spare > 0 && kept[i].grow > kept[i].width {
			kept[i].width = min(kept[i].grow, kept[i].width+spare)
		}
	}
	return kept
}

func (cs columns[T]) head(t *theme) line {
	l := line{plain(" ")}
	for i, c := range cs {
		l = append(l, t.placed(span{c.head, roleDim}, c.width, c.right, i > 0)...)
	}
	return l
}

func (cs columns[T]) row(t *theme, row T, selected bool) line {
	marker := span{" ", roleNone}
	if selected {
		marker.text = t.marker
	}
	l := line{marker}
	for i, c := range cs {
		l = append(l, t.placed(c.cell(row, c.width), c.width, c.right, i > 0)...)
	}
	if selected {
		return l.as(roleSelected)
	}
	return l
}

// placed cuts or fills a cell, with a gap before it unless it is the first.
func (t *theme) placed(s span, width int, right, gap bool) line {
	l := line{}
	if gap {
		l = append(l, plain(" "))
	}
	s.text = t.cut(s.text, width)
	pad := plain(blank(width - render.Width(s.text)))
	if right {
		return append(l, pad, s)
	}
	return append(l, s, pad)
}

// numberSpan shows a number that may be unknown; nothing is faint.
func numberSpan(n int64, width int, r role) span {
	switch n {
	case 0:
		r = roleDim
	case render.Unknown:
		r = roleWarn
	}
	return span{short(n, width), r}
}

// queueColumns are the columns of the overview. Jobs that wait are never left
// out: the prioritized ones have no column only where there are none.
func (m *model) queueColumns(rows []*row) []column[*row] {
	longest, word, prioritized := 10, 10, 11
	for _, r := range rows {
		word = max(word, render.Width(m.statusWord(r).text))
		longest = max(longest, render.Width(m.theme.foreign(r.Name)))
		if r.counts.Prioritized > 0 {
			prioritized = 0
		}
	}
	count := func(head string, width, drop int, of func(queue.Counts) int64, look role) column[*row] {
		return column[*row]{head: head, width: width, right: true, drop: drop, cell: func(r *row, w int) span {
			if !r.known || r.counts.Err != nil {
				return numberSpan(render.Unknown, w, roleNone)
			}
			return numberSpan(of(r.counts), w, look)
		}}
	}
	rate := func(head string, width, drop int, of func(queue.Rates) int64, look role) column[*row] {
		return column[*row]{head: head, width: width, right: true, drop: drop, cell: func(r *row, w int) span {
			if !r.rated || m.isLost() {
				return numberSpan(render.Unknown, w, roleNone)
			}
			return numberSpan(of(r.rates), w, look)
		}}
	}
	const longestName = 40
	return []column[*row]{
		{head: "QUEUE", width: min(longest, 13), grow: min(longest, longestName), cell: func(r *row, _ int) span { return plain(m.theme.foreign(r.Name)) }},
		{head: "ST", width: 2, cell: func(r *row, _ int) span { return m.statusGlyph(r) }},
		{head: "", width: word, drop: 7, cell: func(r *row, _ int) span { return m.statusWord(r) }},
		count("WAIT", 6, 0, func(c queue.Counts) int64 { return c.Waiting }, roleNone),
		count("PRIO", 6, prioritized, func(c queue.Counts) int64 { return c.Prioritized }, roleNone),
		count("ACT", 5, 0, func(c queue.Counts) int64 { return c.Active }, roleBusy),
		count("DELAY", 6, 4, func(c queue.Counts) int64 { return c.Delayed }, roleNone),
		count("FAILED", 7, 0, func(c queue.Counts) int64 { return c.Failed }, roleBad),
		count("CHILD", 6, 10, func(c queue.Counts) int64 { return c.WaitingChildren }, roleNone),
		count("KEPT", 8, 9, func(c queue.Counts) int64 { return c.Completed }, roleNone),
		rate("DONE/m", 6, 2, func(r queue.Rates) int64 { return r.CompletedPerMinute }, roleNone),
		rate("FAIL/m", 6, 8, func(r queue.Rates) int64 { return r.FailedPerMinute }, roleBad),
		{head: "ERR%", width: 4, right: true, drop: 3, cell: func(r *row, _ int) span { return m.errorSpan(r) }},
		{head: "OLDEST", width: 6, right: true, drop: 1, cell: func(r *row, _ int) span { return m.oldestSpan(r) }},
		{head: "WRK", width: 3, right: true, drop: 1, cell: func(r *row, w int) span { return m.workersSpan(r, w) }},
		{head: "DONE 1h", width: 10, drop: 6, grow: kept, cell: func(r *row, w int) span {
			return span{m.theme.sparkline(buckets(r.done.series(m.now, kept), w)), roleGood}
		}},
	}
}

// buckets adds up a series into at most n values, all of equally many: a steady
// rate must look steady. A bucket of unknown ones is unknown.
func buckets(values []int64, n int) []int64 {
	if n <= 0 || n >= len(values) {
		return values
	}
	for len(values)%n != 0 {
		n--
	}
	fewer := make([]int64, n)
	for i := range fewer {
		fewer[i] = render.Unknown
		for _, v := range values[i*len(values)/n : (i+1)*len(values)/n] {
			if v >= 0 {
				fewer[i] = max(fewer[i], 0) + v
			}
		}
	}
	return fewer
}

// jobRow is one job of a state's list.
type jobRow struct {
	job   *queue.Job
	due   time.Time
	state queue.State
}

// columns are what one wants to know of jobs in this state.
func (s *queueScreen) columns(m *model, width int) columns[jobRow] {
	state := s.state()
	o := render.Options{Terminal: true, Now: m.now}
	widestID, widestName := 6, 8
	for i := range s.page.jobs {
		widestID = max(widestID, render.Width(m.theme.foreign(s.page.jobs[i].ID)))
		widestName = max(widestName, render.Width(m.theme.foreign(s.page.jobs[i].Name)))
	}
	const longestID, longestName = 36, 32
	age := func(head string, of func(jobRow) time.Time) column[jobRow] {
		return column[jobRow]{head: head, width: 8, right: true, drop: 1, cell: func(r jobRow, _ int) span {
			return plain(render.AgoCell(of(r), o).Text)
		}}
	}
	added := age("ADDED", func(r jobRow) time.Time { return r.job.Timestamp })
	cols := []column[jobRow]{
		{head: "JOB ID", width: min(widestID, 12), grow: min(widestID, longestID), cell: func(r jobRow, _ int) span { return plain(m.theme.foreign(r.job.ID)) }},
		{head: "NAME", width: min(widestName, 12), grow: min(widestName, longestName), cell: func(r jobRow, _ int) span { return plain(m.theme.foreign(r.job.Name)) }},
		{head: "ATT", width: 5, right: true, drop: 2, cell: func(r jobRow, _ int) span { return plain(attempts(r.job)) }},
	}
	switch state {
	case queue.StateDelayed:
		due := column[jobRow]{head: "DUE IN", width: 8, right: true, cell: func(r jobRow, _ int) span { return plain(render.UntilCell(r.due, o).Text) }}
		cols = append(cols, added, due)
	case queue.StateActive:
		cols = append(cols, added, age("RUNS FOR", func(r jobRow) time.Time { return r.job.ProcessedOn }),
			column[jobRow]{head: "WORKER", width: 10, grow: 30, drop: 3, cell: func(r jobRow, _ int) span { return plain(m.theme.foreign(cmp.Or(r.job.ProcessedBy, "-"))) }})
	case queue.StateFailed, queue.StateCompleted:
		head := "FAILED"
		if state == queue.StateCompleted {
			head = "DONE"
		}
		cols = append(cols, age(head, func(r jobRow) time.Time { return r.job.FinishedOn }),
			column[jobRow]{head: "RAN", width: 6, right: true, drop: 2, cell: func(r jobRow, _ int) span { return plain(ran(r.job)) }})
	default:
		cols = append(cols, added)
	}
	const reason = 200
	cols = append(cols, column[jobRow]{head: reasonHead(state), width: 8, grow: reason, drop: 4, cell: func(r jobRow, _ int) span { return m.reasonSpan(r) }})
	return fitColumns(cols, width)
}

func reasonHead(state queue.State) string {
	if state == queue.StateFailed {
		return "REASON"
	}
	return "LAST REASON"
}

// reasonSpan is why the job failed last, or that it cannot be read.
func (m *model) reasonSpan(r jobRow) span {
	switch job := r.job; {
	case len(job.Corrupt) > 0:
		return span{"corrupt: " + m.theme.foreign(job.Corrupt[0]), roleBad}
	case job.HasFailedReason:
		return plain(m.theme.foreign(job.FailedReason))
	case job.Cut["failedReason"] > 0:
		return span{"(" + render.Bytes(job.Cut["failedReason"]) + ", not read)", roleDim}
	}
	return plain("")
}

func attempts(job *queue.Job) string {
	text := short(int64(job.AttemptsMade), 5)
	if job.Attempts > 0 {
		text += "/" + short(int64(job.Attempts), 5)
	}
	return text
}

func ran(job *queue.Job) string {
	if job.ProcessedOn.IsZero() || job.FinishedOn.IsZero() {
		return "-"
	}
	return render.Duration(job.FinishedOn.Sub(job.ProcessedOn))
}
