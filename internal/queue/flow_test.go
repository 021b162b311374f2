package queue_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

// node is a job of a flow in the queue, with its name for an id.
func (e *env) node(name string, children ...queue.FlowJob) queue.FlowJob {
	return queue.FlowJob{Queue: e.base, Job: queue.NewJob{Name: name, Opts: queue.JobOptions{ID: name}}, Children: children}
}

// flowHash is the hash of a job of a flow in this queue.
func (e *env) flowHash(name, parent, opts string) string {
	if parent == "" {
		return freshHash(name, fmt.Sprintf(`{"attempts":0,"jobId":"%s"%s}`, name, opts), 0, 0)
	}
	return fmt.Sprintf(`data={} delay=0 name=%s opts={"attempts":0,"jobId":"%s","parent":{"id":"%s","queue":"%s"}%s} parent={"id":"%s","queueKey":"%s"%s}`+
		` parentKey=%s priority=0 timestamp=%d`, name, name, parent, e.base, opts, parent, e.base, opts, e.key(parent), start)
}

func TestAddFlow(t *testing.T) {
	onEach(t, func(e *env) {
		ignored := e.node("a1")
		ignored.Job.Opts.IgnoreDependency = true
		added, err := e.client.AddFlow(e.ctx, e.node("root", e.node("a", ignored, e.node("a2")), e.node("b")))
		e.must(err)
		leaf := func(id string) queue.AddedFlow {
			return queue.AddedFlow{Queue: e.base, Added: queue.Added{ID: id}}
		}
		want, a := leaf("root"), leaf("a")
		a.Children = []queue.AddedFlow{leaf("a1"), leaf("a2")}
		want.Children = []queue.AddedFlow{a, leaf("b")}
		same(e, "answer", want, added)
		e.changed(nil, map[string]string{
			"id": "5", "meta": "opts.maxLenEvents=10000", "marker": "0=0", "wait": "a2 a1 b",
			"waiting-children": fmt.Sprintf("a=%d root=%d", start, start),
			"root":             e.flowHash("root", "", ""), "a": e.flowHash("a", "root", ""), "b": e.flowHash("b", "root", ""),
			"a1": e.flowHash("a1", "a", `,"idof":true`), "a2": e.flowHash("a2", "a", ""),
			"root:dependencies": e.key("a") + " " + e.key("b"), "a:dependencies": e.key("a1") + " " + e.key("a2"),
		})
		same(e, "events", []string{
			"added jobId=root name=root", "waiting-children jobId=root", "added jobId=a name=a", "waiting-children jobId=a",
			"added jobId=b name=b", "waiting jobId=b", "added jobId=a1 name=a1", "waiting jobId=a1", "added jobId=a2 name=a2", "waiting jobId=a2",
		}, e.events())
	})
}

// Jobs without an id get one that none had before, and do not store it as
// theirs.
func TestAddFlowGivesIDs(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	onEach(t, func(e *env) {
		root := e.node("", e.node(""), e.node(""))
		added, err := e.client.AddFlow(e.ctx, root)
		e.must(err)
		ids := []string{added.ID, added.Children[0].ID, added.Children[1].ID}
		for _, id := range ids {
			if !uuid.MatchString(id) {
				e.t.Errorf("id %s", id)
			}
		}
		slices.Sort(ids)
		same(e, "ids", 3, len(slices.Compact(ids)))
		same(e, "options", `{"attempts":0}`, e.rdb.HGet(e.ctx, e.key(added.ID), "opts").Val())
	})
}

// A parent is released in the line of its priority, after its delay, by
// whatever queue its children were in.
func TestFlowsReleaseTheirParents(t *testing.T) {
	onEach(t, func(e *env) {
		other := e.fork()
		child := other.node("c")
		root := e.node("root", child)
		root.Job.Opts.Priority = 3
		_, err := e.client.AddFlow(e.ctx, root)
		e.must(err)
		jobs := other.claim(1, "t")
		same(e, "child", "c", jobs[0].ID)
		other.settle(queue.Outcome{Kind: queue.Complete, ID: "c", Token: "t", Job: &jobs[0], ReturnValue: []byte(`{"n":1}`)})
		same(e, "prioritized", []string{"root"}, e.ids("prioritized"))
		values, err := e.q.ChildrenValues(e.ctx, "root")
		e.must(err)
		same(e, "values", `{"n":1}`, string(values[other.key("c")]))
	})
}

