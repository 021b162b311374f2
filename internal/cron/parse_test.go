package cron_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/cron"
)

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, expr, field, reason string
	}{
		{"zone prefix with an offset", "TZ=0", "expression", "a zone cannot be part of the expression; it is a setting of the schedule"},
		{"zone prefix alone", "TZ=", "expression", "a zone cannot be part of the expression; it is a setting of the schedule"},
		{"long zone prefix", "CRON_TZ=UTC", "expression", "a zone cannot be part of the expression; it is a setting of the schedule"},
		{"zone prefix and fields", "TZ=UTC 0 5 * * *", "expression", "a zone cannot be part of the expression; it is a setting of the schedule"},
		{"February 30", "0 0 30 2 *", "day of month", "never fires: none of the months has that day"},
		{"April 31", "0 0 31 4 *", "day of month", "never fires: none of the months has that day"},
		{"none of several months", "0 0 31 2,4,6,9,11 ?", "day of month", "never fires: none of the months has that day"},
		{"seven fields", "* * * * * * *", "expression", "has 7 fields, at most 6 are allowed (second, minute, hour, day of month, month, day of week)"},
		{"blank", " \t", "expression", "is blank"},
		{"reboot", "@reboot", "expression", "unknown alias; known are @yearly, @annually, @monthly, @weekly, @daily, @hourly, @minutely, @secondly, @weekdays and @weekends"},
		{"every", "@every 1h", "expression", "unknown alias; known are @yearly, @annually, @monthly, @weekly, @daily, @hourly, @minutely, @secondly, @weekdays and @weekends"},
		{"lone L as weekday", "0 0 * * L", "day of week", `"L" is neither a value from 0 to 7 nor a range`},
		{"L minus days", "0 0 L-3 * *", "day of month", `"L-3" is neither a value from 1 to 31 nor a range`},
		{"nearest weekday", "0 0 15W * *", "day of month", "unexpected character 'W'"},
		{"sixth Monday", "0 0 * * 1#6", "day of week", `the occurrence after # must be a number from 1 to 5, not "6"`},
		{"half an occurrence", "0 0 * * 1#1.5", "day of week", `the occurrence after # must be a number from 1 to 5, not "1.5"`},
		{"occurrence in a list", "0 0 * * 1#1,3#2", "day of week", "# cannot be combined with a list, a range, a step or L"},
		{"unknown weekday", "0 0 * * FOO", "day of week", `unknown name "FOO"; known are SUN MON TUE WED THU FRI SAT`},
		{"long month name", "0 0 * MARCH *", "month", "unexpected character 'C'"},
		{"step 0", "*/0 * * * *", "minute", `the step of "*/0" must be a whole number of at least 1`},
		{"range backwards", "0 5-2 * * *", "hour", `the range "5-2" runs backwards; write two ranges instead`},
		{"minute 60", "60 * * * *", "minute", `"60" is out of range, allowed are 0 to 59`},
		{"month 0", "0 0 1 0 *", "month", `"0" is out of range, allowed are 1 to 12`},
		{"second out of range", "99 * * * * *", "second", `"99" is out of range, allowed are 0 to 59`},
		{"value twice", "1-5,3 * * * *", "minute", `"3" repeats a value that the list has already`},
		{"Sunday twice", "0 0 * * 0,7", "day of week", `"7" repeats a value that the list has already`},
		{"last day twice", "0 0 L,L * *", "day of month", "L is named twice"},
		{"empty item", "1,,2 * * * *", "minute", "empty item in a list"},
		{"hashed minute", "H * * * *", "minute", "H is unstable: it stands for another value at every evaluation; write the value you want"},
		{"hashed range", "0 H(0-5)/2 * * *", "hour", "H is unstable: it stands for another value at every evaluation; write the value you want"},
		{"hashed weekday", "0 0 * * H", "day of week", "H is unstable: it stands for another value at every evaluation; write the value you want"},
		{"not UTF-8", "\xff * * * *", "minute", `unexpected character '�'`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := cron.Parse(tt.expr)
			var got *cron.ParseError
			if !errors.As(err, &got) {
				t.Fatalf("Parse(%q) = %v, want a *ParseError", tt.expr, err)
			}
			want := &cron.ParseError{Expr: tt.expr, Field: tt.field, Reason: tt.reason}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", tt.expr, diff)
			}
		})
	}
}

