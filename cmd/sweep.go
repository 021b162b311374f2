package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// sweep removes the jobs of a whole state or queue, without looking at each.
type sweep struct {
	t       target
	state   queue.State // empty when it is about several
	kind    string      // completed
	matched int64
	// remove does it, and tells onPage how many jobs each step has removed.
	remove func(ctx context.Context, onPage func(int)) (int, error)
}

// sweepView is what a sweep has removed, as JSON; in a dry run it is what it
// would remove.
type sweepView struct {
	Queue      string      `json:"queue" about:"name of the queue"`
	State      queue.State `json:"state,omitempty" about:"state that was swept"`
	Matched    int64       `json:"matched" about:"jobs that were meant"`
	Removed    int64       `json:"removed" about:"jobs that are gone"`
	DurationMs int64       `json:"durationMs" about:"how long it took, in milliseconds"`
	DryRun     bool        `json:"dryRun" about:"true when nothing was removed"`

	name, label, kind string
	elapsed           time.Duration
}

// ResultName is the queue.
func (v sweepView) ResultName() string { return v.name }

// everyJob is the kind of a sweep that leaves nothing.
const everyJob = "all"

// runSweeps carries out sweeps one after the other and prints what they have
// removed, also when one of them ends early.
func runSweeps(ctx context.Context, a *app, verb string, sweeps []sweep, several, dryRun bool) error {
	views := make([]sweepView, 0, len(sweeps))
	var failure error
	for _, s := range sweeps {
		started := a.now()
		removed, err := s.matched, error(nil)
		if !dryRun {
			progress := a.newProgress(verb+" "+s.t.label(), s.matched)
			var n int
			n, err = s.remove(ctx, progress.add)
			progress.end()
			removed = int64(n)
		}
		if err == nil || removed > 0 || errors.Is(err, context.Canceled) {
			elapsed := a.now().Sub(started)
			views = append(views, sweepView{
				Queue: s.t.Name, State: s.state, Matched: s.matched, Removed: removed, DurationMs: elapsed.Milliseconds(),
				DryRun: dryRun, name: s.t.argument(), label: s.t.label(), kind: s.kind, elapsed: elapsed,
			})
		}
		if failure = err; err != nil {
			break
		}
	}
	return andThen(failure, printResults(a, views, several, sweepView.text))
}

// text is the line for people.
func (v sweepView) text() string {
	jobs := grouped(v.Removed, v.kind+" job")
	if v.kind == everyJob {
		jobs = "all " + grouped(v.Removed, "job")
	}
	if v.DryRun {
		return fmt.Sprintf("would remove %s from %s", jobs, render.Text(v.label))
	}
	return fmt.Sprintf("removed %s from %s in %s", jobs, render.Text(v.label), took(v.elapsed))
}

// confirmSweeps asks about the removal of all that the sweeps have matched, as
// far as nobody has agreed yet.
func (a *app) confirmSweeps(ctx context.Context, c *confirmation, sweeps []sweep) error {
	matched := map[queue.KeyBase]int64{}
	var of []target
	for _, s := range sweeps {
		matched[s.t.base()] = s.matched
		of = append(of, s.t)
	}
	left, err := a.confirmNamed(ctx, c, of, func(t target) string {
		return fmt.Sprintf("remove %s of %s", grouped(matched[t.base()], sweeps[0].kind+" job"), t.label())
	})
	if err != nil || len(left) == 0 {
		return err
	}
	total := int64(0)
	for _, t := range left {
		total += matched[t.base()]
	}
	return a.confirmRemoval(ctx, total, sweeps[0].kind, left)
}
