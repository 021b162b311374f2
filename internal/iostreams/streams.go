// Package iostreams holds the three streams of a command and what is known
// about them: which are terminals, how wide, whether colour is wanted. It is
// the only package that looks at os.Stdout and its like, and the only one that
// asks the environment about colour and width. Everything else is told.
//
// # Closed pipes
//
// In "qctl jobs email | head -1" the reader goes away before the writer is
// done. By default a Go program then dies of SIGPIPE at its next write to
// standard output, at whatever point that happens to be. [System] turns that
// off: the write fails with an error for which [IsClosedPipe] holds. A command
// that only shows things returns that error, and qctl ends quietly with exit
// code 0. A command that changes things must not stop there: it finishes the
// change as if the line had been read, because half a bulk change is worse than
// a line that nobody sees.
package iostreams

import (
	"bytes"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/term"
)

// defaultWidth is assumed for a terminal that does not tell its width.
const defaultWidth = 80

// Terminals says which of the streams are terminals.
type Terminals struct{ In, Out, Err bool }

// Streams are a command's input and outputs. Results go to Out, everything
// else to Err. Neither is buffered: a line is out when Write returns, which
// following and watching depend on; bulk output brings a buffer of its own.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer

	in, out   *os.File // nil in tests
	terminals Terminals
	width     int // 0: ask the terminal
	color     bool
}

// System returns the streams of the process. It also makes a closed pipe an
// error instead of the death of the process; see the package comment.
func System() *Streams {
	// The channel is never read: catching the signal is enough to make the
	// write return its error. Ignoring it instead would be inherited by the
	// programs that a worker runs.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return fromFiles(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
}

// Test returns streams over buffers that are not terminals: no colour, no
// width, no prompts. The Set methods change that.
func Test() (s *Streams, in, out, err *bytes.Buffer) {
	in, out, err = &bytes.Buffer{}, &bytes.Buffer{}, &bytes.Buffer{}
	return &Streams{In: in, Out: out, Err: err}, in, out, err
}

// TestTerminal returns streams over a terminal that a test has opened.
func TestTerminal(f *os.File) *Streams {
	return fromFiles(f, f, f, func(string) string { return "" })
}

func fromFiles(in, out, err *os.File, getenv func(string) string) *Streams {
	s := &Streams{
		In: in, Out: pipeWriter{out}, Err: pipeWriter{err},
		in: in, out: out,
		terminals: Terminals{In: isTerminal(in), Out: isTerminal(out), Err: isTerminal(err)},
	}
	s.color = wantColor(s.terminals.Out, getenv)
	if columns, err := strconv.Atoi(getenv("COLUMNS")); err == nil && columns > 0 {
		s.width = columns
	}
	return s
}

func isTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd()))
}

// wantColor applies the conventions in the order of their strength: NO_COLOR
// (no-color.org), then the two variables that force colour, then those that
// say what the terminal can do.
func wantColor(terminal bool, getenv func(string) string) bool {
	if getenv("NO_COLOR") != "" {
		return false
	}
	for _, name := range []string{"CLICOLOR_FORCE", "FORCE_COLOR"} {
		switch getenv(name) {
		case "":
		case "0", "false":
			return false
		default:
			return true
		}
	}
	return terminal && getenv("TERM") != "dumb" && getenv("CLICOLOR") != "0"
}

// InIsTerminal reports whether somebody types the input.
func (s *Streams) InIsTerminal() bool { return s.terminals.In }

// OutIsTerminal reports whether somebody looks at the results; otherwise they
// go to a file or a program.
func (s *Streams) OutIsTerminal() bool { return s.terminals.Out }

// ErrIsTerminal reports whether somebody looks at what is not a result, such as
// a progress bar.
func (s *Streams) ErrIsTerminal() bool { return s.terminals.Err }

// CanPrompt reports whether a question can be asked and answered: questions go
// to Err, answers come from In.
func (s *Streams) CanPrompt() bool { return s.terminals.In && s.terminals.Err }

// Color reports whether results may have colours.
func (s *Streams) Color() bool { return s.color }

// Width returns the columns of the terminal that shows the results, as of now:
// it changes when the window does. COLUMNS wins over what the terminal says. 0
// means without limit, because no terminal shows them.
func (s *Streams) Width() int {
	switch {
	case !s.terminals.Out:
		return 0
	case s.width > 0:
		return s.width
	case s.out == nil:
		return defaultWidth
	}
	columns, _, err := term.GetSize(int(s.out.Fd()))
	if err != nil || columns <= 0 {
		return defaultWidth
	}
	return columns
}

// InFile returns the file behind In, for reading keys and passwords. It is nil
// for the streams of a test.
func (s *Streams) InFile() *os.File { return s.in }

// OutFile returns the file behind Out, for drawing on the whole screen. It is
// nil for the streams of a test.
func (s *Streams) OutFile() *os.File { return s.out }

// SetTerminals overrides which streams are terminals. Colour stays as it is.
func (s *Streams) SetTerminals(t Terminals) { s.terminals = t }

// SetWidth overrides the width of the terminal; 0 asks the terminal again.
func (s *Streams) SetWidth(columns int) { s.width = max(columns, 0) }

// SetColor overrides what was found out about colour, as --color does.
func (s *Streams) SetColor(on bool) { s.color = on }
