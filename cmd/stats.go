package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// statsOptions are the flags of qctl stats.
type statsOptions struct {
	watch    bool
	interval time.Duration
	failIf   string
	alarm    *alarm // nil without failIf
}

func newStatsCommand(a *app) *cobra.Command {
	opts := &statsOptions{}
	cmd := &cobra.Command{
		Use:     "stats [QUEUE]...",
		Short:   "Show how many jobs queues hold, and whether they move",
		GroupID: groupLook,
		Long: `Show how many jobs each queue holds in each state, how many workers it has, how
long the oldest waiting job has waited, and how many jobs finished within the
last minute; without QUEUE of every queue of this Redis. QUEUE may also be a
pattern in quotes, or @ROLE for all queues of a role.

Jobs of a paused queue count as waiting. The number of workers is ? where Redis
does not list its clients.

STATUS is the most urgent of: unreadable, no-workers (jobs wait), stuck (an
active job that no worker holds, or workers that take none of the jobs that
wait), failing, late (jobs wait for more than 5 minutes), paused, capped (as many
jobs are active as qctl limit --concurrency allows), rate-limited (qctl limit
--rate lets no job start now), busy, idle.

With --watch the numbers are printed again and again, until interrupted or for
as long as --timeout says.

With --fail-if the exit code is 1 when the condition holds for any of the
queues, and the error names them; with --watch that ends it. A condition knows
the fields of -o json, and status, errorRate (per cent of what finished in five
minutes) and oldest (as in oldest > duration("5m")). Numbers that are unknown,
such as workers where Redis does not list its clients, are -1.`,
		Example: `  qctl stats
  qctl stats email orchestration
  qctl stats 'queue:*' -o wide
  qctl stats @synthstack -o json
  qctl stats --watch --interval 5s
  qctl stats --fail-if 'failed > 1000 || workers == 0 && waiting > 0'
  qctl stats @workforce0 --fail-if 'errorRate > 20 || oldest > duration("10m")'
  qctl stats -o json | jq -r '.[] | select(.failed > 0) | .keyBase'`,
		Args:              argumentCount(0, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("fail-if") {
				var err error
				if opts.alarm, err = parseAlarm(opts.failIf, alarmValues(render.Stats{})); err != nil {
					return err
				}
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			if opts.watch {
				return watchStats(ctx, a, opts, args)
			}
			return runStats(ctx, a, opts, args)
		},
	}
	cmd.Flags().BoolVarP(&opts.watch, "watch", "w", false, "print again and again")
	durationVar(cmd.Flags(), &opts.interval, "interval", "2s", leastInterval, "24h", "with --watch: `TIME` from one print to the next")
	cmd.Flags().StringVar(&opts.failIf, "fail-if", "", "exit with 1 when this `CONDITION` holds for any queue")
	return a.prints(cmd, prints{layout: render.StatsLayout, endless: flagIf(&opts.watch, "--watch")})
}

// leastInterval keeps a watch from being a load.
const leastInterval = "100ms"

// watchStats prints the stats until ctx ends. It survives a Redis that does not
// answer, which it tells.
func watchStats(ctx context.Context, a *app, opts *statsOptions, args []string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		if !first && format.ForPeople() {
			if _, err := fmt.Fprintf(a.streams.Out, "\n%s\n", a.now().In(a.local).Format(time.DateTime)); err != nil {
				return err
			}
		}
		err := runStats(ctx, a, opts, args)
		a.out.again = format == render.FormatCSV
		class := queue.Classify(err)
		lost := class == queue.ClassUnreachable || class == queue.ClassUnknown || class == queue.ClassRefused
		switch {
		case ctx.Err() != nil: // below
		case err != nil && (first || !lost):
			return err
		case err != nil:
			a.warn("%s", err)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil // as long as --timeout said
			}
			return ctx.Err()
		case <-time.After(opts.interval):
		}
	}
}

// runStats shows what can be read, and then fails for what cannot.
func runStats(ctx context.Context, a *app, opts *statsOptions, args []string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	stats, err := gatherStats(ctx, a, targets)
	if err != nil {
		return err
	}
	if err := render.WriteStats(a.streams.Out, stats, format, a.options()); err != nil {
		return err
	}
	if len(targets) == 0 {
		tellNoQueues(a, format)
	}
	errs := make([]error, len(stats), len(stats)+1)
	for i := range stats {
		errs[i] = stats[i].Counts.Err
	}
	errs = append(errs, opts.alarm.check(alarmedStats(stats)))
	return errors.Join(errs...)
}

// tellNoQueues says how to begin, to whoever looks at a table without rows.
func tellNoQueues(a *app, format render.Format) {
	if format.ForPeople() {
		fmt.Fprintln(a.streams.Err, "qctl: no queues in this Redis yet; the first job makes one: qctl enqueue email queueId=1")
	}
}

// gatherStats asks for everything at once, whatever the number of queues: what
// one queue refuses does not hide the others.
func gatherStats(ctx context.Context, a *app, targets []target) ([]render.Stats, error) {
	bases := make([]queue.KeyBase, len(targets))
	for i, t := range targets {
		bases[i] = t.base()
	}
	now := a.now()
	var counts []queue.Counts
	var rates []queue.Rates
	var lately []queue.Finished
	var workers map[queue.KeyBase][]queue.WorkerConn
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		counts, err = a.client.CountsOf(groupCtx, bases)
		return err
	})
	group.Go(func() (err error) {
		rates, err = a.client.RatesOf(groupCtx, bases, now)
		return err
	})
	group.Go(func() (err error) {
		lately, err = a.client.FinishedOf(groupCtx, bases, now.Add(-render.ErrorWindow), now)
		return err
	})
	group.Go(func() (err error) {
		workers, err = a.client.Workers(groupCtx, bases)
		if errors.Is(err, queue.ErrUnsupported) {
			return nil // workers is nil then: their number is unknown
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	stats := make([]render.Stats, len(targets))
	for i, t := range targets {
		stats[i] = render.Stats{Queue: t.Name, Alias: t.Alias, KeyBase: bases[i], Evidence: render.Evidence{
			Counts: counts[i], Workers: render.Unknown, OldestWaiting: render.Unknown, Still: render.Unknown,
			CompletedPerMinute: rates[i].CompletedPerMinute, FailedPerMinute: rates[i].FailedPerMinute,
			Lately: lately[i],
		}}
		if workers != nil {
			stats[i].Workers = len(workers[bases[i]])
		}
		if rates[i].Err != nil {
			stats[i].CompletedPerMinute, stats[i].FailedPerMinute = render.Unknown, render.Unknown
		}
	}
	return stats, addStandings(ctx, targets, stats, now)
}

// queuesAtOnce is how many queues are asked one by one at one time.
const queuesAtOnce = 8

// addStandings asks the queues in which jobs wait or run whether they move.
func addStandings(ctx context.Context, targets []target, stats []render.Stats, now time.Time) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(queuesAtOnce)
	for i := range stats {
		if !stats[i].Waits() && stats[i].Counts.Active == 0 {
			continue
		}
		group.Go(func() error {
			standing, err := targets[i].q.Standing(ctx)
			switch {
			case err != nil && !passable(err):
				return err
			case err == nil:
				stats[i].See(standing, now)
			}
			return nil
		})
	}
	return group.Wait()
}
