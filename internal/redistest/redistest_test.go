package redistest_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/redistest"
)

func TestServerDiesAndComesBackOnTheSamePort(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	pid, addr := server.PID, server.Addr
	client := server.Client()
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}

	server.Kill()
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Fatal("something still listens after Kill")
	}

	server.Restart()
	if server.PID == pid || server.Addr != addr {
		t.Errorf("restarted as pid %d on %s; the first was pid %d on %s", server.PID, server.Addr, pid, addr)
	}
	if n, err := client.DBSize(t.Context()).Result(); err != nil || n != 0 {
		t.Errorf("after the restart DBSIZE is %d, %v; want an empty server", n, err)
	}
}

func TestServerKeepsDataWhenAsked(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes")
	client := server.Client()
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	server.Restart()
	got, err := client.Get(t.Context(), "k").Result()
	if err != nil || got != "v" {
		t.Errorf("GET after a clean restart: %q, %v; want \"v\"", got, err)
	}
}

func TestServerWithPasswordIsReady(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--requirepass", "secret")
	err := server.Client().Ping(t.Context()).Err()
	if !redis.IsAuthError(err) {
		t.Errorf("PING without the password: %v; want NOAUTH", err)
	}
}

func TestServerIsGoneWithItsTest(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("inner", func(t *testing.T) { addr = redistest.Start(t).Addr })
	if addr == "" {
		t.Skip("the inner test did not start a server")
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("the server outlived its test")
	}
}

func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	group := redistest.StartSentinel(t)
	if got := group.PrimaryAddr(); got != group.Primary.Addr {
		t.Fatalf("sentinels name %q, want the primary %q", got, group.Primary.Addr)
	}
	group.Primary.Kill()
	redistest.WaitFor(t, 20*time.Second, "the replica to be promoted", func() bool {
		return group.PrimaryAddr() == group.Replica.Addr
	})
}

func TestClusterOwnsAllSlots(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{cluster.Nodes[1].Addr}})
	t.Cleanup(func() { _ = client.Close() })

	// a, b and c hash to slots 15495, 3300 and 7365: one for each node.
	want := []string{cluster.Nodes[2].Addr, cluster.Nodes[0].Addr, cluster.Nodes[1].Addr}
	var got []string
	for _, key := range []string{"a", "b", "c"} {
		if err := client.Set(t.Context(), key, "v", 0).Err(); err != nil {
			t.Fatalf("SET %s: %v", key, err)
		}
		got = append(got, cluster.NodeFor(t, key).Addr)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("owners of a, b, c (-want +got):\n%s", diff)
	}

	var addrs []string
	err := client.ForEachMaster(t.Context(), func(_ context.Context, node *redis.Client) error {
		size, err := node.DBSize(t.Context()).Result()
		if size != 1 {
			t.Errorf("node %s holds %d keys, want 1", node.Options().Addr, size)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range cluster.URLs {
		addrs = append(addrs, strings.TrimSuffix(strings.TrimPrefix(url, "redis://"), "/0"))
	}
	for _, node := range cluster.Nodes {
		if !slices.Contains(addrs, node.Addr) {
			t.Errorf("URLs %v lack node %s", cluster.URLs, node.Addr)
		}
	}
}
