package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/render"
)

// outputFlags say how results are printed.
type outputFlags struct {
	output  string
	jq      string
	columns []string
}

func addOutputFlags(f *outputFlags, flags *pflag.FlagSet) {
	flags.StringVarP(&f.output, "output", "o", "table", "output `FORMAT` (default $QCTL_OUTPUT, table): "+formatNames())
	flags.StringVar(&f.jq, "jq", "", "apply a jq `PROGRAM` to the JSON")
	flags.StringSliceVar(&f.columns, "columns", nil, "show these `COLUMNS` in this order; help lists them")
}

func formatNames() string { return strings.Join(formatWords(render.Formats()), ", ") }

func formatWords(formats []render.Format) []string {
	words := make([]string, len(formats))
	for i, f := range formats {
		words[i] = f.Word()
	}
	return words
}

// prints is what a command prints.
type prints struct {
	// layout may look at the flags.
	layout func() render.Layout
	// endless names the flag by which the results never end; nil or empty when
	// they do end.
	endless func() string
	// formats are those that the command has; nil leaves it to the layout.
	formats []render.Format
	// settings takes the place of the configuration; nil leaves it in force.
	settings func() error
}

// output is how the results of the command that runs are written.
type output struct {
	ready    bool
	format   render.Format
	columns  []string
	layout   render.Layout
	template *render.Template
	query    *render.Query
	// bound ends a query that does not end. It is of the one command that runs.
	bound context.Context
	stop  context.CancelFunc
	// again: the headers were printed already.
	again bool
}

// prints notes what a command prints. What is wrong with the flags about that is
// told before the command does anything.
func (a *app) prints(cmd *cobra.Command, p prints) *cobra.Command {
	if a.results == nil {
		a.results = map[*cobra.Command]prints{}
	}
	a.results[cmd] = p
	return cmd
}

// printsRows notes a command whose layout is always the same.
func (a *app) printsRows(cmd *cobra.Command, layout render.Layout) *cobra.Command {
	return a.prints(cmd, prints{layout: func() render.Layout { return layout }})
}

// errAnswered ends a command whose flags asked a question that is answered.
var errAnswered = errors.New("answered")

// prepare reads the flags about results before a command runs.
func (a *app) prepare(cmd *cobra.Command) error {
	p, ok := a.results[cmd]
	if !ok {
		return a.refuseOutput(cmd)
	}
	if p.settings != nil {
		if err := p.settings(); err != nil {
			return err
		}
	}
	out := output{layout: p.layout()}
	if asksColumns(cmd) {
		if err := a.listColumns(out.layout); err != nil {
			return err
		}
		return errAnswered
	}
	endless := ""
	if p.endless != nil {
		endless = p.endless()
	}
	formats := p.formats
	if formats == nil {
		formats = out.layout.Formats()
	}
	f, text, err := a.wantedFormat()
	if err != nil {
		return err
	}
	if f, err = a.settle(cmd, f, formats, endless); err != nil {
		return err
	}
	out.format = f
	if err := out.readPrograms(a, text); err != nil {
		return err
	}
	if err := out.readColumns(a, cmd); err != nil {
		return err
	}
	out.bound, out.stop = a.context(cmd)
	out.ready = true
	a.out = out
	return nil
}

// refuseOutput tells that a command without results has no format for them.
func (a *app) refuseOutput(cmd *cobra.Command) error {
	if cmd.HasSubCommands() {
		return nil // it prints help, or knows a word better
	}
	for _, name := range []string{"output", "jq", "columns"} {
		if a.flags.changed(name) && a.flags.output != string(render.FormatTable) {
			return &usageError{
				err:  fmt.Errorf("--%s: %s prints nothing that has an output format", name, cmd.CommandPath()),
				hint: "qctl help output tells which commands do",
			}
		}
	}
	return nil
}

// wantedFormat is the format that was asked for: by the flag, the environment or
// the file. What is wrong with the configuration is reported where it is needed.
func (a *app) wantedFormat() (f render.Format, text string, err error) {
	if !a.flags.changed("output") {
		_, _ = a.loadConfig()
	}
	f, text, err = render.ParseFormat(a.flags.output)
	if err == nil {
		return f, text, nil
	}
	word, _, _ := strings.Cut(a.flags.output, "=")
	near := config.Suggest(word, formatWords(render.Formats()))
	return f, "", &usageError{err: err, hint: didYouMean(near, "qctl help output describes them"), near: near}
}

// settle fits the wanted format to a command. A format that was typed and does
// not fit is a mistake; a default that does not fit makes way.
func (a *app) settle(cmd *cobra.Command, f render.Format, formats []render.Format, endless string) (render.Format, error) {
	typed := a.flags.changed("output")
	if a.flags.changed("jq") {
		switch {
		case typed && !asJSON(f):
			return f, &usageError{
				err:  fmt.Errorf("--jq works on JSON, not on %s", f),
				hint: "use -o json or -o ndjson, or leave out -o",
			}
		case !typed && endless != "":
			f = render.FormatNDJSON
		case !typed:
			f = render.FormatJSON
		}
	}
	switch {
	case !slices.Contains(formats, f) && typed:
		return f, &usageError{
			err:  fmt.Errorf("%s has no output format %s", cmd.CommandPath(), f),
			hint: "it has " + render.Alternatives(formatWords(formats)),
		}
	case endless != "" && f.Document() && typed:
		return f, &usageError{
			err: fmt.Errorf("%s never ends a %s document", endless, strings.ToUpper(string(f))), hint: "use -o ndjson",
		}
	case endless != "" && f == render.FormatJSON:
		return render.FormatNDJSON, nil
	case !slices.Contains(formats, f), endless != "" && f.Document():
		return render.FormatTable, nil
	}
	return f, nil
}

