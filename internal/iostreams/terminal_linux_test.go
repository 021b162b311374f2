package iostreams

import (
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// openTerminal returns the end of a pseudo-terminal that a program would get,
// and a function that sets its width.
func openTerminal(t *testing.T) (terminal *os.File, resize func(columns uint16)) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("open a pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatalf("unlock the pseudo-terminal: %v", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatalf("number of the pseudo-terminal: %v", err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("open the other end: %v", err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return terminal, func(columns uint16) {
		t.Helper()
		if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns}); err != nil {
			t.Fatalf("resize to %d columns: %v", columns, err)
		}
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
