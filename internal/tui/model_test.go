package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func (r *rig) names() (names []string) {
	for _, row := range r.m.shown() {
		names = append(names, row.Name)
	}
	return names
}

func TestAttentionFirst(t *testing.T) {
	t.Parallel()
	f := night()
	f.add("late", queue.Counts{Waiting: 1}, 1, 6*time.Minute, steady(1), steady(0))
	f.add("broken", queue.Counts{Err: queue.ErrCorrupt}, 0, 0, nil, nil)
	r := newRig(t, f, 80, 24, nil)
	want := []string{"broken", "webhooks", "billing", "late", "digest", "email", "orchestration", "sms", "search-index"}
	if diff := cmp.Diff(want, r.names()); diff != "" {
		t.Error(diff)
	}
	if got := r.m.selectedRow().Name; got != "broken" {
		t.Errorf("%s is selected before anybody moved", got)
	}
}

// The selection stays on its queue when the order changes.
func TestSelectionIsFollowed(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 80, 24, nil)
	r.press("G")
	if got := r.m.selectedRow().Name; got != "search-index" {
		t.Fatalf("the last is %s", got)
	}
	r.f.of(base("search-index")).counts = queue.Counts{Waiting: 5}
	r.f.of(base("search-index")).workers = 0
	r.pass(workersEvery)
	if r.m.selectedRow().Name != "search-index" || r.m.cursor != 0 {
		t.Errorf("%s at %d is selected", r.m.selectedRow().Name, r.m.cursor)
	}
	r.f.queues = r.f.queues[:6]
	r.send(r.m.load.discover()())
	if got := r.m.selectedRow().Name; got != "webhooks" {
		t.Errorf("%s is selected instead of the queue that went", got)
	}
}

func TestWorkersUnknownIsNotNone(t *testing.T) {
	t.Parallel()
	f := night()
	f.noWorkers = true
	r := newRig(t, f, 120, 40, nil)
	r.lacks("no workers", "no-workers")
	if got := r.m.rows[0].workers; got != render.Unknown {
		t.Errorf("%d workers", got)
	}
}

func TestRetryShowsItsTwin(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 100, 40, nil)
	r.press("down", "enter")
	r.wants("› billing", "[6 Failed 1,375]", "90455")
	r.press("down", "down", "down", "r")
	r.wants("$ qctl retry billing 90452   ✓ retried")
	if diff := cmp.Diff([]string{"retry bull:billing failed 90452"}, r.f.acts); diff != "" {
		t.Error(diff)
	}
	r.lacks("▸90452")
	r.press("enter")
	r.wants("failed reason", "at charge (app/billing/charge.js:88:5)", "loaded invoice", `"amount": -12`)
	r.press("r")
	if n := len(r.f.acts); n != 2 {
		t.Errorf("%d actions", n)
	}
	r.press("r")
	r.wants("no longer", "r: ")
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 100, 24, nil)
	r.wants("p pause")
	r.press("p")
	r.wants("$ qctl pause webhooks   ✓ paused", "p resume")
	r.press("p")
	r.wants("$ qctl resume webhooks   ✓ resumed", "p pause")
	if diff := cmp.Diff([]string{"pause bull:webhooks", "resume bull:webhooks"}, r.f.acts); diff != "" {
		t.Error(diff)
	}
}

// Read-only refuses before anything is asked of the source, says why, and
// leaves the keys out of the line of keys.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 100, 24, func(o *Options) { o.ReadOnly, o.ReadOnlyWhy = true, "QCTL_READ_ONLY is set" })
	r.lacks("p pause")
	r.press("p")
	r.wants("p: read-only: QCTL_READ_ONLY is set")
	r.press("down", "enter", "r")
	r.wants("r: read-only: QCTL_READ_ONLY is set")
	r.lacks("r retry")
	r.press("?")
	r.wants("retry the job (read-only")
	if len(r.f.acts) != 0 {
		t.Errorf("did %v", r.f.acts)
	}
}

// A protected queue is not paused by one key: the command is told that asks.
func TestProtectedQueueIsNotPaused(t *testing.T) {
	t.Parallel()
	for paused, twin := range map[bool]string{false: "qctl pause webhooks", true: "qctl resume webhooks"} {
		f := night()
		for _, q := range f.queues {
			q.queue.Protected = q.queue.Name == "webhooks"
		}
		f.of(base("webhooks")).counts.Paused = paused
		r := newRig(t, f, 100, 24, nil)
		r.press("/", "w", "e", "b", "enter")
		r.lacks("p pause", "p resume")
		r.press("p")
		r.wants("p: protected; to do it, type " + twin)
		r.press("esc", "/", "s", "m", "s", "enter")
		r.wants("p resume")
		if len(r.f.acts) != 0 {
			t.Errorf("did %v", r.f.acts)
		}
	}
}

func TestOnlyFinishedJobsAreRetried(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 100, 24, nil)
	r.press("down", "enter", "1")
	r.wants("[1 Wait 27]", "90456")
	r.lacks("r retry")
	r.press("r")
	r.wants("only failed and completed jobs can be retried; this one is waiting")
}

