package cron_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/cron"
)

func mustParse(t *testing.T, expr string) cron.Schedule {
	t.Helper()
	s, err := cron.Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// next returns the runs after start, as text in the given zone.
func next(t *testing.T, expr, zone, start string, count int) []string {
	t.Helper()
	s := mustParse(t, expr)
	loc, err := cron.ParseZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339Nano, start)
	if err != nil {
		t.Fatal(err)
	}
	var runs []string
	for at = at.In(loc); len(runs) < count; {
		var ok bool
		if at, ok = s.Next(at); !ok {
			return append(runs, "never")
		}
		runs = append(runs, at.Format("2006-01-02 15:04:05 -0700"))
	}
	return runs
}

func TestNextAtClockChanges(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, expr, zone, start string
		want                    []string
	}{
		{
			"skipped hour moves to the next hour", "30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z",
			[]string{"2026-03-08 03:30:00 -0400", "2026-03-09 02:30:00 -0400"},
		},
		{
			"skipped and landing hour run once", "30 1-3 * * *", "America/New_York", "2026-03-08T05:00:00Z",
			[]string{"2026-03-08 01:30:00 -0500", "2026-03-08 03:30:00 -0400", "2026-03-09 01:30:00 -0400"},
		},
		{
			"last second before the gap still crosses it", "30 2 * * *", "America/New_York", "2026-03-08T06:59:59.5Z",
			[]string{"2026-03-08 03:30:00 -0400"},
		},
		{
			"a start after the gap has forgotten it", "30 2 * * *", "America/New_York", "2026-03-08T07:00:00Z",
			[]string{"2026-03-09 02:30:00 -0400"},
		},
		{
			"every hour has no run in the gap", "0 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z",
			[]string{"2026-03-29 03:00:00 +0200", "2026-03-29 04:00:00 +0200"},
		},
		{
			"repeated hour runs the first time", "30 1 * * *", "America/New_York", "2026-11-01T04:00:00Z",
			[]string{"2026-11-01 01:30:00 -0400", "2026-11-02 01:30:00 -0500"},
		},
		{
			"every hour runs both times", "30 * * * *", "America/New_York", "2026-11-01T05:00:00Z",
			[]string{"2026-11-01 01:30:00 -0400", "2026-11-01 01:30:00 -0500", "2026-11-01 02:30:00 -0500"},
		},
		{
			"0-23 is every hour", "30 0-23 * * *", "America/New_York", "2026-11-01T05:00:00Z",
			[]string{"2026-11-01 01:30:00 -0400", "2026-11-01 01:30:00 -0500"},
		},
		{
			"all hours but one are not every hour", "30 0-22 * * *", "America/New_York", "2026-11-01T05:00:00Z",
			[]string{"2026-11-01 01:30:00 -0400", "2026-11-01 02:30:00 -0500"},
		},
		{
			"a start within the repeated hour stays in it", "30 1 * * *", "America/New_York", "2026-11-01T06:10:00Z",
			[]string{"2026-11-01 01:30:00 -0500", "2026-11-02 01:30:00 -0500"},
		},
		{
			"gap at midnight", "15 0 * * *", "Asia/Beirut", "2026-03-28T10:00:00Z",
			[]string{"2026-03-29 01:15:00 +0300", "2026-03-30 00:15:00 +0300"},
		},
		{
			"back from midnight", "30 23 * * *", "Asia/Beirut", "2026-10-24T10:00:00Z",
			[]string{"2026-10-24 23:30:00 +0300", "2026-10-25 23:30:00 +0200"},
		},
		{
			"back to midnight, coming from the day before", "10 0 * * *", "America/Havana", "2026-10-31T16:00:00Z",
			[]string{"2026-11-01 00:10:00 -0500", "2026-11-02 00:10:00 -0500"},
		},
		{
			"back to midnight, coming from two days before", "10 0 * * 0", "America/Havana", "2026-10-30T16:00:00Z",
			[]string{"2026-11-01 00:10:00 -0400", "2026-11-08 00:10:00 -0500"},
		},
		{
			"forward to midnight", "30 23 * * *", "America/Nuuk", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29 23:30:00 -0100"},
		},
		{
			"skipped time that ends within an hour", "0 3 * * *", "Pacific/Chatham", "2026-09-26T00:00:00Z",
			[]string{"2026-09-27 04:00:00 +1345", "2026-09-28 03:00:00 +1345"},
		},
		{
			"skipped time that begins within an hour", "15,50 2 * * *", "Pacific/Chatham", "2026-09-26T00:00:00Z",
			[]string{"2026-09-27 02:15:00 +1245", "2026-09-27 03:50:00 +1345", "2026-09-28 02:15:00 +1345"},
		},
		{
			"half an hour forward", "0,30 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
			[]string{"2026-10-04 02:30:00 +1100", "2026-10-05 02:00:00 +1100"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := next(t, tt.expr, tt.zone, tt.start, len(tt.want))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%q in %s after %s (-want +got):\n%s", tt.expr, tt.zone, tt.start, diff)
			}
		})
	}
}

