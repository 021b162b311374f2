package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// treeOptions are the flags that ask for the flow of a job.
type treeOptions struct {
	tree            bool
	depth, children int
}

// Bounds of a tree.
const (
	defaultTreeDepth    = 10
	defaultTreeChildren = 20
	mostTreeChildren    = 1000
)

func (o *treeOptions) addFlags(cmd *cobra.Command) {
	o.depth, o.children = defaultTreeDepth, defaultTreeChildren
	cmd.Flags().BoolVar(&o.tree, "tree", false, "show its parents and its children")
	intVar(cmd.Flags(), &o.depth, "depth", 1, queue.MaxFlowDepth, "with --tree: `N` generations below it")
	intVar(cmd.Flags(), &o.children, "limit", 1, mostTreeChildren, "with --tree: list at most `N` children of each job")
}

func (o *treeOptions) validate(cmd *cobra.Command, raw rawOptions) error {
	switch {
	case o.tree && (raw.raw || raw.force):
		return &usageError{err: errors.New("--tree and --raw exclude each other")}
	case !o.tree && (cmd.Flags().Changed("depth") || cmd.Flags().Changed("limit")):
		return &usageError{err: errors.New("--depth and --limit go with --tree")}
	}
	return nil
}

// runShowTree shows where a job stands in its flow.
func runShowTree(ctx context.Context, a *app, opts treeOptions, arg, id string, typed bool) error {
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
	f := render.Family{Label: a.labelOf, Argument: t.argument()}
	if f.Job, err = t.q.Family(ctx, id, queue.FamilyRequest{Depth: opts.depth, Children: opts.children}); err != nil {
		return err
	}
	if f.Parents, err = parentsOf(ctx, a.client, f.Job.Job.ParentKey); err != nil {
		return err
	}
	o := a.options()
	if !format.ForPeople() {
		return render.WriteOne(a.streams.Out, f.View(), format, o)
	}
	o.ASCII, o.Wide = !a.drawsUnicode(), format == render.FormatWide
	return f.Write(a.streams.Out, o)
}

// labelOf is what a queue is called.
func (a *app) labelOf(base queue.KeyBase) string {
	t, err := a.config.Resolve(base.String())
	if err != nil { // a foreign name that qctl could not have made
		return base.String()
	}
	return target{Target: t}.label()
}

// parentsOf reads the chain above a job, the root first. A parent that is gone
// ends it, and so does one that was seen already, which only damaged data has.
func parentsOf(ctx context.Context, client *queue.Client, key string) ([]queue.Node, error) {
	var chain []queue.Node
	seen := map[string]bool{}
	for key != "" && !seen[key] && len(chain) < queue.MaxFlowDepth {
		seen[key] = true
		base, id, err := queue.SplitJobKey(key)
		if err != nil {
			return nil, fmt.Errorf("parent: %w", err)
		}
		q := client.Queue(base)
		n := queue.Node{Queue: base, Job: queue.Job{ID: id}}
		job, err := q.Get(ctx, id, queue.FieldsRow, 0)
		switch {
		case errors.Is(err, queue.ErrJobNotFound):
			n.Gone = true
		case err != nil:
			return nil, err
		default:
			n.Job = job
			if n.Counts, err = q.ChildCounts(ctx, id); err != nil {
				return nil, err
			}
		}
		chain = append(chain, n)
		key = n.Job.ParentKey
	}
	slices.Reverse(chain)
	return chain, nil
}
