package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/qctl/qctl/internal/queue"
)

func fixed(d time.Duration) *queue.Backoff { return &queue.Backoff{Type: "fixed", Delay: d} }

func limit(n int) *int { return &n }

func TestDecide(t *testing.T) {
	t.Parallel()
	own, workers := queue.KeepNewest(3, 0), queue.KeepNewest(7, time.Hour)
	boom := errors.New("boom")
	tests := []struct {
		name  string
		opts  queue.JobOptions
		made  int
		trace []string
		res   result
		want  queue.Outcome
	}{
		{
			"completed",
			queue.JobOptions{},
			0, nil,
			result{value: json.RawMessage(`1`)},
			queue.Outcome{Kind: queue.Complete, ReturnValue: json.RawMessage(`1`), Keep: workers},
		},
		{
			"completed, own retention",
			queue.JobOptions{KeepCompleted: own},
			0, nil,
			result{},
			queue.Outcome{Kind: queue.Complete, Keep: own},
		},
		{
			"no attempts given is one",
			queue.JobOptions{},
			0, nil,
			result{err: boom},
			queue.Outcome{Kind: queue.Fail, FailedReason: "boom", Keep: workers},
		},
		{
			"last attempt",
			queue.JobOptions{Attempts: 3, Backoff: fixed(time.Second), KeepFailed: own},
			2, nil,
			result{err: boom},
			queue.Outcome{Kind: queue.Fail, FailedReason: "boom", Keep: own, Attempts: 3},
		},
		{
			"more attempts made than allowed",
			queue.JobOptions{Attempts: 2},
			9, nil,
			result{err: boom},
			queue.Outcome{Kind: queue.Fail, FailedReason: "boom", Keep: workers, Attempts: 2},
		},
		{
			"attempts left, no backoff",
			queue.JobOptions{Attempts: 2, LIFO: true},
			0, nil,
			result{err: boom},
			queue.Outcome{Kind: queue.RetryNow, FailedReason: "boom", Attempts: 2, LIFO: true},
		},
		{
			"fixed",
			queue.JobOptions{Attempts: 5, Backoff: fixed(70 * time.Millisecond)},
			3, nil,
			result{err: boom},
			queue.Outcome{Kind: queue.RetryLater, FailedReason: "boom", Attempts: 5, Delay: 70 * time.Millisecond},
		},
		{
			"exponential",
			queue.JobOptions{Attempts: 9, Backoff: &queue.Backoff{Type: "exponential", Delay: time.Second}},
			3, nil,
			result{err: boom},
			queue.Outcome{Kind: queue.RetryLater, FailedReason: "boom", Attempts: 9, Delay: 8 * time.Second},
		},
		{
			"exponential with jitter",
			queue.JobOptions{Attempts: 9, Backoff: &queue.Backoff{Type: "exponential", Delay: time.Second, Jitter: 0.5}},
			1, nil,
			result{err: boom},
			queue.Outcome{Kind: queue.RetryLater, FailedReason: "boom", Attempts: 9, Delay: 1250 * time.Millisecond},
		},
		{
			"unknown backoff counts as fixed",
			queue.JobOptions{Attempts: 9, Backoff: &queue.Backoff{Type: "moon", Delay: time.Second}},
			3, nil,
			result{err: boom},
			queue.Outcome{Kind: queue.RetryLater, FailedReason: "boom", Attempts: 9, Delay: time.Second},
		},
		{
			"unrecoverable",
			queue.JobOptions{Attempts: 9},
			0, nil,
			result{err: &Failure{Reason: "no", Unrecoverable: true}},
			queue.Outcome{Kind: queue.Fail, FailedReason: "no", Attempts: 9, Keep: workers},
		},
		{
			"wrapped failure",
			queue.JobOptions{Attempts: 9},
			0, nil,
			result{err: fmt.Errorf("x: %w", &Failure{Reason: "no", Unrecoverable: true})},
			queue.Outcome{Kind: queue.Fail, FailedReason: "no", Attempts: 9, Keep: workers},
		},
		{
			"try again after",
			queue.JobOptions{Attempts: 1},
			0, nil,
			result{err: &Failure{TryAgain: true, RetryAfter: time.Minute}},
			queue.Outcome{Kind: queue.Postpone, Attempts: 1, Delay: time.Minute},
		},
		{
			"try again by the backoff",
			queue.JobOptions{Backoff: fixed(time.Second)},
			0, nil,
			result{err: &Failure{TryAgain: true}},
			queue.Outcome{Kind: queue.Postpone, Delay: time.Second},
		},
		{
			"try again at once",
			queue.JobOptions{},
			0, nil,
			result{err: &Failure{TryAgain: true}},
			queue.Outcome{Kind: queue.Postpone, Delay: leastPause},
		},
		{"stopped", queue.JobOptions{Attempts: 1}, 0, nil, result{err: ErrStopped}, queue.Outcome{Kind: queue.GiveBack, Attempts: 1}},
		{"lock lost", queue.JobOptions{Attempts: 1}, 0, nil, result{err: fmt.Errorf("x: %w", ErrLockLost)}, queue.Outcome{Kind: queue.GiveBack, Attempts: 1}},
		{
			"all traces",
			queue.JobOptions{},
			0,
			[]string{"a", "b"},
			result{err: &Failure{Reason: "r", Stack: "c"}},
			queue.Outcome{Kind: queue.Fail, FailedReason: "r", Keep: workers, Stacktrace: []string{"a", "b", "c"}},
		},
		{
			"newest traces",
			queue.JobOptions{StackTraceLimit: limit(2)},
			0,
			[]string{"a", "b"},
			result{err: &Failure{Reason: "r", Stack: "c"}},
			queue.Outcome{Kind: queue.Fail, FailedReason: "r", Keep: workers, Stacktrace: []string{"b", "c"}},
		},
		{
			"no traces",
			queue.JobOptions{StackTraceLimit: limit(0)},
			0,
			[]string{"a"},
			result{err: &Failure{Reason: "r", Stack: "c"}},
			queue.Outcome{Kind: queue.Fail, FailedReason: "r", Keep: workers, Stacktrace: []string{}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			job := &queue.Job{ID: "1", Token: "t", Options: &test.opts, AttemptsMade: test.made, Stacktrace: test.trace}
			test.want.ID, test.want.Token = "1", "t"
			got := Decide(job, test.res.value, test.res.err, Policy{Completed: workers, Failed: workers, Random: func() float64 { return 0.25 }})
			test.want.Job = job
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Two jobs share their options and may share the array of their traces.
func TestDecideLeavesTheJobAlone(t *testing.T) {
	t.Parallel()
	traces := append(make([]string, 0, 8), "a")
	appendTrace(traces, "b", nil)
	if got := traces[:2:2][1]; got != "" {
		t.Errorf("wrote %q behind the job's own traces", got)
	}
}

func TestDecideWithoutOptions(t *testing.T) {
	t.Parallel()
	job := &queue.Job{ID: "1", Token: "t"}
	got := Decide(job, nil, errors.New("x"), Policy{})
	want := queue.Outcome{Kind: queue.Fail, ID: "1", Token: "t", FailedReason: "x", Job: job}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestBackoffStaysInItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := &queue.Backoff{
			Type:   rapid.SampledFrom([]string{"fixed", "exponential", "other"}).Draw(t, "type"),
			Delay:  time.Duration(rapid.Int64Range(0, queue.MaxDelay.Milliseconds()).Draw(t, "ms")) * time.Millisecond,
			Jitter: rapid.Float64Range(0, 1).Draw(t, "jitter"),
		}
		n := rapid.IntRange(1, 1<<31).Draw(t, "n")
		random := rapid.Float64Range(0, 0.999999).Draw(t, "random")
		base := float64(b.Delay.Milliseconds())
		if b.Type == "exponential" && base > 0 {
			base = math.Pow(2, float64(min(n-1, 100))) * base
		}
		base = math.Min(base, float64(queue.MaxDelay.Milliseconds()))
		high := time.Duration(base) * time.Millisecond
		low := time.Duration(base*(1-b.Jitter)-2) * time.Millisecond
		if got := backoff(b, n, func() float64 { return random }); got < low || got < 0 || got > high {
			t.Errorf("%v, not between %v and %v", got, low, high)
		}
	})
}

func TestShortDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		10 * time.Minute: "10m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Second: "10s",
		time.Hour + time.Second: "1h0m1s", 0: "0s", 1500 * time.Millisecond: "1.5s", 100 * time.Hour: "100h",
	} {
		if got := (&TimeoutError{After: d}).Error(); got != "timed out after "+want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
