package demo_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/demo"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redisconn"
)

// The past is the same wherever and how often it is made, and has something to
// show for every status of the overview.
func TestPast(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 3, 12, 44, 0, time.UTC)
	now := func() time.Time { return start }
	one, two := openStore(t), openStore(t)
	for _, sim := range []*demo.Simulation{newSimulation(t, one, now), newSimulation(t, two, now)} {
		if err := sim.Past(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(demo.Counts{}, sim.Counts()["email"]); diff != "" {
			t.Errorf("the past was counted (-want +got):\n%s", diff)
		}
	}
	checkTimes(t, one, start)
	counts := count(t, one)
	if diff := cmp.Diff(counts, count(t, two)); diff != "" {
		t.Errorf("two pasts (-one +two):\n%s", diff)
	}
	for alias, c := range counts {
		waits := c.Waiting + c.Prioritized
		switch alias {
		case "qa":
			if waits < 10 {
				t.Errorf("%s: %d jobs wait for a worker", alias, waits)
			}
		case "orchestration":
			if waits < 15 {
				t.Errorf("%s: %d jobs wait, it is not late", alias, waits)
			}
		case "digest":
			if !c.Paused || c.Delayed == 0 {
				t.Errorf("%s: paused %v, %d delayed", alias, c.Paused, c.Delayed)
			}
		case "dev":
			if c.Active != 1 {
				t.Errorf("%s: %d active jobs of a dead worker", alias, c.Active)
			}
		case "webhook-outbound":
			if c.Failed < 50 {
				t.Errorf("%s: %d failed", alias, c.Failed)
			}
		}
		if alias != "digest" && c.Completed < 80 || c.Completed > 5000 {
			t.Errorf("%s: %d completed", alias, c.Completed)
		}
	}
}

// checkTimes holds the jobs of a past against its start: nothing lies in the
// future, and no job was finished before it came.
func checkTimes(t *testing.T, conn *redisconn.Conn, start time.Time) {
	t.Helper()
	client := queue.NewClient(conn, queue.ClientOptions{})
	for _, target := range builtin(t) {
		for _, state := range []queue.State{queue.StateCompleted, queue.StateFailed, queue.StatePrioritized} {
			listed, err := client.Queue(baseOf(target)).List(t.Context(), queue.ListRequest{
				State: state, Count: queue.MaxList, Fields: queue.FieldsAll,
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, job := range listed.Jobs {
				earliest := start.Add(-time.Hour).Truncate(time.Minute)
				if job.Timestamp.Before(earliest) || job.Timestamp.After(start) || job.FinishedOn.After(start) ||
					state.Finished() && (job.ProcessedOn.Before(job.Timestamp) || job.FinishedOn.Before(job.ProcessedOn)) {
					t.Errorf("%s %s %s: came %s, begun %s, finished %s",
						target.Alias, state, job.ID, job.Timestamp, job.ProcessedOn, job.FinishedOn)
				}
				if state == queue.StateFailed && (job.FailedReason == "" || len(job.Stacktrace) != job.AttemptsMade) {
					t.Errorf("%s %s: reason %q, %d stack traces of %d attempts",
						target.Alias, job.ID, job.FailedReason, len(job.Stacktrace), job.AttemptsMade)
				}
			}
		}
	}
}

// What is told at the end adds up with what is in the store.
func TestRun(t *testing.T) {
	t.Parallel()
	conn := openStore(t)
	sim := newSimulation(t, conn, time.Now)
	if err := sim.Past(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := count(t, conn)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	seen := func() bool {
		var sum demo.Counts
		for _, c := range sim.Counts() {
			sum.Added += c.Added
			sum.Completed += c.Completed
			sum.Failed += c.Failed
			sum.Retried += c.Retried
			sum.Stalled += c.Stalled
		}
		return sum.Added > 0 && sum.Completed > 0 && sum.Failed > 0 && sum.Retried > 0 && sum.Stalled > 0
	}
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !seen() {
		select {
		case err := <-ended:
			t.Fatalf("ended early with %v: %v", err, sim.Counts())
		case <-look.C:
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the end is an error: %v", err)
	}
	counts, causes := sim.Counts(), map[string]int64{}
	for _, c := range sim.Causes() {
		causes[c.Alias] += c.Count
	}
	for alias, after := range count(t, conn) {
		c, was := counts[alias], before[alias]
		want := map[string]int64{"completed": c.Completed, "failed": c.Failed, "all": c.Added, "causes": c.Failed + c.Retried}
		got := map[string]int64{
			"completed": after.Completed - was.Completed, "failed": after.Failed - was.Failed,
			"all": total(after) - total(was), "causes": causes[alias],
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-told +in the store):\n%s", alias, diff)
		}
	}
}

func total(c queue.Counts) int64 {
	return c.Waiting + c.Prioritized + c.Active + c.Delayed + c.Completed + c.Failed
}

// A queue without a script is a mistake of whoever calls.
func TestUnknownQueue(t *testing.T) {
	t.Parallel()
	_, err := demo.New(demo.Config{Queues: []demo.Queue{{Alias: "payroll"}}})
	if err == nil || err.Error() != `demo: no script for the queue "payroll"` {
		t.Errorf("%v", err)
	}
}
