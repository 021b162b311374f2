package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/iostreams"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redisconn"
	"github.com/qctl/qctl/internal/render"
)

// app is what commands share: the outside world, the global flags, and a
// connection that is opened when a command first needs it.
type app struct {
	streams   *iostreams.Streams
	lookupEnv func(string) (string, bool)
	environ   func() []string
	now       func() time.Time
	local     *time.Location
	// hard ends at the second interrupt; commands get the context that ends
	// at the first. It lives as long as the process.
	hard context.Context

	args    []string // the command line
	flags   globalFlags
	results map[*cobra.Command]prints
	out     output
	// completing: a shell asks what could be typed next.
	completing bool
	// searchTime bounds a search for queues; 0 is no bound.
	searchTime time.Duration

	config    *config.Config
	configErr error
	conn      *redisconn.Conn
	client    *queue.Client
}

// globalFlags are the flags of every command.
type globalFlags struct {
	outputFlags
	redis    string
	prefix   string
	readOnly bool
	timeout  time.Duration
	color    string
	config   configFlags
	changed  func(name string) bool
}

func (a *app) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&a.flags.redis, "redis", "", "Redis `URL` (default $REDIS_URL)")
	flags.StringVar(&a.flags.prefix, "prefix", "", "key `PREFIX` of queues given by name (default bull)")
	addOutputFlags(&a.flags.outputFlags, flags)
	flags.BoolVar(&a.flags.readOnly, "read-only", false, "refuse every change before it is sent")
	durationVar(flags, &a.flags.timeout, "timeout", "", "0s", mostWait, "give up after this `TIME` (default none)")
	flags.StringVar(&a.flags.color, "color", "auto", "use colours `WHEN`: auto, always, never")
	a.flags.config.addFlags(flags)
	a.flags.changed = flags.Changed
}

// loadConfig reads the settings once; it needs no Redis.
func (a *app) loadConfig() (*config.Config, error) {
	if a.config == nil && a.configErr == nil {
		a.config, a.configErr = a.readConfig()
	}
	return a.config, a.configErr
}

func (a *app) readConfig() (*config.Config, error) {
	c, warnings, err := config.LoadFrom(a.sources())
	for _, w := range warnings {
		a.warn("%s", w)
	}
	if err != nil {
		return nil, err
	}
	if err := a.applyFlags(c); err != nil {
		return nil, err
	}
	return c, nil
}

// connect opens Redis. Nothing is sent before the first call.
func (a *app) connect() (*queue.Client, error) {
	if a.client != nil {
		return a.client, nil
	}
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	settings, err := a.redisSettings(c)
	if err != nil {
		return nil, err
	}
	if len(settings.URLs) == 0 {
		if settings, err = a.useEmbedded(settings); err != nil {
			return nil, err
		}
	}
	settings.ReadOnly = c.ReadOnly
	conn, err := redisconn.Open(settings)
	if err != nil {
		return nil, err
	}
	c.SetCluster(conn.Cluster(), config.Origin{Source: config.Env, Detail: "REDIS_CLUSTER_MODE"})
	a.conn = conn
	a.client = queue.NewClient(conn, queue.ClientOptions{Now: a.now, ReadOnly: c.ReadOnly, NextRun: cron.NextRun})
	return a.client, nil
}

// close ends the connection.
func (a *app) close() {
	if a.out.stop != nil {
		a.out.stop()
	}
	if a.conn != nil {
		_ = a.conn.Close()
	}
}

// warn prints one line on standard error.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.streams.Err, "qctl: warning: %s\n", render.Text(fmt.Sprintf(format, args...)))
}

// redisEnv is the environment of the connection; --redis takes the place of
// REDIS_URL, whatever that holds.
func (a *app) redisEnv() func(string) (string, bool) {
	if !a.flags.changed("redis") {
		return a.lookupEnv
	}
	return func(name string) (string, bool) {
		if name == "REDIS_URL" {
			return "", false
		}
		return a.lookupEnv(name)
	}
}
