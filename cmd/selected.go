package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/queue"
)

// selectionGiven reports whether a flag chooses among the jobs of a state.
func selectionGiven(flags *pflag.FlagSet) bool {
	return slices.ContainsFunc([]string{"name", "id", "since", "until", "older-than", "limit", "newest"}, flags.Changed)
}

// isPattern reports whether a QUEUE argument may mean several queues.
func isPattern(arg string) bool {
	return strings.HasPrefix(arg, "@") || strings.ContainsAny(arg, "*?[")
}

// runNamed carries out a change on jobs of one queue that are named one by one.
func runNamed(ctx context.Context, a *app, c bulkChange, arg string, ids []string, state queue.State) error {
	if isPattern(arg) {
		return &usageError{err: errors.New("job ids belong to one queue")}
	}
	if err := a.mayChange(c.dryRun); err != nil {
		return err
	}
	t, err := a.existing(ctx, arg)
	if err != nil {
		return err
	}
	c.t, c.state, c.byID, c.noun = t, state, true, "jobs"
	return runBulkChanges(ctx, a, []*bulkChange{&c}, false, func(ctx context.Context, c *bulkChange) error {
		return c.named(ctx, a.jobIDs(ctx, t, ids))
	})
}

// planSelected prepares a change of the selected jobs in every queue that arg
// means, and counts them where that is cheap.
func planSelected(ctx context.Context, a *app, c bulkChange, arg string, s *selection) ([]*bulkChange, error) {
	if err := a.mayChange(c.dryRun); err != nil {
		return nil, err
	}
	targets, err := a.queues(ctx, []string{arg})
	if err != nil {
		return nil, err
	}
	changes := make([]*bulkChange, 0, len(targets))
	for _, t := range targets {
		one := c
		one.t, one.noun = t, "jobs"
		if len(s.states) == 1 {
			one.noun = string(s.states[0])
		}
		if !s.filtered() {
			if one.total, err = countSelected(ctx, a, t, s); err != nil {
				return nil, err
			}
		}
		changes = append(changes, &one)
	}
	return changes, nil
}

// countSelected counts the selected jobs of a queue.
func countSelected(ctx context.Context, a *app, t target, s *selection) (int64, error) {
	total := int64(0)
	for _, scope := range s.scopes(a.now()) {
		n, err := scope.count(ctx, t.q)
		if err != nil {
			return 0, fmt.Errorf("count %s jobs of %s: %w", scope.state, t.label(), err)
		}
		total += n
	}
	return total, nil
}

// runSelected carries out a change on the selected jobs.
func runSelected(ctx context.Context, a *app, changes []*bulkChange, s *selection, several bool) error {
	return runBulkChanges(ctx, a, changes, several, func(ctx context.Context, c *bulkChange) error {
		for _, scope := range s.scopes(c.started) {
			if s.limit > 0 {
				if scope.limit = s.limit - c.tally.matched; scope.limit <= 0 {
					return nil
				}
			}
			if err := c.selected(ctx, scope); err != nil {
				return err
			}
		}
		return nil
	})
}
