package handler

import (
	"fmt"
	"os"
	"strings"
)

// runLifeline refuses: job objects do its work here.
func runLifeline() int { return 2 }

// exitText words how a process ended.
func exitText(state *os.ProcessState) string {
	return fmt.Sprintf("exit status %d", state.ExitCode())
}

// neededBySystem lists variables without which hardly a program starts.
func neededBySystem(environ []string) []string {
	for _, entry := range environ {
		if name, _, ok := cutEntry(entry); ok && strings.EqualFold(name, "SYSTEMROOT") {
			return []string{entry}
		}
	}
	return nil
}
