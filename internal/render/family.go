package render

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/qctl/qctl/internal/queue"
)

// ChildCountsView counts the children of a job, as JSON.
type ChildCountsView struct {
	Pending   int64 `json:"pending" about:"children that are not finished, or whose failure the parent waits out"`
	Processed int64 `json:"processed" about:"children that completed"`
	Ignored   int64 `json:"ignored" about:"children that failed without failing the parent"`
	Failed    int64 `json:"failed" about:"children that failed, and the parent with them"`
}

// ViewChildCounts returns the view of counts.
func ViewChildCounts(c queue.ChildCounts) ChildCountsView {
	return ChildCountsView{Pending: c.Pending, Processed: c.Processed, Ignored: c.Ignored, Failed: c.Failed}
}

// FamilyView is a job of a flow, as JSON.
type FamilyView struct {
	Queue       string          `json:"queue" about:"alias of the queue, else its name"`
	KeyBase     string          `json:"keyBase" about:"key base of the queue"`
	ID          string          `json:"id" about:"id of the job"`
	Name        string          `json:"name" about:"name of the job"`
	State       *string         `json:"state" about:"state it was found in; null when it is gone"`
	Kind        *string         `json:"kind" about:"how its parent speaks of it: pending, processed, ignored or failed; null for the job itself and those above"`
	Value       json.RawMessage `json:"value" about:"what it returned, as its parent keeps it"`
	ValueIsText bool            `json:"valueIsText,omitempty" about:"true when value is a text and no JSON"`
	Reason      *string         `json:"reason" about:"why it failed"`
	Gone        bool            `json:"gone,omitempty" about:"true when it has been removed"`
	Again       bool            `json:"again,omitempty" about:"true when it stands further up in the tree already"`
	Counts      ChildCountsView `json:"counts" about:"how many children it has, also where they are not listed"`
	Children    []FamilyView    `json:"children" about:"its children, as many as were asked for"`
}

// TreeView is a job with what is above and below it, as JSON.
type TreeView struct {
	Parents []FamilyView `json:"parents" about:"its parent, and those above, the root first; their other children are not listed"`
	Job     FamilyView   `json:"job" about:"the job with its children"`

	argument string
}

// ResultName is the job as QUEUE:ID.
func (v TreeView) ResultName() string { return v.argument + ":" + v.Job.ID }

// Family is a job with what is above and below it.
type Family struct {
	Parents []queue.Node // the root first
	Job     queue.Node
	// Label is what a queue is called.
	Label    func(queue.KeyBase) string
	Argument string // the job's queue, as an argument
}

// View returns the view for programs.
func (f Family) View() TreeView {
	v := TreeView{Parents: make([]FamilyView, len(f.Parents)), Job: f.viewNode(&f.Job), argument: f.Argument}
	for i := range f.Parents {
		v.Parents[i] = f.viewNode(&f.Parents[i])
	}
	return v
}

func (f Family) viewNode(n *queue.Node) FamilyView {
	v := FamilyView{
		Queue: f.Label(n.Queue), KeyBase: n.Queue.String(), ID: n.Job.ID, Name: n.Job.Name,
		State: textOrNil(string(n.Job.State), n.Job.State != "" && !n.Gone), Kind: textOrNil(string(n.Kind), n.Kind != ""),
		Gone: n.Gone, Again: n.Again, Counts: ViewChildCounts(n.Counts), Children: make([]FamilyView, len(n.Children)),
	}
	v.Value, v.ValueIsText = stored(n.Value, isJSON)
	if reason, has := reasonOf(n); has {
		v.Reason = &reason
	}
	for i := range n.Children {
		v.Children[i] = f.viewNode(&n.Children[i])
	}
	return v
}

// reasonOf is why a job failed: by its parent's records, else by its own.
func reasonOf(n *queue.Node) (reason string, has bool) {
	if n.Kind == queue.ChildIgnored {
		return n.Reason, true
	}
	return n.Job.FailedReason, n.Job.HasFailedReason
}

