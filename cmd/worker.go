package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/handler"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
	"github.com/qctl/qctl/internal/worker"
)

// workerOptions are the flags of qctl worker.
type workerOptions struct {
	queues      []string
	concurrency int
	rate        string
	handler     string
	grace       time.Duration
	drain       bool
	create      bool
	name        string
	jobTimeout  time.Duration
	lock        time.Duration
	stalled     time.Duration
	maxStalled  int
	metrics     time.Duration
	logLevel    string
	logFormat   string
	program     []string

	changed func(string) bool
}

func (o *workerOptions) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.queues, "queue", nil, "work this `QUEUE`; may be given several times")
	intVar(f, &o.concurrency, "concurrency", config.MinConcurrency, config.MaxConcurrency, "run up to `N` jobs of a queue at once (default the queue's)")
	f.Var(&rateFlag{to: &o.rate}, "rate", "start at most `N/TIME` jobs of a queue (10/1s), over all its workers (default the queue's)")
	f.StringVar(&o.handler, "handler", "", "built-in `HANDLER` to try things out: noop, sleep=TIME, fail=RATE, sleep=TIME,fail=RATE")
	durationVar(f, &o.grace, "grace", "30s", "0s", mostWait, "after the first interrupt, let running jobs go on for this `TIME`")
	f.BoolVar(&o.drain, "drain", false, "end when nothing waits any more; delayed jobs stay where they are")
	f.BoolVar(&o.create, "create", false, "allow queues that do not exist yet")
	f.StringVar(&o.name, "worker-name", "", "`NAME` in worker listings and with each job")
	durationVar(f, &o.jobTimeout, "job-timeout", "", "1ms", mostWait, "end a job after this `TIME` (default the queue's)")
	durationVar(f, &o.lock, "lock", "", "100ms", mostWait, "lock jobs for this `TIME` at once (default the queue's, 30s)")
	durationVar(f, &o.stalled, "stalled-interval", "", "100ms", mostWait, "look for jobs of dead workers this often, `TIME` (default the queue's, 30s)")
	intVar(f, &o.maxStalled, "max-stalled", 1, mostCount, "fail a job that stalled more than `N` times (default the queue's, 2)")
	durationVar(f, &o.metrics, "metrics", "", "1m", mostWait, "keep BullMQ's per-minute metrics for this `TIME` (default none)")
	f.StringVar(&o.logLevel, "log-level", "info", "log from this `LEVEL` on: debug, info, warn, error")
	f.StringVar(&o.logFormat, "log-format", "text", "log as `FORMAT`: text, json")
	o.changed = f.Changed
}

// The words that flags of a worker take.
var (
	logLevels  = []string{"debug", "info", "warn", "error"}
	logFormats = []string{"text", "json"}
)

func newWorkerCommand(a *app) *cobra.Command {
	opts := &workerOptions{}
	cmd := &cobra.Command{
		Use:     "worker --queue QUEUE [flags] [-- PROGRAM ARG...]",
		Short:   "Run the jobs of one or more queues",
		GroupID: groupRun,
		Long: `Claim jobs and run a program for each: no shell, one process per job, the
payload on its standard input, its standard output the return value.

  exit 0    completed
  exit 75   try again by the backoff, without using up an attempt
  exit 65   failed for good
  other     failed attempt: tried again by the backoff, then failed

Lines on standard error become the job's log, the last of them its failed
reason. QCTL_JOB_ID, QCTL_ATTEMPT and other variables tell about the job; JSON
lines on file descriptor 3 report {"progress":…}, {"log":"…"}, {"result":…}.

The first SIGINT or SIGTERM stops claiming and lets running jobs finish for the
grace period; the second cancels them. What has not finished goes back to wait
without using up an attempt.

SIGHUP reads the configuration file again. Concurrency, limiter, timeout, handler,
stalled checks and what is kept hold from the next job on; the log says for each
queue what has changed and what a restart is needed for. Flags still win, and a
file with an error changes nothing.`,
		Example: `  qctl worker --queue email -- ./send.sh
  qctl worker --queue dev --concurrency 20 --log-format json -- node agent.js
  qctl worker --queue email --queue orchestration --drain -- ./run.sh
  qctl worker --queue dev --handler sleep=200ms,fail=0.1`,
		Args: func(cmd *cobra.Command, args []string) error {
			opts.program = args
			if dash := cmd.ArgsLenAtDash(); dash != 0 && len(args) > 0 {
				return &usageError{
					err:  fmt.Errorf("unexpected argument %q", args[0]),
					hint: "name queues with --queue, and put -- before the program",
				}
			}
			return nil
		},
		Annotations:       map[string]string{foreignArguments: programArguments},
		ValidArgsFunction: completePrograms,
		RunE:              func(cmd *cobra.Command, _ []string) error { return runWorker(cmd.Context(), a, opts) },
	}
	opts.addFlags(cmd.Flags())
	// They fail only for unknown flags.
	_ = cmd.RegisterFlagCompletionFunc("queue", completeQueues(a, 1))
	_ = cmd.RegisterFlagCompletionFunc("handler", completeBeginning("noop", "sleep=", "fail="))
	_ = cmd.RegisterFlagCompletionFunc("log-level", completeWord(logLevels...))
	_ = cmd.RegisterFlagCompletionFunc("log-format", completeWord(logFormats...))
	return a.printsRows(cmd, render.LayoutOf[workedView](nil))
}

