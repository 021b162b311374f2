package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/render"
)

func newDedupCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dedup COMMAND",
		Short:   "Look at and end the deduplication of jobs",
		GroupID: groupChange,
		Long: `A job that was added with a deduplication id keeps out others of the same id,
until it has finished or for a time. These commands tell which job that is, and
end it, so that the next job of the id is added again.`,
		Example: `  qctl dedup show email order-7
  qctl dedup remove email order-7
  qctl dedup remove email order-7 --dry-run`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newDedupShowCommand(a), newDedupRemoveCommand(a))
	return cmd
}

// dedupView is a deduplication, as JSON.
type dedupView struct {
	Queue           string `json:"queue" about:"name of the queue"`
	KeyBase         string `json:"keyBase" about:"key base of the queue"`
	DeduplicationID string `json:"deduplicationId" about:"deduplication id"`
	JobID           string `json:"jobId" about:"id of the job that keeps out others"`
	TTLMs           *int64 `json:"ttlMs" about:"for how long it does, in milliseconds; null until it has finished"`
}

func newDedupShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show QUEUE DEDUPID",
		Short: "Show which job keeps out others of a deduplication id",
		Long: `Show which job keeps out others of a deduplication id, and for how long.

The exit code is 3 when none does: a job of this id would be added.`,
		Example: `  qctl dedup show email order-7
  qctl dedup show email order-7 -o json
  qctl dedup show bull:email-queue order-7`,
		Args:              argumentCount(2, 2, "QUEUE DEDUPID"),
		ValidArgsFunction: completeQueues(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runDedupShow(ctx, a, args[0], args[1])
		},
	}
	return a.printsRows(cmd, render.LayoutOf[dedupView](nil))
}

// dedupOf finds the deduplication of an id; one that there is not is an error.
func dedupOf(ctx context.Context, a *app, arg, id string) (target, dedupView, error) {
	if id == "" {
		return target{}, dedupView{}, &usageError{err: errors.New("DEDUPID is empty")}
	}
	t, err := a.existing(ctx, arg)
	if err != nil {
		return t, dedupView{}, err
	}
	job, ttl, err := t.q.DeduplicationOwner(ctx, id)
	if err != nil {
		return t, dedupView{}, err
	}
	if job == "" {
		return t, dedupView{}, &notFoundError{err: fmt.Errorf("no job of %s keeps out others of the deduplication id %s", t.label(), config.Quote(id))}
	}
	view := dedupView{Queue: t.Name, KeyBase: t.base().String(), DeduplicationID: id, JobID: job}
	if ttl > 0 {
		ms := ttl.Milliseconds()
		view.TTLMs = &ms
	}
	return t, view, nil
}

func runDedupShow(ctx context.Context, a *app, arg, id string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	t, view, err := dedupOf(ctx, a, arg, id)
	if err != nil {
		return err
	}
	if !format.ForPeople() {
		return writeResult(a, view)
	}
	until := "until it has finished"
	if view.TTLMs != nil {
		until = "for " + render.Duration(time.Duration(*view.TTLMs)*time.Millisecond)
	}
	_, err = fmt.Fprintf(a.streams.Out, "%s: job %s keeps out others of %s %s\n",
		render.Text(t.label()), render.Text(view.JobID), render.Text(id), until)
	return err
}

// dedupRemovedView is the answer to a deduplication that was ended, as JSON.
type dedupRemovedView struct {
	dedupView
	Removed bool `json:"removed" about:"true when it was ended"`
	DryRun  bool `json:"dryRun" about:"true when it would have been"`
}

func newDedupRemoveCommand(a *app) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "remove QUEUE DEDUPID",
		Short: "End the deduplication of an id",
		Long: `End the deduplication of an id: the next job of this id is added again. The job
that kept out others stays as it is.`,
		Example: `  qctl dedup remove email order-7
  qctl dedup remove email order-7 --dry-run
  qctl dedup remove bull:email-queue order-7 -o json`,
		Args:              argumentCount(2, 2, "QUEUE DEDUPID"),
		ValidArgsFunction: completeQueues(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runDedupRemove(ctx, a, args[0], args[1], dryRun)
		},
	}
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "show which job it is, end nothing")
	return a.printsRows(cmd, render.LayoutOf[dedupRemovedView](nil))
}

func runDedupRemove(ctx context.Context, a *app, arg, id string, dryRun bool) error {
	if err := a.mayChange(dryRun); err != nil {
		return err
	}
	format, err := a.format()
	if err != nil {
		return err
	}
	t, view, err := dedupOf(ctx, a, arg, id)
	if err != nil {
		return err
	}
	result := dedupRemovedView{dedupView: view, DryRun: dryRun}
	if !dryRun {
		if result.Removed, err = t.q.RemoveDeduplicationKey(ctx, id); err != nil {
			return err
		}
	}
	if !format.ForPeople() {
		return writeResult(a, result)
	}
	text := "job %s no longer keeps out others of %s"
	switch {
	case dryRun:
		text = "job %s would no longer keep out others of %s"
	case !result.Removed: // it ended in between
		text = "job %s kept out others of %s, and had stopped"
	}
	_, err = fmt.Fprintf(a.streams.Out, "%s: "+text+"\n", render.Text(t.label()), render.Text(view.JobID), render.Text(id))
	return err
}
