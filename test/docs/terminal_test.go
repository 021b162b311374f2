//go:build linux

package docs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// columns is the width of the terminal that pages are written for.
const columns = 120

// openTerminal returns the end of a pseudo-terminal that a program gets, and a
// function that returns what was written to it once all its writers are gone.
func openTerminal(t *testing.T) (terminal *os.File, read func() string) {
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
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns}); err != nil {
		t.Fatalf("size of the pseudo-terminal: %v", err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("open the other end: %v", err)
	}
	written := make(chan string, 1)
	go func() {
		var out bytes.Buffer
		_, _ = io.Copy(&out, master) // ends with an error when the last writer has closed its end
		written <- strings.ReplaceAll(out.String(), "\r\n", "\n")
	}()
	return terminal, func() string {
		select {
		case text := <-written:
			return text
		case <-time.After(limit):
			t.Error("something in the background keeps the terminal: send its output elsewhere")
			return ""
		}
	}
}
