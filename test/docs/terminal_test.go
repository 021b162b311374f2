//go:build linux

package docs

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/ptytest"
)

// columns is the width of the terminal that pages are written for.
const columns = 120

// openTerminal returns the end of a pseudo-terminal that a program gets, and a
// function that returns what was written to it once all its writers are gone.
func openTerminal(t *testing.T) (program *os.File, read func() string) {
	t.Helper()
	master, program := ptytest.Open(t)
	ptytest.Resize(t, master, columns, 40)
	written := make(chan string, 1)
	go func() {
		var out bytes.Buffer
		_, _ = io.Copy(&out, master) // ends with an error when the last writer has closed its end
		written <- strings.ReplaceAll(out.String(), "\r\n", "\n")
	}()
	return program, func() string {
		select {
		case text := <-written:
			return text
		case <-time.After(limit):
			t.Error("something in the background keeps the terminal: send its output elsewhere")
			return ""
		}
	}
}
