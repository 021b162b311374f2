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
	"github.com/qctl/qctl/internal/scheduler"
)

// applyOptions are the flags of qctl schedule apply.
type applyOptions struct {
	prune  bool
	dryRun bool
	set    string

	confirmation confirmation
}

func newScheduleApplyCommand(a *app) *cobra.Command {
	opts := &applyOptions{}
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make the schedules what the configuration file declares",
		Long: `Compare the schedules that the configuration file declares with those in Redis,
and change what differs, and nothing else. Each line is a schedule: + is made,
~ is changed or restarted, - is removed, ! needs somebody.

With --prune schedules that were applied once and are declared no more are
removed. Those that a program, or schedule add, has made stay, as long as the
file does not declare them.

With --set it is a built-in set instead of the file: workforce0 has the digests,
the renewal of push channels, the check for stale graphs and the probes of
degraded providers. Where WORKFORCE0_CRON_ENABLED says that another instance
owns the clock, only --dry-run works.`,
		Example: `  qctl schedule apply --dry-run
  qctl schedule apply
  qctl schedule apply --prune --yes
  qctl schedule apply --set workforce0 --dry-run -o json | jq -r '.[] | select(.action == "add") | .id'`,
		Args: argumentCount(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runScheduleApply(ctx, a, opts)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.prune, "prune", false, "remove what was applied once and is declared no more")
	flags.StringVar(&opts.set, "set", "", "a built-in `SET` of schedules, instead of the file: "+strings.Join(config.BuiltinSets(), ", "))
	flags.BoolVarP(&opts.dryRun, "dry-run", "n", false, "only say what would change")
	opts.confirmation.addFlags(a, cmd)
	_ = cmd.RegisterFlagCompletionFunc("set", completeWord(config.BuiltinSets()...)) // fails only for unknown flags
	return a.printsRows(cmd, render.LayoutOf[applyView](nil))
}

// applyView is what became of one schedule, as JSON.
type applyView struct {
	Queue       string           `json:"queue" about:"name of the queue"`
	KeyBase     string           `json:"keyBase" about:"key base of the queue"`
	ID          string           `json:"id" about:"id of the schedule"`
	Action      scheduler.Action `json:"action" about:"add, change, remove, restart or none"`
	Why         *string          `json:"why" about:"reason for it, or why nothing was done"`
	Differences []differenceView `json:"differences" about:"what differs"`
	Done        bool             `json:"done" about:"whether the schedule was changed"`
	Error       *string          `json:"error" about:"why it could not be"`
	DryRun      bool             `json:"dryRun" about:"true when nothing was changed"`

	argument, label, rule string
}

// ResultName is the schedule as QUEUE:ID.
func (v applyView) ResultName() string { return v.argument + ":" + v.ID }

func runScheduleApply(ctx context.Context, a *app, opts *applyOptions) error {
	if err := a.mayChange(opts.dryRun); err != nil {
		return err
	}
	client, err := a.connect()
	if err != nil {
		return err
	}
	if err := a.config.MayOwnClock(); err != nil && !opts.dryRun {
		return err
	}
	declared, err := opts.declared(a)
	if err != nil {
		return err
	}
	changes, targets, err := opts.plan(ctx, a, declared)
	if err != nil {
		return err
	}
	if err := opts.confirm(ctx, a, changes, targets); err != nil {
		return err
	}
	applied := make([]scheduler.Applied, len(changes))
	for i := range changes {
		applied[i].Change = changes[i]
	}
	if !opts.dryRun {
		applier := scheduler.Applier{
			Open:    func(base queue.KeyBase) scheduler.Queue { return client.Queue(base) },
			NextRun: cron.NextRun, Now: a.now,
		}
		applied = applier.Apply(ctx, changes)
	}
	views, failure := opts.views(applied, targets)
	if len(applied) < len(changes) {
		failure = andThen(failure, ctx.Err())
	}
	return andThen(failure, opts.print(a, views))
}

// declared is what is wanted: the file's schedules, or a set's.
func (o *applyOptions) declared(a *app) ([]scheduler.Declared, error) {
	if o.set != "" {
		return a.builtinSchedules(a.config, o.set)
	}
	if a.config.File == "" {
		return nil, &usageError{
			err:  errors.New("no configuration file was read, so no schedules are declared"),
			hint: "qctl init writes one; --config names it; --set takes a built-in set instead",
		}
	}
	return declaredSchedules(a.config)
}

