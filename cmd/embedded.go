package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/embedded"
	"github.com/qctl/qctl/internal/redisconn"
	"github.com/qctl/qctl/internal/render"
)

func newEmbeddedCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "embedded COMMAND",
		Short:   "Look at, stop or empty the store that is used without Redis",
		GroupID: groupSetup,
		Long: `Without --redis and REDIS_URL, qctl keeps jobs in a store of its own: a small
background process on this machine, started by the first command that needs it,
with a log on disk, so that commands in several terminals share the jobs. It
stops by itself when nothing has been connected for five minutes. Commands that
go on, as a worker, find it again after it was killed or stopped, and start it
where it was killed.

QCTL_EMBEDDED_DIR is its folder, by default qctl/embedded in the user's folder
for state ($XDG_STATE_HOME or ~/.local/state). Killing the process loses nothing
that was answered; a power cut loses at most the last second, and nothing with
QCTL_EMBEDDED_FSYNC=always. A damaged log is refused with exit code 8.`,
		Example: `  qctl embedded status
  qctl embedded stop
  qctl embedded reset --yes`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newEmbeddedStatusCommand(a), newEmbeddedStopCommand(a), newEmbeddedResetCommand(a))
	return cmd
}

func newEmbeddedStatusCommand(a *app) *cobra.Command {
	return a.printsRows(&cobra.Command{
		Use:   "status",
		Short: "Show whether the embedded store runs, where and how large it is",
		Long: `Show whether the embedded store runs, and since when, its folder, its keys, its
clients and the size of its log. It is not started for that, and the exit code
is 0 either way.`,
		Example: `  qctl embedded status
  qctl embedded status -o json
  qctl embedded status -o json | jq -r .running`,
		Args: argumentCount(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			dir, err := a.embeddedDir()
			if err != nil {
				return err
			}
			state, err := embedded.Status(ctx, dir)
			if err != nil {
				return err
			}
			return printResults(a, []embeddedView{newEmbeddedView(state)}, false, embeddedView.text)
		},
	}, render.LayoutOf[embeddedView](nil))
}

func newEmbeddedStopCommand(a *app) *cobra.Command {
	return a.printsRows(&cobra.Command{
		Use:   "stop",
		Short: "Stop the embedded store; the jobs stay",
		Long: `Stop the embedded store. The jobs stay on disk, and the next command that needs
the store starts it again. Workers and dashboards that are connected lose their
connection, do not start it, and go on once it runs. A store that does not run
is no error.`,
		Example: `  qctl embedded stop
  qctl embedded stop --timeout 10s
  QCTL_EMBEDDED_DIR=/tmp/try qctl embedded stop`,
		Args: argumentCount(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			dir, err := a.embeddedDir()
			if err != nil {
				return err
			}
			err = embedded.Stop(ctx, dir)
			view := embeddedChange{Dir: dir, Done: err == nil, did: "stopped the embedded store"}
			if errors.Is(err, embedded.ErrNotRunning) {
				view.did, err = "the embedded store did not run", nil
			}
			if err != nil {
				return err
			}
			return printResults(a, []embeddedChange{view}, false, embeddedChange.text)
		},
	}, render.LayoutOf[embeddedChange](nil))
}

func newEmbeddedResetCommand(a *app) *cobra.Command {
	yes, dryRun := false, false
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Stop the embedded store and delete all its jobs",
		Long: `Stop the embedded store and delete what it holds: all queues, all jobs, for good.
It also is the way to begin anew when the log is damaged. Asks on a terminal;
without one it needs --yes, or ends with exit code 10.`,
		Example: `  qctl embedded reset
  qctl embedded reset --yes
  QCTL_EMBEDDED_DIR=/tmp/try qctl embedded reset --yes`,
		Args: argumentCount(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runEmbeddedReset(ctx, a, yes, dryRun)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "only say what would be deleted")
	return a.printsRows(cmd, render.LayoutOf[embeddedChange](nil))
}

func runEmbeddedReset(ctx context.Context, a *app, yes, dryRun bool) error {
	if err := a.mayChange(dryRun); err != nil {
		return err
	}
	dir, err := a.embeddedDir()
	if err != nil {
		return err
	}
	what := "delete all jobs of the embedded store in " + dir
	if dryRun {
		return printResults(a, []embeddedChange{{Dir: dir, did: "would " + what}}, false, embeddedChange.text)
	}
	if err := a.confirm(ctx, yes, what, ""); err != nil {
		return err
	}
	if err := embedded.Reset(ctx, dir); err != nil {
		return err
	}
	view := embeddedChange{Dir: dir, Done: true, did: "deleted all jobs of the embedded store in " + dir}
	return printResults(a, []embeddedChange{view}, false, embeddedChange.text)
}

// embeddedChange is what stop and reset did, as JSON.
type embeddedChange struct {
	Dir  string `json:"dir" about:"folder of the store"`
	Done bool   `json:"done" about:"false when there was nothing to stop, and in a dry run"`

	did string
}

func (v embeddedChange) text() string { return render.Text(v.did) }

