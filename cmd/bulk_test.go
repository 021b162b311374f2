package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/iostreams"
	"github.com/qctl/qctl/internal/queue"
)

// testWorld is an app over a Redis of its own, at a time of its own.
type testWorld struct {
	*app
	redis        *miniredis.Miniredis
	in, out, err *bytes.Buffer
	clock        time.Time
}

func newTestWorld(t *testing.T) *testWorld {
	t.Helper()
	w := &testWorld{redis: miniredis.RunT(t), clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	var streams *iostreams.Streams
	streams, w.in, w.out, w.err = iostreams.Test()
	w.app = &app{
		streams: streams,
		lookupEnv: func(name string) (string, bool) {
			if name != "REDIS_URL" {
				return "", false
			}
			return "redis://" + w.redis.Addr(), true
		},
		environ: func() []string { return nil },
		now:     func() time.Time { return w.clock },
		local:   time.UTC,
	}
	w.flags.changed = func(string) bool { return false }
	w.flags.color = "auto"
	t.Cleanup(w.close)
	return w
}

// queue returns a queue that exists.
func (w *testWorld) queue(t *testing.T, name string) target {
	t.Helper()
	w.redis.HSet("bull:"+name+":meta", "opts.maxLenEvents", "10000")
	found, err := w.existing(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// fail makes jobs that failed a minute ago, with the ids 1 to n.
func (w *testWorld) fail(t *testing.T, name string, n int) {
	t.Helper()
	at := w.clock.Add(-time.Minute).UnixMilli()
	for i := 1; i <= n; i++ {
		id := strconv.Itoa(i)
		w.redis.HSet("bull:"+name+":"+id, "name", "job", "data", "{}", "opts", "{}",
			"timestamp", strconv.FormatInt(at, 10), "finishedOn", strconv.FormatInt(at, 10))
		if _, err := w.redis.ZAdd("bull:"+name+":failed", float64(at), id); err != nil {
			t.Fatal(err)
		}
	}
}

// wait makes waiting jobs with the ids 1 to n, 1 the next to run.
func (w *testWorld) wait(t *testing.T, name string, n int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		id := strconv.Itoa(i)
		w.redis.HSet("bull:"+name+":"+id, "name", "job", "data", "{}", "opts", "{}", "timestamp", "1")
		if _, err := w.redis.Lpush("bull:"+name+":wait", id); err != nil {
			t.Fatal(err)
		}
	}
}

func retryAll(w *testWorld, t target) *bulkChange {
	return &bulkChange{
		a: w.app, t: t, noun: "failed",
		change: change{
			verb: "retry", done: "retried", needsData: true,
			apply: func(ctx context.Context, q *queue.Queue, state queue.State, ids []string) ([]error, error) {
				return q.Retry(ctx, state, ids, queue.RetryOptions{})
			},
		},
	}
}

var ignoreSummary = cmpopts.IgnoreUnexported(changeView{})

// TestRetryLeavesWhatFailsMeanwhile lets every job fail again as soon as it is
// retried: each is retried once.
func TestRetryLeavesWhatFailsMeanwhile(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	q := w.queue(t, "loop")
	w.fail(t, "loop", 1200)
	c := retryAll(w, q)
	retry := c.change.apply
	c.change.apply = func(ctx context.Context, q *queue.Queue, state queue.State, ids []string) ([]error, error) {
		errs, err := retry(ctx, q, state, ids)
		w.clock = w.clock.Add(time.Second)
		for _, id := range ids {
			if _, zaddErr := w.redis.ZAdd("bull:loop:failed", float64(w.clock.UnixMilli()), id); zaddErr != nil {
				return nil, zaddErr
			}
		}
		return errs, err
	}
	s := &selection{states: []queue.State{queue.StateFailed}}
	if err := runSelected(t.Context(), w.app, []*bulkChange{c}, s, false); err != nil {
		t.Fatal(err)
	}
	if want := "retried 1,200 of 1,200 failed in loop in 3.0s\n"; w.out.String() != want {
		t.Errorf("said %q, want %q", w.out, want)
	}
}

// TestInterruptedChangeTellsItsCounts cancels behind the first page.
func TestInterruptedChangeTellsItsCounts(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	q := w.queue(t, "many")
	w.fail(t, "many", 1200)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := retryAll(w, q)
	c.total = 1200
	retry := c.change.apply
	c.change.apply = func(ctx context.Context, q *queue.Queue, state queue.State, ids []string) ([]error, error) {
		defer cancel()
		return retry(ctx, q, state, ids)
	}
	s := &selection{states: []queue.State{queue.StateFailed}}
	err := runSelected(ctx, w.app, []*bulkChange{c}, s, false)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v is not context.Canceled", err)
	}
	if want := "retried 500 of 1,200 failed in many in 0.0s\n"; w.out.String() != want {
		t.Errorf("said %q, want %q", w.out, want)
	}
	if left, _ := w.redis.ZMembers("bull:many:failed"); len(left) != 700 {
		t.Errorf("%d jobs are left, want 700", len(left))
	}
}

// TestTimeUp ends a change by its deadline: what was done is a partial result.
func TestTimeUp(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	c := retryAll(w, w.queue(t, "slow"))
	c.tally = tally{matched: 10, changed: 10}
	if err := c.verdict(t.Context(), context.DeadlineExceeded); !as[*partialError](err) {
		t.Errorf("got %v, want a partial result", err)
	}
	c.tally = tally{}
	if err := c.verdict(t.Context(), context.DeadlineExceeded); as[*partialError](err) {
		t.Errorf("got %v, want the deadline itself: nothing was done", err)
	}
}

// TestListsAreChangedInRounds removes waiting jobs two at a time, some of which
// stay where they are.
func TestListsAreChangedInRounds(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	q := w.queue(t, "line")
	w.wait(t, "line", 7)
	c := retryAll(w, q)
	c.change = change{verb: "remove", done: "removed", apply: func(
		ctx context.Context, q *queue.Queue, state queue.State, ids []string,
	) ([]error, error) {
		errs := make([]error, len(ids))
		for i, id := range ids {
			if id == "2" || id == "5" {
				errs[i] = &queue.JobError{ID: id, Err: queue.ErrJobLocked}
				continue
			}
			removed, err := q.RemoveFrom(ctx, state, []string{id})
			if err != nil {
				return nil, err
			}
			errs[i] = removed[0]
		}
		return errs, nil
	}}
	s := &selection{states: []queue.State{queue.StateWaiting}}
	view, err := c.run(t.Context(), func(ctx context.Context) error {
		c.state = queue.StateWaiting
		return c.inRounds(ctx, s.scopes(w.clock)[0], 2)
	})
	if !as[*partialError](err) {
		t.Errorf("got %v, want a partial result", err)
	}
	removed := 5
	want := changeView{
		Queue: "line", Matched: 7, Removed: &removed, Skipped: []skipped{{Reason: "locked", Count: 2, IDs: []string{"2", "5"}}},
	}
	if diff := cmp.Diff(want, view, ignoreSummary); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	left, _ := w.redis.List("bull:line:wait")
	if diff := cmp.Diff([]string{"5", "2"}, left); diff != "" {
		t.Errorf("left waiting (-want +got):\n%s", diff)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection lost")
	job := func(err error) error { return &queue.JobError{ID: "x", Err: err} }
	var got tally
	first := job(queue.ErrJobNotFound)
	got.count([]string{"1", "2", "3"}, []error{nil, first, job(queue.ErrJobLocked)}, nil)
	for i := range 25 {
		got.count([]string{fmt.Sprint("m", i)}, []error{job(queue.ErrJobNotFound)}, nil)
	}
	got.count([]string{"8", "9"}, []error{job(errors.New("odd")), job(lost)}, lost)
	ids := []string{"2"}
	for i := range maxSkippedIDs - 1 {
		ids = append(ids, fmt.Sprint("m", i))
	}
	want := tally{
		matched: 30, changed: 1, failed: 2, last: "9", first: first,
		skipped: []skipped{{"missing", 26, ids}, {"locked", 1, []string{"3"}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(tally{}), cmpopts.EquateErrors()); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	found := []skipped{{Reason: "missing", Count: 4}}
	tests := []struct {
		name string
		c    bulkChange
		want string
	}{
		{"all", bulkChange{noun: "failed", tally: tally{matched: 1375, changed: 1375}}, "retried 1,375 of 1,375 failed in billing in 0.3s"},
		{
			"some",
			bulkChange{noun: "failed", tally: tally{matched: 1375, changed: 1371, skipped: found}},
			"retried 1,371 of 1,375 failed in billing in 0.3s; 4 skipped (job data missing)",
		},
		{
			"several reasons",
			bulkChange{noun: "jobs", byID: true, tally: tally{
				matched: 9, changed: 2, failed: 1, skipped: append(found, skipped{Reason: "state", Count: 2}),
			}},
			"retried 2 of 9 jobs in billing in 0.3s; 6 skipped (4 not found, 2 in another state); 1 failed",
		},
		{"none", bulkChange{noun: "failed"}, "nothing to retry in billing"},
		{"one by its id", bulkChange{byID: true, tally: tally{matched: 1, changed: 1, last: "a\x1bb"}}, `retried job a\x1bb in billing`},
		{"dry run", bulkChange{noun: "failed", dryRun: true, tally: tally{matched: 3, changed: 3}}, "would retry 3 of 3 failed in billing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := test.c
			c.change = change{verb: "retry", done: "retried"}
			c.t = target{Target: config.Target{Name: "billing"}}
			if got := c.summary(312 * time.Millisecond); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestPacer checks how many jobs may go at once; the waits are real and short.
func TestPacer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pace string
		want int
		take int
	}{
		{"10000/s", 5000, 1000},
		{"10000/s", 7, 7},
		{"100/s", 500, 10},
		{"1/s", 500, 1},
		{"1/1h", 3, 1},
	}
	for _, test := range tests {
		w := newTestWorld(t)
		p, err := w.parsePace(test.pace)
		if err != nil {
			t.Fatal(err)
		}
		n, err := p.take(t.Context(), test.want)
		if err != nil || n != test.take {
			t.Errorf("%s: %d of %d may go at once (%v), want %d", test.pace, n, test.want, err, test.take)
		}
	}

	w := newTestWorld(t)
	p, err := w.parsePace("1/1h")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := p.take(ctx, 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := p.take(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait of an hour ended with %v, want context.Canceled", err)
	}
	w.clock = w.clock.Add(time.Hour)
	if n, err := p.take(t.Context(), 9); n != 1 || err != nil {
		t.Errorf("an hour later %d may go (%v), want 1", n, err)
	}
}
