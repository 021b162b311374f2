package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ChildKind is how a parent's records speak of a child.
type ChildKind string

// The kinds of children.
const (
	ChildPending   ChildKind = "pending"   // not finished, or failed without an option that says what that means
	ChildProcessed ChildKind = "processed" // completed: its value is kept
	ChildIgnored   ChildKind = "ignored"   // failed, and the parent goes on: its reason is kept
	ChildFailed    ChildKind = "failed"    // failed, and the parent fails with it
)

// ChildCounts is how many children of each kind a job has.
type ChildCounts struct{ Pending, Processed, Ignored, Failed int64 }

// Total is the number of all children.
func (c ChildCounts) Total() int64 { return c.Pending + c.Processed + c.Ignored + c.Failed }

// kindOrder is the order in which children.lua numbers the kinds, from 1.
var kindOrder = [...]ChildKind{ChildPending, ChildFailed, ChildIgnored, ChildProcessed}

// FamilyRequest bounds what is read of a tree.
type FamilyRequest struct {
	// Depth is how many generations below the job are read; 0 means 10.
	Depth int
	// Children is the most children of one job that are listed; 0 means 20.
	Children int
}

// Bounds of what one call of [Queue.Family] reads, whatever was asked for.
const (
	familyDepth    = 10
	familyChildren = 20
	// MaxFamilyJobs is the most jobs of one tree.
	MaxFamilyJobs = 2000
)

// Node is a job of a flow and what is known of its children.
type Node struct {
	Queue KeyBase
	// Job holds the fields of [FieldsRow], and its state. Of a job that is gone,
	// or cannot be read from here, it holds the id alone.
	Job  Job
	Gone bool
	// Kind is how its parent speaks of it; empty for the job that was asked for.
	Kind ChildKind
	// Value is what a processed child returned, as the parent keeps it; empty
	// when it is larger than ListFieldLimit, or no JSON.
	Value json.RawMessage
	// Reason is why an ignored child failed; empty when it is larger than
	// ListFieldLimit.
	Reason string
	// Counts are complete, also where Children are not.
	Counts ChildCounts
	// Children are in the order pending, failed, ignored, processed; within a
	// kind by key. There are fewer than Counts says when they are too many or
	// lie too deep.
	Children []Node
	// Again means that the job stands elsewhere in the same tree, which only
	// damaged data can do; it is not followed again.
	Again bool
}

// Family reads the tree below a job, at most MaxFamilyJobs of it, generation by
// generation: workers may change it meanwhile. Without a job of this id it
// returns ErrJobNotFound.
func (q *Queue) Family(ctx context.Context, id string, req FamilyRequest) (Node, error) {
	job, err := q.Get(ctx, id, FieldsRow, ListFieldLimit)
	if err != nil {
		return Node{}, err
	}
	f := family{client: q.client, children: req.Children, seen: map[string]bool{q.base.key(id): true}}
	if f.children <= 0 {
		f.children = familyChildren
	}
	depth := req.Depth
	if depth <= 0 {
		depth = familyDepth
	}
	root := &Node{Queue: q.base, Job: job}
	generation := []*Node{root}
	for level := 0; len(generation) > 0; level++ {
		next, err := f.readChildren(ctx, generation, level < depth)
		if err != nil {
			return Node{}, err
		}
		if err := f.readJobs(ctx, next); err != nil {
			return Node{}, err
		}
		generation = next
	}
	return *root, nil
}

// family is one reading of a tree.
type family struct {
	client   *Client
	children int
	seen     map[string]bool // full keys
}

