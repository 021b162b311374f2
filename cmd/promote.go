package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// promoteOptions are the arguments and flags of qctl promote.
type promoteOptions struct {
	all       bool
	selection selection
	dryRun    bool
}

func newPromoteCommand(a *app) *cobra.Command {
	opts := &promoteOptions{}
	cmd := &cobra.Command{
		Use:     "promote QUEUE {JOB... | - | --all}",
		Short:   "Let delayed jobs wait no longer",
		GroupID: groupChange,
		Long: `Put delayed jobs among the waiting ones, where their priority puts them: the
named ones, those whose ids come on standard input (-, one per line), all of
them, or those that the selection flags leave. Nothing is asked.

Without job ids QUEUE may be a pattern in quotes or @role.`,
		Example: `  qctl promote email 90452
  qctl promote email --all
  qctl promote email --name reminder --limit 100 --dry-run
  qctl jobs email --state delayed --limit 0 -o ndjson | jq -r .id | qctl promote email -`,
		Args:              argumentCount(1, -1, "QUEUE"),
		ValidArgsFunction: completeJobs(a, -1, queue.StateDelayed),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.validate(a, cmd.Flags(), args[1:]); err != nil {
				return err
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runPromote(ctx, a, opts, args[0], args[1:])
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.all, "all", false, "promote every delayed job")
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "only say what would be promoted")
	opts.selection.addFlags(flags)
	return a.printsRows(cmd, render.LayoutOf[changeView](nil, "retried", "removed"))
}

func (o *promoteOptions) validate(a *app, flags *pflag.FlagSet, ids []string) error {
	if err := o.selection.validate(a, flags, queue.StateDelayed); err != nil {
		return err
	}
	chosen := o.all || selectionGiven(flags)
	switch {
	case len(ids) > 0 && chosen:
		return &usageError{err: errors.New("job ids and --all or a selection exclude each other")}
	case len(ids) == 0 && !chosen:
		return &usageError{err: errors.New("which jobs? give their ids, --all or a selection")}
	}
	return checkIDs(ids)
}

func runPromote(ctx context.Context, a *app, opts *promoteOptions, arg string, ids []string) error {
	promote := bulkChange{
		a: a, dryRun: opts.dryRun,
		change: change{
			verb: "promote", done: "promoted", needsData: true,
			apply: func(ctx context.Context, q *queue.Queue, _ queue.State, ids []string) ([]error, error) {
				return q.Promote(ctx, ids)
			},
		},
	}
	if len(ids) > 0 {
		return runNamed(ctx, a, promote, arg, ids, queue.StateDelayed)
	}
	changes, err := planSelected(ctx, a, promote, arg, &opts.selection)
	if err != nil {
		return err
	}
	return runSelected(ctx, a, changes, &opts.selection, isPattern(arg))
}
