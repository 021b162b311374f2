package render_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func TestClears(t *testing.T) {
	t.Parallel()
	none := 0
	for name, c := range map[string]struct {
		change func(r *render.LagRow)
		want   string
		ms     int64 // -1: null
	}{
		"at a rate":         {func(r *render.LagRow) { r.PerMinute = 118 }, "in 4m at 118/min", 240000},
		"behind others":     {func(r *render.LagRow) { r.PerMinute, r.Ahead = 118, 472 }, "in 8m at 118/min", 480000},
		"slowly":            {func(r *render.LagRow) { r.PerMinute = 0.2 }, "in 1d15h at 0.2/min", 141600000},
		"in ages":           {func(r *render.LagRow) { r.PerMinute, r.Ahead = 1e-9, 1<<52 }, "in 53375d at 0.0/min", 4611686018427},
		"nothing completes": {func(*render.LagRow) {}, "never: nothing completes", -1},
		"some run":          {func(r *render.LagRow) { r.Counts.Active = 1 }, "?", -1},
		"rate unknown":      {func(r *render.LagRow) { r.PerMinute = render.Unknown }, "?", -1},
		"paused":            {func(r *render.LagRow) { r.Counts.Paused, r.PerMinute = true, 9 }, "never: paused", -1},
		"nobody works":      {func(r *render.LagRow) { r.Workers, r.PerMinute = 0, 9 }, "never: no workers", -1},
		"workers unknown":   {func(r *render.LagRow) { r.Workers, r.PerMinute = render.Unknown, 472 }, "in 1m at 472/min", 60000},
		"none may run":      {func(r *render.LagRow) { r.Counts.Concurrency, r.PerMinute = &none, 9 }, "never: none may run", -1},
		"none waits":        {func(r *render.LagRow) { r.Level = nil }, "-", 0},
		"unreadable":        {func(r *render.LagRow) { r.Counts.Err = errDenied }, "?", -1},
	} {
		row := render.LagRow{Level: &queue.Level{Priority: 2, Jobs: 472, Next: "7"}, Evidence: render.Evidence{Workers: 1}}
		c.change(&row)
		var b bytes.Buffer
		o := render.Options{Columns: []string{"clears"}, NoHeaders: true}
		if err := render.WriteLag(&b, []render.LagRow{row}, render.FormatTable, o); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(b.String()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		view := row.View()
		if got := view.ClearsInMs; (got == nil) != (c.ms < 0) || got != nil && *got != c.ms {
			t.Errorf("%s: %v ms, want %d", name, got, c.ms)
		}
	}
}

func TestLagCells(t *testing.T) {
	t.Parallel()
	row := render.LagRow{
		Queue: "email-queue", Alias: "email", KeyBase: queue.KeyBase{Prefix: "bull", Name: "email-queue"},
		Level: &queue.Level{Priority: 2, Jobs: 1375, Next: "7\x1b[2J"}, Age: 14 * time.Minute, Overdue: 3, OverdueFor: time.Minute,
		Evidence: render.Evidence{Counts: queue.Counts{Prioritized: 1375}, Workers: 1},
	}
	ghosts, unread := row, row
	ghosts.Level, ghosts.Overdue, ghosts.Age = &queue.Level{Jobs: 1}, 0, render.Unknown
	unread.Counts.Err, unread.Level = errDenied, nil
	var b bytes.Buffer
	if err := render.WriteLag(&b, []render.LagRow{row, ghosts, unread}, render.FormatWide, render.Options{Terminal: true}); err != nil {
		t.Fatal(err)
	}
	golden(t, "lag.wide.txt", b.String())
	b.Reset()
	for _, f := range []render.Format{render.FormatNDJSON, render.FormatName} {
		if err := render.WriteLag(&b, []render.LagRow{row, ghosts, unread}, f, pipe); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "lag.txt", b.String())
}