// embeddedView is the store as JSON.
type embeddedView struct {
	Running  bool   `json:"running" about:"whether it runs"`
	Dir      string `json:"dir" about:"its folder"`
	LogBytes int64  `json:"logBytes" about:"size of its log"`
	Addr     string `json:"addr,omitempty" about:"address it listens on"`
	PID      int    `json:"pid,omitempty" about:"id of its process"`
	Version  string `json:"version,omitempty" about:"version of the qctl that started it"`
	Fsync    string `json:"fsync,omitempty" about:"when its log reaches the disk"`
	Since    int64  `json:"since,omitempty" about:"when it started, in milliseconds since the epoch"`
	Keys     int    `json:"keys" about:"keys that it holds"`
	Clients  int    `json:"clients" about:"connections to it"`
	Refusing bool   `json:"refusing" about:"true when its log cannot be written, and nothing can be changed"`

	uptime string
}

func newEmbeddedView(s embedded.State) embeddedView {
	v := embeddedView{Running: s.Running, Dir: s.Dir, LogBytes: s.LogBytes}
	if s.Running {
		v.Addr, v.PID, v.Version, v.Fsync, v.Since = s.Addr, s.PID, s.Version, string(s.Fsync), s.Since.UnixMilli()
		v.Keys, v.Clients, v.Refusing, v.uptime = s.Keys, s.Clients, s.Refusing, s.Uptime.String()
	}
	return v
}

// text is a line for each thing to know.
func (v embeddedView) text() string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-9s%s\n", name, render.Text(value)) }
	switch {
	case v.Running && v.Refusing:
		line("state", "running, but its log cannot be written: changes are refused")
	case v.Running:
		line("state", "running")
	default:
		line("state", "not running")
	}
	line("folder", v.Dir)
	line("log", render.Bytes(v.LogBytes))
	if v.Running {
		line("address", fmt.Sprintf("%s, pid %d, version %s", v.Addr, v.PID, v.Version))
		line("up", v.uptime)
		line("fsync", v.Fsync)
		line("keys", render.Count(int64(v.Keys)))
		line("clients", render.Count(int64(v.Clients)))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// embeddedDir is the folder of the embedded store.
func (a *app) embeddedDir() (string, error) {
	dir, err := embedded.DefaultDir(a.lookupEnv)
	if err != nil {
		return "", &usageError{err: err, hint: "set QCTL_EMBEDDED_DIR to a folder"}
	}
	return dir, nil
}

// useEmbedded starts the embedded store if it does not run, says that it is
// used, and gives the settings that lead to it.
func (a *app) useEmbedded(settings redisconn.Config) (redisconn.Config, error) {
	if settings.Cluster || settings.SentinelName != "" {
		return settings, &usageError{
			err:  errors.New("no Redis given, though a cluster or a sentinel name is"),
			hint: "set REDIS_URL, or add --redis",
		}
	}
	dir, err := a.embeddedDir()
	if err != nil {
		return settings, err
	}
	if a.completing { // a key press must not start a process
		state, err := embedded.Status(a.hard, dir)
		if err != nil || !state.Running {
			return settings, errors.Join(embedded.ErrNotRunning, err)
		}
		return embeddedSettings(settings, state.Info), nil
	}
	self, err := os.Executable()
	if err != nil {
		return settings, fmt.Errorf("%w: %w", embedded.ErrStart, err)
	}
	options := embedded.Options{
		Dir: dir, SelfPath: self, Version: currentBuild().Version,
		Warn: func(text string) { a.warn("%s", text) },
	}
	if text, set := a.lookupEnv("QCTL_EMBEDDED_FSYNC"); set {
		options.Fsync = embedded.Fsync(text)
		modes := []string{string(embedded.FsyncEverySecond), string(embedded.FsyncAlways)}
		switch {
		case text == "":
			return settings, &usageError{err: errors.New("QCTL_EMBEDDED_FSYNC is set but empty"), hint: strings.Join(modes, " or ")}
		case !options.Fsync.Valid():
			err := fmt.Errorf("QCTL_EMBEDDED_FSYNC %s is not %s", config.Quote(text), strings.Join(modes, " or "))
			return settings, nearWord(err, text, modes, "")
		}
	}
	info, err := embedded.Open(a.hard, options)
	if err != nil {
		return settings, err
	}
	fmt.Fprintf(a.streams.Err, "qctl: using the embedded store in %s; REDIS_URL or --redis names a Redis instead\n", render.Text(dir))
	settings = embeddedSettings(settings, info)
	settings.Locate = locateEmbedded(options, info)
	return settings, nil
}

// locateEmbedded finds the store again for a command that was connected, and
// starts it where it was killed. The first connection is made to the one that
// was just opened, without another look. There is no terminal to warn on, which
// a dashboard may have taken; the store's own log says what was cut off.
func locateEmbedded(o embedded.Options, opened embedded.Info) func(context.Context) (string, redisconn.Secret, error) {
	o.Warn = nil
	var looked atomic.Bool
	return func(ctx context.Context) (string, redisconn.Secret, error) {
		info, err := opened, error(nil)
		if looked.Swap(true) {
			info, err = embedded.Reopen(ctx, o)
		}
		return info.Addr, redisconn.NewSecret(info.Password), err
	}
}

// embeddedSettings lead to an embedded store that runs.
func embeddedSettings(settings redisconn.Config, info embedded.Info) redisconn.Config {
	settings.URLs = []redisconn.Secret{redisconn.NewSecret("redis://" + info.Addr)}
	settings.Password = redisconn.NewSecret(info.Password)
	return settings
}
