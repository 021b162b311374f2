package cmd

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/cron"
)

func newScheduleCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "schedule COMMAND",
		Aliases: []string{"cron"},
		Short:   "See and change the jobs that queues make by themselves",
		GroupID: groupChange,
		Long: `A schedule, BullMQ's job scheduler, makes a job again and again: at the times of
a cron pattern in a time zone, or every so often. It lies in Redis beside its
queue, and any worker of the queue, of qctl or of BullMQ, makes the next job when
it takes the current one. "qctl help schedule next" tells how patterns are read.

Schedules are made one by one with add, or declared in the configuration file
and brought about with apply.`,
		Example: `  qctl schedule list
  qctl schedule next '0 7 * * MON-FRI' --tz Europe/Berlin
  qctl schedule add digest daily --pattern '0 7 * * *' --tz Europe/Berlin`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(
		newScheduleAddCommand(a),
		newScheduleApplyCommand(a),
		newScheduleListCommand(a),
		newScheduleShowCommand(a),
		newScheduleNextCommand(a),
		newScheduleRemoveCommand(a),
		newSchedulePauseCommand(a),
		newScheduleResumeCommand(a),
		newScheduleRunCommand(a),
		newScheduleRestartCommand(a),
		newScheduleConvertCommand(a),
	)
	return cmd
}

// readPattern reads a cron pattern that was typed. An interval written as one is
// a mistake that is worth a hint.
func readPattern(flag, text string) (cron.Schedule, error) {
	schedule, err := cron.Parse(text)
	if err == nil {
		return schedule, nil
	}
	hint := "qctl schedule next --help tells how patterns are read"
	interval, isEvery := strings.CutPrefix(text, "@every ")
	if _, notTime := config.ParseDuration(cmp.Or(interval, text)); notTime == nil || isEvery {
		hint = "an interval is no pattern: qctl schedule add takes --every"
	}
	near := ""
	if strings.HasPrefix(text, "@") {
		var words []string
		for _, alias := range cron.Aliases() {
			words = append(words, alias[0])
		}
		if near = config.Suggest(text, words); text == "@midnight" {
			near = "@daily"
		}
	}
	return cron.Schedule{}, &usageError{err: named(flag, err), hint: didYouMean(near, hint), near: near}
}

// readZone reads the name of a time zone that was typed; nothing is UTC.
func readZone(flag, name string) (*time.Location, error) {
	zone, err := cron.ParseZone(cmp.Or(name, "UTC"))
	if err == nil {
		return zone, nil
	}
	near := config.Suggest(name, cron.Zones())
	return nil, &usageError{err: named(flag, err), hint: didYouMean(near, "use a name such as Europe/Berlin or UTC"), near: near}
}

// named puts the flag in front of what is wrong with its value.
func named(flag string, err error) error {
	if flag == "" {
		return err
	}
	return fmt.Errorf("%s: %w", flag, err)
}
