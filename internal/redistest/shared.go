package redistest

import (
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Shared is one server for all tests of a package, for tests that keep to keys
// of their own. The zero value starts it when it is first asked for; the
// package's TestMain closes it.
type Shared struct {
	once   sync.Once
	err    error
	dir    string
	server *Server
}

// Addr returns host:port of the running server. Without redis-server it skips
// or fails the test as [Start] does.
func (s *Shared) Addr(t testing.TB) string {
	t.Helper()
	requireBinary(t)
	s.once.Do(func() { s.err = s.start(t) })
	if s.err != nil {
		t.Fatalf("start the shared redis-server: %v", s.err)
	}
	return s.server.Addr
}

func (s *Shared) start(t testing.TB) error {
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		return err
	}
	s.dir = dir
	for range startAttempts {
		port := FreePort(t)
		server := &Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Dir: dir, args: dataArgs(port, dir)}
		if err = server.launch(); err == nil {
			s.server = server
			return nil
		}
	}
	return err
}

// Client returns a new client of the server, closed when the test ends.
func (s *Shared) Client(t testing.TB) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: s.Addr(t), Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Close ends the server, if it ever started, and deletes its directory.
func (s *Shared) Close() {
	if s.server != nil {
		_ = s.server.proc.end(syscall.SIGKILL)
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}
