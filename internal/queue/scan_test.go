package queue_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/qctl/qctl/internal/queue"
)

// scanned returns the ids of a scan whose callback keeps everything.
func (e *env) scanned(r queue.ScanRequest) []string {
	e.t.Helper()
	var ids []string
	e.must(e.q.Scan(e.ctx, r, func(page []string) ([]string, error) {
		ids = append(ids, page...)
		return page, nil
	}))
	return ids
}

func TestScanOrder(t *testing.T) {
	onEach(t, func(e *env) {
		for i := range 10 {
			id := strconv.Itoa(i)
			e.fill("wait", "w"+id)
			e.fill("paused", "p"+id)
			e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), redis.Z{Score: float64(i / 4), Member: "f" + id}).Err())
		}
		e.must(e.rdb.RPush(e.ctx, e.key("wait"), "0:1").Err())
		for _, page := range []int{0, 1, 3, 10, 9999} {
			want := []string{"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9"}
			if diff := cmp.Diff(want, e.scanned(queue.ScanRequest{State: queue.StateWaiting, Page: page})); diff != "" {
				e.t.Errorf("page %d: %s", page, diff)
			}
			want = []string{"f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9"}
			if diff := cmp.Diff(want, e.scanned(queue.ScanRequest{State: queue.StateFailed, Page: page})); diff != "" {
				e.t.Errorf("page %d: %s", page, diff)
			}
		}
	})
}

func TestScanBounds(t *testing.T) {
	onEach(t, func(e *env) {
		at := func(s int) time.Time { return time.UnixMilli(start).Add(time.Duration(s) * time.Second) }
		for i := range 5 {
			ms := float64(at(i).UnixMilli())
			e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), redis.Z{Score: ms, Member: fmt.Sprint(i)}).Err())
			e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), redis.Z{Score: ms*4096 + float64(i), Member: fmt.Sprint(i)}).Err())
		}
		for _, test := range []struct {
			since, until time.Time
			want         []string
		}{
			{time.Time{}, time.Time{}, []string{"0", "1", "2", "3", "4"}},
			{at(2), time.Time{}, []string{"2", "3", "4"}},
			{time.Time{}, at(2), []string{"0", "1", "2"}},
			{at(1), at(3), []string{"1", "2", "3"}},
			{at(1).Add(time.Millisecond), at(3).Add(-time.Millisecond), []string{"2"}},
			{at(9), time.Time{}, nil},
			{at(3), at(1), nil},
		} {
			for _, state := range []queue.State{queue.StateFailed, queue.StateDelayed} {
				got := e.scanned(queue.ScanRequest{State: state, Since: test.since, Until: test.until, Page: 2})
				if diff := cmp.Diff(test.want, got); diff != "" {
					e.t.Errorf("%s from %v to %v: %s", state, test.since, test.until, diff)
				}
			}
		}
		for _, state := range []queue.State{queue.StateWaiting, queue.StateActive, queue.StatePrioritized} {
			err := e.q.Scan(e.ctx, queue.ScanRequest{State: state, Since: at(1)}, nil)
			if !errors.Is(err, queue.ErrInvalidOption) {
				e.t.Errorf("%s by time: %v", state, err)
			}
		}
	})
}

func TestScanEndsWithTheCallersError(t *testing.T) {
	onEach(t, func(e *env) {
		for i := range 5 {
			e.fill("wait", fmt.Sprint(i))
			e.fill("failed", fmt.Sprint(i))
		}
		enough := errors.New("enough")
		for _, state := range []queue.State{queue.StateWaiting, queue.StateFailed} {
			pages := 0
			err := e.q.Scan(e.ctx, queue.ScanRequest{State: state, Page: 2}, func(ids []string) ([]string, error) {
				pages++
				return ids, enough
			})
			if err != enough || pages != 1 { //nolint:errorlint // returned as it is
				e.t.Errorf("%s: %d pages, %v", state, pages, err)
			}
		}
	})
}

func TestScanOfWrongType(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.Set(e.ctx, e.key("failed"), "x", 0).Err())
		e.must(e.rdb.Set(e.ctx, e.key("wait"), "x", 0).Err())
		for _, state := range []queue.State{queue.StateWaiting, queue.StateFailed} {
			err := e.q.Scan(e.ctx, queue.ScanRequest{State: state}, func(ids []string) ([]string, error) {
				e.t.Errorf("visited %q", ids)
				return nil, nil
			})
			if !errors.Is(err, queue.ErrCorrupt) {
				e.t.Errorf("%s: %v", state, err)
			}
		}
	})
}

// A job that fails again during a retry of all failed jobs is not retried a
// second time, or the retry would never end.
func TestScanPassesByWhatComesBack(t *testing.T) {
	onEach(t, func(e *env) {
		for i := range 9 {
			e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), redis.Z{Score: float64(start), Member: fmt.Sprint(i)}).Err())
		}
		visited := map[string]int{}
		e.must(e.q.Scan(e.ctx, queue.ScanRequest{State: queue.StateFailed, Page: 2}, func(ids []string) ([]string, error) {
			for _, id := range ids {
				visited[id]++
				e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), redis.Z{Score: float64(start + 1), Member: id}).Err())
			}
			return nil, nil
		}))
		want := map[string]int{}
		for i := range 9 {
			want[fmt.Sprint(i)] = 1
		}
		if diff := cmp.Diff(want, visited); diff != "" {
			e.t.Error(diff)
		}
	})
}