func TestNextIsBounded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, expr, zone, start string
		want                    []string
	}{
		{
			"February with five Mondays", "0 0 * 2 1#5", "America/New_York", "2072-03-01T00:00:00Z",
			[]string{"2112-02-29 00:00:00 -0500"},
		},
		{
			"last day of a leap year beyond the recorded zone changes", "0 0 * * *", "America/New_York", "2048-12-31T17:00:00Z",
			[]string{"2049-01-01 00:00:00 -0500"},
		},
		{"nothing after the year 9999", "0 0 1 1 *", "UTC", "9999-06-01T00:00:00Z", []string{"never"}},
		{"last second of the year 9999", "* * * * * *", "UTC", "9999-12-31T23:59:58Z", []string{"9999-12-31 23:59:59 +0000", "never"}},
		{"before the year 1", "* * * * *", "UTC", "0000-06-01T00:00:00Z", []string{"never"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := next(t, tt.expr, tt.zone, tt.start, len(tt.want))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%q in %s after %s (-want +got):\n%s", tt.expr, tt.zone, tt.start, diff)
			}
		})
	}
}

func TestZeroScheduleNeverFires(t *testing.T) {
	t.Parallel()
	if run, ok := (cron.Schedule{}).Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); ok {
		t.Errorf("Next = %s", run)
	}
}

func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"", "*/5 * * * *", "0 0 29 2 *", "0 0 L * 5L", "0 0 * JAN-MAR MON#2", "@weekdays", "1,2-3/4 0-23 ? * 7", "TZ=0", "H * * * *", ",,,",
	} {
		f.Add(expr, int64(1_772_953_199), uint8(1))
	}
	var zones []*time.Location
	for _, name := range []string{"UTC", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe", "America/Havana", "America/Nuuk", "Pacific/Apia"} {
		zone, err := cron.ParseZone(name)
		if err != nil {
			f.Fatal(err)
		}
		zones = append(zones, zone)
	}
	f.Fuzz(func(t *testing.T, expr string, unix int64, zone uint8) {
		s, err := cron.Parse(expr)
		if err != nil {
			refused, ok := err.(*cron.ParseError) //nolint:errorlint // the type itself is promised
			if !ok || refused.Expr != expr || refused.Field == "" || refused.Reason == "" {
				t.Fatalf("Parse(%q) = %#v", expr, err)
			}
			return
		}
		after := time.Unix(unix, unix&0x3fff_ffff).In(zones[int(zone)%len(zones)])
		run, ok := s.Next(after)
		if !ok {
			if after.Year() >= 1 && after.Year() < 9900 {
				t.Fatalf("%q never fires after %s", expr, after)
			}
			return
		}
		if !run.After(after) || run.After(after.AddDate(51, 0, 0)) || run.Nanosecond() != 0 || run.Location() != after.Location() {
			t.Fatalf("%q after %s: %s", expr, after, run)
		}
		if again, ok := s.Next(run.Add(-time.Second)); after.Location() == zones[0] && (!ok || !again.Equal(run)) {
			t.Fatalf("%q: %s is the next run after %s, but a second before it the next is %s", expr, run, after, again)
		}
	})
}

func TestNextRun(t *testing.T) {
	after := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		pattern, zone string
		want          string
		refused       bool
	}{
		{"0 9 * * *", "", "2026-06-02T09:00:00Z", false},
		{"0 9 * * *", "Europe/Berlin", "2026-06-02T07:00:00Z", false},
		{"0 0 30 2 *", "", "", true},
		{"nonsense", "", "", true},
		{"0 9 * * *", "Local", "", true},
	} {
		at, ok, err := cron.NextRun(tc.pattern, tc.zone, after)
		got := ""
		if ok {
			got = at.UTC().Format(time.RFC3339)
		}
		if got != tc.want || errors.As(err, new(*cron.ParseError)) != tc.refused {
			t.Errorf("%q in %q: %q, %v; want %q, refused %v", tc.pattern, tc.zone, got, err, tc.want, tc.refused)
		}
	}
}
