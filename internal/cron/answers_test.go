package cron_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/cron"
)

// answers is what testdata/record.mjs wrote.
type answers struct {
	Version string       `json:"version"`
	Tzdata  string       `json:"tzdata"`
	Refused []string     `json:"refused"`
	Cases   []answerCase `json:"cases"`
}

// answerCase holds the runs of one expression as seconds, each since the one
// before. A nil says that cron-parser gave up.
type answerCase struct {
	Expr  string    `json:"expr"`
	Zone  string    `json:"zone"`
	Start time.Time `json:"start"`
	Runs  []*int64  `json:"runs"`
}

func readAnswers(t *testing.T) answers {
	t.Helper()
	f, err := os.Open("testdata/cron-parser-5.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var a answers
	if err := json.NewDecoder(z).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAnswersOfCronParser compares every recorded answer. It tolerates
// differences in Lord Howe alone: that clock moves by half an hour, and around
// the change cron-parser skips hours or gives up ("loop limit exceeded") where
// this package returns the times that the clock really shows.
func TestAnswersOfCronParser(t *testing.T) {
	t.Parallel()
	const (
		exempt     = "Australia/Lord_Howe"
		wantExempt = 19
	)
	recorded := readAnswers(t)
	if got, want := len(recorded.Cases), 10_000; got < want {
		t.Fatalf("%d cases recorded, want at least %d", got, want)
	}

	var differ, exempted int
	for _, c := range recorded.Cases {
		zone := c.Zone
		if zone == "" {
			zone = "UTC" // the zone of the process that recorded
		}
		loc, err := cron.ParseZone(zone)
		if err != nil {
			t.Fatal(err)
		}
		s, err := cron.Parse(c.Expr)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.Expr, err)
			continue
		}
		from := c.Start.In(loc)
		for _, after := range c.Runs {
			got, ok := s.Next(from)
			var want time.Time
			if after != nil {
				want = time.Unix(from.Unix()+*after, 0).In(loc)
			}
			if ok && after != nil && got.Equal(want) {
				from = got
				continue
			}
			if zone == exempt && clockChanges(from, got) {
				exempted++
				break
			}
			differ++
			if differ <= 20 {
				t.Errorf("%q in %s after %s: got %s, cron-parser says %s", c.Expr, zone, from, got, want)
			}
			break
		}
	}
	if differ != 0 || exempted != wantExempt {
		t.Errorf("cron-parser %s, zones %s: %d of %d cases differ (want 0) and %d in %s (want %d)",
			recorded.Version, recorded.Tzdata, differ, len(recorded.Cases), exempted, exempt, wantExempt)
	}
}

// clockChanges reports whether the clock is changed in the day that ends an
// hour after run, or between from and run.
func clockChanges(from, run time.Time) bool {
	_, before := from.Add(-time.Hour).Zone()
	for t := from; t.Before(run.Add(24 * time.Hour)); t = t.Add(time.Hour) {
		if _, offset := t.Zone(); offset != before {
			return true
		}
	}
	return false
}

// TestRefusedByCronParser wants an error for each expression that cron-parser
// refuses, so that no schedule is stored that a Node worker cannot read.
func TestRefusedByCronParser(t *testing.T) {
	t.Parallel()
	recorded := readAnswers(t)
	var accepted []string
	for _, expr := range recorded.Refused {
		if _, err := cron.Parse(expr); err == nil {
			accepted = append(accepted, expr)
		}
	}
	if diff := cmp.Diff([]string(nil), accepted); diff != "" {
		t.Errorf("accepted although cron-parser refuses them (-want +got):\n%s", diff)
	}
	if len(recorded.Refused) < 100 || !strings.HasPrefix(recorded.Version, "5.") {
		t.Errorf("fixture holds %d refused expressions of version %s", len(recorded.Refused), recorded.Version)
	}
}
