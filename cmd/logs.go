package cmd

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// logsOptions are the flags of qctl logs.
type logsOptions struct {
	limit    int
	follow   bool
	idBase64 string

	changed func(string) bool
}

func (o *logsOptions) addFlags(f *pflag.FlagSet) {
	intVar(f, &o.limit, "limit", 0, mostCount, "only the newest `N` lines (0 means all)")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on until the job has finished")
	f.StringVar(&o.idBase64, "id-base64", "", "the job's id in `BASE64`, instead of ID")
	o.changed = f.Changed
}

func newLogsCommand(a *app) *cobra.Command {
	opts := &logsOptions{}
	cmd := &cobra.Command{
		Use:     "logs QUEUE ID",
		Short:   "Print the log of one job",
		GroupID: groupLook,
		Long: `Print the lines that a job has logged, oldest first: what its program wrote to
standard error, or what its Node worker logged. What was logged in one piece
stays one line in a pipe, with \n in it; on a terminal its further lines are
indented.

With --follow, lines are printed as they come, until the job has finished. As
JSON each line is an object with its number.`,
		Example: `  qctl logs email 42
  qctl logs email 42 --limit 20
  qctl logs orchestration 7 --follow
  qctl logs email 42 -o ndjson | jq -r .line`,
		Args:              argumentCount(1, 2, "QUEUE ID"),
		ValidArgsFunction: completeJobs(a, 2, queue.StateActive, queue.StateFailed, queue.StateDelayed, queue.StateCompleted),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := jobID(args[1:], opts.idBase64, opts.changed("id-base64"))
			if err != nil {
				return err
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runLogs(ctx, a, opts, args[0], id, len(args) > 1)
		},
	}
	opts.addFlags(cmd.Flags())
	return a.prints(cmd, prints{layout: render.LogLayout, endless: flagIf(&opts.follow, "--follow")})
}

// logPage is how many lines are read at a time, and logPoll how often a job is
// looked at for more: its log tells nobody that it grew.
const (
	logPage = 1000
	logPoll = 500 * time.Millisecond
)

// runLogs prints the log of a job. An id that was typed may have the queue in
// front.
func runLogs(ctx context.Context, a *app, opts *logsOptions, arg, id string, typed bool) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	t, err := a.existing(ctx, arg)
	if err != nil {
		return err
	}
	if typed {
		id = a.ownID(t, id)
	}
	// Without lines and without a job there is nothing to print.
	_, total, err := t.q.Logs(ctx, id, 0, 0, true)
	if err != nil {
		return err
	}
	next := int64(0)
	if opts.limit > 0 {
		next = max(0, total-int64(opts.limit))
	}
	lines := render.NewLogLines(a.streams.Out, format, a.options())
	for {
		// The state comes first: a job that has finished logs nothing any more.
		states, err := t.q.StateOf(ctx, []string{id})
		if err != nil {
			return err
		}
		if next, err = printLogs(ctx, t.q, id, next, lines); err != nil {
			return err
		}
		if !opts.follow || states[0].Finished() || states[0] == queue.StateUnknown {
			return lines.Close()
		}
		if err := lines.Flush(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return lines.Close() // as long as --timeout said
			}
			return ctx.Err()
		case <-time.After(logPoll):
		}
	}
}

// printLogs prints the lines from number next on, counted from 0, and returns
// the number of the one after the last.
func printLogs(ctx context.Context, q *queue.Queue, id string, next int64, out render.Rows[render.LogLine]) (int64, error) {
	for {
		lines, total, err := q.Logs(ctx, id, next, logPage, true)
		if err != nil {
			return next, err
		}
		for _, line := range lines {
			next++
			if err := out.Write(render.LogLine{Number: next, Text: line}); err != nil {
				return next, err
			}
		}
		if len(lines) == 0 || next >= total {
			return next, nil
		}
	}
}
