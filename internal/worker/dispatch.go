package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// finished is a job whose outcome is decided and waits to be recorded.
type finished struct {
	run     *run
	outcome queue.Outcome
	doubt   bool // it was sent and no answer came
}

// dispatch sends flights until the worker has stopped and everything it ran is
// recorded.
func (w *Worker) dispatch(claiming, jobs, writes context.Context, stopClaiming context.CancelFunc) error {
	for {
		f, wait, state := w.prepare(claiming)
		switch state {
		case allDone:
			return nil
		case drained:
			stopClaiming()
			return nil
		case abandoned:
			return w.abandon()
		case takeOff:
			go w.fly(jobs, writes, f)
			continue
		case waiting:
		}
		var again <-chan time.Time
		if wait > 0 {
			again = time.After(wait)
		}
		select {
		case <-w.kick:
		case <-again:
		}
	}
}

type dispatchState int

const (
	waiting dispatchState = iota
	takeOff
	allDone
	drained
	abandoned
)

const (
	// lastTry is how long after the grace period, or after the last job that
	// went beyond it, outcomes that cannot be recorded are tried again.
	lastTry = 1200 * time.Millisecond
	// lastWait bounds what is done at the very end, each thing for itself.
	lastWait = 300 * time.Millisecond
)

// prepare decides what dispatch does next, and books the slots of a flight.
// A wait of 0 means until something changes.
func (w *Worker) prepare(claiming context.Context) (f flight, wait time.Duration, state dispatchState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stopping := w.stopping || claiming.Err() != nil
	if w.flights == 0 && len(w.running) == 0 && len(w.unanswered) == 0 {
		if stopping {
			return flight{}, 0, allDone
		}
		if w.cfg.Drain && !w.hungry && w.empty {
			return flight{}, 0, drained
		}
	}
	now := time.Now()
	left, ending := w.timeLeft(now, stopping)
	if ending && left <= 0 {
		return flight{}, 0, abandoned
	}
	if now.Before(w.pauseTo) {
		wait = w.pauseTo.Sub(now)
		if ending {
			wait = min(wait, left)
		}
		return flight{}, wait, waiting
	}
	claims := 0
	if !stopping && (w.hungry || len(w.outcomes) > 0) {
		claims = max(0, min(w.free, w.batchSize())) // fewer than none after a lower concurrency
	}
	// While calls fail there is one at a time, which has outcomes to record
	// when there are any: nothing is claimed that could not be recorded.
	most := maxFlights
	if w.troubled {
		most = 1
	}
	// Behind a flight in the air, Redis would not look at a small one any
	// sooner than at the larger one that it can still become.
	early := w.flights > 0 && w.executing > 0 && len(w.outcomes) < w.batchSize() && len(w.unanswered) == 0
	if w.flights >= most || early || (len(w.outcomes) == 0 && len(w.unanswered) == 0 && (claims == 0 || !w.hungry)) {
		return flight{}, max(0, left), waiting
	}
	return w.book(claims), 0, takeOff
}

// book takes what a flight carries. The caller holds the lock.
func (w *Worker) book(claims int) flight {
	n := w.batchOf(w.outcomes)
	f := flight{batch: append([]finished(nil), w.outcomes[:n]...), lost: w.unanswered, wakes: w.wakes}
	w.outcomes = w.outcomes[:copy(w.outcomes, w.outcomes[n:])]
	w.unanswered = nil
	if claims > 0 {
		w.free -= claims
		f.next = &queue.ClaimRequest{
			N: claims, Token: w.nextToken(), Lock: w.cfg.Lock, Limiter: w.live.Load().limiter, Worker: w.cfg.Name,
		}
	}
	w.flights++
	return f
}

// timeLeft says how long a worker that stops goes on trying to reach Redis,
// once all its handlers have ended: to record outcomes until the grace period
// is over, and a little longer in any case. ending is false as long as there is
// no such end. The caller holds the lock.
func (w *Worker) timeLeft(now time.Time, stopping bool) (left time.Duration, ending bool) {
	if !stopping || w.executing > 0 {
		w.giveUp = time.Time{}
		return 0, false
	}
	if w.giveUp.IsZero() {
		w.giveUp = now.Add(lastTry)
	}
	end := w.giveUp
	if grace := w.graceEnds.Add(lastTry); len(w.running) > 0 && grace.After(end) {
		end = grace
	}
	return end.Sub(now), true
}

// mostBatchBytes bounds what one flight carries of results: a call is sent and
// held in memory whole.
const mostBatchBytes = 4 << 20

// batchOf is how many of the outcomes go into one flight.
func (w *Worker) batchOf(outcomes []finished) int {
	most, bytes := min(len(outcomes), w.batchSize()), 0
	for n := range most {
		o := &outcomes[n].outcome
		bytes += len(o.ReturnValue) + len(o.FailedReason)
		for _, trace := range o.Stacktrace {
			bytes += len(trace)
		}
		if bytes > mostBatchBytes && n > 0 {
			return n
		}
	}
	return most
}

// batchSize leaves half of the slots to the other flight.
func (w *Worker) batchSize() int {
	return min((w.live.Load().concurrency+1)/2, queue.MaxClaim)
}

// abandon gives up on what could not be settled with Redis. The jobs keep
// their locks until those end; then another worker runs them again.
func (w *Worker) abandon() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	cause := w.errs.lastError()
	if cause == nil {
		cause = errNoAnswer
	}
	if len(w.running) == 0 {
		w.log.Warn("stopped without knowing what the last claim took", "err", cause)
		return nil
	}
	return fmt.Errorf("%d outcomes could not be recorded: %w", len(w.running), cause)
}

var errNoAnswer = errors.New("redis does not answer")
