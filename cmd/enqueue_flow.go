package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// flowLimits bound a flow file. What is written with much space is larger than
// what is sent.
var flowLimits = config.FlowLimits{Jobs: queue.MaxFlowJobs, Depth: queue.MaxFlowDepth, Bytes: 2 * queue.MaxFlowBytes}

// withoutFlow are the flags about one job, or about lines: a flow says these
// things itself.
var withoutFlow = []string{
	"data", "name", "priority", "delay", "at", "attempts", "backoff", "id", "lifo", "bulk", "dedup", "dedup-mode", "skip-bad",
}

func (o *enqueueOptions) validateFlow() error {
	for _, flag := range withoutFlow {
		if o.changed(flag) {
			return &usageError{err: fmt.Errorf("--flow and --%s exclude each other: each job of a flow has its own name, data and opts", flag)}
		}
	}
	return o.related.validate(false)
}

// flow is a flow file on its way to the queues.
type flow struct {
	a       *app
	opts    *enqueueOptions
	queue   string            // of the jobs that name none; may be empty
	targets map[string]target // by the name in the file
	ids     map[string]string // where the jobs of these keys stand
	bad     []error
}

// plannedJob is a job of a flow with the queue that it goes to.
type plannedJob struct {
	t        target
	job      queue.NewJob
	children []*plannedJob
}

func runFlow(ctx context.Context, a *app, opts *enqueueOptions, args []string) error {
	if err := opts.validateFlow(); err != nil {
		return err
	}
	if err := a.mayChange(opts.dryRun); err != nil {
		return err
	}
	root, err := readFlow(a, opts.flow)
	if err != nil {
		return err
	}
	client, err := a.connect()
	if err != nil {
		return err
	}
	f := &flow{a: a, opts: opts, targets: map[string]target{}, ids: map[string]string{}}
	if len(args) > 0 {
		f.queue = args[0]
	}
	planned, err := f.plan(ctx, root)
	if err == nil {
		err = config.JoinFlowProblems(f.bad)
	}
	if err == nil {
		err = opts.related.apply(ctx, a, &planned.job.Opts, opts.dryRun)
	}
	if err != nil {
		return err
	}
	if opts.dryRun {
		if err := client.CheckFlow(planned.flowJob()); err != nil {
			return err
		}
		return printFlow(a, planned, nil)
	}
	added, err := client.AddFlow(ctx, planned.flowJob())
	if errors.Is(err, queue.ErrParentMissing) {
		return opts.related.about(err)
	}
	if err != nil {
		return err // that a job has another parent may be about any
	}
	return printFlow(a, planned, &added)
}

// readFlow reads the file.
func readFlow(a *app, name string) (*config.FlowNode, error) {
	in, closeIn, err := a.openInput(name)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("--flow: %w", err)}
	}
	defer closeIn()
	text, err := io.ReadAll(io.LimitReader(in, int64(flowLimits.Bytes)+1))
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("--flow: %w", err)}
	}
	if name == "-" {
		name = "standard input"
	}
	return config.ReadFlow(name, text, flowLimits)
}

// plan checks a job and those below it. What is wrong with the file is gathered;
// an error is what ends the work at once.
func (f *flow) plan(ctx context.Context, n *config.FlowNode) (*plannedJob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t, err := f.target(ctx, n)
	if err != nil {
		return nil, err
	}
	planned := &plannedJob{t: t}
	if t.q != nil {
		if planned.job, err = f.job(n, t); err != nil {
			return nil, err
		}
	}
	for _, child := range n.Children {
		below, err := f.plan(ctx, child)
		if err != nil {
			return nil, err
		}
		planned.children = append(planned.children, below)
	}
	return planned, nil
}

// refuse notes what is wrong.
func (f *flow) refuse(errs ...error) { f.bad = append(f.bad, errs...) }

// target finds the queue of a job; one without q when the file names none that
// there could be.
func (f *flow) target(ctx context.Context, n *config.FlowNode) (target, error) {
	name := n.Queue
	if name == "" {
		name = f.queue
	}
	if name == "" {
		f.refuse(n.Refuse("", "names no queue: want one, or QUEUE on the command line for all jobs that name none"))
		return target{}, nil
	}
	if t, known := f.targets[name]; known {
		return t, nil
	}
	t, err := enqueueTarget(ctx, f.a, f.opts, name)
	switch {
	case errors.Is(err, config.ErrInvalid) && n.Queue != "":
		f.refuse(n.Refuse("queue", err.Error()))
		return target{}, nil
	case err != nil && n.Queue != "":
		return target{}, fmt.Errorf("%s: %w", n.Place("queue"), err)
	case err != nil:
		return target{}, err
	}
	f.targets[name] = t
	return t, nil
}

