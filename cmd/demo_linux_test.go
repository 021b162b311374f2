package cmd_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/ptytest"
	"github.com/qctl/qctl/internal/redistest"
)

// screen is a pseudo-terminal with a program on it.
type screen struct {
	t       *testing.T
	ends    *os.File // what a person has of a terminal
	program *exec.Cmd
	tmp     string // its folder for temporary files
	over    chan struct{}

	mu    sync.Mutex
	shown bytes.Buffer // everything that was ever sent to the screen
}

// onScreen starts qctl on a terminal, with no Redis.
func onScreen(t *testing.T, args ...string) *screen {
	t.Helper()
	program := exec.CommandContext(t.Context(), "qctl", args...)
	tmp := t.TempDir()
	program.Env = append(os.Environ(), "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=", "TMPDIR="+tmp, "REDIS_URL=redis://127.0.0.1:1")
	return startOnScreen(t, program, tmp)
}

// startOnScreen starts a program on a terminal of 100 columns and 30 lines.
func startOnScreen(t *testing.T, program *exec.Cmd, tmp string) *screen {
	t.Helper()
	ends, side := ptytest.Open(t)
	s := &screen{t: t, ends: ends, program: program, tmp: tmp, over: make(chan struct{})}
	s.program.Stdin, s.program.Stdout, s.program.Stderr = side, side, side
	s.program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := errors.Join(s.program.Start(), side.Close()); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.program.Wait() // its exit code is in the state
		close(s.over)
	}()
	go s.read()
	t.Cleanup(func() { _ = s.program.Process.Kill(); _ = ends.Close() })
	return s
}

// read keeps what the program sends, until it has gone.
func (s *screen) read() {
	part := make([]byte, 4096)
	for {
		n, err := s.ends.Read(part)
		s.mu.Lock()
		s.shown.Write(part[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *screen) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.shown.String(), text)
}

// await waits until all texts were on the screen.
func (s *screen) await(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		redistest.WaitFor(s.t, time.Minute, fmt.Sprintf("%q on the screen", text), func() bool { return s.has(text) })
	}
}

// end waits for the program, and compares its exit code. Its folder for
// temporary files must be empty by then.
func (s *screen) end(code int) {
	s.t.Helper()
	select {
	case <-time.After(time.Minute):
		s.t.Fatal("it does not end")
	case <-s.over:
	}
	if got := s.program.ProcessState.ExitCode(); got != code {
		s.t.Errorf("exit code %d, want %d", got, code)
	}
	left, err := os.ReadDir(s.tmp)
	if err != nil || len(left) > 0 {
		s.t.Errorf("left behind: %v, %v", left, err)
	}
}

// On a terminal the demo is the dashboard, in which every status is seen, until
// q is pressed; then it says what to do next.
func TestDemoOnTerminal(t *testing.T) {
	t.Parallel()
	s := onScreen(t, "demo")
	s.await("qctl top", "[demo: simulated jobs]", "no-workers", "failing", "late", "busy", "paused", "webhook-outb")
	if _, err := s.ends.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	s.end(0)
	s.await("the demo is over: ", "qctl enqueue email queueId=1, then qctl top", "REDIS_URL=redis://HOST:6379 qctl top")
}

// With --for it ends by itself, and nothing can be changed in it with
// --read-only.
func TestDemoOnTerminalForAWhile(t *testing.T) {
	t.Parallel()
	s := onScreen(t, "demo", "--for", "2s", "--read-only")
	s.await("[demo: simulated jobs]", "read-only")
	s.end(0)
	s.await("the demo is over: ")
}

// A signal ends it with its exit code, and leaves nothing either.
func TestDemoOnTerminalIsInterrupted(t *testing.T) {
	t.Parallel()
	s := onScreen(t, "demo")
	s.await("[demo: simulated jobs]", "no-workers")
	if err := s.program.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.end(143)
}

// A terminal that is closed ends it, too.
func TestDemoTerminalIsClosed(t *testing.T) {
	t.Parallel()
	s := onScreen(t, "demo")
	s.await("[demo: simulated jobs]", "no-workers")
	if err := s.ends.Close(); err != nil {
		t.Fatal(err)
	}
	s.end(0)
}

// A store outlives a demo that was killed by seconds only.
func TestDemoIsKilled(t *testing.T) {
	t.Parallel()
	s := onScreen(t, "demo")
	s.await("[demo: simulated jobs]", "no-workers")
	if err := s.program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.over
	redistest.WaitFor(t, time.Minute, "the end of the store", func() bool {
		left, err := os.ReadDir(s.tmp)
		return err == nil && len(left) == 0
	})
}
