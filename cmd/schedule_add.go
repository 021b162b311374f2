package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
	"github.com/qctl/qctl/internal/scheduler"
)

// firstTimes is how many times of a schedule are shown when it is made.
const firstTimes = 3

func newScheduleAddCommand(a *app) *cobra.Command {
	opts := &addScheduleOptions{}
	cmd := &cobra.Command{
		Use:   "add QUEUE ID {--pattern EXPR | --every TIME} [field=value | field:=json]...",
		Short: "Make a schedule, or change one",
		Long: `Make a schedule named ID that adds a job to QUEUE again and again: at the times
of a cron pattern, or every so often. The jobs have the payload that is given
here, as with "qctl enqueue"; it is checked against the queue's schema now.

A schedule that is there already and is the same is left alone, so that this can
be repeated. One that differs is only changed with --replace; its next job, as
long as that has not started, is made anew then.

An interval is counted from the first job, which comes at once or at --start;
--offset counts it from the full intervals of UTC instead: --every 1h --offset
15m is a quarter past. Below a second it needs --force.`,
		Example: `  qctl schedule add digest daily --pattern '0 7 * * *' --tz Europe/Berlin
  qctl schedule add email ping --every 15m --name ping queueId=ping userId=ops --dry-run
  qctl schedule add billing month-end --pattern '0 18 L * *' --data '{"close":true}' --limit 12
  qctl schedule add digest daily --pattern '30 7 * * *' --tz Europe/Berlin --replace`,
		Annotations:       map[string]string{foreignArguments: payloadFields},
		Args:              argumentCount(2, -1, "QUEUE ID"),
		ValidArgsFunction: completeSchedules(a, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runScheduleAdd(ctx, a, opts, args[0], args[1], args[2:])
		},
	}
	opts.addFlags(cmd)
	return a.printsRows(cmd, render.LayoutOf[scheduleAddView](nil))
}

// scheduleAddView is a schedule that was made, changed or left alone, as JSON.
type scheduleAddView struct {
	Queue       string              `json:"queue" about:"name of the queue"`
	KeyBase     string              `json:"keyBase" about:"key base of the queue"`
	ID          string              `json:"id" about:"id of the schedule"`
	Action      scheduler.Action    `json:"action" about:"add, change, or none when it was the same"`
	Differences []differenceView    `json:"differences" about:"what was otherwise before"`
	Health      string              `json:"health" about:"health of the schedule, as schedule list has it"`
	Upcoming    []render.FiringView `json:"upcoming" about:"the next times"`
	DryRun      bool                `json:"dryRun" about:"true when nothing was changed"`

	argument string
	times    []time.Time
	text     string
}

// ResultName is the schedule as QUEUE:ID.
func (v scheduleAddView) ResultName() string { return v.argument + ":" + v.ID }

func runScheduleAdd(ctx context.Context, a *app, opts *addScheduleOptions, name, id string, fields []string) error {
	s, err := opts.schedule(a, name, id, fields)
	if err != nil {
		return err
	}
	if err := a.mayChange(opts.dryRun); err != nil {
		return err
	}
	t, err := enqueueTarget(ctx, a, &enqueueOptions{create: opts.create}, name)
	if err != nil {
		return err
	}
	spec, err := schedulerSpec(t.Target, s)
	if err != nil {
		return &usageError{err: err}
	}
	change, err := planAdd(ctx, a, t, spec)
	if err != nil {
		return err
	}
	if change.Action == scheduler.ActionChange && !opts.replace {
		return differs(t, &change)
	}
	view := scheduleAddView{
		Queue: t.Name, KeyBase: t.base().String(), ID: spec.ID, Action: change.Action,
		Differences: differencesOf(change.Fields), DryRun: opts.dryRun, argument: t.argument(),
	}
	live := change.Live
	if change.Action != scheduler.ActionNone {
		if live, err = putSchedule(ctx, a, t, spec, opts.dryRun); err != nil {
			return err
		}
	}
	if err := view.fill(a, t, live, spec.TZ); err != nil {
		return err
	}
	return printResults(a, []scheduleAddView{view}, false, func(v scheduleAddView) string { return v.text })
}

// planAdd compares what is wanted with what is there. Whether that runs is left
// to pause, resume and restart: here it counts only what it says.
func planAdd(ctx context.Context, a *app, t target, spec queue.SchedulerSpec) (scheduler.Change, error) {
	declared := []scheduler.Declared{{Queue: t.base(), Spec: spec}}
	s, err := t.q.Scheduler(ctx, spec.ID)
	if errors.Is(err, queue.ErrSchedulerNotFound) {
		return scheduler.Plan(declared, nil, a.planOptions())[0], nil
	}
	if err != nil {
		return scheduler.Change{}, err
	}
	alike := s
	if alike.Paused = false; s.Health != queue.SchedulerCorrupt {
		alike.Health = queue.SchedulerHealthy
	}
	change := scheduler.Plan(declared, []scheduler.Live{{Queue: t.base(), Scheduler: alike}}, a.planOptions())[0]
	if change.Why == scheduler.WhyLegacy {
		return change, &stateError{fmt.Errorf("%s: %q is a repeatable job of an old BullMQ: qctl schedule convert makes a schedule of it", t.label(), s.ID)}
	}
	change.Live = &scheduler.Live{Queue: t.base(), Scheduler: s}
	return change, nil
}

