package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	sentinelCount  = 3
	sentinelQuorum = 2
)

// Sentinel is a primary with one replica, watched by three sentinels that call
// the primary dead after one second. The role names are those at the start: a
// failover makes Replica the primary.
type Sentinel struct {
	MasterName string
	URLs       []string // of the sentinels: redis://127.0.0.1:26379
	Primary    *Server
	Replica    *Server
	Sentinels  []*Server

	t testing.TB
}

// StartSentinel runs the five processes and waits until the replica follows the
// primary and every sentinel knows the replica and the other sentinels. The
// arguments go to primary and replica.
func StartSentinel(t testing.TB, args ...string) *Sentinel {
	t.Helper()
	s := &Sentinel{t: t, MasterName: "mymaster"}
	s.Primary = Start(t, args...)
	replicaArgs := append([]string{"--replicaof", fmt.Sprintf("127.0.0.1 %d", s.Primary.Port())}, args...)
	s.Replica = Start(t, replicaArgs...)
	for range sentinelCount {
		sentinel := s.startSentinel()
		s.Sentinels = append(s.Sentinels, sentinel)
		s.URLs = append(s.URLs, "redis://"+sentinel.Addr)
	}
	for _, sentinel := range s.Sentinels {
		client := sentinelClient(t, sentinel)
		WaitFor(t, readyTimeout, "sentinel "+sentinel.Addr+" to know its group", func() bool {
			state, err := client.Master(context.Background(), s.MasterName).Result()
			return err == nil && state["flags"] == "master" && state["num-slaves"] == "1" &&
				state["num-other-sentinels"] == strconv.Itoa(sentinelCount-1)
		})
	}
	replica := s.Replica.Client()
	WaitFor(t, readyTimeout, "the replica to follow its primary", func() bool { return inStep(replica) })
	return s
}

// inStep reports whether a replica has its primary's data.
func inStep(replica *redis.Client) bool {
	info, err := replica.Info(context.Background(), "replication").Result()
	return err == nil && strings.Contains(info, "master_link_status:up")
}

// PrimaryAddr returns the address that the first answering sentinel names as
// the primary, or "" when none answers.
func (s *Sentinel) PrimaryAddr() string {
	s.t.Helper()
	for _, sentinel := range s.Sentinels {
		client := sentinelClient(s.t, sentinel)
		addr, err := client.GetMasterAddrByName(context.Background(), s.MasterName).Result()
		if err == nil && len(addr) == 2 {
			return net.JoinHostPort(addr[0], addr[1])
		}
	}
	return ""
}

// startSentinel runs one sentinel. Sentinels rewrite their configuration file,
// so they get a real one, written again for each port that is tried.
func (s *Sentinel) startSentinel() *Server {
	s.t.Helper()
	return start(s.t, func(port int, dir string) []string {
		file := filepath.Join(dir, "sentinel.conf")
		text := fmt.Sprintf(`port %[4]d
bind 127.0.0.1
dir %[5]s
sentinel monitor %[1]s 127.0.0.1 %[2]d %[3]d
sentinel down-after-milliseconds %[1]s 1000
sentinel failover-timeout %[1]s 5000
sentinel parallel-syncs %[1]s 1
`, s.MasterName, s.Primary.Port(), sentinelQuorum, port, dir)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			s.t.Fatalf("write %s: %v", file, err)
		}
		return []string{file, "--sentinel"}
	})
}

func sentinelClient(t testing.TB, s *Server) *redis.SentinelClient {
	t.Helper()
	client := redis.NewSentinelClient(&redis.Options{
		Addr: s.Addr, Protocol: 2, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: time.Second, DisableIdentity: true,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
