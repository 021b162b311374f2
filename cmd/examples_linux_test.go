package cmd_test

import "testing"

// onTerminal types a text on a terminal, and keys when that terminal shows
// something. It must end well.
func (w *exampleWorld) onTerminal(t *testing.T, text, shows, keys string) {
	t.Helper()
	s := startOnScreen(t, w.command(t.Context(), text), t.TempDir())
	s.await(shows)
	if _, err := s.ends.WriteString(keys); err != nil {
		t.Fatal(err)
	}
	s.end(0)
}