func runWorker(ctx context.Context, a *app, opts *workerOptions) error {
	log, err := a.logger(opts.logLevel, opts.logFormat)
	if err != nil {
		return err
	}
	if err := a.mayChange(false); err != nil {
		return err
	}
	if len(opts.queues) == 0 {
		return &usageError{err: errors.New("no queue given"), hint: "add --queue QUEUE"}
	}
	if err := a.mayChange(false); err != nil {
		return err
	}
	set := &workerSet{a: a, opts: opts, log: log}
	defer set.close()
	if set.given, err = opts.givenHandler(); err != nil {
		return err
	}
	for _, name := range opts.queues {
		if err := set.add(ctx, name); err != nil {
			return err
		}
	}
	if err := a.client.Ping(ctx); err != nil {
		return err
	}
	stopReloads := set.reloadOnSignal()
	defer stopReloads()
	return opts.runAll(ctx, a, set.workers())
}

// runAll runs the workers until all have ended, and prints what they did.
func (o *workerOptions) runAll(ctx context.Context, a *app, workers []*worker.Worker) error {
	stats := make([]worker.Stats, len(workers))
	var group errgroup.Group
	for i, w := range workers {
		group.Go(func() (err error) {
			stats[i], err = w.Run(ctx, a.hard)
			return err
		})
	}
	err := group.Wait()
	var sum worker.Stats
	for _, s := range stats {
		sum.Completed += s.Completed
		sum.Failed += s.Failed
		sum.Retried += s.Retried
		sum.GivenBack += s.GivenBack
		sum.LocksLost += s.LocksLost
		if sum.DelayedLeft.IsZero() || (!s.DelayedLeft.IsZero() && s.DelayedLeft.Before(sum.DelayedLeft)) {
			sum.DelayedLeft = s.DelayedLeft
		}
	}
	if printErr := a.printWorkerStats(sum); printErr != nil && err == nil {
		return printErr
	}
	if err != nil && queue.Classify(err) == queue.ClassOther {
		return &partialError{err: err}
	}
	return err
}

func (a *app) printWorkerStats(s worker.Stats) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	if !format.ForPeople() {
		var delayed *int64
		if !s.DelayedLeft.IsZero() {
			ms := s.DelayedLeft.UnixMilli()
			delayed = &ms
		}
		return writeResult(a, workedView{s.Completed, s.Failed, s.Retried, s.GivenBack, s.LocksLost, delayed})
	}
	text := fmt.Sprintf("completed %d, failed %d, attempts to be repeated %d, given back %d, locks lost %d",
		s.Completed, s.Failed, s.Retried, s.GivenBack, s.LocksLost)
	if !s.DelayedLeft.IsZero() {
		text += "; next delayed job due " + s.DelayedLeft.UTC().Format(time.RFC3339)
	}
	_, err = fmt.Fprintln(a.streams.Out, text)
	return err
}

// workedView is what a worker did, as JSON.
type workedView struct {
	Completed   int64  `json:"completed" about:"jobs that completed"`
	Failed      int64  `json:"failed" about:"jobs that failed for good"`
	Retried     int64  `json:"retried" about:"attempts that will be repeated"`
	GivenBack   int64  `json:"givenBack" about:"jobs that were put back unfinished"`
	LocksLost   int64  `json:"locksLost" about:"jobs whose lock was lost"`
	NextDelayed *int64 `json:"nextDelayed" about:"when the next delayed job is due, in milliseconds since the epoch"`
}

// jobHandler is what runs the jobs, with what the log calls it.
type jobHandler struct {
	worker.Handler
	text  string
	env   string // the variables that a configured program gets
	close func()
}

func programHandler(cfg handler.ProgramConfig) (jobHandler, error) {
	p, err := handler.NewProgram(cfg)
	if err != nil {
		return jobHandler{}, &usageError{err: err}
	}
	return jobHandler{Handler: p, text: strings.Join(cfg.Args, " "), env: strings.Join(cfg.Env, " "), close: func() { _ = p.Close() }}, nil
}

// givenHandler returns what the command line says runs the jobs of all queues;
// one without a Handler when it says nothing.
func (o *workerOptions) givenHandler() (jobHandler, error) {
	nothing := func() {}
	switch {
	case o.changed("handler") && len(o.program) > 0:
		return jobHandler{}, &usageError{err: errors.New("--handler and a program exclude each other")}
	case o.changed("handler"):
		h, err := handler.Parse(o.handler)
		if err != nil {
			kind, _, _ := strings.Cut(o.handler, "=")
			return jobHandler{}, nearWord(fmt.Errorf("--handler: %w", err), strings.TrimSpace(kind), []string{"noop", "sleep", "fail"}, "")
		}
		return jobHandler{Handler: h, text: o.handler, close: nothing}, nil
	case len(o.program) > 0:
		return programHandler(handler.ProgramConfig{Args: o.program, InheritEnv: true})
	}
	return jobHandler{close: nothing}, nil
}

