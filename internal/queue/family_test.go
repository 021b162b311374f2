package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/queue"
)

// outline writes a tree as one line per job: how its parent speaks of it, its
// id, its state, what is said of its end, and what was not listed of its
// children.
func outline(n queue.Node, indent string) string {
	var said []string
	for _, part := range []string{string(n.Kind), n.Job.ID, string(n.Job.State), string(n.Value), n.Reason} {
		if part != "" {
			said = append(said, part)
		}
	}
	if n.Gone {
		said = append(said, "gone")
	}
	if n.Again {
		said = append(said, "again")
	}
	if len(n.Job.Corrupt) > 0 {
		said = append(said, "corrupt")
	}
	if left := n.Counts.Total() - int64(len(n.Children)); left != 0 {
		said = append(said, fmt.Sprintf("+%d", left))
	}
	text := indent + strings.Join(said, " ") + "\n"
	for _, child := range n.Children {
		text += outline(child, indent+"  ")
	}
	return text
}

func (e *env) outline(id string, req queue.FamilyRequest) string {
	e.t.Helper()
	tree, err := e.q.Family(e.ctx, id, req)
	e.must(err)
	return outline(tree, "")
}

// grown is a family with children of every kind, over two queues.
func (e *env) grown() *env {
	e.t.Helper()
	other := e.fork()
	failing := func(name string, set func(*queue.JobOptions)) queue.FlowJob {
		j := e.node(name)
		set(&j.Job.Opts)
		return j
	}
	_, err := e.client.AddFlow(e.ctx, e.node("root",
		e.node("c-done"), failing("b-ignored", func(o *queue.JobOptions) { o.IgnoreDependency = true }),
		failing("a-failed", func(o *queue.JobOptions) { o.FailParent = true }),
		e.node("m", other.node("g1"), other.node("g2")), e.node("late")))
	e.must(err)
	for _, id := range []string{"c-done", "b-ignored", "a-failed"} {
		jobs := e.claim(1, "t")
		same(e, "claimed", id, jobs[0].ID)
		o := queue.Outcome{Kind: queue.Fail, ID: id, Token: "t", Job: &jobs[0], FailedReason: "boom", Attempts: 1}
		if id == "c-done" {
			o.Kind, o.ReturnValue = queue.Complete, []byte(`{"n":1}`)
		}
		e.settle(o)
	}
	return other
}

func TestFamily(t *testing.T) {
	onEach(t, func(e *env) {
		other := e.grown()
		want := strings.Join([]string{
			"root waiting", "  pending late waiting", "  pending m waiting-children", "    pending g1 waiting", "    pending g2 waiting",
			"  failed a-failed failed", "  ignored b-ignored failed boom", `  processed c-done completed {"n":1}`, "",
		}, "\n")
		same(e, "tree", want, e.outline("root", queue.FamilyRequest{}))
		tree, err := e.q.Family(e.ctx, "root", queue.FamilyRequest{})
		e.must(err)
		same(e, "counts", queue.ChildCounts{Pending: 2, Processed: 1, Ignored: 1, Failed: 1}, tree.Counts)
		same(e, "queue of a grandchild", other.base, tree.Children[1].Children[0].Queue)
		same(e, "one generation", strings.Join([]string{
			"root waiting +2", "  pending late waiting", "  pending m waiting-children +2", "  failed a-failed failed", "",
		}, "\n"), e.outline("root", queue.FamilyRequest{Depth: 1, Children: 3}))
		same(e, "a middle one", "m waiting-children\n  pending g1 waiting\n  pending g2 waiting\n", e.outline("m", queue.FamilyRequest{}))
		if _, err := e.q.Family(e.ctx, "nobody", queue.FamilyRequest{}); !errors.Is(err, queue.ErrJobNotFound) {
			e.t.Errorf("no such job: %v", err)
		}
		counts, err := e.q.ChildCounts(e.ctx, "root")
		e.must(err)
		same(e, "counts", tree.Counts, counts)
		values, err := e.q.ChildrenValues(e.ctx, "root")
		e.must(err)
		same(e, "values", map[string]json.RawMessage{e.key("c-done"): json.RawMessage(`{"n":1}`)}, values)
		reasons, err := e.q.IgnoredChildrenFailures(e.ctx, "root")
		e.must(err)
		same(e, "reasons", map[string]string{e.key("b-ignored"): "boom"}, reasons)
	})
}

// Of many children the first ones are shown, and all are counted.
func TestFamilyOfMany(t *testing.T) {
	onEach(t, func(e *env) {
		for _, n := range []int{150, 1200} {
			id := fmt.Sprint("p", n)
			e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: id}})
			var keys, fields []any
			for i := range n {
				keys, fields = append(keys, e.key(fmt.Sprintf("c%05d", i))), append(fields, e.key(fmt.Sprintf("d%05d", i)), i)
			}
			e.must(e.rdb.SAdd(e.ctx, e.key(id+":dependencies"), keys...).Err())
			e.must(e.rdb.HSet(e.ctx, e.key(id+":processed"), fields...).Err())
			tree, err := e.q.Family(e.ctx, id, queue.FamilyRequest{Children: 7})
			e.must(err)
			same(e, "listed", 7, len(tree.Children))
			same(e, "counted", int64(2*n), tree.Counts.Total())
			if n <= 1000 {
				same(e, "first", "c00000", tree.Children[0].Job.ID)
			}
			values, err := e.q.ChildrenValues(e.ctx, id)
			e.must(err)
			same(e, "values", n, len(values))
		}
	})
}

