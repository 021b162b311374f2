package cmd

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// completionFailures is how many failed jobs of a queue are read to find causes:
// those that the budget has time for on a busy Redis.
const completionFailures = 1000

// completionReason is how many columns of a reason are shown beside its cause.
const completionReason = 60

// completeGlobalFlags binds the completions of the flags of every command.
func completeGlobalFlags(a *app, root *cobra.Command) {
	for name, complete := range map[string]cobra.CompletionFunc{
		"color":   completeWord("auto", "always", "never"),
		"config":  completeYAML,
		"context": completeContexts(a),
		"prefix":  completePrefixes(a),
	} {
		_ = root.RegisterFlagCompletionFunc(name, complete) // fails only for unknown flags
	}
}

// completeTheRest binds what commands have in common, and keeps a shell from
// offering the files of the working folder where none can be meant: behind
// arguments and flags that have no completion of their own, unless the usage of
// the flag speaks of a FILE.
func completeTheRest(a *app, cmd *cobra.Command) {
	if cmd.Flags().Lookup("cause") != nil {
		_ = cmd.RegisterFlagCompletionFunc("cause", completeCauses(a)) // fails only for unknown flags
	}
	if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	none := func(f *pflag.Flag) {
		if _, bound := cmd.GetFlagCompletionFunc(f.Name); !bound && !strings.Contains(f.Usage, "FILE") {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions)
		}
	}
	cmd.LocalFlags().VisitAll(none)
	for _, sub := range cmd.Commands() {
		completeTheRest(a, sub)
	}
}

// completeYAML offers files that may hold a configuration.
func completeYAML(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeFolders offers folders.
func completeFolders(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completePrograms leaves it to the shell: a program and its arguments follow.
func completePrograms(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeWord offers words, in their order.
func completeWord(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder)
}

// completeBeginning offers words that something is typed behind, without a blank.
func completeBeginning(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)
}

// completeWords offers words for a flag that takes several with commas, each of
// them once.
func completeWords(all ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		done := toComplete[:strings.LastIndexByte(toComplete, ',')+1]
		var words []cobra.Completion
		for _, name := range all {
			if word := done + name; strings.HasPrefix(word, toComplete) && !slices.Contains(strings.Split(done, ","), name) {
				words = append(words, word)
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// completeContexts offers the connections of the configuration file.
func completeContexts(a *app) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		_, cancel := completionContext(a, cmd)
		defer cancel()
		c, err := a.loadConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words := slices.DeleteFunc(slices.Clone(c.Contexts), func(name string) bool {
			return !strings.HasPrefix(name, toComplete) || !typable(name)
		})
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completePrefixes offers the prefixes of the queues of this Redis and of the
// configuration.
func completePrefixes(a *app) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := completionContext(a, cmd)
		defer cancel()
		if _, err := a.loadConfig(); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		bases := []queue.KeyBase{{Prefix: a.config.Prefix}}
		for _, t := range a.config.Targets("") {
			bases = append(bases, queue.KeyBase{Prefix: t.Prefix, Name: t.Name})
		}
		if client, err := a.connect(); err == nil {
			found, _ := client.Queues(ctx, "") // what it found before an error is as good
			bases = append(bases, found...)
		}
		var words []cobra.Completion
		for _, b := range bases {
			if strings.HasPrefix(b.Prefix, toComplete) && typable(b.Prefix) && !slices.Contains(words, b.Prefix) {
				words = append(words, b.Prefix)
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeCauses offers the causes of the newest failed jobs of the queues that
// were typed, or else of all, the most frequent first.
func completeCauses(a *app) cobra.CompletionFunc {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := completionContext(a, cmd)
		defer cancel()
		targets, err := a.queues(ctx, args)
		if err != nil {
			return nil, directive
		}
		if targets, err = withFailed(ctx, a, targets); err != nil {
			return nil, directive
		}
		var causes []render.Cause
		for _, t := range targets {
			groups, err := groupCauses(ctx, &selection{limit: completionFailures}, t.q)
			if err != nil {
				break
			}
			causes = append(causes, groups.rows("")...)
		}
		return causeCompletions(causes, toComplete), directive
	}
}

// causeCompletions describes each cause by how many jobs failed for it, and why.
func causeCompletions(causes []render.Cause, toComplete string) []cobra.Completion {
	slices.SortStableFunc(causes, func(x, y render.Cause) int { return int(y.Count - x.Count) })
	var words []cobra.Completion
	seen := map[string]bool{}
	for _, cause := range causes {
		if seen[cause.ID] || !isCauseID(cause.ID) || !strings.HasPrefix(cause.ID, toComplete) {
			continue
		}
		seen[cause.ID] = true
		about := render.Count(cause.Count) + " failed: " + render.Cut(render.Text(cause.Reason), completionReason)
		words = append(words, cobra.CompletionWithDesc(cause.ID, about))
	}
	return words
}
