package queue

import (
	"context"
	"encoding/json"
	"fmt"
)

var (
	scriptAwaitChildren     = &script{name: "await_children"}
	scriptLeaveParent       = &script{name: "leave_parent"}
	scriptChildren          = &script{name: "children", readOnly: true}
	scriptRemoveUnprocessed = &script{name: "remove_unprocessed"}
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

// ChildCounts counts a job's children of each kind; of a job that does not exist
// there are none.
func (q *Queue) ChildCounts(ctx context.Context, id string) (ChildCounts, error) {
	pipe := q.client.rdb.Pipeline()
	pending, processed := pipe.SCard(ctx, q.base.key(id+":dependencies")), pipe.HLen(ctx, q.base.key(id+":processed"))
	ignored, failed := pipe.HLen(ctx, q.base.key(id+":failed")), pipe.ZCard(ctx, q.base.key(id+":unsuccessful"))
	if _, err := pipe.Exec(ctx); err != nil {
		return ChildCounts{}, wrapRedis(fmt.Sprintf("children of job %q in %s", id, q.base), err)
	}
	return ChildCounts{Pending: pending.Val(), Processed: processed.Val(), Ignored: ignored.Val(), Failed: failed.Val()}, nil
}

// ChildrenValues returns what the completed children of a job returned, by the
// full key of the child. A value that is no JSON, which only damaged data can
// hold, becomes a JSON text.
func (q *Queue) ChildrenValues(ctx context.Context, id string) (map[string]json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	err := q.eachField(ctx, id+":processed", func(child, value string) {
		if !json.Valid([]byte(value)) {
			quoted, _ := json.Marshal(value) // a text always marshals
			value = string(quoted)
		}
		values[child] = json.RawMessage(value)
	})
	return values, err
}

// IgnoredChildrenFailures returns why children failed without failing their
// parent, by the full key of the child.
func (q *Queue) IgnoredChildrenFailures(ctx context.Context, id string) (map[string]string, error) {
	reasons := map[string]string{}
	err := q.eachField(ctx, id+":failed", func(child, reason string) { reasons[child] = reason })
	return reasons, err
}

// eachField reads a hash of any size, page by page. A field may come twice.
func (q *Queue) eachField(ctx context.Context, suffix string, yield func(field, value string)) error {
	var cursor uint64
	for {
		page, next, err := q.client.rdb.HScan(ctx, q.base.key(suffix), cursor, "", scanPage).Result()
		if err != nil {
			return wrapRedis(fmt.Sprintf("%s of %s", suffix, q.base), err)
		}
		for i := 0; i+1 < len(page); i += 2 {
			yield(page[i], page[i+1])
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// AwaitChildren puts a held job among those that wait for their children, and
// reports whether it waits now; false means that none is pending and the caller
// still holds the job. child, if not empty, is the full key of the only child
// to wait for. A child that failed for its parent too is ErrFailedChildren.
func (q *Queue) AwaitChildren(ctx context.Context, held Held, child string) (bool, error) {
	reply, err := q.run(ctx, scriptAwaitChildren, q.nowMS(), held.ID, held.Token, child)
	if err != nil {
		return false, err
	}
	code := replyInt(reply)
	return code == 0, codeError(held.ID, code)
}

// RemoveChildDependency separates a child from its parent, which goes on when it
// waited for nothing else. It returns false when the parent did not wait for
// this child; a parent that is gone is ErrParentMissing.
func (q *Queue) RemoveChildDependency(ctx context.Context, id string) (bool, error) {
	reply, err := q.run(ctx, scriptLeaveParent, id)
	if err != nil {
		return false, err
	}
	code := replyInt(reply)
	return code == 0, codeError(id, code)
}

// RemoveUnprocessedChildren removes the pending children of a job, with their
// own children, but for those that are running or have failed, and returns how
// many went. The job goes on when it waited for nothing else. Many children go
// in several steps.
func (q *Queue) RemoveUnprocessedChildren(ctx context.Context, id string) (int, error) {
	children, err := q.pendingChildren(ctx, id)
	if err != nil {
		return 0, err
	}
	removed := 0
	for {
		page := children[:min(familyPage, len(children))]
		args := append(make([]any, 0, 3+len(page)), id, removeSteps, familyPage)
		for _, child := range page {
			args = append(args, child)
		}
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		reply, err := q.run(ctx, scriptRemoveUnprocessed, args...)
		if err != nil {
			return removed, err
		}
		if code, refused := reply.(int64); refused {
			return removed, codeError(id, code)
		}
		codes := replyList(reply)
		if len(codes) > len(page) || (len(codes) == 0 && len(page) > 0) {
			return removed, fmt.Errorf("children of %s in %s: %w: %d answers for %d children", id, q.base, ErrCorrupt, len(codes), len(page))
		}
		for _, code := range codes {
			if replyInt(code) == codeGoOn {
				break
			}
			if replyInt(code) == 0 {
				removed++
			}
			children = children[1:]
		}
		if len(children) == 0 {
			return removed, nil
		}
	}
}

// pendingChildren returns the full keys of the children that a job waits for.
func (q *Queue) pendingChildren(ctx context.Context, id string) ([]string, error) {
	seen := map[string]bool{}
	var children []string
	var cursor uint64
	for {
		page, next, err := q.client.rdb.SScan(ctx, q.base.key(id+":dependencies"), cursor, "", scanPage).Result()
		if err != nil {
			return nil, wrapRedis(fmt.Sprintf("children of job %q in %s", id, q.base), err)
		}
		for _, child := range page {
			if !seen[child] {
				seen[child] = true
				children = append(children, child)
			}
		}
		if cursor = next; cursor == 0 {
			return children, nil
		}
	}
}
