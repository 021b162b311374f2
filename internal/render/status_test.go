package render_test

import (
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func TestStatus(t *testing.T) {
	waiting := queue.Counts{Waiting: 3}
	paused := queue.Counts{Waiting: 3, Paused: true}
	long := render.LateAfter + time.Second
	for name, c := range map[string]struct {
		e    render.Evidence
		want render.Status
	}{
		"damaged":             {render.Evidence{Counts: queue.Counts{Err: queue.ErrCorrupt}}, render.StatusUnreadable},
		"nobody works":        {render.Evidence{Counts: waiting, OldestWaiting: long}, render.StatusNoWorkers},
		"nobody is known":     {render.Evidence{Counts: waiting, Workers: render.Unknown}, render.StatusBusy},
		"nobody and paused":   {render.Evidence{Counts: paused}, render.StatusPaused},
		"nothing but failure": {render.Evidence{Workers: 1, FailedPerMinute: 1}, render.StatusFailing},
		"one failure of many": {render.Evidence{Workers: 1, FailedPerMinute: 1, CompletedPerMinute: 9}, render.StatusIdle},
		"a fifth fails": {render.Evidence{
			Workers: 1, FailedPerMinute: 2, CompletedPerMinute: 8, Lately: queue.Finished{Completed: 40, Failed: 10},
		}, render.StatusFailing},
		"a fifth of few": {render.Evidence{
			Workers: 1, Lately: queue.Finished{Completed: 36, Failed: 9},
		}, render.StatusIdle},
		"less than a fifth": {render.Evidence{
			Workers: 1, Lately: queue.Finished{Completed: 41, Failed: 10},
		}, render.StatusIdle},
		"failing while paused":  {render.Evidence{Counts: paused, FailedPerMinute: 4}, render.StatusFailing},
		"waits too long":        {render.Evidence{Counts: waiting, Workers: 1, OldestWaiting: long}, render.StatusLate},
		"waits as it may":       {render.Evidence{Counts: waiting, Workers: 1, OldestWaiting: render.LateAfter}, render.StatusBusy},
		"prioritized, too long": {render.Evidence{Counts: queue.Counts{Prioritized: 1}, Workers: 1, OldestWaiting: long}, render.StatusLate},
		"none waits":            {render.Evidence{Workers: 1, OldestWaiting: long}, render.StatusIdle},
		"active":                {render.Evidence{Counts: queue.Counts{Active: 1}}, render.StatusBusy},
		"rates unknown": {render.Evidence{
			CompletedPerMinute: render.Unknown, FailedPerMinute: render.Unknown,
		}, render.StatusIdle},
	} {
		if got := c.e.Status(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestErrorRate(t *testing.T) {
	if rate, ok := (render.Evidence{}).ErrorRate(); ok {
		t.Errorf("nothing finished: %v", rate)
	}
	e := render.Evidence{Lately: queue.Finished{Completed: 3, Failed: 1}}
	if rate, ok := e.ErrorRate(); !ok || rate != 25 {
		t.Errorf("one of four failed: %v, %v", rate, ok)
	}
}