// job is a job as its queue wants it.
func (f *flow) job(n *config.FlowNode, t target) (queue.NewJob, error) {
	common, err := f.opts.common(f.a, t)
	if err != nil {
		return queue.NewJob{}, err
	}
	job := newJob(t, common)
	if n.Name != "" {
		job.Name = n.Name
	}
	if len(n.Opts) > 0 {
		if !f.options(n, &job) {
			return job, nil
		}
	}
	job.Data = n.Data
	if err := completeJob(t, &job, ""); err != nil {
		f.refuse(n.RefuseData(err)...)
	}
	f.once(n, t, job.Opts.ID)
	return job, nil
}

// options reads the options of a job, and reports whether they can be used.
func (f *flow) options(n *config.FlowNode, job *queue.NewJob) bool {
	before := len(f.bad)
	members, err := parseObject(n.Opts)
	if err != nil {
		f.refuse(n.Refuse("opts", err.Error()))
		return false
	}
	known := queue.JobOptionNames()
	for _, m := range members {
		switch {
		case m.name == "parent" && n.Path != "":
			f.refuse(n.Refuse("opts.parent", "the tree says whose child it is: leave it out"))
		case m.name == "deduplication" && !alone(n):
			f.refuse(n.Refuse("opts.deduplication", "neither parents nor children can be deduplicated"))
		case !f.opts.allowUnknown && !slices.Contains(known, m.name):
			rule := "is no option of a job"
			if near := config.Suggest(m.name, known); near != "" {
				rule += ", did you mean " + near + "?"
			}
			f.refuse(n.Refuse("opts."+m.name, rule))
		}
	}
	if len(f.bad) > before {
		return false
	}
	if err := mergeOptions(job, n.Opts, f.opts.allowUnknown); err != nil {
		f.refuse(n.Refuse("opts", strings.TrimPrefix(err.Error(), queue.ErrInvalidOption.Error()+": ")))
	}
	if strings.Contains(job.Opts.ID, ":") && !alone(n) {
		f.refuse(n.Refuse("opts.jobId", "contains a colon, which no job of a flow may"))
	}
	return len(f.bad) == before
}

// alone reports whether a job is its whole flow.
func alone(n *config.FlowNode) bool { return n.Path == "" && len(n.Children) == 0 }

// once refuses a job that stands in the flow already: it would wait for itself,
// or belong to two parents.
func (f *flow) once(n *config.FlowNode, t target, id string) {
	if id == "" {
		return
	}
	key := t.base().String() + ":" + id
	first, twice := f.ids[key]
	if twice {
		f.refuse(n.Refuse("opts", "the job "+config.Quote(id)+" of "+t.label()+" is in the flow already, "+first))
		return
	}
	if f.ids[key] = "as " + n.Path; n.Path == "" {
		f.ids[key] = "as its root"
	}
}

// flowJob is the tree as the engine takes it.
func (p *plannedJob) flowJob() queue.FlowJob {
	f := queue.FlowJob{Queue: p.t.base(), Job: p.job, Children: make([]queue.FlowJob, len(p.children))}
	for i, child := range p.children {
		f.Children[i] = child.flowJob()
	}
	return f
}

// size is how many jobs the tree has.
func (p *plannedJob) size() int {
	n := 1
	for _, child := range p.children {
		n += child.size()
	}
	return n
}

// flowView is a job of a flow, as JSON.
type flowView struct {
	Queue        string          `json:"queue" about:"name of the queue"`
	KeyBase      string          `json:"keyBase" about:"key base of the queue"`
	ID           *string         `json:"id" about:"id of the job; null when it gets one only as it is added"`
	Name         string          `json:"name" about:"name of the job"`
	State        queue.State     `json:"state" about:"state it was added in"`
	Duplicate    bool            `json:"duplicate" about:"true when the job existed already, and joined its parent"`
	Deduplicated bool            `json:"deduplicated" about:"true when the job of this id stands for it, and nothing was added"`
	Replaced     *string         `json:"replaced" about:"id of the delayed job whose place it took"`
	DryRun       bool            `json:"dryRun" about:"true when nothing was added"`
	Data         json.RawMessage `json:"data,omitempty" about:"payload, of a dry run"`
	Opts         json.RawMessage `json:"opts,omitempty" about:"options it would be added with, of a dry run"`
	Children     []flowView      `json:"children" about:"the jobs that it waits for"`

	argument string // the queue as an argument
}

