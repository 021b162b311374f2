package render_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/qctl/qctl/internal/hostiletest"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// document is any JSON with foreign texts, in a view of one field.
type document struct {
	Doc json.RawMessage `json:"doc"`
}

// anyJSON draws a JSON value with texts of all kinds.
func anyJSON(depth int) *rapid.Generator[any] {
	text := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom(hostiletest.Payloads()),
		rapid.SampledFrom([]string{"", "no", "null", "~", "1", "0x1", "1e3", "a: b", "- a", "#", "2026-01-01", "\u2028", "\ufeff", "é", "😀", "a\tb\r\nc", ".inf", "y"}),
	)
	scalars := []*rapid.Generator[any]{
		text.AsAny(), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Just[any](nil),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	return rapid.OneOf(append(
		scalars,
		rapid.SliceOfN(anyJSON(depth-1), 0, 3).AsAny(),
		rapid.MapOfN(text, anyJSON(depth-1), 0, 3).AsAny(),
	)...)
}

// YAML says what the JSON says, by the judgement of a reader of YAML.
func TestYAMLIsTheSameDocument(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw, err := json.Marshal(anyJSON(3).Draw(t, "document"))
		if err != nil {
			t.Fatal(err)
		}
		views := []document{{raw}, {raw}}
		var b bytes.Buffer
		if err := render.WriteList(&b, views, render.FormatYAML, pipe); err != nil {
			t.Fatal(err)
		}
		var got any
		if err := yaml.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", b.String(), err)
		}
		whole, err := json.Marshal(views)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(whole))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, asDecoded(got)); diff != "" {
			t.Fatalf("%s(-want +got):\n%s", b.String(), diff)
		}
	})
}

// asDecoded makes of what YAML holds what a decoder of JSON would.
func asDecoded(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = asDecoded(v[key])
		}
	case []any:
		for i := range v {
			v[i] = asDecoded(v[i])
		}
	case int, int64, uint64:
		return json.Number(fmt.Sprint(v))
	}
	return value
}

