package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// listed returns ids as List gives them, with the state of each job.
func (e *env) listed(r queue.ListRequest) (ids, missing []string) {
	e.t.Helper()
	r.Fields = queue.FieldsRow
	list, err := e.q.List(e.ctx, r)
	e.must(err)
	ids = []string{}
	for _, job := range list.Jobs {
		if job.State != r.State {
			e.t.Errorf("job %s is %s", job.ID, job.State)
		}
		ids = append(ids, job.ID)
	}
	return ids, list.Missing
}

func TestListDirections(t *testing.T) {
	onEach(t, func(e *env) {
		job := func(id string) string {
			e.hash(id, "name", "n")
			return id
		}
		// The oldest stand at the right; what version 5 paused runs before.
		for _, id := range []string{"w1", "w2", "w3"} {
			e.fill("wait", job(id))
		}
		for _, id := range []string{"p1", "p2"} {
			e.fill("paused", job(id))
		}
		for _, id := range []string{"a1", "a2"} {
			e.fill("active", job(id))
		}
		e.must(e.rdb.RPush(e.ctx, e.key("paused"), "0:9").Err())
		sets := []queue.State{
			queue.StateDelayed, queue.StatePrioritized, queue.StateWaitingChildren, queue.StateCompleted, queue.StateFailed,
		}
		for _, state := range sets {
			for i := range 4 {
				z := redis.Z{Score: float64(i), Member: job(fmt.Sprintf("%s%d", state, i))}
				e.must(e.rdb.ZAdd(e.ctx, e.key(string(state)), z).Err())
			}
		}
		for _, test := range []struct {
			state        queue.State
			start, count int
			newest       bool
			want         string
		}{
			{queue.StateWaiting, 0, 10, false, "p1 p2 w1 w2 w3"},
			{queue.StateWaiting, 0, 10, true, "w3 w2 w1 p2 p1"},
			{queue.StateWaiting, 2, 2, false, "p2 w1"},
			{queue.StateWaiting, 1, 3, true, "w2 w1 p2"},
			{queue.StateWaiting, 9, 3, true, ""},
			{queue.StateWaiting, 9, 3, false, ""},
			{queue.StateActive, 0, 10, false, "a1 a2"},
			{queue.StateActive, 0, 1, true, "a2"},
			{queue.StateFailed, 0, 0, true, ""},
		} {
			got, _ := e.listed(queue.ListRequest{State: test.state, Start: test.start, Count: test.count, Newest: test.newest})
			if diff := cmp.Diff(strings.Fields(test.want), got); diff != "" {
				e.t.Errorf("%+v: %s", test, diff)
			}
		}
		for _, state := range sets {
			want := []string{string(state) + "1", string(state) + "2"}
			got, _ := e.listed(queue.ListRequest{State: state, Start: 1, Count: 2})
			if diff := cmp.Diff(want, got); diff != "" {
				e.t.Errorf("%s: %s", state, diff)
			}
			got, _ = e.listed(queue.ListRequest{State: state, Start: 1, Count: 2, Newest: true})
			if diff := cmp.Diff([]string{want[1], want[0]}, got); diff != "" {
				e.t.Errorf("%s, newest: %s", state, diff)
			}
		}
	})
}

func TestListReportsIDsWithoutJob(t *testing.T) {
	onEach(t, func(e *env) {
		e.hash("1", "name", "n")
		for _, id := range []string{"1", "ghost", "0:5"} {
			e.must(e.rdb.RPush(e.ctx, e.key("wait"), id).Err())
		}
		got, missing := e.listed(queue.ListRequest{State: queue.StateWaiting, Count: 10})
		if diff := cmp.Diff([]string{"1"}, got); diff != "" {
			e.t.Error(diff)
		}
		if diff := cmp.Diff([]string{"ghost"}, missing); diff != "" {
			e.t.Error(diff)
		}
	})
}

func TestListRefuses(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.Set(e.ctx, e.key("paused"), "x", 0).Err())
		e.must(e.rdb.Set(e.ctx, e.key("failed"), "x", 0).Err())
		for _, test := range []struct {
			r    queue.ListRequest
			want error
		}{
			{queue.ListRequest{State: "running", Count: 1}, queue.ErrUnknownState},
			{queue.ListRequest{State: queue.StateFailed, Start: -1, Count: 1}, queue.ErrInvalidOption},
			{queue.ListRequest{State: queue.StateFailed, Count: -1}, queue.ErrInvalidOption},
			{queue.ListRequest{State: queue.StateFailed, Count: queue.MaxList + 1}, queue.ErrInvalidOption},
			{queue.ListRequest{State: queue.StateFailed, Count: 1}, queue.ErrCorrupt},
			{queue.ListRequest{State: queue.StateWaiting, Count: 1}, queue.ErrCorrupt},
		} {
			_, err := e.q.List(e.ctx, test.r)
			if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), e.base.String()) && !errors.Is(test.want, queue.ErrUnknownState) {
				e.t.Errorf("%+v: got %v, want %v", test.r, err, test.want)
			}
		}
	})
}
