package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// limitOptions are the flags of qctl limit.
type limitOptions struct {
	concurrency string
	rate        string
	dryRun      bool

	changed func(string) bool
}

func (o *limitOptions) addFlags(f *pflag.FlagSet) {
	f.Var(&limitFlag{&o.concurrency}, "concurrency", "most jobs active at one time over all workers, `N` or none")
	f.Var(&rateFlag{to: &o.rate, none: true}, "rate", "most jobs that start, over all workers, `N/TIME` (100/1m) or none")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "only say what would change")
	o.changed = f.Changed
}

func newLimitCommand(a *app) *cobra.Command {
	opts := &limitOptions{}
	cmd := &cobra.Command{
		Use:     "limit QUEUE...",
		Short:   "Show or set what all workers of a queue may do together",
		GroupID: groupChange,
		Long: `Set how many jobs of a queue may be active at one time, and how many may start
in a span of time, whichever workers run them, of qctl or of BullMQ; "none"
removes a limit. Without a flag the limits are shown.

The limits lie in Redis and hold at once. Each worker's own concurrency and rate
come on top of the first, and the queue's rate takes the place of the workers'.

QUEUE may be a pattern in quotes or @role.`,
		Example: `  qctl limit email
  qctl limit email --concurrency 10
  qctl limit orchestration --rate 100/1m
  qctl limit '*' --concurrency none --rate none --dry-run`,
		Args:              argumentCount(1, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runLimit(ctx, a, opts, args)
		},
	}
	opts.addFlags(cmd.Flags())
	return a.printsRows(cmd, render.LayoutOf[limitView](nil))
}

// noLimit removes a limit.
const noLimit = "none"

// apply returns the limits as the flags want them.
func (o *limitOptions) apply(limits queue.Limits) (queue.Limits, error) {
	if o.changed("concurrency") {
		limits.Concurrency = nil
		if o.concurrency != noLimit {
			n, _ := parseInt(o.concurrency) // the flag has read it
			limits.Concurrency = &n
		}
	}
	if o.changed("rate") {
		limits.Max, limits.Duration = nil, 0
		if o.rate != noLimit {
			rate, err := config.ParseRate(o.rate)
			if err != nil {
				return limits, fmt.Errorf("--rate: %w", err)
			}
			limits.Max, limits.Duration = &rate.Max, rate.Duration
		}
	}
	return limits, nil
}

func (o *limitOptions) setsAny() bool { return o.changed("concurrency") || o.changed("rate") }

// limitsView is a queue's limits, as JSON; null is none.
type limitsView struct {
	Concurrency *int      `json:"concurrency" about:"most jobs that run at once in all workers"`
	Rate        *rateView `json:"rate" about:"most jobs that start in a time"`
}

type rateView struct {
	Max        int   `json:"max" about:"most jobs that start"`
	DurationMs int64 `json:"durationMs" about:"in so many milliseconds"`
}

// limitView is the answer for one queue, as JSON.
type limitView struct {
	Queue   string `json:"queue" about:"name of the queue"`
	KeyBase string `json:"keyBase" about:"key base of the queue"`
	limitsView
	Before  limitsView `json:"before" about:"limits before"`
	Changed bool       `json:"changed" about:"whether they were others before"`
	DryRun  bool       `json:"dryRun" about:"true when nothing was changed"`

	name, label string
}

// ResultName is the queue.
func (v limitView) ResultName() string { return v.name }

func viewOfLimits(l queue.Limits) limitsView {
	v := limitsView{Concurrency: l.Concurrency}
	if l.Max != nil {
		v.Rate = &rateView{Max: *l.Max, DurationMs: l.Duration.Milliseconds()}
	}
	return v
}

func runLimit(ctx context.Context, a *app, opts *limitOptions, args []string) error {
	if err := a.mayChange(opts.dryRun || !opts.setsAny()); err != nil {
		return err
	}
	if _, err := opts.apply(queue.Limits{}); err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	views := make([]limitView, 0, len(targets))
	var failure error
	for _, t := range targets {
		view, err := limitQueue(ctx, t, opts)
		if err == nil {
			views = append(views, view)
		} else {
			failure = andThen(failure, err)
		}
	}
	return andThen(failure, printResults(a, views, true, limitView.text))
}

func limitQueue(ctx context.Context, t target, opts *limitOptions) (limitView, error) {
	before, err := t.q.Limits(ctx)
	if err != nil {
		return limitView{}, err
	}
	after, err := opts.apply(before)
	if err != nil {
		return limitView{}, err
	}
	view := limitView{
		Queue: t.Name, KeyBase: t.base().String(), limitsView: viewOfLimits(after), Before: viewOfLimits(before),
		DryRun: opts.dryRun, name: t.argument(), label: t.label(),
	}
	view.Changed = view.String() != view.Before.String()
	if opts.dryRun || !view.Changed {
		return view, nil
	}
	if opts.changed("concurrency") {
		if err := t.q.SetConcurrency(ctx, after.Concurrency); err != nil {
			return view, err
		}
	}
	if !opts.changed("rate") {
		return view, nil
	}
	if after.Max == nil {
		return view, t.q.SetRate(ctx, nil)
	}
	return view, t.q.SetRate(ctx, &queue.Limiter{Max: *after.Max, Duration: after.Duration})
}

// String words the limits for people.
func (v limitsView) String() string {
	concurrency, rate := noLimit, noLimit
	if v.Concurrency != nil {
		concurrency = render.Count(int64(*v.Concurrency))
	}
	if v.Rate != nil {
		rate = render.Count(int64(v.Rate.Max)) + "/" + render.Duration(time.Duration(v.Rate.DurationMs)*time.Millisecond)
	}
	return "concurrency " + concurrency + ", rate " + rate
}

// text is the line for people.
func (v limitView) text() string {
	label, now := render.Text(v.label), v.String()
	switch {
	case !v.Changed:
		return label + ": " + now
	case v.DryRun:
		return fmt.Sprintf("would limit %s: %s → %s", label, v.Before, now)
	}
	return fmt.Sprintf("limited %s: %s → %s", label, v.Before, now)
}
