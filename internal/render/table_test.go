package render_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func draw(t *testing.T, columns []render.Column, rows [][]string, o render.Options) string {
	t.Helper()
	table := render.Table{Columns: columns}
	for _, row := range rows {
		cells := make([]render.Cell, len(row))
		for i, text := range row {
			cells[i] = render.Cell{Text: text}
		}
		table.Rows = append(table.Rows, cells)
	}
	var b bytes.Buffer
	if err := table.Write(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var exampleColumns = []render.Column{
	{Header: "ID"},
	{Header: "p95", Right: true},
	{Header: "KEY", Wide: true},
	{Header: "ZERO", Right: true, Spare: 2},
	{Header: "MORE", Right: true, Spare: 1},
	{Header: "NAME", Min: 4},
	{Header: "failed_reason", Min: 10, Flex: true},
}

var exampleRows = [][]string{
	{"1", "12", "k", "0", "7", "short", "connect ETIMEDOUT 10.0.0.1:443"},
	{"20000", "3", "k", "0", "-", "a-very-long-name", "日本語のとても長い失敗の理由"},
	{"3", "", "k", "-", "1,375", "tab\tin\x1b[31m", ""},
}

func TestTableWidths(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, width := range []int{0, 100, 74, 60, 50, 40, 30, 10} {
		fmt.Fprintf(&b, "-- width %d\n%s", width, draw(t, exampleColumns, exampleRows, render.Options{Terminal: true, Width: width}))
	}
	fmt.Fprintf(&b, "-- wide\n%s", draw(t, exampleColumns, exampleRows, render.Options{Terminal: true, Width: 40, Wide: true}))
	fmt.Fprintf(&b, "-- pipe\n%s", draw(t, exampleColumns, exampleRows, render.Options{Width: 40, Color: true}))
	fmt.Fprintf(&b, "-- no headers\n%s", draw(t, exampleColumns, exampleRows, render.Options{Terminal: true, NoHeaders: true}))
	fmt.Fprintf(&b, "-- no rows\n%s", draw(t, exampleColumns, nil, render.Options{Terminal: true, Width: 80}))
	golden(t, "widths.txt", b.String())
}

// color matches what may be between the letters of a table for people.
var color = regexp.MustCompile("\x1b\\[[0-9]*m")

// Whatever the cells hold, columns start where the widths say, lines do not end
// in spaces and fit the terminal as far as they may be cut.
func TestTableOfAnything(t *testing.T) {
	t.Parallel()
	columns := []render.Column{{Header: "A"}, {Header: "B", Right: true}, {Header: "C", Min: 3, Flex: true}}
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "日本", "👍🏽", "🇩🇪", "e\u0301", "❤️", "…", "○●◆", " x ", "a   b", "x\u3000y\u00a0", "ｱ", "½"}))
		texts := rapid.SliceOfN(rapid.SliceOfN(cell, 3, 3), 1, 5).Draw(t, "rows")
		o := render.Options{Terminal: true, Color: rapid.Bool().Draw(t, "color"), Width: rapid.IntRange(0, 60).Draw(t, "width")}
		table := render.Table{Columns: columns}
		widest := [2]int{1, 1}
		for _, row := range texts {
			for i := range widest {
				widest[i] = max(widest[i], render.Width(render.Text(row[i])))
			}
			table.Rows = append(table.Rows, []render.Cell{{Text: row[0], Style: render.StyleBad}, {Text: row[1]}, {Text: row[2], Style: render.StyleDim}})
		}
		var b bytes.Buffer
		if err := table.Write(&b, o); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) != len(texts)+1 {
			t.Fatalf("%d lines for %d rows:\n%s", len(lines), len(texts), b.String())
		}
		room := max(o.Width-widest[0]-widest[1]-4, 3)
		for i, row := range texts {
			last := render.Text(row[2])
			if o.Width > 0 {
				last = render.Cut(last, max(room, 1))
			}
			a, right := render.Text(row[0]), render.Text(row[1])
			want := a + strings.Repeat(" ", widest[0]-render.Width(a)+2) +
				strings.Repeat(" ", widest[1]-render.Width(right)) + right + "  " + last
			if got := color.ReplaceAllString(lines[i+1], ""); got != strings.TrimRight(want, " ") {
				t.Errorf("row %q at %d:\n got %q\nwant %q", row, o.Width, got, strings.TrimRight(want, " "))
			}
		}
	})
}

