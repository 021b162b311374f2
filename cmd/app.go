package cmd

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
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
	// at the first.
	hard context.Context //nolint:containedctx // it lives as long as the process

	flags globalFlags

	config *config.Config
	conn   *redisconn.Conn
	client *queue.Client
}

// globalFlags are the flags of every command.
type globalFlags struct {
	redis    string
	prefix   string
	output   string
	readOnly bool
	timeout  time.Duration
	color    string
	changed  func(name string) bool
}

func (a *app) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&a.flags.redis, "redis", "", "Redis `URL` (default $REDIS_URL)")
	flags.StringVar(&a.flags.prefix, "prefix", "", "key `PREFIX` of queues given by name (default bull)")
	flags.StringVarP(&a.flags.output, "output", "o", "table", "output `FORMAT`: "+formatNames())
	flags.BoolVar(&a.flags.readOnly, "read-only", false, "refuse every change before it is sent")
	flags.DurationVar(&a.flags.timeout, "timeout", 0, "give up after this `TIME` (default none)")
	flags.StringVar(&a.flags.color, "color", "auto", "use colours: auto, always, never")
	a.flags.changed = flags.Changed
}

// format returns the output format that was asked for.
func (a *app) format() (render.Format, error) {
	f, err := render.ParseFormat(a.flags.output)
	if err != nil {
		return f, &usageError{err: err}
	}
	return f, nil
}

func formatNames() string {
	var names []string
	for _, f := range render.Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// asJSON reports whether a format is for programs.
func asJSON(f render.Format) bool { return f == render.FormatJSON || f == render.FormatNDJSON }

// writeJSON prints one value for programs.
func writeJSON[T any](a *app, v T) error {
	return render.WriteJSON(a.streams.Out, v, render.For(a.streams, a.now()))
}

// context bounds a command by --timeout.
func (a *app) context(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	if a.flags.timeout > 0 {
		return context.WithTimeout(cmd.Context(), a.flags.timeout)
	}
	return context.WithCancel(cmd.Context())
}

// loadConfig reads the settings once; it needs no Redis.
func (a *app) loadConfig() (*config.Config, error) {
	if a.config != nil {
		return a.config, nil
	}
	c, warnings, err := config.Load(a.lookupEnv, a.environ())
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		a.warn("%s", w)
	}
	flag := func(name string) config.Origin { return config.Origin{Source: config.Flag, Detail: "--" + name} }
	if a.flags.changed("prefix") {
		if err := c.SetPrefix(a.flags.prefix, flag("prefix")); err != nil {
			return nil, err
		}
	}
	if a.flags.readOnly {
		c.SetReadOnly(true, flag("read-only"))
	}
	switch a.flags.color {
	case "auto":
	case "always", "never":
		a.streams.SetColor(a.flags.color == "always")
	default:
		return nil, &usageError{err: fmt.Errorf("--color %q is not auto, always or never", a.flags.color)}
	}
	a.config = c
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
	settings, err := redisconn.FromEnv(a.lookupEnv)
	if err != nil {
		return nil, err
	}
	if a.flags.changed("redis") {
		settings.URLs = []redisconn.Secret{redisconn.NewSecret(a.flags.redis)}
		if redisconn.HasPassword(a.flags.redis) {
			a.warn("a password on the command line is seen by every user of this machine: use REDIS_URL or REDIS_PASSWORD_FILE")
		}
	}
	if len(settings.URLs) == 0 {
		return nil, &usageError{
			err:  errors.New("no Redis given"),
			hint: "set REDIS_URL, or add --redis redis://127.0.0.1:6379",
		}
	}
	settings.ReadOnly = c.ReadOnly
	conn, err := redisconn.Open(settings)
	if err != nil {
		return nil, err
	}
	c.SetCluster(conn.Cluster(), config.Origin{Source: config.Env, Detail: "REDIS_CLUSTER_MODE"})
	a.conn = conn
	a.client = queue.NewClient(conn, queue.ClientOptions{Now: a.now, ReadOnly: c.ReadOnly})
	return a.client, nil
}

// close ends the connection.
func (a *app) close() {
	if a.conn != nil {
		_ = a.conn.Close()
	}
}

// warn prints one line on standard error.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.streams.Err, "qctl: warning: %s\n", render.Text(fmt.Sprintf(format, args...)))
}

