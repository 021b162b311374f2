package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// scheduleChange is what a command does to schedules that are named.
type scheduleChange struct {
	verb, done string
	// apply changes one that exists. It says whether it was not so before.
	apply func(ctx context.Context, q *queue.Queue, s *queue.Scheduler) (changed bool, err error)
	// would says the same of a dry run; nil is always true.
	would func(s *queue.Scheduler) bool
	// same words what is so already.
	same string
	// guards: a protected queue must be meant. Its schedules are gone for good
	// where loses is set, too.
	guards, loses bool

	confirmation confirmation
	dryRun       bool
}

// scheduleChangeView is a schedule that was changed, as JSON.
type scheduleChangeView struct {
	Queue   string  `json:"queue" about:"name of the queue"`
	KeyBase string  `json:"keyBase" about:"key base of the queue"`
	ID      string  `json:"id" about:"id of the schedule"`
	Changed bool    `json:"changed" about:"whether it was not so before"`
	Next    *int64  `json:"next" about:"when its next job is due now, in milliseconds since the epoch"`
	NextAt  *string `json:"nextAt" about:"next in RFC 3339, in the schedule's zone"`
	DryRun  bool    `json:"dryRun" about:"true when nothing was changed"`

	argument, summary string
}

// ResultName is the schedule as QUEUE:ID.
func (v scheduleChangeView) ResultName() string { return v.argument + ":" + v.ID }

// addFlags binds the flags of the changes.
func (c *scheduleChange) addFlags(a *app, cmd *cobra.Command, participle string) {
	cmd.Flags().BoolVarP(&c.dryRun, "dry-run", "n", false, "only say what would be "+participle)
	if c.guards {
		c.confirmation.addFlags(a, cmd)
	}
}

func newScheduleRemoveCommand(a *app) *cobra.Command {
	change := &scheduleChange{
		verb: "remove", done: "removed", guards: true, loses: true,
		apply: func(ctx context.Context, q *queue.Queue, s *queue.Scheduler) (bool, error) {
			return true, q.RemoveScheduler(ctx, s.ID)
		},
	}
	cmd := &cobra.Command{
		Use:     "remove QUEUE {ID... | -}",
		Aliases: []string{"rm"},
		Short:   "Remove schedules",
		Long: `Remove schedules by their ids, or by those on standard input (-, one per line).
The next job goes with a schedule while it is not due; one that waits or runs
already stays, and is the last.

Schedules of a queue that the configuration protects are only removed when its
name was typed; --confirm=QUEUE gives it. "qctl schedule pause" takes a schedule
out and keeps it.`,
		Example: `  qctl schedule remove digest weekly
  qctl schedule remove email cleanup hourly-check --dry-run
  qctl schedule list email -o name | qctl schedule remove email -`,
		Args:              argumentCount(2, -1, "QUEUE and an ID"),
		ValidArgsFunction: completeSchedules(a, -1),
		RunE:              change.run(a),
	}
	change.addFlags(a, cmd, "removed")
	return a.printsRows(cmd, render.LayoutOf[scheduleChangeView](nil))
}

func newSchedulePauseCommand(a *app) *cobra.Command {
	change := &scheduleChange{
		verb: "pause", done: "paused", guards: true, same: "was paused already",
		would: func(s *queue.Scheduler) bool { return !s.Paused },
		apply: func(ctx context.Context, q *queue.Queue, s *queue.Scheduler) (bool, error) {
			if s.Paused {
				return false, nil
			}
			return true, q.PauseScheduler(ctx, s.ID)
		},
	}
	cmd := &cobra.Command{
		Use:   "pause QUEUE {ID... | -}",
		Short: "Take schedules out until they are resumed",
		Long: `Take schedules out and keep them: they make no more jobs until "qctl schedule
resume". The next job goes while it is not due; one that waits or runs already
stays.

BullMQ knows no paused schedules. To Node a paused one is removed; when a Node
service makes it anew, as many do when they start, it runs again.`,
		Example: `  qctl schedule pause digest daily
  qctl schedule pause email cleanup hourly-check
  qctl schedule pause digest daily --dry-run`,
		Args:              argumentCount(2, -1, "QUEUE and an ID"),
		ValidArgsFunction: completeSchedules(a, -1, queue.SchedulerHealthy, queue.SchedulerStopped, queue.SchedulerEnded),
		RunE:              change.run(a),
	}
	change.addFlags(a, cmd, "paused")
	return a.printsRows(cmd, render.LayoutOf[scheduleChangeView](nil))
}

