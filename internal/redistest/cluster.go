package redistest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const slotCount = 16384

// Cluster is three primaries that share the slots evenly, without replicas.
type Cluster struct {
	Nodes []*Server
	URLs  []string
}

// StartCluster runs three nodes, joins them and waits until all of them call
// the cluster healthy, about three seconds. The arguments go to every node.
func StartCluster(t testing.TB, args ...string) *Cluster {
	t.Helper()
	ctx := context.Background()
	c := &Cluster{}
	for range 3 {
		node := start(t, func(port int, dir string) []string {
			return slices.Concat(dataArgs(port, dir), clusterArgs(t), args)
		})
		c.Nodes = append(c.Nodes, node)
		c.URLs = append(c.URLs, node.URL())
	}
	for i, node := range c.Nodes {
		client := node.Client()
		first, last := i*slotCount/len(c.Nodes), (i+1)*slotCount/len(c.Nodes)-1
		must(t, client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		must(t, client.ClusterAddSlotsRange(ctx, first, last).Err())
	}
	hub := c.Nodes[0].Client()
	for _, node := range c.Nodes[1:] {
		must(t, hub.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", node.Port(), busPort(node)).Err())
	}
	for _, node := range c.Nodes {
		client := node.Client()
		WaitFor(t, readyTimeout, "cluster node "+node.Addr+" to be healthy", func() bool {
			info, err := client.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") &&
				strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d", slotCount)) &&
				strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", len(c.Nodes)))
		})
	}
	return c
}

// NodeFor returns the node that owned the key's slot at the start.
func (c *Cluster) NodeFor(t testing.TB, key string) *Server {
	t.Helper()
	slot, err := c.Nodes[0].Client().ClusterKeySlot(context.Background(), key).Result()
	must(t, err)
	for i, node := range c.Nodes {
		if int(slot) < (i+1)*slotCount/len(c.Nodes) {
			return node
		}
	}
	t.Fatalf("slot %d of key %q has no node", slot, key)
	return nil
}

// AddReplica runs a fourth node that follows the primary and takes over its
// slots when it dies. It waits until the data is copied and all nodes know.
func (c *Cluster) AddReplica(t testing.TB, primary *Server) *Server {
	t.Helper()
	ctx := context.Background()
	replica := start(t, func(port int, dir string) []string {
		return append(dataArgs(port, dir), clusterArgs(t)...)
	})
	client := replica.Client()
	id, err := primary.Client().Do(ctx, "CLUSTER", "MYID").Text()
	must(t, err)
	must(t, client.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", primary.Port(), busPort(primary)).Err())
	WaitFor(t, readyTimeout, "the new node to know its primary", func() bool {
		return client.ClusterReplicate(ctx, id).Err() == nil
	})
	for _, node := range c.Nodes {
		other := node.Client()
		WaitFor(t, readyTimeout, "node "+node.Addr+" to know the replica", func() bool {
			nodes, err := other.ClusterNodes(ctx).Result()
			return err == nil && strings.Contains(nodes, "slave "+id)
		})
	}
	WaitFor(t, readyTimeout, "the replica to follow its primary", func() bool { return inStep(client) })
	return replica
}

// clusterArgs gives a bus port of its own to a node: the default, the port plus
// ten thousand, may be taken.
func clusterArgs(t testing.TB) []string {
	t.Helper()
	return []string{
		"--cluster-enabled", "yes",
		"--cluster-port", strconv.Itoa(FreePort(t)),
		"--cluster-node-timeout", "2000",
	}
}

// busPort reads the node's bus port back from its arguments.
func busPort(s *Server) string {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
