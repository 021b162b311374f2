package tui

import (
	"errors"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/qctl/qctl/internal/hostiletest"
	"github.com/qctl/qctl/internal/queue"
)

// A payload in every text that the dashboard gets from elsewhere: names of
// queues and workers' Redis, every field of a job, its log, errors.
func TestHostileTextOnEveryScreen(t *testing.T) {
	t.Parallel()
	for i, p := range hostiletest.Payloads() {
		f := &fake{now: start}
		q := f.add(p, queue.Counts{Failed: 1, Waiting: 1}, 1, time.Minute, steady(1), steady(1))
		q.queue.Base.Name = "q"
		job := queue.Job{
			ID: p, Name: p, FailedReason: p, HasFailedReason: true, Attempts: 3, AttemptsMade: 1, ParentKey: p, ProcessedBy: p,
			DeduplicationID: p, RepeatJobKey: p, Corrupt: []string{p}, Timestamp: start, FinishedOn: start,
		}
		q.jobs[queue.StateFailed] = []queue.Job{job}
		size := [][2]int{{80, 24}, {200, 60}, {40, 8}, {1, 1}, {10_000, 3}}[i%5]
		r := newRig(t, f, size[0], size[1], func(o *Options) {
			o.Title, o.ReadOnlyWhy, o.ReadOnly = p, p, i%3 == 0
			o.Color, o.ASCII = i%2 == 0, i%4 == 1
		})
		look := func(where string) {
			t.Helper()
			view := r.m.View()
			fits(t, view, size[0], size[1])
			if !r.m.o.Color && strings.ContainsRune(view, '\x1b') && p != "" {
				view = strings.NewReplacer("\x1b[7m", "", "\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[m", "").Replace(view)
			} else {
				view = strip(view)
			}
			for n, line := range strings.Split(view, "\n") {
				if found := hostiletest.Dangers(line); found != nil {
					t.Fatalf("%q, %s, line %d: %q holds %v", p, where, n+1, line, found)
				}
			}
		}
		look("the list")
		r.press("p")
		look("after p")
		r.press("/")
		r.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(p)})
		look("the filter")
		r.press("esc", "enter", "6")
		look("the queue")
		r.press("enter")
		look("the job")
		r.press("r")
		look("after r")
		r.press("?")
		look("help")
		f.down = errors.New(p)
		r.pass(12 * time.Second)
		look("lost")
	}
}

// A window of any size, changed at any time, shows a frame that fits.
func TestWindowsOfAnySize(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 80, 24, nil)
	for _, keys := range [][]string{nil, {"down", "enter"}, {"enter"}, {"?"}} {
		r.press(keys...)
		for _, size := range [][2]int{{1, 1}, {10_000, 24}, {0, 0}, {2, 10_000}, {80, 1}, {1, 80}, {10_000, 1_000}, {80, 24}} {
			r.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			if size[0] > 0 {
				fits(t, r.m.View(), size[0], size[1])
			}
			r.pass(2 * time.Second)
			_ = r.m.View()
		}
	}
}
