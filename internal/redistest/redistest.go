// Package redistest starts private Redis servers for tests: one server, a
// Sentinel trio, a cluster of three primaries. Each listens on 127.0.0.1 only,
// lives in a temporary directory, keeps nothing on disk unless asked, and dies
// with the test that started it.
//
// A machine without redis-server skips such tests and says so; with CI=true it
// fails them instead, because a suite that never met Redis proves nothing.
package redistest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// readyTimeout bounds the wait for a server to answer; a busy machine needs
	// far more than the usual 20 ms.
	readyTimeout = 20 * time.Second

	// Ports below the range that the kernel hands to outgoing connections: a
	// port stays ours while its server is down, so Restart can bind it again.
	firstPort, lastPort = 12000, 32000

	// startAttempts bounds the retries after losing a port to another test
	// between choosing it and binding it.
	startAttempts = 5
)

// Server is one redis-server process. Its methods fail the test that started
// it rather than return errors, and are meant for one goroutine at a time.
type Server struct {
	Addr string // host:port
	PID  int    // of the running process; changes with Restart
	Dir  string // its working directory: dump.rdb, appendonlydir, log

	t    testing.TB
	args []string
	proc *process
}

// Start runs a redis-server and waits until it answers. The arguments are
// redis-server's own ("--requirepass", "secret") and win over the defaults:
// no snapshots, no append-only file.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, func(port int, dir string) []string {
		return append(dataArgs(port, dir), args...)
	})
}

// dataArgs are the arguments of every server that holds data.
func dataArgs(port int, dir string) []string {
	return []string{
		"--port", strconv.Itoa(port),
		"--bind", "127.0.0.1",
		"--dir", dir,
		"--save", "",
		"--appendonly", "no",
		"--repl-diskless-sync-delay", "0",
	}
}

// URL returns redis://host:port/0.
func (s *Server) URL() string {
	return "redis://" + s.Addr + "/0"
}

// Port returns the TCP port.
func (s *Server) Port() int {
	_, port, _ := net.SplitHostPort(s.Addr)
	n, _ := strconv.Atoi(port)
	return n
}

// Client returns a new client without retries, closed when the test ends.
func (s *Server) Client() *redis.Client {
	client := redis.NewClient(&redis.Options{
		Addr: s.Addr, Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
	})
	s.t.Cleanup(func() { _ = client.Close() })
	return client
}

// Kill ends the process at once, as a crash would, and waits until it is gone.
// Killing a dead server does nothing.
func (s *Server) Kill() {
	s.t.Helper()
	s.end(syscall.SIGKILL)
}

// Stop asks the process to shut down, which writes what its persistence
// settings demand, and waits until it is gone. A process that has not gone
// after ten seconds is killed.
func (s *Server) Stop() {
	s.t.Helper()
	s.end(syscall.SIGTERM)
}

// Restart stops the server when it runs and starts it again on the same port,
// in the same directory, with the same arguments. It returns once the data set
// is loaded.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.launch(); err != nil {
		s.t.Fatalf("restart redis-server on %s: %v", s.Addr, err)
	}
}

// start chooses a port and launches a server on it, again with another port
// when a different process won the race for it. The arguments are asked for
// once per attempt, so they may hold further ports.
func start(t testing.TB, args func(port int, dir string) []string) *Server {
	t.Helper()
	requireBinary(t)
	dir := t.TempDir()
	var err error
	for range startAttempts {
		port := FreePort(t)
		s := &Server{
			Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Dir: dir,
			t: t, args: args(port, dir),
		}
		if err = s.launch(); err == nil {
			t.Cleanup(s.Kill)
			return s
		}
	}
	t.Fatalf("start redis-server: %v", err)
	return nil
}

// launch starts the process and waits for its first answer.
func (s *Server) launch() error {
	proc, err := run(filepath.Join(s.Dir, "log"), s.args)
	if err != nil {
		return err
	}
	if err := proc.waitReady(s.Addr); err != nil {
		return errors.Join(err, proc.end(syscall.SIGKILL))
	}
	s.proc, s.PID = proc, proc.cmd.Process.Pid
	return nil
}

func (s *Server) end(sig syscall.Signal) {
	s.t.Helper()
	if err := s.proc.end(sig); err != nil {
		s.t.Errorf("end redis-server %d: %v", s.PID, err)
	}
}

// FreePort returns a TCP port of 127.0.0.1 that nothing listens on and that the
// kernel does not give to outgoing connections.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatalf("release port %d: %v", port, err)
		}
		return port
	}
	t.Fatal("no free port on 127.0.0.1")
	return 0
}

// WaitFor polls ok until it holds and fails the test after the given time,
// naming what it waited for.
func WaitFor(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	if err := poll(limit, what, func() (bool, error) { return ok(), nil }); err != nil {
		t.Fatal(err)
	}
}

// poll calls ok every few milliseconds until it holds, fails, or time is up.
func poll(limit time.Duration, what string, ok func() (bool, error)) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok()
		if err != nil || done {
			return err
		}
		select {
		case <-deadline.C:
			return fmt.Errorf("after %s still waiting for %s", limit, what)
		case <-tick.C:
		}
	}
}

// requireBinary skips the test where redis-server is missing, or fails it in CI.
func requireBinary(t testing.TB) {
	t.Helper()
	_, err := exec.LookPath("redis-server")
	switch {
	case err == nil:
	case !errors.Is(err, exec.ErrNotFound), os.Getenv("CI") == "true":
		t.Fatalf("this test needs redis-server: %v", err)
	default:
		t.Skip("SKIPPED: redis-server is not installed, so nothing was tested against a real Redis")
	}
}
