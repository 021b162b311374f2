package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func jobsOf(t *testing.T, f render.Format, o render.Options, list render.JobList, jobs ...queue.Job) string {
	t.Helper()
	var b bytes.Buffer
	rows := render.NewJobs(&b, list, f, o)
	for i := range jobs {
		row := render.JobRow{Queue: "email-queue", Job: &jobs[i]}
		if jobs[i].State == queue.StateDelayed {
			row.Due = jobs[i].Timestamp.Add(jobs[i].Delay)
		}
		if err := rows.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestJobJSON(t *testing.T) {
	t.Parallel()
	jobs := []queue.Job{failedJob(), brokenJob(), waitingJob(), {ID: "7"}}
	golden(t, "jobs.json", jobsOf(t, render.FormatJSON, pipe, render.JobList{}, jobs...))
	golden(t, "jobs.ndjson", jobsOf(t, render.FormatNDJSON, pipe, render.JobList{}, jobs...))
	golden(t, "jobs.terminal.json", jobsOf(t, render.FormatJSON, people, render.JobList{}, brokenJob()))
}

// The names and their order are a contract with every script.
func TestJobJSONFieldOrder(t *testing.T) {
	t.Parallel()
	contract := []string{
		"id", "name", "state", "data", "opts", "priority", "delay", "attemptsMade", "attemptsStarted", "attempts",
		"stalledCount", "progress", "returnvalue", "failedReason", "stacktrace", "timestamp", "processedOn",
		"finishedOn", "parent", "deduplicationId", "repeatJobKey", "queue",
	}
	line := jobsOf(t, render.FormatNDJSON, pipe, render.JobList{}, queue.Job{ID: "7"})
	if diff := cmp.Diff(contract, keys(t, line)[:len(contract)]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatsJSONFieldOrder(t *testing.T) {
	t.Parallel()
	contract := []string{
		"queue", "alias", "keyBase", "waiting", "prioritized", "active", "completed", "failed", "delayed",
		"waitingChildren", "total", "paused", "workers", "lag", "oldestWaitingMs", "completedPerMinute", "failedPerMinute",
		"status",
	}
	var b bytes.Buffer
	if err := render.WriteStats(&b, stats()[:1], render.FormatNDJSON, pipe); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contract, keys(t, b.String())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := `{"queue":"email-queue","alias":"email","keyBase":"bull:email-queue","waiting":25,"prioritized":0,"active":5,` +
		`"completed":1000,"failed":2,"delayed":10,"waitingChildren":0,"total":1042,"paused":false,"workers":2,"lag":"12s",` +
		`"oldestWaitingMs":12034,"completedPerMinute":118,"failedPerMinute":0,"status":"busy"}` + "\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// keys returns the names of the fields of a flat view in their order.
func keys(t *testing.T, object string) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(object))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprint(name))
	}
	return names
}

func TestEmptyLists(t *testing.T) {
	t.Parallel()
	for f, want := range map[render.Format]string{render.FormatJSON: "[]\n", render.FormatNDJSON: ""} {
		if diff := cmp.Diff(want, jobsOf(t, f, pipe, render.JobList{})); diff != "" {
			t.Errorf("jobs as %s (-want +got):\n%s", f, diff)
		}
		var b bytes.Buffer
		if err := render.WriteStats(&b, nil, f, pipe); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("stats as %s (-want +got):\n%s", f, diff)
		}
	}
}

