//go:build !windows

package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience bounds the wait for what must happen soon, on a busy machine.
const patience = 30 * time.Second

// workerProcess is a qctl worker on a queue of its own, whose jobs end when the
// file pass is there.
type workerProcess struct {
	t   *testing.T
	dir string
	rdb *redis.Client
	cmd *exec.Cmd

	mu  sync.Mutex
	log bytes.Buffer
}

// Write takes what the process writes to standard error.
func (w *workerProcess) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *workerProcess) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

const holdingHandler = `#!/bin/sh
while [ ! -e pass ]; do sleep 0.05; done
echo "\"$GREETING\""
`

// startWorkerProcess adds jobs and starts a worker under a configuration.
func startWorkerProcess(t *testing.T, jobs int, queues string, args ...string) *workerProcess {
	t.Helper()
	w, url := newProcess(t, queues)
	for range jobs {
		add := exec.Command("qctl", "enqueue", "dev", "a=1")
		add.Dir, add.Env = w.dir, w.env(url)
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("enqueue: %v\n%s", err, out)
		}
	}
	w.run(url, append([]string{"worker", "--queue", "dev"}, args...)...)
	return w
}

// newProcess prepares a process with a configuration and a Redis of its own.
func newProcess(t *testing.T, settings string) (w *workerProcess, url string) {
	t.Helper()
	url = fmt.Sprintf("redis://%s/%d", realRedis.Addr(t), databases.Add(1))
	rdb, err := redisAt(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	w = &workerProcess{t: t, dir: t.TempDir(), rdb: rdb}
	w.write("hold.sh", holdingHandler, 0o700)
	w.configure(settings)
	return w, url
}

// run starts the process.
func (w *workerProcess) run(url string, args ...string) {
	w.t.Helper()
	w.cmd = exec.Command("qctl", args...)
	w.cmd.Dir, w.cmd.Env, w.cmd.Stderr = w.dir, w.env(url), w
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = w.cmd.Process.Kill(); _ = w.cmd.Wait() })
}

func (w *workerProcess) env(url string) []string {
	return append(os.Environ(), "REDIS_URL="+url, "HOME="+w.dir, "GREETING=hello")
}

func (w *workerProcess) write(name, text string, mode os.FileMode) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
}

// configure replaces the configuration in one step, as editors do.
func (w *workerProcess) configure(queues string) {
	w.t.Helper()
	w.write("qctl.yaml.new", "version: 1\n"+queues, 0o600)
	if err := os.Rename(filepath.Join(w.dir, "qctl.yaml.new"), filepath.Join(w.dir, "qctl.yaml")); err != nil {
		w.t.Fatal(err)
	}
}

// hangUp sends the signal and waits for the log to say something anew.
func (w *workerProcess) hangUp(want string) {
	w.t.Helper()
	before := strings.Count(w.logged(), want)
	if err := w.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the log to say "+want, func() bool { return strings.Count(w.logged(), want) > before })
}

func (w *workerProcess) eventually(what string, ok func() bool) {
	w.t.Helper()
	late := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			w.t.Fatalf("waited in vain for %s; log:\n%s", what, w.logged())
		}
	}
}

// running returns how many jobs are active.
func (w *workerProcess) running() int64 {
	w.t.Helper()
	n, err := w.rdb.LLen(w.t.Context(), "queue:dev:active").Result()
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// end lets the jobs end and stops the worker.
func (w *workerProcess) end(completed int64) {
	w.t.Helper()
	w.write("pass", "", 0o600)
	w.eventually("the jobs to complete", func() bool {
		n, err := w.rdb.ZCard(w.t.Context(), "queue:dev:completed").Result()
		return err == nil && n == completed
	})
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.cmd.Process.Wait(); err != nil {
		w.t.Fatal(err)
	}
	if log := w.logged(); strings.Contains(log, "DATA RACE") {
		w.t.Error(log)
	}
}

func TestWorkerReloads(t *testing.T) {
	t.Parallel()
	const one = "queues: {dev: {concurrency: 1, timeout: 1h, handler: {program: [./hold.sh], env: [GREETING]}}}\n"
	w := startWorkerProcess(t, 6, one)
	w.eventually("a job to run", func() bool { return w.running() == 1 })

	w.configure(strings.ReplaceAll(one, "concurrency: 1", "concurrency: 4"))
	w.hangUp(`msg="configuration reloaded" queue=queue:dev changed="concurrency 1 → 4"`)
	w.eventually("four jobs to run at once", func() bool { return w.running() == 4 })

	// What is wrong is said, every error in a line, and the old settings hold.
	w.configure("queues: {dev: {concurrency: 0, timeuot: 1m}}\n")
	w.hangUp("unknown key, did you mean timeout?")
	if log := w.logged(); strings.Count(log, `msg="configuration not reloaded, the old one holds"`) != 2 ||
		!strings.Contains(log, "qctl.yaml:2:29: queues.dev.concurrency: want an integer from 1 to 10000, got 0") {
		t.Errorf("log:\n%s", log)
	}
	if n := w.running(); n != 4 {
		t.Errorf("%d jobs run, want 4", n)
	}

	// A program that is not there is refused before anything is changed.
	w.configure("queues: {dev: {concurrency: 2, handler: {program: [./nothing.sh]}}}\n")
	w.hangUp("nothing.sh")

	// What only a restart changes is named and left alone.
	w.configure("redis: {url: \"redis://:canary@127.0.0.1:1\"}\nreadOnly: true\nqueues: {dev: {concurrency: 4, timeout: 0, lockDuration: 1m, " +
		"keep: {completed: {count: 9}}, handler: {program: [./hold.sh], env: [OTHER]}}}\n")
	w.hangUp(`restart="readOnly, lockDuration 30s → 1m0s"`)
	log := w.logged()
	if !strings.Contains(log, `changed="timeout 1h0m0s → none, keep.completed`) || !strings.Contains(log, `handler.env GREETING → OTHER"`) {
		t.Errorf("log:\n%s", log)
	}
	w.configure("queues: {dev: {name: other, handler: {program: [./hold.sh]}}}\n")
	w.hangUp(`restart="key base queue:dev → queue:other"`)
	if strings.Contains(w.logged(), "canary") {
		t.Error("the log repeats a password")
	}
	w.end(6)
	// The jobs that ran under the old handler kept its variables, and those
	// after it have no GREETING.
	values := map[string]int{}
	for id := 1; id <= 6; id++ {
		value, err := w.rdb.HGet(t.Context(), fmt.Sprintf("queue:dev:%d", id), "returnvalue").Result()
		if err != nil {
			t.Fatal(err)
		}
		values[value]++
	}
	if values[`"hello"`] != 4 || values[`""`] != 2 {
		t.Errorf("return values %v", values)
	}
}

// TestFlagsWinOverReload starts with a flag, which the file does not change.
func TestFlagsWinOverReload(t *testing.T) {
	t.Parallel()
	const file = "queues: {dev: {concurrency: 3, limiter: {max: 100, duration: 1s}}}\n"
	w := startWorkerProcess(t, 3, file, "--concurrency", "2", "--", "./hold.sh")
	w.eventually("two jobs to run", func() bool { return w.running() == 2 })
	w.configure("queues: {dev: {concurrency: 9, limiter: null}}\n")
	w.hangUp(`changed="limiter 100/1s → none"`)
	w.hangUp("changed=nothing")
	if n := w.running(); n != 2 {
		t.Errorf("%d jobs run, want 2", n)
	}
	w.end(3)
}
