package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/qctl/qctl/internal/queue"
)

// The hour before the start is lived through in steps: what comes in within a
// step is claimed and settled together, so that it costs three calls. Steps do
// not cross minutes of the clock, or the bars of a graph would jump.
const (
	pastTime = time.Hour
	pastLock = time.Minute // of the store's clock
)

// stepOf is how long a step is, so long before the start: what has happened
// just now is looked at more closely than what is only a bar of a graph.
func stepOf(before time.Duration) time.Duration {
	if before <= 2*time.Minute {
		return 10 * time.Second
	}
	return time.Minute
}

// Past makes the hour before now, so that there is something to see at once:
// finished jobs in every minute, failed ones with their causes, a backlog, jobs
// for later. Nothing of it is counted.
func (s *Simulation) Past(ctx context.Context) error {
	start := s.now()
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range s.lines {
		group.Go(func() error { return l.past(ctx, start) })
	}
	return group.Wait()
}

// past makes the past of one queue, whose clock it turns.
func (l *line) past(ctx context.Context, start time.Time) error {
	begin := start.Add(-pastTime).Truncate(time.Minute)
	clock := begin
	q := l.Open(func() time.Time { return clock })
	due := clock // when the next job comes
	done := 0
	for {
		step := stepOf(start.Sub(clock))
		end := clock.Add(step)
		if end.After(start.Add(-l.script.silent)) {
			break
		}
		var jobs []queue.NewJob
		for ; due.Before(end); due = due.Add(l.script.pause(l.seed, l.next, due, start.Sub(due))) {
			job, err := l.newJob()
			if err != nil {
				return err
			}
			jobs = append(jobs, job)
		}
		if _, err := q.AddBulk(ctx, jobs); err != nil {
			return err
		}
		most := queue.MaxClaim
		if l.script.perMinute > 0 {
			most = int(float64(l.script.perMinute)*end.Sub(begin).Minutes()) - done
		}
		n, err := l.settleStep(ctx, q, &clock, step, start, most)
		if err != nil {
			return err
		}
		done += n
		clock = end
	}
	if err := l.backlog(ctx, q, &clock, start); err != nil {
		return err
	}
	if l.script.paused {
		return q.Pause(ctx)
	}
	return nil
}

// settleStep works what waits, at most so many jobs, as a worker with enough
// hands. It returns how many there were.
func (l *line) settleStep(
	ctx context.Context, q *queue.Queue, clock *time.Time, step time.Duration, start time.Time, most int,
) (n int, err error) {
	if most <= 0 {
		return 0, nil
	}
	c := newChance(l.seed, l.Alias, forPast, int(clock.Unix()-start.Unix()))
	*clock = clock.Add(c.in(span{100 * time.Millisecond, step / 3}))
	token := fmt.Sprintf("past:%s:%d", l.Alias, clock.UnixMilli())
	claimed, err := q.Claim(ctx, queue.ClaimRequest{
		N: most, Token: token, Lock: pastLock, Worker: workerName(l.Alias, 1),
	})
	if err != nil || len(claimed.Jobs) == 0 {
		return 0, err
	}
	var outcomes []queue.Outcome
	var took []time.Duration
	for i := range claimed.Jobs {
		job := &claimed.Jobs[i]
		f := l.script.fate(l.seed, number(job.ID), job.AttemptsMade+1, start.Sub(*clock))
		took = append(took, f.takes)
		outcomes = append(outcomes, pastOutcome(job, f))
	}
	slices.Sort(took)
	*clock = clock.Add(min(took[len(took)/2], step/2))
	settled, err := q.Settle(ctx, outcomes, queue.SettleOptions{})
	return len(outcomes), errors.Join(append(settled.Errs, err)...)
}

// pastOutcome is what a worker would have decided, but for the backoff: in the
// past, a failed attempt is made again in the next step.
func pastOutcome(job *queue.Job, f fate) queue.Outcome {
	o := queue.Outcome{ID: job.ID, Token: job.Token, Job: job, Attempts: job.Attempts, Kind: queue.Complete, ReturnValue: f.result}
	if job.Options != nil {
		o.Keep = job.Options.KeepCompleted
	}
	if f.failure == nil {
		return o
	}
	o.Kind, o.ReturnValue, o.FailedReason = queue.RetryNow, nil, f.failure.Reason
	o.Stacktrace = append(slices.Clone(job.Stacktrace), f.failure.Stack)
	if f.failure.Unrecoverable || job.AttemptsMade+1 >= job.Attempts {
		o.Kind, o.Keep = queue.Fail, nil
		if job.Options != nil {
			o.Keep = job.Options.KeepFailed
		}
	}
	return o
}

// backlog adds the jobs that have waited for a while, and has a worker die with
// one of them.
func (l *line) backlog(ctx context.Context, q *queue.Queue, clock *time.Time, start time.Time) error {
	for i := range l.script.backlog {
		job, err := l.newJob()
		if err != nil {
			return err
		}
		job.Opts.Delay = 0
		*clock = start.Add(-l.script.waited + l.script.waited*time.Duration(i)/time.Duration(l.script.backlog))
		if _, err := q.Add(ctx, job); err != nil {
			return err
		}
	}
	*clock = start
	if l.script.crashes > 0 {
		_, err := l.takeAndDie(ctx, q, 0)
		return err
	}
	return nil
}

// number is a job's place in the order in which the queue got its jobs; 0 for an
// id that the queue has not given out.
func number(id string) int {
	n, err := strconv.Atoi(id)
	if err != nil {
		return 0
	}
	return n
}
