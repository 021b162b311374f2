// Package e2e runs the built binary against real Redis processes, as an
// operator would.
package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/redistest"
)

// binary is the qctl under test.
var binary string

// TestMain builds it once.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "qctl-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "qctl")
	build := exec.Command("go", "build", "-o", binary, "../..")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	shared.Close()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var shared redistest.Shared

// qctl runs one command with the given environment and returns what it wrote
// and its exit code.
func qctl(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := command(env, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// must runs a command that has to succeed.
func must(t *testing.T, env []string, args ...string) string {
	t.Helper()
	stdout, stderr, code := qctl(t, env, args...)
	if code != 0 {
		t.Fatalf("qctl %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

func command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}, env...)
	return cmd
}

// writeProgram makes an executable script and returns its path.
func writeProgram(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
