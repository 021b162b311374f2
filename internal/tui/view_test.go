package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/qctl/qctl/internal/queue"
)

var update = flag.Bool("update", false, "write the golden frames anew")

func strip(s string) string { return ansi.Strip(s) }

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got+"\n"); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// fits fails where a frame is wider or higher than its window.
func fits(t interface {
	Helper()
	Fatalf(string, ...any)
}, frame string, w, h int,
) {
	t.Helper()
	lines := strings.Split(frame, "\n")
	if len(lines) > h {
		t.Fatalf("%d lines in a window of %dx%d", len(lines), w, h)
	}
	for i, l := range lines {
		if got := ansi.StringWidth(l); got > w {
			t.Fatalf("line %d is %d wide in a window of %dx%d: %q", i, got, w, h, l)
		}
	}
}

func TestOverviewAtEverySize(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{30, 5}, {40, 8}, {60, 20}, {80, 24}, {120, 40}, {200, 60}, {80, 50}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, night(), size[0], size[1], nil)
			r.press("down")
			fits(t, r.m.View(), size[0], size[1])
			golden(t, fmt.Sprintf("overview_%dx%d", size[0], size[1]), r.screen())
		})
	}
}

func TestOtherFrames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		w, h   int
		change func(*Options)
		do     func(*rig)
	}{
		{"overview_color", 80, 24, func(o *Options) { o.Color = true }, nil},
		{"overview_ascii", 80, 24, func(o *Options) { o.ASCII = true }, nil},
		{"queue_80x24", 80, 24, nil, func(r *rig) { r.press("down", "enter") }},
		{"queue_120x40", 120, 40, nil, func(r *rig) { r.press("down", "enter", "down", "down", "down") }},
		{"queue_45x12", 45, 12, nil, func(r *rig) { r.press("down", "enter") }},
		{"job_80x24", 80, 24, nil, func(r *rig) { r.press("down", "enter", "enter") }},
		{"job_120x40", 120, 40, nil, func(r *rig) { r.press("down", "enter", "enter") }},
		{"help_80x24", 80, 24, nil, func(r *rig) { r.press("?") }},
		{"lost_80x24", 80, 24, nil, func(r *rig) { r.f.down = errDown; r.pass(12 * time.Second) }},
		{"empty_80x24", 80, 24, nil, func(r *rig) { r.f.queues = nil; r.send(r.m.load.discover()()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, night(), c.w, c.h, c.change)
			if c.do != nil {
				c.do(r)
			}
			frame := r.m.View()
			fits(t, frame, c.w, c.h)
			if c.name == "overview_color" {
				golden(t, c.name, strings.ReplaceAll(frame, "\x1b", "ESC"))
				return
			}
			golden(t, c.name, strip(frame))
		})
	}
}

// In a terminal that shows ASCII only, nothing else may reach it, whatever the
// queues and jobs are called.
func TestASCIIIsASCII(t *testing.T) {
	t.Parallel()
	f := night()
	f.add("größe-日本", queue.Counts{Waiting: 1}, 0, time.Hour, steady(1), steady(1))
	for _, keys := range [][]string{{}, {"?"}, {"enter"}, {"down", "down", "enter", "enter"}, {"/", "ö"}} {
		for _, size := range [][2]int{{30, 5}, {60, 20}, {80, 24}, {120, 40}, {200, 60}} {
			r := newRig(t, f, size[0], size[1], func(o *Options) { o.ASCII = true })
			r.press(keys...)
			for _, c := range r.m.View() {
				if c >= 0x80 {
					t.Fatalf("%q at %v after %v:\n%s", c, size, keys, r.screen())
				}
			}
		}
	}
}

// Without colour the selection and what is bad still stand out, and no colour
// is sent.
func TestMono(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 80, 24, nil)
	frame := r.m.View()
	if !strings.Contains(frame, "\x1b[7m") {
		t.Error("the selection is not reversed")
	}
	for _, code := range []string{"\x1b[3", "\x1b[9", "\x1b[4"} {
		if strings.Contains(frame, code) {
			t.Errorf("a colour in %q", frame)
		}
	}
}

