package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// troubleDelay is when a job is tried again whose children could not be read.
const troubleDelay = 5 * time.Second

// Children is what became of a job's children, by their full keys.
type Children struct {
	// Values are what the completed ones returned, as they are stored.
	Values map[string]json.RawMessage
	// Failures are the reasons of those that failed without failing the job.
	Failures map[string]string
}

// ChildrenFunc reads what became of a job's children. A job without any costs
// one call. An error is a [*Failure] with its verdict, or that of the context.
type ChildrenFunc func(ctx context.Context) (Children, error)

// children is the [ChildrenFunc] of the job that runs.
func (r *run) children(ctx context.Context) (Children, error) {
	q, id := r.w.cfg.Queue, r.job.ID
	var c Children
	counts, err := q.ChildCounts(ctx, id)
	if err == nil && counts.Processed > 0 {
		c.Values, err = q.ChildrenValues(ctx, id)
	}
	if err == nil && counts.Ignored > 0 {
		c.Failures, err = q.IgnoredChildrenFailures(ctx, id)
	}
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return Children{}, context.Cause(ctx)
	}
	// What is damaged stays so; where Redis is in trouble the job has no part in
	// it, and keeps its attempt.
	damaged := queue.Classify(err) == queue.ClassCorrupt || errors.Is(err, queue.ErrCorrupt)
	return Children{}, &Failure{Reason: fmt.Sprintf("values of children: %v", err), TryAgain: !damaged, RetryAfter: troubleDelay}
}
