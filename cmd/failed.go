package cmd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func newFailedCommand(a *app) *cobra.Command {
	opts := &selection{limit: defaultLimit}
	var by string
	cmd := &cobra.Command{
		Use:     "failed [QUEUE]...",
		Short:   "List the failed jobs and why they failed",
		GroupID: groupLook,
		Long: `List the failed jobs of one or more queues with the reasons, newest first;
without QUEUE those of every queue. QUEUE may also be a pattern in quotes, or
@ROLE for all queues of a role.

At most 50 jobs are listed unless --limit says otherwise; 0 means all.

With --by cause the jobs are counted by why they failed instead: reasons that
differ only in numbers, addresses and ids count as one. The id of a cause chooses
its jobs with --cause, here and on retry and remove.`,
		Example: `  qctl failed
  qctl failed email orchestration
  qctl failed @workforce0 --since 24h
  qctl failed email --name 'digest*' --limit 0 -o ndjson
  qctl failed orchestration --by cause
  qctl failed orchestration --cause 3f9a1c --limit 0 -o ndjson | jq -r .id`,
		Args:              argumentCount(0, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.validate(a, cmd.Flags(), queue.StateFailed); err != nil {
				return err
			}
			ctx, cancel := a.context(cmd)
			defer cancel()
			limited := cmd.Flags().Changed("limit")
			switch by {
			case "":
				return runFailed(ctx, a, opts, args, !limited)
			case "cause":
				if !limited {
					opts.limit = 0
				}
				return runCauses(ctx, a, opts, args)
			}
			return nearWord(fmt.Errorf("--by %s: failed jobs are grouped by cause", config.Quote(by)), by, []string{"cause"}, "")
		},
	}
	opts.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&by, "by", "", "count by `WHAT`: cause")
	_ = cmd.RegisterFlagCompletionFunc("by", completeWord("cause"))
	return a.prints(cmd, prints{layout: func() render.Layout {
		list := render.JobList{Failed: true, ManyQueues: !isOneQueue(cmd.Flags().Args())}
		if by == "" {
			return render.JobLayout(list)
		}
		return render.CauseLayout(list)
	}})
}

func runFailed(ctx context.Context, a *app, opts *selection, args []string, tellMore bool) error {
	list, err := newJobList(a, render.JobList{Failed: true, ManyQueues: !isOneQueue(args)})
	if err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	targets, err = withFailed(ctx, a, targets)
	if err != nil {
		return err
	}
	s := list.search(opts)
	if len(targets) > 1 {
		// A page of every queue is held at the same time.
		s.page = min(s.page, max(searchPage/len(targets), 20))
	}
	err = list.merge(ctx, s, targets)
	s.tellLost(a)
	if tellMore {
		list.tellMore()
	}
	if err == nil && list.n == 0 && a.streams.OutIsTerminal() && list.forPeople() {
		fmt.Fprintln(a.streams.Err, "no failed jobs")
	}
	return err
}

// isOneQueue reports whether arguments name a single queue, and will whatever
// queues there are: a list must not change its columns with the contents of
// Redis.
func isOneQueue(args []string) bool {
	return len(args) == 1 && !strings.HasPrefix(args[0], "@") && !strings.ContainsAny(args[0], "*?[")
}

// withFailed leaves out the queues without failed jobs, at the price of one
// round trip instead of one for each. What cannot be counted stays: reading it
// tells why.
func withFailed(ctx context.Context, a *app, targets []target) ([]target, error) {
	bases := make([]queue.KeyBase, len(targets))
	for i, t := range targets {
		bases[i] = t.base()
	}
	counts, err := a.client.CountsOf(ctx, bases)
	if err != nil {
		return nil, err
	}
	var kept []target
	for i, c := range counts {
		if c.Failed > 0 || c.Err != nil {
			kept = append(kept, targets[i])
		}
	}
	return kept, nil
}

// source is a queue whose failed jobs are read as they are needed.
type source struct {
	target
	head hit
	next func() (hit, error, bool)
}

// advance takes the next job to the head; false when there is none.
func (s *source) advance() (bool, error) {
	h, err, ok := s.next()
	if err != nil {
		return false, err
	}
	s.head = h
	return ok, nil
}

// merge writes the failed jobs of several queues in the order in which they
// failed. A queue that cannot be read does not hide the others.
func (l *jobList) merge(ctx context.Context, s *search, targets []target) error {
	var sources []*source
	var broken []error
	more := func(from *source) error {
		ok, err := from.advance()
		switch {
		case err != nil && !passable(err):
			return err
		case err != nil:
			broken = append(broken, err)
		case ok:
			sources = append(sources, from)
		}
		return nil
	}
	for _, t := range targets {
		next, stop := iter.Pull2(s.of(ctx, t.q, queue.StateFailed))
		defer stop()
		if err := more(&source{target: t, next: next}); err != nil {
			return l.end(err)
		}
	}
	for len(sources) > 0 {
		if l.more = s.limit > 0 && l.n == s.limit; l.more {
			break
		}
		i := first(sources, s.fromNewest(queue.StateFailed))
		from := sources[i]
		if err := l.write(from.target, from.head); err != nil {
			return l.end(err)
		}
		sources = append(sources[:i], sources[i+1:]...)
		if err := more(from); err != nil {
			return l.end(err)
		}
	}
	return l.end(errors.Join(broken...))
}

// first returns which source has the job that failed last, or first.
func first(sources []*source, newest bool) int {
	best := 0
	for i, s := range sources {
		order := s.head.FinishedOn.Compare(sources[best].head.FinishedOn)
		if newest && order > 0 || !newest && order < 0 {
			best = i
		}
	}
	return best
}
