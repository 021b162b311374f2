package cmd

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/demo"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
	"github.com/qctl/qctl/internal/tui"
)

// demoOptions are the flags of qctl demo.
type demoOptions struct {
	length time.Duration
	ascii  bool

	changed func(string) bool
}

// Bounds of a demo.
const (
	demoLength  = 10 * time.Second // without a terminal
	demoRefresh = time.Second
)

// demoSeed decides what happens in the demo: the same in every one.
const demoSeed = 1

func newDemoCommand(a *app) *cobra.Command {
	opts := &demoOptions{}
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Watch simulated queues at work; needs nothing, touches nothing",
		GroupID: groupLook,
		Long: `Watch the ten built-in queues at work, with simulated jobs and workers: some
fail and are tried again, a worker dies, one queue falls behind, one is paused.

On a terminal it is the dashboard of "qctl top" until q is pressed, or for as
long as --for says: enter opens a queue, and there a job; r retries a job, p
pauses or resumes a queue, ? lists the keys. Without a terminal it runs for
--for, ten seconds if not given, and prints what happened: how many jobs of each
queue were added, completed, failed for good, retried, found stalled, and how
many wait at the end, those included that the end put back; then why attempts
failed. The hour before the start is made up too, and not counted.

It needs no Redis and uses none: the jobs are in an embedded store of their own,
in a temporary folder, and both are gone at the end; after kill -9 they are
fifteen seconds later. REDIS_URL, the configuration file and the store of other
commands are not looked at. As nothing else is written, --read-only does not
keep the demo from running; it switches off the keys that change something.`,
		Example: `  qctl demo
  qctl demo --for 1m
  qctl demo --for 10s -o json | jq '.queues[] | select(.failed > 0)'`,
		Args: argumentCount(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runDemo(ctx, a, opts)
		},
	}
	durationVar(cmd.Flags(), &opts.length, "for", "", "1s", "24h", "end after this `TIME` (default 10s without a terminal)")
	cmd.Flags().BoolVar(&opts.ascii, "ascii", false, "draw with ASCII characters only")
	opts.changed = cmd.Flags().Changed
	return a.prints(cmd, prints{
		layout: func() render.Layout { return render.LayoutOf[demoView](nil) }, settings: a.demoSettings,
	})
}

// span is how long the demo lasts; 0 is until somebody ends it.
func (o *demoOptions) span(watched bool) time.Duration {
	if watched || o.changed("for") {
		return o.length
	}
	return demoLength
}

// runDemo leaves nothing behind, however it ends.
func runDemo(ctx context.Context, a *app, opts *demoOptions) (err error) {
	format, err := a.format()
	if err != nil {
		return err
	}
	watched := a.streams.InIsTerminal() && a.streams.OutIsTerminal() && a.streams.OutFile() != nil && format.ForPeople()
	length := opts.span(watched)
	outer := ctx
	if watched { // a terminal that is closed ends it like any other way out
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP)
		defer stop()
	}
	remove, err := a.openDemoStore(ctx)
	defer func() { err = andThen(err, remove()) }()
	if err != nil {
		return err
	}
	until := ""
	if length > 0 {
		until = " for " + render.Duration(length)
	}
	fmt.Fprintf(a.streams.Err, "qctl: demo%s with simulated jobs, in a store of its own; no Redis is used\n", until)
	sim, err := a.newSimulation()
	if err != nil {
		return err
	}
	began := a.now()
	if err = sim.Past(ctx); err == nil {
		began = a.now()
		err = a.playDemo(ctx, opts, sim, length, watched)
	}
	switch class := queue.Classify(err); {
	case errors.Is(outer.Err(), context.Canceled):
		err = outer.Err()
	case ctx.Err() != nil:
		err = nil // as long as --timeout said, or the terminal was there
	case class == queue.ClassUnreachable || class == queue.ClassUnknown:
		return fmt.Errorf("%w: %w", errDemoStore, err)
	case err != nil:
		return err
	}
	return andThen(err, a.tellDemo(ctx, sim, a.now().Sub(began), watched))
}

// demoSettings makes the built-in settings the ones that hold, with what the
// demo takes from outside: whether anything may be changed by hand.
func (a *app) demoSettings() error {
	for _, name := range []string{"redis", "config", "context", "prefix"} {
		if a.flags.changed(name) {
			return &usageError{
				err:  fmt.Errorf("--%s does not go with demo: it uses a store and settings of its own", name),
				hint: "qctl top watches your queues",
			}
		}
	}
	c, warnings, err := config.Load(func(name string) (string, bool) {
		if name == "QCTL_READ_ONLY" {
			return a.lookupEnv(name)
		}
		return "", false
	}, nil)
	for _, w := range warnings {
		a.warn("%s", w)
	}
	if err != nil {
		return err
	}
	if err := a.applyFlags(c); err != nil {
		return err
	}
	a.config = c
	return nil
}

// newSimulation gives the simulation the built-in queues and their policies.
func (a *app) newSimulation() (*demo.Simulation, error) {
	var queues []demo.Queue
	for _, t := range a.config.Targets("") {
		t := target{Target: t}
		policy, err := (&workerOptions{changed: func(string) bool { return false }}).config(a, t)
		if err != nil {
			return nil, err
		}
		common, err := (&enqueueOptions{changed: func(string) bool { return false }}).common(a, t)
		if err != nil {
			return nil, err
		}
		queues = append(queues, demo.Queue{
			Alias: t.Alias, Worker: policy,
			Open: func(now func() time.Time) *queue.Queue {
				return queue.NewClient(a.conn, queue.ClientOptions{Now: now}).Queue(t.base())
			},
			NewJob: func(j demo.Job) (queue.NewJob, error) {
				job := newJob(t, common)
				job.Name, job.Data, job.Opts.Delay = j.Name, j.Data, j.Delay
				err := finishJob(t, &job, j.Priority)
				return job, err
			},
		})
	}
	return demo.New(demo.Config{Queues: queues, Seed: demoSeed, Now: a.now})
}

// playDemo runs the simulation, and the dashboard where somebody watches, until
// the time is over, the dashboard is left, or ctx ends.
func (a *app) playDemo(ctx context.Context, opts *demoOptions, sim *demo.Simulation, length time.Duration, watched bool) error {
	playing, end := context.WithCancel(ctx)
	defer end()
	if length > 0 {
		playing, end = context.WithTimeout(ctx, length)
		defer end()
	}
	failed := make(chan error, 1)
	go func() {
		defer end() // a dashboard of a store that has failed shows nothing
		failed <- sim.Run(playing)
	}()
	var shown error
	if watched {
		shown = a.showDemo(playing, opts)
		end()
	}
	if err := <-failed; err != nil {
		return err
	}
	if playing.Err() != nil && errors.Is(shown, playing.Err()) {
		return nil
	}
	return shown
}

// showDemo is the dashboard of the demo.
func (a *app) showDemo(ctx context.Context, opts *demoOptions) error {
	targets := func(ctx context.Context) ([]target, error) { return a.queues(ctx, nil) }
	return reportable(tui.Run(ctx, tui.Options{
		Source: &topSource{
			client: a.client, targets: targets, name: a.typedName, protected: func(target) bool { return false }, // it is not that queue
		},
		Title: "demo: simulated jobs", Refresh: demoRefresh,
		ReadOnly: a.config.ReadOnly, ReadOnlyWhy: "--read-only or QCTL_READ_ONLY is set",
		In: a.streams.InFile(), Out: a.streams.OutFile(),
		ASCII: opts.ascii || !a.drawsUnicode(), Color: a.streams.Color(), Now: a.now,
	}))
}
