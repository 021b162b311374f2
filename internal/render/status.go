package render

import (
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// Status sums up a queue in a word. The words are in the order of urgency.
type Status string

// What a queue may be.
const (
	StatusUnreadable  Status = "unreadable" // its keys are not a queue's, or forbidden
	StatusNoWorkers   Status = "no-workers" // jobs wait, nobody works
	StatusStuck       Status = "stuck"      // active jobs whose locks have expired
	StatusFailing     Status = "failing"
	StatusLate        Status = "late"
	StatusPaused      Status = "paused"
	StatusCapped      Status = "capped" // as many active as the queue's limit allows
	StatusRateLimited Status = "rate-limited"
	StatusBusy        Status = "busy"
	StatusIdle        Status = "idle"
)

// Urgent reports whether somebody should look.
func (s Status) Urgent() bool {
	switch s {
	case StatusUnreadable, StatusNoWorkers, StatusStuck, StatusFailing, StatusLate:
		return true
	}
	return false
}

// The rules by which a queue needs attention: jobs wait for longer than LateAfter,
// or of those that finished within ErrorWindow at least FailingAtOnce and
// FailingRate per cent have failed.
const (
	ErrorWindow   = 5 * time.Minute
	LateAfter     = 5 * time.Minute
	FailingAtOnce = 10
	FailingRate   = 20
)

// Evidence is what a queue is judged by, the same for a list, the dashboard and
// a condition.
type Evidence struct {
	Counts queue.Counts
	// Workers is how many workers are connected, or Unknown.
	Workers int
	// OldestWaiting is how long the job has waited that waits longest, or
	// Unknown. It means nothing where no job waits.
	OldestWaiting time.Duration
	// Finished in the last minute, or Unknown.
	CompletedPerMinute int64
	FailedPerMinute    int64
	// Lately is what finished within ErrorWindow, as far as it is known.
	Lately queue.Finished
}

// Waits reports whether jobs are there for the next free worker.
func (e Evidence) Waits() bool { return e.Counts.Waiting > 0 || e.Counts.Prioritized > 0 }

// ErrorRate is the share of failures of what finished lately, in per cent;
// false when nothing has.
func (e Evidence) ErrorRate() (float64, bool) {
	all := e.Lately.Failed + e.Lately.Completed
	if all == 0 {
		return 0, false
	}
	return 100 * float64(e.Lately.Failed) / float64(all), true
}

// failing reports whether jobs fail in earnest: many of many, or all of a few.
func (e Evidence) failing() bool {
	if e.FailedPerMinute > 0 && e.CompletedPerMinute == 0 {
		return true
	}
	rate, _ := e.ErrorRate()
	return e.Lately.Failed >= FailingAtOnce && rate >= FailingRate
}

// Status is the most urgent that the numbers prove.
func (e Evidence) Status() Status {
	switch {
	case e.Counts.Err != nil:
		return StatusUnreadable
	case e.Waits() && e.Workers == 0 && !e.Counts.Paused:
		return StatusNoWorkers
	case e.failing():
		return StatusFailing
	case e.Counts.Paused:
		return StatusPaused
	case e.Waits() && e.OldestWaiting > LateAfter:
		return StatusLate
	case e.Waits() || e.Counts.Active > 0:
		return StatusBusy
	}
	return StatusIdle
}
