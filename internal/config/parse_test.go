package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0":          0,
		"0s":         0,
		"30s":        30 * time.Second,
		"15m":        15 * time.Minute,
		"2h":         2 * time.Hour,
		"7d":         168 * time.Hour,
		"2w":         336 * time.Hour,
		"1.5d":       36 * time.Hour,
		".5h":        30 * time.Minute,
		"1h30m":      90 * time.Minute,
		"1w2d3h4m5s": 219*time.Hour + 4*time.Minute + 5*time.Second,
		"250ms":      250 * time.Millisecond,
		"P7D":        168 * time.Hour,
		"P2W":        336 * time.Hour,
		"PT5M":       5 * time.Minute,
		"P1DT12H":    36 * time.Hour,
		"PT1H2M3.5S": time.Hour + 2*time.Minute + 3500*time.Millisecond,
		"P1,5D":      36 * time.Hour,
		"PT0S":       0,
		"106751d":    106751 * 24 * time.Hour,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "s", "30", "-1s", "-0s", "+1s", "1 s", " 1s", "1s ", "1S", "1D", "1y", "1M", "NaN", "Inf", "1e3s", "0x1s", "1h-5m",
		"99999999999h", "106752d", "9223372036854775808ns", "15251w", "1..5s", ".s", "1s\n", "1s\x00",
		"P", "PT", "P1", "P1Y", "P1M", "PT1D", "P1H", "P1D2W", "PT1S1M", "P1D1D", "P-1D", "-P1D", "P1DT", "PD", "P.D", "P1.2.3D",
		"p1d", "P1d", "P99999999999W", "PT1,H,", "P1DT1HT1M", "P1D ",
	} {
		got, err := ParseDuration(text)
		want := (&ValueError{What: "duration", Value: text, Want: wantDuration}).Error()
		if diff := cmp.Diff(want, errText(t, err)); diff != "" {
			t.Errorf("ParseDuration(%q) = %v, error (-want +got):\n%s", text, got, diff)
		}
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		zone string
		now  string // RFC 3339; the default is 2026-11-22T02:13:00Z
		want string // RFC 3339 in UTC
	}{
		{text: "2030-12-25T09:00:00Z", want: "2030-12-25T09:00:00Z"},
		{text: "2030-12-25T09:00:00+02:00", zone: "America/New_York", want: "2030-12-25T07:00:00Z"},
		{text: "2030-12-25T09:00:00.123Z", want: "2030-12-25T09:00:00.123Z"},
		{text: "2030-12-25T09:00Z", want: "2030-12-25T09:00:00Z"},
		{text: "2030-12-25 09:00:00+01:00", want: "2030-12-25T08:00:00Z"},
		{text: "2030-12-25", want: "2030-12-25T00:00:00Z"},
		{text: "2030-12-25", zone: "Europe/Berlin", want: "2030-12-24T23:00:00Z"},
		{text: "2030-12-25 09:00", zone: "Europe/Berlin", want: "2030-12-25T08:00:00Z"},
		{text: "2030-12-25T09:00", zone: "Europe/Berlin", want: "2030-12-25T08:00:00Z"},
		{text: "2030-12-25 09:00:30", want: "2030-12-25T09:00:30Z"},
		{text: "1795306340123", want: "2026-11-22T00:12:20.123Z"},
		{text: "100000000000", want: "1973-03-03T09:46:40Z"},
		{text: "253402300799999", want: "9999-12-31T23:59:59.999Z"},
		{text: "1970-01-01", want: "1970-01-01T00:00:00Z"},
		{text: "now", want: "2026-11-22T02:13:00Z"},
		{text: "today", want: "2026-11-22T00:00:00Z"},
		{text: "yesterday", want: "2026-11-21T00:00:00Z"},
		{text: "tomorrow", want: "2026-11-23T00:00:00Z"},
		{text: "Tomorrow 09:00", want: "2026-11-23T09:00:00Z"},
		{text: "tomorrow 9:05", want: "2026-11-23T09:05:00Z"},
		{text: "today 23:59:59", want: "2026-11-22T23:59:59Z"},
		{text: "tomorrow", now: "2026-12-31T12:00:00Z", want: "2027-01-01T00:00:00Z"},
		{text: "today", zone: "America/New_York", want: "2026-11-21T05:00:00Z"}, // 21:13 on the day before
		{text: "tomorrow 09:00", zone: "Europe/Berlin", want: "2026-11-23T08:00:00Z"},

		// Clocks skip 02:00 to 03:00: the first instant after the gap.
		{text: "2026-03-29 02:30", zone: "Europe/Berlin", want: "2026-03-29T01:00:00Z"},
		{text: "2026-03-08 02:30", zone: "America/New_York", want: "2026-03-08T07:00:00Z"},
		{text: "tomorrow 02:30", zone: "Europe/Berlin", now: "2026-03-28T12:00:00Z", want: "2026-03-29T01:00:00Z"},
		// Midnight itself is skipped.
		{text: "2018-11-04", zone: "America/Sao_Paulo", want: "2018-11-04T03:00:00Z"},
		// Clocks repeat 02:00 to 03:00: the first of the two.
		{text: "2026-10-25 02:30", zone: "Europe/Berlin", want: "2026-10-25T00:30:00Z"},
		{text: "2026-11-01 01:30", zone: "America/New_York", want: "2026-11-01T05:30:00Z"},
		{text: "2026-10-25 03:00", zone: "Europe/Berlin", want: "2026-10-25T02:00:00Z"},
		{text: "2026-04-05 01:45", zone: "Australia/Lord_Howe", want: "2026-04-04T14:45:00Z"},
	}
	for _, test := range tests {
		t.Run(test.text+" "+test.zone, func(t *testing.T) {
			t.Parallel()
			loc := zone(t, test.zone)
			if test.now == "" {
				test.now = "2026-11-22T02:13:00Z"
			}
			now, err := time.Parse(time.RFC3339, test.now)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseTime(test.text, now, loc)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.UTC().Format(time.RFC3339Nano)); diff != "" {
				t.Errorf("time (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseTimeRefuses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 2, 13, 0, 0, time.UTC)
	for _, text := range []string{
		"", " ", "noon", "tomorrow ", "tomorrow 25:00", "tomorrow 09", "tomorrow 09:00 x", "tomorrow  09:00", "2h", "-1",
		"2026-02-30", "2026-13-01", "2026-11-22 24:00", "09:00", "22.11.2026", "1969-12-31", "10000-01-01",
		"253402300800000", "99999999999999999999999", "1e12", "2030-12-25T09:00:00Z\n", "2030-12-25T09:00:00+99:99", "１７９５３０６３４０１２３",
	} {
		got, err := ParseTime(text, now, time.UTC)
		want := (&ValueError{What: "time", Value: text, Want: wantTime}).Error()
		if diff := cmp.Diff(want, errText(t, err)); diff != "" {
			t.Errorf("ParseTime(%q) = %v, error (-want +got):\n%s", text, got, diff)
		}
	}
	// Seconds and dates without dashes would silently be days of 1970.
	for _, text := range []string{"0", "1795306340", "20301225", "99999999999"} {
		got, err := ParseTime(text, now, time.UTC)
		want := (&ValueError{What: "time", Value: text, Want: "too few digits for milliseconds since 1970, " + wantTime}).Error()
		if diff := cmp.Diff(want, errText(t, err)); diff != "" {
			t.Errorf("ParseTime(%q) = %v, error (-want +got):\n%s", text, got, diff)
		}
	}
}

func TestParseSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 2, 13, 0, 0, time.UTC)
	got := map[string]string{}
	for _, text := range []string{"2h", "2h ago", "0s", "1.5d", "P1D", "yesterday", "2026-11-01", "now", "60y", "106751d", "2h  ago", "soon", "", " ago", "-2h"} {
		since, err := ParseSince(text, now, time.UTC)
		if got[text] = errText(t, err); err == nil {
			got[text] = since.Format(time.RFC3339)
		}
	}
	refused := func(text string) string {
		return (&ValueError{What: "time", Value: text, Want: "want a duration such as 2h, or " + strings.TrimPrefix(wantTime, "want ")}).Error()
	}
	want := map[string]string{
		"2h": "2026-11-22T00:13:00Z", "2h ago": "2026-11-22T00:13:00Z", "0s": "2026-11-22T02:13:00Z",
		"1.5d": "2026-11-20T14:13:00Z", "P1D": "2026-11-21T02:13:00Z", "yesterday": "2026-11-21T00:00:00Z",
		"2026-11-01": "2026-11-01T00:00:00Z", "now": "2026-11-22T02:13:00Z",
		"106751d": `time "106751d": reaches back before 1970`,
		"60y":     refused("60y"), "2h  ago": refused("2h  ago"), "soon": refused("soon"), "": refused(""), " ago": refused(" ago"), "-2h": refused("-2h"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseSince (-want +got):\n%s", diff)
	}
}

func TestParseRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Limiter{
		"10/1s":        {Max: 10, Duration: time.Second},
		"5/1m":         {Max: 5, Duration: time.Minute},
		"5/m":          {Max: 5, Duration: time.Minute},
		"1/ms":         {Max: 1, Duration: time.Millisecond},
		"100/1.5d":     {Max: 100, Duration: 36 * time.Hour},
		"2147483647/s": {Max: 2147483647, Duration: time.Second},
		"1/PT5M":       {Max: 1, Duration: 5 * time.Minute},
	} {
		got, err := ParseRate(text)
		if err != nil {
			t.Errorf("ParseRate(%q): %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseRate(%q) (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{
		"", "/", "10", "10/", "/1s", "0/1s", "-1/1s", "+1/1s", "1.5/1s", "10/0s", "10/999us", "10/-1s", "10/1", "10/1s/1s",
		"2147483648/1s", "99999999999999999999/1s", "10 / 1s", "ten/1s", "10/sm",
	} {
		got, err := ParseRate(text)
		want := (&ValueError{What: "rate", Value: text, Want: "want jobs/duration such as 10/1s, jobs from 1 to 2147483647, a duration of 1ms or more"}).Error()
		if diff := cmp.Diff(want, errText(t, err)); diff != "" {
			t.Errorf("ParseRate(%q) = %v, error (-want +got):\n%s", text, got, diff)
		}
	}
}

func TestParseBackoff(t *testing.T) {
	t.Parallel()
	const (
		kinds  = "want exponential:DURATION or fixed:DURATION, such as exponential:1m"
		parts  = "want TYPE:DURATION or TYPE:DURATION:JITTER, such as exponential:1m:0.2"
		delay  = "delay: " + wantDuration + ", in steps of 1ms"
		jitter = "jitter: want a number from 0 to 1"
	)
	type result struct {
		Backoff Backoff
		Want    string
	}
	for text, want := range map[string]result{
		"exponential:1m":       {Backoff: Backoff{Type: "exponential", Delay: time.Minute}},
		"fixed:5s":             {Backoff: Backoff{Type: "fixed", Delay: 5 * time.Second}},
		"exponential:1m:0.2":   {Backoff: Backoff{Type: "exponential", Delay: time.Minute, Jitter: 0.2}},
		"fixed:PT5M:1":         {Backoff: Backoff{Type: "fixed", Delay: 5 * time.Minute, Jitter: 1}},
		"fixed:0:0":            {Backoff: Backoff{Type: "fixed"}},
		"":                     {Want: kinds},
		"1m":                   {Want: kinds},
		"linear:1m":            {Want: kinds},
		"Fixed:1m":             {Want: kinds + ", did you mean fixed?"},
		"exponentially:1m":     {Want: kinds + ", did you mean exponential?"},
		"exponential":          {Want: parts},
		"exponential:1m:0.2:x": {Want: parts},
		"fixed:":               {Want: delay},
		"fixed:5":              {Want: delay},
		"fixed:-5s":            {Want: delay},
		"fixed:10us":           {Want: delay},
		"fixed:99999999999h":   {Want: delay},
		"fixed:5s:":            {Want: jitter},
		"fixed:5s:2":           {Want: jitter},
		"fixed:5s:-0.1":        {Want: jitter},
		"fixed:5s:NaN":         {Want: jitter},
		"fixed:5s:x":           {Want: jitter},
	} {
		got, err := ParseBackoff(text)
		if want.Want != "" {
			want.Want = (&ValueError{What: "backoff", Value: text, Want: want.Want}).Error()
		}
		if diff := cmp.Diff(want, result{got, errText(t, err)}); diff != "" {
			t.Errorf("ParseBackoff(%q) (-want +got):\n%s", text, diff)
		}
	}
}

// Whatever is typed, ParseDuration does not panic and never returns a negative
// duration.
func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"", "1.5d", "P1DT2H", "PT", "-1s", "+", "-", "99999999999h", "1w2d", "P1,5W", "P9999999999999999999D"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDuration(text)
		if d < 0 || err != nil && d != 0 {
			t.Errorf("ParseDuration(%q) = %v, %v", text, d, err)
		}
	})
}

// Whatever is typed, the parsers of times do not panic and stay within their
// range, in every kind of zone.
func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{
		"", "now", "today", "tomorrow 02:30", "2030-12-25", "2026-03-29 02:30", "1795306340123", "2030-12-25T09:00:00+02:00", "2h ago",
		"0000-01-01", "9999-12-31 23:59:59", "106751d",
	} {
		f.Add(seed, int64(1795306340123))
	}
	zones := []*time.Location{time.UTC, zone(f, "Europe/Berlin"), zone(f, "America/Sao_Paulo"), zone(f, "Australia/Lord_Howe")}
	f.Fuzz(func(t *testing.T, text string, nowMillis int64) {
		now := time.UnixMilli(nowMillis)
		for _, loc := range zones {
			at, err := ParseTime(text, now, loc)
			since, sinceErr := ParseSince(text, now, loc)
			for _, got := range []struct {
				t   time.Time
				err error
			}{{at, err}, {since, sinceErr}} {
				if got.err == nil && !inRange(got.t) || got.err != nil && !got.t.IsZero() {
					t.Errorf("%q in %s at %v: %v, %v", text, loc, now, got.t, got.err)
				}
			}
		}
	})
}
