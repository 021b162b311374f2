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

// lostClaim is a claim that was sent and got no answer. Its slots stay booked
// until Redis has said which jobs it took.
type lostClaim struct {
	token   string
	n       int
	started time.Time // before it was sent: its locks began no earlier
}

// flight is one script call: outcomes that leave, and slots to be filled; and
// questions about earlier calls that got no answer, which come first.
type flight struct {
	batch []finished
	next  *queue.ClaimRequest
	lost  []lostClaim
	wakes int // the worker's wakes when it took off
}

// dispatch sends flights until the worker has stopped and everything it ran is
// recorded.
func (w *Worker) dispatch(claiming context.Context, stopClaiming context.CancelFunc, jobs, writes context.Context) error {
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
		claims = min(w.free, w.batchSize())
	}
	// While calls fail there is one at a time, which has outcomes to record
	// when there are any: nothing is claimed that could not be recorded.
	most := maxFlights
	if w.troubled {
		most = 1
	}
	if w.flights >= most || (len(w.outcomes) == 0 && len(w.unanswered) == 0 && (claims == 0 || !w.hungry)) {
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
			N: claims, Token: w.nextToken(), Lock: w.cfg.Lock, Limiter: w.cfg.Limiter, Worker: w.cfg.Name,
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
	return min((w.cfg.Concurrency+1)/2, queue.MaxClaim)
}

// landing is what a flight brought.
type landing struct {
	settled queue.Settled
	runs    []*run
	freed   int  // slots that it booked and did not fill
	sated   bool // the claim was answered
	err     error
}

// fly makes the call and lands its answer.
func (w *Worker) fly(f flight, jobs, writes context.Context) {
	var l landing
	if l.err = w.ask(writes, &f, &l, jobs); l.err == nil && (len(f.batch) > 0 || f.next != nil) {
		w.send(writes, &f, &l, jobs)
	} else if f.next != nil {
		l.freed += f.next.N
	}
	w.land(f, l, writes)
}

// send makes the call. When it gets no answer, Redis is asked at once what the
// call did.
func (w *Worker) send(ctx context.Context, f *flight, l *landing, jobs context.Context) {
	started := time.Now() // monotonic: lock lives are counted from before the call
	settled, err := w.call(ctx, *f)
	l.err = err
	switch {
	case err == nil:
		l.settled = settled
		if f.next != nil {
			l.sated = true
			l.adopt(w, settled.Claimed.Jobs, f.next.N, started, jobs)
		}
	case queue.Classify(err) == queue.ClassUnknown:
		for i := range f.batch {
			f.batch[i].doubt = true
		}
		if f.next != nil {
			f.lost = append(f.lost, lostClaim{token: f.next.Token, n: f.next.N, started: started})
		}
		if err := w.ask(ctx, f, l, jobs); err != nil {
			l.err = errors.Join(l.err, err)
		}
	case f.next != nil:
		l.freed += f.next.N
	}
}

// adopt books jobs that a claim of n brought.
func (l *landing) adopt(w *Worker, claimed []queue.Job, n int, started time.Time, jobs context.Context) {
	for i := range claimed {
		l.runs = append(l.runs, newRun(w, claimed[i], started, jobs))
	}
	l.freed += n - len(claimed)
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

// ask finds out what calls did that got no answer. An outcome whose lock still
// holds our token was not recorded; a claim that went through left its token on
// the jobs it took. What is settled by that is taken out of the flight.
func (w *Worker) ask(ctx context.Context, f *flight, l *landing, jobs context.Context) error {
	var held []queue.Held
	for i := range f.batch {
		if f.batch[i].doubt {
			held = append(held, queue.Held{ID: f.batch[i].outcome.ID, Token: f.batch[i].outcome.Token})
		}
	}
	if len(held) > 0 {
		mine, err := w.cfg.Queue.Mine(ctx, held)
		if err != nil {
			return err
		}
		f.batch = w.keepUnrecorded(f.batch, mine)
	}
	for len(f.lost) > 0 {
		claim := f.lost[0]
		claimed, err := w.cfg.Queue.Adopt(ctx, claim.token, adoptFrom)
		if err != nil {
			return err
		}
		l.adopt(w, claimed, claim.n, claim.started, jobs)
		f.lost = f.lost[1:]
	}
	return nil
}

// adoptFrom is how many of the newest active jobs a lost claim is looked for
// in: more than other workers claim while one waits for an answer.
const adoptFrom = 10 * queue.MaxClaim

// keepUnrecorded releases the doubtful outcomes that are not mine any more.
func (w *Worker) keepUnrecorded(batch []finished, mine []bool) []finished {
	var left []finished
	for _, fin := range batch {
		recorded := false
		if fin.doubt {
			fin.doubt, recorded, mine = false, !mine[0], mine[1:]
		}
		if recorded {
			w.release(fin, nil)
		} else {
			left = append(left, fin)
		}
	}
	return left
}

// land books what a flight brought. With an error its outcomes wait for the
// next one; jobs that it brought all the same are run.
func (w *Worker) land(f flight, l landing, writes context.Context) {
	for i, refused := range l.settled.Errs {
		if errors.Is(refused, queue.ErrPendingChildren) || errors.Is(refused, queue.ErrFailedChildren) {
			f.batch[i].run.redecide(refused)
			continue
		}
		w.release(f.batch[i], refused)
	}
	for _, id := range l.settled.Claimed.Dropped {
		w.log.Warn("dropped an id that has no job", "job", id)
	}

	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	w.flights--
	w.executing += len(l.runs)
	for _, r := range l.runs {
		w.running[r] = struct{}{}
	}
	w.free += l.freed
	w.unanswered = append(w.unanswered, f.lost...)
	w.troubled = l.err != nil
	if w.troubled {
		w.outcomes = append(f.batch, w.outcomes...)
		w.pauseTo = time.Now().Add(w.errs.report(w.log, w.cfg.Now(), "redis", l.err))
	} else {
		w.pauseTo = time.Time{}
		w.errs.clear(w.log, w.cfg.Now())
	}
	switch {
	case l.sated:
		w.sate(f, l.settled.Claimed)
	case l.err == nil:
		w.hungry = true // outcomes without a claim may have put jobs back
	}
	w.mu.Unlock()

	for _, r := range l.runs {
		go r.do(writes)
	}
	w.nudge()
}

// sate decides whether the queue has more for us. An empty answer counts only
// if no marker came in while the claim was in the air: it may have looked
// before the job was there.
func (w *Worker) sate(f flight, claimed queue.Claimed) {
	w.delayed = claimed.Wait.NextDelayed
	if len(claimed.Jobs) == f.next.N {
		w.hungry = true
		return
	}
	if w.wakes != f.wakes {
		return
	}
	w.hungry = false
	w.empty = claimed.Wait.Empty() || claimed.Wait.Paused
	w.limited = time.Time{}
	if claimed.Wait.RateLimited > 0 {
		w.limited = time.Now().Add(claimed.Wait.RateLimited)
	}
	select {
	case w.appetite <- struct{}{}:
	default: // the listener has not looked since the last time
	}
}

// release books a recorded or refused outcome: the job is no longer ours.
func (w *Worker) release(f finished, err error) {
	w.mu.Lock()
	delete(w.running, f.run)
	w.mu.Unlock()
	f.run.recorded(f.outcome, err)
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
