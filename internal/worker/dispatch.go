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
}

// flight is one script call: outcomes that leave, and slots to be filled.
type flight struct {
	batch []finished
	next  *queue.ClaimRequest
	wakes int // the worker's wakes when it took off
}

// dispatch sends flights until the worker has stopped and everything it ran is
// recorded.
func (w *Worker) dispatch(claiming context.Context, stopClaiming context.CancelFunc, jobs, writes context.Context) error {
	var backoff <-chan time.Time
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
			go w.fly(f, jobs, writes)
			continue
		case waiting:
		}
		backoff = nil
		if wait > 0 {
			backoff = time.After(wait)
		}
		select {
		case <-w.kick:
		case <-backoff:
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

// lastTry is how long after a stop, and after the last job has ended, outcomes
// that cannot be recorded are tried again.
const lastTry = 1500 * time.Millisecond

// prepare decides what dispatch does next, and books the slots of a flight.
func (w *Worker) prepare(claiming context.Context) (f flight, wait time.Duration, state dispatchState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stopping := w.stopping || claiming.Err() != nil
	now := w.cfg.Now()
	if w.flights == 0 && len(w.running) == 0 && len(w.outcomes) == 0 {
		if stopping {
			return flight{}, 0, allDone
		}
		if w.cfg.Drain && !w.hungry && w.empty {
			return flight{}, 0, drained
		}
	}
	executing := len(w.running) - len(w.outcomes)
	if !stopping || executing > 0 || w.flights > 0 {
		w.stopped = now
	}
	if now.Before(w.pauseTo) {
		if now.Sub(w.stopped) > lastTry {
			return flight{}, 0, abandoned
		}
		return flight{}, w.pauseTo.Sub(now), waiting
	}
	claims := 0
	if !stopping && (w.hungry || len(w.outcomes) > 0) {
		claims = min(w.free, w.batchSize())
	}
	if w.flights >= maxFlights || (len(w.outcomes) == 0 && (claims == 0 || !w.hungry)) {
		return flight{}, 0, waiting
	}
	n := min(len(w.outcomes), w.batchSize())
	f = flight{batch: append([]finished(nil), w.outcomes[:n]...), wakes: w.wakes}
	w.outcomes = w.outcomes[:copy(w.outcomes, w.outcomes[n:])]
	if claims > 0 {
		w.free -= claims
		f.next = &queue.ClaimRequest{
			N: claims, Token: w.nextToken(), Lock: w.cfg.Lock, Limiter: w.cfg.Limiter, Worker: w.cfg.Name,
		}
	}
	w.flights++
	return f, 0, takeOff
}

// batchSize leaves half of the slots to the other flight.
func (w *Worker) batchSize() int {
	return min((w.cfg.Concurrency+1)/2, queue.MaxClaim)
}

// fly makes the call and lands its answer.
func (w *Worker) fly(f flight, jobs, writes context.Context) {
	started := time.Now() // monotonic: lock lives are counted from before the call
	settled, err := w.call(writes, f)
	if err != nil {
		settled, f, err = w.afterError(writes, f, err)
	}
	w.land(f, settled, err, started, jobs, writes)
}

func (w *Worker) call(ctx context.Context, f flight) (queue.Settled, error) {
	if len(f.batch) == 0 {
		claimed, err := w.cfg.Queue.Claim(ctx, *f.next)
		return queue.Settled{Claimed: claimed}, err
	}
	outcomes := make([]queue.Outcome, len(f.batch))
	for i := range f.batch {
		outcomes[i] = f.batch[i].outcome
	}
	return w.cfg.Queue.Settle(ctx, outcomes, queue.SettleOptions{MetricsPoints: w.cfg.MetricsPoints, Next: f.next})
}

// afterError finds out what a call did that gave no answer. An outcome whose
// lock still holds our token was not recorded; a claim that went through left
// its token on the jobs it took. The flight that comes back holds only what is
// still to be sent.
func (w *Worker) afterError(ctx context.Context, f flight, cause error) (queue.Settled, flight, error) {
	if queue.Classify(cause) != queue.ClassUnknown {
		return queue.Settled{}, f, cause
	}
	held := make([]queue.Held, len(f.batch))
	for i := range f.batch {
		held[i] = queue.Held{ID: f.batch[i].outcome.ID, Token: f.batch[i].outcome.Token}
	}
	mine, err := w.cfg.Queue.Mine(ctx, held)
	if err != nil {
		return queue.Settled{}, f, errors.Join(cause, err)
	}
	settled := queue.Settled{}
	if f.next != nil {
		jobs, err := w.cfg.Queue.Adopt(ctx, f.next.Token, w.cfg.Concurrency+queue.MaxClaim)
		if err != nil {
			return queue.Settled{}, f, errors.Join(cause, err)
		}
		settled.Claimed.Jobs = jobs
	}
	left := flight{next: f.next, wakes: f.wakes}
	for i := range f.batch {
		if mine[i] {
			left.batch = append(left.batch, f.batch[i])
		} else {
			w.release(f.batch[i], nil)
		}
	}
	return settled, left, cause
}

// land books what a flight brought. With an error its outcomes wait for the
// next one; jobs that it brought all the same are run.
func (w *Worker) land(f flight, settled queue.Settled, err error, started time.Time, jobs, writes context.Context) {
	for i, refused := range settled.Errs {
		if errors.Is(refused, queue.ErrPendingChildren) || errors.Is(refused, queue.ErrFailedChildren) {
			f.batch[i].run.redecide(refused)
			continue
		}
		w.release(f.batch[i], refused)
	}
	runs := make([]*run, len(settled.Claimed.Jobs))
	for i := range runs {
		runs[i] = newRun(w, settled.Claimed.Jobs[i], started, jobs)
	}
	for _, id := range settled.Claimed.Dropped {
		w.log.Warn("dropped an id that has no job", "job", id)
	}

	w.mu.Lock()
	w.flights--
	for _, r := range runs {
		w.running[r] = struct{}{}
	}
	now := w.cfg.Now()
	if err != nil {
		w.outcomes = append(f.batch, w.outcomes...)
		w.pauseTo = now.Add(w.errs.report(w.log, now, "redis", err))
	} else {
		w.pauseTo = time.Time{}
		w.errs.clear(w.log, now)
	}
	if f.next != nil {
		w.free += f.next.N - len(runs)
		if err == nil {
			w.sate(f, settled.Claimed, len(runs))
		}
	}
	w.mu.Unlock()

	for _, r := range runs {
		go r.do(writes)
	}
	w.nudge()
}

// sate decides whether the queue has more for us. An empty answer counts only
// if no marker came in while the claim was in the air: it may have looked
// before the job was there.
func (w *Worker) sate(f flight, claimed queue.Claimed, got int) {
	w.delayed = claimed.Wait.NextDelayed
	if got == f.next.N {
		w.hungry = true
		return
	}
	if w.wakes != f.wakes {
		return
	}
	w.hungry = false
	w.empty = claimed.Wait.Empty() || claimed.Wait.Paused
	select {
	case w.appetite <- claimed.Wait.RateLimited:
	default:
	}
}

// release books a recorded or refused outcome: the job is no longer ours.
func (w *Worker) release(f finished, err error) {
	w.mu.Lock()
	delete(w.running, f.run)
	w.mu.Unlock()
	f.run.recorded(f.outcome, err)
}

// abandon gives up on outcomes that could not be recorded. The jobs keep
// their locks until those end; then another worker runs them again.
func (w *Worker) abandon() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Errorf("%d outcomes could not be recorded: %w", len(w.outcomes), w.errs.lastError())
}
