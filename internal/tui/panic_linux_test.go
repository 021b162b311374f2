package tui

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/qctl/qctl/internal/ptytest"
	"github.com/qctl/qctl/internal/queue"
)

// crashing is a model that panics in one place, once it has been on the screen.
type crashing struct {
	tea.Model
	inUpdate, inView bool
	seen             *atomic.Bool
}

// Update panics, or not.
func (c *crashing) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if c.inUpdate && c.seen.Load() {
		panic("for the test")
	}
	_, cmd := c.Model.Update(msg)
	return c, cmd
}

// View panics, or not.
func (c *crashing) View() string {
	if c.inView && c.seen.Load() {
		panic("for the test")
	}
	return c.Model.View()
}

// asked is a source that panics once the dashboard has been on the screen.
type asked struct {
	*fake
	seen *atomic.Bool
}

// Counts panics, or not.
func (a asked) Counts(ctx context.Context, bases []queue.KeyBase) ([]queue.Counts, error) {
	if a.seen.Load() {
		panic("for the test")
	}
	return a.fake.Counts(ctx, bases)
}

// B38: wherever the dashboard panics, the terminal is as it was before: its
// settings, the main screen, the cursor; and nothing of the stack is on it.
func TestB38PanicRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"Update", "View", "command"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			person, program := ptytest.Open(t)
			before := ptytest.Settings(t, program)
			seen := &atomic.Bool{}
			shown := make(chan string, 1)
			go readUntilMainScreen(person, seen, shown)
			o := Options{Source: night(), In: program, Out: program, Refresh: 10 * time.Millisecond, Now: time.Now}
			if where == "command" {
				o.Source = asked{night(), seen}
			}
			err := run(t.Context(), o, &crashing{newModel(t.Context(), o), where == "Update", where == "View", seen})
			crash := &PanicError{}
			if !errors.As(err, &crash) || crash.Value != "for the test" || !bytes.Contains(crash.Stack, []byte("panic_linux_test.go")) {
				t.Errorf("got %v", err)
			}
			if after := ptytest.Settings(t, program); after != before {
				t.Errorf("the settings were %+v and are %+v", before, after)
			}
			select {
			case screen := <-shown:
				if !strings.Contains(screen, "\x1b[?25h") || strings.Contains(screen, "goroutine") || strings.Contains(screen, "panic") {
					t.Errorf("the terminal was sent %q", screen)
				}
			case <-time.After(30 * time.Second):
				t.Error("the screen is not given back")
			}
		})
	}
}

// readUntilMainScreen reads what a program sends to the screen until it leaves
// the alternate one and shows the cursor.
func readUntilMainScreen(person *os.File, seen *atomic.Bool, shown chan<- string) {
	var all []byte
	part := make([]byte, 4096)
	for {
		n, err := person.Read(part)
		all = append(all, part[:n]...)
		if bytes.Contains(all, []byte("webhooks")) {
			seen.Store(true)
		}
		if at := bytes.Index(all, []byte("\x1b[?1049l")); err != nil || at >= 0 && bytes.Contains(all[at:], []byte("\x1b[?25h")) {
			shown <- string(all)
			return
		}
	}
}
