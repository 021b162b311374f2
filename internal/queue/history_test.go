package queue_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/qctl/qctl/internal/queue"
)

// Minutes are dated as they were counted: what a queue finished in each minute
// of the clock, the running one left out.
func TestHistory(t *testing.T) {
	type finish struct {
		kind   queue.OutcomeKind
		minute int // since the start, which is a full minute
		n      int
	}
	const c, f = queue.Complete, queue.Fail
	for _, test := range []struct {
		name   string
		points int
		finish []finish
		now    int // in minutes
		most   int
		from   int // minute of the first pair
		want   [][2]int64
	}{
		{"nothing was counted", 10, nil, 5, 0, 0, nil},
		{"the running minute alone", 10, []finish{{c, 0, 3}}, 0, 0, 0, nil},
		{"a minute that is over, though nothing finished since", 10, []finish{{c, 0, 3}}, 1, 0, 0, [][2]int64{{3, 0}}},
		{"quiet since", 10, []finish{{c, 0, 3}, {f, 0, 1}}, 3, 0, 0, [][2]int64{{3, 1}, {0, 0}, {0, 0}}},
		{"minute after minute", 10, []finish{{c, 0, 1}, {c, 1, 2}, {c, 2, 3}}, 2, 0, 0, [][2]int64{{1, 0}, {2, 0}}},
		{"a gap", 10, []finish{{c, 0, 2}, {c, 3, 1}}, 4, 0, 0, [][2]int64{{2, 0}, {0, 0}, {0, 0}, {1, 0}}},
		{
			"failures that began later", 10,
			[]finish{{c, 0, 2}, {c, 1, 2}, {f, 2, 5}, {c, 3, 1}, {f, 3, 1}},
			3, 0, 0,
			[][2]int64{{2, 0}, {2, 0}, {0, 5}},
		},
		{"nothing but failures", 10, []finish{{f, 1, 2}, {f, 2, 2}}, 2, 0, 1, [][2]int64{{0, 2}}},
		{"the newest few", 10, []finish{{c, 0, 1}, {c, 1, 2}, {c, 2, 3}, {c, 3, 4}}, 3, 2, 1, [][2]int64{{2, 0}, {3, 0}}},
		{"no more than is kept", 2, []finish{{c, 0, 1}, {c, 1, 2}, {c, 2, 3}, {c, 3, 4}}, 3, 0, 1, [][2]int64{{2, 0}, {3, 0}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				var last time.Time
				for _, one := range test.finish {
					after := time.Duration(one.minute) * time.Minute
					e.counted(one.kind, one.n, test.points, after)
					last = at(0).Add(after)
				}
				now := at(0).Add(time.Duration(test.now)*time.Minute + 30*time.Second)
				got, err := e.client.HistoryOf(e.ctx, []queue.KeyBase{e.base}, now, test.most)
				e.must(err)
				var want []queue.Minute
				for i, n := range test.want {
					start := at(0).Add(time.Duration(test.from+i) * time.Minute)
					want = append(want, queue.Minute{Start: start, Completed: n[0], Failed: n[1]})
				}
				if diff := cmp.Diff(want, got[0].Minutes); diff != "" {
					e.t.Error(diff)
				}
				if !got[0].Counted.Equal(last) {
					e.t.Errorf("counted %v, want %v", got[0].Counted, last)
				}
			})
		})
	}
}

// What was counted before a long silence is still there, without the silence,
// and broken counters are none.
func TestHistoryOfOddMetrics(t *testing.T) {
	onEach(t, func(e *env) {
		broken := queue.KeyBase{Prefix: e.base.Prefix, Name: "broken"}
		e.hash("metrics:completed", "count", 7, "prevTS", start, "prevCount", "many")
		e.must(e.rdb.RPush(e.ctx, e.key("metrics:completed:data"), "2", "x", "-1").Err())
		e.must(e.rdb.Set(e.ctx, broken.String()+":metrics:failed", "x", 0).Err())
		got, err := e.client.HistoryOf(e.ctx, []queue.KeyBase{e.base, broken}, at(365*24*3600), 0)
		e.must(err)
		silent := got[0].Minutes
		if diff := cmp.Diff(queue.History{Err: queue.ErrCorrupt}, got[1], cmpopts.EquateErrors()); diff != "" {
			e.t.Error(diff)
		}
		got, err = e.client.HistoryOf(e.ctx, []queue.KeyBase{e.base}, at(60), 0)
		e.must(err)
		want := queue.History{
			Minutes:   []queue.Minute{{Start: at(-180)}, {Start: at(-120)}, {Start: at(-60), Completed: 2}, {Start: at(0), Completed: 7}},
			Completed: 7, Counted: at(0),
		}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			e.t.Error(diff)
		}
		same(e, "after a year", want.Minutes, silent)
		got, err = e.client.HistoryOf(e.ctx, []queue.KeyBase{e.base}, at(28*24*3600), 0)
		e.must(err)
		same(e, "after four weeks", 4*7*24*60, len(got[0].Minutes))
	})
}
