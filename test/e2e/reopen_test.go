package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/redistest"
)

// startAlone starts a command that goes on, in a store of its own, and ends both
// with the test.
func startAlone(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	w := &terminal{t: t, env: env, args: args}
	w.start()
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait()
	})
	return w
}

// ownStore is the environment of a store for one test.
func ownStore(t *testing.T) (env []string, dir string) {
	t.Helper()
	dir = t.TempDir()
	env = []string{"QCTL_EMBEDDED_DIR=" + filepath.Join(dir, "store"), "LEDGER=" + filepath.Join(dir, "ledger")}
	t.Cleanup(func() { _, _, _ = qctl(t, env, "embedded", "stop") })
	return env, dir
}

// storeStatus is what is known of a store without starting it.
type storeStatus struct {
	Running      bool
	PID, Clients int
}

func statusOf(t *testing.T, env []string) storeStatus {
	t.Helper()
	var status storeStatus
	if err := json.Unmarshal([]byte(must(t, env, "embedded", "status", "-o", "json")), &status); err != nil {
		t.Fatal(err)
	}
	return status
}

// devJobs adds jobs that are due at some time.
func devJobs(t *testing.T, env []string, prefix string, n int, flags ...string) {
	t.Helper()
	for i := range n {
		must(t, env, append([]string{
			"enqueue", "dev", "ticketId=T", "tenantId=t", "roleSlug=dev", "attempt:=1", "--id", fmt.Sprintf("%s-%d", prefix, i),
		}, flags...)...)
	}
}

// all waits until the jobs have run.
func all(t *testing.T, dir, prefix string, n int) {
	t.Helper()
	redistest.WaitFor(t, 60*time.Second, "the jobs "+prefix, func() bool {
		seen := runs(t, filepath.Join(dir, "ledger"))
		for i := range n {
			if seen[fmt.Sprintf("%s-%d", prefix, i)] == 0 {
				return false
			}
		}
		return true
	})
}

func devWorker(t *testing.T, env []string) *terminal {
	t.Helper()
	return startAlone(t, env, "worker", "--queue", "dev", "--lock", "2s", "--stalled-interval", "1s", "--max-stalled", "20", "--",
		writeProgram(t, `echo "$QCTL_JOB_ID" >> "$LEDGER"`))
}

// A worker that is alone with its store has it back after a kill: jobs that are
// due later run, with no other command to start the store.
func TestWorkerAloneAfterKill(t *testing.T) {
	t.Parallel()
	env, dir := ownStore(t)
	devWorker(t, env)
	devJobs(t, env, "before", 2)
	all(t, dir, "before", 2)
	for round := range 3 {
		prefix := fmt.Sprintf("round-%d", round)
		devJobs(t, env, prefix, 3, "--delay", "3s")
		killStore(t, env)
		all(t, dir, prefix, 3)
	}
}

// A worker does not start a store that was stopped, and has it back when another
// command starts it, at another address.
func TestWorkerAfterStop(t *testing.T) {
	t.Parallel()
	env, dir := ownStore(t)
	w := devWorker(t, env)
	devJobs(t, env, "before", 1)
	all(t, dir, "before", 1)
	must(t, env, "embedded", "stop")
	redistest.WaitFor(t, 30*time.Second, "the worker to miss the store", func() bool {
		return strings.Contains(w.err.String(), "the embedded store does not run")
	})
	if statusOf(t, env).Running {
		t.Fatal("the worker has started the store")
	}
	devJobs(t, env, "after", 3)
	all(t, dir, "after", 3)
}

// Whoever only watches has the store back as well, alone with it, and sees what
// comes next.
func TestWatchersAloneAfterKill(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"stats":  {"stats", "dev", "--watch", "--interval", "100ms", "-o", "ndjson"},
		"events": {"events", "dev", "--follow", "-o", "ndjson"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, _ := ownStore(t)
			devJobs(t, env, "job", 1, "--delay", "1h")
			w := startAlone(t, env, args...)
			for round := range 3 {
				killAlone(t, env)
				prefix := fmt.Sprintf("round-%d", round)
				devJobs(t, env, prefix, 1, "--delay", "1h")
				want := prefix + "-0"
				if name == "stats" {
					want = fmt.Sprintf(`"delayed":%d`, round+2)
				}
				w.sees(want)
			}
		})
	}
}

// killAlone kills the store of somebody who is connected, and waits until it is
// there again without asking it for anything that would start it.
func killAlone(t *testing.T, env []string) {
	t.Helper()
	redistest.WaitFor(t, 30*time.Second, "a client", func() bool { return statusOf(t, env).Clients > 0 })
	before := statusOf(t, env).PID
	killStore(t, env)
	redistest.WaitFor(t, 30*time.Second, "the store to be started again", func() bool {
		status := statusOf(t, env)
		return status.Running && status.PID != before && status.Clients > 0
	})
}

// sees waits for a line with a text.
func (w *terminal) sees(text string) {
	w.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		select {
		case line, going := <-w.read:
			if !going {
				w.t.Fatalf("%s ended: %s", w.args[0], w.err)
			}
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			w.t.Fatalf("%s does not show %s", w.args[0], text)
		}
	}
}