// ResultName is the root as QUEUE:ID.
func (v flowView) ResultName() string {
	if v.ID == nil {
		return v.argument
	}
	return v.argument + ":" + *v.ID
}

// view is the answer to a job and those below it; nil is of a dry run.
func (p *plannedJob) view(added *queue.AddedFlow) (flowView, error) {
	v := flowView{
		Queue: p.t.Name, KeyBase: p.t.base().String(), Name: p.job.Name, State: p.state(), DryRun: added == nil,
		Children: make([]flowView, len(p.children)), argument: p.t.argument(),
	}
	switch {
	case added != nil:
		one := viewAdded(p.t, p.job, added.Added)
		v.ID, v.Duplicate, v.Deduplicated, v.Replaced = &one.ID, one.Duplicate, one.Deduplicated, one.Replaced
	default:
		opts, err := json.Marshal(p.job.Opts)
		if err != nil {
			return v, err
		}
		v.Data, v.Opts = p.job.Data, opts
		if id := p.job.Opts.ID; id != "" {
			v.ID = &id
		}
	}
	for i, child := range p.children {
		var err error
		if v.Children[i], err = child.view(below(added, i)); err != nil {
			return v, err
		}
	}
	return v, nil
}

// below is the answer to a child; nil of a dry run.
func below(added *queue.AddedFlow, i int) *queue.AddedFlow {
	if added == nil || i >= len(added.Children) {
		return nil
	}
	return &added.Children[i]
}

// state is where the job goes.
func (p *plannedJob) state() queue.State {
	if len(p.children) > 0 {
		return queue.StateWaitingChildren
	}
	return stateOf(p.job.Opts)
}

// shownFlowChildren is how many children of one job are shown to people.
const shownFlowChildren = 20

// branch is a job of the tree for people.
func (p *plannedJob) branch(added *queue.AddedFlow, o render.Options) render.Branch {
	id := "(new)"
	switch {
	case added != nil:
		id = added.ID
	case p.job.Opts.ID != "":
		id = p.job.Opts.ID
	}
	b := render.Branch{Cells: []render.Cell{
		{Text: p.t.label() + " " + id, Style: render.StyleBold}, {Text: p.job.Name}, render.StateCell(p.state(), o),
	}}
	switch {
	case added == nil:
	case added.Duplicate:
		b.Cells = append(b.Cells, render.Cell{Text: "existed already", Style: render.StyleDim})
	case added.Deduplicated:
		b.Cells = append(b.Cells, render.Cell{Text: "stands for it", Style: render.StyleDim})
	}
	for i, child := range p.children[:min(len(p.children), shownFlowChildren)] {
		b.Below = append(b.Below, child.branch(below(added, i), o))
	}
	if more := len(p.children) - shownFlowChildren; more > 0 {
		b.Below = append(b.Below, render.MoreBranch(int64(more), "", o))
	}
	return b
}

// printFlow prints what was added, or would be. In a pipe it is the id of the
// root, which is enough to wait for.
func printFlow(a *app, p *plannedJob, added *queue.AddedFlow) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	if !format.ForPeople() {
		view, err := p.view(added)
		if err != nil {
			return err
		}
		return writeResult(a, view)
	}
	if added != nil && !a.streams.OutIsTerminal() {
		_, err = fmt.Fprintln(a.streams.Out, render.Text(added.ID))
		return err
	}
	o := a.options()
	o.ASCII = !a.drawsUnicode()
	var tree bytes.Buffer
	if err := render.WriteTree(&tree, p.branch(added, o), o); err != nil {
		return err
	}
	verb := "added"
	if added == nil {
		verb = "would add"
	}
	_, err = fmt.Fprintf(a.streams.Out, "%s%s: %s a flow of %s\n", tree.String(), render.Text(p.t.label()), verb, plural(p.size(), "job"))
	return err
}
