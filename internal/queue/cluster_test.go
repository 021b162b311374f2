package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

// clusterConn connects to Redis Cluster.
type clusterConn struct {
	addrs []string
	main  *redis.ClusterClient
}

func (c clusterConn) Client() redis.UniversalClient { return c.main }

func (c clusterConn) Dedicated(name string) redis.UniversalClient { return dialCluster(c.addrs, name) }

func (c clusterConn) Cluster() bool { return true }

func dialCluster(addrs []string, name string) *redis.ClusterClient {
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: addrs, ClientName: name, MaxRetries: -1, Protocol: 2, DisableIdentity: true,
	})
}

// Everything that looks at many queues must find them on all nodes.
func TestReadingACluster(t *testing.T) {
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

	const n = 12
	bases := make([]queue.KeyBase, n)
	wantCounts := make([]queue.Counts, n)
	for i := range bases {
		bases[i] = queue.KeyBase{Prefix: "bull", Name: fmt.Sprintf("{q%02d}", i)}
		wantCounts[i] = queue.Counts{Waiting: 1, Total: 1}
		if _, err := client.Queue(bases[i]).Add(ctx, queue.NewJob{Name: "n"}); err != nil {
			t.Fatal(err)
		}
	}

	found, err := client.Queues(ctx, "bull:*")
	if diff := cmp.Diff(bases, found); diff != "" || err != nil {
		t.Errorf("queues: %s, %v", diff, err)
	}
	counts, err := client.CountsOf(ctx, bases)
	if diff := cmp.Diff(wantCounts, counts); diff != "" || err != nil {
		t.Errorf("counts: %s, %v", diff, err)
	}
	job, err := client.Queue(bases[5]).Get(ctx, "1", queue.FieldName, 0)
	if diff := cmp.Diff(queue.Job{ID: "1", Name: "n", State: queue.StateWaiting}, job); diff != "" || err != nil {
		t.Errorf("job: %s, %v", diff, err)
	}
	_, err = client.Queue(queue.KeyBase{Prefix: "bull", Name: "untagged"}).Get(ctx, "1", queue.FieldName, 0)
	if !errors.Is(err, queue.ErrHashTag) {
		t.Errorf("a queue without hash tag: %v", err)
	}
	if yes, err := client.Queue(bases[2]).Exists(ctx); !yes || err != nil {
		t.Errorf("exists: %v, %v", yes, err)
	}

	t.Run("workers", func(t *testing.T) {
		for _, name := range []string{"a", "b"} {
			worker := dialCluster(addrs, queue.WorkerName(bases[0], name))
			t.Cleanup(func() { _ = worker.Close() })
			// A cluster client talks to all nodes; that makes it no more workers.
			if err := worker.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
				return node.Ping(ctx).Err()
			}); err != nil {
				t.Fatal(err)
			}
		}
		// One that talks to a single node is seen by that node alone.
		connect(t, addrs[0], queue.WorkerName(bases[0], "c"))
		if n, err := client.Queue(bases[0]).CountWorkers(ctx); n != 3 || err != nil {
			t.Errorf("%d workers, %v", n, err)
		}
	})
	for name, followed := range map[string][]queue.KeyBase{"one queue": bases[:1], "all queues": bases} {
		t.Run("follow "+name, func(t *testing.T) {
			followCluster(t, client, followed)
		})
	}
}

func followCluster(t *testing.T, client *queue.Client, bases []queue.KeyBase) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	waiting := map[queue.KeyBase]bool{}
	err := client.FollowMany(ctx, bases, queue.FollowRequest{From: queue.FromStart}, func(e queue.Event) error {
		if e.Type == "waiting" {
			waiting[e.Queue] = true
		}
		if len(waiting) == len(bases) {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || len(waiting) != len(bases) {
		t.Errorf("heard of %d of %d queues: %v", len(waiting), len(bases), err)
	}
}
