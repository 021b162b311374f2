package cmd

import (
	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/render"
)

func newResumeCommand(a *app) *cobra.Command {
	opts := &switchOptions{}
	cmd := &cobra.Command{
		Use:     "resume QUEUE...",
		Short:   "Let workers take jobs again",
		GroupID: groupChange,
		Long: `Resume paused queues: their workers take jobs again at once, in the order in
which the jobs were waiting.

QUEUE may be a pattern in quotes or @role. A queue that the configuration
protects is only resumed after its name was typed, or given with --confirm, or
with --yes.`,
		Example: `  qctl resume email
  qctl resume email orchestration
  qctl resume '*' --dry-run`,
		Args:              argumentCount(1, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runSwitch(ctx, a, opts, args)
		},
	}
	cmd.Flags().BoolVarP(&opts.dryRun, "dry-run", "n", false, "only say what would be resumed")
	opts.addFlags(a, cmd)
	return a.printsRows(cmd, render.LayoutOf[switchView](nil))
}
