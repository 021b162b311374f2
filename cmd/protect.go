package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
)

// confirmation is how far the command line answers the question whether jobs
// may be removed. A protected queue must be named: a yes is not enough.
type confirmation struct {
	yes   bool
	names []string
}

func (c *confirmation) addFlags(a *app, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	flags.StringSliceVar(&c.names, "confirm", nil, "do not ask about this `QUEUE`, even if it is protected; [CONTEXT/]QUEUE when a context is used")
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("confirm", completeConfirm(a))
}

// completeConfirm completes the names of the queues that stand on the line.
func completeConfirm(a *app) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		_, cancel := completionContext(a, cmd) // silent from here on
		defer cancel()
		c, err := a.loadConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for _, arg := range args {
			if t, err := c.Resolve(arg); err == nil && !isPattern(arg) {
				names = append(names, confirmName(c, target{Target: t}))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// confirmNamed makes sure that every protected queue has been named, on the
// command line or at the terminal. It returns the targets that are left to be
// asked about. what words what is about to happen to one of them.
func (a *app) confirmNamed(ctx context.Context, c *confirmation, of []target, what func(target) string) (left []target, err error) {
	settings, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	if err := checkConfirmed(settings, c.names, of); err != nil {
		return nil, err
	}
	for _, t := range of {
		name := confirmName(settings, t)
		switch {
		case slices.Contains(c.names, name):
			continue
		case !isProtected(settings, t):
			if !c.yes {
				left = append(left, t)
			}
			continue
		case !a.streams.CanPrompt():
			return nil, &confirmError{
				what: "not confirmed: " + what(t) + ", which is protected",
				hint: "add --confirm=" + name + " to do it, or --dry-run to see what it would do",
			}
		}
		if err := a.confirm(ctx, false, what(t)+", which is protected", name); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// confirmProtected makes sure that somebody means the queues that are protected,
// where a yes is enough, because nothing is lost. what words what is about to
// happen to one of them.
func (a *app) confirmProtected(ctx context.Context, c *confirmation, dryRun bool, of []target, what func(target) string) error {
	if err := checkConfirmed(a.config, c.names, of); err != nil {
		return err
	}
	if dryRun || c.yes {
		return nil
	}
	for _, t := range of {
		name := confirmName(a.config, t)
		if !isProtected(a.config, t) || slices.Contains(c.names, name) {
			continue
		}
		what := what(t) + ", which is protected"
		if !a.streams.CanPrompt() {
			return &confirmError{
				what: "not confirmed: " + what,
				hint: "add --confirm=" + name + " or --yes to do it, or --dry-run to see what it would do",
			}
		}
		if err := a.confirm(ctx, false, what, name); err != nil {
			return err
		}
	}
	return nil
}

// checkConfirmed refuses names of queues that the command is not about: most
// likely it is run on another server than the one that was meant.
func checkConfirmed(c *config.Config, names []string, of []target) error {
	known := make([]string, len(of))
	for i, t := range of {
		known[i] = confirmName(c, t)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return &usageError{
				err:  fmt.Errorf("--confirm %q is none of the queues that this would change", name),
				hint: didYouMean(config.Suggest(name, known), "the names are "+strings.Join(known, ", ")),
			}
		}
	}
	return nil
}

// confirmName is what confirms a change of a queue: with the context in front
// when one is used, because the same queue exists elsewhere too.
func confirmName(c *config.Config, t target) string {
	if c.Context == "" {
		return t.label()
	}
	return c.Context + "/" + t.label()
}

// isProtected reports whether the configuration names the queue, in any way in
// which it can be written, or a pattern that matches it.
func isProtected(c *config.Config, t target) bool {
	names := []string{t.Alias, t.Name, t.base().String()}
	if plain := strings.Trim(t.Name, "{}"); plain != t.Name { // the hash tag that a cluster needs
		names = append(names, plain, t.Prefix+":"+plain)
	}
	for _, pattern := range c.Protected {
		expr, err := compileGlob(pattern)
		if err != nil { // the file was checked; to be careful costs nothing
			return true
		}
		if slices.ContainsFunc(names, func(name string) bool { return name != "" && expr.MatchString(name) }) {
			return true
		}
	}
	return false
}
