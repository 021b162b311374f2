package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// family adds a parent with a child that returns, one that fails and is ignored,
// and one that is removed on failure.
func (e *env) family() {
	e.t.Helper()
	child := func(id string, opts queue.JobOptions) queue.FlowJob {
		opts.ID = id
		return queue.FlowJob{Queue: e.base, Job: queue.NewJob{Name: id, Data: json.RawMessage("{}"), Opts: opts}}
	}
	root := child("parent", queue.JobOptions{})
	root.Children = []queue.FlowJob{
		child("good", queue.JobOptions{}), child("bad", queue.JobOptions{IgnoreDependency: true}), child("gone", queue.JobOptions{RemoveDependency: true}),
	}
	_, err := e.client(e.rdb.Options().Addr).AddFlow(e.ctx, root)
	e.must(err)
}

// A handler is told what became of the children, and one that has none, or does
// not ask, of nothing.
func TestHandlersSeeTheirChildren(t *testing.T) {
	onEach(t, func(e *env) {
		e.family()
		seen := map[string]worker.Children{}
		r := e.start(worker.Config{Concurrency: 1, Drain: true, Handler: worker.HandlerFunc(
			func(ctx context.Context, job worker.Job, _ worker.Reporter) (json.RawMessage, error) {
				children, err := job.Children(ctx)
				if err != nil {
					return nil, err
				}
				seen[job.ID] = children
				if job.ID == "bad" || job.ID == "gone" {
					return nil, errors.New("no " + job.ID)
				}
				return json.RawMessage(`{"n":9007199254740993}`), nil
			})})
		if stats := r.wait(); stats.Completed != 2 || stats.Failed != 2 {
			e.t.Errorf("stats: %+v", stats)
		}
		want := map[string]worker.Children{
			"good": {}, "bad": {}, "gone": {},
			"parent": {
				Values:   map[string]json.RawMessage{e.key("good"): json.RawMessage(`{"n":9007199254740993}`)},
				Failures: map[string]string{e.key("bad"): "no bad"},
			},
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			e.t.Errorf("children (-want +got)\n%s", diff)
		}
	})
}

// What is damaged is no reason to try for ever; the job fails with it.
func TestChildrenThatCannotBeRead(t *testing.T) {
	onEach(t, func(e *env) {
		id := e.add("parent", "{}", queue.JobOptions{Attempts: 1})
		e.must(e.rdb.Set(e.ctx, e.key(id+":processed"), "no hash", 0).Err())
		r := e.start(worker.Config{Drain: true, Handler: worker.HandlerFunc(
			func(ctx context.Context, job worker.Job, _ worker.Reporter) (json.RawMessage, error) {
				_, err := job.Children(ctx)
				return nil, err
			})})
		if stats := r.wait(); stats.Failed != 1 {
			e.t.Errorf("stats: %+v", stats)
		}
		if reason := e.hash(id, "failedReason"); reason == "" {
			e.t.Error("it does not say why")
		}
	})
}