// A circle, a child of two parents, keys that are no jobs, values that are no
// JSON: the tree ends, and says what it found.
func TestFamilyOfDamagedData(t *testing.T) {
	onEach(t, func(e *env) {
		e.addIDs("a", "b", "c")
		link := func(parent string, children ...string) {
			for _, child := range children {
				e.must(e.rdb.SAdd(e.ctx, e.key(parent+":dependencies"), child).Err())
			}
		}
		link("a", e.key("b"), e.key("c"), e.key("gone"), "nonsense", ":", "x:", e.key("wait"), e.key("repeat:s:7"))
		link("b", e.key("a"), e.key("c"), e.key("b"))
		e.must(e.rdb.HSet(e.ctx, e.key("a:processed"), e.key("text"), "no JSON", e.key("huge"), strings.Repeat("1", queue.ListFieldLimit+1)).Err())
		want := strings.Join([]string{
			"a waiting +3", "  pending b waiting", "    pending a again", "    pending b again", "    pending c again", "  pending c waiting",
			"  pending gone gone", "  pending repeat:s:7 gone", "  pending wait unknown corrupt", "  processed huge gone", "  processed text gone", "",
		}, "\n")
		same(e, "tree", want, e.outline("a", queue.FamilyRequest{}))
		values, err := e.q.ChildrenValues(e.ctx, "a")
		e.must(err)
		same(e, "value", `"no JSON"`, string(values[e.key("text")]))
		e.must(e.rdb.Del(e.ctx, e.key("b:dependencies")).Err())
		e.must(e.rdb.Set(e.ctx, e.key("b:dependencies"), "x", 0).Err())
		if tree := e.outline("a", queue.FamilyRequest{}); !strings.Contains(tree, "pending b waiting corrupt") {
			e.t.Errorf("records of the wrong type below: %s", tree)
		}
		if _, err := e.q.Family(e.ctx, "b", queue.FamilyRequest{}); !errors.Is(err, queue.ErrCorrupt) {
			e.t.Errorf("records of the wrong type: %v", err)
		}
	})
}

func TestAwaitChildren(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "p"}})
		e.claim(1, "t")
		held := queue.Held{ID: "p", Token: "t"}
		waits, err := e.q.AwaitChildren(e.ctx, held, "")
		if waits || err != nil {
			e.t.Errorf("without children: %v, %v", waits, err)
		}
		e.add(queue.NewJob{Name: "c", Opts: queue.JobOptions{ID: "c", Parent: &queue.ParentRef{Queue: e.base, ID: "p"}}})
		if waits, err := e.q.AwaitChildren(e.ctx, held, e.key("other")); waits || err != nil {
			e.t.Errorf("for another child: %v, %v", waits, err)
		}
		before, seen := e.dump(), len(e.events())
		for _, c := range []struct {
			held queue.Held
			want error
		}{
			{queue.Held{ID: "p", Token: "x"}, queue.ErrLockLost},
			{queue.Held{ID: "nobody", Token: "t"}, queue.ErrJobNotFound},
			{queue.Held{ID: "wait", Token: "t"}, queue.ErrJobNotFound},
		} {
			if _, err := e.q.AwaitChildren(e.ctx, c.held, ""); !errors.Is(err, c.want) {
				e.t.Errorf("%v: %v, want %v", c.held, err, c.want)
			}
		}
		e.changed(before, nil)
		e.must(e.rdb.SAdd(e.ctx, e.key("stalled"), "p").Err())
		e.now.Store(start + 5)
		if waits, err := e.q.AwaitChildren(e.ctx, held, e.key("c")); !waits || err != nil {
			e.t.Errorf("with a child: %v, %v", waits, err)
		}
		e.changed(before, map[string]string{"active": "", "p:lock": "", "waiting-children": fmt.Sprintf("p=%d", start+5)})
		same(e, "events", []string{"waiting-children jobId=p prev=active"}, e.newEvents(seen))
		if _, err := e.q.AwaitChildren(e.ctx, held, ""); !errors.Is(err, queue.ErrLockLost) {
			e.t.Errorf("a second time: %v", err)
		}
	})
}

