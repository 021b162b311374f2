package cmd

import (
	"context"
	"errors"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/tui"
)

// topOptions are the flags of qctl top.
type topOptions struct {
	refresh time.Duration
	ascii   bool
}

// leastRefresh keeps a dashboard from being a load.
const leastRefresh = "200ms"

func newTopCommand(a *app) *cobra.Command {
	opts := &topOptions{}
	cmd := &cobra.Command{
		Use:     "top [QUEUE]...",
		Short:   "Watch queues live, and repair them",
		GroupID: groupLook,
		Long: `Watch queues live: what needs attention comes first. Enter opens a queue, and
there a job; r retries a job, p pauses or resumes a queue, ? lists the keys.
Without QUEUE it is every queue of this Redis. QUEUE may also be a pattern in
quotes, or @ROLE for all queues of a role.

It needs a terminal of any size. While Redis does not answer, the last numbers
stay, dimmed and with their time. With --read-only nothing can be changed. A
protected queue is not paused or resumed here, but by qctl pause and qctl resume,
which ask for its name.`,
		Example: `  qctl top
  qctl top email orchestration --refresh 1s
  qctl top @workforce0 --read-only
  qctl top --ascii`,
		Args:              argumentCount(0, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runTop(ctx, a, opts, args)
		},
	}
	durationVar(cmd.Flags(), &opts.refresh, "refresh", tui.DefaultRefresh.String(), leastRefresh, "24h", "`TIME` between two looks at Redis")
	cmd.Flags().BoolVar(&opts.ascii, "ascii", false, "draw with ASCII characters only")
	return cmd
}

// runTop checks the names once before it takes the screen: a mistyped one is a
// mistake then, and later only a queue that has gone.
func runTop(ctx context.Context, a *app, opts *topOptions, args []string) error {
	in, out := a.streams.InFile(), a.streams.OutFile()
	if !a.streams.InIsTerminal() || !a.streams.OutIsTerminal() || in == nil || out == nil {
		return &usageError{
			err:  errors.New("qctl top needs a terminal"),
			hint: strings.Join(append([]string{"qctl stats"}, append(slices.Clone(args), "--watch")...), " ") + " prints the same numbers again and again",
		}
	}
	client, err := a.connect()
	if err != nil {
		return err
	}
	if len(args) > 0 {
		if _, err := a.queues(ctx, args); err != nil {
			return err
		}
	}
	// A terminal that is closed ends the dashboard like any other way out.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	return reportable(tui.Run(ctx, tui.Options{
		Source: &topSource{
			client: client, targets: func(ctx context.Context) ([]target, error) { return a.queues(ctx, args) }, name: a.typedName,
			protected: func(t target) bool { return isProtected(a.config, t) },
		},
		Title: a.where(), Refresh: opts.refresh,
		ReadOnly: a.config.ReadOnly, ReadOnlyWhy: "--read-only or QCTL_READ_ONLY is set",
		In: in, Out: out, ASCII: opts.ascii || !a.drawsUnicode(), Color: a.streams.Color(), Now: a.now,
	}))
}

// reportable makes a crash of the dashboard a bug like any other.
func reportable(err error) error {
	if crash := (&tui.PanicError{}); errors.As(err, &crash) {
		return &bugError{value: crash.Value, stack: crash.Stack}
	}
	return err
}

// where says which Redis it is, without its secrets; empty when the settings do
// not tell.
func (a *app) where() string {
	settings, err := a.redisSettings(a.config)
	switch {
	case err != nil:
		return ""
	case len(settings.URLs) == 0:
		return "embedded"
	}
	return settings.Describe()
}

// drawsUnicode reports whether the terminal shows more than ASCII. Only what
// says that it does not counts: many say nothing.
func (a *app) drawsUnicode() bool {
	term, _ := a.lookupEnv("TERM")
	if term == "linux" || term == "dumb" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale, _ := a.lookupEnv(name); locale != "" {
			locale = strings.ToUpper(locale)
			return strings.Contains(locale, "UTF-8") || strings.Contains(locale, "UTF8")
		}
	}
	return true
}

// topSource answers the dashboard's questions from Redis.
type topSource struct {
	client    *queue.Client
	targets   func(ctx context.Context) ([]target, error)
	name      func(target) string
	protected func(target) bool
}

// Queues lists the queues that the command line means.
func (s *topSource) Queues(ctx context.Context) ([]tui.Queue, error) {
	targets, err := s.targets(ctx)
	if err != nil {
		return nil, err
	}
	queues := make([]tui.Queue, len(targets))
	for i, t := range targets {
		queues[i] = tui.Queue{Name: t.label(), Typed: s.name(t), Base: t.base(), Protected: s.protected(t)}
	}
	return queues, nil
}

// Counts counts the jobs of the queues.
func (s *topSource) Counts(ctx context.Context, bases []queue.KeyBase) ([]queue.Counts, error) {
	return s.client.CountsOf(ctx, bases)
}

// Rates counts what finished in the minute before at.
func (s *topSource) Rates(ctx context.Context, bases []queue.KeyBase, at time.Time) ([]queue.Rates, error) {
	return s.client.RatesOf(ctx, bases, at)
}

// Workers lists the workers of the queues.
func (s *topSource) Workers(ctx context.Context, bases []queue.KeyBase) (map[queue.KeyBase][]queue.WorkerConn, error) {
	return s.client.Workers(ctx, bases)
}

// Standings asks several queues at one time. What one of them refuses does not
// hide the others.
func (s *topSource) Standings(ctx context.Context, bases []queue.KeyBase) ([]tui.Standing, error) {
	standings := make([]tui.Standing, len(bases))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(queuesAtOnce)
	for i, base := range bases {
		group.Go(func() error {
			standing, err := s.client.Queue(base).Standing(ctx)
			standings[i] = tui.Standing{Standing: standing, Err: err}
			if err != nil && !passable(err) {
				return err
			}
			return nil
		})
	}
	return standings, group.Wait()
}

// List reads jobs of one state.
func (s *topSource) List(ctx context.Context, base queue.KeyBase, r queue.ListRequest) (queue.Listed, error) {
	return s.client.Queue(base).List(ctx, r)
}

// DueTimes tells when delayed jobs are due.
func (s *topSource) DueTimes(ctx context.Context, base queue.KeyBase, ids []string) ([]time.Time, error) {
	return s.client.Queue(base).DueTimes(ctx, ids)
}

// Get reads a whole job.
func (s *topSource) Get(ctx context.Context, base queue.KeyBase, id string) (queue.Job, error) {
	return s.client.Queue(base).Get(ctx, id, queue.FieldsAll, 0)
}

// Logs returns the newest lines of a job's log, the newest last.
func (s *topSource) Logs(ctx context.Context, base queue.KeyBase, id string, n int) ([]string, int64, error) {
	lines, total, err := s.client.Queue(base).Logs(ctx, id, 0, int64(n), false)
	slices.Reverse(lines)
	return lines, total, err
}

// Retry puts one job back to waiting.
func (s *topSource) Retry(ctx context.Context, base queue.KeyBase, from queue.State, id string) error {
	errs, err := s.client.Queue(base).Retry(ctx, from, []string{id}, queue.RetryOptions{})
	if err != nil {
		return err
	}
	return errs[0]
}

// Pause stops workers from taking jobs.
func (s *topSource) Pause(ctx context.Context, base queue.KeyBase) error {
	return s.client.Queue(base).Pause(ctx)
}

// Resume lets them again.
func (s *topSource) Resume(ctx context.Context, base queue.KeyBase) error {
	return s.client.Queue(base).Resume(ctx)
}