// Whatever is wrong with one job of a flow, nothing of it is stored.
func TestAddFlowIsAllOrNothing(t *testing.T) {
	parent := func(e *env, id string) *queue.ParentRef { return &queue.ParentRef{Queue: e.base, ID: id} }
	bad := func(e *env, change func(j *queue.FlowJob)) queue.FlowJob {
		j := e.node("bad")
		change(&j)
		return e.node("root", e.node("a"), e.node("b", e.node("b1"), j))
	}
	for _, c := range []struct {
		name string
		flow func(e *env) queue.FlowJob
		want error
		says string
	}{
		{"another parent", func(e *env) queue.FlowJob {
			e.family(1)
			return bad(e, func(j *queue.FlowJob) { j.Job.Opts.ID = "c0" })
		}, queue.ErrOtherParent, `children[1].children[1] in BASE: job "c0": job has another parent: "BASE:p"`},
		{"no such parent", func(e *env) queue.FlowJob {
			root := bad(e, func(*queue.FlowJob) {})
			root.Job.Opts.Parent = parent(e, "nobody")
			return root
		}, queue.ErrParentMissing, `root in BASE: job "root": parent job does not exist: "BASE:nobody"`},
		{"a key that is no job", func(e *env) queue.FlowJob {
			e.must(e.rdb.Set(e.ctx, e.key("bad"), "x", 0).Err())
			return bad(e, func(*queue.FlowJob) {})
		}, queue.ErrCorrupt, "not a hash"},
		{"records that are none", func(e *env) queue.FlowJob {
			e.must(e.rdb.Set(e.ctx, e.key("b:dependencies"), "x", 0).Err())
			return bad(e, func(*queue.FlowJob) {})
		}, queue.ErrCorrupt, "not a hash"},
		{"a queue that is none", func(e *env) queue.FlowJob {
			other := e.fork()
			e.must(e.rdb.Set(e.ctx, other.key("delayed"), "x", 0).Err())
			return bad(e, func(j *queue.FlowJob) { j.Queue = other.base })
		}, queue.ErrCorrupt, "delayed holds a string"},
		{"below itself", func(e *env) queue.FlowJob {
			e.must(e.rdb.HSet(e.ctx, e.key("top"), "name", "n").Err())
			e.must(e.rdb.HSet(e.ctx, e.key("mid"), "name", "n", "parentKey", e.key("top")).Err())
			root := bad(e, func(j *queue.FlowJob) { j.Job.Opts.ID = "top" })
			root.Job.Opts.Parent = parent(e, "mid")
			return root
		}, queue.ErrInvalidOption, `below "BASE:b" it would wait for itself`},
		{"twice", func(e *env) queue.FlowJob {
			return bad(e, func(j *queue.FlowJob) { j.Job.Opts.ID = "a" })
		}, queue.ErrInvalidOption, `children[0] and children[1].children[1] are both job "a" of BASE`},
		{"a cycle", func(e *env) queue.FlowJob {
			return bad(e, func(j *queue.FlowJob) { j.Job.Opts.ID = "root" })
		}, queue.ErrInvalidOption, `root and children[1].children[1] are both job "root"`},
		{"its own parent", func(e *env) queue.FlowJob {
			root := bad(e, func(*queue.FlowJob) {})
			root.Job.Opts.Parent = parent(e, "bad")
			return root
		}, queue.ErrInvalidOption, "the parent of the root is children[1].children[1] of the same flow"},
		{"a parent within", func(e *env) queue.FlowJob {
			return bad(e, func(j *queue.FlowJob) { j.Job.Opts.Parent = parent(e, "a") })
		}, queue.ErrInvalidOption, "only the root of a flow can name a parent"},
		{"deduplicated", func(e *env) queue.FlowJob {
			return bad(e, func(j *queue.FlowJob) { j.Job.Opts.Dedup = &queue.Deduplication{ID: "d"} })
		}, queue.ErrInvalidOption, "neither parents nor children can be deduplicated"},
		{"two options of failure", func(e *env) queue.FlowJob {
			return bad(e, func(j *queue.FlowJob) { j.Job.Opts.FailParent, j.Job.Opts.RemoveDependency = true, true })
		}, queue.ErrInvalidOption, "children[1].children[1]: "},
		{"a plain number", func(e *env) queue.FlowJob {
			return bad(e, func(j *queue.FlowJob) { j.Job.Opts.ID = "12" })
		}, queue.ErrInvalidName, "plain number"},
		{"colons", func(e *env) queue.FlowJob {
			return bad(e, func(j *queue.FlowJob) { j.Job.Opts.ID = "a:b:c" })
		}, queue.ErrInvalidName, "contains a colon, which no job of a flow may"},
		{"no queue", func(e *env) queue.FlowJob {
			return bad(e, func(j *queue.FlowJob) { j.Queue.Name = "" })
		}, queue.ErrInvalidName, "is not prefix:name"},
		{"a payload that is none", func(e *env) queue.FlowJob {
			return bad(e, func(j *queue.FlowJob) { j.Job.Data = []byte("{") })
		}, queue.ErrInvalidOption, "data is not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				flow := c.flow(e)
				before, seen := e.dump(), len(e.events())
				added, err := e.client.AddFlow(e.ctx, flow)
				says := strings.ReplaceAll(c.says, "BASE", e.base.String())
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), says) {
					e.t.Errorf("error: %v\nwant: %s", err, says)
				}
				same(e, "answer", queue.AddedFlow{}, added)
				e.changed(before, nil)
				same(e, "events", 0, len(e.newEvents(seen)))
			})
		})
	}
}

