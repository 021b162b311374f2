package cmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func newWorkersCommand(a *app) *cobra.Command {
	return a.printsRows(&cobra.Command{
		Use:     "workers [QUEUE]...",
		Short:   "List the workers that are connected",
		GroupID: groupLook,
		Long: `List the connections of workers, of qctl and of BullMQ, by the names that they
give themselves in Redis; without QUEUE those of every queue. QUEUE may also be a
pattern in quotes, or @ROLE for all queues of a role.

A worker shows while it is connected, whether it runs jobs or waits for some.
Where Redis does not let this user list its clients, the exit code is 7.`,
		Example: `  qctl workers
  qctl workers email orchestration
  qctl workers @workforce0 -o wide
  qctl workers -o json | jq -r 'group_by(.queue)[] | "\(.[0].queue) \(length)"'`,
		Args:              argumentCount(0, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runWorkers(ctx, a, args)
		},
	}, render.WorkerLayout())
}

func runWorkers(ctx context.Context, a *app, args []string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	bases := make([]queue.KeyBase, len(targets))
	for i, t := range targets {
		bases[i] = t.base()
	}
	workers, err := a.client.Workers(ctx, bases)
	if err != nil {
		return err
	}
	var rows []render.WorkerRow
	for _, t := range targets {
		conns := workers[t.base()]
		slices.SortFunc(conns, func(a, b queue.WorkerConn) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Addr, b.Addr))
		})
		for _, conn := range conns {
			rows = append(rows, render.WorkerRow{Queue: t.Name, Alias: t.Alias, KeyBase: t.base(), WorkerConn: conn})
		}
	}
	if err := render.WriteWorkers(a.streams.Out, rows, format, a.options()); err != nil {
		return err
	}
	if len(rows) == 0 && a.streams.OutIsTerminal() && format.ForPeople() {
		fmt.Fprintln(a.streams.Err, "no workers: qctl worker --queue QUEUE -- PROGRAM starts one")
	}
	return nil
}
