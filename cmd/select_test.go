package cmd

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
)

// noon is what the clock of these tests shows, in a zone east of UTC.
var (
	berlin = time.FixedZone("CET", 3600)
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 0, berlin)
)

// selectWith reads a command line of selection flags.
func selectWith(t *testing.T, args ...string) (*selection, error) {
	t.Helper()
	s := &selection{limit: defaultLimit}
	cmd := &cobra.Command{Use: "test"}
	s.addFlags(cmd.Flags())
	s.addStateFlag(cmd, "only these")
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	a := &app{now: func() time.Time { return noon }, local: berlin}
	return s, s.validate(a, cmd.Flags(), queue.StateFailed)
}

// chosen is what of a selection decides.
type chosen struct {
	States []queue.State
	Since  time.Time
	Until  time.Time
	Limit  int
	Newest bool
}

func TestSelection(t *testing.T) {
	t.Parallel()
	failed := []queue.State{queue.StateFailed}
	tests := []struct {
		name string
		args []string
		want chosen
	}{
		{"nothing", nil, chosen{States: failed, Limit: 50}},
		{"states with commas and again", []string{"--state", "active,failed", "-s", "active"}, chosen{
			States: []queue.State{queue.StateActive, queue.StateFailed}, Limit: 50,
		}},
		{"other words for waiting", []string{"--state", "wait,paused,waiting"}, chosen{
			States: []queue.State{queue.StateWaiting}, Limit: 50,
		}},
		{"all states", []string{"--state", "failed,all"}, chosen{States: queue.States(), Limit: 50}},
		{"no limit", []string{"--limit", "0", "--newest"}, chosen{States: failed, Newest: true}},
		{"a span of durations", []string{"--since", "2h", "--until", "30m"}, chosen{
			States: failed, Limit: 50, Since: noon.Add(-2 * time.Hour), Until: noon.Add(-30 * time.Minute),
		}},
		{"wall clock times are local", []string{"--since", "yesterday", "--until", "2026-11-22 08:00"}, chosen{
			States: failed, Limit: 50,
			Since: time.Date(2026, 11, 21, 0, 0, 0, 0, berlin), Until: time.Date(2026, 11, 22, 8, 0, 0, 0, berlin),
		}},
		{"the earlier of two ends", []string{"--until", "1h", "--older-than", "P1D"}, chosen{
			States: failed, Limit: 50, Until: noon.Add(-24 * time.Hour),
		}},
		{"the earlier of two ends, the other way", []string{"--until", "2d", "--older-than", "1h"}, chosen{
			States: failed, Limit: 50, Until: noon.Add(-48 * time.Hour),
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := selectWith(t, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			got := chosen{States: s.states, Since: s.since, Until: s.until, Limit: s.limit, Newest: s.newest}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("selection (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSelectionRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		want string // the begin of the error
		hint string
	}{
		{[]string{"--state", "faild"}, `unknown state "faild"`, "did you mean failed?"},
		{[]string{"--state", "FAILED"}, `unknown state "FAILED"`, "did you mean failed?"},
		{[]string{"--state", "x\x1by"}, `unknown state "x\x1by"`, "the states are waiting, prioritized"},
		{[]string{"--state", ""}, "--state is empty", "the states are"},
		{[]string{"--state", "failed,"}, `unknown state ""`, "the states are"},
		{[]string{"--name", ""}, "--name is empty", "--name '*' matches every job"},
		{[]string{"--id", "[z-a]"}, `--id "[z-a]": `, ""},
		{[]string{"--id", `a\`}, `--id "a\\": a backslash at the end`, ""},
		{[]string{"--since", ""}, `--since: time ""`, ""},
		{[]string{"--since", "NaN"}, `--since: time "NaN"`, ""},
		{[]string{"--since", "-1h"}, `--since: time "-1h"`, ""},
		{[]string{"--until", "2026-13-01"}, `--until: time "2026-13-01"`, ""},
		{[]string{"--since", "1h", "--older-than", "2h"}, "no time is both since 2026-11-22T11:00:00+01:00 and until", ""},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			_, err := selectWith(t, test.args...)
			if err == nil {
				t.Fatal("no error")
			}
			code, hint := resultOf(err)
			if !strings.HasPrefix(err.Error(), test.want) || !strings.HasPrefix(hint, test.hint) || code != exitUsage {
				t.Errorf("got %q, hint %q, exit %d; want %q, hint %q, exit %d", err, hint, code, test.want, test.hint, exitUsage)
			}
			if usage := (*usageError)(nil); !errors.As(err, &usage) && !errors.Is(err, config.ErrInvalid) {
				t.Errorf("%T is not an error of usage", err)
			}
		})
	}
}

func TestSelectionFilter(t *testing.T) {
	t.Parallel()
	hourAgo, dayAgo := noon.Add(-time.Hour), noon.Add(-24*time.Hour)
	failed := func(name string, finished time.Time) queue.Job {
		return queue.Job{ID: "7", Name: name, State: queue.StateFailed, Timestamp: dayAgo, FinishedOn: finished}
	}
	tests := []struct {
		name string
		args []string
		job  queue.Job
		want bool
	}{
		{"everything", nil, queue.Job{}, true},
		{"name", []string{"--name", "send*"}, failed("send/mail", hourAgo), true},
		{"other name", []string{"--name", "send"}, failed("resend", hourAgo), false},
		{"id", []string{"--id", "?"}, failed("x", hourAgo), true},
		{"other id", []string{"--id", "??"}, failed("x", hourAgo), false},
		{"finished since", []string{"--since", "2h"}, failed("x", hourAgo), true},
		{"since is included", []string{"--since", "1h"}, failed("x", hourAgo), true},
		{"until is included", []string{"--until", "1h"}, failed("x", hourAgo), true},
		{"finished too late", []string{"--older-than", "2h"}, failed("x", hourAgo), false},
		{"finished too early", []string{"--since", "30m"}, failed("x", hourAgo), false},
		{"unfinished by creation", []string{"--older-than", "2h"}, queue.Job{State: queue.StateDelayed, Timestamp: dayAgo}, true},
		{"unreadable time", []string{"--until", "now"}, failed("x", time.Time{}), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := selectWith(t, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.filter(test.job); got != test.want {
				t.Errorf("filter is %t, want %t", got, test.want)
			}
		})
	}
}

func TestSelectionOrder(t *testing.T) {
	t.Parallel()
	type ends struct{ Failed, Waiting bool }
	for args, want := range map[string]ends{
		"--limit=1":      {Failed: true},
		"--newest":       {Failed: true, Waiting: true},
		"--newest=false": {},
	} {
		s, err := selectWith(t, args)
		if err != nil {
			t.Fatal(err)
		}
		got := ends{Failed: s.fromNewest(queue.StateFailed), Waiting: s.fromNewest(queue.StateWaiting)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s begins with the newest (-want +got):\n%s", args, diff)
		}
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	tests := []struct {
		glob  string
		match []string
		not   []string
	}{
		{"*", []string{"", "a", "a/b\nc", "\xff"}, nil},
		{"", []string{""}, []string{"a"}},
		{"a.c", []string{"a.c"}, []string{"abc", "a.cd", "xa.c"}},
		{"a?c", []string{"abc", "aüc", "a\xffc"}, []string{"ac", "abbc"}},
		{"repeat:*:17??", []string{"repeat:x:1712"}, []string{"repeat:x:171"}},
		{"[abc]x", []string{"ax", "cx"}, []string{"dx", "x"}},
		{"[!abc]x", []string{"dx"}, []string{"ax"}},
		{"[^a-c]x", []string{"dx"}, []string{"bx"}},
		{"[]]", []string{"]"}, []string{"["}},
		{"[!]]", []string{"a"}, []string{"]"}},
		{`[\^]`, []string{`\`, "^"}, []string{"a"}},
		{`\*\[\\`, []string{`*[\`}, []string{`x[\`}},
		{"a+(b|c)$", []string{"a+(b|c)$"}, []string{"aab"}},
	}
	for _, test := range tests {
		t.Run(test.glob, func(t *testing.T) {
			t.Parallel()
			expr, err := compileGlob(test.glob)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range test.match {
				if !expr.MatchString(text) {
					t.Errorf("does not match %q", text)
				}
			}
			for _, text := range test.not {
				if expr.MatchString(text) {
					t.Errorf("matches %q", text)
				}
			}
		})
	}
}

// FuzzGlob looks for patterns that crash it, or that do not match themselves
// once everything in them is taken as it is.
func FuzzGlob(f *testing.F) {
	for _, glob := range []string{"*", "a?b", "[!a-z]", `\*`, "[", "[]", "[^]", "(?i)", "\xff[\xff]"} {
		f.Add(glob)
	}
	f.Fuzz(func(t *testing.T, glob string) {
		_, err := compileGlob(glob)
		if !utf8.ValidString(glob) {
			if err == nil {
				t.Errorf("%q is not UTF-8, and taken", glob)
			}
			return
		}
		literal, err := compileGlob(strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(glob))
		if err != nil {
			t.Fatal(err)
		}
		if !literal.MatchString(glob) {
			t.Errorf("%q does not match itself", glob)
		}
	})
}