func TestAddFlowBounds(t *testing.T) {
	onEach(t, func(e *env) {
		wide := e.node("root")
		for range queue.MaxFlowJobs {
			wide.Children = append(wide.Children, e.node(""))
		}
		deep := e.node("")
		for range queue.MaxFlowDepth {
			deep = e.node("", deep)
		}
		heavy := e.node("root")
		for range 17 {
			heavy.Children = append(heavy.Children, e.node(""))
			heavy.Children[len(heavy.Children)-1].Job.Data = []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
		}
		for says, flow := range map[string]queue.FlowJob{
			"more than 10001 jobs": wide, "more than 100 generations": deep, "more than 16777216 bytes": heavy,
		} {
			if _, err := e.client.AddFlow(e.ctx, flow); !errors.Is(err, queue.ErrTooLarge) || !strings.Contains(err.Error(), says) {
				e.t.Errorf("error: %v, want %q", err, says)
			}
		}
		same(e, "keys", 0, len(e.dump()))

		wide.Children = wide.Children[1:]
		added, err := e.client.AddFlow(e.ctx, wide)
		e.must(err)
		same(e, "children", queue.MaxFlowJobs-1, len(added.Children))
		_, err = e.client.AddFlow(e.ctx, deep.Children[0])
		e.must(err)
		counts, err := e.q.Counts(e.ctx)
		e.must(err)
		same(e, "jobs", int64(queue.MaxFlowJobs+queue.MaxFlowDepth), counts.Total)
	})
}

// Jobs that exist join their new parent; what a completed one returned is known
// at once, and a parent that waits for nothing else runs.
func TestAddFlowTakesUpJobs(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "done"}})
		e.finish(queue.Complete)
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "waits"}})
		added, err := e.client.AddFlow(e.ctx, e.node("root", e.node("done"), e.node("waits")))
		e.must(err)
		same(e, "answers", []bool{false, true, true}, []bool{added.Duplicate, added.Children[0].Duplicate, added.Children[1].Duplicate})
		counts, err := e.q.ChildCounts(e.ctx, "root")
		e.must(err)
		same(e, "counts", queue.ChildCounts{Pending: 1, Processed: 1}, counts)

		seen := len(e.events())
		_, err = e.client.AddFlow(e.ctx, e.node("root2", e.node("done2", e.node("below"))))
		e.must(err)
		_, err = e.client.AddFlow(e.ctx, e.node("done2", e.node("below2")))
		e.must(err)
		same(e, "events", []string{"duplicated jobId=done2", "added jobId=below2 name=below2", "waiting jobId=below2"}, e.newEvents(seen)[6:])

		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "done3", LIFO: true}})
		e.finish(queue.Complete)
		_, err = e.client.AddFlow(e.ctx, e.node("root3", e.node("done3")))
		e.must(err)
		same(e, "the parent has run free", true, slices.Contains(e.ids("wait"), "root3"))
	})
}

