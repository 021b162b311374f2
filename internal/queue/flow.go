package queue

import (
	"context"
	"errors"
)

// Bounds of a flow: it is stored in one step, during which Redis serves nobody
// else.
const (
	// MaxFlowJobs is the most jobs of one flow.
	MaxFlowJobs = 10000
	// MaxFlowDepth is the most generations of one flow, the root's counted.
	MaxFlowDepth = 100
	// MaxFlowBytes is the most that payloads and options of one flow may hold.
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
// random UUID. A child whose id exists already is not stored again but joins its
// new parent, as long as it has no other: ErrOtherParent. Only the root may
// name a parent, a job that exists: ErrParentMissing. A flow above the bounds
// is ErrTooLarge, one that names a job twice ErrInvalidOption.
func (c *Client) AddFlow(ctx context.Context, root FlowJob) (AddedFlow, error) {
	return AddedFlow{}, errors.ErrUnsupported
}
