//go:build !linux

package cmd_test

import "testing"

// onTerminal is never called: what needs a terminal is skipped before.
func (*exampleWorld) onTerminal(t *testing.T, _, _, _ string) {
	t.Helper()
	t.Skip("terminals are opened on Linux only")
}
