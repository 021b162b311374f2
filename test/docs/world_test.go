//go:build linux

package docs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limit is how long one block may run.
const limit = 30 * time.Second

// world is what the commands of a page share.
type world struct {
	dir string // they run in it
	env []string
}

// newWorld makes a folder and a home; the embedded store begins with the first
// command that needs it and ends with the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	root := t.TempDir()
	w := &world{dir: filepath.Join(root, "work"), env: []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + filepath.Join(root, "home"),
		"NO_COLOR=1", "TERM=xterm", "TZ=UTC", "LC_ALL=C.UTF-8",
		"QCTL_COMPLETION_TIMEOUT=30s", // however busy the machine is
	}}
	for _, dir := range []string{"work", "home"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		// Not with the context of the test, which has ended by now.
		stop := exec.Command(filepath.Join(bin, "qctl"), "embedded", "stop")
		stop.Dir, stop.Env = w.dir, w.env
		if out, err := stop.CombinedOutput(); err != nil {
			t.Errorf("embedded stop: %v\n%s", err, out)
		}
	})
	return w
}

func (w *world) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(w.dir, name)
	mode := os.FileMode(0o600)
	if strings.HasPrefix(text, "#!") {
		mode = 0o700
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// embeddedLine begins what every command says in a world without Redis.
const embeddedLine = "qctl: using the embedded store in "

// shell runs a script as somebody at a terminal would see it: results first,
// then the rest. Its processes end with the test.
func (w *world) shell(t *testing.T, script string) (printed string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir, cmd.Env = w.dir, w.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // something in the background may hold the pipe
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	terminal, read := openTerminal(t)
	cmd.Stdout = terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = terminal.Close()
	group := cmd.Process.Pid
	t.Cleanup(func() { _ = syscall.Kill(-group, syscall.SIGKILL) })
	err := cmd.Wait()
	if ctx.Err() != nil {
		t.Errorf("still running after %v: %s", limit, script)
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return read() + errOut.String(), cmd.ProcessState.ExitCode()
}
