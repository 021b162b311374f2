package e2e

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/redistest"
)

// The storm: workers that are killed again and again while they work.
const (
	stormJobs        = 800
	stormWorkers     = 3
	stormConcurrency = 5
	stormKills       = 30
)

// TestKillStorm holds three promises: no job is lost, a kill costs at most as
// many extra runs as the worker ran jobs, and a program does not outlive its
// worker: it writes nothing after its job was started again elsewhere.
func TestKillStorm(t *testing.T) {
	t.Parallel()
	rdb := shared.Client(t)
	env := []string{"REDIS_URL=redis://" + shared.Addr(t), "LEDGER=" + filepath.Join(t.TempDir(), "ledger")}
	ledger := strings.TrimPrefix(env[1], "LEDGER=")
	// One short line per write: appends of that size are atomic.
	program := writeProgram(t, `echo "start $QCTL_JOB_ID $QCTL_FENCE" >> "$LEDGER"
sleep 0.3
echo "end $QCTL_JOB_ID $QCTL_FENCE" >> "$LEDGER"
`)
	lines := strings.Repeat("{}\n", stormJobs)
	bulk := command(env, "enqueue", "storm", "--create", "--bulk", "-")
	bulk.Stdin = strings.NewReader(lines)
	if out, err := bulk.CombinedOutput(); err != nil {
		t.Fatalf("enqueue: %v\n%s", err, out)
	}

	start := func() func() {
		// Many kills can hit one job more often than the default allows.
		cmd := command(env, "worker", "--queue", "storm", "--concurrency", fmt.Sprint(stormConcurrency),
			"--lock", "2s", "--stalled-interval", "1s", "--max-stalled", "100", "--log-level", "error", "--", program)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	kill := make([]func(), stormWorkers)
	for i := range kill {
		kill[i] = start()
	}
	completed := func() int64 { return rdb.ZCard(t.Context(), "bull:storm:completed").Val() }
	kills := 0
	for tick := time.NewTicker(250 * time.Millisecond); kills < stormKills; <-tick.C {
		if completed() == stormJobs {
			t.Fatalf("all jobs were done after %d kills: the storm needs more jobs", kills)
		}
		victim := rand.IntN(stormWorkers)
		kill[victim]()
		kill[victim] = start()
		kills++
	}
	redistest.WaitFor(t, 2*time.Minute, "all jobs to be completed", func() bool { return completed() == stormJobs })
	for i := range kill {
		kill[i]()
	}
	checkLedger(t, ledger, kills)
}

// checkLedger reads what the programs wrote, in the order in which they did.
func checkLedger(t *testing.T, path string, kills int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	starts, current, ended := 0, map[string]string{}, map[string]bool{}
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		var what, id, fence string
		if _, err := fmt.Sscan(scanner.Text(), &what, &id, &fence); err != nil {
			t.Fatalf("ledger line %q: %v", scanner.Text(), err)
		}
		switch what {
		case "start":
			starts++
			current[id] = fence
		case "end":
			if current[id] != fence {
				t.Errorf("job %s: run %s wrote after run %s had begun", id, fence, current[id])
			}
			ended[id] = true
		}
	}
	if len(ended) != stormJobs {
		t.Errorf("%d of %d jobs ended", len(ended), stormJobs)
	}
	extra := starts - stormJobs
	if extra > kills*stormConcurrency {
		t.Errorf("%d extra runs after %d kills of %d jobs each", extra, kills, stormConcurrency)
	}
	t.Logf("%d jobs, %d kills, %d extra runs of at most %d", stormJobs, kills, extra, kills*stormConcurrency)
}
