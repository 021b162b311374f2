package cmd

import (
	"encoding/json"
	"fmt"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// addedView is the answer to one added job, as JSON.
type addedView struct {
	Queue     string      `json:"queue" about:"name of the queue"`
	KeyBase   string      `json:"keyBase" about:"key base of the queue"`
	ID        string      `json:"id" about:"id of the job"`
	Name      string      `json:"name" about:"name of the job"`
	State     queue.State `json:"state" about:"state it was added in"`
	Duplicate bool        `json:"duplicate" about:"true when the job existed already, and nothing was added"`
	// Both are about other jobs of the same deduplication id.
	Deduplicated bool    `json:"deduplicated" about:"true when the job of this id stands for it, and nothing was added"`
	Replaced     *string `json:"replaced" about:"id of the delayed job whose place it took"`

	argument string // the queue as an argument
}

// ResultName is the job as QUEUE:ID.
func (v addedView) ResultName() string { return v.argument + ":" + v.ID }

// stateOf is where a new job goes.
func stateOf(o queue.JobOptions) queue.State {
	switch {
	case o.Delay > 0:
		return queue.StateDelayed
	case o.Priority > 0:
		return queue.StatePrioritized
	}
	return queue.StateWaiting
}

// viewAdded is the answer to a job of the queue.
func viewAdded(t target, job queue.NewJob, added queue.Added) addedView {
	view := addedView{
		Queue: t.Name, KeyBase: t.base().String(), ID: added.ID, Name: job.Name,
		State: stateOf(job.Opts), Duplicate: added.Duplicate, Deduplicated: added.Deduplicated, argument: t.argument(),
	}
	if added.Replaced != "" {
		view.Replaced = &added.Replaced
	}
	return view
}

func printAdded(a *app, t target, job queue.NewJob, added queue.Added) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	switch {
	case !format.ForPeople():
		return writeResult(a, viewAdded(t, job, added))
	case !a.streams.OutIsTerminal():
		_, err = fmt.Fprintln(a.streams.Out, render.Text(added.ID))
	default:
		_, err = fmt.Fprintln(a.streams.Out, render.Text(t.label())+": "+addedText(job, added))
	}
	return err
}

// addedText says what became of a job.
func addedText(job queue.NewJob, added queue.Added) string {
	id := render.Text(added.ID)
	switch dedup := job.Opts.Dedup; {
	case added.Duplicate:
		return fmt.Sprintf("job %s exists already, nothing added", id)
	case added.Deduplicated && dedup != nil && dedup.KeepLastIfActive:
		return fmt.Sprintf("job %s stands for it; if that one is running, this one is added when it ends", id)
	case added.Deduplicated && dedup != nil:
		return fmt.Sprintf("job %s stands for it by the deduplication id %s, nothing added", id, render.Text(dedup.ID))
	case added.Replaced != "":
		return fmt.Sprintf("added job %s (%s) in the place of job %s", id, stateOf(job.Opts), render.Text(added.Replaced))
	}
	return fmt.Sprintf("added job %s (%s)", id, stateOf(job.Opts))
}

// showNewJob is the answer of a dry run: the job as it would be stored.
func showNewJob(a *app, t target, job queue.NewJob) error {
	opts, err := json.Marshal(job.Opts)
	if err != nil {
		return err
	}
	return writeResult(a, newJobView{
		Queue: t.Name, KeyBase: t.base().String(), Name: job.Name, Data: job.Data, Opts: opts, State: stateOf(job.Opts), DryRun: true,
	})
}

// newJobView is a job that was not added, as JSON.
type newJobView struct {
	Queue   string          `json:"queue" about:"name of the queue"`
	KeyBase string          `json:"keyBase" about:"key base of the queue"`
	Name    string          `json:"name" about:"name of the job"`
	Data    json.RawMessage `json:"data" about:"payload"`
	Opts    json.RawMessage `json:"opts" about:"options it would be added with"`
	State   queue.State     `json:"state" about:"state it would be added in"`
	DryRun  bool            `json:"dryRun" about:"true"`
}
