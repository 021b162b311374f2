package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// convertOptions are the flags of qctl schedule convert.
type convertOptions struct {
	all    bool
	as     string
	dryRun bool

	confirmation confirmation
	changed      func(string) bool
}

func newScheduleConvertCommand(a *app) *cobra.Command {
	opts := &convertOptions{}
	cmd := &cobra.Command{
		Use:   "convert QUEUE {ID... | --all}",
		Short: "Make schedules of the repeatable jobs of an old BullMQ",
		Long: `Make job schedulers, which BullMQ 5 and 6 and qctl know, of the repeatable jobs
of BullMQ 5 and older; "qctl schedule list" calls them legacy. The next job is
replaced by one at the same time: no time is lost and none comes twice.

The new schedule is named like its jobs, or with --as; where that name is taken,
a part of the old id follows it. Remove the call that makes the repeatable job
from the service first, or it comes back.`,
		Example: `  qctl schedule convert billing --all --dry-run
  qctl schedule convert billing --all
  qctl schedule convert billing 4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7 --as nightly-report`,
		Args:              argumentCount(1, -1, "QUEUE"),
		ValidArgsFunction: completeSchedules(a, -1, queue.SchedulerLegacy),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runConvert(ctx, a, opts, args[0], args[1:])
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.all, "all", false, "every repeatable job of the queue, instead of naming them")
	flags.StringVar(&opts.as, "as", "", "`ID` of the new schedule, for one repeatable job")
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "only say what would be converted")
	opts.confirmation.addFlags(a, cmd)
	opts.changed = flags.Changed
	return a.printsRows(cmd, render.LayoutOf[convertView](nil))
}

// convertView is a repeatable job that was made a schedule, as JSON.
type convertView struct {
	Queue   string  `json:"queue" about:"name of the queue"`
	KeyBase string  `json:"keyBase" about:"key base of the queue"`
	From    string  `json:"from" about:"id of the repeatable job"`
	ID      string  `json:"id" about:"id of the schedule"`
	Next    *int64  `json:"next" about:"when its next job is due, in milliseconds since the epoch"`
	NextAt  *string `json:"nextAt" about:"next in RFC 3339, in the schedule's zone"`
	DryRun  bool    `json:"dryRun" about:"true when nothing was changed"`

	argument, summary string
}

// ResultName is the schedule as QUEUE:ID.
func (v convertView) ResultName() string { return v.argument + ":" + v.ID }

func (o *convertOptions) validate(ids []string) error {
	switch {
	case o.all == (len(ids) > 0):
		return &usageError{err: errors.New("which repeatable jobs? give their ids, or --all"), hint: "qctl schedule list QUEUE lists them"}
	case o.changed("as") && len(ids) != 1:
		return &usageError{err: errors.New("--as names one schedule: give one id")}
	case o.changed("as"):
		if err := config.ValidateScheduleID(o.as); err != nil {
			return &usageError{err: fmt.Errorf("--as: %w", err)}
		}
	}
	return checkIDsOf("schedule", ids)
}

func runConvert(ctx context.Context, a *app, opts *convertOptions, name string, ids []string) error {
	if err := opts.validate(ids); err != nil {
		return err
	}
	if err := a.mayChange(opts.dryRun); err != nil {
		return err
	}
	t, err := a.existing(ctx, name)
	if err != nil {
		return err
	}
	err = a.confirmProtected(ctx, &opts.confirmation, opts.dryRun, []target{t}, func(t target) string {
		return "convert repeatable jobs of " + t.label()
	})
	if err != nil {
		return err
	}
	rows, err := scheduleRows(ctx, a, t)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	var legacy []*queue.Scheduler
	for _, row := range rows {
		taken[row.ID] = true
		if row.Legacy != queue.LegacyNone && opts.all {
			legacy = append(legacy, row.Scheduler)
		}
	}
	for _, id := range ids {
		s, err := a.findSchedule(ctx, t, id)
		if err != nil {
			return err
		}
		if s.Legacy == queue.LegacyNone {
			return &stateError{fmt.Errorf("%s: schedule %q is no repeatable job of an old BullMQ: nothing to convert", t.label(), s.ID)}
		}
		legacy = append(legacy, &s)
	}
	var views []convertView
	var failure error
	for _, s := range legacy {
		newID := opts.as
		if newID == "" {
			newID = newScheduleID(s, taken)
		}
		view, err := opts.convert(ctx, t, s, newID)
		if err == nil {
			views, taken[newID] = append(views, view), true
		}
		failure = andThen(failure, err)
	}
	if len(views) == 0 && failure == nil {
		return printNone[convertView](a, render.Text(t.label())+" has no repeatable jobs of an old BullMQ")
	}
	return andThen(failure, printResults(a, views, true, convertView.text))
}

// newScheduleID names a schedule like its jobs, as far as it may and can be.
func newScheduleID(s *queue.Scheduler, taken map[string]bool) string {
	sum := sha256.Sum256([]byte(s.ID))
	unique := hex.EncodeToString(sum[:4])
	if s.Name == "" || config.ValidateScheduleID(s.Name) != nil {
		return "schedule-" + unique
	}
	if taken[s.Name] {
		return s.Name + "-" + unique
	}
	return s.Name
}

// convert makes a schedule of one repeatable job.
func (o *convertOptions) convert(ctx context.Context, t target, s *queue.Scheduler, newID string) (convertView, error) {
	next := s.Next
	if !o.dryRun {
		made, err := t.q.ConvertScheduler(ctx, s.ID, newID, cron.NextRun)
		if err != nil {
			return convertView{}, scheduleError(t, s.ID, err)
		}
		next = made.At
	}
	v := convertView{
		Queue: t.Name, KeyBase: t.base().String(), From: s.ID, ID: newID, DryRun: o.dryRun, argument: t.argument(),
	}
	v.Next, v.NextAt = nextFields(next, s.TZ)
	verb, at := "converted", "-"
	if o.dryRun {
		verb = "would convert"
	}
	if v.NextAt != nil {
		at = *v.NextAt
	}
	rule := render.ScheduleRow{Scheduler: s}
	v.summary = fmt.Sprintf("%s %s of %s to schedule %s: %s, next %s",
		verb, render.Text(s.ID), render.Text(t.label()), render.Text(newID), render.Text(rule.Rule()), at)
	return v, nil
}

// text is the line for people.
func (v convertView) text() string { return v.summary }

// nextFields are a time in both ways that views have it, on the clock of a zone.
func nextFields(at time.Time, tz string) (ms *int64, text *string) {
	if at.IsZero() {
		return nil, nil
	}
	if zone, err := readZone("", tz); err == nil {
		at = at.In(zone)
	}
	n, shown := at.UnixMilli(), render.ZoneTime(at)
	return &n, &shown
}
