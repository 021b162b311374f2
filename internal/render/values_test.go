package render_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/iostreams"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func TestValues(t *testing.T) {
	t.Parallel()
	const d = 24 * time.Hour
	berlin := time.FixedZone("", 3600)
	for _, c := range []struct{ name, got, want string }{
		{"age negative", render.Age(-time.Hour), "0s"},
		{"age 0", render.Age(0), "0s"},
		{"age seconds", render.Age(12034 * time.Millisecond), "12s"},
		{"age 59 s", render.Age(time.Minute - 1), "59s"},
		{"age minutes", render.Age(3*time.Minute + 59*time.Second), "3m"},
		{"age hours", render.Age(2*time.Hour + 14*time.Minute), "2h14m"},
		{"age whole hours", render.Age(2 * time.Hour), "2h"},
		{"age day", render.Age(d), "1d"},
		{"age day and hours", render.Age(2*d + 5*time.Hour + time.Minute), "2d5h"},
		{"age days", render.Age(5*d + 23*time.Hour), "5d"},
		{"age of everything", render.Age(math.MaxInt64), "106751d"},
		{"duration 0", render.Duration(0), "0ms"},
		{"duration ms", render.Duration(85 * time.Millisecond), "85ms"},
		{"duration s", render.Duration(1249 * time.Millisecond), "1.2s"},
		{"duration whole s", render.Duration(time.Second), "1s"},
		{"duration 9.99 s", render.Duration(9990 * time.Millisecond), "9.9s"},
		{"duration 41 s", render.Duration(41*time.Second + 900*time.Millisecond), "41s"},
		{"duration minutes", render.Duration(3*time.Minute + 5*time.Second), "3m5s"},
		{"duration hours", render.Duration(2*time.Hour + 14*time.Minute + 3*time.Second), "2h14m"},
		{"duration negative", render.Duration(-1500 * time.Millisecond), "-1.5s"},
		{"duration least", render.Duration(math.MinInt64), "-106751d"},
		{"time", render.Time(time.Date(2026, 11, 22, 3, 12, 20, 123e6, berlin)), "2026-11-22T02:12:20.123Z"},
		{"no time", render.Time(time.Time{}), "-"},
		{"count", render.Count(1375), "1,375"},
		{"count small", render.Count(999), "999"},
		{"count million", render.Count(1000000), "1,000,000"},
		{"count negative", render.Count(-1234567), "-1,234,567"},
		{"count least", render.Count(math.MinInt64), "-9,223,372,036,854,775,808"},
		{"bytes", render.Bytes(1023), "1023 B"},
		{"bytes kibi", render.Bytes(1536), "1.5 KiB"},
		{"bytes whole", render.Bytes(52428800), "50 MiB"},
		{"bytes just below", render.Bytes(1<<20 - 1), "1 MiB"},
		{"bytes most", render.Bytes(math.MaxInt64), "8 EiB"},
		{"bytes negative", render.Bytes(-2048), "-2 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseFormat(t *testing.T) {
	t.Parallel()
	for _, f := range append(render.Formats(), "") {
		want := f
		if f == "" {
			want = render.FormatTable
		}
		name, wantText := string(f), ""
		if f == render.FormatTemplate {
			name, wantText = "template={{.a}}=", "{{.a}}="
		}
		if got, text, err := render.ParseFormat(name); err != nil || got != want || text != wantText {
			t.Errorf("%q: got %q, %q, %v", name, got, text, err)
		}
	}
	for _, name := range []string{"yml", "JSON", "json=x", "template", "js\x1bon"} {
		got, _, err := render.ParseFormat(name)
		if !errors.Is(err, render.ErrUnknownFormat) || got != "" {
			t.Fatalf("%q: got %q, %v", name, got, err)
		}
		want := `unknown output format "` + render.Text(name) + `": use table, wide, json, ndjson, yaml, csv, name or template=TEXT`
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestJSONText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"scalar", `12345678901234567890.10e+400`, `12345678901234567890.10e+400`},
		{"object", `{"b":1,"a":[1, 2],"e":{ },"f":[ ]}`, "{\n  \"b\": 1,\n  \"a\": [\n    1,\n    2\n  ],\n  \"e\": {},\n  \"f\": []\n}"},
		{"brackets in strings", `{"}":"a]\"{,:"}`, "{\n  \"}\": \"a]\\\"{,:\"\n}"},
		{"html", `"<a>&"`, `"<a>&"`},
		{"escapes stay", `"\u001b\n\\\ud800 \u00e9"`, `"\u001b\n\\\ud800 \u00e9"`},
		{"unsafe characters", "\"\u009b\u202e\x7f\U000e0041é\"", `"\u009b\u202e\u007f\udb40\udc41é"`},
		{"not UTF-8", "\"\xff\"", `"\xff"`},
		{"not JSON", "{\"a\":\x1b\nb", "{\"a\":\\x1b\nb"},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, render.JSONText([]byte(c.in))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Indenting 9,000 levels would take 160 MB of spaces.
func TestDeepJSONStaysSmall(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	if got := len(render.JSONText([]byte(deep))); got > 40000 {
		t.Errorf("%d bytes", got)
	}
}

func TestForAsksTheStreams(t *testing.T) {
	t.Parallel()
	streams, _, _, _ := iostreams.Test()
	if diff := cmp.Diff(render.Options{Now: now}, render.For(streams, now)); diff != "" {
		t.Errorf("a pipe (-want +got):\n%s", diff)
	}
	streams.SetTerminals(iostreams.Terminals{Out: true})
	streams.SetWidth(120)
	streams.SetColor(true)
	want := render.Options{Terminal: true, Width: 120, Color: true, Now: now}
	if diff := cmp.Diff(want, render.For(streams, now)); diff != "" {
		t.Errorf("a terminal (-want +got):\n%s", diff)
	}
}

func TestAsciiGlyphs(t *testing.T) {
	t.Parallel()
	o := people
	o.ASCII = true
	for _, s := range append(queue.States(), queue.StateUnknown) {
		for _, cell := range []render.Cell{render.StateCell(s, people), render.StateCell(s, o)} {
			if cell.Plain != string(s) || !strings.HasSuffix(cell.Text, " "+string(s)) {
				t.Errorf("%s: got %+v", s, cell)
			}
		}
		if text := render.StateCell(s, o).Text; render.ASCII(text) != text {
			t.Errorf("%s: %q is not ASCII", s, text)
		}
	}
}
