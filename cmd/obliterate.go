package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// obliterateOptions are the flags of qctl obliterate.
type obliterateOptions struct {
	force  bool
	dryRun bool

	confirmation confirmation
}

func newObliterateCommand(a *app) *cobra.Command {
	opts := &obliterateOptions{}
	cmd := &cobra.Command{
		Use:     "obliterate QUEUE",
		Short:   "Remove a queue with everything in it",
		GroupID: groupChange,
		Long: `Pause a queue and remove it: all its jobs, job schedulers, events and settings.
Nothing of it can be had back. A queue with active jobs is refused; --force
removes those too, and their workers lose them.

On a terminal the queue's name must be typed; elsewhere --yes is needed, and for
a protected queue --confirm=QUEUE. When it
is interrupted the queue stays paused, and obliterating it again goes on.`,
		Example: `  qctl obliterate old-imports
  qctl obliterate old-imports --dry-run
  qctl obliterate bull:old-imports --force --yes`,
		Args:              argumentCount(1, 1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if isPattern(args[0]) {
				return &usageError{err: errors.New("one queue at a time is obliterated, by its name")}
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runObliterate(ctx, a, opts, args[0])
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.force, "force", false, "remove active jobs too")
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "only say what would be removed")
	opts.confirmation.addFlags(a, cmd)
	return a.printsRows(cmd, render.LayoutOf[sweepView](nil, "state"))
}

func runObliterate(ctx context.Context, a *app, opts *obliterateOptions, arg string) error {
	if err := a.mayChange(opts.dryRun); err != nil {
		return err
	}
	t, err := a.existing(ctx, arg)
	if err != nil {
		return err
	}
	counts, err := t.q.Counts(ctx)
	if err != nil {
		return err
	}
	// The engine would find out too, but only after it has paused the queue.
	if counts.Active > 0 && !opts.force {
		return fmt.Errorf("%s: %w: %s", t.label(), queue.ErrActiveJobs, render.Count(counts.Active))
	}
	if !opts.dryRun {
		what := fmt.Sprintf("obliterate %s with its %s", t.base(), grouped(counts.Total, "job"))
		left, err := a.confirmNamed(ctx, &opts.confirmation, []target{t}, func(target) string { return what })
		if err != nil {
			return err
		}
		if err := a.confirm(ctx, len(left) == 0, what, t.label()); err != nil {
			return err
		}
	}
	s := sweep{
		t: t, kind: everyJob, matched: counts.Total,
		remove: func(ctx context.Context, onPage func(int)) (int, error) {
			return t.q.Obliterate(ctx, queue.ObliterateOptions{Force: opts.force, OnPage: onPage})
		},
	}
	return runSweeps(ctx, a, "obliterate", []sweep{s}, false, opts.dryRun)
}