// target is a queue that a command works on.
type target struct {
	config.Target
	q *queue.Queue
}

// label is what the queue is called in results: its alias, else its name.
func (t target) label() string {
	if t.Alias != "" {
		return t.Alias
	}
	return t.Name
}

// base is the queue's key base.
func (t target) base() queue.KeyBase { return queue.KeyBase{Prefix: t.Prefix, Name: t.Target.Name} }

// resolve finds a queue by name, whether it exists or not.
func (a *app) resolve(arg string) (target, error) {
	client, err := a.connect()
	if err != nil {
		return target{}, err
	}
	t, err := a.config.Resolve(arg)
	if err != nil {
		return target{}, err
	}
	return target{Target: t, q: client.Queue(queue.KeyBase{Prefix: t.Prefix, Name: t.Name})}, nil
}

// existing finds a queue that must exist. A configured queue without jobs
// exists as well: it is only empty.
func (a *app) existing(ctx context.Context, arg string) (target, error) {
	t, err := a.resolve(arg)
	if err != nil || t.Configured {
		return t, err
	}
	found, err := t.q.Exists(ctx)
	if err != nil {
		return target{}, err
	}
	if !found {
		return target{}, a.queueNotFound(ctx, arg)
	}
	return t, nil
}

// queueNotFound words the error with the nearest name that does exist.
func (a *app) queueNotFound(ctx context.Context, arg string) error {
	var names []string
	for _, t := range a.config.Targets("") {
		names = append(names, t.Alias)
	}
	if bases, err := a.client.Queues(ctx, ""); err == nil {
		for _, b := range bases {
			names = append(names, b.Name, b.String())
		}
	}
	suggestion := config.Suggest(arg, names)
	return &notFoundError{
		err:  fmt.Errorf("queue %q not found", arg),
		hint: didYouMean(suggestion, "qctl queues lists the queues"),
		near: suggestion,
	}
}

// queues finds the queues that arguments mean: names, globs in quotes, @role.
// Without arguments it is every queue of this Redis, and with configured set
// the configured ones too.
func (a *app) queues(ctx context.Context, args []string) ([]target, error) {
	client, err := a.connect()
	if err != nil {
		return nil, err
	}
	var found []target
	matched := 0
	add := func(t config.Target) {
		matched++
		base := queue.KeyBase{Prefix: t.Prefix, Name: t.Name}
		if !slices.ContainsFunc(found, func(f target) bool { return f.base() == base }) {
			found = append(found, target{Target: t, q: client.Queue(base)})
		}
	}
	for _, arg := range args {
		switch role, isRole := strings.CutPrefix(arg, "@"); {
		case isRole:
			targets := a.config.Targets(role)
			if len(targets) == 0 || role == "" {
				return nil, &notFoundError{err: fmt.Errorf("no queue has the role %q", role)}
			}
			for _, t := range targets {
				add(t)
			}
		case strings.ContainsAny(arg, "*?["):
			matched = 0
			if err := a.addGlob(ctx, arg, add); err != nil {
				return nil, err
			}
			if matched == 0 {
				return nil, &notFoundError{err: fmt.Errorf("no queue matches %q", arg)}
			}
		default:
			t, err := a.existing(ctx, arg)
			if err != nil {
				return nil, err
			}
			add(t.Target)
		}
	}
	if len(args) == 0 {
		return found, a.addGlob(ctx, "*", add)
	}
	return found, nil
}

// addGlob adds the queues of this Redis whose alias, name or key base matches.
func (a *app) addGlob(ctx context.Context, glob string, add func(config.Target)) error {
	if _, err := path.Match(glob, ""); err != nil {
		return &usageError{err: fmt.Errorf("pattern %q: %w", glob, err)}
	}
	bases, err := a.client.Queues(ctx, "")
	if err != nil {
		return err
	}
	for _, b := range bases {
		t, err := a.config.Resolve(b.String())
		if err != nil {
			// A foreign name that qctl could not have made is still shown.
			t = config.Target{Prefix: b.Prefix, Name: b.Name, Queue: &config.Queue{}}
		}
		for _, name := range []string{t.Alias, b.Name, b.String()} {
			if ok, _ := path.Match(glob, name); ok && name != "" {
				add(t)
				break
			}
		}
	}
	return nil
}
