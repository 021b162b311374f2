package cmd_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/qctl/qctl/cmd"
	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
)

// exampleLimit is how long an example may take before it is said to hang.
const exampleLimit = time.Minute

// Every example of every command's help does what it says when it is typed: in
// a world with jobs in every state, in a shell, with the words of the help. What
// an example needs besides is in exampleSetups; one that does not work in this
// world, such as a new one, fails here.
func TestEveryExampleRuns(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash, which most people type the examples into")
	}
	examples := everyExample(cmd.NewRootForDocs())
	if len(examples) < 100 {
		t.Fatalf("only %d examples: are all commands walked?", len(examples))
	}
	for line := range exampleSetups {
		if !slices.Contains(examples, line) {
			t.Errorf("%q is no example any more", line)
		}
	}
	for _, line := range examples {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			setup := exampleSetups[line]
			setup.skip(t, line)
			w := newExampleWorld(t, shell, setup.redis)
			if setup.after != "" {
				t.Cleanup(func() { w.run(t, setup.after, 0) })
			}
			if setup.before != "" {
				w.run(t, setup.before, 0)
			}
			text := strings.NewReplacer(setup.instead...).Replace(line)
			if text == line && setup.instead != nil {
				t.Errorf("nothing of it is replaced")
			}
			if setup.shows != "" {
				w.onTerminal(t, text, setup.shows, setup.keys)
				return
			}
			out := w.run(t, text, setup.code)
			if out == "" && !setup.silent {
				t.Error("it prints nothing")
			}
		})
	}
}

// everyExample lists the examples of a tree of commands, each once. Hidden
// commands are no user's.
func everyExample(c *cobra.Command) (lines []string) {
	if c.Hidden {
		return nil
	}
	for line := range strings.Lines(c.Example) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	for _, child := range c.Commands() {
		lines = append(lines, everyExample(child)...)
	}
	return slices.Compact(slices.Sorted(slices.Values(lines)))
}

// skip skips an example for which this machine lacks a program.
func (s exampleSetup) skip(t *testing.T, line string) {
	t.Helper()
	for _, program := range []string{"jq", "node"} {
		if !strings.Contains(line, "| "+program+" ") && !strings.Contains(line, "-- "+program+" ") && !strings.HasPrefix(line, program+" ") {
			continue
		}
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("no " + program + " on this machine")
		}
	}
	if s.shows != "" && runtime.GOOS != "linux" {
		t.Skip("terminals are opened on Linux only")
	}
}

// exampleWorld is a folder and a Redis for one example.
type exampleWorld struct {
	shell, dir string
	env        []string
}

func newExampleWorld(t *testing.T, shell string, onRedis bool) *exampleWorld {
	t.Helper()
	var url string
	if onRedis {
		url = "redis://" + realRedis.Addr(t) + "/" + strconv.FormatInt(databases.Add(1), 10)
		connectWorker(t, url)
	} else {
		url = "redis://" + miniredis.RunT(t).Addr() + "/0"
	}
	w := &exampleWorld{shell: shell, dir: t.TempDir()}
	w.env = append(os.Environ(), "HOME="+w.dir, "TMPDIR="+w.dir, "REDIS_URL="+url, "QCTL_EMBEDDED_DIR="+filepath.Join(w.dir, "store"),
		"TZ=UTC", "GORACE=atexit_sleep_ms=10", "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=")
	for name, text := range exampleFiles {
		path := filepath.Join(w.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o700)); err != nil { //nolint:gosec // programs among them
			t.Fatal(err)
		}
	}
	seedExamples(t, url)
	return w
}

// connectWorker is a connection that a worker of email holds.
func connectWorker(t *testing.T, url string) {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.Protocol, options.DisableIdentity = 2, true
	options.ClientName = "bull:" + base64.StdEncoding.EncodeToString([]byte("email-queue"))
	rdb := redis.NewClient(options)
	t.Cleanup(func() { _ = rdb.Close() })
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

// command is a text typed into a shell that fails when any part of it fails.
func (w *exampleWorld) command(ctx context.Context, text string) *exec.Cmd {
	c := exec.CommandContext(ctx, w.shell, "-o", "pipefail", "-c", text)
	c.Dir, c.Env, c.WaitDelay = w.dir, w.env, 5*time.Second
	return c
}

// run types a text, and returns what was printed for programs.
func (w *exampleWorld) run(t *testing.T, text string, code int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), exampleLimit) // after the test, too
	defer cancel()
	c := w.command(ctx, text)
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	err := c.Run()
	switch {
	case ctx.Err() != nil:
		t.Fatalf("%s: it goes on for longer than %s", text, exampleLimit)
	case c.ProcessState == nil:
		t.Fatalf("%s: %v", text, err)
	case c.ProcessState.ExitCode() != code:
		t.Fatalf("%s: exit code %d, want %d\n%s%s", text, c.ProcessState.ExitCode(), code, &out, &errOut)
	}
	return out.String()
}

// seedExamples makes the jobs that the examples speak of, and some more, so
// that there is something of every state; half of it long ago, the rest now.
func seedExamples(t *testing.T, url string) {
	t.Helper()
	world, err := newScriptWorld(url)
	if err != nil {
		t.Fatal(err)
	}
	defer world.close()
	ctx, cancel := scriptContext()
	defer cancel()
	for _, s := range exampleJobs {
		q := world.client.Queue(queue.KeyBase{Prefix: examplePrefix(s.queue), Name: s.queue})
		world.now = seedStart
		if s.now {
			world.now = time.Now().Add(-30 * time.Second)
		}
		if s.id > 0 { // the next id
			err = world.rdb.Set(ctx, q.KeyBase().String()+":id", strconv.Itoa(s.id-1), 0).Err()
		}
		if err := errors.Join(err, world.seed(ctx, q, s.state, s.name)); err != nil {
			t.Fatal(err)
		}
		if s.id > 0 {
			key := fmt.Sprintf("%s:%d:logs", q.KeyBase(), s.id)
			if err := world.rdb.RPush(ctx, key, "connecting", "connected").Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	seedSchedules(ctx, t, world)
	// Ids that nobody gets by counting.
	for base, id := range map[string]string{"bull:other-queue": "report:7", "bull:email-queue": "\xff\x00\x01"} {
		pipe := world.rdb.Pipeline()
		pipe.HSetNX(ctx, base+":meta", "opts.maxLenEvents", "10000")
		pipe.HSet(ctx, base+":"+id, "name", "report", "data", `{"n":7}`, "opts", "{}", "timestamp", seedStart.UnixMilli())
		pipe.LPush(ctx, base+":wait", id)
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// seedSchedules makes the schedules that the examples speak of.
func seedSchedules(ctx context.Context, t *testing.T, world *scriptWorld) {
	t.Helper()
	world.now = time.Now().Add(-90 * time.Minute)
	for _, s := range exampleSchedules {
		q := world.client.Queue(queue.KeyBase{Prefix: examplePrefix(s.queue), Name: s.queue})
		made, err := q.UpsertScheduler(ctx, s.spec, cron.NextRun)
		if err == nil && s.paused {
			err = q.PauseScheduler(ctx, s.spec.ID)
		}
		if base := q.KeyBase().String(); err == nil && s.stopped {
			pipe := world.rdb.Pipeline()
			pipe.LRem(ctx, base+":wait", 0, made.JobID)
			pipe.Del(ctx, base+":"+made.JobID)
			_, err = pipe.Exec(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range exampleLegacy {
		if err := world.rdb.Do(ctx, command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