// While Redis is down the last data stays, dated; nothing can be changed; and
// all is as before when it is back.
func TestRedisDownAndBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 100, 24, nil)
	before := r.screen()
	r.f.down = errDown
	r.pass(12 * time.Second)
	r.wants("redis lost", "data from 03:12:44Z, 12s old; actions are off", "connection refused", "1,375", "? ")
	r.lacks("p pause")
	calls := r.f.calls.Load()
	r.press("p")
	r.wants("p: off until Redis is back")
	if r.f.calls.Load() != calls {
		t.Error("asked while it was down")
	}
	for range 8 {
		r.pass(time.Second)
	}
	if pause := r.m.link.next.Sub(r.f.now); pause != 10*time.Second {
		t.Errorf("tries again in %v", pause)
	}
	r.f.down = nil
	r.pass(time.Second)
	r.f.now = start
	r.m.now = start
	r.lacks("lost", "actions are off")
	if !strings.Contains(before, "p pause") || !strings.Contains(r.screen(), "p pause") {
		t.Error("p is not offered")
	}
}

// An answer that comes late is of the screen that has been left.
func TestStaleAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 100, 24, nil)
	r.press("down", "enter")
	page := r.m.load.page(base("billing"), queue.StateFailed, 0, pageJobs)()
	job := r.m.load.job(base("billing"), "90455")()
	r.press("1")
	r.send(page)
	r.wants("90456")
	r.lacks("90455")
	r.press("enter")
	r.send(job)
	r.wants("› #90456")
	r.lacks("› #90455")
	r.press("esc", "esc", "up", "enter")
	r.send(page, job)
	r.lacks("90455")
}

func TestOneRefreshAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 80, 24, nil)
	if r.m.refresh() == nil {
		t.Fatal("no refresh")
	}
	for range 3 {
		if r.m.refresh() != nil {
			t.Fatal("a second refresh while one is under way")
		}
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"I":    {"billing", "digest", "email", "orchestration", "search-index"},
		"!i":   {"webhooks", "sms"},
		"~sx":  {"search-index"},
		"zzz":  nil,
		"fail": {"billing"},
	} {
		r := newRig(t, night(), 100, 24, nil)
		r.press("/")
		r.press(strings.Split(text, "")...)
		if diff := cmp.Diff(want, r.names()); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
		r.press("enter")
		r.wants(fmt.Sprintf("%d of 7 match %s", len(want), text))
		r.press("esc")
		if n := len(r.names()); n != 7 || r.quits {
			t.Errorf("%q: %d queues after Esc, quits %v", text, n, r.quits)
		}
	}
}

// A long list is read in pages, and the cursor gets everywhere.
func TestPagesOfALongList(t *testing.T) {
	t.Parallel()
	r := newRig(t, night(), 100, 24, nil)
	r.f.of(base("billing")).counts.Failed = 300
	r.press("down", "enter")
	r.pass(2 * time.Second)
	for range 250 {
		r.press("j")
	}
	r.wants("251 of 300")
	if got := r.m.queue.selected().ID; got != "90205" {
		t.Errorf("#%s is selected", got)
	}
	r.press("G")
	r.wants("300 of 300")
	r.press("g")
	r.wants("1 of 300", "90455")
}

func TestTwins(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"qctl retry billing 90452":               retryTwin("billing", "90452", queue.StateFailed),
		"qctl retry --state completed billing 1": retryTwin("billing", "1", queue.StateCompleted),
		"qctl retry -- billing -1":               retryTwin("billing", "-1", queue.StateFailed),
		"qctl pause 'a b'":                       twinOf("pause", "a b"),
		`qctl pause $'it\'s\x1b[2J'`:             twinOf("pause", "it's\x1b[2J"),
		`qctl pause ''`:                          twinOf("pause", ""),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	var h history
	at := func(minute int64) time.Time { return time.Unix(minute*60, 0) }
	if diff := cmp.Diff([]int64{-1, -1}, h.series(at(100), 2)); diff != "" {
		t.Error(diff)
	}
	h.set(100, 5)
	h.set(98, 3)
	h.set(20, 9) // too old
	h.set(102, 7)
	if diff := cmp.Diff([]int64{3, -1, 5, -1, 7, -1}, h.series(at(103), 6)); diff != "" {
		t.Error(diff)
	}
	h.set(1000, 1)
	if got := sum(h.series(at(1000), kept)); got != 1 {
		t.Errorf("%d after a long gap", got)
	}
}

func TestShortNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n     int64
		width int
		want  string
	}{
		{-1, 6, "?"},
		{0, 6, "0"},
		{1375, 6, "1,375"},
		{123456, 6, "123k"},
		{123456, 7, "123,456"},
		{1234567, 6, "1.2M"},
		{999999, 6, "1.0M"},
		{12345, 5, "12.3k"},
		{12345, 4, "12k"},
		{1 << 62, 6, "4.6E"},
	} {
		if got := short(c.n, c.width); got != c.want {
			t.Errorf("%d in %d: got %s, want %s", c.n, c.width, got, c.want)
		}
	}
}

// The real program: it shows, obeys keys, and ends with its context's error.
func TestRun(t *testing.T) {
	t.Parallel()
	in, out := &keyboard{keys: make(chan string, 4)}, &bytes.Buffer{}
	in.keys <- "q"
	if err := Run(t.Context(), Options{Source: night(), In: in, Out: out}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\x1b[?1049h") || !strings.Contains(out.String(), "\x1b[?1049l") {
		t.Errorf("the screen was not taken and given back: %q", out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, Options{Source: night(), In: &keyboard{keys: make(chan string)}, Out: &bytes.Buffer{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// keyboard is a terminal's input.
type keyboard struct{ keys chan string }

func (k *keyboard) Read(p []byte) (int, error) { return copy(p, <-k.keys), nil }