func TestYAMLTexts(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100)
	for _, c := range []struct{ name, in, want string }{
		{
			"numbers keep their digits", `[9007199254740993.000,-0,1e999,12345678901234567890]`,
			"doc:\n  - 9007199254740993.000\n  - -0\n  - 1e999\n  - 12345678901234567890\n",
		},
		{"order of keys", `{"b":1,"a":{"z":[{"y":2,"x":[]}]}}`, "doc:\n  b: 1\n  a:\n    z:\n      - \"y\": 2\n        x: []\n"},
		{"lists in lists", `[[1,[2]],{}]`, "doc:\n  - - 1\n    - - 2\n  - {}\n"},
		{"halves of a character", `"\ud83d\ude00 \ud83d \udb40\udc41"`, `doc: "😀 \ud83d \U000e0041"` + "\n"},
		{"escapes", `"\/\b\u0041\u001b"`, `doc: "/\b\u0041\u001b"` + "\n"},
		{"not UTF-8", "\"a\xff\"", "doc: \"a\xff\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := render.WriteOne(&b, document{json.RawMessage(c.in)}, render.FormatYAML, pipe); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	var b bytes.Buffer
	if err := render.WriteOne(&b, document{json.RawMessage(deep)}, render.FormatYAML, pipe); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 10_000 || !strings.Contains(b.String(), "[[[[") {
		t.Errorf("a deep document takes %d bytes", b.Len())
	}
}

// A reader of CSV gets the texts back, also where they are empty or quoted.
func TestCSVIsReadBack(t *testing.T) {
	t.Parallel()
	type view struct {
		A string `json:"a"`
		B string `json:"b"`
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(append(hostiletest.Payloads(), "", `"`, "a,b", " a", "=1+1", "a\nb", `\.`, "é"))
		var views []view
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			views = append(views, view{text.Draw(t, "a"), text.Draw(t, "b")})
		}
		o := pipe
		o.Columns = rapid.SampledFrom([][]string{nil, {"b"}, {"B", "a"}}).Draw(t, "columns")
		var b bytes.Buffer
		if err := render.WriteList(&b, views, render.FormatCSV, o); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		header := map[int][]string{0: {"a", "b"}, 1: {"b"}, 2: {"b", "a"}}[len(o.Columns)]
		want := [][]string{header}
		for _, v := range views {
			row := make([]string, len(header))
			for i, name := range header {
				// The reader itself turns the line ends of Windows, and JSON what is not UTF-8.
				row[i] = strings.ReplaceAll(string([]rune(map[string]string{"a": v.A, "b": v.B}[name])), "\r\n", "\n")
			}
			want = append(want, row)
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	type view struct {
		Doc  json.RawMessage `json:"doc"`
		At   int64           `json:"at"`
		Null *string         `json:"null"`
	}
	v := view{Doc: json.RawMessage(`{"s":"a\u001b[2J\n","n":1e999,"i":9007199254740993,"l":[1,"x"],"o":{"b":1,"a":null}}`), At: now.Add(-time.Hour).UnixMilli()}
	for _, c := range []struct{ text, pipe, terminal string }{
		{"{{.doc.i}} {{.doc.n}}", "9007199254740993 1e999\n", "9007199254740993 1e999\n"},
		{"{{.doc.i}}\n", "9007199254740993\n", "9007199254740993\n"},
		{`{{.doc.s}}{{"\t"}}|`, "a\x1b[2J\n\t|\n", "a\\x1b[2J\n\t|\n"},
		{`{{color "red" .doc.s}}`, "a\x1b[2J\n\n", "\x1b[31ma\\x1b[2J\n\x1b[0m\n"},
		{`{{printf "%s" .doc.s}}{{range .doc.l}}{{.}},{{end}}`, "a\x1b[2J\n1,x,\n", "a\\x1b[2J\n1,x,\n"},
		{`{{timeago .at}} {{dur 1500}} {{bytes .doc.i}}`, "1h ago 1.5s 8 PiB\n", "1h ago 1.5s 8 PiB\n"},
		{`{{.null}}{{.null.x}}{{.doc.o.a}}{{timeago .null}}{{dur .null}}{{join "," .null}}{{default "-" .null}}`, "-\n", "-\n"},
		{`{{json .doc.o}} {{.doc.l}} {{len .doc.l}} {{.doc.l | join "+"}}`, "{\"a\":null,\"b\":1} [1,\"x\"] 2 1+x\n", "{\"a\":null,\"b\":1} [1,\"x\"] 2 1+x\n"},
		{`{{$x := .doc}}{{$x.o.b}}{{with .doc.o}}{{.b}}{{else}}no{{end}}{{(index .doc "o").b}}`, "111\n", "111\n"},
		{`{{define "a"}}<{{.b}}>{{end}}{{template "a" .doc.o}}{{if gt .doc.o.b 0}}yes{{end}}`, "<1>yes\n", "<1>yes\n"},
	} {
		template, err := render.ParseTemplate(c.text)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		for want, o := range map[string]render.Options{c.pipe: pipe, c.terminal: colorful} {
			if c.pipe == c.terminal {
				o = colorful
			}
			o.Template = template
			var b bytes.Buffer
			if err := render.WriteOne(&b, v, render.FormatTemplate, o); err != nil {
				t.Errorf("%s: %v", c.text, err)
			} else if diff := cmp.Diff(want, b.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.text, diff)
			}
		}
	}
}

// A row on which a template fails prints nothing, the rows before it do.
func TestTemplateFailsOnARow(t *testing.T) {
	t.Parallel()
	o := pipe
	var err error
	if o.Template, err = render.ParseTemplate(`{{.doc}} {{dur .doc}}`); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	err = render.WriteList(&b, []document{{json.RawMessage("1000")}, {json.RawMessage(`"x"`)}}, render.FormatTemplate, o)
	if _, ok := errors.AsType[*render.ProgramError](err); !ok {
		t.Errorf("got %v, want a ProgramError", err)
	}
	if diff := cmp.Diff("1000 1s\n", b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestQueryOnATerminal(t *testing.T) {
	t.Parallel()
	o := people
	var err error
	if o.Query, err = render.ParseQuery(`.doc, [.doc]`); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := render.WriteOne(&b, document{json.RawMessage(`"\u001b[2J"`)}, render.FormatJSON, o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("\\x1b[2J\n[\n  \"\\u001b[2J\"\n]\n", b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A program that does not end is ended, also inside of one result.
func TestQueryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`repeat(1)`, `[repeat(1)]`, `repeat(1) | empty`, `last(range(1e18))`} {
		ctx, cancel := context.WithCancel(t.Context())
		o := pipe
		o.Context = ctx
		var err error
		if o.Query, err = render.ParseQuery(text); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Millisecond, cancel)
		err = render.WriteOne(io.Discard, document{}, render.FormatJSON, o)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestQueryMistakesNameTheColumn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`.a | foo`: "column 6: function not defined: foo/0",
		`."é" | )`: `column 8: unexpected token ")"`,
		`.[`:       "column 3: unexpected EOF",
		`$x`:       "column 1: variable not defined: $x",
	} {
		if _, err := render.ParseQuery(text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// What streams holds no more for many rows than for a few.
func TestListsAreNotHeld(t *testing.T) {
	// Not parallel: it looks at the memory of the process.
	template, err := render.ParseTemplate("{{.id}} {{.data}}")
	if err != nil {
		t.Fatal(err)
	}
	query, err := render.ParseQuery(".data")
	if err != nil {
		t.Fatal(err)
	}
	const rows, most = 4_000, 4 << 20
	job := queue.Job{ID: "1", Name: "n", Data: []byte(fmt.Sprintf("%q", strings.Repeat("x", 5000)))}
	for _, f := range []render.Format{
		render.FormatNDJSON, render.FormatJSON, render.FormatCSV, render.FormatYAML, render.FormatName, render.FormatTemplate, "jq",
	} {
		o := pipe
		o.Template = template
		format := f
		if f == "jq" {
			o.Query, format = query, render.FormatNDJSON
		}
		list := render.NewJobs(io.Discard, render.JobList{}, format, o)
		before := heap()
		for range rows {
			if err := list.Write(render.JobRow{Queue: "q", Job: &job}); err != nil {
				t.Fatal(err)
			}
		}
		if grown := heap() - before; grown > most {
			t.Errorf("%s holds %d bytes of %d rows", f, grown, rows)
		}
		if err := list.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