// Each child of a bulk is added or refused by itself; those after a refused one
// are not.
func TestAddChildren(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "p"}})
		child := func(parent string, opts queue.JobOptions) queue.NewJob {
			opts.Parent = &queue.ParentRef{Queue: e.base, ID: parent}
			return queue.NewJob{Name: "c", Opts: opts}
		}
		added, err := e.q.AddBulk(e.ctx, []queue.NewJob{
			child("p", queue.JobOptions{}), child("p", queue.JobOptions{ID: "own", Delay: time.Second}),
			child("nobody", queue.JobOptions{}), child("p", queue.JobOptions{}),
		})
		if !errors.Is(err, queue.ErrParentMissing) || !strings.Contains(err.Error(), "job 3: ") {
			e.t.Errorf("error: %v", err)
		}
		same(e, "answers", []queue.Added{{ID: "2"}, {ID: "own"}}, added)
		same(e, "counter", "3", e.dump()["id"])
		_, err = e.q.Add(e.ctx, child("p", queue.JobOptions{ID: "p"}))
		if !errors.Is(err, queue.ErrInvalidOption) {
			e.t.Errorf("its own child: %v", err)
		}
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "p2"}})
		if _, err = e.q.Add(e.ctx, child("p2", queue.JobOptions{ID: "own"})); !errors.Is(err, queue.ErrOtherParent) {
			e.t.Errorf("another parent: %v", err)
		}
		same(e, "dependencies", e.key("2")+" "+e.key("own"), e.dump()["p:dependencies"])
	})
}

// A refused job is no trouble of those that travel with it.
func TestAddRefusesOneOfMany(t *testing.T) {
	onEach(t, func(e *env) {
		add, release := e.jam(queue.NewJob{Name: "lone"}, nil)
		var pending []*pendingAdd
		for i := range 6 {
			job := deduped(queue.Deduplication{ID: fmt.Sprint(i)}, queue.JobOptions{})
			if i%2 == 1 {
				job = queue.NewJob{Name: "orphan", Opts: queue.JobOptions{Parent: &queue.ParentRef{Queue: e.base, ID: "nobody"}}}
			}
			pending = append(pending, e.startAdd(job))
		}
		release()
		_, err := add.answer(e)
		e.must(err)
		for i, p := range pending {
			added, err := p.answer(e)
			if i%2 == 1 != errors.Is(err, queue.ErrParentMissing) || (err == nil) != (added.ID != "") {
				e.t.Errorf("caller %d: %v, %v", i, added, err)
			}
		}
	})
}

// All queues of a flow must share a slot.
func TestFlowsInACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	var addrs []string
	for _, node := range cluster.Nodes {
		addrs = append(addrs, node.Addr)
	}
	rdb := dialCluster(addrs, "")
	t.Cleanup(func() { _ = rdb.Close() })
	client := queue.NewClient(clusterConn{addrs, rdb}, queue.ClientOptions{})
	flow := func(prefix, child string) queue.FlowJob {
		return queue.FlowJob{
			Queue: queue.KeyBase{Prefix: prefix, Name: "a"}, Job: queue.NewJob{Name: "root"},
			Children: []queue.FlowJob{{Queue: queue.KeyBase{Prefix: child, Name: "b"}, Job: queue.NewJob{Name: "child"}}},
		}
	}
	if _, err := client.AddFlow(t.Context(), flow("{one}", "{two}")); !errors.Is(err, queue.ErrHashTag) || !strings.Contains(err.Error(), "different slots") {
		t.Errorf("two slots: %v", err)
	}
	added, err := client.AddFlow(t.Context(), flow("{one}", "{one}:x"))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := client.Queue(added.Queue).Family(t.Context(), added.ID, queue.FamilyRequest{})
	if err != nil || len(tree.Children) != 1 || tree.Children[0].Job.State != queue.StateWaiting {
		t.Errorf("family: %+v, %v", tree, err)
	}
}
