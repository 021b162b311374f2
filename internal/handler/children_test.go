package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/handler"
	"github.com/qctl/qctl/internal/worker"
)

// having is a job with these children.
func having(c worker.Children, err error) worker.Job {
	job := testJob("{}")
	job.Children = func(context.Context) (worker.Children, error) { return c, err }
	return job
}

// What the children returned is in files that nobody else can read, and that are
// gone when the job has ended, however it ends.
func TestProgramGetsChildren(t *testing.T) {
	t.Parallel()
	values := map[string]json.RawMessage{
		"bull:qa:1": json.RawMessage(`{"n": 9007199254740993, "html": "<b>"}`), "bull:qa:2": json.RawMessage("null"), "bull:qa:3": json.RawMessage("not JSON"),
	}
	failures := map[string]string{"bull:qa:4": "connect ECONNREFUSED\n"}
	const script = `for f in "$QCTL_CHILDREN" "$QCTL_CHILDREN_FAILED"; do
		if [ -n "$f" ]; then stat -c '%a' "$f" "${f%/*}" >&2; cat "$f" >&2; else echo none >&2; fi; done; exit `
	for _, test := range []struct {
		name     string
		children worker.Children
		code     string
		want     []string
	}{
		{"none", worker.Children{}, "0", []string{"none", "none"}},
		{
			"both",
			worker.Children{Values: values, Failures: failures},
			"0",
			[]string{
				"600", "700", `{"bull:qa:1":{"n":9007199254740993,"html":"<b>"},"bull:qa:2":null,"bull:qa:3":"not JSON"}`,
				"600", "700", `{"bull:qa:4":"connect ECONNREFUSED\n"}`,
			},
		},
		{"failures alone, and it fails", worker.Children{Failures: failures}, "1", []string{"none", "600", "700", `{"bull:qa:4":"connect ECONNREFUSED\n"}`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := newProgram(t, handler.ProgramConfig{
				Args: []string{"sh", "-c", script + test.code}, InheritEnv: true, TempDir: dir,
				Environ: append(os.Environ(), "QCTL_CHILDREN=/etc/passwd", "QCTL_CHILDREN_FAILED=/etc/passwd"),
			})
			rec := &recorder{}
			_, _ = p.Handle(t.Context(), having(test.children, nil), rec) // the log says what it saw
			if diff := cmp.Diff(test.want, rec.logs); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// A program does not run without what its children returned.
func TestProgramNeedsChildren(t *testing.T) {
	t.Parallel()
	trouble := &worker.Failure{Reason: "values of children: loading", TryAgain: true}
	mark := t.TempDir() + "/ran"
	p := newProgram(t, handler.ProgramConfig{Args: []string{"touch", mark}, InheritEnv: true})
	if _, err := p.Handle(t.Context(), having(worker.Children{}, trouble), &recorder{}); !errors.Is(err, trouble) {
		t.Errorf("got %v", err)
	}
	// A folder that cannot be written to is this machine's trouble.
	p = newProgram(t, handler.ProgramConfig{Args: []string{"touch", mark}, InheritEnv: true, TempDir: mark + "/none"})
	_, err := p.Handle(t.Context(), having(worker.Children{Failures: map[string]string{"a:b:1": "x"}}, nil), &recorder{})
	var failure *worker.Failure
	if !errors.As(err, &failure) || !failure.TryAgain || !strings.HasPrefix(failure.Reason, "values of children: ") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the program ran")
	}
}
