package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// shownTimes is how many times of a schedule its page shows.
const shownTimes = 5

func newScheduleShowCommand(a *app) *cobra.Command {
	return a.printsRows(&cobra.Command{
		Use:   "show QUEUE ID",
		Short: "Show everything about one schedule",
		Long: `Show everything that is stored with a schedule: when it fires, its next job and
what has become of the last one, and the payload and the options of its jobs. A
schedule that has stopped says so; qctl schedule restart mends it.`,
		Example: `  qctl schedule show digest daily
  qctl schedule show digest daily -o json | jq .data
  qctl schedule show digest daily --jq '.upcoming[].at'`,
		Args:              argumentCount(2, 2, "QUEUE ID"),
		ValidArgsFunction: completeSchedules(a, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runScheduleShow(ctx, a, args[0], args[1])
		},
	}, render.LayoutOf[render.SchedulePageView](nil))
}

func runScheduleShow(ctx context.Context, a *app, name, id string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	t, s, err := a.schedule(ctx, name, id)
	if err != nil {
		return err
	}
	rows := []render.ScheduleRow{scheduleRow(a, t, &s)}
	if err := addOutcomes(ctx, t, rows); err != nil {
		return err
	}
	page := render.SchedulePage{ScheduleRow: rows[0]}
	if page.Upcoming, err = s.Upcoming(shownTimes, a.now(), cron.NextRun); err != nil {
		a.warn("%v", err)
	}
	if page.LastOutcome == queue.StateFailed {
		if page.LastReason, err = failedReason(ctx, t, page.LastJobID); err != nil && !passable(err) {
			return err
		}
	}
	o := a.options()
	if !format.ForPeople() {
		return render.WriteOne(a.streams.Out, page.View(), format, o)
	}
	o.Wide = format == render.FormatWide
	return page.Write(a.streams.Out, o)
}

// failedReason is why a job failed; empty when it is gone meanwhile.
func failedReason(ctx context.Context, t target, id string) (string, error) {
	jobs, _, err := t.q.Read(ctx, []string{id}, queue.FieldFailedReason, 0)
	if err != nil || len(jobs) == 0 {
		return "", err
	}
	return jobs[0].FailedReason, nil
}
