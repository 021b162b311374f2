package cmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// Bounds of what grouping holds in memory: causes of one queue, and names of
// the jobs of one cause.
const (
	maxCauses     = 10_000
	maxCauseNames = 50
)

// causeGroup is the failed jobs of one cause, while they are counted.
type causeGroup struct {
	id, text    string
	count       int64
	first, last time.Time
	names       map[string]int
}

// causeGroups counts the failed jobs of one queue.
type causeGroups struct {
	byID map[string]*causeGroup
	// known finds the group of a cause's text; text is room to write one.
	known map[string]*causeGroup
	text  []byte
	total int64
	// others is the jobs of the causes that there was no room for.
	others causeGroup
}

func newCauseGroups() *causeGroups {
	return &causeGroups{
		byID: map[string]*causeGroup{}, known: map[string]*causeGroup{},
		others: causeGroup{id: "others", text: fmt.Sprintf("(more than %d causes)", maxCauses)},
	}
}

func (c *causeGroups) add(job *queue.Failure) {
	c.total++
	c.text = queue.AppendCause(c.text[:0], job.Reason)
	g := c.known[string(c.text)]
	if g == nil {
		g = c.groupOf(job.Reason)
		if len(c.known) >= maxCauses {
			clear(c.known)
		}
		c.known[string(c.text)] = g
	}
	g.add(job)
}

func (c *causeGroups) groupOf(reason string) *causeGroup {
	id, text := queue.Cause(reason)
	if g := c.byID[id]; g != nil {
		return g
	}
	if len(c.byID) >= maxCauses {
		return &c.others
	}
	g := &causeGroup{id: id, text: text}
	c.byID[id] = g
	return g
}

func (g *causeGroup) add(job *queue.Failure) {
	g.count++
	if at := job.At; !at.IsZero() {
		if g.first.IsZero() || at.Before(g.first) {
			g.first = at
		}
		if at.After(g.last) {
			g.last = at
		}
	}
	if g.names == nil {
		g.names = map[string]int{}
	}
	switch n, seen := g.names[job.Name]; {
	case seen:
		g.names[job.Name] = n + 1
	case len(g.names) < maxCauseNames:
		g.names[strings.Clone(job.Name)] = 1 // not a piece of the page
	}
}

// rows returns the groups of a queue, the largest first.
func (c *causeGroups) rows(name string) []render.Cause {
	groups := make([]*causeGroup, 0, len(c.byID)+1)
	for _, g := range c.byID {
		groups = append(groups, g)
	}
	if c.others.count > 0 {
		groups = append(groups, &c.others)
	}
	slices.SortFunc(groups, func(a, b *causeGroup) int {
		return cmp.Or(-cmp.Compare(a.count, b.count), cmp.Compare(a.id, b.id))
	})
	rows := make([]render.Cause, len(groups))
	for i, g := range groups {
		rows[i] = render.Cause{
			Queue: name, ID: g.id, Count: g.count, Of: c.total, First: g.first, Last: g.last,
			Names: g.commonNames(), Reason: g.text,
		}
	}
	return rows
}

// commonNames are the names of the jobs, the most frequent first.
func (g *causeGroup) commonNames() []string {
	names := make([]string, 0, len(g.names))
	for name := range g.names {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(-cmp.Compare(g.names[a], g.names[b]), cmp.Compare(a, b))
	})
	return names
}

// runCauses counts the failed jobs of queues by why they failed.
func runCauses(ctx context.Context, a *app, opts *selection, args []string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	if targets, err = withFailed(ctx, a, targets); err != nil {
		return err
	}
	var rows []render.Cause
	for _, t := range targets {
		groups, err := groupCauses(ctx, opts, t.q)
		if err != nil {
			return err
		}
		rows = append(rows, groups.rows(t.label())...)
	}
	list := render.JobList{Failed: true, ManyQueues: !isOneQueue(args)}
	if err := render.WriteCauses(a.streams.Out, rows, list, format, a.options()); err != nil {
		return err
	}
	if !a.streams.OutIsTerminal() || !format.ForPeople() {
		return nil
	}
	if len(rows) == 0 {
		fmt.Fprintln(a.streams.Err, "no failed jobs")
		return nil
	}
	fmt.Fprintf(a.streams.Err, "retry one cause: qctl retry --all-failed %s --cause %s\n", render.Text(rows[0].Queue), rows[0].ID)
	return nil
}

func groupCauses(ctx context.Context, opts *selection, q *queue.Queue) (*causeGroups, error) {
	groups := newCauseGroups()
	if opts.limit > 0 { // the newest, which no walk over all of them begins with
		return groups, groups.addSome(ctx, opts, q)
	}
	return groups, q.ScanFailures(ctx, opts.scan(queue.StateFailed), func(failures []queue.Failure) error {
		for i := range failures {
			f := &failures[i]
			if opts.filter(queue.Job{
				ID: f.ID, Name: f.Name, State: queue.StateFailed, FailedReason: f.Reason, FinishedOn: f.At,
			}) {
				groups.add(f)
			}
		}
		return nil
	})
}

// addSome adds the jobs of the selection up to its limit.
func (c *causeGroups) addSome(ctx context.Context, opts *selection, q *queue.Queue) error {
	s := newSearch(opts, queue.FieldName|queue.FieldFailedReason)
	for h, err := range s.of(ctx, q, queue.StateFailed) {
		if err != nil {
			return err
		}
		c.add(&queue.Failure{ID: h.ID, Name: h.Name, Reason: h.FailedReason, At: h.FinishedOn})
		if c.total >= int64(opts.limit) {
			break
		}
	}
	return nil
}