// readChildren fills the counts of a generation, and lists its children if list.
// It returns the children that are to be followed.
func (f *family) readChildren(ctx context.Context, generation []*Node, list bool) ([]*Node, error) {
	most := f.children
	if !list {
		most = 0
	}
	for base, nodes := range byQueue(generation) {
		q := f.client.Queue(base)
		for len(nodes) > 0 {
			page := nodes[:min(readBatchJobs, len(nodes))]
			args := append(make([]any, 0, 3+len(page)), most, ListFieldLimit, readBatchBytes)
			for _, node := range page {
				args = append(args, node.Job.ID)
			}
			reply, err := q.run(ctx, scriptChildren, args...)
			if err != nil {
				if err := unreadable(nodes, err); err != nil {
					return nil, err
				}
				break
			}
			answers := replyList(reply)
			if len(answers) == 0 || len(answers) > len(page) {
				return nil, fmt.Errorf("children in %s: %w: %d answers for %d jobs", base, ErrCorrupt, len(answers), len(page))
			}
			for i, answer := range answers {
				f.take(page[i], replyList(answer))
			}
			nodes = nodes[len(answers):]
		}
	}
	var next []*Node
	for _, parent := range generation {
		for i := range parent.Children {
			if child := &parent.Children[i]; !child.Again {
				next = append(next, child)
			}
		}
	}
	return next, nil
}

// take fills in one answer of children.lua.
func (f *family) take(parent *Node, answer []any) {
	counts := replyList(at(answer, 0))
	parent.Counts = ChildCounts{
		Pending: replyInt(at(counts, 0)), Failed: replyInt(at(counts, 1)),
		Ignored: replyInt(at(counts, 2)), Processed: replyInt(at(counts, 3)),
	}
	listed := replyList(at(answer, 1))
	for i := 0; i+2 < len(listed) && len(f.seen) < MaxFamilyJobs; i += 3 {
		key, value := replyText(listed[i+1]), replyText(listed[i+2])
		kind := replyInt(listed[i])
		base, id, ok := splitJobKey(key, parent.Queue)
		if !ok || kind < 1 || kind > int64(len(kindOrder)) {
			continue
		}
		child := Node{Queue: base, Job: Job{ID: id}, Kind: kindOrder[kind-1], Again: f.seen[key]}
		switch child.Kind {
		case ChildProcessed:
			if json.Valid([]byte(value)) {
				child.Value = json.RawMessage(value)
			}
		case ChildIgnored:
			child.Reason = value
		case ChildPending, ChildFailed:
		}
		f.seen[key] = true
		parent.Children = append(parent.Children, child)
	}
}

// readJobs fills in what the jobs themselves say.
func (f *family) readJobs(ctx context.Context, nodes []*Node) error {
	for base, group := range byQueue(nodes) {
		ids := make([]string, len(group))
		for i, node := range group {
			ids[i] = node.Job.ID
		}
		q, next := f.client.Queue(base), 0
		err := q.read(ctx, ids, readOptions{fields: FieldsRow, limit: ListFieldLimit, states: true}, func(job Job, exists bool) {
			node := group[next]
			next++
			node.Gone = !exists
			if exists {
				node.Job = job
			}
		})
		if err := unreadable(group[next:], err); err != nil {
			return err
		}
	}
	return nil
}

// unreadable notes with children why their queue cannot be read: a damaged or
// forged record must not hide the rest of the tree. Other errors it returns.
func unreadable(nodes []*Node, err error) error {
	if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrHashTag) {
		return err
	}
	for _, node := range nodes {
		if node.Kind == "" {
			return err
		}
		node.Job.Corrupt = append(node.Job.Corrupt, "key: "+err.Error())
	}
	return nil
}

// byQueue groups jobs by their queues.
func byQueue(nodes []*Node) map[KeyBase][]*Node {
	groups := map[KeyBase][]*Node{}
	for _, node := range nodes {
		groups[node.Queue] = append(groups[node.Queue], node)
	}
	return groups
}

// splitJobKey takes a job's full key apart, as BullMQ does at the last colon,
// unless it is that of a job of the family's own queue whose id has two colons.
func splitJobKey(key string, own KeyBase) (KeyBase, string, bool) {
	if id, ok := strings.CutPrefix(key, own.base()); ok && strings.Count(id, ":") == 2 {
		return own, id, true
	}
	i := strings.LastIndexByte(key, ':')
	if i < 0 || i == len(key)-1 {
		return KeyBase{}, "", false
	}
	base, err := ParseKeyBase(key[:i])
	return base, key[i+1:], err == nil
}
