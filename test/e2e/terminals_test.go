package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/redistest"
)

// errorOutput is what a command has written so far to standard error.
type errorOutput struct {
	mu   sync.Mutex
	text []byte
}

// Write keeps more of it.
func (o *errorOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, b...)
	return len(b), nil
}

// String is all of it.
func (o *errorOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// terminal is one that runs a command which goes on.
type terminal struct {
	t    *testing.T
	env  []string
	args []string
	cmd  *exec.Cmd
	out  *bufio.Scanner
	err  *errorOutput
	read chan string // what it prints; closed at its end
}

func (w *terminal) start() {
	w.t.Helper()
	w.cmd, w.err = command(w.env, w.args...), &errorOutput{}
	w.cmd.Stderr = w.err
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	lines := make(chan string, 10_000)
	w.read, w.out = lines, bufio.NewScanner(out)
	go func(scanner *bufio.Scanner) {
		defer close(lines)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
	}(w.out)
}

// kill ends it as the machine might.
func (w *terminal) kill() {
	w.t.Helper()
	if err := w.cmd.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	_ = w.cmd.Wait()
}

// acknowledged are the ids of jobs whose addition was answered with success.
type acknowledged struct {
	mu  sync.Mutex
	ids []string
}

func (a *acknowledged) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ids)
}

// enqueue adds jobs one after another until told to stop; codes that do not
// belong to a store that has gone are errors.
func (a *acknowledged) enqueue(t *testing.T, env []string, stop chan struct{}, current *sync.Map) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		id := fmt.Sprintf("job-%d", i)
		cmd := command(env, "enqueue", "dev", "ticketId=T", "tenantId=t", "roleSlug=dev", "attempt:=1", "--id", id)
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		current.Store("enqueue", cmd.Process)
		_ = cmd.Wait()
		switch code := cmd.ProcessState.ExitCode(); code {
		case 0:
			a.mu.Lock()
			a.ids = append(a.ids, id)
			a.mu.Unlock()
		case 6, 9, -1: // the store has gone, before or behind it; or it was killed itself
		default:
			t.Errorf("enqueue: exit %d: %s", code, &errOut)
			return
		}
	}
}

// TestThreeTerminals shares one embedded store between enqueue in a loop, a
// worker and stats --watch, and kills each of them and the store while the
// others go on, none of which is started again.
func TestThreeTerminals(t *testing.T) {
	t.Parallel()
	for _, fsync := range []string{"always", "everysec"} {
		t.Run(fsync, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ledger := filepath.Join(dir, "ledger")
			env := []string{"QCTL_EMBEDDED_DIR=" + filepath.Join(dir, "store"), "QCTL_EMBEDDED_FSYNC=" + fsync, "LEDGER=" + ledger}
			t.Cleanup(func() { _, _, _ = qctl(t, env, "embedded", "stop") })
			program := writeProgram(t, `echo "$QCTL_JOB_ID" >> "$LEDGER"`)
			worker := &terminal{t: t, env: env, args: []string{
				"worker", "--queue", "dev", "--lock", "2s", "--stalled-interval", "1s", "--max-stalled", "20", "--", program,
			}}
			stats := &terminal{t: t, env: env, args: []string{"stats", "dev", "--watch", "--interval", "100ms", "-o", "ndjson"}}
			must(t, env, "stats", "dev")
			worker.start()
			stats.start()
			acks, stop, current := &acknowledged{}, make(chan struct{}), &sync.Map{}
			var group sync.WaitGroup
			group.Go(func() { acks.enqueue(t, env, stop, current) })
			more := func(what string) {
				t.Helper()
				acked, ran := acks.count(), len(runs(t, ledger))
				redistest.WaitFor(t, 60*time.Second, what+": further jobs", func() bool {
					return acks.count() >= acked+3 && len(runs(t, ledger)) >= ran+3
				})
			}
			more("at the start")
			kills := 0
			for _, victim := range []string{"enqueue", "worker", "stats", "store", "store"} {
				kills++
				switch victim {
				case "enqueue":
					if process, ok := current.Load("enqueue"); ok {
						_ = process.(*os.Process).Kill()
					}
				case "worker":
					worker.kill()
					worker.start()
				case "stats":
					stats.kill()
					stats.start()
				case "store":
					killStore(t, env)
				}
				more("after the kill of " + victim)
				watches(t, stats, victim)
			}
			close(stop)
			group.Wait()
			missing := func() (ids []string) {
				seen := runs(t, ledger)
				for _, id := range acks.ids {
					if seen[id] == 0 {
						ids = append(ids, id)
					}
				}
				return ids
			}
			redistest.WaitFor(t, 60*time.Second, "all jobs", func() bool { return len(missing()) == 0 })
			for id, n := range runs(t, ledger) {
				if n > 1+kills {
					t.Errorf("%s ran %d times, with %d kills", id, n, kills)
				}
			}
			t.Logf("%s: %d jobs acknowledged, %d ran, 0 lost", fsync, acks.count(), len(runs(t, ledger)))
			worker.kill()
			stats.kill()
		})
	}
}

// runs counts how often each job ran.
func runs(t *testing.T, ledger string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(ledger)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, id := range strings.Fields(string(text)) {
		counts[id]++
	}
	return counts
}

func killStore(t *testing.T, env []string) {
	t.Helper()
	status := statusOf(t, env)
	if status.PID == 0 {
		t.Fatal("the store does not run")
	}
	process, err := os.FindProcess(status.PID)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// watches waits for the next numbers.
func watches(t *testing.T, stats *terminal, victim string) {
	t.Helper()
	for len(stats.read) > 0 {
		<-stats.read
	}
	select {
	case _, going := <-stats.read:
		if !going {
			t.Fatalf("stats ended after the kill of %s: %s", victim, stats.err)
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("stats shows nothing after the kill of %s", victim)
	}
}
