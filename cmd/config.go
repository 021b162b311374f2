package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/render"
)

// configFlags say where the configuration comes from.
type configFlags struct {
	file    string
	context string
}

func (f *configFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "config", "", "configuration `FILE` (default $QCTL_CONFIG, ./qctl.yaml, the user's)")
	flags.StringVar(&f.context, "context", "", "use the connection `NAME` of the configuration file (default $QCTL_CONTEXT)")
}

// sources is where the configuration is read from.
func (a *app) sources() config.Sources {
	return config.Sources{
		Env: a.lookupEnv, Environ: a.environ(),
		File: a.flags.config.file, FileSet: a.flags.changed("config"),
		Context: a.flags.config.context, ContextSet: a.flags.changed("context"),
	}
}

// applyFlags puts the global flags over the configuration, and takes its
// defaults for those that were not given.
func (a *app) applyFlags(c *config.Config) error {
	if err := a.overrule(c); err != nil {
		return err
	}
	a.applyDefaults(c)
	switch a.flags.color {
	case "auto":
	case "always", "never":
		a.streams.SetColor(a.flags.color == "always")
	default:
		err := fmt.Errorf("--color %s is not auto, always or never", config.Quote(a.flags.color))
		return nearWord(err, a.flags.color, []string{"auto", "always", "never"}, "")
	}
	return nil
}

// overrule puts the flags that say where queues are, and whether they may be
// changed, over a configuration.
func (a *app) overrule(c *config.Config) error {
	if a.flags.changed("prefix") {
		if err := c.SetPrefix(a.flags.prefix, flagOrigin("prefix")); err != nil {
			return err
		}
	}
	if a.flags.readOnly {
		c.SetReadOnly(true, flagOrigin("read-only"))
	}
	return nil
}

func flagOrigin(name string) config.Origin {
	return config.Origin{Source: config.Flag, Detail: "--" + name}
}

// applyDefaults takes the file's defaults for global flags that were not given,
// and tells the configuration of those that were.
func (a *app) applyDefaults(c *config.Config) {
	if a.flags.changed("output") {
		c.SetOutput(a.flags.output, flagOrigin("output"))
	}
	if a.flags.changed("color") {
		c.SetColor(a.flags.color, flagOrigin("color"))
	}
	if a.flags.changed("timeout") {
		c.SetTimeout(a.flags.timeout, flagOrigin("timeout"))
	}
	for name, take := range map[string]func(){
		"output":  func() { a.flags.output = c.Output },
		"color":   func() { a.flags.color = c.Color },
		"timeout": func() { a.flags.timeout = c.Timeout },
	} {
		if source := c.Origin(name).Source; source == config.File || source == config.Env {
			take()
		}
	}
}

func newConfigCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config COMMAND",
		Short:   "Show and check the configuration",
		GroupID: groupSetup,
		Long: `The configuration file is the one that --config names, else $QCTL_CONFIG, else
./qctl.yaml, else qctl/qctl.yaml in the user's configuration directory. One file
is read; files are never merged. Flags win over environment variables, these win
over the file, and what it leaves out is built in.`,
		Example: `  qctl config view --origin
  qctl config validate
  qctl config schema > qctl.schema.json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newConfigViewCommand(a), newConfigSchemaCommand(a), newConfigValidateCommand(a))
	return cmd
}

func newConfigViewCommand(a *app) *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use:   "view",
		Short: "Show the configuration in force",
		Long: `Show what flags, environment variables, the file and the built-in values come
to, as a configuration file. Passwords are masked.`,
		Example: `  qctl config view
  qctl config view --origin
  qctl config view --context prod -o json | jq .queues.email`,
		Args:              argumentCount(0, 0, "no arguments"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(*cobra.Command, []string) error { return runConfigView(a, origin) },
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "show where each value comes from")
	return a.prints(cmd, prints{layout: func() render.Layout {
		if origin {
			return render.LayoutOf[originView](originColumns())
		}
		return render.Layout{} // the fields are those of the file
	}})
}

func runConfigView(a *app, origin bool) error {
	c, err := a.loadConfig()
	if err != nil {
		return err
	}
	format, err := a.format()
	if err != nil {
		return err
	}
	if a.flags.changed("redis") {
		c.SetRedisURL(a.flags.redis, flagOrigin("redis"))
	}
	settings := c.Settings()
	switch {
	case origin:
		return writeOrigins(a, config.Flat(settings), format)
	case !format.ForPeople():
		return writeResult(a, config.MarshalSettings(settings))
	}
	head := ""
	if c.File != "" {
		head = "# " + render.Text(c.File)
		if c.Context != "" {
			head += ", context " + render.Text(c.Context) + " (" + render.Text(c.Origin("context").String()) + ")"
		}
		head += "\n"
	}
	_, err = fmt.Fprint(a.streams.Out, head+config.YAML(settings))
	return err
}

// originView is one value and where it came from.
type originView struct {
	Path   string `json:"path" about:"key in the configuration file"`
	Value  any    `json:"value" about:"value in force"`
	Origin string `json:"origin" about:"where it comes from"`
}

func originColumns() []render.Column {
	return []render.Column{
		{Header: "SETTING", About: "key in the configuration file"},
		{Header: "VALUE", Min: 12, Flex: true},
		{Header: "ORIGIN"},
	}
}

func writeOrigins(a *app, settings []config.Setting, format render.Format) error {
	view := func(s config.Setting) originView {
		return originView{Path: s.Path, Value: s.Value, Origin: s.Origin.String()}
	}
	cells := func(s config.Setting, _ render.Options) []render.Cell {
		return []render.Cell{render.TextCell(s.Path), render.TextCell(s.Text()), render.TextCell(s.Origin.String())}
	}
	return render.WriteRows(a.streams.Out, settings, originColumns(), view, cells, format, a.options())
}

func newConfigSchemaCommand(a *app) *cobra.Command {
	return a.prints(&cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration file",
		Long: `Print the JSON Schema (draft 2020-12) of qctl.yaml. Editors use it to complete
