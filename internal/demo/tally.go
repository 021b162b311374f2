package demo

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// Counts is what has happened in one queue since the start.
type Counts struct {
	Added, Completed, Failed int64
	// Retried are failed attempts with others to follow, Stalled jobs that a
	// dead worker had.
	Retried, Stalled int64
}

// Cause is why attempts failed in one queue since the start, those included
// that were followed by another.
type Cause struct {
	Alias string
	Text  string
	Count int64
}

// Counts returns what has happened, by alias.
func (s *Simulation) Counts() map[string]Counts {
	counts := map[string]Counts{}
	for _, l := range s.lines {
		t := &l.tally
		counts[l.Alias] = Counts{t.added.Load(), t.completed.Load(), t.failed.Load(), t.retried.Load(), t.stalled.Load()}
	}
	return counts
}

// Causes returns why attempts failed, the most frequent cause first.
func (s *Simulation) Causes() []Cause {
	var causes []Cause
	for _, l := range s.lines {
		causes = append(causes, l.tally.list(l.Alias)...)
	}
	slices.SortFunc(causes, func(a, b Cause) int {
		return cmp.Or(-cmp.Compare(a.Count, b.Count), cmp.Compare(a.Alias, b.Alias), cmp.Compare(a.Text, b.Text))
	})
	return causes
}

// tally counts what is recorded of one queue.
type tally struct {
	added, completed, failed, retried, stalled atomic.Int64

	mu     sync.Mutex
	causes map[string]int64
}

func (t *tally) list(alias string) []Cause {
	t.mu.Lock()
	defer t.mu.Unlock()
	var causes []Cause
	for text, n := range t.causes {
		causes = append(causes, Cause{alias, text, n})
	}
	return causes
}

// count notes an outcome that was recorded.
func (t *tally) count(o *queue.Outcome) {
	switch o.Kind {
	case queue.Complete:
		t.completed.Add(1)
		return
	case queue.Fail:
		t.failed.Add(1)
	case queue.RetryNow, queue.RetryLater:
		t.retried.Add(1)
	case queue.Postpone, queue.GiveBack:
		return
	}
	_, text := queue.Cause(o.FailedReason)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.causes[text]++
}

// watched is a queue that tells the tally what its worker has recorded.
type watched struct {
	*queue.Queue
	tally *tally
}

// Settle records outcomes, and counts those that were.
func (w watched) Settle(ctx context.Context, outcomes []queue.Outcome, opts queue.SettleOptions) (queue.Settled, error) {
	settled, err := w.Queue.Settle(ctx, outcomes, opts)
	for i, refused := range settled.Errs {
		if refused == nil {
			w.tally.count(&outcomes[i])
		}
	}
	return settled, err
}

// RecoverStalled looks for jobs of dead workers, and counts them.
func (w watched) RecoverStalled(ctx context.Context, interval time.Duration, maxStalled int) (queue.Recovered, error) {
	recovered, err := w.Queue.RecoverStalled(ctx, interval, maxStalled)
	w.tally.stalled.Add(int64(len(recovered.IDs)))
	return recovered, err
}
