package queue_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// failures returns what a scan visits, and the sizes of its pages.
func (e *env) failures(r queue.ScanRequest) (all []queue.Failure, pages []int) {
	e.t.Helper()
	e.must(e.q.ScanFailures(e.ctx, r, func(page []queue.Failure) error {
		all, pages = append(all, page...), append(pages, len(page))
		return nil
	}))
	return all, pages
}

// failedAt puts an id among the failed jobs, so many milliseconds after the
// start.
func (e *env) failedAt(id string, ms float64) {
	e.t.Helper()
	e.must(e.rdb.ZAdd(e.ctx, e.key("failed"), redis.Z{Score: ms, Member: id}).Err())
}

func TestScanFailuresReadsWhatIsCounted(t *testing.T) {
	onEach(t, func(e *env) {
		at := func(i int) time.Time { return time.UnixMilli(start + int64(i)) }
		long, tooLong := strings.Repeat("word ", 1000), strings.Repeat("x", queue.ListFieldLimit+1)
		e.hash("plain", "name", "send", "failedReason", "HTTP 503\nat x")
		e.hash("nameless", "failedReason", "boom")
		e.hash("reasonless", "name", "send")
		e.hash("bare", "data", "{}")
		e.hash("long", "name", "send", "failedReason", " \t\r\n"+long)
		e.hash("far", "name", "send", "failedReason", strings.Repeat(" ", 1000)+long)
		e.hash("odd space", "name", "send", "failedReason", "\u00a0\u2003"+long)
		e.hash("large", "name", "send", "failedReason", tooLong)
		e.hash("large name", "name", tooLong, "failedReason", "boom")
		e.must(e.rdb.Set(e.ctx, e.key("text"), "no hash", 0).Err())
		e.hash("timeless", "failedReason", "boom")
		e.failedAt("timeless", -5)
		ids := []string{"plain", "gone", "nameless", "reasonless", "bare", "long", "far", "odd space", "large", "large name", "text"}
		for i, id := range ids {
			e.failedAt(id, float64(start+int64(i)))
		}
		e.hash("late", "failedReason", "boom")
		e.failedAt("late", 1e300)

		got, _ := e.failures(queue.ScanRequest{})
		want := []queue.Failure{
			{ID: "timeless", Reason: "boom"},
			{ID: "plain", Name: "send", Reason: "HTTP 503\nat x", At: at(0)},
			{ID: "nameless", Reason: "boom", At: at(2)},
			{ID: "reasonless", Name: "send", At: at(3)},
			{ID: "bare", At: at(4)},
			{ID: "long", Name: "send", Reason: (" \t\r\n" + long)[:1200], At: at(5)},
			{ID: "far", Name: "send", Reason: strings.Repeat(" ", 1000) + long, At: at(6)},
			{ID: "odd space", Name: "send", Reason: "\u00a0\u2003" + long, At: at(7)},
			{ID: "large", Name: "send", At: at(8)},
			{ID: "large name", Reason: "boom", At: at(9)},
			{ID: "text", At: at(10)},
			{ID: "late", Reason: "boom"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}
		whole, _ := queue.Cause(" \t\r\n" + long)
		if cut, _ := queue.Cause(want[5].Reason); cut != whole {
			e.t.Errorf("a cut reason has the cause %s, the whole one %s", cut, whole)
		}
		some, _ := e.failures(queue.ScanRequest{Since: at(2), Until: at(3)})
		if diff := cmp.Diff(want[2:4], some); diff != "" {
			e.t.Error(diff)
		}
	})
}

func TestScanFailuresGoesInBoundedPages(t *testing.T) {
	onEach(t, func(e *env) {
		pipe := e.rdb.Pipeline()
		for i := range 1200 {
			pipe.HSet(e.ctx, e.key(strconv.Itoa(i)), "name", "send", "failedReason", "boom")
			pipe.ZAdd(e.ctx, e.key("failed"), redis.Z{Score: float64(start), Member: i})
		}
		_, err := pipe.Exec(e.ctx)
		e.must(err)
		e.failures(queue.ScanRequest{}) // the server knows the script from now on
		calls := e.countCalls("evalsha")
		if _, pages := e.failures(queue.ScanRequest{Page: 1 << 20}); fmt.Sprint(pages) != "[1000 200]" {
			e.t.Errorf("pages of %v", pages)
		}
		if calls.Load() != 3 { // the last finds that there are no more
			e.t.Errorf("%d calls", calls.Load())
		}

		// Reasons that cannot be cut fill a page by their bytes.
		for i := range 200 {
			e.hash(strconv.Itoa(i), "failedReason", strings.Repeat(" ", 15_000)+"boom")
		}
		all, pages := e.failures(queue.ScanRequest{})
		if len(all) != 1200 || len(pages) != 3 || pages[0] > 500 {
			e.t.Errorf("%d failures in pages of %v", len(all), pages)
		}
		e.must(e.rdb.Del(e.ctx, e.key("failed")).Err())
		if all, pages := e.failures(queue.ScanRequest{}); len(all)+len(pages) != 0 {
			e.t.Errorf("%d failures of none", len(all))
		}
	})
}

// Retention takes the first jobs away, which moves all others up, retried jobs
// fail again and new ones fail, while the scan goes on.
func TestScanFailuresCountsNothingTwice(t *testing.T) {
	onEach(t, func(e *env) {
		const jobs = 200
		for i := range jobs {
			id := fmt.Sprintf("%03d", i)
			e.hash(id, "name", "send", "failedReason", "boom")
			e.failedAt(id, float64(start+int64(i/8)))
		}
		seen := map[string]int{}
		page := 0
		e.must(e.q.ScanFailures(e.ctx, queue.ScanRequest{Page: 20}, func(failures []queue.Failure) error {
			for _, f := range failures {
				seen[f.ID]++
			}
			e.must(e.rdb.ZRemRangeByRank(e.ctx, e.key("failed"), 0, 12).Err())
			e.failedAt(failures[0].ID, float64(start+1000)) // again
			fresh := fmt.Sprintf("fresh%d", page)
			e.hash(fresh, "failedReason", "boom")
			e.failedAt(fresh, float64(start+1000))
			page++
			return nil
		}))
		for i := range jobs {
			if n := seen[fmt.Sprintf("%03d", i)]; n != 1 {
				e.t.Errorf("job %d was visited %d times", i, n)
			}
		}
		if len(seen) != jobs {
			e.t.Errorf("%d jobs instead of %d", len(seen), jobs)
		}
	})
}

func TestScanFailuresEnds(t *testing.T) {
	onEach(t, func(e *env) {
		for i := range 50 {
			e.failedAt(strconv.Itoa(i), float64(start))
			e.hash(strconv.Itoa(i), "failedReason", "boom")
		}
		enough := errors.New("enough")
		visits := 0
		err := e.q.ScanFailures(e.ctx, queue.ScanRequest{Page: 10}, func([]queue.Failure) error {
			visits++
			return enough
		})
		if !errors.Is(err, enough) || visits != 1 {
			e.t.Errorf("%v after %d visits", err, visits)
		}
		e.must(e.rdb.Del(e.ctx, e.key("failed")).Err())
		e.must(e.rdb.Set(e.ctx, e.key("failed"), "x", 0).Err())
		err = e.q.ScanFailures(e.ctx, queue.ScanRequest{}, func([]queue.Failure) error { return nil })
		if !errors.Is(err, queue.ErrCorrupt) {
			e.t.Errorf("a text in the place of the failed jobs: %v", err)
		}
	})
}
