package tui

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/qctl/qctl/internal/ptytest"
)

// A program with a dashboard in it must not ask the terminal anything when it
// starts: it would wait five seconds for a terminal that does not answer, in
// every command. The test binary itself is such a program.
func TestNothingIsAskedAtTheStart(t *testing.T) {
	t.Parallel()
	terminal, side := ptytest.Open(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^$")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = side, side, side
	cmd.Env = []string{"TERM=xterm-256color"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := errors.Join(cmd.Start(), side.Close()); err != nil {
		t.Fatal(err)
	}
	shown := make([]byte, 0, 4096)
	for {
		part := make([]byte, 1024)
		n, err := terminal.Read(part) // fails when the program has gone
		shown = append(shown, part[:n]...)
		if err != nil || bytes.Contains(shown, []byte("PASS")) {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if !bytes.Contains(shown, []byte("PASS")) || strings.ContainsRune(string(shown), '\x1b') {
		t.Errorf("the terminal was sent %q", shown)
	}
}
