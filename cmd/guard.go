package cmd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
)

// maxArgument bounds an argument: the longest id of a job, 64 KiB, as base64.
const maxArgument = 96 << 10

// payloadFlags take a payload, which may be any bytes of any length that a
// payload may have.
var payloadFlags = map[string]bool{"data": true}

// foreignArguments is the annotation of commands whose arguments are not all
// qctl's own: payloadFields or programArguments.
const (
	foreignArguments = "foreign"
	payloadFields    = "fields"  // behind the first, parts of a payload
	programArguments = "program" // behind --, those of a program
)

// guard makes every command below one refuse arguments that nobody means, with
// no need for the commands to know: the same flag twice, bytes that are no
// text, texts without end.
func (a *app) guard(cmd *cobra.Command) {
	// A shell that completes has the same words read twice.
	completes := len(a.args) > 0 && strings.HasPrefix(a.args[0], cobra.ShellCompRequestCmd)
	guardFlag := func(f *pflag.Flag) {
		if slice, several := f.Value.(pflag.SliceValue); several {
			f.Value = &guardedSlice{guardedValue{Value: f.Value, name: f.Name, several: true}, slice}
			if f.DefValue == "[]" { // the library knows by the type that this is nothing
				f.DefValue = ""
			}
			return
		}
		f.Value = &guardedValue{Value: f.Value, name: f.Name, several: completes}
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, done := f.Value.(interface{ guarded() }); !done {
			guardFlag(f)
		}
	})
	own := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := a.singleDash(cmd); err != nil {
			return err
		}
		if err := checkArguments(cmd, args); err != nil {
			return err
		}
		if own == nil {
			return nil
		}
		return own(cmd, args)
	}
	for _, sub := range cmd.Commands() {
		a.guard(sub)
	}
}

// guardedValue is the value of a flag that is given once.
type guardedValue struct {
	pflag.Value
	name    string
	several bool
	given   bool
}

func (*guardedValue) guarded() {}

// Set refuses a second value, and what is no text.
func (v *guardedValue) Set(text string) error {
	if v.given && !v.several {
		return errTwice
	}
	payload := payloadFlags[v.name] && !strings.HasPrefix(text, "@")
	if err := checkArgument(text, payload); err != nil {
		return err
	}
	v.given = true
	return v.Value.Set(text)
}

// guardedSlice is the value of a flag that may be given several times.
type guardedSlice struct {
	guardedValue
	pflag.SliceValue
}

// argumentError is what is wrong with an argument that must not be shown.
type argumentError string

// Error returns what is wrong.
func (e argumentError) Error() string { return string(e) }

const errTwice argumentError = "is given twice"

// checkArgument refuses what no argument may be. A payload may be long, and hold
// what JSON may.
func checkArgument(text string, payload bool) error {
	switch {
	case strings.ContainsRune(text, 0):
		return argumentError("holds a NUL byte")
	case payload:
		return nil
	case len(text) > maxArgument:
		return argumentError(fmt.Sprintf("is %d bytes long, at most %d are allowed", len(text), maxArgument))
	case !utf8.ValidString(text):
		return argumentError("is not valid UTF-8")
	}
	return nil
}

// checkArguments looks at the arguments that are not flags.
func checkArguments(cmd *cobra.Command, args []string) error {
	foreign := cmd.Annotations[foreignArguments]
	if foreign == programArguments && cmd.ArgsLenAtDash() == 0 {
		return nil // bytes, as for every program
	}
	for i, arg := range args {
		err := checkArgument(arg, false)
		if foreign == payloadFields && i > 0 && len(arg) > maxArgument && utf8.ValidString(arg) {
			err = checkArgument(arg, true)
		}
		if err != nil {
			hint := cmd.CommandPath() + " --help"
			if strings.Contains(cmd.Use, " ID") {
				hint = "--id-base64 takes an id of any bytes"
			}
			return &usageError{err: fmt.Errorf("argument %d %w", i+1, err), hint: hint}
		}
	}
	return nil
}

// singleDash refuses a long flag with one dash, which the parser takes for
// several short ones: -state is -s with the value "tate".
func (a *app) singleDash(cmd *cobra.Command) error {
	name := singleDashed(cmd, a.args)
	if name == "" {
		return nil
	}
	return &usageError{err: fmt.Errorf("-%s: a long flag has two dashes", name), hint: didYouMean("--"+name, ""), near: "--" + name}
}

// singleDashed returns the first long flag that stands behind one dash.
func singleDashed(cmd *cobra.Command, args []string) string {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return ""
		case strings.HasPrefix(arg, "--"):
			name, _, whole := strings.Cut(arg[2:], "=")
			if f := cmd.Flag(name); f != nil && f.NoOptDefVal == "" && !whole {
				i++
			}
		case len(arg) > 2 && arg[0] == '-':
			if name, _, _ := strings.Cut(arg[1:], "="); cmd.Flag(name) != nil {
				return name
			}
		case len(arg) == 2 && arg[0] == '-':
			if f := cmd.Flags().ShorthandLookup(arg[1:]); f != nil && f.NoOptDefVal == "" {
				i++
			}
		}
	}
	return ""
}

// flagError words what the parser refuses, and suggests the nearest flag.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	if single := a.singleDash(cmd); single != nil {
		return single
	}
	refused := &usageError{err: err, hint: cmd.CommandPath() + " --help lists the flags"}
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		typed, _, _ := strings.Cut(unknown.GetSpecifiedShortnames(), "=")
		refused.err = fmt.Errorf("unknown flag -%s in %s", shownWord(unknown.GetSpecifiedName()), config.Quote("-"+unknown.GetSpecifiedShortnames()))
		if len(typed) > 1 {
			refused.near = prefixed("--", config.Suggest(typed, flagNames(cmd)))
		}
	case errors.As(err, &unknown):
		refused.err = fmt.Errorf("unknown flag: --%s", shownWord(unknown.GetSpecifiedName()))
		refused.near = prefixed("--", config.Suggest(unknown.GetSpecifiedName(), flagNames(cmd)))
	case errors.As(err, &syntax):
		refused.err = fmt.Errorf("bad flag syntax: %s", config.Quote(syntax.GetSpecifiedFlag()))
	case errors.As(err, &invalid):
		name, cause := "--"+invalid.GetFlag().Name, invalid.Unwrap()
		var whole argumentError
		switch {
		case errors.As(cause, &whole):
			refused.err = fmt.Errorf("%s %w", name, whole)
		case errors.Is(cause, strconv.ErrSyntax):
			refused.err = fmt.Errorf("%s %s: want true or false", name, config.Quote(invalid.GetValue()))
		default:
			refused.err = fmt.Errorf("%s %s: %w", name, config.Quote(invalid.GetValue()), cause)
		}
		refused.hint = cmd.CommandPath() + " --help"
	}
	refused.hint = didYouMean(refused.near, refused.hint)
	return refused
}

// shownWord shows a word as it is, or cut and quoted when it is none.
func shownWord(text string) string {
	if quoted := config.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}
