package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func newQueuesCommand(a *app) *cobra.Command {
	return a.printsRows(&cobra.Command{
		Use:     "queues",
		Short:   "List the queues there are",
		GroupID: groupLook,
		Long: `List every queue of this Redis, and those that are configured but have no jobs
yet: what they are called, where their keys lie, how many jobs they hold, and how
they do, in the words of qctl stats.`,
		Example: `  qctl queues
  qctl queues -o wide
  qctl queues -o json | jq -r '.[] | select(.configured | not) | .keyBase'`,
		Args:              argumentCount(0, 0, "no arguments"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runQueues(ctx, a)
		},
	}, render.QueueLayout())
}

func runQueues(ctx context.Context, a *app) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	found, err := a.queues(ctx, nil)
	if err != nil {
		return err
	}
	rows, err := queueRows(ctx, a, found)
	if err != nil {
		return err
	}
	if err := render.WriteQueues(a.streams.Out, rows, format, a.options()); err != nil {
		return err
	}
	errs := make([]error, len(rows))
	for i := range rows {
		errs[i] = rows[i].Counts.Err
	}
	return errors.Join(errs...)
}

// queueRows lists the configured queues in their order, and then those that
// were found besides.
func queueRows(ctx context.Context, a *app, found []target) ([]render.QueueRow, error) {
	stats, err := gatherStats(ctx, a, found)
	if err != nil {
		return nil, err
	}
	there := make(map[queue.KeyBase]render.Stats, len(found))
	for _, s := range stats {
		there[s.KeyBase] = s
	}
	var rows []render.QueueRow
	for _, configured := range a.config.Targets("") {
		t := target{Target: configured}
		s, exists := there[t.base()]
		rows = append(rows, queueRow(t, s, exists))
	}
	for _, t := range found {
		if !t.Configured {
			rows = append(rows, queueRow(t, there[t.base()], true))
		}
	}
	return rows, nil
}

func queueRow(t target, s render.Stats, exists bool) render.QueueRow {
	row := render.QueueRow{
		Queue: t.Name, Alias: t.Alias, Role: t.Queue.Role, KeyBase: t.base(),
		Configured: t.Configured, Exists: exists, Counts: s.Counts,
	}
	if exists {
		row.Status = s.Status()
	}
	return row
}
