package iostreams

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// facts are what a command can learn from its streams.
type facts struct {
	In, Out, Err, Prompt, Color bool
	Width                       int
}

func factsOf(s *Streams) facts {
	return facts{
		In: s.InIsTerminal(), Out: s.OutIsTerminal(), Err: s.ErrIsTerminal(),
		Prompt: s.CanPrompt(), Color: s.Color(), Width: s.Width(),
	}
}

func TestWantColor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		terminal bool
		env      []string
		want     bool
	}{
		{"terminal", true, nil, true},
		{"pipe", false, nil, false},
		{"NO_COLOR", true, []string{"NO_COLOR=1"}, false},
		{"NO_COLOR set to nothing", true, []string{"NO_COLOR="}, true},
		{"NO_COLOR beats CLICOLOR_FORCE", true, []string{"NO_COLOR=1", "CLICOLOR_FORCE=1"}, false},
		{"CLICOLOR_FORCE in a pipe", false, []string{"CLICOLOR_FORCE=1"}, true},
		{"FORCE_COLOR in a pipe", false, []string{"FORCE_COLOR=3"}, true},
		{"FORCE_COLOR turned off", true, []string{"FORCE_COLOR=0"}, false},
		{"FORCE_COLOR false", true, []string{"FORCE_COLOR=false"}, false},
		{"CLICOLOR_FORCE on a dumb terminal", true, []string{"TERM=dumb", "CLICOLOR_FORCE=1"}, true},
		{"dumb terminal", true, []string{"TERM=dumb"}, false},
		{"CLICOLOR turned off", true, []string{"CLICOLOR=0"}, false},
		{"CLICOLOR does not force", false, []string{"CLICOLOR=1"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := wantColor(test.terminal, env(test.env...)); got != test.want {
				t.Errorf("colour is %t, want %t", got, test.want)
			}
		})
	}
}

func TestFilesAreNoTerminals(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := fromFiles(file, file, file, env("COLUMNS=120", "TERM=xterm"))
	if diff := cmp.Diff(facts{}, factsOf(s)); diff != "" {
		t.Errorf("streams over a file (-want +got):\n%s", diff)
	}
	if s.InFile() != file || s.OutFile() != file {
		t.Error("the files behind the streams are not the ones given")
	}
}

func TestTestStreams(t *testing.T) {
	t.Parallel()
	s, in, out, errOut := Test()
	if diff := cmp.Diff(facts{}, factsOf(s)); diff != "" {
		t.Errorf("fresh streams (-want +got):\n%s", diff)
	}
	in.WriteString("typed")
	typed, err := io.ReadAll(s.In)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(s.Out, "result")
	fmt.Fprint(s.Err, "talk")
	got := []string{string(typed), out.String(), errOut.String()}
	if diff := cmp.Diff([]string{"typed", "result", "talk"}, got); diff != "" {
		t.Errorf("in, out, err (-want +got):\n%s", diff)
	}
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	s, _, _, _ := Test()
	s.SetTerminals(Terminals{In: true, Out: true})
	s.SetColor(true)
	want := facts{In: true, Out: true, Color: true, Width: defaultWidth}
	if diff := cmp.Diff(want, factsOf(s)); diff != "" {
		t.Errorf("questions nobody sees (-want +got):\n%s", diff)
	}

	s.SetTerminals(Terminals{In: true, Out: true, Err: true})
	s.SetWidth(132)
	s.SetColor(false)
	want = facts{In: true, Out: true, Err: true, Prompt: true, Width: 132}
	if diff := cmp.Diff(want, factsOf(s)); diff != "" {
		t.Errorf("a terminal of 132 columns (-want +got):\n%s", diff)
	}
}

func TestClosedPipeIsAnError(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	s := fromFiles(writer, writer, writer, env())
	if _, err := fmt.Fprintln(s.Out, "read"); err != nil {
		t.Fatalf("write while the reader is there: %v", err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	for name, stream := range map[string]io.Writer{"out": s.Out, "err": s.Err} {
		_, err := fmt.Fprintln(stream, "unread")
		if !IsClosedPipe(fmt.Errorf("print jobs: %w", err)) {
			t.Errorf("write to %s without a reader: %v; want a closed pipe", name, err)
		}
	}
}

func TestOtherErrorsAreNoClosedPipe(t *testing.T) {
	t.Parallel()
	lostRedis := &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}
	for _, err := range []error{nil, io.EOF, os.ErrClosed, lostRedis} {
		if IsClosedPipe(err) {
			t.Errorf("IsClosedPipe(%v) holds", err)
		}
	}
}

// TestClosedStdoutDoesNotKill runs this test binary as a program whose standard
// output nobody reads. Only file descriptors 1 and 2 raise SIGPIPE in Go, so
// nothing less than a process shows it.
func TestClosedStdoutDoesNotKill(t *testing.T) {
	const asProgram = "IOSTREAMS_TEST_WRITES_TO_STDOUT"
	if os.Getenv(asProgram) != "" {
		s := System()
		_, err := fmt.Fprintln(s.Out, "unread")
		fmt.Fprintf(s.Err, "closed pipe: %t", IsClosedPipe(err))
		os.Exit(0)
	}
	t.Parallel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	var stderr strings.Builder
	program := exec.Command(os.Args[0], "-test.run=^TestClosedStdoutDoesNotKill$")
	program.Env = append(os.Environ(), asProgram+"=1")
	program.Stdout, program.Stderr = writer, &stderr
	if err := program.Run(); err != nil {
		t.Errorf("the program died: %v", err)
	}
	if got, want := stderr.String(), "closed pipe: true"; got != want {
		t.Errorf("stderr is %q, want %q", got, want)
	}
}
