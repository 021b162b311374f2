package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// Bounds of a flow: it is stored in one step, during which Redis serves nobody
// else.
const (
	// MaxFlowJobs is the most jobs of one flow.
	MaxFlowJobs = 10000
	// MaxFlowDepth is the most generations of one flow, the root's counted.
	MaxFlowDepth = 100
	// MaxFlowBytes is the most that names, payloads and options of one flow may
	// hold.
	MaxFlowBytes = 16 << 20
)

// FlowJob is a job with the jobs that it waits for. Children may lie in queues
// of their own, with prefixes of their own; in Redis Cluster all must share a
// slot.
type FlowJob struct {
	Queue    KeyBase
	Job      NewJob
	Children []FlowJob
}

// AddedFlow is the answer to a [FlowJob], of the same shape.
type AddedFlow struct {
	Queue KeyBase
	Added
	Children []AddedFlow
}

// AddFlow adds a tree of jobs in one atomic step, all or nothing: everything is
// checked before the first is stored. A job without an id of its own gets a
// random UUID. A job whose id exists already is not stored again; as a child it
// joins its new parent, as long as it has no other: ErrOtherParent. Only the
// root may name a parent, a job that exists: ErrParentMissing. As in BullMQ, only
// a root without children can be deduplicated. A flow above the bounds is
// ErrTooLarge, one that names a job twice or would wait for itself is
// ErrInvalidOption.
func (c *Client) AddFlow(ctx context.Context, root FlowJob) (AddedFlow, error) {
	nodes, err := flatten(&root)
	if err != nil {
		return AddedFlow{}, fmt.Errorf("flow: %w", err)
	}
	q := c.Queue(root.Queue)
	call := newRelatedCall(q.nowMS(), root.Queue, len(nodes))
	for i := range nodes {
		if err := nodes[i].write(call, nodes); err != nil {
			return AddedFlow{}, fmt.Errorf("flow: %s: %w", placeOf(nodes, i), err)
		}
		if call.bytes > MaxFlowBytes {
			return AddedFlow{}, fmt.Errorf("flow: %w: its payloads and options hold more than %d bytes", ErrTooLarge, MaxFlowBytes)
		}
	}
	mode := addTree
	if root.Job.Opts.Dedup != nil { // the only job
		mode = addEach
	}
	added, err := call.run(ctx, q, mode)
	var refused *refusedJob
	if errors.As(err, &refused) {
		at := refused.position - 1
		return AddedFlow{}, fmt.Errorf("flow: %s in %s: %w", placeOf(nodes, at), nodes[at].job.Queue, refused.err)
	}
	if err != nil {
		return AddedFlow{}, err
	}
	return grow(nodes, added), nil
}

// flowNode is a job of a flow in the order in which they are stored.
type flowNode struct {
	job    *FlowJob
	id     string
	parent int // its place; -1 for the root
	nth    int // among its siblings
	depth  int // 1 for the root
}

// flatten puts the tree in BullMQ's order, generation by generation, and refuses
// what cannot be added.
func flatten(root *FlowJob) ([]flowNode, error) {
	nodes := []flowNode{{job: root, parent: -1, depth: 1}}
	seen := map[string]int{}
	for i := 0; i < len(nodes); i++ {
		node := &nodes[i]
		if err := node.validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", placeOf(nodes, i), err)
		}
		node.id = node.job.Job.Opts.ID
		if node.id == "" {
			node.id = newUUID()
		}
		key := node.job.Queue.key(node.id)
		if first, twice := seen[key]; twice {
			return nil, fmt.Errorf("%w: %s and %s are both job %q of %s", ErrInvalidOption,
				placeOf(nodes, first), placeOf(nodes, i), node.id, node.job.Queue)
		}
		seen[key] = i
		children := node.job.Children
		if len(nodes)+len(children) > MaxFlowJobs {
			return nil, fmt.Errorf("%w: it has more than %d jobs", ErrTooLarge, MaxFlowJobs)
		}
		if len(children) > 0 && node.depth == MaxFlowDepth {
			return nil, fmt.Errorf("%w: it is more than %d generations deep", ErrTooLarge, MaxFlowDepth)
		}
		depth := node.depth + 1
		for n := range children {
			nodes = append(nodes, flowNode{job: &children[n], parent: i, nth: n, depth: depth})
		}
	}
	if parent := root.Job.Opts.Parent; parent != nil {
		if at, inside := seen[parent.Key()]; inside {
			return nil, fmt.Errorf("%w: the parent of the root is %s of the same flow", ErrInvalidOption, placeOf(nodes, at))
		}
	}
	return nodes, nil
}

func (n *flowNode) validate() error {
	opts := &n.job.Job.Opts
	if err := validateBase(n.job.Queue); err != nil {
		return err
	}
	if err := n.job.Job.validate(); err != nil {
		return err
	}
	alone := n.parent < 0 && len(n.job.Children) == 0
	switch {
	case n.parent >= 0 && opts.Parent != nil:
		return fmt.Errorf("%w: only the root of a flow can name a parent", ErrInvalidOption)
	case opts.Dedup != nil && !alone:
		return fmt.Errorf("%w: neither parents nor children can be deduplicated", ErrInvalidOption)
	case strings.Contains(opts.ID, ":") && !alone:
		// BullMQ takes a parent's or child's id to begin behind the last colon.
		return fmt.Errorf("%w: job id %q contains a colon, which no job of a flow may", ErrInvalidName, opts.ID)
	}
	return nil
}

// write appends the job, with its parent among its options.
func (n *flowNode) write(call *relatedCall, nodes []flowNode) error {
	job := n.job.Job
	if n.parent >= 0 {
		parent := &nodes[n.parent]
		job.Opts.Parent = &ParentRef{Queue: parent.job.Queue, ID: parent.id}
	}
	return call.add(n.job.Queue, n.id, &job, len(n.job.Children) > 0)
}

// placeOf names a job of a flow by its place, as in children[2].children[0].
func placeOf(nodes []flowNode, i int) string {
	text := ""
	for ; nodes[i].parent >= 0; i = nodes[i].parent {
		text = fmt.Sprintf(".children[%d]", nodes[i].nth) + text
	}
	if text == "" {
		return "root"
	}
	return text[1:]
}

// grow gives the answers the shape of the tree.
func grow(nodes []flowNode, added []Added) AddedFlow {
	answers := make([]AddedFlow, len(nodes))
	for i := len(nodes) - 1; i >= 0; i-- {
		node := &nodes[i]
		answers[i].Queue, answers[i].Added = node.job.Queue, added[i]
		if len(node.job.Children) > 0 {
			answers[i].Children = make([]AddedFlow, len(node.job.Children))
		}
	}
	// From the end: a job's children are complete before it is copied.
	for i := len(nodes) - 1; i > 0; i-- {
		answers[nodes[i].parent].Children[nodes[i].nth] = answers[i]
	}
	return answers[0]
}

// newUUID returns a random UUID, of version 4.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
