package interop

import (
	"fmt"
	"strings"
	"testing"
)

// iterations are the finished jobs of a scheduler, in order: their ids' times and their numbers.
func (l *line) iterations(scheduler string) (at []int64, numbers []int) {
	l.w.t.Helper()
	var jobs []jobJSON
	l.call("getJobs", args{"types": []string{"completed"}, "start": 0, "end": -1, "asc": true}, &jobs)
	for _, job := range jobs {
		text, ok := strings.CutPrefix(job.ID, "repeat:"+scheduler+":")
		var ms int64
		if _, err := fmt.Sscan(text, &ms); !ok || err != nil || job.RepeatJobKey != scheduler {
			l.w.t.Errorf("job %s of %s is no iteration of %s", job.ID, job.RepeatJobKey, scheduler)
		}
		opts, _ := job.Opts.(map[string]any)
		repeat, _ := opts["repeat"].(map[string]any)
		n, _ := repeat["count"].(float64)
		at, numbers = append(at, ms), append(numbers, int(n))
	}
	return at, numbers
}

// A scheduler goes on whoever runs its jobs: Node and our worker by turns, until its limit.
func TestSchedulersGoOnWithBothWorkers(t *testing.T) {
	eachWorld(t, func(w *world) {
		for _, c := range []struct {
			name   string
			repeat args
			every  int64 // ms between iterations
			turns  int
		}{
			{"every", args{"every": 200, "limit": 6}, 200, 6},
			{"pattern", args{"pattern": "* * * * * *", "limit": 4, "tz": "Europe/Berlin"}, 1000, 4},
		} {
			l := w.fresh()
			l.call("upsertJobScheduler", args{
				"schedulerId": c.name, "repeat": c.repeat,
				"template": args{"name": "tick", "data": args{"x": 1}, "opts": args{"attempts": 2, "priority": 3}},
			}, nil)
			for turn := range c.turns {
				hand := l.works(turn%2 == 0, setup{})
				l.w.waitUntil("another iteration", func() bool {
					n, err := l.q.Counts(w.ctx)
					w.must(err)
					return n.Completed > int64(turn) && n.Active == 0
				})
				hand.stop()
				var read struct {
					Name    string         `json:"name"`
					Count   int            `json:"iterationCount"`
					Payload map[string]any `json:"template"`
				}
				l.call("getJobScheduler", args{"schedulerId": c.name}, &read)
				diff(w.t, "scheduler by Node", []any{"tick", map[string]any{"x": 1.0}}, []any{read.Name, read.Payload["data"]})
				if turn < c.turns-1 && len(readContents(w.t, w.rdb, l.base.String()).zsets["completed"]) < c.turns {
					checkInvariants(w.t, w.rdb, l.base.String(), delayKept)
				}
			}
			at, numbers := l.iterations(c.name)
			want := make([]int, c.turns)
			for i := range want {
				want[i] = i + 1
				if i > 0 && (at[i] <= at[i-1] || (at[i]-at[0])%c.every != 0) {
					w.t.Errorf("%s: iterations at %v", c.name, at)
				}
			}
			diff(w.t, c.name+": numbers of the iterations", want, numbers)
		}
	})
}