// Write draws the tree for people: those above, the job, which is marked where
// it is not the root, and its children.
func (f Family) Write(w io.Writer, o Options) error {
	branch := f.branch(&f.Job, o)
	if len(f.Parents) > 0 {
		mark := Cell{Text: "◀ this job", Plain: "this job", Style: StyleBold}
		if o.ASCII {
			mark.Text = "<- this job"
		}
		branch.Cells = append(branch.Cells, mark)
	}
	for i := len(f.Parents) - 1; i >= 0; i-- {
		above := f.line(&f.Parents[i], o)
		above.Below = []Branch{branch} // its counts tell that there are others
		branch = above
	}
	return WriteTree(w, branch, o)
}

func (f Family) branch(n *queue.Node, o Options) Branch {
	b := f.line(n, o)
	listed := queue.ChildCounts{}
	for i := range n.Children {
		b.Below = append(b.Below, f.branch(&n.Children[i], o))
		switch n.Children[i].Kind {
		case queue.ChildPending:
			listed.Pending++
		case queue.ChildProcessed:
			listed.Processed++
		case queue.ChildIgnored:
			listed.Ignored++
		case queue.ChildFailed:
			listed.Failed++
		}
	}
	if left := n.Counts.Total() - listed.Total(); left > 0 && !n.Again {
		more := queue.ChildCounts{
			Pending: n.Counts.Pending - listed.Pending, Processed: n.Counts.Processed - listed.Processed,
			Ignored: n.Counts.Ignored - listed.Ignored, Failed: n.Counts.Failed - listed.Failed,
		}
		b.Below = append(b.Below, MoreBranch(left, ": "+ChildCountsText(more), o))
	}
	return b
}

// line is a job without what is below it.
func (f Family) line(n *queue.Node, o Options) Branch {
	b := Branch{Cells: []Cell{{Text: f.Label(n.Queue) + " " + n.Job.ID, Style: StyleBold}}}
	add := func(has bool, c Cell) {
		if has {
			b.Cells = append(b.Cells, c)
		}
	}
	add(n.Job.Name != "", Cell{Text: n.Job.Name})
	add(!n.Gone, StateCell(n.Job.State, o))
	add(n.Gone, Cell{Text: "removed", Style: StyleDim})
	add(n.Counts.Total() > 0, Cell{Text: "children: " + ChildCountsText(n.Counts), Style: StyleDim})
	reason, failed := reasonOf(n)
	add(n.Kind == queue.ChildIgnored, Cell{Text: "ignored", Style: StyleDim})
	add(failed, Cell{Text: firstLine(reason), Style: StyleBad})
	add(len(n.Value) > 0, Cell{Text: string(n.Value)})
	add(n.Again, Cell{Text: "stands above already", Style: StyleWarn})
	return b
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// ChildCountsText says how many children of each kind there are.
func ChildCountsText(c queue.ChildCounts) string {
	var parts []string
	for _, one := range []struct {
		n    int64
		kind queue.ChildKind
	}{
		{c.Pending, queue.ChildPending}, {c.Failed, queue.ChildFailed}, {c.Ignored, queue.ChildIgnored}, {c.Processed, queue.ChildProcessed},
	} {
		if one.n > 0 {
			parts = append(parts, strconv.FormatInt(one.n, 10)+" "+string(one.kind))
		}
	}
	return strings.Join(parts, ", ")
}

// MoreBranch is the line that says how many are not shown, with what is said of
// them behind it.
func MoreBranch(n int64, about string, o Options) Branch {
	dots := "… and "
	if o.ASCII {
		dots = "... and "
	}
	return Branch{Cells: []Cell{{Text: dots + Count(n) + " more" + about, Plain: "and " + strconv.FormatInt(n, 10) + " more" + about, Style: StyleDim}}}
}
