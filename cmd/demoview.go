package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/qctl/qctl/internal/demo"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// demoView is what happened in a demo, as JSON.
type demoView struct {
	DurationMs  int64           `json:"durationMs" about:"how long it ran"`
	Interrupted bool            `json:"interrupted" about:"whether it was ended before its time"`
	Queues      []demoQueueView `json:"queues" about:"what happened in each queue"`
	Causes      []demoCauseView `json:"causes" about:"why attempts failed, the most frequent cause first"`
}

type demoQueueView struct {
	Queue     string `json:"queue" about:"name"`
	Alias     string `json:"alias" about:"alias"`
	KeyBase   string `json:"keyBase" about:"key base in the demo's store"`
	Added     int64  `json:"added" about:"jobs that were added"`
	Completed int64  `json:"completed" about:"jobs that completed"`
	Failed    int64  `json:"failed" about:"jobs that failed for good"`
	Retried   int64  `json:"retried" about:"failed attempts with others to follow"`
	Stalled   int64  `json:"stalled" about:"jobs that were taken from a dead worker"`
	Waiting   *int64 `json:"waiting" about:"jobs that wait at the end, prioritized ones included; null when the store could not be asked"`
}

type demoCauseView struct {
	Queue string `json:"queue" about:"alias of the queue"`
	Cause string `json:"cause" about:"the reason, with numbers and ids turned to #"`
	Count int64  `json:"count" about:"attempts"`
}

// demoCauses is how many causes people are told.
const demoCauses = 5

// tellDemo prints what happened, to whoever watched in a line with what to do
// next.
func (a *app) tellDemo(ctx context.Context, sim *demo.Simulation, took time.Duration, watched bool) error {
	if watched {
		var sum demo.Counts
		for _, c := range sim.Counts() {
			sum.Added += c.Added
			sum.Completed += c.Completed
			sum.Failed += c.Failed
			sum.Retried += c.Retried
			sum.Stalled += c.Stalled
		}
		fmt.Fprintf(a.streams.Err, "the demo is over: %d jobs added, %d completed, %d failed, %d retried, %d stalled in %s\n",
			sum.Added, sum.Completed, sum.Failed, sum.Retried, sum.Stalled, render.Duration(took))
		fmt.Fprint(a.streams.Err, "  jobs of your own:    qctl enqueue email queueId=1, then qctl top\n"+
			"  a Redis of your own: REDIS_URL=redis://HOST:6379 qctl top\n")
		return nil
	}
	view := demoView{DurationMs: took.Milliseconds(), Interrupted: errors.Is(ctx.Err(), context.Canceled), Causes: []demoCauseView{}}
	view.Queues = a.demoQueues(ctx, sim)
	for _, c := range sim.Causes() {
		view.Causes = append(view.Causes, demoCauseView{Queue: c.Alias, Cause: c.Text, Count: c.Count})
	}
	format, err := a.format()
	if err != nil {
		return err
	}
	if !format.ForPeople() {
		return printResults(a, []demoView{view}, false, func(demoView) string { return "" })
	}
	return view.write(a)
}

// demoQueues counts what waits in the queues. It does so also when ctx has
// ended: an interrupted demo prints its counts.
func (a *app) demoQueues(ctx context.Context, sim *demo.Simulation) []demoQueueView {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoStop)
	defer cancel()
	targets := a.config.Targets("")
	bases := make([]queue.KeyBase, len(targets))
	for i, t := range targets {
		bases[i] = target{Target: t}.base()
	}
	waiting, err := a.client.CountsOf(ctx, bases)
	counts := sim.Counts()
	views := make([]demoQueueView, len(targets))
	for i, t := range targets {
		c := counts[t.Alias]
		views[i] = demoQueueView{
			Queue: t.Name, Alias: t.Alias, KeyBase: bases[i].String(),
			Added: c.Added, Completed: c.Completed, Failed: c.Failed, Retried: c.Retried, Stalled: c.Stalled,
		}
		if err == nil && waiting[i].Err == nil {
			n := waiting[i].Waiting + waiting[i].Prioritized
			views[i].Waiting = &n
		}
	}
	return views
}

// write is the view for people: two tables.
func (v demoView) write(a *app) error {
	options := render.For(a.streams, a.now())
	right := func(header string) render.Column { return render.Column{Header: header, Right: true} }
	table := render.Table{Columns: []render.Column{
		{Header: "QUEUE"}, right("ADDED"), right("COMPLETED"), right("FAILED"), right("RETRIED"), right("STALLED"), right("WAITING"),
	}}
	for _, q := range v.Queues {
		waiting := render.Cell{Text: "?"}
		if q.Waiting != nil {
			waiting = render.NumberCell(*q.Waiting)
		}
		table.Rows = append(table.Rows, []render.Cell{
			render.TextCell(q.Alias), render.NumberCell(q.Added), render.NumberCell(q.Completed), render.NumberCell(q.Failed),
			render.NumberCell(q.Retried), render.NumberCell(q.Stalled), waiting,
		})
	}
	if err := table.Write(a.streams.Out, options); err != nil || len(v.Causes) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(a.streams.Out); err != nil {
		return err
	}
	causes := render.Table{Columns: []render.Column{right("COUNT"), {Header: "QUEUE"}, {Header: "WHY ATTEMPTS FAILED", Flex: true}}}
	for _, c := range v.Causes[:min(len(v.Causes), demoCauses)] {
		causes.Rows = append(causes.Rows, []render.Cell{render.NumberCell(c.Count), render.TextCell(c.Queue), render.TextCell(c.Cause)})
	}
	return causes.Write(a.streams.Out, options)
}
