package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
)

func TestLogsInBothDirections(t *testing.T) {
	onEach(t, func(e *env) {
		e.hash("1", "name", "n")
		e.must(e.rdb.RPush(e.ctx, e.key("1:logs"), "a", "b", "c", "d", "e").Err())
		for _, test := range []struct {
			start, count int64
			asc          bool
			want         []string
		}{
			{0, 2, true, []string{"a", "b"}},
			{0, 2, false, []string{"e", "d"}},
			{1, 3, true, []string{"b", "c", "d"}},
			{1, 3, false, []string{"d", "c", "b"}},
			{3, 100, true, []string{"d", "e"}},
			{3, 100, false, []string{"b", "a"}},
			{9, 1, true, []string{}},
			{9, 1, false, []string{}},
			{-5, 1, true, []string{"a"}},
			{0, 0, true, nil},
			{0, -1, false, nil},
		} {
			got, total, err := e.q.Logs(e.ctx, "1", test.start, test.count, test.asc)
			e.must(err)
			if diff := cmp.Diff(test.want, got); diff != "" || total != 5 {
				e.t.Errorf("%+v: total %d, %s", test, total, diff)
			}
		}
	})
}

func TestLogsOfJobs(t *testing.T) {
	onEach(t, func(e *env) {
		e.hash("silent", "name", "n")
		lines, total, err := e.q.Logs(e.ctx, "silent", 0, 10, true)
		if len(lines) != 0 || total != 0 || err != nil {
			e.t.Errorf("job without a log: %q, %d, %v", lines, total, err)
		}
		if _, _, err = e.q.Logs(e.ctx, "gone", 0, 10, true); !errors.Is(err, queue.ErrJobNotFound) {
			e.t.Errorf("no job: %v", err)
		}
		e.must(e.rdb.Set(e.ctx, e.key("odd:logs"), "x", 0).Err())
		if _, _, err = e.q.Logs(e.ctx, "odd", 0, 10, true); !errors.Is(err, queue.ErrCorrupt) {
			e.t.Errorf("log of the wrong type: %v", err)
		}
	})
}

func TestMetrics(t *testing.T) {
	onEach(t, func(e *env) {
		got, err := e.q.Metrics(e.ctx, queue.StateFailed)
		e.must(err)
		if diff := cmp.Diff(queue.Metrics{}, got); diff != "" {
			e.t.Errorf("nothing counted: %s", diff)
		}
		e.must(e.rdb.HSet(e.ctx, e.key("metrics:completed"), "count", 12, "prevTS", start, "prevCount", 9).Err())
		e.must(e.rdb.RPush(e.ctx, e.key("metrics:completed:data"), 4, 0, 5, "x", "-3").Err())
		got, err = e.q.Metrics(e.ctx, queue.StateCompleted)
		e.must(err)
		want := queue.Metrics{Count: 12, Since: time.UnixMilli(start), PrevCount: 9, Minutes: []int64{4, 0, 5, 0, 0}}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}
		if _, err = e.q.Metrics(e.ctx, queue.StateActive); !errors.Is(err, queue.ErrUnknownState) {
			e.t.Errorf("metrics of active jobs: %v", err)
		}
	})
}
