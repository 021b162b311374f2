package tui

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// kept is how many minutes of rates are kept.
const kept = 60

// history is how many jobs finished in each of the last minutes.
type history struct {
	newest int64 // minutes since the epoch
	counts [kept]int64
	begun  bool
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// set notes what was counted for a minute. What is too old is left out.
func (h *history) set(minute, n int64) {
	h.begin(minute)
	for steps := 0; h.newest < minute && steps < kept; steps++ {
		h.newest++
		h.counts[h.slot(h.newest)] = render.Unknown
	}
	if h.newest < minute { // a gap of more than everything
		h.newest = minute
	}
	if minute > h.newest-kept {
		h.counts[h.slot(minute)] = n
	}
}

// begin makes every minute unknown, the first time.
func (h *history) begin(minute int64) {
	if h.begun {
		return
	}
	h.begun, h.newest = true, minute
	for i := range h.counts {
		h.counts[i] = render.Unknown
	}
}

func (h *history) slot(minute int64) int { return int((minute%kept + kept) % kept) }

// series is the newest n minutes until now, the newest last; unknown ones are
// below 0.
func (h *history) series(now time.Time, n int) []int64 {
	values := make([]int64, n)
	for i := range values {
		minute := minuteOf(now) - int64(n-1-i)
		values[i] = render.Unknown
		if h.begun && minute <= h.newest && minute > h.newest-kept {
			values[i] = h.counts[h.slot(minute)]
		}
	}
	return values
}

// sum adds up what is known.
func sum(values []int64) int64 {
	n := int64(0)
	for _, v := range values {
		n += max(v, 0)
	}
	return n
}

// row is all that is known about one queue.
type row struct {
	Queue
	known        bool // counts have come
	counts       queue.Counts
	rated        bool // rates have come
	rates        queue.Rates
	workers      int // or render.Unknown
	standing     queue.Standing
	done, failed history
	status       render.Status // empty while nothing is known
}

func (r *row) waits() bool { return r.counts.Waiting > 0 || r.counts.Prioritized > 0 }

// errorWindow is over how many minutes the share of failures is taken.
const errorWindow = int(render.ErrorWindow / time.Minute)

// evidence is what the queue is judged by.
func (r *row) evidence(now time.Time) render.Evidence {
	e := render.Evidence{
		Counts: r.counts, Workers: r.workers,
		CompletedPerMinute: render.Unknown, FailedPerMinute: render.Unknown,
		Lately: queue.Finished{
			Completed: sum(r.done.series(now, errorWindow)), Failed: sum(r.failed.series(now, errorWindow)),
		},
	}
	e.See(r.standing, now)
	if r.rated {
		e.CompletedPerMinute, e.FailedPerMinute = r.rates.CompletedPerMinute, r.rates.FailedPerMinute
	}
	return e
}

// judge finds the most urgent that can be said of the queue.
func (r *row) judge(now time.Time) render.Status {
	if !r.known {
		return ""
	}
	return r.evidence(now).Status()
}

// urgency is the order of attention.
var urgency = map[render.Status]int{
	render.StatusUnreadable: 0, render.StatusNoWorkers: 1, render.StatusStuck: 2, render.StatusFailing: 3,
	render.StatusLate: 4, render.StatusCapped: 5, render.StatusRateLimited: 6, render.StatusBusy: 7,
	render.StatusPaused: 8, render.StatusIdle: 9, "": 10,
}

// sortRows puts what needs attention first; ties go by name.
func sortRows(rows []*row) {
	slices.SortStableFunc(rows, func(a, b *row) int {
		return cmp.Or(
			cmp.Compare(urgency[a.status], urgency[b.status]),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Base.String(), b.Base.String()),
		)
	})
}

// totals add up what is known of all queues.
type totals struct {
	counts       queue.Counts
	done, failed int64 // per minute, or render.Unknown
	newFailed    int64 // in the last five minutes
	unknown      bool  // of some queue nothing is known
}

func total(rows []*row, now time.Time) totals {
	var t totals
	rated := len(rows) == 0
	for _, r := range rows {
		if !r.known || r.counts.Err != nil {
			t.unknown = true
			continue
		}
		t.counts.Waiting += r.counts.Waiting
		t.counts.Prioritized += r.counts.Prioritized
		t.counts.Active += r.counts.Active
		t.counts.Delayed += r.counts.Delayed
		t.counts.Failed += r.counts.Failed
		t.newFailed += sum(r.failed.series(now, errorWindow))
		if r.rated {
			rated = true
			t.done += r.rates.CompletedPerMinute
			t.failed += r.rates.FailedPerMinute
		}
	}
	if !rated {
		t.done, t.failed = render.Unknown, render.Unknown
	}
	return t
}

// short is a number in at most so many columns: grouped, else in thousands or
// millions; ? for an unknown one.
func short(n int64, width int) string {
	if n < 0 {
		return "?"
	}
	if text := render.Count(n); len(text) <= width {
		return text
	}
	value, unit := float64(n), 0
	const units = "kMGTPE"
	for value /= 1000; value >= 999.5 && unit < len(units)-1; unit++ {
		value /= 1000
	}
	digits := 0
	if value < 99.95 {
		digits = 1
	}
	text := strconv.FormatFloat(value, 'f', digits, 64) + units[unit:unit+1]
	if len(text) > width {
		text = strconv.FormatFloat(value, 'f', 0, 64) + units[unit:unit+1]
	}
	return text
}
