package cmd

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// shownLogs is how many lines of a job's log are shown, the newest.
const shownLogs = 20

func newShowCommand(a *app) *cobra.Command {
	var idBase64 string
	raw := rawOptions{}
	tree := treeOptions{}
	cmd := &cobra.Command{
		Use:     "show QUEUE ID",
		Short:   "Show everything about one job",
		GroupID: groupLook,
		Long: `Show everything that is stored with a job: where it is, its payload, options,
attempts, result or reason of failure, and the last lines of its log; of a waiting
job its place in the order of running, as things stand.

An id that cannot be typed, because of the bytes it is made of, is given with
--id-base64 instead.

With --tree it is the job's place in its flow: the parents above it, and its
children with their states, what they returned, or why they failed. Of many
children the first --limit are listed, those that have not ended first.

With --raw it is the payload alone, byte for byte as it is stored. A payload can
do anything to a terminal, so there --raw is refused without --force.`,
		Example: `  qctl show email 42
  qctl show email 42 -o json | jq .data
  qctl show email 42 --tree
  qctl show email 42 --raw > payload.json
  qctl show bull:other-queue report:7
  qctl show email --id-base64 /wAB`,
		Args: argumentCount(1, 2, "QUEUE ID"),
		ValidArgsFunction: completeJobs(a, 2, queue.StateFailed, queue.StateActive, queue.StateWaiting, queue.StatePrioritized,
			queue.StateDelayed, queue.StateWaitingChildren, queue.StateCompleted),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := jobID(args[1:], idBase64, cmd.Flags().Changed("id-base64"))
			if err != nil {
				return err
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			if err := tree.validate(cmd, raw); err != nil {
				return err
			}
			if raw.raw || raw.force {
				return runShowRaw(ctx, a, raw, args[0], id, len(args) > 1)
			}
			if tree.tree {
				return runShowTree(ctx, a, tree, args[0], id, len(args) > 1)
			}
			return runShow(ctx, a, args[0], id, len(args) > 1)
		},
	}
	cmd.Flags().StringVar(&idBase64, "id-base64", "", "the job's id in `BASE64`, instead of ID")
	cmd.Flags().BoolVar(&raw.raw, "raw", false, "print the payload alone, as it is stored")
	cmd.Flags().BoolVar(&raw.force, "force", false, "with --raw: also on a terminal")
	tree.addFlags(cmd)
	return a.prints(cmd, prints{layout: func() render.Layout {
		if tree.tree {
			return render.LayoutOf[render.TreeView](nil)
		}
		return render.LayoutOf[render.ShownJobView](nil)
	}})
}

// jobID takes the id from the arguments or from the flag, but not from both.
func jobID(args []string, encoded string, given bool) (string, error) {
	switch {
	case given && len(args) > 0:
		return "", &usageError{err: errors.New("ID and --id-base64 exclude each other")}
	case len(args) > 0 && args[0] != "":
		return args[0], nil
	case !given:
		return "", &usageError{err: errors.New("missing ID"), hint: "qctl jobs QUEUE lists the jobs"}
	}
	id, err := decodeBase64(encoded)
	if err != nil || len(id) == 0 {
		return "", &usageError{err: fmt.Errorf("--id-base64 %q is not base64 of an id", encoded)}
	}
	return string(id), nil
}

// decodeBase64 reads both alphabets, with and without padding.
func decodeBase64(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	return base64.RawStdEncoding.DecodeString(text)
}

// runShow shows a job. An id that was typed may have the queue in front.
func runShow(ctx context.Context, a *app, arg, id string, typed bool) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	t, err := a.existing(ctx, arg)
	if err != nil {
		return err
	}
	if typed {
		id = a.ownID(t, id)
	}
	job, err := t.q.Get(ctx, id, queue.FieldsAll, 0)
	if err != nil {
		return err
	}
	children, err := t.q.ChildCounts(ctx, id)
	if err != nil {
		if !passable(err) {
			return err
		}
		a.warn("%v", err)
	}
	position, err := positionOf(ctx, t.q, &job)
	if err != nil {
		return err
	}
	o := a.options()
	if !format.ForPeople() {
		row := render.JobRow{Queue: t.label(), Argument: t.argument(), Job: &job}
		return render.WriteOne(a.streams.Out, row.ShownView(position, children), format, o)
	}
	o.Wide = format == render.FormatWide
	page := render.JobPage{Queue: t.label(), Job: &job, Children: children, Position: position}
	if page.Due, err = dueTime(ctx, t.q, &job); err != nil {
		return err
	}
	if page.Logs, page.LogsTotal, err = lastLogs(ctx, t.q, id); err != nil {
		if !passable(err) {
			return err
		}
		a.warn("%v", err)
	}
	return page.Write(a.streams.Out, o)
}

// positionOf is 0 for a job that does not wait, or no longer does, and where
// another of the queue's keys is no queue's.
func positionOf(ctx context.Context, q *queue.Queue, job *queue.Job) (int64, error) {
	if job.State != queue.StateWaiting && job.State != queue.StatePrioritized {
		return 0, nil
	}
	ahead, found, err := q.Position(ctx, job.ID)
	switch {
	case err != nil && !passable(err):
		return 0, err
	case err != nil || !found:
		return 0, nil
	}
	return ahead + 1, nil
}

// dueTime is zero for a job that is not delayed.
func dueTime(ctx context.Context, q *queue.Queue, job *queue.Job) (time.Time, error) {
	if job.State != queue.StateDelayed {
		return time.Time{}, nil
	}
	due, err := q.DueTimes(ctx, []string{job.ID})
	if err != nil {
		return time.Time{}, err
	}
	return due[0], nil
}

// lastLogs returns the newest lines of a job's log, the newest last.
func lastLogs(ctx context.Context, q *queue.Queue, id string) ([]string, int64, error) {
	lines, total, err := q.Logs(ctx, id, 0, shownLogs, false)
	if errors.Is(err, queue.ErrJobNotFound) {
		return nil, 0, nil // removed since it was read
	}
	slices.Reverse(lines)
	return lines, total, err
}
