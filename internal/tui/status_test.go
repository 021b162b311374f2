package tui

import (
	"slices"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// Every word that a queue can have has a place in the order of attention, and
// the urgent ones come first.
func TestUrgencyKnowsEveryStatus(t *testing.T) {
	t.Parallel()
	last := -1
	for _, s := range []render.Status{
		render.StatusUnreadable, render.StatusNoWorkers, render.StatusStuck, render.StatusFailing, render.StatusLate,
		render.StatusCapped, render.StatusRateLimited, render.StatusBusy, render.StatusPaused, render.StatusIdle,
	} {
		place, known := urgency[s]
		if !known || place <= last {
			t.Errorf("%s: place %d, %v", s, place, known)
		}
		if s.Urgent() != (place <= urgency[render.StatusLate]) {
			t.Errorf("%s: urgent %v at place %d", s, s.Urgent(), place)
		}
		last = place
	}
}

// What holds a queue is said in the list, and what is stuck needs attention.
func TestHeldQueues(t *testing.T) {
	f := &fake{now: start}
	two := 2
	f.add("capped", queue.Counts{Waiting: 1, Active: 2, Concurrency: &two}, 1, time.Second, steady(5), steady(0))
	f.add("limited", queue.Counts{Waiting: 1, LimitedFor: time.Second}, 1, time.Second, steady(5), steady(0))
	f.add("asleep", queue.Counts{Waiting: 3}, 1, 14*time.Minute, steady(0), steady(0))
	f.add("lost", queue.Counts{Active: 1}, 1, 0, steady(0), steady(0)).unheld = 9 * time.Minute
	f.add("calm", queue.Counts{}, 1, 0, steady(0), steady(0))
	r := newRig(t, f, 120, 40, nil)
	r.wants("▲  capped", "▲  rate-limited", "stuck: workers take no jobs, 3 waiting, oldest 14m",
		"stuck: nobody holds a job started 9m ago")
	var names []string
	for _, row := range r.m.rows {
		names = append(names, row.Name)
	}
	if want := []string{"asleep", "lost", "capped", "limited", "calm"}; !slices.Equal(want, names) {
		t.Errorf("order %q, want %q", names, want)
	}
}
