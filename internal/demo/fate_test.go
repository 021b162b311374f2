package demo

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// scriptOf returns the script of a queue.
func scriptOf(t *testing.T, alias string) *script {
	t.Helper()
	for _, s := range scripts() {
		if s.alias == alias {
			return &s
		}
	}
	t.Fatalf("no script for %s", alias)
	return nil
}

// Every built-in queue has a script, and every job that it may get is one that
// the queue would take.
func TestJobsAreTaken(t *testing.T) {
	t.Parallel()
	settings, _, err := config.Load(func(string) (string, bool) { return "", false }, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range settings.Targets("") {
		s := scriptOf(t, target.Alias)
		delayed := 0
		for n := range 500 {
			job := s.job(1, n)
			if err := config.Validate(target.Queue.Schema, job.Data); err != nil {
				t.Fatalf("%s, job %d: %v in %s", s.alias, n, err, job.Data)
			}
			if _, _, err := target.Queue.Priority.Wire(job.Priority); err != nil || job.Name == "" || job.Delay < 0 {
				t.Fatalf("%s, job %d: %q, priority %q (%v), delay %s", s.alias, n, job.Name, job.Priority, err, job.Delay)
			}
			if job.Delay > 0 {
				delayed++
			}
		}
		if (delayed > 0) != (s.later > 0) {
			t.Errorf("%s: %d of 500 jobs are delayed", s.alias, delayed)
		}
	}
	if got, want := len(scripts()), len(settings.Targets("")); got != want {
		t.Errorf("%d scripts for %d queues", got, want)
	}
}

// The same seed tells the same story, to the byte; another one another.
func TestSeedDecides(t *testing.T) {
	t.Parallel()
	type told struct {
		Job   Job
		Pause time.Duration
		Takes time.Duration
		Why   string
	}
	tell := func(alias string, seed uint64, n int) told {
		s := scriptOf(t, alias)
		f := s.fate(seed, n, 1, 0)
		why := "done"
		if f.failure != nil {
			why = f.failure.Reason
		}
		return told{s.job(seed, n), s.pause(seed, n, time.UnixMilli(0), 0), f.takes, why}
	}
	want := told{
		Job: Job{
			Name: "invoice",
			Data: json.RawMessage(`{"queueId":"b1a3b4dc-f3f3-4841-8a65-007b3ff8c06e","userId":"user-9364"}`),
		},
		Pause: 873 * time.Millisecond, Takes: 729 * time.Millisecond, Why: "done",
	}
	if diff := cmp.Diff(want, tell("email", 1, 3)); diff != "" {
		t.Errorf("job 3 of email (-want +got):\n%s", diff)
	}
	if cmp.Equal(tell("email", 1, 3), tell("email", 2, 3)) || cmp.Equal(tell("email", 1, 3), tell("email", 1, 4)) {
		t.Error("another seed or another number tells the same")
	}
}

func TestTroubleLasts(t *testing.T) {
	t.Parallel()
	failure := &worker.Failure{Reason: "it broke", Stack: "Error: it broke\n    at f (f.js:1:1)"}
	for name, test := range map[string]struct {
		trouble trouble
		attempt int
		before  time.Duration
		want    *worker.Failure
	}{
		"first attempt":          {trouble{odds: 1}, 1, 0, failure},
		"gone at the second":     {trouble{odds: 1}, 2, 0, nil},
		"there at the third":     {trouble{odds: 1, lasts: 1}, 3, 0, failure},
		"never":                  {trouble{odds: 0, lasts: 1}, 1, 0, nil},
		"not yet":                {trouble{odds: 1, since: time.Minute}, 1, 2 * time.Minute, nil},
		"since a minute":         {trouble{odds: 1, since: time.Minute}, 1, time.Minute, failure},
		"in the present as well": {trouble{odds: 1, since: time.Minute}, 1, 0, failure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.trouble.reason, test.trouble.where = always("it broke"), "f (f.js:1:1)"
			s := script{
				alias: "x", runs: span{time.Second, time.Second}, troubles: []trouble{test.trouble},
				result: func(chance) any { return true },
			}
			for n := range 50 {
				got := s.fate(1, n, test.attempt, test.before)
				want := fate{takes: time.Second, result: json.RawMessage("true"), failure: test.want}
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(fate{})); diff != "" {
					t.Fatalf("job %d (-want +got):\n%s", n, diff)
				}
			}
		})
	}
}

// Troubles of one queue are told apart by their cause, and all of them happen.
func TestCausesDiffer(t *testing.T) {
	t.Parallel()
	for _, s := range scripts() {
		causes := map[string]bool{}
		for n := range 5000 {
			if f := s.fate(1, n, 1, 0); f.failure != nil {
				_, cause := queue.Cause(f.failure.Reason)
				causes[cause] = true
			}
		}
		if len(causes) < len(s.troubles) || len(causes) > len(s.troubles)+len(tenants) {
			t.Errorf("%s: %d causes of %d troubles: %v", s.alias, len(causes), len(s.troubles), causes)
		}
	}
}

// Traffic grows until the start, and never stands still.
func TestFlow(t *testing.T) {
	t.Parallel()
	for _, s := range scripts() {
		sum := map[time.Duration]float64{}
		const looks = 100
		for i := range looks {
			at := time.UnixMilli(0).Add(tideTime * time.Duration(i) / looks)
			for _, before := range []time.Duration{0, 10 * time.Minute, time.Hour} {
				flow := s.flow(at, before)
				if flow <= 0 {
					t.Fatalf("%s: flow %g", s.alias, flow)
				}
				sum[before] += flow / looks
			}
		}
		if sum[0] < 0.99 || sum[0] > 1.01 || sum[10*time.Minute] > 0.7 || sum[time.Hour] > 0.3 {
			t.Errorf("%s: flows %v", s.alias, sum)
		}
	}
}