// A parent whose child has failed for it too must fail, not wait.
func TestAwaitChildrenThatFailed(t *testing.T) {
	onEach(t, func(e *env) {
		e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{ID: "p"}})
		e.claim(1, "t")
		e.must(e.rdb.ZAdd(e.ctx, e.key("p:unsuccessful"), zAt(1, e.key("c"))).Err())
		before := e.dump()
		if _, err := e.q.AwaitChildren(e.ctx, queue.Held{ID: "p", Token: "t"}, ""); !errors.Is(err, queue.ErrFailedChildren) {
			e.t.Errorf("error: %v", err)
		}
		e.changed(before, nil)
		e.must(e.rdb.Del(e.ctx, e.key("p:unsuccessful"), e.key("active")).Err())
		e.must(e.rdb.SAdd(e.ctx, e.key("p:dependencies"), "x").Err())
		if _, err := e.q.AwaitChildren(e.ctx, queue.Held{ID: "p", Token: "t"}, ""); !errors.Is(err, queue.ErrJobNotInState) {
			e.t.Errorf("not active: %v", err)
		}
	})
}

func TestRemoveChildDependency(t *testing.T) {
	onEach(t, func(e *env) {
		_, err := e.client.AddFlow(e.ctx, e.node("p", e.node("c"), e.node("d")))
		e.must(err)
		before, seen := e.dump(), len(e.events())
		leave := func(id string, want bool) {
			e.t.Helper()
			left, err := e.q.RemoveChildDependency(e.ctx, id)
			if left != want || err != nil {
				e.t.Errorf("%s: %v, %v", id, left, err)
			}
		}
		leave("c", true)
		alone := strings.Replace(e.flowHash("c", "p", ""), ` parent={"id":"p","queueKey":"`+e.base.String()+`"} parentKey=`+e.key("p"), "", 1)
		e.changed(before, map[string]string{"c": alone, "p:dependencies": e.key("d")})
		if _, err := e.q.RemoveChildDependency(e.ctx, "c"); !errors.Is(err, queue.ErrParentMissing) {
			e.t.Errorf("without a parent: %v", err)
		}
		if _, err := e.q.RemoveChildDependency(e.ctx, "nobody"); !errors.Is(err, queue.ErrJobNotFound) {
			e.t.Errorf("no such job: %v", err)
		}
		leave("d", true)
		same(e, "events", []string{"waiting jobId=p prev=waiting-children"}, e.newEvents(seen))
		_, err = e.client.AddFlow(e.ctx, e.node("p2", e.node("e")))
		e.must(err)
		e.must(e.rdb.Del(e.ctx, e.key("p2:dependencies")).Err())
		leave("e", false)
		same(e, "parent", e.key("p2"), e.rdb.HGet(e.ctx, e.key("e"), "parentKey").Val())
	})
}

func TestRemoveUnprocessedChildren(t *testing.T) {
	onEach(t, func(e *env) {
		other := e.fork()
		flow := e.node("p", e.node("runs"), e.node("failed!"), e.node("done"), e.node("deep", other.node("g")),
			e.node("deeplocked", other.node("glocked")), e.node("late"))
		_, err := e.client.AddFlow(e.ctx, flow)
		e.must(err)
		e.claim(1, "held")
		e.claim(1, "t")
		e.settle(queue.Outcome{Kind: queue.Fail, ID: "failed!", Token: "t", FailedReason: "boom"})
		e.finish(queue.Complete)
		e.must(e.rdb.Set(e.ctx, other.key("glocked:lock"), "x", 0).Err())
		e.must(e.rdb.SAdd(e.ctx, e.key("p:dependencies"), e.key("gone"), "nonsense").Err())
		removed, err := e.q.RemoveUnprocessedChildren(e.ctx, "p")
		e.must(err)
		same(e, "removed", 2, removed)
		same(e, "tree", strings.Join([]string{
			"p waiting-children", "  pending deeplocked waiting-children", "    pending glocked waiting", "  pending failed! failed",
			"  pending runs active", "  processed done completed null", "",
		}, "\n"), e.outline("p", queue.FamilyRequest{}))
		same(e, "jobs of the other queue", []string{"glocked"}, other.ids("wait"))
		if _, err := e.q.RemoveUnprocessedChildren(e.ctx, "nobody"); !errors.Is(err, queue.ErrJobNotFound) {
			e.t.Errorf("no such job: %v", err)
		}
		removed, err = e.q.RemoveUnprocessedChildren(e.ctx, "failed!")
		e.must(err)
		same(e, "of a job without children", 0, removed)
	})
}

// Many children go in several steps, and the parent runs after the last.
func TestRemoveManyUnprocessedChildren(t *testing.T) {
	onEach(t, func(e *env) {
		var children []queue.FlowJob
		for i := range 300 {
			children = append(children, e.node(fmt.Sprint("c", i), e.node(fmt.Sprint("g", i))))
		}
		var grand []queue.FlowJob
		for i := range 400 {
			grand = append(grand, e.node(fmt.Sprint("x", i)))
		}
		_, err := e.client.AddFlow(e.ctx, e.node("p", append(children, e.node("big", grand...))...))
		e.must(err)
		removed, err := e.q.RemoveUnprocessedChildren(e.ctx, "p")
		e.must(err)
		same(e, "removed", 301, removed)
		counts, err := e.q.Counts(e.ctx)
		e.must(err)
		same(e, "left", queue.Counts{Waiting: 1, Total: 1}, counts)
		same(e, "the parent", []string{"p"}, e.ids("wait"))
	})
}
