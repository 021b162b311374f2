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
	StatusStuck       Status = "stuck"      // nobody holds an active job, or workers take none of those that wait
	StatusFailing     Status = "failing"
	StatusLate        Status = "late"
	StatusPaused      Status = "paused"
	StatusCapped      Status = "capped"       // as many active as the queue's limit allows
	StatusRateLimited Status = "rate-limited" // the queue's rate lets no job start now
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
// FailingRate per cent have failed. A queue is stuck when jobs wait for longer
// than LateAfter and no worker has taken or finished one in that time, or when an
// active job that nobody holds was started before StuckAfter: by then every
// worker has looked for such jobs twice since its lock expired.
const (
	ErrorWindow   = 5 * time.Minute
	LateAfter     = 5 * time.Minute
	StuckAfter    = 2 * time.Minute
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
	// Unheld is how long ago the first of the active jobs was started that nobody
	// holds; 0 when all are held, as far as was looked.
	Unheld time.Duration
	// Still is how long ago a job last started or ended, or Unknown. It means
	// nothing while jobs are active.
	Still time.Duration
	// Finished in the last minute, or Unknown.
	CompletedPerMinute int64
	FailedPerMinute    int64
	// Lately is what finished within ErrorWindow, as far as it is known.
	Lately queue.Finished
}

// See takes over how a queue stood at a moment.
func (e *Evidence) See(s queue.Standing, now time.Time) {
	e.OldestWaiting, e.Unheld, e.Still = Unknown, 0, Unknown
	if !s.OldestWaiting.IsZero() {
		e.OldestWaiting = max(now.Sub(s.OldestWaiting), 0)
	}
	if !s.Unlocked.IsZero() {
		e.Unheld = max(now.Sub(s.Unlocked), 0)
	}
	if !s.Moved.IsZero() {
		e.Still = max(now.Sub(s.Moved), 0)
	}
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

// capped reports whether as many jobs are active as may be.
func (e Evidence) capped() bool {
	return e.Counts.Concurrency != nil && e.Counts.Active >= int64(*e.Counts.Concurrency)
}

// stuck reports whether nothing will move by itself: what should take jobs, or
// take them back, is there and does not.
func (e Evidence) stuck() bool {
	if e.Counts.Active > 0 {
		return e.Unheld > StuckAfter
	}
	mayStart := !e.Counts.Paused && !e.capped() && e.Counts.LimitedFor == 0
	finished := e.Lately.Completed + e.Lately.Failed + max(e.CompletedPerMinute, 0) + max(e.FailedPerMinute, 0)
	moved := finished > 0 || e.Still >= 0 && e.Still <= LateAfter
	return e.Waits() && e.OldestWaiting > LateAfter && e.Workers > 0 && mayStart && !moved
}

// Status is the most urgent that the numbers prove.
func (e Evidence) Status() Status {
	switch {
	case e.Counts.Err != nil:
		return StatusUnreadable
	case e.Waits() && e.Workers == 0 && !e.Counts.Paused:
		return StatusNoWorkers
	case e.stuck():
		return StatusStuck
	case e.failing():
		return StatusFailing
	case e.Counts.Paused:
		return StatusPaused
	case e.Waits() && e.OldestWaiting > LateAfter:
		return StatusLate
	case e.Waits() && e.capped():
		return StatusCapped
	case e.Waits() && e.Counts.LimitedFor > 0:
		return StatusRateLimited
	case e.Waits() || e.Counts.Active > 0:
		return StatusBusy
	}
	return StatusIdle
}
