package redisconn

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

func TestSentinelFollowsTheFailover(t *testing.T) {
	t.Parallel()
	group := redistest.StartSentinel(t)
	conn := open(t, Config{URLs: secrets(strings.Join(group.URLs, ",")), SentinelName: group.MasterName})
	clients := onBoth(t, conn)
	for name, client := range clients {
		if err := client.Set(t.Context(), name, "before", 0).Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}

	group.Primary.Kill()
	for name, client := range clients {
		redistest.WaitFor(t, 30*time.Second, "the "+name+" client to write to the new primary", func() bool {
			err := client.Set(t.Context(), name, "after", 0).Err()
			switch class := queue.Classify(err); class {
			case queue.ClassNone:
				return true
			case queue.ClassUnreachable, queue.ClassRefused, queue.ClassUnknown:
				return false
			default:
				t.Fatalf("%s: error %v is of class %s", name, err, class)
				return false
			}
		})
	}
	got, err := group.Replica.Client().MGet(t.Context(), "shared", "dedicated").Result()
	if err != nil || fmt.Sprint(got) != "[after after]" {
		t.Errorf("the promoted replica holds %v, %v", got, err)
	}
}

func TestSentinelProblems(t *testing.T) {
	t.Parallel()
	group := redistest.StartSentinel(t)
	list := strings.Join(group.URLs, ",")

	unknown := open(t, Config{URLs: secrets(list), SentinelName: "nobody"})
	err := unknown.Client().Ping(t.Context()).Err()
	if got := queue.Classify(err); got != queue.ClassUnreachable || !strings.Contains(err.Error(), `no primary named "nobody"`) {
		t.Errorf("unknown name: error %v is of class %s", err, got)
	}

	// One sentinel is enough, and the first of the list may be the dead one.
	group.Sentinels[0].Kill()
	conn := open(t, Config{URLs: secrets(list), SentinelName: group.MasterName})
	if err := conn.Client().Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Errorf("with one sentinel dead: %v", err)
	}

	// With all of them dead the connections that exist go on.
	group.Sentinels[1].Kill()
	group.Sentinels[2].Kill()
	if err := conn.Client().Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Errorf("with all sentinels dead, on a connection that exists: %v", err)
	}
	dedicated := conn.Dedicated("")
	defer dedicated.Close()
	err = dedicated.Ping(t.Context()).Err()
	if got := queue.Classify(err); got != queue.ClassUnreachable {
		t.Errorf("with all sentinels dead, on a new connection: error %v is of class %s, want unreachable", err, got)
	}
	group.Sentinels[1].Restart()
	redistest.WaitFor(t, 20*time.Second, "the dedicated client to connect once a sentinel is back", func() bool {
		return dedicated.Ping(t.Context()).Err() == nil
	})
}

// A sentinel that lags behind names a replica as the primary.
func TestReplicaIsRefusedAsPrimary(t *testing.T) {
	t.Parallel()
	server := startFake(t, func(command []string) string {
		if command[0] == "role" {
			return "*1\r\n$5\r\nslave\r\n"
		}
		return ""
	})
	conn := open(t, Config{URLs: secrets("redis://" + server.addr()), SentinelName: "m"})
	err := calls["command"](t, conn.Client())
	if got := queue.Classify(err); got != queue.ClassRefused {
		t.Errorf("error %v is of class %s, want refused", err, got)
	}
	if n := server.count("evalsha"); n != 0 {
		t.Errorf("the replica was sent the script %d times", n)
	}
}

// increment is a script that counts how often it ran.
const increment = "return redis.call('INCR', KEYS[1])"

func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	// One seed is enough, and dead ones do no harm.
	dead := "redis://127.0.0.1:" + strconv.Itoa(redistest.FreePort(t))
	conn := open(t, Config{URLs: secrets(dead, cluster.URLs[2]), Cluster: true})
	if !conn.Cluster() {
		t.Error("the cluster does not call itself one")
	}
	for name, client := range onBoth(t, conn) {
		for range 30 {
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Fatalf("%s: command without a key: %v", name, err)
			}
			if _, err := client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
				return pipe.Time(t.Context()).Err()
			}); err != nil {
				t.Fatalf("%s: pipeline without a key: %v", name, err)
			}
		}
		for i := range 30 {
			key := fmt.Sprintf("%s-%d", name, i)
			got, err := client.Eval(t.Context(), increment, []string{key}).Int()
			if err != nil || got != 1 {
				t.Errorf("%s: script on %s returned %d, %v; want 1", name, key, got, err)
			}
		}
		cmds, err := client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
			for i := range 30 {
				pipe.Get(t.Context(), fmt.Sprintf("%s-%d", name, i))
			}
			return nil
		})
		if err != nil || len(cmds) != 30 {
			t.Errorf("%s: pipeline over all nodes: %d commands, %v", name, len(cmds), err)
		}
	}
}

