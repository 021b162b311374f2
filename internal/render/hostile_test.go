package render_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/hostiletest"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

func TestPayloadsInEveryOutput(t *testing.T) {
	t.Parallel()
	for name, output := range outputsOf(t, hostiletest.Payloads()) {
		lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
		for i, line := range lines {
			line = strings.ReplaceAll(line, "\t", "") // between the columns of a pipe
			if found := hostiletest.Dangers(line); found != nil {
				t.Errorf("%s, line %d: %q holds %v", name, i+1, line, found)
				break
			}
		}
	}
}

// outputsOf writes the payloads through everything that writes, by name.
func outputsOf(t *testing.T, payloads []string) map[string]string {
	t.Helper()
	outputs := map[string]string{}
	template, err := render.ParseTemplate(
		`{{range $k, $v := .}}{{$k}} {{$v}} {{json $v}} {{color "red" $v}} {{printf "%v" $v}}|{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]render.Options{"terminal": people, "wide": wide, "pipe": pipe} {
		buffers := map[string]*bytes.Buffer{}
		o.Template = template
		for _, f := range render.Formats() {
			if !o.Terminal && !f.ForPeople() {
				continue // bytes as they are stored
			}
			b := &bytes.Buffer{}
			buffers[string(f)] = b
			rows := render.NewJobs(b, render.JobList{ManyQueues: true}, f, o)
			for _, p := range payloads {
				if err := rows.Write(render.JobRow{Queue: p, Job: hostileJob(p)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
			if err := writeHostileLists(b, payloads, f, o); err != nil {
				t.Fatal(err)
			}
		}
		pages := &bytes.Buffer{}
		buffers["page"] = pages
		for _, p := range payloads {
			if err := (render.JobPage{Queue: p, Job: hostileJob(p), Logs: []string{p}, LogsTotal: 1}).Write(pages, o); err != nil {
				t.Fatal(err)
			}
		}
		for kind, b := range buffers {
			outputs[name+" "+kind] = b.String()
		}
	}
	return outputs
}

func hostileJob(p string) *queue.Job {
	return &queue.Job{
		ID: p, Name: p, State: queue.State(p), Data: []byte(p), Opts: []byte(`"` + p + `"`), Progress: []byte(p),
		ReturnValue: []byte(`{"` + p + `":1}`), Stacktrace: []string{p}, FailedReason: p, HasFailedReason: true,
		DeferredFailure: p, HasDeferredFailure: true, ParentKey: p, Parent: []byte(p), DeduplicationID: p,
		RepeatJobKey: p, ProcessedBy: p, Corrupt: []string{p + ": " + p}, Cut: map[string]int64{p: 1},
	}
}

func writeHostileLists(b *bytes.Buffer, payloads []string, f render.Format, o render.Options) error {
	var stats []render.Stats
	var queues []render.QueueRow
	var causes []render.Cause
	var change render.Change
	for _, p := range payloads {
		base := queue.KeyBase{Prefix: p, Name: p}
		counts := queue.Counts{Err: errors.New(p)}
		stats = append(stats, render.Stats{Queue: p, Alias: p, KeyBase: base, Evidence: render.Evidence{Counts: counts}})
		queues = append(queues, render.QueueRow{Queue: p, Alias: p, Role: p, KeyBase: base, Counts: counts})
		causes = append(causes, render.Cause{Queue: p, ID: p, Names: []string{p}, Reason: p})
		change.Queue += p
		change.Skipped = append(change.Skipped, render.Skip{Reason: p, IDs: []string{p}})
	}
	change.Done = "retried"
	return errors.Join(
		render.WriteStats(b, stats, f, o),
		render.WriteQueues(b, queues, f, o),
		render.WriteCauses(b, causes, render.JobList{ManyQueues: true}, f, o),
		render.WriteChange(b, change, f, o),
	)
}
