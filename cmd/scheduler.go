package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
	"github.com/qctl/qctl/internal/scheduler"
)

// schedulerOptions are the flags of qctl scheduler.
type schedulerOptions struct {
	lock      time.Duration
	every     time.Duration
	once      bool
	dryRun    bool
	logLevel  string
	logFormat string
}

func (o *schedulerOptions) addFlags(f *pflag.FlagSet) {
	durationVar(f, &o.lock, "lock", "15s", "500ms", mostWait, "lead for this `TIME` at once; another takes over when it ends without a sign of life")
	durationVar(f, &o.every, "every", "10s", "100ms", mostWait, "look at the schedules this often, `TIME`")
	f.BoolVar(&o.once, "once", false, "look once, put right what is wrong, and end")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "only say what would be changed now")
	f.StringVar(&o.logLevel, "log-level", "info", "log from this `LEVEL` on: debug, info, warn, error")
	f.StringVar(&o.logFormat, "log-format", "text", "log as `FORMAT`: text, json")
}

func newSchedulerCommand(a *app) *cobra.Command {
	opts := &schedulerOptions{}
	cmd := &cobra.Command{
		Use:     "scheduler [flags]",
		Short:   "Keep the schedules of all queues as declared, and running",
		GroupID: groupRun,
		Long: `Own the clock of the whole fleet: make the schedules of qctl.yaml that are missing,
change those that are not as declared, and restart any schedule whose next job
is missing. Of what was missed meanwhile the latest job is made, at once, and no
other. Schedules that nobody declares are restarted, too, and never removed.

Run as many as you like. One leads, by a lock in Redis; when it dies, another
takes over within --lock. What a leader writes that was held up for longer is
refused. Workers make the next job of each schedule themselves, so schedules go
on while nobody leads.

A built-in set is kept while it is on: qctl schedule apply --set workforce0.

Where WORKFORCE0_CRON_ENABLED is set to anything but 1 or true, the command is
refused with exit code 5. SIGHUP reads the configuration file again; SIGINT and
SIGTERM give the lead up at once.`,
		Example: `  qctl scheduler
  qctl scheduler --lock 5s --every 2s --log-format json
  qctl scheduler --once
  qctl scheduler --dry-run`,
		Args: argumentCount(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return runScheduler(cmd.Context(), a, opts) },
	}
	opts.addFlags(cmd.Flags())
	// They fail only for unknown flags.
	_ = cmd.RegisterFlagCompletionFunc("log-level", completeWord(logLevels...))
	_ = cmd.RegisterFlagCompletionFunc("log-format", completeWord(logFormats...))
	return a.printsRows(cmd, render.LayoutOf[keptView](nil))
}

func runScheduler(ctx context.Context, a *app, opts *schedulerOptions) error {
	log, err := a.logger(opts.logLevel, opts.logFormat)
	if err != nil {
		return err
	}
	if err := a.mayChange(opts.dryRun); err != nil {
		return err
	}
	c, err := a.loadConfig()
	if err != nil {
		return err
	}
	if !opts.dryRun {
		if err := c.MayOwnClock(); err != nil {
			return err
		}
	}
	client, err := a.connect()
	if err != nil {
		return err
	}
	source := &scheduleSource{a: a, log: log}
	if err := source.use(c); err != nil {
		return err
	}
	if err := client.Ping(ctx); err != nil {
		return err
	}
	s := scheduler.New(a.schedulerConfig(client, opts, source, log))
	switch {
	case opts.dryRun:
		err = s.DryRun(ctx)
	case opts.once:
		err = s.Once(ctx)
	default:
		log.Info("scheduling", "schedules", len(source.declared), "lock", opts.lock, "every", opts.every)
		stopReloads := a.onHangup(func() { source.reload(s) })
		s.Run(ctx)
		stopReloads()
	}
	if errors.Is(err, scheduler.ErrNotLeader) {
		return err
	}
	if printErr := a.printKept(opts.dryRun, s.Stats()); printErr != nil && err == nil {
		return printErr
	}
	if err != nil && queue.Classify(err) == queue.ClassOther && !errors.Is(err, config.ErrInvalid) && !as[*usageError](err) {
		return &partialError{err: err}
	}
	return err
}

