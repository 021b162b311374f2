package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func newPauseCommand(a *app) *cobra.Command {
	opts := &switchOptions{pause: true}
	cmd := &cobra.Command{
		Use:     "pause QUEUE...",
		Short:   "Stop workers from taking jobs",
		GroupID: groupChange,
		Long: `Pause queues: workers of every kind take no more jobs from them, jobs that run
go on to their end, and new jobs can still be added. A queue stays paused until
qctl resume, also when nothing of it runs.

QUEUE may be a pattern in quotes or @role. A queue that the configuration
protects is only paused after its name was typed, or given with --confirm, or
with --yes.`,
		Example: `  qctl pause email
  qctl pause email orchestration
  qctl pause '*' --dry-run`,
		Args:              argumentCount(1, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runSwitch(ctx, a, opts, args)
		},
	}
	cmd.Flags().BoolVarP(&opts.dryRun, "dry-run", "n", false, "only say what would be paused")
	opts.addFlags(a, cmd)
	return a.printsRows(cmd, render.LayoutOf[switchView](nil))
}

// switchOptions are the flags of qctl pause and qctl resume.
type switchOptions struct {
	confirmation

	pause  bool // or resume
	dryRun bool
}

// verb names the change.
func (o *switchOptions) verb() string {
	if o.pause {
		return "pause"
	}
	return "resume"
}

// switchView is a queue that was paused or resumed, as JSON.
type switchView struct {
	Queue   string `json:"queue" about:"name of the queue"`
	Paused  bool   `json:"paused" about:"whether it is paused now"`
	Changed bool   `json:"changed" about:"whether it was not so before"`
	DryRun  bool   `json:"dryRun" about:"true when nothing was changed"`

	name, label string
	counts      queue.Counts
}

// ResultName is the queue.
func (v switchView) ResultName() string { return v.name }

// runSwitch pauses or resumes queues, each also when another one fails.
func runSwitch(ctx context.Context, a *app, opts *switchOptions, args []string) error {
	if err := a.mayChange(opts.dryRun); err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	if err := a.confirmSwitch(ctx, opts, targets); err != nil {
		return err
	}
	views := make([]switchView, 0, len(targets))
	var failure error
	for _, t := range targets {
		view, err := switchQueue(ctx, t, opts.pause, opts.dryRun)
		if err == nil {
			views = append(views, view)
		} else {
			failure = andThen(failure, err)
		}
	}
	return andThen(failure, printResults(a, views, true, switchView.text))
}

// confirmSwitch makes sure that somebody means the queues that are protected. It
// loses nothing to pause one, so a yes is enough.
func (a *app) confirmSwitch(ctx context.Context, opts *switchOptions, of []target) error {
	return a.confirmProtected(ctx, &opts.confirmation, opts.dryRun, of, func(t target) string { return opts.verb() + " " + t.label() })
}

// switchQueue also pauses a queue that is paused: what an interrupted pause
// has left undone is done then.
func switchQueue(ctx context.Context, t target, pause, dryRun bool) (switchView, error) {
	counts, err := t.q.Counts(ctx)
	if err != nil {
		return switchView{}, err
	}
	view := switchView{
		Queue: t.Name, Paused: pause, Changed: counts.Paused != pause, DryRun: dryRun, name: t.argument(), label: t.label(), counts: counts,
	}
	switch {
	case dryRun:
		return view, nil
	case pause:
		return view, t.q.Pause(ctx)
	}
	return view, t.q.Resume(ctx)
}

// text is the line for people.
func (v switchView) text() string {
	label := render.Text(v.label)
	verb, done := "resume", "resumed"
	effect := fmt.Sprintf("%s waiting", render.Count(v.counts.Waiting+v.counts.Prioritized))
	if v.Paused {
		verb, done = "pause", "paused"
		effect = fmt.Sprintf("%s active go on", render.Count(v.counts.Active))
	}
	switch {
	case !v.Changed && v.Paused:
		return label + " was paused already"
	case !v.Changed:
		return label + " was not paused"
	case v.DryRun:
		return fmt.Sprintf("would %s %s: %s", verb, label, effect)
	}
	return fmt.Sprintf("%s %s: %s", done, label, effect)
}
