package queue_test

import (
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

// What a script cannot reach together is refused before anything is sent: a
// parent in another slot, and a flow over several.
func TestFamiliesInACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	var addrs []string
	for _, node := range cluster.Nodes {
		addrs = append(addrs, node.Addr)
	}
	rdb := dialCluster(addrs, "")
	t.Cleanup(func() { _ = rdb.Close() })
	client := queue.NewClient(clusterConn{addrs, rdb}, queue.ClientOptions{})
	ctx := t.Context()

	base := func(prefix, name string) queue.KeyBase { return queue.KeyBase{Prefix: prefix, Name: name} }
	parent := base("{a}", "parents")
	added, err := client.Queue(parent).Add(ctx, queue.NewJob{Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	keys := func() (n int64) {
		t.Helper()
		for _, node := range cluster.Nodes {
			one := redis.NewClient(&redis.Options{Addr: node.Addr, Protocol: 2, DisableIdentity: true})
			size, err := one.DBSize(ctx).Result()
			_ = one.Close()
			if err != nil {
				t.Fatal(err)
			}
			n += size
		}
		return n
	}
	before := keys()

	child := queue.NewJob{Name: "n", Opts: queue.JobOptions{Parent: &queue.ParentRef{Queue: parent, ID: added.ID}}}
	if _, err := client.Queue(base("{b}", "children")).Add(ctx, child); !errors.Is(err, queue.ErrHashTag) {
		t.Errorf("a parent in another slot: %v", err)
	}
	flow := func(children string) queue.FlowJob {
		return queue.FlowJob{Queue: parent, Job: queue.NewJob{Name: "n"}, Children: []queue.FlowJob{
			{Queue: base("{a}", "children"), Job: queue.NewJob{Name: "n"}},
			{Queue: base(children, "children"), Job: queue.NewJob{Name: "n"}},
		}}
	}
	for _, prefix := range []string{"{b}", "bull"} {
		if _, err := client.AddFlow(ctx, flow(prefix)); !errors.Is(err, queue.ErrHashTag) {
			t.Errorf("a flow with a child of %s: %v", prefix, err)
		}
		if err := client.CheckFlow(flow(prefix)); !errors.Is(err, queue.ErrHashTag) {
			t.Errorf("a check of a flow with a child of %s: %v", prefix, err)
		}
	}
	if after := keys(); after != before {
		t.Errorf("%d keys were added", after-before)
	}

	// What shares a slot is added.
	if _, err := client.Queue(base("{a}", "children")).Add(ctx, child); err != nil {
		t.Errorf("a parent in the same slot: %v", err)
	}
	if _, err := client.AddFlow(ctx, flow("{a}")); err != nil {
		t.Errorf("a flow in one slot: %v", err)
	}
}
