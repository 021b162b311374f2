package tui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/qctl/qctl/internal/queue"
)

// start is when every test begins.
var start = time.Date(2026, 11, 22, 3, 12, 44, 0, time.UTC)

var errDown = errors.New("dial tcp 10.0.0.5:6379: connection refused")

// fakeQueue is one queue of a fake.
type fakeQueue struct {
	queue   Queue
	counts  queue.Counts
	workers int
	oldest  time.Duration
	unheld  time.Duration // since when an active job has no worker
	// done and failed are per minute, the newest last; the last one goes on.
	done, failed func(minutesAgo int) int64
	jobs         map[queue.State][]queue.Job
}

// fake is a source without Redis. Commands run one after another in these tests.
type fake struct {
	now       time.Time
	down      error
	queues    []*fakeQueue
	noWorkers bool // the server does not list them
	acts      []string
	calls     atomic.Int64 // the real program makes several at a time
}

func base(name string) queue.KeyBase { return queue.KeyBase{Prefix: "bull", Name: name} }

func (f *fake) add(name string, c queue.Counts, workers int, oldest time.Duration, done, failed func(int) int64) *fakeQueue {
	q := &fakeQueue{
		queue: Queue{Name: name, Typed: name, Base: base(name)}, counts: c, workers: workers, oldest: oldest,
		done: done, failed: failed, jobs: map[queue.State][]queue.Job{},
	}
	f.queues = append(f.queues, q)
	return q
}

func (f *fake) of(b queue.KeyBase) *fakeQueue {
	for _, q := range f.queues {
		if q.queue.Base == b {
			return q
		}
	}
	return &fakeQueue{}
}

func (f *fake) call() error {
	f.calls.Add(1)
	return f.down
}

func (f *fake) Queues(context.Context) ([]Queue, error) {
	var all []Queue
	for _, q := range f.queues {
		all = append(all, q.queue)
	}
	return all, f.call()
}

func (f *fake) Counts(_ context.Context, bases []queue.KeyBase) ([]queue.Counts, error) {
	counts := make([]queue.Counts, len(bases))
	for i, b := range bases {
		counts[i] = f.of(b).counts
	}
	return counts, f.call()
}

func (f *fake) Rates(_ context.Context, bases []queue.KeyBase, at time.Time) ([]queue.Rates, error) {
	rates := make([]queue.Rates, len(bases))
	for i, b := range bases {
		q := f.of(b)
		ago := max(int(minuteOf(f.now)-minuteOf(at.Add(-time.Nanosecond))), 0)
		if q.done != nil {
			rates[i] = queue.Rates{CompletedPerMinute: q.done(ago), FailedPerMinute: q.failed(ago)}
		}
	}
	return rates, f.call()
}

func (f *fake) Workers(_ context.Context, bases []queue.KeyBase) (map[queue.KeyBase][]queue.WorkerConn, error) {
	if f.noWorkers {
		return nil, fmt.Errorf("client list: %w", queue.ErrUnsupported)
	}
	all := map[queue.KeyBase][]queue.WorkerConn{}
	for _, b := range bases {
		all[b] = make([]queue.WorkerConn, f.of(b).workers)
	}
	return all, f.call()
}

func (f *fake) Standings(_ context.Context, bases []queue.KeyBase) ([]Standing, error) {
	all := make([]Standing, len(bases))
	for i, b := range bases {
		q := f.of(b)
		all[i].OldestWaiting = f.now.Add(-q.oldest)
		if q.unheld > 0 {
			all[i].Unlocked = f.now.Add(-q.unheld)
		}
	}
	return all, f.call()
}

func (f *fake) List(_ context.Context, b queue.KeyBase, r queue.ListRequest) (queue.Listed, error) {
	jobs := f.of(b).jobs[r.State]
	from := min(r.Start, len(jobs))
	part := append([]queue.Job(nil), jobs[from:min(from+r.Count, len(jobs))]...)
	return queue.Listed{Jobs: part}, f.call()
}

func (f *fake) DueTimes(_ context.Context, _ queue.KeyBase, ids []string) ([]time.Time, error) {
	due := make([]time.Time, len(ids))
	for i := range due {
		due[i] = f.now.Add(time.Duration(i+1) * time.Minute)
	}
	return due, f.call()
}

func (f *fake) Get(_ context.Context, b queue.KeyBase, id string) (queue.Job, error) {
	for state, jobs := range f.of(b).jobs {
		for _, job := range jobs {
			if job.ID == id {
				job.State = state
				job.Data = json.RawMessage(`{"invoice":"inv_2291","amount":-12}`)
				job.Stacktrace = []string{"Error: " + job.FailedReason + "\n\tat charge (app/billing/charge.js:88:5)"}
				return job, f.call()
			}
		}
	}
	return queue.Job{}, errors.Join(f.call(), &queue.JobError{ID: id, Err: queue.ErrJobNotFound})
}

func (f *fake) Logs(context.Context, queue.KeyBase, string, int) ([]string, int64, error) {
	return []string{"loaded invoice inv_2291"}, 1, f.call()
}

func (f *fake) Retry(_ context.Context, b queue.KeyBase, from queue.State, id string) error {
	if err := f.call(); err != nil {
		return err
	}
	f.acts = append(f.acts, fmt.Sprintf("retry %s %s %s", b, from, id))
	q := f.of(b)
	for i, job := range q.jobs[from] {
		if job.ID == id {
			q.jobs[from] = append(append([]queue.Job(nil), q.jobs[from][:i]...), q.jobs[from][i+1:]...)
			q.counts.Failed--
			q.counts.Waiting++
			return nil
		}
	}
	return &queue.JobError{ID: id, Err: queue.ErrJobNotFound}
}

