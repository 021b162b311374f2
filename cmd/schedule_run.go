package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func newScheduleRunCommand(a *app) *cobra.Command {
	dryRun := false
	cmd := &cobra.Command{
		Use:   "run QUEUE ID",
		Short: "Make one job of a schedule now, beside its times",
		Long: `Add one job with the payload and the options of a schedule's jobs, to run now.
The schedule goes on as if nothing had happened; a paused one stays paused.

Prints the job's id.`,
		Example: `  qctl schedule run digest daily
  qctl schedule run digest daily --dry-run
  qctl schedule run digest daily -o json | jq -r .id`,
		Args:              argumentCount(2, 2, "QUEUE ID"),
		ValidArgsFunction: completeSchedules(a, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runScheduleRun(ctx, a, dryRun, args[0], args[1])
		},
	}
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "only say what would be added")
	return a.printsRows(cmd, render.LayoutOf[scheduleRunView](nil))
}

// scheduleRunView is the answer to a job that was made beside a schedule, as JSON.
type scheduleRunView struct {
	Queue    string  `json:"queue" about:"name of the queue"`
	KeyBase  string  `json:"keyBase" about:"key base of the queue"`
	Schedule string  `json:"schedule" about:"id of the schedule"`
	ID       *string `json:"id" about:"id of the job; null in a dry run"`
	Name     string  `json:"name" about:"name of the job"`
	DryRun   bool    `json:"dryRun" about:"true when nothing was added"`

	argument string
}

// ResultName is the job as QUEUE:ID.
func (v scheduleRunView) ResultName() string {
	if v.ID == nil {
		return ""
	}
	return v.argument + ":" + *v.ID
}

func runScheduleRun(ctx context.Context, a *app, dryRun bool, name, id string) error {
	if err := a.mayChange(dryRun); err != nil {
		return err
	}
	t, s, err := a.schedule(ctx, name, id)
	if err != nil {
		return err
	}
	view := scheduleRunView{
		Queue: t.Name, KeyBase: t.base().String(), Schedule: s.ID, Name: s.Name, DryRun: dryRun, argument: t.argument(),
	}
	if !dryRun {
		added, err := t.q.RunScheduler(ctx, s.ID)
		if err != nil {
			return scheduleError(t, s.ID, err)
		}
		view.ID = &added.ID
	}
	bare := !a.streams.OutIsTerminal()
	return printResults(a, []scheduleRunView{view}, false, func(v scheduleRunView) string {
		label, schedule := render.Text(t.label()), render.Text(s.ID)
		switch {
		case v.ID == nil:
			return fmt.Sprintf("would add a job %s to %s, of schedule %s", render.Text(v.Name), label, schedule)
		case bare:
			return render.Text(*v.ID)
		}
		return fmt.Sprintf("%s: added job %s of schedule %s", label, render.Text(*v.ID), schedule)
	})
}

// restartOptions are the flags of qctl schedule restart.
type restartOptions struct {
	all    bool
	dryRun bool
}

func newScheduleRestartCommand(a *app) *cobra.Command {
	opts := &restartOptions{}
	cmd := &cobra.Command{
		Use:   "restart {QUEUE {ID... | -} | --all-stopped [QUEUE]...}",
		Short: "Give schedules that stopped their next job again",
		Long: `Give schedules whose next job is missing that job again. Of the times that were
missed meanwhile the latest runs at once and the others never; what has run does
not run again. Schedules that go on are left as they are, so this can be repeated.

With --all-stopped it is every schedule that stopped, of the named queues or of
all of this Redis. QUEUE may then be a pattern in quotes, or @ROLE. qctl scheduler
does this all the time.`,
		Example: `  qctl schedule restart email cleanup
  qctl schedule restart --all-stopped --dry-run
  qctl schedule restart --all-stopped @workforce0`,
		Args: func(cmd *cobra.Command, args []string) error {
			if opts.all {
				return nil
			}
			return argumentCount(2, -1, "QUEUE and an ID, or --all-stopped")(cmd, args)
		},
		ValidArgsFunction: completeRestart(a, opts),
		RunE: func(cmd *cobra.Command, args []string) error {
			change := &scheduleChange{
				verb: "restart", done: "restarted", same: "goes on, nothing to restart", dryRun: opts.dryRun,
				would: func(s *queue.Scheduler) bool { return s.Health == queue.SchedulerStopped },
				apply: restartSchedule,
			}
			if !opts.all {
				return change.run(a)(cmd, args)
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runRestartAll(ctx, a, change, args)
		},
	}
	cmd.Flags().BoolVar(&opts.all, "all-stopped", false, "every schedule that stopped, instead of naming them")
	cmd.Flags().BoolVarP(&opts.dryRun, "dry-run", "n", false, "only say what would be restarted")
	return a.printsRows(cmd, render.LayoutOf[scheduleChangeView](nil))
}

// completeRestart offers what has stopped, or with --all-stopped queues.
func completeRestart(a *app, opts *restartOptions) cobra.CompletionFunc {
	schedules, queues := completeSchedules(a, -1, queue.SchedulerStopped), completeQueues(a, -1)
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if opts.all {
			return queues(cmd, args, toComplete)
		}
		return schedules(cmd, args, toComplete)
	}
}

// runRestartAll restarts what stopped in several queues.
func runRestartAll(ctx context.Context, a *app, change *scheduleChange, args []string) error {
	if err := a.mayChange(change.dryRun); err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	var views []scheduleChangeView
	var failure error
	for _, t := range targets {
		rows, err := scheduleRows(ctx, a, t)
		failure = andThen(failure, err)
		for _, row := range rows {
			if row.Health != queue.SchedulerStopped {
				continue
			}
			view, err := change.one(ctx, a, t, row.ID)
			if err == nil {
				views = append(views, view)
			}
			failure = andThen(failure, err)
		}
	}
	if len(views) == 0 && failure == nil {
		return printNone[scheduleChangeView](a, "no schedule has stopped")
	}
	return andThen(failure, printResults(a, views, true, scheduleChangeView.text))
}
