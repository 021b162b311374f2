package queue

import (
	"context"
	"errors"
)

// ParentRef names the parent of a job.
type ParentRef struct {
	Queue KeyBase
	ID    string
}

// IsZero reports whether no parent is named.
func (p ParentRef) IsZero() bool { return p == ParentRef{} }

// Key returns the parent's full key.
func (p ParentRef) Key() string { return p.Queue.key(p.ID) }

// AwaitChildren puts a held job among those that wait for their children, and
// reports whether it waits now; false means that none is pending and the caller
// still holds the job. child, if not empty, is the full key of the only child
// to wait for. A child that failed for its parent too is ErrFailedChildren.
func (q *Queue) AwaitChildren(ctx context.Context, held Held, child string) (bool, error) {
	return false, errors.ErrUnsupported
}

// RemoveChildDependency separates a child from its parent, which goes on when it
// waited for nothing else. It returns false when the parent did not wait for
// this child; a parent that is gone is ErrParentMissing.
func (q *Queue) RemoveChildDependency(ctx context.Context, id string) (bool, error) {
	return false, errors.ErrUnsupported
}

// RemoveUnprocessedChildren removes the pending children of a job, with their
// own children, but for those that are running or have failed, and returns how
// many went. The job goes on when it waited for nothing else.
func (q *Queue) RemoveUnprocessedChildren(ctx context.Context, id string) (int, error) {
	return 0, errors.ErrUnsupported
}
