package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// schedule finds a schedule that must exist, and its queue.
func (a *app) schedule(ctx context.Context, name, id string) (target, queue.Scheduler, error) {
	if err := checkIDsOf("schedule", []string{id}); err != nil {
		return target{}, queue.Scheduler{}, err
	}
	t, err := a.existing(ctx, name)
	if err != nil {
		return t, queue.Scheduler{}, err
	}
	s, err := a.findSchedule(ctx, t, id)
	return t, s, err
}

// findSchedule reads a schedule, whose id may have the queue in front.
func (a *app) findSchedule(ctx context.Context, t target, id string) (queue.Scheduler, error) {
	s, err := t.q.Scheduler(ctx, id)
	if own := a.ownID(t, id); errors.Is(err, queue.ErrSchedulerNotFound) && own != id {
		s, err = t.q.Scheduler(ctx, own)
	}
	if errors.Is(err, queue.ErrSchedulerNotFound) {
		return s, scheduleNotFound(ctx, t, id)
	}
	return s, err
}

// scheduleNotFound words the error with the nearest id that does exist.
func scheduleNotFound(ctx context.Context, t target, id string) error {
	var ids []string
	if all, _, err := t.q.Schedulers(ctx, 0, schedulePage); err == nil {
		for _, s := range all {
			ids = append(ids, s.ID)
		}
	}
	near := config.Suggest(id, ids)
	hint := didYouMean(near, "qctl schedule list "+t.argument()+" lists them")
	return &notFoundError{err: fmt.Errorf("%s: schedule %q not found", t.label(), id), hint: hint, near: near}
}

// scheduleError says which schedule an error of the engine is about.
func scheduleError(t target, id string, err error) error {
	return fmt.Errorf("%s: schedule %q: %w", t.label(), id, err)
}

// completeSchedules offers queues for the first argument, and for those behind it
// the schedules of the queue that have one of these healths, or any.
func completeSchedules(a *app, most int, healths ...queue.SchedulerHealth) cobra.CompletionFunc {
	queues := completeQueues(a, 1)
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		switch {
		case len(args) == 0:
			return queues(cmd, args, toComplete)
		case most >= 0 && len(args) >= most, wantsAll(cmd):
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := completionContext(a, cmd)
		defer cancel()
		return scheduleCompletions(ctx, a, args, healths, toComplete), directive
	}
}

// scheduleCompletions lists the schedules of a queue that were not typed already.
func scheduleCompletions(
	ctx context.Context, a *app, args []string, healths []queue.SchedulerHealth, toComplete string,
) []cobra.Completion {
	t, err := a.resolve(args[0])
	if err != nil {
		return nil
	}
	all, _, err := t.q.Schedulers(ctx, 0, schedulePage)
	if err != nil {
		return nil
	}
	var words []cobra.Completion
	for i := range all {
		s := &all[i]
		if !strings.HasPrefix(s.ID, toComplete) || !typable(s.ID) || slices.Contains(args[1:], s.ID) ||
			len(healths) > 0 && !slices.Contains(healths, s.Health) {
			continue
		}
		row := render.ScheduleRow{Scheduler: s}
		about := row.Rule()
		if s.Health != queue.SchedulerHealthy {
			about += ", " + string(s.Health)
		}
		words = append(words, cobra.CompletionWithDesc(s.ID, render.Text(about)))
	}
	return words
}

// completeAliases offers the words that stand for patterns; others nobody can
// guess.
func completeAliases(_ *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var words []cobra.Completion
	for _, alias := range cron.Aliases() {
		if strings.HasPrefix(alias[0], toComplete) {
			words = append(words, cobra.CompletionWithDesc(alias[0], alias[1]))
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeZones offers time zones, a region at a time.
func completeZones(_ *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var words []cobra.Completion
	directive := cobra.ShellCompDirectiveNoFileComp
	for _, zone := range cron.Zones() {
		if !strings.HasPrefix(strings.ToLower(zone), strings.ToLower(toComplete)) {
			continue
		}
		if at := strings.IndexByte(zone[len(toComplete):], '/'); at >= 0 {
			zone = zone[:len(toComplete)+at+1]
			directive |= cobra.ShellCompDirectiveNoSpace // the place follows
		}
		if !slices.Contains(words, zone) {
			words = append(words, zone)
		}
	}
	return words, directive
}
