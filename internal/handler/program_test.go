//go:build unix

package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/handler"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/worker"
)

// got is all that a run of a job leaves behind.
type got struct {
	Value    string
	Failure  *worker.Failure
	Err      string // of any other error
	Logs     []string
	Progress []string
}

func handle(t testing.TB, p *handler.Program, job worker.Job) got {
	t.Helper()
	rec := &recorder{}
	value, err := p.Handle(t.Context(), job, rec)
	return result(value, err, rec)
}

func result(value json.RawMessage, err error, rec *recorder) got {
	g := got{Value: string(value), Logs: rec.logs, Progress: rec.progress}
	if err != nil && !errors.As(err, &g.Failure) {
		g.Err = err.Error()
	}
	return g
}

func TestProgramContract(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		script string
		data   string
		want   got
	}{
		{
			name: "JSON on stdout is kept as it is", data: `{"n": 9007199254740993}`, script: "cat",
			want: got{Value: `{"n": 9007199254740993}`},
		},
		{name: "without its newline", script: `echo '{ "a" : [1e2, "<é>"] }'`, want: got{Value: `{ "a" : [1e2, "<é>"] }`}},
		{name: "other text becomes a string", script: `printf ' sent to <a@b>\nok\n\n'`, want: got{Value: `" sent to <a@b>\nok"`}},
		{name: "two JSON values are text", script: `printf '1\n2\n'`, want: got{Value: `"1\n2"`}},
		{name: "bytes that are no text", script: `printf '"\377"'`, want: got{Value: `"\"\ufffd\""`}},
		{name: "nothing on stdout is null", script: `true`, want: got{}},
		{name: "white space is nothing", script: `printf ' \n\n'`, want: got{}},
		{
			name: "stdin need not be read", data: strings.Repeat(" ", 1<<20) + "1", script: `echo 1`,
			want: got{Value: "1"},
		},
		{
			name: "stderr becomes log lines", script: `printf 'one\r\n\ntwo \377\nthree' >&2`,
			want: got{Logs: []string{"one", "", "two \uFFFD", "three"}},
		},
		{
			name: "a failed attempt", script: `echo 'no route to host' >&2; exit 3`,
			want: got{
				Logs: []string{"no route to host"},
				Failure: &worker.Failure{
					Reason: "exit status 3: no route to host",
					Stack:  "exit status 3\nno route to host",
				},
			},
		},
		{name: "a silent failed attempt", script: `exit 1`, want: got{Failure: &worker.Failure{Reason: "exit status 1"}}},
		{name: "65 is for good", script: `exit 65`, want: got{Failure: &worker.Failure{Reason: "exit status 65", Unrecoverable: true}}},
		{name: "75 is not an attempt", script: `exit 75`, want: got{Failure: &worker.Failure{Reason: "exit status 75", TryAgain: true}}},
		{
			name: "75 with a delay", script: `echo '{"retryAfter":"1h30m"}' >&3; exit 75`,
			want: got{Failure: &worker.Failure{Reason: "exit status 75", TryAgain: true, RetryAfter: 90 * time.Minute}},
		},
		{
			name: "a delay without 75 means nothing", script: `echo '{"retryAfter":"1d"}' >&3; exit 1`,
			want: got{Failure: &worker.Failure{Reason: "exit status 1"}},
		},
		{name: "killed by a signal", script: `kill -KILL $$`, want: got{Failure: &worker.Failure{Reason: "killed by SIGKILL"}}},
		{
			name: "killed with last words", script: `echo oops >&2; kill -SEGV $$`,
			want: got{
				Logs:    []string{"oops"},
				Failure: &worker.Failure{Reason: "killed by SIGSEGV: oops", Stack: "killed by SIGSEGV\noops"},
			},
		},
		{name: "a signal to its own group is survived", script: `trap '' TERM; kill -TERM 0; echo 1`, want: got{Value: "1"}},
		{name: "the result on fd 3 wins", script: `echo chatter; echo '{"result": {"a":1} }' >&3`, want: got{Value: `{"a":1}`}},
		{name: "the last result counts", script: `printf '{"result":1}\n{"result":null}' >&3`, want: got{Value: "null"}},
		{name: "several keys in a line", script: `echo '{"progress":{"done":50},"log":"half","result":true}' >&3`, want: got{
			Value: "true", Logs: []string{"half"}, Progress: []string{`{"done":50}`},
		}},
		{name: "a log that is no string", script: `echo '{"log":[1]}' >&3`, want: got{Logs: []string{"[1]"}}},
		{
			name:   "what fd 3 cannot mean is logged",
			script: `printf '%s\n' 'garbage' 'null' '[1]' '{"percent":5}' '{"retryAfter":30}' '{"retryAfter":"-1s"}' '' '{"result":"ok"}' >&3`,
			want: got{Value: `"ok"`, Logs: []string{
				"not understood on fd 3: garbage",
				"not understood on fd 3: null",
				"not understood on fd 3: [1]",
				`not understood on fd 3: {"percent":5}`,
				`not understood on fd 3: {"retryAfter":30}`,
				`not understood on fd 3: {"retryAfter":"-1s"}`,
			}},
		},
		{
			name: "no shell reads the data", data: `$(touch /tmp/x); ` + "`id`\n\x00'\"", script: `od -An -c | tr -d ' \n'`,
			want: got{Value: `"$(touch/tmp/x);` + "`id`" + `\\n\\0'\""`},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, handle(t, shell(t, tc.script), testJob(tc.data))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestProgramIsGivenItsArgumentsUnread(t *testing.T) {
	t.Parallel()
	p := newProgram(t, handler.ProgramConfig{Args: []string{"printf", "%s|", "a b", "$HOME", "*", "'"}, InheritEnv: true})
	if diff := cmp.Diff(got{Value: `"a b|$HOME|*|'|"`}, handle(t, p, testJob("1"))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestProgramEnvironment(t *testing.T) {
	t.Parallel()
	job := worker.Job{
		Job:   queue.Job{ID: "../x; rm", Name: "two\nlines", Data: json.RawMessage(`{"LD_PRELOAD":"/x","PATH":"/x"}`)},
		Queue: "bull:email-queue", Alias: "email",
		Attempt: 2, MaxAttempts: 3, Fence: math.MaxInt64,
		Deadline: time.Date(2026, 11, 23, 7, 0, 0, 5e6, time.FixedZone("", 3600)),
	}
	operator := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/home/op", "DATABASE_URL=postgres:", "SMTP_URL=smtp:", "SMTP_HOST=mx",
		"QCTL_JOB_ID=fake", "QCTL_RECORD=fake", "QCTL_CONFIG=q.yaml", "REDIS_CLUSTER_MODE=true",
		"REDIS_URL=s", "REDIS_PASSWORD=s", "REDIS_PASSWORD_FILE=s", "REDIS_SENTINEL_PASSWORD=s", "REDISCLI_AUTH=s",
		"QCTL_JWT_SECRET=s", "QCTL_JWT_SECRET_FILE=s", "QCTL_ADMIN_TOKEN=s", "QCTL_HOOK_SECRET=s",
	}
	fromJob := []string{
		"QCTL_ALIAS=email", "QCTL_ATTEMPT=2", "QCTL_DEADLINE=2026-11-23T06:00:00.005Z",
		"QCTL_FENCE=9223372036854775807", "QCTL_JOB_ID=../x; rm", "QCTL_JOB_NAME=two\nlines",
		"QCTL_MAX_ATTEMPTS=3", "QCTL_QUEUE=bull:email-queue",
	}
	cases := []struct {
		name string
		cfg  handler.ProgramConfig
		want []string
	}{
		{
			name: "inherited, less the secrets", cfg: handler.ProgramConfig{InheritEnv: true, SecretEnv: []string{"SMTP_URL"}},
			want: []string{
				"DATABASE_URL=postgres:", "HOME=/home/op", "PATH=" + os.Getenv("PATH"),
				"QCTL_CONFIG=q.yaml", "REDIS_CLUSTER_MODE=true", "SMTP_HOST=mx",
			},
		},
		{
			name: "only what is listed", cfg: handler.ProgramConfig{Env: []string{"SMTP_HOST", "ABSENT", "REDIS_URL", "MODE=a=b", "EMPTY="}},
			want: []string{"EMPTY=", "MODE=a=b", "REDIS_URL=s", "SMTP_HOST=mx"},
		},
		{
			name: "listed wins over inherited",
			cfg: handler.ProgramConfig{
				InheritEnv: true, Env: []string{"HOME=/", "REDIS_URL"},
				Environ: []string{"HOME=/home/op", "REDIS_URL=s"},
			},
			want: []string{"HOME=/", "REDIS_URL=s"},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := tc.cfg
			cfg.Args = []string{"env", "-0"}
			if cfg.Environ == nil {
				cfg.Environ = operator
			}
			res := handle(t, newProgram(t, cfg), job)
			var text string
			if err := json.Unmarshal([]byte(res.Value), &text); err != nil {
				t.Fatalf("%v in %+v", err, res)
			}
			have := strings.Split(strings.TrimSuffix(text, "\x00"), "\x00")
			want := append(append([]string{}, tc.want...), fromJob...)
			sortStrings := cmp.Transformer("sorted", func(s []string) map[string]int {
				m := map[string]int{}
				for _, e := range s {
					m[e]++
				}
				return m
			})
			if diff := cmp.Diff(want, have, sortStrings); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestProgramWithoutDeadlineHasNoDeadlineVariable(t *testing.T) {
	t.Parallel()
	res := handle(t, shell(t, `echo "${QCTL_DEADLINE-unset} ${QCTL_ALIAS-unset}."`), testJob("1"))
	if diff := cmp.Diff(got{Value: `"unset ."`}, res); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestProgramRefusesNUL(t *testing.T) {
	t.Parallel()
	p := shell(t, "echo ran")
	id, name := testJob("1"), testJob("1")
	id.ID, name.Name = "a\x00b", "a\x00b"
	want := []got{
		{Failure: &worker.Failure{Reason: "job id holds a NUL byte, which QCTL_JOB_ID cannot carry", Unrecoverable: true}},
		{Failure: &worker.Failure{Reason: "job name holds a NUL byte, which QCTL_JOB_NAME cannot carry", Unrecoverable: true}},
	}
	if diff := cmp.Diff(want, []got{handle(t, p, id), handle(t, p, name)}); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestProgramWithHugeName(t *testing.T) {
	t.Parallel()
	job := testJob("1")
	job.Name = strings.Repeat("x", 1<<20)
	res := handle(t, shell(t, "echo ran"), job)
	if res.Failure == nil || !strings.HasSuffix(res.Failure.Reason, "argument list too long") {
		t.Errorf("got %+v", res)
	}
}

func TestNewProgramErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain.sh")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		cfg  handler.ProgramConfig
		want string
	}{
		{handler.ProgramConfig{}, "no program given"},
		{handler.ProgramConfig{Args: []string{""}}, "no program given"},
		{handler.ProgramConfig{Args: []string{"no-such-program-anywhere"}}, `program "no-such-program-anywhere": executable file not found in $PATH`},
		{handler.ProgramConfig{Args: []string{"/no/such"}}, `program "/no/such": stat /no/such: no such file or directory`},
		{handler.ProgramConfig{Args: []string{plain}}, fmt.Sprintf("program %q: permission denied", plain)},
		{handler.ProgramConfig{Args: []string{dir}}, fmt.Sprintf("program %q: is a directory", dir)},
		{handler.ProgramConfig{Args: []string{"sh", "a\x00"}}, `program "sh": argument "a\x00" holds a NUL byte`},
		{handler.ProgramConfig{Args: []string{"sh"}, Env: []string{"=x"}}, `program "sh": variable "=x" has no name`},
		{handler.ProgramConfig{Args: []string{"sh"}, Env: []string{"QCTL_JOB_ID=1"}}, `program "sh": variable QCTL_JOB_ID is set by the job`},
		{handler.ProgramConfig{Args: []string{"sh"}, Env: []string{"A=\x00"}}, `program "sh": variable A holds a NUL byte`},
		{handler.ProgramConfig{Args: []string{"sh"}, KillAfter: -1}, `program "sh": negative limit`},
	}
	for _, tc := range cases {
		_, err := handler.NewProgram(tc.cfg)
		if err == nil || err.Error() != tc.want {
			t.Errorf("got error %v, want %s", err, tc.want)
		}
	}
}

func TestProgramThatCannotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gone, noHeader := filepath.Join(dir, "gone"), filepath.Join(dir, "no-header")
	for _, path := range []string{gone, noHeader} {
		if err := os.WriteFile(path, []byte("echo 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p, q := newProgram(t, handler.ProgramConfig{Args: []string{gone}}), newProgram(t, handler.ProgramConfig{Args: []string{noHeader}})
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	want := []got{
		{Failure: &worker.Failure{Reason: "start " + gone + ": no such file or directory"}},
		{Failure: &worker.Failure{Reason: "start " + noHeader + ": exec format error (a script must begin with #! and its interpreter)"}},
	}
	if diff := cmp.Diff(want, []got{handle(t, p, testJob("1")), handle(t, q, testJob("1"))}); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestProgramLongTail(t *testing.T) {
	t.Parallel()
	res := handle(t, shell(t, `i=1000; while [ $i -lt 3000 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1`), testJob("1"))
	if n := len(res.Logs); n != 2000 {
		t.Errorf("%d log lines, want 2000", n)
	}
	reason, stack := res.Failure.Reason, res.Failure.Stack
	for _, s := range []string{strings.TrimPrefix(reason, "exit status 1: "), strings.TrimPrefix(stack, "exit status 1\n")} {
		if !strings.HasPrefix(s, "line 2") || !strings.HasSuffix(s, "\nline 2999") {
			t.Errorf("tail is %.30q … %.30q", s, s[len(s)-30:])
		}
	}
	if len(reason) > 2100 || len(reason) < 2000 || len(stack) > 8300 || len(stack) < 8000 {
		t.Errorf("reason has %d bytes, stack %d", len(reason), len(stack))
	}
}

func TestProgramOutputLimits(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		script string
		want   got
	}{
		{
			name: "stdout at the limit", script: `head -c 98 /dev/zero | tr '\0' 1; printf '\n\n'`,
			want: got{Value: strings.Repeat("1", 98)},
		},
		{
			name: "stdout over the limit", script: `head -c 101 /dev/zero | tr '\0' 1`,
			want: got{Failure: &worker.Failure{Reason: "return value on stdout is over 100 bytes"}},
		},
		{
			name: "stdout does not matter with a result", script: `head -c 101 /dev/zero; echo '{"result":5}' >&3`,
			want: got{Value: "5"},
		},
		{
			name: "result over the limit", script: `printf '{ "result": "%0200d"}\n' 1 >&3; echo fine`,
			want: got{Failure: &worker.Failure{Reason: "result on fd 3 is over 100 bytes"}},
		},
		{
			name: "another long line on fd 3", script: `printf '{"progress": "%0200d"}\n{"result":1}\n' 1 >&3`,
			want: got{Value: "1", Logs: []string{
				`not understood on fd 3: {"progress": "` + strings.Repeat("0", 97),
				"log cut here: over 10000 lines or 100 bytes",
			}[1:]},
		},
		{
			name: "logs over the limit", script: `for i in 1 2 3 4 5; do printf '%040d\n' $i; done >&2`,
			want: got{Logs: []string{
				fmt.Sprintf("%040d", 1), fmt.Sprintf("%040d", 2),
				"log cut here: over 10000 lines or 100 bytes",
			}},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t, handler.ProgramConfig{Args: []string{"sh", "-c", tc.script}, InheritEnv: true, MaxOutput: 100})
			if diff := cmp.Diff(tc.want, handle(t, p, testJob("1"))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestProgramCutsLongLogLines(t *testing.T) {
	t.Parallel()
	// The limit falls into the middle of a two-byte character.
	res := handle(t, shell(t, `printf x >&2; i=0; while [ $i -lt 3000 ]; do printf 'é' >&2; i=$((i+1)); done; echo >&2; echo next >&2`), testJob("1"))
	want := got{Logs: []string{"x" + strings.Repeat("é", 2047) + "…", "next"}}
	if diff := cmp.Diff(want, res); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Not parallel: it measures the memory of the whole process.
func TestProgramMemoryStaysFlat(t *testing.T) {
	for name, script := range map[string]string{
		"stdout":      `yes | head -c 1000000000`,
		"long line":   `head -c 100000000 /dev/zero >&2`,
		"empty lines": `yes '' | head -c 100000000 >&2`,
		"fd 3":        `yes '{"progress":1}' | head -c 10000000 >&3`,
	} {
		p := shell(t, script)
		done := make(chan struct{})
		var err error
		before := heap()
		go func() {
			defer close(done)
			_, err = p.Handle(t.Context(), testJob("1"), deafReporter{})
		}()
		peak := before
		tick := time.NewTicker(20 * time.Millisecond)
		for running := true; running; {
			select {
			case <-done:
				running = false
			case <-tick.C:
				peak = max(peak, heap())
			}
		}
		tick.Stop()
		if name == "stdout" && (err == nil || err.Error() != "return value on stdout is over 1 MiB") {
			t.Errorf("%s: error %v", name, err)
		}
		if name != "stdout" && err != nil {
			t.Errorf("%s: error %v", name, err)
		}
		if grown := int64(peak) - int64(before); grown > 24<<20 {
			t.Errorf("%s: heap has grown by %d MiB", name, grown>>20)
		}
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// slowReporter blocks in Log until it is let go.
type slowReporter struct {
	recorder
	entered chan struct{}
	release chan struct{}
	once    sync.Once
}

func (r *slowReporter) Log(ctx context.Context, lines ...string) error {
	r.once.Do(func() { close(r.entered) })
	select {
	case <-r.release:
	case <-ctx.Done():
		return ctx.Err()
	}
	// About as long as a round trip to Redis.
	<-time.After(2 * time.Millisecond)
	return r.recorder.Log(ctx, lines...)
}

// deafReporter forgets at once, for tests that look at memory.
type deafReporter struct{}

func (deafReporter) Progress(context.Context, json.RawMessage) error { return nil }
func (deafReporter) Log(context.Context, ...string) error            { return nil }

// A slow Redis must not stop the program, nor cost a call per line.
func TestProgramLogsInBatches(t *testing.T) {
	t.Parallel()
	mark := filepath.Join(t.TempDir(), "mark")
	p := shell(t, `echo first >&2; cat >/dev/null; seq 2000 >&2; echo ok > `+mark)
	rep := &slowReporter{entered: make(chan struct{}), release: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := p.Handle(t.Context(), testJob("1"), rep)
		done <- err
	}()
	<-rep.entered
	eventually(t, 10*time.Second, "program ends while the reporter hangs", func() bool { return readFile(t, mark) == "ok" })
	close(rep.release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(rep.logs) != 2001 || rep.logs[2000] != "2000" {
		t.Errorf("%d lines", len(rep.logs))
	}
	if rep.calls > 100 {
		t.Errorf("%d calls for %d lines", rep.calls, len(rep.logs))
	}
}

func TestProgramLeaksNoDescriptors(t *testing.T) {
	p := shell(t, `cat; echo log >&2; echo '{"progress":1}' >&3`)
	count := func() int {
		entries, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	handle(t, p, testJob("1"))
	before, routines := count(), runtime.NumGoroutine()
	for range 200 {
		if res := handle(t, p, testJob("1")); res.Value != "1" {
			t.Fatalf("got %+v", res)
		}
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	eventually(t, 5*time.Second, "goroutines end", func() bool { return runtime.NumGoroutine() <= routines })
}

func BenchmarkProgram(b *testing.B) {
	p := newProgram(b, handler.ProgramConfig{Args: []string{"true"}, InheritEnv: true})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Handle(b.Context(), testJob("1"), &recorder{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLifeline is what every job would cost on top if lifelines were not kept.
func BenchmarkLifeline(b *testing.B) {
	for b.Loop() {
		p, err := handler.NewProgram(handler.ProgramConfig{Args: []string{"true"}, InheritEnv: true})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Handle(b.Context(), testJob("1"), &recorder{}); err != nil {
			b.Fatal(err)
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