// hostile are names and reasons that try to take over the terminal.
var hostile = []string{
	"\x1b[2J\x1b]0;owned\x07", "a\rb\bc\nd", "\u202egnp.exe", "日本語のとても長いキュー名", "e\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
	"\u009b31m", "\xff\xfe", "👩‍👩‍👧‍👦 family", "\u200b\u200b", strings.Repeat("x", 5000), "", "back\\slash", "\x1bP+q\x1b\\",
}

func hostileNight() *fake {
	f := night()
	for i, name := range hostile {
		q := f.add(name, queue.Counts{Waiting: int64(i), Failed: 2}, 1, time.Hour, steady(3), steady(3))
		for state := range map[queue.State]bool{queue.StateFailed: true, queue.StateWaiting: true} {
			q.jobs[state] = []queue.Job{
				{ID: "id" + name, Name: name, FailedReason: name + "\n" + name, HasFailedReason: true, ProcessedBy: name, Corrupt: []string{name}},
				{ID: fmt.Sprint(i), Name: name, FailedReason: name, HasFailedReason: true, DeduplicationID: name, ParentKey: name},
			}
		}
	}
	f.add("broken", queue.Counts{Err: fmt.Errorf("WRONGTYPE \x1b[2J %w", queue.ErrCorrupt)}, 0, 0, nil, nil)
	return f
}

// harmless fails where a frame holds an escape that is not the theme's.
func harmless(t interface {
	Helper()
	Fatalf(string, ...any)
}, m *model,
) {
	t.Helper()
	frame := m.View()
	for _, code := range m.theme.codes {
		if code.on != "" {
			frame = strings.ReplaceAll(strings.ReplaceAll(frame, code.on, ""), code.off, "")
		}
	}
	for _, c := range frame {
		if c != '\n' && (c < ' ' || c >= 0x7f && c < 0xa0 || c >= 0x200b && c <= 0x200f || c >= 0x202a && c <= 0x202e) {
			t.Fatalf("%q in %q", c, frame)
		}
	}
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{30, 5}, {45, 12}, {80, 24}, {200, 60}} {
		r := newRig(t, hostileNight(), size[0], size[1], func(o *Options) { o.Title = hostile[0] })
		for range len(r.m.rows) {
			for _, keys := range [][]string{{"p"}, {"enter"}, {"r"}, {"enter"}, {"r"}, {"esc"}, {"tab"}, {"esc"}, {"down"}} {
				r.press(keys...)
				fits(t, r.m.View(), size[0], size[1])
				harmless(t, r.m)
			}
		}
	}
}

// Whatever is pressed, and however the window changes, nothing panics and every
// frame fits.
func TestRandomWalk(t *testing.T) {
	t.Parallel()
	keys := []string{
		"j", "k", "down", "up", "g", "G", "pgdown", "pgup", "ctrl+d", "ctrl+u", "enter", "enter", "enter", "esc", "esc", "tab", "shift+tab",
		"1", "2", "3", "4", "5", "6", "7", "r", "p", "/", "a", "!", "~", "?", "backspace", "home", "end", " ", "x", "日", "Gpq",
	}
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, hostileNight(), 80, 24, func(o *Options) {
			o.ASCII = rapid.Bool().Draw(rt, "ascii")
			o.Color = rapid.Bool().Draw(rt, "color")
		})
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				w := rapid.OneOf(rapid.IntRange(0, 250), rapid.SampledFrom([]int{1, 39, 40, 79, 80, 10000})).Draw(rt, "w")
				h := rapid.OneOf(rapid.IntRange(0, 80), rapid.SampledFrom([]int{1, 7, 8, 23, 24})).Draw(rt, "h")
				r.m.Update(tea.WindowSizeMsg{Width: w, Height: h})
			case 1:
				r.f.down = nil
				if rapid.Bool().Draw(rt, "down") {
					r.f.down = errDown
				}
				r.f.now = r.f.now.Add(3 * time.Second)
				r.send(r.run(r.m.refresh())...)
			case 2:
				if n := len(r.f.queues); n > 1 {
					r.f.queues = r.f.queues[:n-1]
				}
				r.send(r.m.load.discover()())
			default:
				r.press(rapid.SampledFrom(keys).Draw(rt, "key"))
			}
			fits(rt, r.m.View(), r.m.w, max(r.m.h, 1))
			harmless(rt, r.m)
		}
	})
}