// A streamed array and a whole one are the same document.
func TestArrayWriterWritesWhatWriteJSONWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String()))).Draw(t, "values")
		var whole, streamed, indented bytes.Buffer
		o := render.Options{Terminal: rapid.Bool().Draw(t, "terminal")}
		if err := render.WriteJSON(&whole, values, o); err != nil {
			t.Fatal(err)
		}
		array := render.NewArrayWriter[map[string][]string](&streamed, o)
		for _, v := range values {
			if err := array.Write(v); err != nil {
				t.Fatal(err)
			}
		}
		if err := array.Close(); err != nil {
			t.Fatal(err)
		}
		want := whole.String()
		if values == nil {
			want = "[]\n"
		}
		if diff := cmp.Diff(want, streamed.String()); diff != "" {
			t.Fatalf("(-whole +streamed):\n%s", diff)
		}
		if o.Terminal || len(values) == 0 {
			return
		}
		compact, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Indent(&indented, compact, "", "  "); err != nil {
			t.Fatal(err)
		}
		var got, parsed any
		if json.Unmarshal(streamed.Bytes(), &got) != nil || json.Unmarshal(indented.Bytes(), &parsed) != nil {
			t.Fatalf("not JSON: %s", streamed.String())
		}
		if diff := cmp.Diff(parsed, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// What goes through -o json into another program must be the stored payload.
func TestStoredJSONSurvives(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`9007199254740993`, `1e999`, `-0`, `{"a":1,"a":2}`, `"\ud800\u0000<&>"`, "\"\u2028\u009b\xff\"", `"` + strings.Repeat("9", 400) + `"`,
		strings.Repeat("9", 400), strings.Repeat("[", 8000) + strings.Repeat("]", 8000),
	} {
		line := jobsOf(t, render.FormatNDJSON, pipe, render.JobList{}, queue.Job{ID: "1", Data: json.RawMessage(data)})
		if !strings.Contains(line, `"data":`+data+`,"opts":null`) {
			t.Errorf("%.80q: got %.200q", data, line)
		}
		var view struct{ Data json.RawMessage }
		whole := jobsOf(t, render.FormatJSON, pipe, render.JobList{}, queue.Job{ID: "1", Data: json.RawMessage(data)})
		if err := json.Unmarshal([]byte(strings.Trim(whole, "[]\n")), &view); err != nil && len(data) < 1000 {
			t.Errorf("%.80q: %v", data, err)
		}
	}
}

// Stored text that is not JSON, or too deep for parsers, becomes a string.
func TestStoredTextBecomesAString(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"{", "\x1b", "\xff", "NaN", "'a'", strings.Repeat("[", 9500) + strings.Repeat("]", 9500)} {
		line := jobsOf(t, render.FormatNDJSON, pipe, render.JobList{}, queue.Job{ID: "1", Data: json.RawMessage(data)})
		var view struct {
			Data       string
			DataIsText bool
			Corrupt    []string
		}
		if err := json.Unmarshal([]byte(line), &view); err != nil {
			t.Fatalf("%.80q: %v", data, err)
		}
		if view.Data != strings.ToValidUTF8(data, "\ufffd") || !view.DataIsText || (view.Corrupt != nil) == utf8.ValidString(data) {
			t.Errorf("%.80q: got %.200q", data, line)
		}
	}
}

func TestNDJSONLineIsOneWrite(t *testing.T) {
	t.Parallel()
	var w countingWriter
	for _, o := range []render.Options{pipe, people} {
		w = 0
		lines := render.NewNDJSON[string](&w, o)
		for i := range 3 {
			if err := lines.Write("é" + strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
			if int(w) != i+1 {
				t.Errorf("%d writes for %d lines", w, i+1)
			}
		}
	}
}

type countingWriter int

func (w *countingWriter) Write(b []byte) (int, error) { *w++; return len(b), nil }

// failingWriter is a pipe whose reader has gone.
type failingWriter struct{}

var errGone = fmt.Errorf("reader has gone")

func (failingWriter) Write([]byte) (int, error) { return 0, errGone }

func BenchmarkNDJSON(b *testing.B) {
	job := failedJob()
	b.ReportAllocs()
	lines := render.NewJobs(new(countingWriter), render.JobList{}, render.FormatNDJSON, pipe)
	for b.Loop() {
		if err := lines.Write(render.JobRow{Queue: "email", Job: &job}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTable(b *testing.B) {
	for name, o := range map[string]render.Options{"pipe": pipe, "terminal": people} {
		b.Run(name, func(b *testing.B) {
			job := failedJob()
			b.ReportAllocs()
			lines := render.NewJobs(new(countingWriter), render.JobList{Failed: true}, render.FormatTable, o)
			for b.Loop() {
				if err := lines.Write(render.JobRow{Queue: "email", Job: &job}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
