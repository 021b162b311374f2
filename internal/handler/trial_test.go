package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/handler"
	"github.com/qctl/qctl/internal/worker"
)

func TestParse(t *testing.T) {
	t.Parallel()
	cases := []struct {
		spec string
		want handler.Trial
	}{
		{"noop", handler.Trial{}},
		{"sleep=200ms", handler.Trial{Sleep: 200 * time.Millisecond}},
		{"sleep=1m30s", handler.Trial{Sleep: 90 * time.Second}},
		{"sleep=2d", handler.Trial{Sleep: 48 * time.Hour}},
		{"fail=0.3", handler.Trial{Fail: 0.3}},
		{"fail=1", handler.Trial{Fail: 1}},
		{"fail=0", handler.Trial{}},
		{"sleep=10ms,fail=0.1", handler.Trial{Sleep: 10 * time.Millisecond, Fail: 0.1}},
		{" fail=0.1, sleep=10ms ", handler.Trial{Sleep: 10 * time.Millisecond, Fail: 0.1}},
	}
	for _, tc := range cases {
		have, err := handler.Parse(tc.spec)
		if err != nil {
			t.Errorf("%q: %v", tc.spec, err)
			continue
		}
		if diff := cmp.Diff(worker.Handler(tc.want), have); diff != "" {
			t.Errorf("%q (-want +got)\n%s", tc.spec, diff)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"":                     `handler "" is none of noop, sleep=DUR, fail=RATE`,
		"nop":                  `handler "nop" is none of noop, sleep=DUR, fail=RATE`,
		"sleep":                `handler "sleep": sleep= is not a duration such as 200ms`,
		"sleep=200":            `handler "sleep=200": sleep=200 is not a duration such as 200ms`,
		"sleep=-1s":            `handler "sleep=-1s": sleep=-1s is not a duration such as 200ms`,
		"sleep=1s,":            `handler "sleep=1s," is none of noop, sleep=DUR, fail=RATE`,
		"sleep=1s,sleep=2s":    `handler "sleep=1s,sleep=2s": sleep given twice`,
		"fail=1.1":             `handler "fail=1.1": fail=1.1 is not a rate from 0 to 1`,
		"fail=-0.1":            `handler "fail=-0.1": fail=-0.1 is not a rate from 0 to 1`,
		"fail=NaN":             `handler "fail=NaN": fail=NaN is not a rate from 0 to 1`,
		"fail=30%":             `handler "fail=30%": fail=30% is not a rate from 0 to 1`,
		"noop,fail=0.1":        `handler "noop,fail=0.1": noop stands alone`,
		"sleep=1s;rm=-rf":      `handler "sleep=1s;rm=-rf": sleep=1s;rm=-rf is not a duration such as 200ms`,
		"sleep=9999999999999h": `handler "sleep=9999999999999h": sleep=9999999999999h is not a duration such as 200ms`,
	}
	for spec, want := range cases {
		if _, err := handler.Parse(spec); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

func TestTrialFailsAtItsRate(t *testing.T) {
	t.Parallel()
	numbers := []float64{0, 0.29, 0.3, 0.99}
	trial := handler.Trial{Fail: 0.3, Rand: func() float64 {
		n := numbers[0]
		numbers = numbers[1:]
		return n
	}}
	want := &worker.Failure{Reason: "failed on purpose, at a rate of 0.3"}
	for _, fails := range []bool{true, true, false, false} {
		value, err := trial.Handle(t.Context(), worker.Job{}, &recorder{})
		var have *worker.Failure
		errors.As(err, &have)
		if (have != nil) != fails || value != nil {
			t.Errorf("got %s, %v; want failure %v", value, err, fails)
		}
		if diff := cmp.Diff(want, have); fails && diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	// The default source must stay below 1.
	if _, err := (handler.Trial{Fail: 1}).Handle(t.Context(), worker.Job{}, &recorder{}); err == nil {
		t.Error("a rate of 1 has completed a job")
	}
}

func TestTrialSleeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type end struct {
			Value json.RawMessage
			Err   error
			Took  time.Duration
		}
		run := func(ctx context.Context) end {
			began := time.Now()
			value, err := handler.Trial{Sleep: time.Minute}.Handle(ctx, worker.Job{}, &recorder{})
			return end{value, err, time.Since(began)}
		}
		late, cancel := context.WithTimeoutCause(t.Context(), time.Second, worker.ErrLockLost)
		defer cancel()
		want := []end{{Err: worker.ErrLockLost, Took: time.Second}, {Took: time.Minute}}
		have := []end{run(late), run(t.Context())}
		if diff := cmp.Diff(want, have, cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}