func (f *fake) Pause(_ context.Context, b queue.KeyBase) error {
	f.acts = append(f.acts, "pause "+b.String())
	f.of(b).counts.Paused = true
	return f.call()
}

func (f *fake) Resume(_ context.Context, b queue.KeyBase) error {
	f.acts = append(f.acts, "resume "+b.String())
	f.of(b).counts.Paused = false
	return f.call()
}

func steady(n int64) func(int) int64 { return func(int) int64 { return n } }

// night is the Redis of somebody who has been paged.
func night() *fake {
	f := &fake{now: start}
	f.add("webhooks", queue.Counts{Waiting: 812}, 0, 22*time.Minute, func(ago int) int64 { return max(int64(ago-30), 0) }, steady(0))
	billing := f.add("billing", queue.Counts{Waiting: 27, Failed: 1375, Completed: 10000}, 1, 14*time.Minute,
		func(ago int) int64 { return max(int64(ago*7-200), 0) }, func(ago int) int64 { return max(96-int64(ago)*2, 0) })
	f.add("orchestration", queue.Counts{Waiting: 1204, Active: 64, Delayed: 12, Failed: 120}, 4, 41*time.Second,
		func(ago int) int64 { return 6100 - int64(ago*ago) }, steady(118))
	f.add("email", queue.Counts{Active: 8, Delayed: 300, Failed: 3}, 2, 0, func(ago int) int64 { return 3900 + int64(ago%7)*40 }, steady(3))
	f.add("sms", queue.Counts{Paused: true}, 1, 0, steady(0), steady(0))
	f.add("digest", queue.Counts{Active: 1}, 1, 0, func(ago int) int64 { return int64(ago % 3) }, steady(0))
	f.add("search-index", queue.Counts{}, 1, 0, steady(0), steady(0))
	for i := range 300 {
		reason := fmt.Sprintf("connect ETIMEDOUT 10.0.9.%d:5432", 14+i%2)
		if i%40 == 3 {
			reason = `Validation error: field "amount" must be positive`
		}
		at := start.Add(-time.Duration(13+9*i) * time.Second)
		billing.jobs[queue.StateFailed] = append(billing.jobs[queue.StateFailed], queue.Job{
			ID: fmt.Sprint(90455 - i), Name: "charge-card", Attempts: 3, AttemptsMade: 3, HasFailedReason: true, FailedReason: reason,
			Timestamp: at.Add(-32 * time.Second), ProcessedOn: at.Add(-30 * time.Second), FinishedOn: at,
		})
	}
	for i := range 27 {
		billing.jobs[queue.StateWaiting] = append(billing.jobs[queue.StateWaiting], queue.Job{
			ID: fmt.Sprint(90456 + i), Name: "refund", Timestamp: start.Add(-time.Minute),
		})
	}
	return f
}

// rig drives a model without a terminal: commands run at once, and timers never
// end.
type rig struct {
	*testing.T
	f     *fake
	m     *model
	quits bool
}

func newRig(t *testing.T, f *fake, w, h int, change func(*Options)) *rig {
	o := Options{Source: f, Title: "prod", Now: func() time.Time { return f.now }}
	if change != nil {
		change(&o)
	}
	r := &rig{T: t, f: f, m: newModel(t.Context(), o)}
	r.m.load.after = func(time.Duration, tea.Msg) tea.Cmd { return nil }
	r.send(tea.WindowSizeMsg{Width: w, Height: h})
	r.m.link.discovering = true
	r.send(r.m.load.discover()())
	return r
}

// send delivers a message and everything that follows from it.
func (r *rig) send(msgs ...tea.Msg) {
	for len(msgs) > 0 {
		msg := msgs[0]
		msgs = msgs[1:]
		_, cmd := r.m.Update(msg)
		msgs = append(msgs, r.run(cmd)...)
	}
}

func (r *rig) run(cmd tea.Cmd) (msgs []tea.Msg) {
	if cmd == nil {
		return nil
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			msgs = append(msgs, r.run(c)...)
		}
	case tea.QuitMsg:
		r.quits = true
	case nil:
	default:
		msgs = append(msgs, msg)
	}
	return msgs
}

var special = map[string]tea.KeyType{
	"enter": tea.KeyEnter, "esc": tea.KeyEsc, "up": tea.KeyUp, "down": tea.KeyDown, "tab": tea.KeyTab,
	"shift+tab": tea.KeyShiftTab, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "backspace": tea.KeyBackspace,
	"ctrl+c": tea.KeyCtrlC, "ctrl+d": tea.KeyCtrlD, "ctrl+u": tea.KeyCtrlU, "home": tea.KeyHome, "end": tea.KeyEnd,
}

func keyOf(name string) tea.KeyMsg {
	if t, ok := special[name]; ok {
		return tea.KeyMsg{Type: t}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(name)}
}

func (r *rig) press(keys ...string) {
	for _, k := range keys {
		r.send(keyOf(k))
	}
}

// pass lets time go by, until after the next refresh.
func (r *rig) pass(d time.Duration) {
	r.f.now = r.f.now.Add(d)
	r.send(refreshDueMsg{r.m.link.round})
}

// screen is the frame without escape codes.
func (r *rig) screen() string { return strip(r.m.View()) }

func (r *rig) wants(parts ...string) {
	r.Helper()
	for _, part := range parts {
		if !strings.Contains(r.screen(), part) {
			r.Fatalf("no %q in:\n%s", part, r.screen())
		}
	}
}

func (r *rig) lacks(parts ...string) {
	r.Helper()
	for _, part := range parts {
		if strings.Contains(r.screen(), part) {
			r.Fatalf("%q in:\n%s", part, r.screen())
		}
	}
}
