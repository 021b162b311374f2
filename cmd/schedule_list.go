package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// Bounds of what is read of the schedules of a queue.
const (
	schedulePage = 500
	// mostMissed is how far missed times of a pattern are counted.
	mostMissed = 1000
)

func newScheduleListCommand(a *app) *cobra.Command {
	unhealthy := false
	cmd := &cobra.Command{
		Use:   "list [QUEUE]...",
		Short: "List schedules, and whether they go on",
		Long: `List the schedules of queues, by the time of the next job; without QUEUE those of
every queue of this Redis. QUEUE may also be a pattern in quotes, or @ROLE for
all queues of a role.

HEALTH tells which of them need somebody:

  healthy   the next job is there
  stopped   it is missing, and neither the limit nor the end of the schedule
            says why; qctl schedule restart mends it
  corrupt   what is stored cannot be read
  legacy    a repeatable of BullMQ 5 or older; qctl schedule convert
  paused    taken out with qctl schedule pause
  ended     all its jobs are made, or its time is over

With --unhealthy only those that stopped or are corrupt are listed, and the exit
code is 1 if there are any.`,
		Example: `  qctl schedule list
  qctl schedule list digest email -o wide
  qctl schedule list @workforce0 --unhealthy
  qctl schedule list -o json | jq -r '.[] | select(.missed > 0) | .id'`,
		Args:              argumentCount(0, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runScheduleList(ctx, a, unhealthy, args)
		},
	}
	cmd.Flags().BoolVar(&unhealthy, "unhealthy", false, "list only what stopped or is corrupt, and exit with 1 when there is any")
	return a.printsRows(cmd, render.ScheduleLayout())
}

// runScheduleList shows what can be read, and then fails for what cannot.
func runScheduleList(ctx context.Context, a *app, unhealthy bool, args []string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	var rows []render.ScheduleRow
	var failures []error
	for _, t := range targets {
		of, err := scheduleRows(ctx, a, t)
		if err != nil && !passable(err) {
			return err
		}
		rows, failures = append(rows, of...), append(failures, err)
	}
	var broken []string
	shown := rows[:0]
	for _, row := range rows {
		if row.Broken() {
			broken = append(broken, render.Text(row.Argument+":"+row.ID))
		}
		if row.Broken() || !unhealthy {
			shown = append(shown, row)
		}
	}
	if err := render.WriteSchedules(a.streams.Out, shown, format, a.options()); err != nil {
		return err
	}
	if len(rows) == 0 && a.streams.OutIsTerminal() && format.ForPeople() {
		fmt.Fprintln(a.streams.Err, "no schedules: qctl schedule add QUEUE ID makes one")
	}
	if unhealthy && len(broken) > 0 {
		verb := "do"
		if len(broken) == 1 {
			verb = "does"
		}
		failures = append(failures, &partialError{fmt.Errorf("%s that should go on and %s not: %s",
			plural(len(broken), "schedule"), verb, strings.Join(broken, ", "))})
	}
	return errors.Join(failures...)
}

// scheduleRows reads the schedules of a queue.
func scheduleRows(ctx context.Context, a *app, t target) ([]render.ScheduleRow, error) {
	var rows []render.ScheduleRow
	for {
		page, total, err := t.q.Schedulers(ctx, len(rows), schedulePage)
		if err != nil {
			return rows, err
		}
		for i := range page {
			rows = append(rows, scheduleRow(a, t, &page[i]))
		}
		if len(rows) >= total || len(page) == 0 {
			return rows, addOutcomes(ctx, t, rows)
		}
	}
}

// scheduleRow is a schedule without what its jobs tell.
func scheduleRow(a *app, t target, s *queue.Scheduler) render.ScheduleRow {
	row := render.ScheduleRow{
		Queue: t.Name, Alias: t.Alias, Argument: t.argument(), KeyBase: t.base(), Scheduler: s, LastJobID: s.LastJobID(cron.NextRun),
	}
	if zone, err := readZone("", s.TZ); err == nil {
		row.Zone = zone
	}
	// A pattern that cannot be read is what the health tells.
	row.Missed, _ = s.Missed(mostMissed, a.now(), cron.NextRun)
	return row
}

// addOutcomes asks what has become of the last jobs. The id of one that is not
// there may be wrong, and is left out.
func addOutcomes(ctx context.Context, t target, rows []render.ScheduleRow) error {
	var ids []string
	var of []int
	for i, row := range rows {
		if row.LastJobID != "" {
			ids, of = append(ids, row.LastJobID), append(of, i)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	states, err := t.q.StateOf(ctx, ids)
	if err != nil {
		return err
	}
	for i, state := range states {
		rows[of[i]].LastOutcome = state
		if state == queue.StateUnknown {
			rows[of[i]].LastOutcome, rows[of[i]].LastJobID = "", ""
		}
	}
	return nil
}
