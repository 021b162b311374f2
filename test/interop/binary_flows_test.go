package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/queue"
)

// built is the binary that people use, on the Redis of a world.
type built struct {
	w    *world
	path string
}

func (w *world) built() built {
	w.t.Helper()
	b := built{w, filepath.Join(w.t.TempDir(), "qctl")}
	if text, err := exec.CommandContext(w.ctx, "go", "build", "-o", b.path, "../..").CombinedOutput(); err != nil {
		w.t.Fatalf("go build: %v\n%s", err, text)
	}
	return b
}

// run runs one command to its end and returns its result.
func (b built) run(args ...string) []byte {
	b.w.t.Helper()
	cmd := exec.CommandContext(b.w.ctx, b.path, args...)
	var out, errOut bytes.Buffer
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "REDIS_URL=" + b.w.url}
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		b.w.t.Fatalf("qctl %s: %v\n%s", strings.Join(args, " "), err, &errOut)
	}
	return out.Bytes()
}

// program writes a program that runs jobs, and returns its path.
func (b built) program(name, text string) string {
	b.w.t.Helper()
	path := filepath.Join(filepath.Dir(b.path), name)
	b.w.must(os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700)) //nolint:gosec // it is to be run
	return path
}

// TestAFlowByHand has an operator add a flow of 1000 children over three queues,
// which Node and programs of qctl worker share; the parent is handed what all of
// them returned, and both sides read the same.
func TestAFlowByHand(t *testing.T) {
	eachWorld(t, func(w *world) {
		const n = 1000
		qctl := w.built()
		g, top := w.grove("bull", "by-hand"), w.line("bull", "by-hand-top")
		children := make([]args, n)
		want := map[string]any{}
		for i := range children {
			id := fmt.Sprint("c", i)
			children[i] = args{
				"queue": g.lines[i%3].base.String(), "name": "child", "data": args{"do": steps{Sleep: 10, Return: i}}, "opts": args{"jobId": id},
			}
			want[g.lines[i%3].key(id)] = float64(i)
		}
		flow, err := json.Marshal(args{"queue": top.base.String(), "name": "root", "opts": args{"jobId": "root"}, "children": children})
		w.must(err)
		file, handed := filepath.Join(t.TempDir(), "flow.json"), filepath.Join(t.TempDir(), "handed.json")
		w.must(os.WriteFile(file, flow, 0o600))
		if id := strings.TrimSpace(string(qctl.run("enqueue", "--flow", file))); id != "root" {
			t.Fatalf("added %q", id)
		}

		// Node sleeps in each job, so that it does not outrun the programs.
		worker := []string{"worker", "-o", "json", "--drain", "--log-level", "warn"}
		for _, l := range g.lines {
			l.nodeWorks(setup{Concurrency: 1})
			worker = append(worker, "--queue", l.base.String())
		}
		echo := qctl.program("echo.sh", `read -r data
data=${data#*'"return":'}
echo "${data%%\}*}"
`)
		var done struct{ Completed, Failed int64 }
		w.must(json.Unmarshal(qctl.run(append(worker, "--", echo)...), &done))
		for i, l := range g.lines {
			l.waitFinished([]int64{n/3 + 1, n / 3, n / 3}[i], 0)
		}
		t.Logf("qctl worker ran %d of %d", done.Completed, n)
		if done.Completed < n/10 || done.Completed > n-n/10 || done.Failed != 0 {
			t.Errorf("qctl worker ran %d jobs, and %d failed: want both sides to have a share", done.Completed, done.Failed)
		}

		keep := qctl.program("keep.sh", "cat > /dev/null\ncp \"$QCTL_CHILDREN\" '"+handed+"'\necho '\"whole\"'\n")
		qctl.run("worker", "--drain", "--queue", top.base.String(), "--", keep)
		if state := top.state("root"); state != "completed" {
			t.Errorf("the root is %s", state)
		}
		var node, ours map[string]any
		top.call("getChildrenValues", args{"jobId": "root"}, &node)
		diff(t, "values that Node sees", want, node)
		text, err := os.ReadFile(handed)
		w.must(err)
		w.must(json.Unmarshal(text, &ours))
		diff(t, "values that the program is handed", want, ours)

		var tree struct {
			Job struct{ Counts queue.ChildCounts }
		}
		w.must(json.Unmarshal(qctl.run("show", top.base.String(), "root", "--tree", "-o", "json"), &tree))
		diff(t, "counts of the tree", queue.ChildCounts{Processed: n}, tree.Job.Counts)
		for _, l := range append(g.lines[:], top) {
			checkInvariants(t, w.rdb, l.base.String())
		}
	})
}
