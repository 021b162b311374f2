package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// retryOptions are the arguments and flags of qctl retry.
type retryOptions struct {
	queue     string
	ids       []string
	all       allFailed
	selection selection
	pace      string
	reset     bool
	dryRun    bool
}

func (o *retryOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&o.all, "all-failed", "retry every failed job; also --all-failed=QUEUE")
	flags.Lookup("all-failed").NoOptDefVal = allFailedAlone
	o.selection.addStateFlag(cmd, "retry jobs of this `STATE`: failed, completed (default failed)")
	o.selection.addFlags(flags)
	flags.Var(&rateFlag{to: &o.pace}, "pace", "retry at most `N/TIME` jobs: 100/s, 50/1m")
	flags.BoolVar(&o.reset, "reset-attempts", false, "count attempts from zero again")
	flags.BoolVarP(&o.dryRun, "dry-run", "n", false, "only say what would be retried")
}

func newRetryCommand(a *app) *cobra.Command {
	opts := &retryOptions{}
	cmd := &cobra.Command{
		Use:     "retry {QUEUE JOB... | QUEUE - | --all-failed QUEUE}",
		Short:   "Put failed or completed jobs back to waiting",
		GroupID: groupChange,
		Long: `Put failed jobs back to waiting: the named ones, those whose ids come on standard
input (-, one per line), or all that the selection flags leave. Nothing is
asked. Jobs that fail after the command began are not retried again.

Attempts made are kept, so a job whose attempts are used up runs once more;
--reset-attempts gives it all of them again. Jobs whose data is gone are skipped
and make the exit code 1. In a dry run the JSON counts what would be retried.

With --all-failed QUEUE may be a pattern in quotes or @role.`,
		Example: `  qctl retry billing 90452
  qctl retry --all-failed orchestration
  qctl retry billing --name charge-card --since 2h --pace 50/s
  qctl retry billing --limit 5 --newest --dry-run
  qctl failed billing -o ndjson | jq -r .id | qctl retry billing -`,
		ValidArgsFunction: completeJobs(a, -1, queue.StateFailed),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			if err := opts.validate(ctx, a, cmd.Flags(), args); err != nil {
				return err
			}
			return runRetry(ctx, a, opts)
		},
	}
	opts.addFlags(cmd)
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("all-failed", completeQueues(a, -1))
	return a.printsRows(cmd, render.LayoutOf[changeView](nil, "promoted", "removed"))
}

// validate finds out which of the forms was typed.
func (o *retryOptions) validate(ctx context.Context, a *app, flags *pflag.FlagSet, args []string) error {
	if o.all.queue != "" {
		if len(args) > 0 {
			return &usageError{err: fmt.Errorf("unexpected argument %q: --all-failed=%s names the queue", args[0], o.all.queue)}
		}
		args = []string{o.all.queue}
	}
	if err := o.selection.validate(a, flags, queue.StateFailed); err != nil {
		return err
	}
	if slices.ContainsFunc(o.selection.states, func(s queue.State) bool { return !s.Finished() }) {
		return &usageError{err: errors.New("only failed and completed jobs can be retried"), hint: "qctl promote is for delayed jobs"}
	}
	if len(args) == 0 {
		return noQueueToRetry(ctx, a)
	}
	o.queue, o.ids = args[0], args[1:]
	chosen := selectionGiven(flags)
	switch {
	case len(o.ids) > 0 && o.all.set:
		return &usageError{err: errors.New("--all-failed and job ids exclude each other")}
	case o.all.set && flags.Changed("state"):
		return &usageError{err: errors.New("--all-failed and --state exclude each other")}
	case len(o.ids) > 0 && chosen:
		return &usageError{err: errors.New("job ids and selection flags exclude each other")}
	case len(o.ids) > 0 && len(o.selection.states) > 1:
		return &usageError{err: errors.New("with job ids --state is one state")}
	case len(o.ids) == 0 && !o.all.set && !chosen && !flags.Changed("state"):
		return &usageError{
			err:  errors.New("which jobs? give their ids, --all-failed or a selection"),
			hint: "qctl retry " + o.queue + " --all-failed",
		}
	}
	return checkIDs(o.ids)
}

func runRetry(ctx context.Context, a *app, opts *retryOptions) error {
	retry := bulkChange{
		a: a, dryRun: opts.dryRun,
		change: change{
			verb: "retry", done: "retried", needsData: true,
			apply: func(ctx context.Context, q *queue.Queue, state queue.State, ids []string) ([]error, error) {
				return q.Retry(ctx, state, ids, queue.RetryOptions{ResetAttempts: opts.reset})
			},
		},
	}
	var err error
	if retry.pace, err = a.parsePace(opts.pace); err != nil {
		return err
	}
	if len(opts.ids) > 0 {
		return runNamed(ctx, a, retry, opts.queue, opts.ids, opts.selection.states[0])
	}
	changes, err := planSelected(ctx, a, retry, opts.queue, &opts.selection)
	if err != nil {
		return err
	}
	return runSelected(ctx, a, changes, &opts.selection, isPattern(opts.queue))
}

// noQueueToRetry is the mistake of giving no queue. It helps with the queues
// that have failed jobs, if Redis can say.
func noQueueToRetry(ctx context.Context, a *app) error {
	missing := &usageError{err: errors.New("missing QUEUE"), hint: "qctl retry --all-failed QUEUE"}
	targets, err := a.queues(ctx, nil)
	if err != nil {
		return missing
	}
	bases := make([]queue.KeyBase, 0, len(targets))
	for _, t := range targets {
		bases = append(bases, t.base())
	}
	counts, err := a.client.CountsOf(ctx, bases)
	if err != nil {
		return missing
	}
	var failing []string
	for i, c := range counts {
		if c.Failed > 0 {
			failing = append(failing, fmt.Sprintf("%s (%s)", a.typedName(targets[i]), render.Count(c.Failed)))
		}
	}
	if len(failing) > 0 {
		missing.hint += "; failed jobs are in " + strings.Join(failing, ", ")
	}
	return missing
}

// allFailedAlone is what --all-failed is set to when no value follows it.
const allFailedAlone = "true"

// allFailed is the flag --all-failed, which may name the queue as its value:
// the queue as an argument before or behind the flag means the same.
type allFailed struct {
	set   bool
	queue string
}

// Set takes the value, or allFailedAlone.
func (f *allFailed) Set(value string) error {
	switch value {
	case "":
		return errors.New("the queue is empty")
	case allFailedAlone, "false":
		*f = allFailed{set: value == allFailedAlone}
	default:
		*f = allFailed{set: true, queue: value}
	}
	return nil
}

// String returns the value.
func (f *allFailed) String() string {
	if f.set && f.queue == "" {
		return allFailedAlone
	}
	return f.queue
}

// Type is bool for the help, which then shows no value.
func (f *allFailed) Type() string { return "bool" }
