package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// mostTimes is how many times of a schedule are shown.
const mostTimes = 1000

// nextOptions are the flags of qctl schedule next.
type nextOptions struct {
	tz    string
	count int
	from  string

	changed func(string) bool
}

func newScheduleNextCommand(a *app) *cobra.Command {
	opts := &nextOptions{count: 5}
	cmd := &cobra.Command{
		Use:   "next {PATTERN | QUEUE ID}",
		Short: "Tell when a cron pattern, or a schedule, fires next",
		Long: `Tell when a cron pattern fires next, which needs no Redis, or when a schedule of
a queue does. Patterns are read as BullMQ reads them.

A pattern has five fields, or six with seconds in front:

  second         0-59
  minute         0-59
  hour           0-23
  day of month   1-31             L is the last day
  month          1-12, JAN-DEC
  day of week    0-7, SUN-SAT     5L is the last Friday, 1#2 the second Monday

Each takes *, lists (1,15), ranges (9-17) and steps (*/15, 9-17/2). When both days
are restricted, either will do. @hourly, @daily, @weekly, @monthly, @yearly,
@weekdays and @weekends are patterns, too. W, @reboot and a field for years are
refused, as BullMQ refuses them.

A time that the clock skips when it goes forward fires an hour later, one that it
shows twice fires once, the first time; both are marked. The zone is UTC unless
--tz names another.

The times of a schedule are those of its jobs, as long as a worker takes up each
of them when it is due.`,
		Example: `  qctl schedule next '0 7 * * MON-FRI' --tz Europe/Berlin
  qctl schedule next '0 0 L * *' --count 12
  qctl schedule next '30 2 * * *' --tz America/New_York --from 2030-03-09
  qctl schedule next digest daily --count 3
  qctl schedule next @hourly -o json | jq -r '.[0].at'`,
		Args:              argumentCount(1, 2, "a PATTERN in quotes, or QUEUE ID"),
		ValidArgsFunction: completeNext(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runNext(ctx, a, opts, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.tz, "tz", "", "time `ZONE` of the pattern, such as Europe/Berlin (default UTC)")
	intVar(flags, &opts.count, "count", 1, mostTimes, "show `N` times")
	flags.StringVar(&opts.from, "from", "", "begin behind this `TIME` (2030-12-25T09:00:00Z, tomorrow 09:00; default now)")
	opts.changed = flags.Changed
	_ = cmd.RegisterFlagCompletionFunc("tz", completeZones) // fails only for unknown flags
	return a.printsRows(cmd, render.FiringLayout())
}

// completeNext offers words for patterns and queues, and behind a queue its
// schedules.
func completeNext(a *app) cobra.CompletionFunc {
	schedules := completeSchedules(a, 2, queue.SchedulerHealthy, queue.SchedulerLegacy)
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		words, directive := schedules(cmd, args, toComplete)
		if len(args) == 0 {
			aliases, _ := completeAliases(cmd, args, toComplete)
			words = append(words, aliases...)
		}
		return words, directive
	}
}

func runNext(ctx context.Context, a *app, opts *nextOptions, args []string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	var firings []time.Time
	if len(args) == 1 {
		firings, err = opts.ofPattern(a, args[0])
	} else {
		firings, err = opts.ofSchedule(ctx, a, args[0], args[1])
	}
	if err != nil {
		return err
	}
	return render.WriteFirings(a.streams.Out, firings, format, a.options())
}

// ofPattern returns the next times of a pattern.
func (o *nextOptions) ofPattern(a *app, pattern string) ([]time.Time, error) {
	schedule, err := readPattern("", pattern)
	if err != nil {
		return nil, err
	}
	zone, err := readZone("--tz", o.tz)
	if err != nil {
		return nil, err
	}
	from := a.now()
	if o.changed("from") {
		if from, err = config.ParseTime(o.from, from, a.local); err != nil {
			return nil, &usageError{err: fmt.Errorf("--from: %w", err)}
		}
	}
	return nextTimes(schedule, from.In(zone), o.count), nil
}

// ofSchedule returns the next times of a schedule, which has a zone of its own.
func (o *nextOptions) ofSchedule(ctx context.Context, a *app, name, id string) ([]time.Time, error) {
	for _, flag := range []string{"tz", "from"} {
		if o.changed(flag) {
			return nil, &usageError{err: fmt.Errorf("--%s is for a pattern: a schedule has its own zone, and begins now", flag)}
		}
	}
	t, s, err := a.schedule(ctx, name, id)
	if err != nil {
		return nil, err
	}
	times, err := s.Upcoming(o.count, a.now(), cron.NextRun)
	if err != nil {
		return nil, scheduleError(t, id, err)
	}
	if len(times) == 0 {
		row := render.ScheduleRow{Scheduler: &s}
		return nil, &stateError{fmt.Errorf("%s: schedule %q does not fire: %s", t.label(), s.ID, row.HealthText())}
	}
	zone, err := readZone("", s.TZ)
	if err != nil {
		zone = time.UTC // the zone of another program
	}
	for i := range times {
		times[i] = times[i].In(zone)
	}
	return times, nil
}

// nextTimes returns the runs of a pattern after a moment, fewer than n when the
// years of the calendar end before.
func nextTimes(schedule cron.Schedule, from time.Time, n int) []time.Time {
	var times []time.Time
	for len(times) < n {
		next, ok := schedule.Next(from)
		if !ok {
			break
		}
		times = append(times, next)
		from = next
	}
	return times
}