func TestParseErrorText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		err        *cron.ParseError
	}{
		{"field", `cron expression "a\x1b": minute: bad`, &cron.ParseError{Expr: "a\x1b", Field: "minute", Reason: "bad"}},
		{"expression", `cron expression "@x": bad`, &cron.ParseError{Expr: "@x", Field: "expression", Reason: "bad"}},
		{"zone", `time zone "X": bad`, &cron.ParseError{Expr: "X", Field: "zone", Reason: "bad"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, tt.err.Error()); diff != "" {
				t.Errorf("Error() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefusesHugeExpressions(t *testing.T) {
	t.Parallel()
	_, err := cron.Parse(strings.Repeat(",", 1<<20))
	var refused *cron.ParseError
	if !errors.As(err, &refused) || refused.Reason != "is 1048576 bytes long, the limit is 1024" {
		t.Fatalf("got %v", err)
	}
	if len(err.Error()) > 200 {
		t.Errorf("the message has %d bytes", len(err.Error()))
	}
	if _, err := cron.Parse(strings.Repeat(" ", cron.MaxLength-9) + "* * * * *"); err != nil {
		t.Errorf("an expression of the greatest length is refused: %v", err)
	}
}

// A step too large for an int must neither overflow nor be taken for a small one.
func TestParseTakesHugeNumbers(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("9", 500)
	if _, err := cron.Parse(huge + " * * * *"); err == nil {
		t.Error("a huge minute is accepted")
	}
	wide, err := cron.Parse("*/" + huge + " * * * *")
	if err != nil {
		t.Fatal(err)
	}
	hourly, err := cron.Parse("0 * * * *")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 15, 10, 20, 30, 0, time.UTC)
	got, _ := wide.Next(start)
	want, _ := hourly.Next(start)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Next (-want +got):\n%s", diff)
	}
}

func TestParseZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Etc/GMT+5"} {
		loc, err := cron.ParseZone(name)
		if err != nil || loc.String() != name {
			t.Errorf("ParseZone(%q) = %v, %v", name, loc, err)
		}
	}
	tests := []struct{ name, zone, reason string }{
		{"empty", "", "the name is empty"},
		{"local", "Local", "depends on the machine; name the zone"},
		{"local file", "localtime", "depends on the machine; name the zone"},
		{"unknown", "Mars/Olympus", "unknown; use a name such as Europe/Berlin or UTC"},
		{"offset", "+03:00", "unknown; use a name such as Europe/Berlin or UTC"},
		{"path", "../../etc/passwd", "unknown; use a name such as Europe/Berlin or UTC"},
		{"absolute path", "/etc/localtime", "unknown; use a name such as Europe/Berlin or UTC"},
		{"NUL", "UTC\x00", "unknown; use a name such as Europe/Berlin or UTC"},
		{"long", strings.Repeat("A/", 1<<19), "unknown; use a name such as Europe/Berlin or UTC"},
		{"prefix", "TZ=UTC", "write the name without TZ="},
		{"long prefix", "CRON_TZ=", "write the name without CRON_TZ="},
		{"variant", "right/UTC", "is not the name of a zone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			loc, err := cron.ParseZone(tt.zone)
			var got *cron.ParseError
			if loc != nil || !errors.As(err, &got) {
				t.Fatalf("ParseZone(%.40q) = %v, %v, want a *ParseError", tt.zone, loc, err)
			}
			want := &cron.ParseError{Expr: tt.zone, Field: "zone", Reason: tt.reason}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ParseZone(%.40q) (-want +got):\n%s", tt.zone, diff)
			}
		})
	}
}