// schedulerConfig ties a scheduler to the engine.
func (a *app) schedulerConfig(client *queue.Client, opts *schedulerOptions, source *scheduleSource, log *slog.Logger) scheduler.Config {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown" // it is for people
	}
	info := queue.LeaderInfo{Host: host, PID: os.Getpid()}
	return scheduler.Config{
		Elections: client, Info: info, Owner: fmt.Sprintf("%s:%d:%s", info.Host, info.PID, rand.Text()),
		Lock: opts.lock, Every: opts.every,
		Open:     func(base queue.KeyBase, fence queue.Fence) scheduler.Queue { return client.Queue(base).Fenced(fence) },
		Queues:   func(ctx context.Context) ([]queue.KeyBase, error) { return client.Queues(ctx, "") },
		Declared: source.all, Builtin: source.set,
		NextRun: cron.NextRun, ExpiresAt: config.ExpiresAt, Now: a.now, Log: log,
	}
}

// scheduleSource is what the configuration declares, as it was last read.
type scheduleSource struct {
	a   *app
	log *slog.Logger

	mu       sync.Mutex
	config   *config.Config
	declared []scheduler.Declared
}

// use takes what a configuration declares, unless anything is wrong with it.
func (s *scheduleSource) use(c *config.Config) error {
	declared, err := declaredSchedules(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config, s.declared = c, declared
	return nil
}

func (s *scheduleSource) all() ([]scheduler.Declared, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.declared, nil
}

func (s *scheduleSource) set(name string) ([]scheduler.Declared, error) {
	s.mu.Lock()
	c := s.config
	s.mu.Unlock()
	return s.a.builtinSchedules(c, name)
}

// reload reads the configuration again and has the leader look at it.
func (s *scheduleSource) reload(to *scheduler.Scheduler) {
	next, err := s.a.reread(s.log)
	if err == nil {
		err = s.use(next)
	}
	if err != nil {
		tellNotReloaded(s.log, err)
		return
	}
	attrs := []any{"schedules", len(next.Schedules)}
	if restart := s.a.needRestart(next); len(restart) > 0 {
		s.log.Warn("configuration reloaded, but not all of it: restart the scheduler", append(attrs, "restart", strings.Join(restart, ", "))...)
	} else {
		s.log.Info("configuration reloaded", attrs...)
	}
	to.Reload()
}

func (a *app) printKept(dryRun bool, s scheduler.Stats) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	if !format.ForPeople() {
		return writeResult(a, keptView{dryRun, s.Terms, s.Added, s.Changed, s.Restarted, s.Renewed, s.Removed, s.Failed})
	}
	text := fmt.Sprintf("schedules added %d, changed %d, restarted %d, renewed %d, removed %d", s.Added, s.Changed, s.Restarted, s.Renewed, s.Removed)
	if dryRun {
		text = "dry run: " + text
	} else {
		text += fmt.Sprintf(", failed %d; terms as leader %d", s.Failed, s.Terms)
	}
	_, err = fmt.Fprintln(a.streams.Out, text)
	return err
}

// keptView is what a scheduler did, as JSON.
type keptView struct {
	DryRun    bool  `json:"dryRun" about:"whether these are changes that were not made"`
	Terms     int64 `json:"terms" about:"how often it became the leader"`
	Added     int64 `json:"added" about:"schedules that were missing and were made"`
	Changed   int64 `json:"changed" about:"schedules that were made as declared"`
	Restarted int64 `json:"restarted" about:"schedules that had stopped and got their next job"`
	Renewed   int64 `json:"renewed" about:"renewals that were put to a later time that their job returned"`
	Removed   int64 `json:"removed" about:"schedules of a built-in set that it has no more"`
	Failed    int64 `json:"failed" about:"changes that could not be made"`
}