// A longer id after the sample widens its column; a longer reason is cut.
func TestLongTableIsStreamed(t *testing.T) {
	t.Parallel()
	columns := []render.Column{{Header: "ID"}, {Header: "REASON", Min: 5, Flex: true}}
	var w lastWriter
	table := render.NewTableWriter(&w, columns, render.Options{Terminal: true, Width: 20})
	for i := range 5000 {
		id, reason := "7", "short"
		if i == 4000 {
			id, reason = "12345678", "a reason that is longer than the line"
		}
		if err := table.Write([]render.Cell{{Text: id}, {Text: reason}}); err != nil {
			t.Fatal(err)
		}
	}
	if w.bytes < 20000 {
		t.Errorf("only %d bytes were written before the end", w.bytes)
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(w.String(), "\n")
	got := []string{lines[0], lines[1], lines[4000], lines[4001], lines[4002]}
	want := []string{"ID  REASON", "7   short", "7   short", "12345678  a reason …", "7         short"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(lines) != 5002 {
		t.Errorf("%d lines", len(lines))
	}
}

type lastWriter struct {
	bytes.Buffer
	bytes int
}

func (w *lastWriter) Write(b []byte) (int, error) {
	w.bytes += len(b)
	return w.Buffer.Write(b)
}

func TestTableRefusesUnevenRows(t *testing.T) {
	t.Parallel()
	for _, cells := range [][]render.Cell{nil, make([]render.Cell, 2)} {
		err := render.Table{Columns: []render.Column{{Header: "A"}}, Rows: [][]render.Cell{cells}}.Write(new(bytes.Buffer), pipe)
		if err == nil {
			t.Errorf("%d cells for one column were taken", len(cells))
		}
	}
}

// "qctl jobs email | head -1" must get to know that its reader has gone.
func TestWriteErrorsAreReturned(t *testing.T) {
	t.Parallel()
	job := failedJob()
	template, err := render.ParseTemplate("{{json .}}")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range render.Formats() {
		for name, o := range readers {
			o.Template = template
			rows := render.NewJobs(failingWriter{}, render.JobList{}, f, o)
			var err error
			for i := 0; i < 100 && err == nil; i++ {
				err = rows.Write(render.JobRow{Queue: "q", Job: &job})
			}
			if err == nil {
				err = rows.Close()
			}
			if !errors.Is(err, errGone) {
				t.Errorf("%s, %s: got %v", f, name, err)
			}
		}
	}
	if err := (render.JobPage{Job: &job}).Write(failingWriter{}, people); !errors.Is(err, errGone) {
		t.Errorf("page: got %v", err)
	}
}

func TestJobTables(t *testing.T) {
	t.Parallel()
	broken := brokenJob()
	for name, o := range readers {
		golden(t, "jobs."+name+".txt",
			jobsOf(t, render.FormatTable, o, render.JobList{}, waitingJob(), delayedJob(), failedJob(), broken))
		golden(t, "failed."+name+".txt",
			jobsOf(t, render.FormatTable, o, render.JobList{Failed: true, ManyQueues: true}, failedJob(), broken))
	}
}

func TestJobPage(t *testing.T) {
	t.Parallel()
	failed, broken, delayed := failedJob(), brokenJob(), delayedJob()
	for name, o := range readers {
		var b bytes.Buffer
		for _, page := range []render.JobPage{
			{Queue: "billing", Job: &failed, Logs: []string{"started", "\x1b[31mred\nsecond line"}, LogsTotal: 1375},
			{Queue: "bil\x1bling", Job: &broken},
			{Queue: "digest", Job: &delayed, Due: now.Add(24 * time.Hour), Logs: []string{"one"}, LogsTotal: 1},
		} {
			if err := page.Write(&b, o); err != nil {
				t.Fatal(err)
			}
			b.WriteString("----\n")
		}
		golden(t, "page."+name+".txt", b.String())
	}
}

func TestLongTextIsCutForPeople(t *testing.T) {
	t.Parallel()
	job := queue.Job{ID: "1", FailedReason: strings.Repeat("é", 1<<19), HasFailedReason: true}
	for name, o := range readers {
		var b bytes.Buffer
		if err := (render.JobPage{Queue: "q", Job: &job}).Write(&b, o); err != nil {
			t.Fatal(err)
		}
		cut := strings.Contains(b.String(), "é…\n  (1 MiB of text in all)\n") && b.Len() < 70000
		if want := o.Terminal && !o.Wide; cut != want {
			t.Errorf("%s: cut %v, want %v (%d bytes)", name, cut, want, b.Len())
		}
	}
}

func TestStatsTables(t *testing.T) {
	t.Parallel()
	for name, o := range readers {
		var b bytes.Buffer
		if err := render.WriteStats(&b, stats(), render.FormatTable, o); err != nil {
			t.Fatal(err)
		}
		golden(t, "stats."+name+".txt", b.String())
	}
	var b bytes.Buffer
	if err := render.WriteStats(&b, stats(), render.FormatJSON, pipe); err != nil {
		t.Fatal(err)
	}
	golden(t, "stats.json", b.String())
}

func queues() []render.QueueRow {
	email := queue.KeyBase{Prefix: "bull", Name: "email-queue"}
	return []render.QueueRow{
		{Queue: "email-queue", Alias: "email", Role: "synthstack", KeyBase: email, Configured: true, Exists: true, Status: render.StatusBusy, Counts: queue.Counts{Total: 1042}},
		{Queue: "dev", Alias: "dev", KeyBase: queue.KeyBase{Prefix: "queue", Name: "dev"}, Configured: true},
		{Queue: "found", KeyBase: queue.KeyBase{Prefix: "bull", Name: "found"}, Exists: true, Status: render.StatusPaused, Counts: queue.Counts{Total: 3, Paused: true}},
		{Queue: "secret", KeyBase: queue.KeyBase{Prefix: "bull", Name: "secret"}, Exists: true, Status: render.StatusUnreadable, Counts: queue.Counts{Err: errDenied}},
	}
}

func causes() []render.Cause {
	return []render.Cause{
		{
			Queue: "billing", ID: "3f9a1c", Count: 1371, Of: 1375, First: now.Add(-2 * time.Hour), Last: now.Add(-13 * time.Second),
			Names: []string{"charge-card", "refund", "payout"}, Reason: "connect ETIMEDOUT #.#.#.#:#",
		},
		{Queue: "billing", ID: "b02e77", Count: 4, Of: 1375, Last: now, Reason: "Validation error: field \"amount\" must be\npositive"},
	}
}

func TestQueuesAndCauses(t *testing.T) {
	t.Parallel()
	template, err := render.ParseTemplate(`{{.keyBase | default "?"}} {{.names | join ", "}} {{.first | timeago}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range render.Formats() {
		for name, o := range map[string]render.Options{"terminal": people, "pipe": pipe} {
			o.Template = template
			var b bytes.Buffer
			if err := render.WriteQueues(&b, queues(), f, o); err != nil {
				t.Fatal(err)
			}
			if err := render.WriteCauses(&b, causes(), render.JobList{}, f, o); err != nil {
				t.Fatal(err)
			}
			golden(t, fmt.Sprintf("lists.%s.%s", f, name), b.String())
		}
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	change := render.Change{
		Done: "retried", Queue: "bil\x1bling", State: queue.StateFailed, Matched: 1375, Changed: 1371, Took: 312 * time.Millisecond,
		Skipped: []render.Skip{{Reason: "job data missing", Count: 4, IDs: []string{"1", "2"}}}, Failed: 1,
	}
	var b bytes.Buffer
	for _, f := range []render.Format{render.FormatTable, render.FormatNDJSON} {
		if err := render.WriteChange(&b, change, f, pipe); err != nil {
			t.Fatal(err)
		}
	}
	dry := render.Change{Done: "removed", Queue: "email", Matched: 2000, Changed: 2000, DryRun: true}
	for _, f := range []render.Format{render.FormatTable, render.FormatNDJSON} {
		if err := render.WriteChange(&b, dry, f, pipe); err != nil {
			t.Fatal(err)
		}
	}
	want := `retried 1,371 of 1,375 failed in bil\x1bling in 312ms; 4 skipped (job data missing); 1 not done
{"queue":"bil\u001bling","matched":1375,"retried":1371,"skipped":[{"reason":"job data missing","count":4,"ids":["1","2"]}],"failed":1,"durationMs":312,"dryRun":false}
dry run: 2,000 of 2,000 in email would be removed
{"queue":"email","matched":2000,"removed":2000,"skipped":[],"failed":0,"durationMs":0,"dryRun":true}
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