// plan compares what is declared with the queues that may hold it. Those that
// nobody declares are left to whoever made them.
func (o *applyOptions) plan(
	ctx context.Context, a *app, declared []scheduler.Declared,
) ([]scheduler.Change, map[queue.KeyBase]target, error) {
	targets := map[queue.KeyBase]target{}
	for _, d := range declared {
		t, err := a.resolve(d.Queue.String())
		if err != nil {
			return nil, nil, err
		}
		targets[t.base()] = t
	}
	var prune []string
	if o.prune {
		prune = []string{o.set}
		all, err := a.queues(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		for _, t := range all {
			targets[t.base()] = t
		}
	}
	var live []scheduler.Live
	for _, t := range targets {
		of, err := scheduler.ReadLive(ctx, t.q)
		if err != nil {
			return nil, nil, err
		}
		live = append(live, of...)
	}
	changes := slices.DeleteFunc(scheduler.Plan(declared, live, a.planOptions(prune...)), func(c scheduler.Change) bool {
		applied := c.Live != nil && c.Live.Mark != nil && c.Live.Mark.Set == o.set
		return c.Declared == nil && (!applied || c.Action != scheduler.ActionRemove && c.Why != scheduler.WhyLeftAlone)
	})
	return changes, targets, nil
}

// confirm asks about what is removed, and about changes of protected queues.
func (o *applyOptions) confirm(ctx context.Context, a *app, changes []scheduler.Change, targets map[queue.KeyBase]target) error {
	var changed, loses []target
	var removed []string
	for i := range changes {
		c, t := &changes[i], targets[changes[i].Queue]
		of := &changed
		switch c.Action {
		case scheduler.ActionNone:
			continue
		case scheduler.ActionRemove:
			removed = append(removed, t.argument()+":"+c.ID)
			of = &loses
		}
		if !slices.ContainsFunc(*of, func(known target) bool { return known.base() == t.base() }) {
			*of = append(*of, t)
		}
	}
	if err := checkConfirmed(a.config, o.confirmation.names, slices.Concat(changed, loses)); err != nil || o.dryRun {
		return err
	}
	named := func(of []target) *confirmation { // those of its names that are about these queues
		c := confirmation{yes: o.confirmation.yes}
		for _, t := range of {
			if name := confirmName(a.config, t); slices.Contains(o.confirmation.names, name) {
				c.names = append(c.names, name)
			}
		}
		return &c
	}
	what := func(t target) string { return "remove schedules of " + t.label() }
	left, err := a.confirmNamed(ctx, named(loses), loses, what)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		question := fmt.Sprintf("remove %s (%s)", plural(len(removed), "schedule"), strings.Join(removed, ", "))
		if err := a.confirm(ctx, o.confirmation.yes, question, ""); err != nil {
			return err
		}
	}
	return a.confirmProtected(ctx, named(changed), false, changed, func(t target) string { return "change schedules of " + t.label() })
}

// views are what became of the schedules. The error names those that failed.
func (o *applyOptions) views(applied []scheduler.Applied, targets map[queue.KeyBase]target) ([]applyView, error) {
	views := make([]applyView, 0, len(applied))
	var failed []string
	for i := range applied {
		r := &applied[i]
		t := targets[r.Queue]
		v := applyView{
			Queue: t.Name, KeyBase: t.base().String(), ID: r.ID, Action: r.Action, Differences: differencesOf(r.Fields),
			Done: r.Done && r.Err == nil, DryRun: o.dryRun, argument: t.argument(), label: t.label(),
		}
		if r.Why != "" {
			v.Why = &r.Why
		}
		switch {
		case r.Declared != nil:
			spec := &r.Declared.Spec
			row := render.ScheduleRow{Scheduler: &queue.Scheduler{Every: spec.Every, Pattern: spec.Pattern}}
			if v.rule = row.Rule(); spec.TZ != "" {
				v.rule += " (" + spec.TZ + ")"
			}
		case r.Live != nil:
			v.rule = render.ScheduleRow{Scheduler: &r.Live.Scheduler}.Rule()
		}
		if r.Err != nil {
			text := r.Err.Error()
			v.Error = &text
			failed = append(failed, text)
		}
		views = append(views, v)
	}
	if len(failed) > 0 {
		return views, &partialError{fmt.Errorf("%s could not be applied: %s", plural(len(failed), "schedule"), strings.Join(failed, "; "))}
	}
	return views, nil
}
