package render_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares the output with testdata/<name>.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

var (
	now      = time.Date(2026, 11, 22, 3, 12, 44, 0, time.UTC)
	people   = render.Options{Terminal: true, Width: 80, Now: now}
	colorful = render.Options{Terminal: true, Width: 120, Color: true, Now: now}
	wide     = render.Options{Terminal: true, Width: 80, Wide: true, Now: now}
	pipe     = render.Options{Now: now}
)

// readers are who the goldens are written for, by the ends of their names.
var readers = map[string]render.Options{
	"terminal": people, "color": colorful, "wide": wide, "pipe": pipe,
}

func failedJob() queue.Job {
	return queue.Job{
		ID: "90452", Name: "charge-card", State: queue.StateFailed,
		Data:        []byte(`{"amount": 12345678901234567890.10, "to":"a@example.com","note":"<b>\u0000 ü \\","list":[],"deep":{"a":[1,{"b":null}]}}`),
		Opts:        []byte(`{"attempts":3,"backoff":{"type":"exponential","delay":5000}}`),
		Progress:    []byte(`50`),
		ReturnValue: nil,
		Stacktrace: []string{
			"Error: connect ETIMEDOUT\n\tat connect (net.js:1:2)",
			"Error: connect ETIMEDOUT 10.0.0.1:443\r\n    at connect (net.js:1:2)\r\n    at main (C:\\app\\worker.js:3:4)\n",
		},
		Timestamp:    now.Add(-2*time.Hour - 14*time.Minute),
		ProcessedOn:  now.Add(-61 * time.Second),
		FinishedOn:   now.Add(-59876 * time.Millisecond),
		Priority:     5,
		Delay:        90 * time.Second,
		Attempts:     3,
		AttemptsMade: 3, AttemptsStarted: 4, StalledCounter: 1,
		FailedReason: "connect ETIMEDOUT 10.0.0.1:443", HasFailedReason: true,
		ParentKey: "bull:flow:7", Parent: []byte(`{"id":"7","queueKey":"bull:flow"}`),
		DeduplicationID: "order-7", RepeatJobKey: "nightly", ProcessedBy: "web-1",
	}
}

// brokenJob holds what nobody should have stored.
func brokenJob() queue.Job {
	return queue.Job{
		ID: "b\x1b[2Jad", Name: "\u202egnp.exe", State: queue.StateFailed,
		Data: []byte("{\"half\":\x1b]0;owned\a"), Progress: []byte("\"\x9b31m\u202e\u200b\""),
		FailedReason: "not utf-8: \xff\xfe\r\n\x9b2J", HasFailedReason: true,
		Cut:     map[string]int64{"opts": 52428800, "returnvalue": 2048},
		Corrupt: []string{"data: unexpected end of JSON input"},
	}
}

func waitingJob() queue.Job {
	return queue.Job{
		ID: "1", Name: "日本語のジョブ名", State: queue.StateWaiting, Data: []byte("{}"), Opts: []byte("{}"),
		Timestamp: now.Add(-12 * time.Second),
	}
}

func delayedJob() queue.Job {
	return queue.Job{
		ID: "repeat:ab:1795413600000", Name: "digest", State: queue.StateDelayed,
		Timestamp: now.Add(-5 * 24 * time.Hour), Delay: 6 * 24 * time.Hour,
	}
}

var errDenied = errors.New("NOPERM \x1b[31mthis user has no permissions")

func stats() []render.Stats {
	of := func(queueName, alias, prefix string, e render.Evidence) render.Stats {
		return render.Stats{
			Queue: queueName, Alias: alias, KeyBase: queue.KeyBase{Prefix: prefix, Name: queueName}, Evidence: e,
		}
	}
	return []render.Stats{
		of("email-queue", "email", "bull", render.Evidence{
			Counts:  queue.Counts{Waiting: 25, Active: 5, Completed: 1000, Failed: 2, Delayed: 10, Total: 1042},
			Workers: 2, OldestWaiting: 12034 * time.Millisecond, CompletedPerMinute: 118,
		}),
		of("webhooks", "", "bull", render.Evidence{
			Counts:        queue.Counts{Waiting: 812, Prioritized: 1375000, Total: 1375812},
			OldestWaiting: render.Unknown, CompletedPerMinute: render.Unknown, FailedPerMinute: render.Unknown,
		}),
		of("dev", "dev", "queue", render.Evidence{
			Counts: queue.Counts{Paused: true}, Workers: render.Unknown, OldestWaiting: render.Unknown,
		}),
		of("forbidden\x1b[2J", "", "x", render.Evidence{Counts: queue.Counts{Err: errDenied}, Workers: 1}),
		of("limited", "", "bull", render.Evidence{
			Counts:  queue.Counts{Active: 64, WaitingChildren: 3, Total: 67},
			Workers: 64, CompletedPerMinute: 6100, FailedPerMinute: 12,
			Lately: queue.Finished{Completed: 30500, Failed: 60},
		}),
		of("calm", "", "bull", render.Evidence{Workers: 1}),
	}
}
