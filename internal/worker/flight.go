package worker

import (
	"context"
	"errors"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

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

// landing is what a flight brought.
type landing struct {
	settled queue.Settled
	runs    []*run
	freed   int  // slots that it booked and did not fill
	sated   bool // the claim was answered
	err     error
}

// fly makes the call and lands its answer.
func (w *Worker) fly(jobs, writes context.Context, f flight) {
	var l landing
	if l.err = w.ask(writes, jobs, &f, &l); l.err == nil && (len(f.batch) > 0 || f.next != nil) {
		w.send(writes, jobs, &f, &l)
	} else if f.next != nil {
		l.freed += f.next.N
	}
	w.land(writes, f, l)
}

// send makes the call. When it gets no answer, Redis is asked at once what the
// call did.
func (w *Worker) send(ctx, jobs context.Context, f *flight, l *landing) {
	started := time.Now() // monotonic: lock lives are counted from before the call
	settled, err := w.call(ctx, *f)
	l.err = err
	switch {
	case err == nil:
		l.settled = settled
		if f.next != nil {
			l.sated = true
			l.adopt(jobs, w, settled.Claimed.Jobs, f.next.N, started)
		}
	case queue.Classify(err) == queue.ClassUnknown:
		for i := range f.batch {
			f.batch[i].doubt = true
		}
		if f.next != nil {
			f.lost = append(f.lost, lostClaim{token: f.next.Token, n: f.next.N, started: started})
		}
		if err := w.ask(ctx, jobs, f, l); err != nil {
			l.err = errors.Join(l.err, err)
		}
	case f.next != nil:
		l.freed += f.next.N
	}
}

// adopt books jobs that a claim of n brought.
func (l *landing) adopt(jobs context.Context, w *Worker, claimed []queue.Job, n int, started time.Time) {
	for i := range claimed {
		l.runs = append(l.runs, newRun(jobs, w, claimed[i], started))
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
func (w *Worker) ask(ctx, jobs context.Context, f *flight, l *landing) error {
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
		l.adopt(jobs, w, claimed, claim.n, claim.started)
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
func (w *Worker) land(writes context.Context, f flight, l landing) {
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