// putSchedule writes a schedule and reads what has become of it, or tells what
// would.
func putSchedule(ctx context.Context, a *app, t target, spec queue.SchedulerSpec, dryRun bool) (*scheduler.Live, error) {
	if dryRun {
		return &scheduler.Live{Scheduler: wouldBe(spec, a.now())}, nil
	}
	if _, err := t.q.UpsertScheduler(ctx, spec, cron.NextRun); err != nil {
		return nil, err
	}
	s, err := t.q.Scheduler(ctx, spec.ID)
	if err != nil {
		return nil, err
	}
	return &scheduler.Live{Scheduler: s}, nil
}

// wouldBe is a schedule that was not made, with its first job.
func wouldBe(spec queue.SchedulerSpec, now time.Time) queue.Scheduler {
	s := queue.Scheduler{
		ID: spec.ID, Every: spec.Every, Offset: spec.Offset, Pattern: spec.Pattern, TZ: spec.TZ,
		Limit: spec.Limit, Count: 1, Start: spec.Start, End: spec.End, Health: queue.SchedulerHealthy,
	}
	now = now.Truncate(time.Millisecond)
	s.Next = now
	switch {
	case spec.Pattern != "" && !spec.Immediately:
		s.Next, _, _ = cron.NextRun(spec.Pattern, spec.TZ, later(now, spec.Start)) // it was read, and fires
	case spec.Every > 0 && !spec.Start.IsZero():
		s.Next = later(now, spec.Start)
	case spec.Offset > 0:
		if s.Next = now.Truncate(spec.Every).Add(spec.Offset); !s.Next.After(now) {
			s.Next = s.Next.Add(spec.Every)
		}
	}
	return s
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// fill adds the times, and the text for people.
func (v *scheduleAddView) fill(a *app, t target, live *scheduler.Live, tz string) error {
	s := &live.Scheduler
	row := render.ScheduleRow{Scheduler: s}
	v.Health, v.Upcoming = string(s.Health), []render.FiringView{}
	times, err := s.Upcoming(firstTimes, a.now(), cron.NextRun)
	if err != nil {
		return scheduleError(t, s.ID, err)
	}
	zone, err := readZone("", tz)
	if err != nil {
		return err
	}
	for _, at := range times {
		v.times = append(v.times, at.In(zone))
		v.Upcoming = append(v.Upcoming, render.NewFiringView(at.In(zone)))
	}
	name := fmt.Sprintf("schedule %s of %s", render.Text(v.ID), render.Text(t.label()))
	var b strings.Builder
	switch {
	case v.Action == scheduler.ActionNone && s.Health != queue.SchedulerHealthy:
		fmt.Fprintf(&b, "%s: unchanged, and %s", name, render.Text(row.HealthText()))
	case v.Action == scheduler.ActionNone:
		fmt.Fprintf(&b, "%s: unchanged", name)
	default:
		fmt.Fprintf(&b, "%s %s: %s", actionWord(v.Action, v.DryRun), name, render.Text(row.Rule()))
		if s.Pattern != "" {
			fmt.Fprintf(&b, " (%s)", render.Text(tz))
		}
	}
	for _, d := range v.Differences {
		fmt.Fprintf(&b, "\n  %s", d.text())
	}
	for _, at := range v.times {
		fmt.Fprintf(&b, "\n  next %s", render.FiringText(at, a.options()))
	}
	v.text = b.String()
	return nil
}

// actionWord is what was done, or what would be.
func actionWord(action scheduler.Action, dryRun bool) string {
	if dryRun {
		return "would " + string(action)
	}
	return map[scheduler.Action]string{
		scheduler.ActionAdd: "added", scheduler.ActionChange: "changed", scheduler.ActionRemove: "removed",
		scheduler.ActionRestart: "restarted", scheduler.ActionNone: "left",
	}[action]
}

// differenceView is a property that differs, as JSON.
type differenceView struct {
	Name   string          `json:"name" about:"the property, as BullMQ spells it"`
	Before json.RawMessage `json:"before" about:"its value in Redis"`
	After  json.RawMessage `json:"after" about:"its value as it should be"`

	shown string
}

// shownValue is how much of a value a line of a difference shows.
const shownValue = 200

func differencesOf(fields []scheduler.Field) []differenceView {
	views := make([]differenceView, 0, len(fields))
	for _, f := range fields {
		cut := func(text string) string { return render.Cut(render.Text(text), shownValue) }
		views = append(views, differenceView{
			Name: f.Name, Before: json.RawMessage(f.Before), After: json.RawMessage(f.After),
			shown: fmt.Sprintf("%s: %s → %s", f.Name, cut(f.Before), cut(f.After)),
		})
	}
	return views
}

// text is the difference for people.
func (v differenceView) text() string { return v.shown }

// differsError is a schedule that exists and is another one.
type differsError struct{ err error }

// Error tells in what it differs.
func (e *differsError) Error() string { return e.err.Error() }

func differs(t target, c *scheduler.Change) error {
	what := make([]string, 0, len(c.Fields))
	for _, d := range differencesOf(c.Fields) {
		what = append(what, d.text())
	}
	if len(what) == 0 {
		what = append(what, c.Why)
	}
	return &differsError{fmt.Errorf("%s: schedule %q exists, and differs: %s", t.label(), c.ID, strings.Join(what, "; "))}
}