func newScheduleResumeCommand(a *app) *cobra.Command {
	change := &scheduleChange{
		verb: "resume", done: "resumed", guards: true, same: "was not paused",
		would: func(s *queue.Scheduler) bool { return s.Paused },
		apply: func(ctx context.Context, q *queue.Queue, s *queue.Scheduler) (bool, error) {
			if !s.Paused {
				return false, nil
			}
			_, err := q.ResumeScheduler(ctx, s.ID, cron.NextRun)
			return err == nil, err
		},
	}
	cmd := &cobra.Command{
		Use:   "resume QUEUE {ID... | -}",
		Short: "Let paused schedules make jobs again",
		Long: `Put schedules back that "qctl schedule pause" has taken out, with the numbers of
their jobs. What fell due meanwhile is not made up for: the next job comes at the
next time.`,
		Example: `  qctl schedule resume digest nightly
  qctl schedule resume digest nightly --dry-run
  qctl schedule list digest --jq '.[] | select(.paused) | .id' | qctl schedule resume digest -`,
		Args:              argumentCount(2, -1, "QUEUE and an ID"),
		ValidArgsFunction: completeSchedules(a, -1, queue.SchedulerPaused),
		RunE:              change.run(a),
	}
	change.addFlags(a, cmd, "resumed")
	return a.printsRows(cmd, render.LayoutOf[scheduleChangeView](nil))
}

// run is the body of a command that changes the schedules it names.
func (c *scheduleChange) run(a *app) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, cancel := a.context(cmd)
		defer cancel()
		t, err := c.target(ctx, a, args[0], args[1:])
		if err != nil {
			return err
		}
		ids := a.jobIDs(ctx, t, args[1:])
		ids.noun = "schedule"
		var views []scheduleChangeView
		var failure error
		for {
			page, err := ids.next(ctx)
			if err != nil {
				failure = andThen(failure, err)
			}
			if len(page) == 0 || err != nil {
				break
			}
			for _, id := range page {
				view, err := c.one(ctx, a, t, id)
				if err == nil {
					views = append(views, view)
				}
				failure = andThen(failure, err)
				if err != nil && !as[*notFoundError](err) {
					return andThen(failure, printResults(a, views, true, scheduleChangeView.text))
				}
			}
		}
		return andThen(failure, printResults(a, views, true, scheduleChangeView.text))
	}
}

// target is the queue, once it is clear that its schedules may be changed.
func (c *scheduleChange) target(ctx context.Context, a *app, name string, ids []string) (target, error) {
	if err := checkIDsOf("schedule", ids); err != nil {
		return target{}, err
	}
	if err := a.mayChange(c.dryRun); err != nil {
		return target{}, err
	}
	t, err := a.existing(ctx, name)
	if err != nil || !c.guards {
		return t, err
	}
	what := func(t target) string { return c.verb + " schedules of " + t.label() }
	if !c.loses {
		return t, a.confirmProtected(ctx, &c.confirmation, c.dryRun, []target{t}, what)
	}
	if c.dryRun {
		return t, checkConfirmed(a.config, c.confirmation.names, []target{t})
	}
	_, err = a.confirmNamed(ctx, &c.confirmation, []target{t}, what) // what is not protected needs no yes
	return t, err
}

// one changes one schedule.
func (c *scheduleChange) one(ctx context.Context, a *app, t target, id string) (scheduleChangeView, error) {
	s, err := a.findSchedule(ctx, t, id)
	if err != nil {
		return scheduleChangeView{}, err
	}
	changed := c.would == nil || c.would(&s)
	if !c.dryRun {
		if changed, err = c.apply(ctx, t.q, &s); err != nil {
			return scheduleChangeView{}, scheduleError(t, s.ID, err)
		}
	}
	view := scheduleChangeView{
		Queue: t.Name, KeyBase: t.base().String(), ID: s.ID, Changed: changed, DryRun: c.dryRun, argument: t.argument(),
	}
	if changed && !c.dryRun && c.done != "removed" && c.done != "paused" {
		if s, err = t.q.Scheduler(ctx, s.ID); err != nil && !errors.Is(err, queue.ErrSchedulerNotFound) {
			return view, err
		}
		view.Next, view.NextAt = nextFields(s.Next, s.TZ)
	}
	view.summary = c.summary(t, &view)
	return view, nil
}

// summary is the line for people.
func (c *scheduleChange) summary(t target, v *scheduleChangeView) string {
	name := fmt.Sprintf("schedule %s of %s", render.Text(v.ID), render.Text(t.label()))
	switch {
	case !v.Changed:
		return name + " " + c.same
	case v.DryRun:
		return fmt.Sprintf("would %s %s", c.verb, name)
	case v.NextAt != nil:
		return fmt.Sprintf("%s %s: next %s", c.done, name, *v.NextAt)
	}
	return fmt.Sprintf("%s %s", c.done, name)
}

// text is the line for people.
func (v scheduleChangeView) text() string { return v.summary }

// restartSchedule gives a schedule that stopped its next job.
func restartSchedule(ctx context.Context, q *queue.Queue, s *queue.Scheduler) (bool, error) {
	return q.RestartScheduler(ctx, s.ID, cron.NextRun)
}