// readPrograms compiles the template and the jq program.
func (o *output) readPrograms(a *app, text string) (err error) {
	if o.format == render.FormatTemplate {
		if o.template, err = render.ParseTemplate(text); err != nil {
			return &usageError{err: fmt.Errorf("--output template: %w", err), hint: "qctl help output describes templates"}
		}
	}
	if a.flags.changed("jq") {
		if o.query, err = render.ParseQuery(a.flags.jq); err != nil {
			return &usageError{err: fmt.Errorf("--jq: %w", err), hint: "qctl help output has examples"}
		}
	}
	return nil
}

// readColumns checks the names of --columns. CSV without them has all fields.
func (o *output) readColumns(a *app, cmd *cobra.Command) error {
	if !a.flags.changed("columns") {
		if o.format == render.FormatCSV {
			for _, f := range o.layout.Fields {
				o.columns = append(o.columns, f.Name)
			}
		}
		return nil
	}
	switch {
	case o.format != render.FormatCSV && !o.format.ForPeople():
		return &usageError{
			err:  fmt.Errorf("--columns is for table, wide and csv, not for %s", o.format),
			hint: "--jq chooses among the fields of JSON",
		}
	case o.format.ForPeople() && len(o.layout.Columns) == 0 && len(o.layout.Fields) > 0:
		return &usageError{err: fmt.Errorf("%s prints no table", cmd.CommandPath()), hint: "add -o csv"}
	case len(a.flags.columns) == 0:
		return &usageError{err: errors.New("--columns names no column"), hint: "--columns help lists them"}
	}
	var names []string
	for _, c := range o.layout.Choices() {
		names = append(names, c.Name)
	}
	for _, name := range a.flags.columns {
		name = strings.TrimSpace(name)
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			near := config.Suggest(name, names)
			return &usageError{
				err:  fmt.Errorf("unknown column %q", name),
				hint: didYouMean(near, "--columns help lists them"), near: near,
			}
		}
		o.columns = append(o.columns, name)
	}
	return nil
}

// asksColumns reports whether the columns of a command are asked for, which needs
// no arguments.
func asksColumns(cmd *cobra.Command) bool {
	f := cmd.Flags().Lookup("columns")
	return f != nil && f.Changed && f.Value.String() == "[help]"
}

// listColumns answers --columns help.
func (a *app) listColumns(layout render.Layout) error {
	table := render.Table{Columns: []render.Column{{Header: "COLUMN"}, {Header: "SHOWS"}}}
	for _, c := range layout.Choices() {
		table.Rows = append(table.Rows, []render.Cell{render.TextCell(c.Name), render.TextCell(c.About)})
	}
	return table.Write(a.streams.Out, render.For(a.streams, a.now()))
}

// format returns the output format of the command that runs.
func (a *app) format() (render.Format, error) {
	if a.out.ready {
		return a.out.format, nil
	}
	f, _, err := a.wantedFormat()
	return f, err
}

// options are how results are written, and for whom.
func (a *app) options() render.Options {
	o := render.For(a.streams, a.now())
	o.Columns, o.Template, o.Query, o.Context = a.out.columns, a.out.template, a.out.query, a.out.bound
	o.NoHeaders = a.out.again
	return o
}

// asJSON reports whether a format is JSON, of one kind or the other.
func asJSON(f render.Format) bool { return f == render.FormatJSON || f == render.FormatNDJSON }

// writeResult prints one value for programs. A format for people is JSON here: the
// caller has nothing else for them.
func writeResult[T any](a *app, v T) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	o := a.options()
	if format.ForPeople() { // wherever it goes
		format, o.Terminal = render.FormatJSON, true
	}
	return render.WriteOne(a.streams.Out, v, format, o)
}

// context bounds a command by --timeout, at the same moment as the jq program that
// works on its results.
func (a *app) context(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	if a.out.bound != nil {
		return context.WithCancel(a.out.bound)
	}
	if a.flags.timeout > 0 {
		return context.WithTimeout(cmd.Context(), a.flags.timeout)
	}
	return context.WithCancel(cmd.Context())
}

// jsonErrors reports whether errors are to be JSON. A command line that was not
// read to its end is looked through for the flags that ask for it.
func (a *app) jsonErrors() bool {
	if a.flags.changed("jq") {
		return true
	}
	name := a.flags.output
	if !a.flags.changed("output") {
		typed, jq := outputOf(a.args)
		if jq {
			return true
		}
		if typed != "" {
			name = typed
		} else if value, set := a.lookupEnv("QCTL_OUTPUT"); set && a.config == nil {
			name = value
		}
	}
	f, _, err := render.ParseFormat(name)
	return err == nil && asJSON(f)
}

// outputOf finds the value of --output in a command line that may be wrong, and
// whether it has --jq.
func outputOf(args []string) (format string, jq bool) {
	for i, arg := range args {
		switch value, long := strings.CutPrefix(arg, "--output="); {
		case arg == "--":
			return format, jq
		case arg == "--jq" || strings.HasPrefix(arg, "--jq="):
			jq = true
		case long:
			format = value
		case arg == "--output" || arg == "-o":
			if i+1 < len(args) {
				format = args[i+1]
			}
		case strings.HasPrefix(arg, "-o"):
			format = strings.TrimPrefix(arg[2:], "=")
		}
	}
	return format, jq
}

// flagIf returns the name of a flag once it is set.
func flagIf(set *bool, name string) func() string {
	return func() string {
		if *set {
			return name
		}
		return ""
	}
}
