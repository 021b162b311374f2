package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/embedded"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// home is what the bare word qctl prints: what most people came for. All else
// is in --help.
const home = `qctl works, watches and repairs BullMQ job queues on Redis.

  qctl top                               watch queues live, what needs attention first
  qctl stats                             how many jobs there are, and whether they move
  qctl failed QUEUE                      what failed, and why
  qctl retry --all-failed QUEUE          put it back to waiting
  qctl worker --queue QUEUE -- PROGRAM   run the jobs with any program

`

// printHome prints the short help and how the queues are, if that can be had
// within the time that a shell would wait for a completion.
func printHome(cmd *cobra.Command, a *app) error {
	ctx, cancel := completionContext(a, cmd)
	defer cancel()
	_, err := fmt.Fprint(a.streams.Out, home, render.Text(health(ctx, a)), "\n\nqctl --help lists every command; qctl COMMAND --help has examples.\n")
	return err
}

// health is one line on this Redis.
func health(ctx context.Context, a *app) string {
	if _, err := a.connect(); err != nil {
		if errors.Is(err, embedded.ErrNotRunning) {
			return "No Redis is configured (REDIS_URL): the first command starts a store of its own."
		}
		if errors.Is(err, config.ErrInvalid) && len(split(err)) > 1 {
			return "The configuration has mistakes; qctl config validate lists them."
		}
		return "Not connected: " + err.Error()
	}
	where := a.where()
	if where == "embedded" {
		where = "The embedded store"
	}
	targets, err := a.queues(ctx, nil)
	var stats []render.Stats
	if err == nil {
		stats, err = gatherStats(ctx, a, targets)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), queue.Classify(err) == queue.ClassUnknown:
		return where + " does not answer within " + render.Duration(completionBudget) + "."
	case err != nil:
		return where + ": " + err.Error()
	case len(stats) == 0:
		return where + ": no queues yet."
	}
	return where + ": " + healthOf(stats)
}

// healthOf sums the queues up, and names those that somebody should look at.
func healthOf(stats []render.Stats) string {
	var waiting, active, failed int64
	var troubled []string
	const named = 3
	more := 0
	for _, s := range stats {
		waiting += s.Counts.Waiting + s.Counts.Prioritized
		active += s.Counts.Active
		failed += s.Counts.Failed
		if status := s.Status(); !status.Urgent() {
			continue
		} else if len(troubled) == named {
			more++
		} else {
			troubled = append(troubled, fmt.Sprintf("%s (%s)", cmp.Or(s.Alias, s.Queue), status))
		}
	}
	text := fmt.Sprintf("%s queues, %s waiting, %s active, %s failed", render.Count(int64(len(stats))),
		render.Count(waiting), render.Count(active), render.Count(failed))
	if len(troubled) == 0 {
		return text + "; nothing needs attention."
	}
	text += "; look at " + strings.Join(troubled, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + "."
}
