package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/qctl/qctl/internal/ptytest"
	"github.com/qctl/qctl/internal/redistest"
)

// screen is a pseudo-terminal with a program on it.
type screen struct {
	t      *testing.T
	master *os.File
	side   *os.File
	cmd    *exec.Cmd
	ended  chan struct{}

	mu    sync.Mutex
	shown []byte
}

func openScreen(t *testing.T, rows, columns uint16, env []string, args ...string) *screen {
	t.Helper()
	master, side := ptytest.Open(t)
	s := &screen{t: t, master: master, side: side, ended: make(chan struct{})}
	s.resize(rows, columns)
	s.cmd = command(env, args...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = side, side, side
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return s
}

func (s *screen) start() {
	s.t.Helper()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		part := make([]byte, 4096)
		for {
			n, err := s.master.Read(part)
			s.mu.Lock()
			s.shown = append(s.shown, part[:n]...)
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
}

func (s *screen) resize(rows, columns uint16) {
	s.t.Helper()
	ptytest.Resize(s.t, s.master, columns, rows)
}

func (s *screen) shows(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Contains(s.shown, []byte(text))
}

// settings are those of stty.
func (s *screen) settings() unix.Termios {
	s.t.Helper()
	return ptytest.Settings(s.t, s.side)
}

func (s *screen) end() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Kill()
		s.t.Fatalf("it goes on: %q", s.shown)
	}
	return s.cmd.ProcessState.ExitCode()
}

// However the dashboard ends, the terminal is as it was: its settings, the main
// screen, the cursor.
func TestTerminalIsRestored(t *testing.T) {
	t.Parallel()
	env := []string{"REDIS_URL=" + redistest.Start(t).URL(), "TERM=xterm-256color", "LANG=C.UTF-8"}
	must(t, env, "enqueue", "email", "queueId=1")
	for name, c := range map[string]struct {
		end  func(*screen) error
		code int
	}{
		"q":       {func(s *screen) error { _, err := s.master.WriteString("q"); return err }, 0},
		"ctrl+c":  {func(s *screen) error { _, err := s.master.WriteString("\x03"); return err }, 0},
		"SIGINT":  {func(s *screen) error { return s.cmd.Process.Signal(syscall.SIGINT) }, 130},
		"SIGTERM": {func(s *screen) error { return s.cmd.Process.Signal(syscall.SIGTERM) }, 143},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openScreen(t, 24, 80, env, "top")
			before := s.settings()
			s.start()
			redistest.WaitFor(t, 30*time.Second, "the list", func() bool { return s.shows("email") })
			if s.settings() == before {
				t.Error("the dashboard changes nothing, so nothing is shown here")
			}
			// The window changes while it draws.
			for _, size := range [][2]uint16{{1, 1}, {60, 10_000}, {2, 3}, {24, 80}} {
				s.resize(size[0], size[1])
				if err := s.cmd.Process.Signal(syscall.SIGWINCH); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.end(s); err != nil {
				t.Fatal(err)
			}
			if code := s.end(); code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
			if after := s.settings(); after != before {
				t.Errorf("the settings were %+v and are %+v", before, after)
			}
			redistest.WaitFor(t, 10*time.Second, "the main screen and the cursor", func() bool {
				return s.shows("\x1b[?1049l") && s.shows("\x1b[?25h")
			})
		})
	}
}

// The dashboard has the embedded store back after a kill, alone with it, and
// shows what comes next.
func TestTopAloneAfterKill(t *testing.T) {
	t.Parallel()
	env, _ := ownStore(t)
	must(t, env, "enqueue", "email", "queueId=1")
	s := openScreen(t, 24, 80, append(env, "TERM=xterm-256color", "LANG=C.UTF-8"), "top")
	s.start()
	redistest.WaitFor(t, 30*time.Second, "the list", func() bool { return s.shows("email") })
	killAlone(t, env)
	must(t, env, "enqueue", "email", "queueId=2")
	redistest.WaitFor(t, 30*time.Second, "another job", func() bool { return s.shows("2 waiting") })
	if _, err := s.master.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if code := s.end(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// Tables are readable in the poorest terminals.
func TestPoorTerminals(t *testing.T) {
	t.Parallel()
	url := "REDIS_URL=" + redistest.Start(t).URL()
	must(t, []string{url}, "enqueue", "email", "queueId=1")
	for _, env := range [][]string{{"TERM=dumb", "LC_ALL=C"}, {"LC_ALL=C", "TERM=xterm"}, {"TERM="}, {"TERM=dumb", "LANG=C.UTF-8"}} {
		for _, size := range [][2]uint16{{1, 1}, {24, 10_000}, {24, 80}} {
			for _, args := range [][]string{{"stats"}, {"jobs", "email"}, {"queues"}, {"show", "email", "1"}} {
				s := openScreen(t, size[0], size[1], append([]string{url}, env...), args...)
				s.start()
				if code := s.end(); code != 0 {
					t.Errorf("%v at %v with %v: exit %d", args, size, env, code)
				}
				redistest.WaitFor(t, 10*time.Second, "output", func() bool { return s.shows("\n") })
				if env[0] == "TERM=dumb" && s.shows("\x1b") {
					t.Errorf("%v with %v: an escape", args, env)
				}
			}
		}
	}
}
