package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
)

// flagNames lists the long flags of a command, for suggestions.
func flagNames(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	}
	cmd.Flags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return names
}

// nearWord is the mistake of a word that is none of a few. It suggests the
// nearest of them; without one the hint is the other.
func nearWord(err error, typed string, words []string, otherwise string) error {
	near := config.Suggest(typed, words)
	if near == typed { // the word is right, and something else is wrong
		near = ""
	}
	return &usageError{err: err, hint: didYouMean(near, otherwise), near: near}
}

// argumentCount checks the number of arguments; most < 0 means no limit.
func argumentCount(least, most int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if asksColumns(cmd) {
			return nil
		}
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		err := errors.New("missing " + want)
		if len(args) > least {
			err = fmt.Errorf("unexpected argument %s: want %s", config.Quote(args[len(args)-1]), want)
		}
		return &usageError{err: err, hint: cmd.CommandPath() + " --help"}
	}
}