// configuredHandler returns what the configuration says runs the jobs of a
// queue. One without a handler would complete jobs that nobody handled.
func configuredHandler(t target) (jobHandler, error) {
	h := t.Queue.Handler
	if h == nil {
		return jobHandler{}, &usageError{
			err:  fmt.Errorf("no handler: nothing would run the jobs of %s", t.label()),
			hint: "put the program after --, as in: qctl worker --queue email -- ./send.sh",
		}
	}
	if err := h.CheckSupported(); err != nil {
		return jobHandler{}, fmt.Errorf("queue %s: %w", t.label(), err)
	}
	return programHandler(handler.ProgramConfig{Args: h.Program, Env: h.Env})
}

func workerTarget(ctx context.Context, a *app, opts *workerOptions, name string) (target, error) {
	if opts.create {
		return a.resolve(name)
	}
	return a.existing(ctx, name)
}

// config is the queue's policy with the flags on top.
func (o *workerOptions) config(a *app, t target) (worker.Config, error) {
	policy := t.Queue
	cfg := worker.Config{
		Queue: t.q, Alias: t.Alias, Name: o.name, Concurrency: policy.Concurrency,
		Timeout: policy.Timeout, Lock: policy.LockDuration, StalledInterval: policy.StalledInterval,
		MaxStalled: policy.MaxStalledCount, Drain: o.drain, Now: a.now, NextRun: cron.NextRun,
		KeepCompleted: keepOf(policy.Keep.Completed), KeepFailed: keepOf(policy.Keep.Failed),
	}
	if policy.Limiter != nil {
		cfg.Limiter = &queue.Limiter{Max: policy.Limiter.Max, Duration: policy.Limiter.Duration}
	}
	if strings.ContainsAny(o.name, " \n\t\r") {
		return cfg, &usageError{err: fmt.Errorf("--worker-name %q contains blanks", o.name)}
	}
	if o.changed("concurrency") {
		cfg.Concurrency = o.concurrency
	}
	if o.changed("max-stalled") {
		cfg.MaxStalled = o.maxStalled
	}
	if o.rate != "" {
		limiter, err := config.ParseRate(o.rate)
		if err != nil {
			return cfg, &usageError{err: fmt.Errorf("--rate: %w", err)}
		}
		cfg.Limiter = &queue.Limiter{Max: limiter.Max, Duration: limiter.Duration}
	}
	o.durations(&cfg)
	return cfg, nil
}

// durations puts the flags that are times over the queue's.
func (o *workerOptions) durations(cfg *worker.Config) {
	cfg.Grace = o.grace
	if cfg.Grace == 0 {
		cfg.Grace = -1 // the worker's zero means its default
	}
	if o.jobTimeout > 0 {
		cfg.Timeout = o.jobTimeout
	}
	if o.lock > 0 {
		cfg.Lock = o.lock
	}
	if o.stalled > 0 {
		cfg.StalledInterval = o.stalled
	}
	cfg.MetricsPoints = int(o.metrics / time.Minute)
}

func (o *workerOptions) concurrencyOrigin(c *config.Config, t target) string {
	if o.changed("concurrency") {
		return "--concurrency"
	}
	return c.Origin("queues." + t.Alias + ".concurrency").String()
}

func rateText(l *queue.Limiter) string {
	if l == nil {
		return "none"
	}
	return fmt.Sprintf("%d/%s", l.Max, l.Duration)
}

// withoutEscapes shows the escape characters of a value, which the handler for
// terminals takes for colours of ours.
func withoutEscapes(_ []string, attr slog.Attr) slog.Attr {
	switch attr.Value.Kind() {
	case slog.KindString, slog.KindAny:
		if text := attr.Value.String(); attr.Key != slog.LevelKey && strings.ContainsRune(text, '\x1b') {
			attr.Value = slog.StringValue(strings.ReplaceAll(text, "\x1b", `\x1b`))
		}
	}
	return attr
}

// logger writes to standard error: lines in colour for people, key=value
// or JSON for collectors.
func (a *app) logger(level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, nearWord(fmt.Errorf("--log-level %s is not debug, info, warn or error", config.Quote(level)), level, logLevels, "")
	}
	out := render.NewLogWriter(a.streams.Err)
	switch {
	case format == "json":
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: l})), nil
	case format != "text":
		return nil, nearWord(fmt.Errorf("--log-format %s is not text or json", config.Quote(format)), format, logFormats, "")
	case a.streams.ErrIsTerminal():
		return slog.New(tint.NewTextHandler(out, &tint.Options{
			Level: l, TimeFormat: time.TimeOnly, NoColor: !a.streams.Color(), ReplaceAttr: withoutEscapes,
		})), nil
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: l})), nil
}
