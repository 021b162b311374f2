package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func newMetricsCommand(a *app) *cobra.Command {
	limit := shownMinutes
	cmd := &cobra.Command{
		Use:     "metrics QUEUE",
		Short:   "Show how many jobs finished, minute by minute",
		GroupID: groupLook,
		Long: `Show how many jobs of a queue completed and failed in each of the last minutes,
oldest first, as its workers counted them. The minute that runs is left out.

Workers count when they are told to: qctl worker --metrics, and BullMQ's with the
option metrics. Jobs that are not kept are counted too. Where no worker counts
the list is empty, and standard error says so.`,
		Example: `  qctl metrics email
  qctl metrics email --limit 1440 -o csv
  qctl metrics email -o json | jq '[.[].completed] | add'`,
		Args:              argumentCount(1, 1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runMetrics(ctx, a, args[0], limit)
		},
	}
	intVar(cmd.Flags(), &limit, "limit", 0, mostCount, "the newest `N` minutes (0 means all)")
	return a.printsRows(cmd, render.HistoryLayout())
}

// shownMinutes is how many minutes are shown unless told, and countsStill for
// how long a queue may be quiet before that is told.
const (
	shownMinutes = 60
	countsStill  = 10 * time.Minute
)

func runMetrics(ctx context.Context, a *app, arg string, limit int) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	t, err := a.existing(ctx, arg)
	if err != nil {
		return err
	}
	now := a.now()
	histories, err := a.client.HistoryOf(ctx, []queue.KeyBase{t.base()}, now, limit)
	if err != nil {
		return err
	}
	history := histories[0]
	if history.Err != nil {
		return history.Err
	}
	if err := render.WriteHistory(a.streams.Out, history.Minutes, format, a.options()); err != nil {
		return err
	}
	label, quiet := render.Text(t.label()), now.Sub(history.Counted)
	switch {
	case history.Counted.IsZero():
		fmt.Fprintf(a.streams.Err, "qctl: no worker of %s counts: qctl worker --metrics 1h does, and BullMQ's with the option metrics\n", label)
	case quiet > countsStill:
		fmt.Fprintf(a.streams.Err, "qctl: no worker of %s has counted a job for %s\n", label, render.Age(quiet))
	case len(history.Minutes) == 0:
		fmt.Fprintf(a.streams.Err, "qctl: the first minute of %s is not over yet\n", label)
	}
	return nil
}
