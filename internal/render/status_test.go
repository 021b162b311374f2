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
	two, none := 2, 0
	// stands is a queue with a worker that takes nothing, changed a little.
	stands := func(change func(*render.Evidence)) render.Evidence {
		e := render.Evidence{Counts: waiting, Workers: 1, OldestWaiting: render.LateAfter + time.Second, Still: render.Unknown}
		change(&e)
		return e
	}
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
		"as many active as may be": {render.Evidence{
			Counts: queue.Counts{Waiting: 1, Active: 2, Concurrency: &two}, Workers: 1,
		}, render.StatusCapped},
		"none may be active":      {render.Evidence{Counts: queue.Counts{Prioritized: 1, Concurrency: &none}, Workers: 1}, render.StatusCapped},
		"room for one more":       {render.Evidence{Counts: queue.Counts{Waiting: 1, Active: 1, Concurrency: &two}, Workers: 1}, render.StatusBusy},
		"capped, and none waits":  {render.Evidence{Counts: queue.Counts{Active: 2, Concurrency: &two}}, render.StatusBusy},
		"capped, and too long":    {render.Evidence{Counts: queue.Counts{Waiting: 1, Active: 2, Concurrency: &two}, Workers: 1, OldestWaiting: long}, render.StatusLate},
		"capped and paused":       {render.Evidence{Counts: queue.Counts{Waiting: 1, Paused: true, Concurrency: &none}, Workers: 1}, render.StatusPaused},
		"capped without a worker": {render.Evidence{Counts: queue.Counts{Waiting: 1, Concurrency: &none}}, render.StatusNoWorkers},
		"the rate is used up":     {render.Evidence{Counts: queue.Counts{Waiting: 1, LimitedFor: time.Second}, Workers: 1}, render.StatusRateLimited},
		"used up, and none waits": {render.Evidence{Counts: queue.Counts{Active: 1, LimitedFor: time.Second}, Workers: 1}, render.StatusBusy},
		"used up, and too long":   {render.Evidence{Counts: queue.Counts{Waiting: 1, LimitedFor: time.Second}, Workers: 1, OldestWaiting: long, Still: render.Unknown}, render.StatusLate},
		"nobody holds a job":      {render.Evidence{Counts: queue.Counts{Active: 1}, Workers: 1, Unheld: render.StuckAfter + 1}, render.StatusStuck},
		"nobody holds a job, and nobody works": {render.Evidence{
			Counts: queue.Counts{Active: 1, Paused: true}, Unheld: time.Hour,
		}, render.StatusStuck},
		"will be taken back soon": {render.Evidence{Counts: queue.Counts{Active: 1}, Workers: 1, Unheld: render.StuckAfter}, render.StatusBusy},
		"workers take nothing":    {stands(func(*render.Evidence) {}), render.StatusStuck},
		"they did long ago":       {stands(func(e *render.Evidence) { e.Still = long }), render.StatusStuck},
		"they did lately":         {stands(func(e *render.Evidence) { e.Still = render.LateAfter }), render.StatusLate},
		"they finish some":        {stands(func(e *render.Evidence) { e.Lately.Completed = 1 }), render.StatusLate},
		"they have some":          {stands(func(e *render.Evidence) { e.Counts.Active = 1 }), render.StatusLate},
		"they may not":            {stands(func(e *render.Evidence) { e.Counts.Paused = true }), render.StatusPaused},
		"none may run":            {stands(func(e *render.Evidence) { e.Counts.Concurrency = &none }), render.StatusLate},
		"workers are not known":   {stands(func(e *render.Evidence) { e.Workers = render.Unknown }), render.StatusLate},
		"not for long yet":        {stands(func(e *render.Evidence) { e.OldestWaiting = render.LateAfter }), render.StatusBusy},
		"since when is not known": {stands(func(e *render.Evidence) { e.OldestWaiting = render.Unknown }), render.StatusBusy},
		"rates unknown": {render.Evidence{
			CompletedPerMinute: render.Unknown, FailedPerMinute: render.Unknown,
		}, render.StatusIdle},
	} {
		if got := c.e.Status(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSee(t *testing.T) {
	now := time.UnixMilli(1795312800000)
	var e render.Evidence
	e.See(queue.Standing{}, now)
	if e.OldestWaiting != render.Unknown || e.Unheld != 0 || e.Still != render.Unknown {
		t.Errorf("nothing seen: %+v", e)
	}
	e.See(queue.Standing{OldestWaiting: now.Add(-time.Hour), Unlocked: now.Add(-time.Minute), Moved: now.Add(time.Second)}, now)
	if e.OldestWaiting != time.Hour || e.Unheld != time.Minute || e.Still != 0 {
		t.Errorf("all seen: %+v", e)
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
