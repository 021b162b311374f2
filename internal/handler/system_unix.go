//go:build unix

package handler

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// exitText words how a process ended.
func exitText(state *os.ProcessState) string {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return fmt.Sprintf("exit status %d", state.ExitCode())
	}
	if name := unix.SignalName(status.Signal()); name != "" {
		return "killed by " + name
	}
	return fmt.Sprintf("killed by signal %d", int(status.Signal()))
}

// neededBySystem lists variables that no program can do without: none.
func neededBySystem([]string) []string { return nil }
