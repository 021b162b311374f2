package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// lagOptions are the flags of qctl lag.
type lagOptions struct {
	limit  int
	failIf string
	alarm  *alarm // nil without failIf
}

func newLagCommand(a *app) *cobra.Command {
	opts := &lagOptions{limit: mostPriorities}
	cmd := &cobra.Command{
		Use:     "lag [QUEUE]...",
		Short:   "Show how far behind queues are, priority by priority",
		GroupID: groupLook,
		Long: `Show how many jobs of each priority are ready to run, for how long the next of
them has been, and when they will be done; without QUEUE of every queue of this
Redis. QUEUE may also be a pattern in quotes, or @ROLE for all queues of a role.

Priorities are those on the wire, in the order in which they run: 0 are the jobs
without one, then 1. Where jobs run in the order in which they came, the next one
is the oldest. OVERDUE are the delayed jobs of the queue whose time has come: a
worker, if there is any, takes them up at once.

CLEARS is an estimate: the jobs of the priority and of those before it, at the
rate at which jobs finish now, when no others come. The rate is what workers
with --metrics count, else what finished in the last minute or the last five and
is still kept. It is ? where jobs run and none was seen to finish.

It reads one job for each priority, however many wait, and only the first
priorities of a queue that has very many; --limit says how many.

With --fail-if the exit code is 1 when the condition holds for any of the rows,
and the error names them. A condition knows the fields of -o json, and paused,
workers and oldest (as in oldest > duration("5m")). Numbers that are unknown are
-1, as clearsInMs is for never.`,
		Example: `  qctl lag
  qctl lag email orchestration -o wide
  qctl lag email --fail-if 'oldestMs > 60000'
  qctl lag @workforce0 --fail-if 'priority <= 1 && oldest > duration("1m") || overdue > 0'
  qctl lag -o ndjson | jq -r 'select(.clearsInMs == null) | "\(.keyBase) \(.waiting)"'`,
		Args:              argumentCount(0, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("fail-if") {
				var err error
				if opts.alarm, err = parseAlarm(opts.failIf, lagValues(render.LagRow{})); err != nil {
					return err
				}
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runLag(ctx, a, opts, args)
		},
	}
	intVar(cmd.Flags(), &opts.limit, "limit", 0, mostCount, "the first `N` priorities of each queue (0 means all)")
	cmd.Flags().StringVar(&opts.failIf, "fail-if", "", "exit with 1 when this `CONDITION` holds for any queue")
	return a.printsRows(cmd, render.LagLayout())
}

// mostPriorities is how many priorities of a queue are shown unless told.
const mostPriorities = 100

// runLag shows what can be read, and then fails for what cannot.
func runLag(ctx context.Context, a *app, opts *lagOptions, args []string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	rows, err := gatherLag(ctx, a, opts, targets)
	if err != nil {
		return err
	}
	if err := render.WriteLag(a.streams.Out, rows, format, a.options()); err != nil {
		return err
	}
	if len(targets) == 0 {
		tellNoQueues(a, format)
	}
	var errs []error
	var watched []alarmed
	for _, row := range rows {
		if row.Counts.Err != nil {
			errs = append(errs, row.Counts.Err)
			continue
		}
		label := cmp.Or(row.Alias, row.Queue)
		if row.Level != nil {
			label = fmt.Sprintf("%s priority %d", label, row.Level.Priority)
		}
		watched = append(watched, alarmed{label, lagValues(row)})
	}
	return errors.Join(append(errs, opts.alarm.check(watched))...)
}

// gatherLag asks for what stats asks for, and then each queue that can be read
// for its priorities.
func gatherLag(ctx context.Context, a *app, opts *lagOptions, targets []target) ([]render.LagRow, error) {
	stats, err := gatherStats(ctx, a, targets)
	if err != nil {
		return nil, err
	}
	bases := make([]queue.KeyBase, len(targets))
	for i, t := range targets {
		bases[i] = t.base()
	}
	now := a.now()
	history, err := a.client.HistoryOf(ctx, bases, now, int(render.ErrorWindow/time.Minute))
	if err != nil {
		return nil, err
	}
	lags := make([]queue.Lag, len(targets))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(queuesAtOnce)
	for i, t := range targets {
		if stats[i].Counts.Err != nil {
			continue
		}
		group.Go(func() (err error) {
			lags[i], err = t.q.Lag(groupCtx, opts.limit)
			if passable(err) {
				stats[i].Counts.Err = err
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var rows []render.LagRow
	for i := range stats {
		rows = append(rows, lagRows(stats[i], lags[i], perMinute(stats[i], history[i], now), now)...)
		if behind := lags[i].Behind; behind > 0 {
			a.warn("%s: %s jobs of further priorities are not shown; --limit 0 shows all", targets[i].label(), render.Count(behind))
		}
	}
	return rows, nil
}

// lagRows are a row for each priority, and one for a queue without any.
func lagRows(s render.Stats, lag queue.Lag, rate float64, now time.Time) []render.LagRow {
	row := render.LagRow{
		Queue: s.Queue, Alias: s.Alias, KeyBase: s.KeyBase, Evidence: s.Evidence, Age: render.Unknown,
		Overdue: lag.Overdue, PerMinute: rate,
	}
	if lag.Overdue > 0 {
		row.OverdueFor = max(now.Sub(lag.DueSince), 0)
	}
	if len(lag.Levels) == 0 {
		return []render.LagRow{row}
	}
	rows := make([]render.LagRow, len(lag.Levels))
	for i := range lag.Levels {
		level := &lag.Levels[i]
		rows[i] = row
		rows[i].Level = level
		if !level.Since.IsZero() {
			rows[i].Age = max(now.Sub(level.Since), 0)
		}
		row.Ahead += level.Jobs
	}
	return rows
}

// perMinute is how many jobs finish in a minute: what workers counted in the last
// full minutes, else what finished in the last minute, else the mean of five. The
// last two see only jobs that are kept.
func perMinute(s render.Stats, h queue.History, now time.Time) float64 {
	counted, minutes := int64(0), 0
	for _, m := range h.Minutes {
		if now.Sub(m.Start) <= render.ErrorWindow+time.Minute {
			counted += m.Completed + m.Failed
			minutes++
		}
	}
	switch {
	case counted > 0:
		return float64(counted) / float64(minutes)
	case s.CompletedPerMinute < 0 || s.FailedPerMinute < 0 || s.Lately.Err != nil:
		return render.Unknown
	case s.CompletedPerMinute+s.FailedPerMinute > 0:
		return float64(s.CompletedPerMinute + s.FailedPerMinute)
	}
	return float64(s.Lately.Completed+s.Lately.Failed) / render.ErrorWindow.Minutes()
}

// lagValues is what a condition can ask of a row: the fields of its JSON, and the
// age as a span of time. What is unknown is -1.
func lagValues(r render.LagRow) map[string]any {
	v := r.View()
	number := func(n *int64) int64 {
		if n == nil {
			return render.Unknown
		}
		return *n
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	values := map[string]any{
		"queue": r.Queue, "alias": r.Alias, "keyBase": v.KeyBase, "status": v.Status, "paused": r.Counts.Paused,
		"workers": int64(r.Workers), "priority": number(v.Priority), "waiting": number(v.Waiting),
		"oldestId": text(v.OldestID), "oldestMs": int64(0), "oldest": time.Duration(0), "overdue": number(v.Overdue),
		"overdueMs": r.OverdueFor.Milliseconds(), "perMinute": r.PerMinute, "clearsInMs": number(v.ClearsInMs), "clears": text(v.Clears),
	}
	if r.Level != nil {
		values["oldest"], values["oldestMs"] = r.Age, number(v.OldestMs)
	}
	return values
}
