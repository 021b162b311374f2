package filter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/filter"
)

func values() map[string]any {
	return map[string]any{
		"failed": int64(1375), "workers": int64(0), "status": "failing", "oldest": 6 * time.Minute, "errorRate": 30.5,
		"paused": false,
	}
}

func TestHolds(t *testing.T) {
	for source, want := range map[string]bool{
		"failed > 1000":                       true,
		"failed > 1375":                       false,
		"failed > 9999 || workers == 0":       true,
		"workers == 0 && paused":              false,
		"errorRate > 30":                      true,
		"oldest > duration('5m')":             true,
		"oldest > duration('6m1s')":           false,
		"status in ['late', 'failing']":       true,
		"status contains 'fail' && !paused":   true,
		"status matches '^l'":                 false,
		"failed / 1000 > 1.3 and not paused ": true,
	} {
		c, err := filter.Parse(source, values())
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := c.Holds(values()); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", source, got, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	c, err := filter.Parse("failed > 1 &&\n workers == 0 || failed > 10", values())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Names(), []string{"failed", "workers"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	if got, want := c.String(), "failed > 1 && workers == 0 || failed > 10"; got != want {
		t.Errorf("in one line %q, want %q", got, want)
	}
}

func TestRefused(t *testing.T) {
	for source, want := range map[string]string{
		"":                                  "unexpected token EOF",
		"failed >":                          "column 8: unexpected token EOF",
		"failed":                            "expected bool",
		"status > 3":                        "column 8",
		"workers == 0 && fail > 1":          `column 17: unknown name "fail"`,
		"status matches '('":                "missing closing )",
		strings.Repeat("!", 5000):           "5000 bytes",
		strings.Repeat("!", 600) + "paused": "nodes",
	} {
		_, err := filter.Parse(source, values())
		if !errors.Is(err, filter.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want ErrInvalid with %q", source, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40s: more than one line: %q", source, err)
		}
	}
}

func TestUnknownName(t *testing.T) {
	_, err := filter.Parse("fialed > 1", values())
	var unknown *filter.UnknownNameError
	if !errors.As(err, &unknown) || unknown.Name != "fialed" || unknown.Column != 1 {
		t.Errorf("got %v", err)
	}
}

// A condition is no program: what would take all memory ends with an error.
func TestBounded(t *testing.T) {
	c, err := filter.Parse("len(1..100000000) > failed", values())
	if err != nil {
		t.Fatal(err)
	}
	if holds, err := c.Holds(values()); err == nil || holds {
		t.Errorf("holds %v, %v, want an error", holds, err)
	}
}
