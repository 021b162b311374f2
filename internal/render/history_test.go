package render_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func TestSparkline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []int64
		ascii  bool
		want   string
	}{
		{nil, false, ""},
		{[]int64{0, 0}, false, "▁▁"},
		{[]int64{-1, 0, 1, 4, 8}, false, " ▁▂▄█"},
		{[]int64{-1, 0, 1, 4, 8}, true, " _.-#"},
		{[]int64{1, 1000000}, false, "▂█"},
	} {
		if got := render.Sparkline(c.values, c.ascii); got != c.want {
			t.Errorf("%v: %q, want %q", c.values, got, c.want)
		}
	}
}

// A terminal gets a curve of each number that fits its width, a pipe the rows
// alone.
func TestHistory(t *testing.T) {
	t.Parallel()
	minutes := make([]queue.Minute, 120)
	for i := range minutes {
		minutes[i] = queue.Minute{Start: time.UnixMilli(1795312800000).Add(time.Duration(i) * time.Minute), Completed: int64(i * 100)}
	}
	minutes[119].Failed = 3
	write := func(o render.Options) []string {
		var b bytes.Buffer
		if err := render.WriteHistory(&b, minutes, render.FormatTable, o); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	}
	piped := write(render.Options{})
	if len(piped) != 121 || piped[1] != "2026-11-22T02:00:00.000Z\t0\t0" || piped[120] != "2026-11-22T03:59:00.000Z\t11900\t3" {
		t.Errorf("%d lines, %q, %q", len(piped), piped[1], piped[120])
	}
	for _, width := range []int{0, 30, 80, 200} {
		lines := write(render.Options{Terminal: true, Width: width})
		if len(lines) != 123 {
			t.Fatalf("%d lines", len(lines))
		}
		for i, want := range []string{"714,000 in 2h, at most 11,900 a minute", "3 in 2h, at most 3 a minute"} {
			line := lines[121+i]
			if !strings.HasSuffix(line, want) || width > len(want)+12 && render.Width(line) > width {
				t.Errorf("width %d: %q", width, line)
			}
			if strings.ContainsAny(line, "▁█") != (width != 30) {
				t.Errorf("width %d: %q", width, line)
			}
		}
	}
}
