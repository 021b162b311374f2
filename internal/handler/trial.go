package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/xhit/go-str2duration/v2"

	"github.com/qctl/qctl/internal/worker"
)

// Trial is a handler for trying out and measuring: it sleeps, then fails some
// of the attempts and completes the others with null. The zero Trial is noop.
type Trial struct {
	Sleep time.Duration
	// Fail is the share of attempts that fail, from 0 to 1.
	Fail float64
	// Rand returns a number from 0 up to but not 1; nil stands for
	// rand.Float64. It is called from many goroutines at once.
	Rand func() float64
}

// Parse reads the handlers that are given in one word: "noop", or "sleep=DUR",
// "fail=RATE" and both with a comma between them.
func Parse(spec string) (worker.Handler, error) {
	if strings.TrimSpace(spec) == "noop" {
		return Trial{}, nil
	}
	var trial Trial
	seen := make(map[string]bool)
	for part := range strings.SplitSeq(spec, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if seen[key] {
			return nil, fmt.Errorf("handler %q: %s given twice", spec, key)
		}
		seen[key] = true
		switch key {
		case "sleep":
			d, err := str2duration.ParseDuration(value)
			if err != nil || d < 0 {
				return nil, fmt.Errorf("handler %q: sleep=%s is not a duration such as 200ms", spec, value)
			}
			trial.Sleep = d
		case "fail":
			rate, err := strconv.ParseFloat(value, 64)
			// Written so that NaN is refused too.
			if err != nil || !(rate >= 0 && rate <= 1) {
				return nil, fmt.Errorf("handler %q: fail=%s is not a rate from 0 to 1", spec, value)
			}
			trial.Fail = rate
		case "noop":
			return nil, fmt.Errorf("handler %q: noop stands alone", spec)
		default:
			return nil, fmt.Errorf("handler %q is none of noop, sleep=DUR, fail=RATE", spec)
		}
	}
	return trial, nil
}

// Handle sleeps and decides. It ends early, with the context's cause, when the
// context does.
func (t Trial) Handle(ctx context.Context, _ worker.Job, _ worker.Reporter) (json.RawMessage, error) {
	if t.Sleep > 0 {
		timer := time.NewTimer(t.Sleep)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	random := t.Rand
	if random == nil {
		random = rand.Float64
	}
	if t.Fail > 0 && random() < t.Fail {
		return nil, &worker.Failure{Reason: fmt.Sprintf("failed on purpose, at a rate of %g", t.Fail)}
	}
	return nil, nil
}