// A slot changes its owner behind the client's back, then while it moves.
func TestClusterSlotMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	conn := open(t, Config{URLs: secrets(cluster.URLs[0]), Cluster: true})
	client := conn.Client()
	run := func(want int) {
		t.Helper()
		got, err := client.Eval(t.Context(), increment, []string{"{q}:n"}).Int()
		if err != nil || got != want {
			t.Errorf("script returned %d, %v; want %d", got, err, want)
		}
	}
	run(1)

	source := cluster.NodeFor(t, "{q}:n")
	destination := cluster.Nodes[0]
	if destination == source {
		destination = cluster.Nodes[1]
	}
	from, to := source.Client(), destination.Client()
	slot := from.ClusterKeySlot(t.Context(), "{q}:n").Val()
	do := func(client *redis.Client, args ...any) {
		t.Helper()
		if err := client.Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	nodeID := func(client *redis.Client) string { return client.Do(t.Context(), "CLUSTER", "MYID").Val().(string) }

	do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", nodeID(from))
	do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", nodeID(to))
	run(2) // still at the source
	do(from, "MIGRATE", "127.0.0.1", destination.Port(), "{q}:n", 0, 5000)
	run(3) // ASK
	for _, node := range []*redis.Client{to, from} {
		do(node, "CLUSTER", "SETSLOT", slot, "NODE", nodeID(to))
	}
	run(4) // MOVED
}

func TestClusterNodeKilledAndBack(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	conn := open(t, Config{URLs: secrets(cluster.URLs...), Cluster: true, ReadTimeout: time.Second})
	client := conn.Client()
	if err := client.Set(t.Context(), "a", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	owner := cluster.NodeFor(t, "a")
	owner.Kill()
	err := client.Set(t.Context(), "a", "v", 0).Err()
	switch class := queue.Classify(err); class {
	case queue.ClassUnreachable, queue.ClassUnknown:
	default:
		t.Errorf("dead node: error %v is of class %s", err, class)
	}
	owner.Restart()
	redistest.WaitFor(t, 20*time.Second, "the cluster to serve the slot again", func() bool {
		return client.Set(t.Context(), "a", "v", 0).Err() == nil
	})
}

// A client that goes on calling a dead node until its minute is over misses the
// replica that took over long before.
func TestClusterLearnsOfAFailover(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	owner := cluster.NodeFor(t, "a")
	cluster.AddReplica(t, owner)

	conn := open(t, Config{URLs: secrets(cluster.URLs...), Cluster: true, ReadTimeout: time.Second})
	client := conn.Client()
	if err := client.Set(t.Context(), "a", "before", 0).Err(); err != nil {
		t.Fatal(err)
	}
	owner.Kill()
	redistest.WaitFor(t, 30*time.Second, "a write through the promoted replica", func() bool {
		err := client.Set(t.Context(), "a", "after", 0).Err()
		if class := queue.Classify(err); class == queue.ClassOther || class == queue.ClassCorrupt {
			t.Fatalf("error %v is of class %s", err, class)
		}
		return err == nil
	})
	if got, err := client.Get(t.Context(), "a").Result(); err != nil || got != "after" {
		t.Errorf("read back %q, %v; want \"after\"", got, err)
	}
}

func TestClusterNodeAsSingleServer(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	other := cluster.Nodes[0]
	if cluster.NodeFor(t, "a") == other {
		other = cluster.Nodes[1]
	}
	conn := open(t, Config{URLs: secrets(other.URL())})
	err := conn.Client().Set(t.Context(), "a", "v", 0).Err()
	if got := queue.Classify(err); got != queue.ClassRefused {
		t.Errorf("error %v is of class %s, want refused", err, got)
	}
	single := redistest.Start(t)
	conn = open(t, Config{URLs: secrets(single.URL()), Cluster: true})
	err = conn.Client().Set(t.Context(), "a", "v", 0).Err()
	if got := queue.Classify(err); got != queue.ClassOther || !strings.Contains(err.Error(), "cluster support disabled") {
		t.Errorf("a single server taken for a cluster: error %v is of class %s", err, got)
	}
}