// Whatever the callback removes, and in sorted sets whatever others remove at
// the same time, each id is visited once; those that others took away first may
// be left out.
func TestScanVisitsEachIDOnce(t *testing.T) {
	onEach(t, func(e *env) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-cA\x00-\x02\xff]{1,5}`), 0, 40, rapid.ID[string])
		rapid.Check(e.t.(*testing.T), func(t *rapid.T) {
			state := rapid.SampledFrom([]queue.State{
				queue.StateFailed, queue.StateDelayed, queue.StatePrioritized, queue.StateActive, queue.StateWaiting,
			}).Draw(t, "state")
			ids := names.Draw(t, "ids")
			model := newScanModel(e, t, state, ids)
			visited, taken := map[string]int{}, map[string]bool{}
			err := e.q.Scan(e.ctx, queue.ScanRequest{State: state, Page: rapid.IntRange(1, 7).Draw(t, "page")},
				func(page []string) (kept []string, err error) {
					for _, id := range page {
						visited[id]++
						if rapid.Bool().Draw(t, "remove "+id) {
							model.remove(id)
						} else if !taken[id] {
							kept = append(kept, id)
						}
					}
					if model.set && rapid.Bool().Draw(t, "others") {
						for _, id := range rapid.SliceOfN(rapid.SampledFrom(ids), 1, 5).Draw(t, "taken by others") {
							model.remove(id)
							taken[id] = true
						}
					}
					return rapid.Permutation(kept).Draw(t, "kept"), nil
				})
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				if n := visited[id]; n > 1 || (n == 0 && !taken[id]) {
					t.Fatalf("%q was visited %d times", id, n)
				}
			}
			if extra := len(visited) - len(ids); extra > 0 {
				t.Fatalf("%d ids too many: %q", extra, slices.Collect(maps.Keys(visited)))
			}
		})
	})
}

// scanModel fills the structures of one state with ids and takes them out.
type scanModel struct {
	e    *env
	t    *rapid.T
	set  bool
	keys []string
}

func newScanModel(e *env, t *rapid.T, state queue.State, ids []string) *scanModel {
	m := &scanModel{e: e, t: t, set: true, keys: []string{e.key(string(state))}}
	switch state {
	case queue.StateActive:
		m.set = false
	case queue.StateWaiting:
		m.set, m.keys = false, []string{e.key("wait"), e.key("paused")}
	}
	m.must(e.rdb.Del(e.ctx, m.keys...).Err())
	for _, id := range ids {
		key := rapid.SampledFrom(m.keys).Draw(t, "key")
		if m.set {
			score := rapid.SampledFrom([]float64{0, 1, 2.5, 7.35e15, 7.35e15 + 1}).Draw(t, "score")
			m.must(e.rdb.ZAdd(e.ctx, key, redis.Z{Score: score, Member: id}).Err())
		} else {
			m.must(e.rdb.LPush(e.ctx, key, id).Err())
		}
	}
	return m
}

func (m *scanModel) remove(id string) {
	for _, key := range m.keys {
		if m.set {
			m.must(m.e.rdb.ZRem(m.e.ctx, key, id).Err())
		} else {
			m.must(m.e.rdb.LRem(m.e.ctx, key, 0, id).Err())
		}
	}
}

func (m *scanModel) must(err error) {
	if err != nil {
		m.t.Fatal(err)
	}
}

// Workers that take jobs from the front while a scan runs must not make it skip
// any that wait behind.
func TestScanOfAListThatWorkersEmpty(t *testing.T) {
	onEach(t, func(e *env) {
		const n = 2500
		all := make([]any, n)
		for i := range all {
			all[i] = i
		}
		e.must(e.rdb.LPush(e.ctx, e.key("wait"), all...).Err())
		visited := map[string]int{}
		e.must(e.q.Scan(e.ctx, queue.ScanRequest{State: queue.StateWaiting, Page: 100}, func(ids []string) ([]string, error) {
			for _, id := range ids {
				visited[id]++
			}
			e.must(e.rdb.RPopCount(e.ctx, e.key("wait"), 30).Err())
			e.must(e.rdb.LPush(e.ctx, e.key("wait"), fmt.Sprint("new", len(visited))).Err())
			return ids, nil
		}))
		for i := range n {
			if id := fmt.Sprint(i); visited[id] != 1 {
				e.t.Errorf("job %s was visited %d times", id, visited[id])
			}
		}
	})
}

// An id that stands twice does not make the walk go in circles.
func TestScanOfAListWithRepeatedIDs(t *testing.T) {
	onEach(t, func(e *env) {
		want := []string{"a", "b", "a", "a", "c", "b", "d"}
		for _, id := range want {
			e.fill("active", id)
		}
		for page := 1; page < 4; page++ {
			if diff := cmp.Diff(want, e.scanned(queue.ScanRequest{State: queue.StateActive, Page: page})); diff != "" {
				e.t.Errorf("page %d: %s", page, diff)
			}
		}
	})
}