and check the file, when the file begins with the line
# yaml-language-server: $schema=./qctl.schema.json`,
		Example: `  qctl config schema
  qctl config schema > qctl.schema.json
  qctl config schema | jq '.properties | keys'`,
		Args:              argumentCount(0, 0, "no arguments"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.streams.Out.Write(config.FileSchema())
			return err
		},
	}, prints{
		layout:  func() render.Layout { return render.Layout{} },
		formats: []render.Format{render.FormatTable, render.FormatWide, render.FormatJSON},
	})
}

func newConfigValidateCommand(a *app) *cobra.Command {
	return a.printsRows(&cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check the configuration file and the environment",
		Long: `Check the configuration and list everything that is wrong with it, one line
each, as FILE:LINE:COLUMN: KEY: RULE. Redis is not asked.`,
		Example: `  qctl config validate
  qctl config validate deploy/qctl.yaml
  qctl config validate deploy/qctl.yaml -o json | jq -r '.problems[].key'`,
		Args:              argumentCount(0, 1, "at most one file"),
		ValidArgsFunction: completeYAML,
		RunE:              func(_ *cobra.Command, args []string) error { return runConfigValidate(a, args) },
	}, render.LayoutOf[validityView](nil))
}

// validityView is what was found in the configuration, as JSON.
type validityView struct {
	Valid    bool          `json:"valid" about:"whether nothing is wrong"`
	Problems []problemView `json:"problems" about:"everything that is wrong"`
}

// problemView is one thing that is wrong with the configuration.
type problemView struct {
	File    string `json:"file,omitempty" about:"file it is in"`
	Line    int    `json:"line,omitempty" about:"line of the file"`
	Column  int    `json:"column,omitempty" about:"column of the line"`
	Key     string `json:"key,omitempty" about:"key of the value"`
	Message string `json:"message" about:"what is wrong"`
}

func runConfigValidate(a *app, args []string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	sources := a.sources()
	if len(args) == 1 {
		sources.File, sources.FileSet = args[0], true
	}
	c, warnings, err := config.LoadFrom(sources)
	for _, w := range warnings {
		a.warn("%s", w)
	}
	if err == nil {
		err = checkSchemas(c)
	}
	if err == nil {
		_, err = declaredSchedules(c)
		err = errors.Join(c.CheckSchedules(a.now()), err)
	}
	found := split(err)
	var printed error
	if !format.ForPeople() {
		views := make([]problemView, len(found))
		for i, problem := range found {
			views[i] = viewProblem(problem)
		}
		printed = writeResult(a, validityView{len(found) == 0, views})
	} else {
		printed = printProblems(a, c, found)
	}
	if printed != nil {
		return printed
	}
	switch {
	case len(found) == 0:
		return nil
	case errors.Is(err, config.ErrSecretExposed):
		return fmt.Errorf("the configuration has %s: it %w", plural(len(found), "error"), config.ErrSecretExposed)
	}
	return &usageError{err: fmt.Errorf("the configuration has %s", plural(len(found), "error"))}
}

func printProblems(a *app, c *config.Config, found []error) error {
	var text strings.Builder
	for _, problem := range found {
		text.WriteString(render.Text(problem.Error()) + "\n")
	}
	if len(found) == 0 {
		name := "no file: built-in values and environment"
		if c.File != "" {
			name = render.Text(c.File)
		}
		fmt.Fprintf(&text, "%s: valid, %s, %s\n", name, plural(len(c.Queues), "queue"), plural(len(c.Schedules), "schedule"))
	}
	_, err := fmt.Fprint(a.streams.Out, text.String())
	return err
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// grouped is plural for numbers of any size: 1 job, 1,375 jobs.
func grouped(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return render.Count(n) + " " + noun + "s"
}

// checkSchemas compiles the payload schemas, which are read when jobs are added.
func checkSchemas(c *config.Config) error {
	var errs []error
	for _, q := range c.Queues {
		if q.Schema == "" {
			continue
		}
		if _, err := config.LoadSchema(q.Schema); err != nil {
			errs = append(errs, fmt.Errorf("queues.%s.schema: %w", q.Alias, err))
		}
	}
	return errors.Join(errs...)
}

// split returns the errors that err joins. A wrapped join belongs to the message
// around it and stays whole.
func split(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, part := range joined.Unwrap() {
		all = append(all, split(part)...)
	}
	return all
}

func viewProblem(err error) problemView {
	var at *config.FileError
	if !errors.As(err, &at) {
		return problemView{Message: err.Error()}
	}
	return problemView{File: at.File, Line: at.Line, Column: at.Column, Key: at.Key, Message: at.Rule}
}
