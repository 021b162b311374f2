package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// removeOptions are the arguments and flags of qctl remove.
type removeOptions struct {
	selection selection
	children  bool
	dryRun    bool

	confirmation confirmation
}

func newRemoveCommand(a *app) *cobra.Command {
	opts := &removeOptions{}
	cmd := &cobra.Command{
		Use:     "remove QUEUE {JOB... | - | --state STATE}",
		Short:   "Remove jobs",
		GroupID: groupChange,
		Long: `Remove the named jobs, those whose ids come on standard input (-, one per line),
or those of a state that the selection flags leave. A job that a worker is
running, and the next job of a job scheduler, are left alone.

Before a selection is removed it is counted and, on a terminal, asked about;
above 1,000 jobs the queue's name must be typed. Elsewhere --yes is needed. Jobs
of a protected queue, named ones too, are only removed when its name was typed;
--confirm=QUEUE gives it. A dry run also counts jobs that would be left alone in the end.

With --state QUEUE may be a pattern in quotes or @role.`,
		Example: `  qctl remove billing 90452 90453
  qctl remove billing --state failed --older-than 30d
  qctl remove billing --state completed,failed --name charge-card --yes
  qctl remove billing --state delayed --dry-run`,
		Args:              argumentCount(1, -1, "QUEUE"),
		ValidArgsFunction: completeJobs(a, -1, queue.States()...),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.validate(a, cmd.Flags(), args[1:]); err != nil {
				return err
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			if len(args) > 1 {
				return runRemoveNamed(ctx, a, opts, args[0], args[1:])
			}
			return runRemoveSelected(ctx, a, opts, args[0])
		},
	}
	flags := cmd.Flags()
	opts.selection.addStateFlag(cmd, "remove jobs of this `STATE`, or of several with commas between")
	opts.selection.addFlags(flags)
	flags.BoolVar(&opts.children, "children", false, "remove the children of the named jobs too")
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "only say what would be removed")
	opts.confirmation.addFlags(a, cmd)
	return a.printsRows(cmd, render.LayoutOf[changeView](nil, "retried", "promoted"))
}

func (o *removeOptions) validate(a *app, flags *pflag.FlagSet, ids []string) error {
	if err := o.selection.validate(a, flags); err != nil {
		return err
	}
	byState := flags.Changed("state")
	switch {
	case len(ids) > 0 && (byState || selectionGiven(flags)):
		return &usageError{err: errors.New("job ids and a selection exclude each other")}
	case len(ids) == 0 && !byState:
		return &usageError{err: errors.New("which jobs? give their ids, or --state")}
	case len(ids) == 0 && o.children:
		return &usageError{err: errors.New("--children goes with job ids")}
	}
	return checkIDs(ids)
}

func (o *removeOptions) change(a *app) bulkChange {
	return bulkChange{
		a: a, dryRun: o.dryRun,
		change: change{
			verb: "remove", done: "removed",
			apply: func(ctx context.Context, q *queue.Queue, state queue.State, ids []string) ([]error, error) {
				if state == "" {
					return q.Remove(ctx, ids, queue.RemoveOptions{Children: o.children})
				}
				return q.RemoveFrom(ctx, state, ids)
			},
		},
	}
}

func runRemoveSelected(ctx context.Context, a *app, opts *removeOptions, arg string) error {
	s := &opts.selection
	changes, err := planSelected(ctx, a, opts.change(a), arg, s)
	if err != nil {
		return err
	}
	if !opts.dryRun {
		if err := confirmRemoveSelected(ctx, a, opts, changes); err != nil {
			return err
		}
	}
	return runSelected(ctx, a, changes, s, isPattern(arg))
}

// confirmRemoveSelected asks about what is selected, as far as nobody has
// agreed yet.
func confirmRemoveSelected(ctx context.Context, a *app, opts *removeOptions, changes []*bulkChange) error {
	targets := make([]target, 0, len(changes))
	for _, c := range changes {
		targets = append(targets, c.t)
	}
	states := make([]string, 0, len(opts.selection.states))
	for _, state := range opts.selection.states {
		states = append(states, string(state))
	}
	kind := strings.Join(states, ", ")
	left, err := a.confirmNamed(ctx, &opts.confirmation, targets, func(t target) string {
		return fmt.Sprintf("remove %s jobs of %s", kind, t.label())
	})
	if err != nil || len(left) == 0 {
		return err
	}
	total := int64(0)
	for _, c := range changes {
		if !slices.ContainsFunc(left, func(t target) bool { return t.base() == c.t.base() }) {
			continue
		}
		if opts.selection.filtered() {
			if c.total, err = countSelected(ctx, a, c.t, &opts.selection); err != nil {
				return err
			}
		}
		total += c.total
	}
	return a.confirmRemoval(ctx, total, kind, left)
}

// runRemoveNamed removes jobs by their ids, which is only asked about where the
// queue is protected.
func runRemoveNamed(ctx context.Context, a *app, opts *removeOptions, arg string, ids []string) error {
	if !opts.dryRun && !isPattern(arg) {
		if err := a.mayChange(false); err != nil {
			return err
		}
		t, err := a.existing(ctx, arg)
		if err != nil {
			return err
		}
		// What is not protected needs no yes.
		_, err = a.confirmNamed(ctx, &opts.confirmation, []target{t}, func(t target) string {
			return "remove jobs of " + t.label()
		})
		if err != nil {
			return err
		}
	}
	return runNamed(ctx, a, opts.change(a), arg, ids, "")
}

// confirmRemoval asks about the removal of n jobs, unless there are none. Many
// jobs need more than a yes.
func (a *app) confirmRemoval(ctx context.Context, n int64, kind string, of []target) error {
	if n == 0 {
		return nil
	}
	where, name := fmt.Sprintf("%d queues", len(of)), fmt.Sprintf("%d queues", len(of))
	if len(of) == 1 {
		where, name = of[0].label(), of[0].label()
	}
	if n <= typedAbove {
		name = ""
	}
	noun := "jobs"
	if n == 1 {
		noun = "job"
	}
	return a.confirm(ctx, false, fmt.Sprintf("remove %s %s %s of %s", render.Count(n), kind, noun, where), name)
}
