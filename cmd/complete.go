package cmd

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// completionBudget is how long names from Redis are waited for. The program also
// has to start and to end, on a busy machine, and a shell wants its answer within
// 300 ms.
const completionBudget = 200 * time.Millisecond

// completionJobs is how many jobs of each state are offered.
const completionJobs = 20

// completeQueues offers the names of queues for the first arguments, as many as
// most; below 0 for all, and then roles, too. What cannot be had within the
// budget is left out, and nothing is said about it: a shell has no place for an
// error.
func completeQueues(a *app, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most >= 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := completionContext(a, cmd)
		defer cancel()
		var words []cobra.Completion
		if most < 0 {
			words = roleCompletions(a, args, toComplete)
		}
		if !strings.HasPrefix(toComplete, "@") {
			words = append(queueCompletions(ctx, a, args, toComplete), words...)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeJobs offers queues for the first argument, and for those behind it
// the newest jobs of the queue in the given states, or in those that --state
// names. Not more arguments than most are completed; below 0 means all.
func completeJobs(a *app, most int, states ...queue.State) cobra.CompletionFunc {
	queues := completeQueues(a, 1)
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return queues(cmd, args, toComplete)
		case most >= 0 && len(args) >= most, wantsAll(cmd):
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := completionContext(a, cmd)
		defer cancel()
		return jobCompletions(ctx, a, args, statesTyped(cmd, states), toComplete),
			cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// wantsAll reports whether a flag was typed that takes the place of ids.
func wantsAll(cmd *cobra.Command) bool {
	return cmd.Flags().Changed("all") || cmd.Flags().Changed("all-failed")
}

// statesTyped returns what --state names, or else the given states.
func statesTyped(cmd *cobra.Command, otherwise []queue.State) []queue.State {
	names, err := cmd.Flags().GetStringSlice("state")
	if err != nil || !cmd.Flags().Changed("state") {
		return otherwise
	}
	states, err := parseStates(names)
	if err != nil {
		return nil
	}
	return states
}

// completionContext ends with the budget, and silences warnings. The process has
// no other reason to live: what else looks at a.hard ends with it, too.
func completionContext(a *app, cmd *cobra.Command) (context.Context, context.CancelFunc) {
	silent := *a.streams
	silent.Err = io.Discard
	ctx, cancel := context.WithTimeout(cmd.Context(), a.completionTime())
	a.streams, a.completing, a.hard = &silent, true, ctx
	return ctx, cancel
}

// completionTime is how long names are waited for: the budget, or for those whose
// Redis is far away what they say.
func (a *app) completionTime() time.Duration {
	if text, set := a.lookupEnv("QCTL_COMPLETION_TIMEOUT"); set {
		if limit, err := config.ParseDuration(text); err == nil && limit > 0 {
			return limit
		}
	}
	return completionBudget
}

// queueCompletions lists the configured queues and those of this Redis, without
// those that were typed already.
func queueCompletions(ctx context.Context, a *app, typed []string, toComplete string) []cobra.Completion {
	if _, err := a.loadConfig(); err != nil {
		return nil
	}
	var targets []target
	for _, t := range a.config.Targets("") {
		targets = append(targets, target{Target: t})
	}
	// With millions of keys only some queues are found: time is left for the
	// counts.
	a.searchTime = a.completionTime() / 2
	if found, err := a.queues(ctx, nil); err == nil {
		for _, t := range found {
			if !t.Configured {
				targets = append(targets, t)
			}
		}
	}
	names := make([]string, 0, len(targets))
	bases := make([]queue.KeyBase, 0, len(targets))
	for _, t := range targets {
		name := a.typedName(t)
		if strings.HasPrefix(name, toComplete) && typable(name) && !slices.Contains(typed, name) {
			names = append(names, name)
			bases = append(bases, t.base())
		}
	}
	return describeQueues(ctx, a, names, bases)
}

// describeQueues adds to each name what is most worth knowing of the queue.
func describeQueues(ctx context.Context, a *app, names []string, bases []queue.KeyBase) []cobra.Completion {
	if a.client == nil {
		return names
	}
	counts, err := a.client.CountsOf(ctx, bases)
	if err != nil {
		return names
	}
	words := make([]cobra.Completion, len(names))
	for i, c := range counts {
		var about string
		switch {
		case c.Err != nil:
			about = "cannot be read"
		case c.Failed > 0:
			about = render.Count(c.Failed) + " failed"
		default:
			about = render.Count(c.Waiting+c.Prioritized) + " waiting"
		}
		words[i] = cobra.CompletionWithDesc(names[i], about)
	}
	return words
}

// roleCompletions lists the roles of the configured queues.
func roleCompletions(a *app, typed []string, toComplete string) []cobra.Completion {
	if _, err := a.loadConfig(); err != nil {
		return nil
	}
	var words []cobra.Completion
	for _, t := range a.config.Targets("") {
		word := "@" + t.Queue.Role
		if t.Queue.Role == "" || !strings.HasPrefix(word, toComplete) || !typable(word) || slices.Contains(typed, word) {
			continue
		}
		word = cobra.CompletionWithDesc(word, plural(len(a.config.Targets(t.Queue.Role)), "queue"))
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// typedName is the shortest word by which a queue can be named: its alias, its
// name under the active prefix, or its key base.
func (a *app) typedName(t target) string {
	switch {
	case t.Alias != "":
		return t.Alias
	case t.Prefix == a.config.Prefix && !strings.Contains(t.Name, ":"):
		return t.Name
	}
	return t.base().String()
}

// jobCompletions lists the newest jobs of a queue that were not typed already.
func jobCompletions(ctx context.Context, a *app, args []string, states []queue.State, toComplete string) []cobra.Completion {
	t, err := a.resolve(args[0])
	if err != nil {
		return nil
	}
	var words []cobra.Completion
	for _, state := range states {
		listed, err := t.q.List(ctx, queue.ListRequest{
			State: state, Count: completionJobs, Newest: true, Fields: queue.FieldName,
		})
		if err != nil {
			return words
		}
		for _, job := range listed.Jobs {
			if strings.HasPrefix(job.ID, toComplete) && typable(job.ID) && !slices.Contains(args[1:], job.ID) {
				words = append(words, cobra.CompletionWithDesc(job.ID, string(state)+" "+render.Text(job.Name)))
			}
		}
	}
	return words
}

// typable reports whether a shell takes the word as it is. Anybody who may add
// jobs chooses such names, and a shell would run what `$(…)` holds.
func typable(word string) bool {
	return word != "" && word[0] != '-' && !strings.ContainsFunc(word, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.:@/+=,%{}", r)
	})
}
