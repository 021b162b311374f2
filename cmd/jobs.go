package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// defaultLimit is how many jobs are listed unless told: a few screens.
const defaultLimit = 50

func newJobsCommand(a *app) *cobra.Command {
	opts := &selection{limit: defaultLimit}
	cmd := &cobra.Command{
		Use:     "jobs QUEUE",
		Short:   "List the jobs of a queue",
		GroupID: groupLook,
		Long: `List the jobs of a queue, state by state: waiting, prioritized, delayed,
waiting-children, active, completed, failed. --state chooses states, and their
order.

Unfinished jobs come in the order in which they run or fall due, finished ones
newest first. --newest begins with the newest everywhere, --newest=false with
the oldest. At most 50 jobs are listed unless --limit says otherwise; with
--limit 0 it is all of them, read and written piece by piece.`,
		Example: `  qctl jobs email
  qctl jobs email --state active,failed
  qctl jobs email --state completed --since 2h --limit 0 -o ndjson
  qctl jobs orchestration --state waiting --name 'batch*' --newest
  qctl jobs dev --state failed --older-than 7d -o json | jq -r '.[].id'`,
		Args:              argumentCount(1, 1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.validate(a, cmd.Flags(), queue.States()...); err != nil {
				return err
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runJobs(ctx, a, opts, args[0], !cmd.Flags().Changed("limit"))
		},
	}
	opts.addFlags(cmd.Flags())
	opts.addStateFlag(cmd, "only jobs in these `STATES`, with commas between (default all)")
	return a.printsRows(cmd, render.JobLayout(render.JobList{}))
}

// runJobs lists jobs. tellMore says that nobody chose the limit, so that what it
// leaves out must be mentioned.
func runJobs(ctx context.Context, a *app, opts *selection, arg string, tellMore bool) error {
	list, err := newJobList(a, render.JobList{})
	if err != nil {
		return err
	}
	t, err := a.existing(ctx, arg)
	if err != nil {
		return err
	}
	s := list.search(opts)
	var broken []error
	for _, state := range opts.states {
		err := list.add(t, s.of(ctx, t.q, state), opts.limit)
		if err != nil && !passable(err) {
			return list.end(err)
		}
		broken = append(broken, err)
	}
	err = list.end(errors.Join(broken...))
	s.tellLost(a)
	if tellMore {
		list.tellMore()
	}
	return err
}

// passable reports whether an error concerns one state or queue alone, so that
// the others can be shown all the same.
func passable(err error) bool {
	switch queue.Classify(err) {
	case queue.ClassCorrupt, queue.ClassDenied:
		return true
	default:
		return errors.Is(err, queue.ErrCorrupt)
	}
}

// jobList writes jobs in any format as they are found.
type jobList struct {
	a      *app
	format render.Format
	rows   render.Rows[render.JobRow]
	n      int
	more   bool // the limit left something out
}

func newJobList(a *app, about render.JobList) (*jobList, error) {
	format, err := a.format()
	if err != nil {
		return nil, err
	}
	return &jobList{
		a: a, format: format,
		rows: render.NewJobs(a.streams.Out, about, format, a.options()),
	}, nil
}

// forPeople reports whether the format is a table, with a choice of columns.
func (l *jobList) forPeople() bool { return l.format.ForPeople() }

// search asks for what the format shows.
func (l *jobList) search(s *selection) *search {
	out := &l.a.out
	fields := queue.FieldsRow | queue.FieldOpts
	switch {
	case l.format == render.FormatName:
		return newSearch(s, queue.FieldName)
	case !l.forPeople(), out.layout.FieldsOnly(out.columns):
		fields = queue.FieldsAll
	}
	found := newSearch(s, fields)
	found.due = l.forPeople() || slices.ContainsFunc(out.columns, func(name string) bool { return strings.EqualFold(name, "due") })
	return found
}

// add writes the jobs that are found until the list is as long as the limit.
func (l *jobList) add(t target, found hits, limit int) error {
	for h, err := range found {
		if err != nil {
			return err
		}
		if limit > 0 && l.n == limit {
			l.more = true
			return nil
		}
		if err := l.write(t, h); err != nil {
			return err
		}
	}
	return nil
}

func (l *jobList) write(t target, h hit) error {
	l.n++
	return l.rows.Write(render.JobRow{Queue: t.label(), Argument: t.argument(), Job: &h.Job, Due: h.due})
}

// end closes the list, and returns err. After an error before the first job
// nothing is written at all: an empty list would be a wrong answer.
func (l *jobList) end(err error) error {
	if err != nil && l.n == 0 {
		return err
	}
	return errors.Join(err, l.rows.Close())
}

// tellMore says on standard error that there is more than was listed.
func (l *jobList) tellMore() {
	if l.more {
		fmt.Fprintf(l.a.streams.Err, "qctl: the first %d jobs; --limit 0 lists all\n", l.n)
	}
}

// tellLost warns of ids that have no job behind them.
func (s *search) tellLost(a *app) {
	if s.lost > 0 {
		a.warn("%d ids had no job behind them: removed in this moment, or lost", s.lost)
	}
}
