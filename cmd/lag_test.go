package cmd

import (
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// What workers count goes before what is seen of the jobs that are kept, as long
// as they do count.
func TestPerMinute(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1795312800000).Add(40 * time.Second)
	minutes := func(ago time.Duration, counts ...int64) queue.History {
		var h queue.History
		for i, n := range counts {
			start := now.Truncate(time.Minute).Add(-ago - time.Duration(len(counts)-i)*time.Minute)
			h.Minutes = append(h.Minutes, queue.Minute{Start: start, Completed: n, Failed: n})
		}
		return h
	}
	seen := render.Evidence{CompletedPerMinute: 7, FailedPerMinute: 1, Lately: queue.Finished{Completed: 20, Failed: 5}}
	slow := render.Evidence{Lately: queue.Finished{Completed: 1, Failed: 1}}
	unknown := render.Evidence{CompletedPerMinute: render.Unknown, FailedPerMinute: render.Unknown}
	for name, c := range map[string]struct {
		e    render.Evidence
		h    queue.History
		want float64
	}{
		"counted":                  {seen, minutes(0, 10, 20, 30, 40, 50), 60},
		"counted since a minute":   {seen, minutes(0, 10), 20},
		"counted of unkept jobs":   {render.Evidence{}, minutes(0, 0, 0, 5), 10.0 / 3},
		"counted long ago":         {seen, minutes(time.Hour, 10, 20, 30), 8},
		"counted nothing":          {seen, minutes(0, 0, 0), 8},
		"seen in the last minute":  {seen, queue.History{}, 8},
		"seen in five":             {slow, queue.History{}, 0.4},
		"nothing":                  {render.Evidence{}, queue.History{}, 0},
		"unknown":                  {unknown, queue.History{}, render.Unknown},
		"unknown, but counted":     {unknown, minutes(0, 5), 10},
		"unknown of five minutes":  {render.Evidence{Lately: queue.Finished{Err: queue.ErrCorrupt}}, queue.History{}, render.Unknown},
		"metrics that are damaged": {seen, queue.History{Err: queue.ErrCorrupt}, 8},
	} {
		if got := perMinute(render.Stats{Evidence: c.e}, c.h, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
