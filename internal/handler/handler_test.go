package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/qctl/qctl/internal/handler"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// workerScript makes the test binary a worker process that runs the script of
// this variable as one job, for tests that kill workers.
const workerScript = "HANDLER_TEST_WORKER_SCRIPT"

func TestMain(m *testing.M) {
	if code, handled := handler.RunLifeline(os.Args[1:]); handled {
		os.Exit(code)
	}
	if script := os.Getenv(workerScript); script != "" {
		os.Exit(runWorkerProcess(script))
	}
	goleak.VerifyTestMain(m)
}

func runWorkerProcess(script string) int {
	p, err := handler.NewProgram(handler.ProgramConfig{Args: []string{"sh", "-c", script}, InheritEnv: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	value, err := p.Handle(context.Background(), worker.Job{}, &recorder{})
	fmt.Printf("%s %v\n", value, err)
	return 0
}

// recorder is a Reporter that remembers.
type recorder struct {
	mu       sync.Mutex
	logs     []string
	progress []string
	calls    int
}

func (r *recorder) Progress(_ context.Context, progress json.RawMessage) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = append(r.progress, string(progress))
	return nil
}

func (r *recorder) Log(_ context.Context, lines ...string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	r.logs = append(r.logs, lines...)
	return nil
}

func newProgram(t testing.TB, cfg handler.ProgramConfig) *handler.Program {
	t.Helper()
	p, err := handler.NewProgram(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// shell is a program that happens to be a shell with a script.
func shell(t testing.TB, script string) *handler.Program {
	t.Helper()
	return newProgram(t, handler.ProgramConfig{Args: []string{"sh", "-c", script}, InheritEnv: true})
}

func testJob(data string) worker.Job {
	return worker.Job{
		Job:     queue.Job{ID: "42", Name: "send", Data: json.RawMessage(data)},
		Queue:   "bull:email-queue",
		Attempt: 1, MaxAttempts: 3, Fence: 7,
	}
}

// eventually waits until ok holds, for at most the given time.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within %s: %s", limit, what)
		case <-tick.C:
		}
	}
}

// readFile returns what a program has left in a file, or "" before it did.
func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}
