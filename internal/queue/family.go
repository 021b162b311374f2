package queue

import (
	"context"
	"encoding/json"
	"errors"
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

// FamilyRequest bounds what is read of a tree.
type FamilyRequest struct {
	// Depth is how many generations below the job are read; 0 means 10.
	Depth int
	// Children is the most children of one job that are listed; 0 means 20.
	Children int
}

// Node is a job of a flow and what is known of its children.
type Node struct {
	Queue KeyBase
	// Job holds the fields of [FieldsRow], and its state. Of a job that is gone
	// it holds the id alone.
	Job  Job
	Gone bool
	// Kind is how its parent speaks of it; empty for the job that was asked for.
	Kind ChildKind
	// Value is what a processed child returned, as the parent keeps it; empty
	// when it is larger than ListFieldLimit.
	Value json.RawMessage
	// Reason is why an ignored child failed, cut at ListFieldLimit.
	Reason string
	// Counts are complete, also where Children are not.
	Counts ChildCounts
	// Children are in the order pending, failed, ignored, processed; within a kind by key.
	// There are fewer than Counts says when they are too many or lie too deep.
	Children []Node
	// Again means that the job stands further up in the same tree, which only
	// damaged data can do; it is not followed again.
	Again bool
}

// Family reads the tree below a job. Without a job of this id it returns
// ErrJobNotFound.
func (q *Queue) Family(ctx context.Context, id string, req FamilyRequest) (Node, error) {
	return Node{}, errors.ErrUnsupported
}

// ChildCounts counts a job's children of each kind.
func (q *Queue) ChildCounts(ctx context.Context, id string) (ChildCounts, error) {
	return ChildCounts{}, errors.ErrUnsupported
}

// ChildrenValues returns what the completed children of a job returned, by the
// full key of the child.
func (q *Queue) ChildrenValues(ctx context.Context, id string) (map[string]json.RawMessage, error) {
	return nil, errors.ErrUnsupported
}

// IgnoredChildrenFailures returns why children failed without failing their
// parent, by the full key of the child.
func (q *Queue) IgnoredChildrenFailures(ctx context.Context, id string) (map[string]string, error) {
	return nil, errors.ErrUnsupported
}
