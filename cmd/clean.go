package cmd

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// cleanOptions are the flags of qctl clean.
type cleanOptions struct {
	states    []string
	olderThan time.Duration
	keep      int
	limit     int
	dryRun    bool

	confirmation confirmation

	clean queue.CleanOptions // what the flags mean
}

func newCleanCommand(a *app) *cobra.Command {
	opts := &cleanOptions{}
	cmd := &cobra.Command{
		Use:     "clean QUEUE... --state STATE --older-than TIME",
		Short:   "Remove old finished jobs",
		GroupID: groupChange,
		Long: `Remove completed or failed jobs that finished long ago, the oldest first. --keep
leaves the newest ones, however old they are.

Before anything is removed it is counted and, on a terminal, asked about; above
1,000 jobs the queue's name must be typed. Elsewhere --yes is needed. A protected queue
is always asked for by its name; --confirm=QUEUE gives it.

QUEUE may be a pattern in quotes or @role.`,
		Example: `  qctl clean email --state completed --older-than 24h
  qctl clean email --state completed --older-than 24h --keep 1000 --yes
  qctl clean '*' --state failed --older-than 30d --dry-run`,
		Args:              argumentCount(1, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.validate(cmd.Flags()); err != nil {
				return err
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runClean(ctx, a, opts, args)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVarP(&opts.states, "state", "s", nil, "clean jobs of this `STATE`: completed, failed")
	durationVar(flags, &opts.olderThan, "older-than", "", "0s", mostTime, "remove jobs that finished longer ago than `DURATION`: 24h, 7d")
	intVar(flags, &opts.keep, "keep", 0, mostCount, "leave the newest `N` jobs")
	intVar(flags, &opts.limit, "limit", 0, mostCount, "remove at most `N` jobs of each queue; 0 means all")
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "only say what would be removed")
	opts.confirmation.addFlags(a, cmd)
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("state", completeWords(
		string(queue.StateCompleted), string(queue.StateFailed)))
	return a.printsRows(cmd, render.LayoutOf[sweepView](nil))
}

func (o *cleanOptions) validate(flags *pflag.FlagSet) error {
	if !flags.Changed("state") {
		return &usageError{err: errors.New("missing --state"), hint: "--state completed, or --state failed"}
	}
	states, err := parseStates(o.states)
	if err != nil {
		return err
	}
	switch {
	case len(states) != 1 || !states[0].Finished():
		return &usageError{
			err:  errors.New("--state is either completed or failed"),
			hint: "qctl remove QUEUE --state removes jobs of any state, qctl drain QUEUE the waiting ones",
		}
	case !flags.Changed("older-than") && !flags.Changed("keep"):
		return &usageError{err: errors.New("how old? give --older-than or --keep"), hint: "--older-than 0s means all"}
	}
	o.clean = queue.CleanOptions{State: states[0], Keep: o.keep, Limit: o.limit, OlderThan: o.olderThan}
	return nil
}

func runClean(ctx context.Context, a *app, opts *cleanOptions, args []string) error {
	if err := a.mayChange(opts.dryRun); err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	sweeps := make([]sweep, 0, len(targets))
	for _, t := range targets {
		matched, err := opts.count(ctx, a, t)
		if err != nil {
			return err
		}
		sweeps = append(sweeps, sweep{
			t: t, state: opts.clean.State, kind: string(opts.clean.State), matched: matched,
			remove: func(ctx context.Context, onPage func(int)) (int, error) {
				clean := opts.clean
				clean.OnPage = onPage
				return t.q.Clean(ctx, clean)
			},
		})
	}
	if !opts.dryRun {
		if err := a.confirmSweeps(ctx, &opts.confirmation, sweeps); err != nil {
			return err
		}
	}
	return runSweeps(ctx, a, "clean", sweeps, true, opts.dryRun)
}

// count tells how many jobs of the queue are old enough.
func (o *cleanOptions) count(ctx context.Context, a *app, t target) (int64, error) {
	s := selection{states: []queue.State{o.clean.State}}
	all, err := countSelected(ctx, a, t, &s)
	if err != nil {
		return 0, err
	}
	n := max(0, all-int64(o.keep))
	if o.clean.OlderThan > 0 && n > 0 {
		s.until = a.now().Add(-o.clean.OlderThan)
		old, err := countSelected(ctx, a, t, &s)
		if err != nil {
			return 0, err
		}
		n = min(n, old)
	}
	if o.limit > 0 {
		n = min(n, int64(o.limit))
	}
	return n, nil
}
