package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// drainOptions are the flags of qctl drain.
type drainOptions struct {
	delayed bool
	dryRun  bool

	confirmation confirmation
}

func newDrainCommand(a *app) *cobra.Command {
	opts := &drainOptions{}
	cmd := &cobra.Command{
		Use:     "drain QUEUE...",
		Short:   "Remove all waiting jobs",
		GroupID: groupChange,
		Long: `Remove every job that waits to be run, with --delayed the delayed ones too. Jobs
that run, that have finished, or that a job scheduler waits for stay.

Before anything is removed it is counted and, on a terminal, asked about; above
1,000 jobs the queue's name must be typed. Elsewhere --yes is needed. A protected queue
is always asked for by its name; --confirm=QUEUE gives it.

QUEUE may be a pattern in quotes or @role.`,
		Example: `  qctl drain email
  qctl drain email --delayed --dry-run
  qctl drain email orchestration --yes`,
		Args:              argumentCount(1, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runDrain(ctx, a, opts, args)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.delayed, "delayed", false, "remove delayed jobs too")
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "only say what would be removed")
	opts.confirmation.addFlags(a, cmd)
	return a.printsRows(cmd, render.LayoutOf[sweepView](nil, "state"))
}

func runDrain(ctx context.Context, a *app, opts *drainOptions, args []string) error {
	if err := a.mayChange(opts.dryRun); err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	sweeps := make([]sweep, 0, len(targets))
	for _, t := range targets {
		counts, err := t.q.Counts(ctx)
		if err != nil {
			return err
		}
		s := sweep{
			t: t, kind: "waiting", matched: counts.Waiting + counts.Prioritized,
			remove: func(ctx context.Context, onPage func(int)) (int, error) {
				return t.q.Drain(ctx, queue.DrainOptions{Delayed: opts.delayed, OnPage: onPage})
			},
		}
		if opts.delayed {
			s.kind = "waiting and delayed"
			s.matched += counts.Delayed
		}
		sweeps = append(sweeps, s)
	}
	if !opts.dryRun {
		if err := a.confirmSweeps(ctx, &opts.confirmation, sweeps); err != nil {
			return err
		}
	}
	return runSweeps(ctx, a, "drain", sweeps, true, opts.dryRun)
}
