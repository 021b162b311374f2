package iostreams

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/ptytest"
)

// openTerminal returns the end of a terminal without a size that a program would
// get, and a function that sets its width.
func openTerminal(t *testing.T) (program *os.File, resize func(columns uint16)) {
	t.Helper()
	person, program := ptytest.Open(t)
	ptytest.Resize(t, person, 0, 0)
	return program, func(columns uint16) {
		t.Helper()
		ptytest.Resize(t, person, columns, 40)
	}
}

func TestRealTerminal(t *testing.T) {
	t.Parallel()
	terminal, resize := openTerminal(t)
	s := fromFiles(terminal, terminal, terminal, env("TERM=xterm"))

	want := facts{In: true, Out: true, Err: true, Prompt: true, Color: true, Width: defaultWidth}
	if diff := cmp.Diff(want, factsOf(s)); diff != "" {
		t.Errorf("a terminal without a size (-want +got):\n%s", diff)
	}
	resize(132)
	want.Width = 132
	if diff := cmp.Diff(want, factsOf(s)); diff != "" {
		t.Errorf("after a resize (-want +got):\n%s", diff)
	}
}

func TestColumnsOverridesTheTerminal(t *testing.T) {
	t.Parallel()
	terminal, resize := openTerminal(t)
	resize(132)
	for columns, want := range map[string]int{"100": 100, "": 132, "0": 132, "-5": 132, "wide": 132} {
		s := fromFiles(terminal, terminal, terminal, env("COLUMNS="+columns))
		if got := s.Width(); got != want {
			t.Errorf("COLUMNS=%q: width %d, want %d", columns, got, want)
		}
	}
}

func TestOnlyResultsInAPipe(t *testing.T) {
	t.Parallel()
	terminal, resize := openTerminal(t)
	resize(132)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	s := fromFiles(terminal, writer, terminal, env())
	want := facts{In: true, Err: true, Prompt: true}
	if diff := cmp.Diff(want, factsOf(s)); diff != "" {
		t.Errorf("results piped, the rest on a terminal (-want +got):\n%s", diff)
	}
}
