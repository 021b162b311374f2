//go:build unix

package handler_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/qctl/qctl/internal/handler"
	"github.com/qctl/qctl/internal/worker"
)

// running is a job whose script has written "pid pgid" of its processes, one
// per line, to a file of its directory.
type running struct {
	dir    string
	done   chan got
	cancel context.CancelCauseFunc
}

// note is a shell function that notes the calling process.
const note = `note() { echo "$(exec sh -c 'echo $PPID') $(ps -o pgid= -p $$)" >> pids; }; `

// start runs a script as a job in a directory of its own and waits until it
// has noted the given number of processes.
func start(t *testing.T, script string, cfg handler.ProgramConfig, notes int) *running {
	t.Helper()
	dir := t.TempDir()
	cfg.Args = []string{"sh", "-c", "cd " + dir + "; " + note + script}
	cfg.InheritEnv = true
	p := newProgram(t, cfg)
	ctx, cancel := context.WithCancelCause(t.Context())
	r := &running{dir: dir, done: make(chan got, 1), cancel: cancel}
	go func() {
		rec := &recorder{}
		value, err := p.Handle(ctx, testJob("1"), rec)
		r.done <- result(value, err, rec)
	}()
	t.Cleanup(func() { cancel(errors.New("test is over")) })
	waitForNotes(t, dir, notes)
	return r
}

func waitForNotes(t *testing.T, dir string, n int) {
	t.Helper()
	eventually(t, 20*time.Second, "processes are noted", func() bool { return len(noted(t, dir)) >= n })
}

// noted returns the groups of the processes in the file, by process id.
func noted(t *testing.T, dir string) map[int]int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "pids"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	pids := make(map[int]int)
	for line := range strings.Lines(string(b)) {
		var pid, pgid int
		if n, _ := fmt.Sscan(line, &pid, &pgid); n == 2 && strings.HasSuffix(line, "\n") {
			pids[pid] = pgid
		}
	}
	return pids
}

// alive reports whether a process runs; one that nobody has collected yet
// does not.
func alive(t *testing.T, pid int) bool {
	t.Helper()
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

// groupMembers returns the processes of a group that run, lifeline included.
func groupMembers(t *testing.T, pgid int) []string {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pgid=,pid=,stat=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if f[0] == strconv.Itoa(pgid) && !strings.HasPrefix(f[2], "Z") {
			members = append(members, strings.TrimSpace(line))
		}
	}
	return members
}

func (r *running) expectEnd(t *testing.T, want got, limit time.Duration) {
	t.Helper()
	select {
	case have := <-r.done:
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	case <-time.After(limit):
		t.Fatalf("job has not ended within %s", limit)
	}
	r.expectDead(t)
}

// expectDead checks that none of the noted processes runs, and that no other
// of their group does, except for a lifeline that waits for the next job.
func (r *running) expectDead(t *testing.T) {
	t.Helper()
	for pid, pgid := range noted(t, r.dir) {
		eventually(t, time.Second, fmt.Sprintf("process %d ends", pid), func() bool { return !alive(t, pid) })
		eventually(t, time.Second, fmt.Sprintf("group %d ends", pgid), func() bool {
			for _, m := range groupMembers(t, pgid) {
				if !strings.HasSuffix(m, " __lifeline") {
					return false
				}
			}
			return true
		})
	}
}

func TestTimeoutAsksFirst(t *testing.T) {
	t.Parallel()
	r := start(t, `trap 'echo bye >&2; exit 0' TERM; note; sleep 60 & wait`, handler.ProgramConfig{}, 1)
	r.cancel(&worker.TimeoutError{After: 10 * time.Minute})
	r.expectEnd(t, got{
		Logs:    []string{"bye"},
		Failure: &worker.Failure{Reason: "timed out after 10m", Stack: "bye"},
	}, 5*time.Second)
}

func TestTimeoutKillsWhatIgnoresTerm(t *testing.T) {
	t.Parallel()
	r := start(t, `trap '' TERM; (note; while :; do sleep 1; done) & note; wait`,
		handler.ProgramConfig{KillAfter: 300 * time.Millisecond}, 2)
	began := time.Now()
	r.cancel(&worker.TimeoutError{After: time.Second})
	r.expectEnd(t, got{Failure: &worker.Failure{Reason: "timed out after 1s"}}, 10*time.Second)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("killed after %s", took)
	}
}

func TestStopAsksFirstAndIsNoFailure(t *testing.T) {
	t.Parallel()
	r := start(t, `trap 'echo saved >&2; exit 0' TERM; note; sleep 60 & wait`, handler.ProgramConfig{}, 1)
	r.cancel(worker.ErrStopped)
	r.expectEnd(t, got{Logs: []string{"saved"}, Err: worker.ErrStopped.Error()}, 5*time.Second)
}

func TestLostLockKillsAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, `trap 'touch late' TERM; (trap '' TERM; note; sleep 60) & note; wait; touch late; sleep 60`,
		handler.ProgramConfig{}, 2)
	r.cancel(worker.ErrLockLost)
	r.expectEnd(t, got{Err: worker.ErrLockLost.Error()}, 5*time.Second)
	if _, err := os.Stat(filepath.Join(r.dir, "late")); !os.IsNotExist(err) {
		t.Errorf("the program was asked: %v", err)
	}
}

func TestEndedContextStartsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(worker.ErrLockLost)
	mark := filepath.Join(t.TempDir(), "mark")
	if _, err := shell(t, "touch "+mark).Handle(ctx, testJob("1"), &recorder{}); !errors.Is(err, worker.ErrLockLost) {
		t.Errorf("got error %v", err)
	}
	if _, err := os.Stat(mark); !os.IsNotExist(err) {
		t.Errorf("the program ran: %v", err)
	}
}

// A grandchild that keeps stdout open must neither hold up the job nor live.
func TestGrandchildrenEndWithTheProgram(t *testing.T) {
	t.Parallel()
	r := start(t, `(trap '' HUP TERM; note; sleep 60) & while [ ! -s pids ]; do sleep 0.01; done; echo 1`, handler.ProgramConfig{}, 1)
	r.expectEnd(t, got{Value: "1"}, 5*time.Second)
}

// One that has left the group is out of reach, but still holds up nothing.
func TestDaemonHoldsUpNothing(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("needs setsid")
	}
	r := start(t, `setsid sh -c 'echo $$ 0 >> pids; exec sleep 15' & while [ ! -s pids ]; do sleep 0.01; done; echo 1`, handler.ProgramConfig{}, 1)
	select {
	case have := <-r.done:
		if diff := cmp.Diff(got{Value: "1"}, have); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	case <-time.After(10 * time.Second):
		t.Error("the job waits for the daemon")
	}
	for pid := range noted(t, r.dir) {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// A program that has left its group by itself is still stopped.
func TestProgramInItsOwnSessionIsKilled(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("needs setsid")
	}
	r := start(t, `exec setsid sh -c 'trap "" TERM; echo $$ $$ >> pids; while :; do sleep 0.1; done'`,
		handler.ProgramConfig{KillAfter: 100 * time.Millisecond}, 1)
	r.cancel(&worker.TimeoutError{After: time.Second})
	r.expectEnd(t, got{Failure: &worker.Failure{Reason: "timed out after 1s"}}, 5*time.Second)
}

func TestProgramInItsOwnSessionIsAskedFirst(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("needs setsid")
	}
	r := start(t, `exec setsid sh -c 'trap "echo bye >&2; exit" TERM; echo $$ $$ >> pids; while :; do sleep 0.01; done'`,
		handler.ProgramConfig{}, 1)
	r.cancel(&worker.TimeoutError{After: time.Second})
	r.expectEnd(t, got{
		Logs:    []string{"bye"},
		Failure: &worker.Failure{Reason: "timed out after 1s", Stack: "bye"},
	}, 5*time.Second)
}

func TestForkLoopEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	r := start(t, `i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); done; note; wait`, handler.ProgramConfig{}, 1)
	r.cancel(&worker.TimeoutError{After: time.Second})
	r.expectEnd(t, got{Failure: &worker.Failure{Reason: "timed out after 1s"}}, 10*time.Second)
}

func TestKilledLifelineFailsTheAttempt(t *testing.T) {
	t.Parallel()
	r := start(t, `(note; sleep 60) & note; wait`, handler.ProgramConfig{}, 2)
	for _, pgid := range noted(t, r.dir) {
		if err := unix.Kill(pgid, unix.SIGKILL); err != nil { // the lifeline leads the group
			t.Fatal(err)
		}
		break
	}
	r.expectEnd(t, got{Failure: &worker.Failure{Reason: "killed by SIGKILL with its lifeline"}}, 5*time.Second)
}

// A program that kills or stops its group, lifeline included, spoils nothing
// for the next one.
func TestProgramAttacksItsGroup(t *testing.T) {
	t.Parallel()
	p := shell(t, `read line; eval "$line"`)
	for range 2 {
		res := handle(t, p, testJob("kill -9 0"))
		if res.Failure == nil || !strings.HasPrefix(res.Failure.Reason, "killed by SIGKILL") {
			t.Errorf("kill -9 0: %+v", res)
		}
		if diff := cmp.Diff(got{Value: "1"}, handle(t, p, testJob("echo 1"))); diff != "" {
			t.Errorf("after it (-want +got)\n%s", diff)
		}
	}
	// The lifeline is stopped, so that the group cannot be cleared by it.
	const stop = "g=$(ps -o pgid= -p $$); kill -STOP $g; until ps -o stat= -p $g | grep -q T; do sleep 0.01; done; sleep 60 & echo 2"
	if diff := cmp.Diff(got{Value: "2"}, handle(t, p, testJob(stop))); diff != "" {
		t.Errorf("stopped lifeline (-want +got)\n%s", diff)
	}
	// Killed between two jobs: the next one gets another.
	res := handle(t, p, testJob("ps -o pgid= -p $$"))
	pgid, err := strconv.Atoi(res.Value)
	if err != nil {
		t.Fatalf("%v in %+v", err, res)
	}
	if err := unix.Kill(pgid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "lifeline is dead", func() bool { return !alive(t, pgid) })
	if diff := cmp.Diff(got{Value: "3"}, handle(t, p, testJob("echo 3"))); diff != "" {
		t.Errorf("after a dead lifeline (-want +got)\n%s", diff)
	}
}

func TestLifelineIsKept(t *testing.T) {
	t.Parallel()
	p := shell(t, `ps -o pgid= -p $$`)
	first := handle(t, p, testJob("1"))
	for range 3 {
		if diff := cmp.Diff(first, handle(t, p, testJob("1"))); diff != "" {
			t.Errorf("group differs (-want +got)\n%s", diff)
		}
	}
	pgid, err := strconv.Atoi(first.Value)
	if err != nil || pgid == unix.Getpgrp() {
		t.Fatalf("group %s, own %d: %v", first.Value, unix.Getpgrp(), err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(t, pgid) {
		t.Error("lifeline outlives Close")
	}
}

func TestBinaryThatIsNoLifeline(t *testing.T) {
	t.Parallel()
	p := newProgram(t, handler.ProgramConfig{Args: []string{"true"}, InheritEnv: true, SelfPath: "/bin/true"})
	want := got{Failure: &worker.Failure{Reason: "start lifeline: it ended at once", TryAgain: true, RetryAfter: 5 * time.Second}}
	if diff := cmp.Diff(want, handle(t, p, testJob("1"))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// startWorker runs a script as the one job of a worker process.
func startWorker(t *testing.T, script string, notes int) (*exec.Cmd, *running) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workerScript+"=cd "+dir+"; "+note+script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, bufio.NewReader(out))
		_ = cmd.Wait()
	})
	waitForNotes(t, dir, notes)
	return cmd, &running{dir: dir}
}

// lateScript has a child and a grandchild that would each write a file.
const lateScript = `(trap '' TERM HUP; note; (trap '' TERM HUP; note; sleep 2; touch late-grandchild) & sleep 2; touch late-child; wait) & note; sleep 2; touch late; wait`

func TestKilledWorkerTakesItsProgramsAlong(t *testing.T) {
	t.Parallel()
	cmd, r := startWorker(t, lateScript, 3)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	for _, pgid := range noted(t, r.dir) {
		if pgid == cmd.Process.Pid {
			t.Fatal("the program is in the worker's group")
		}
		// The lifeline too, for there is no next job.
		eventually(t, time.Second, "group ends", func() bool { return len(groupMembers(t, pgid)) == 0 })
	}
	<-time.After(time.Until(killed.Add(2500 * time.Millisecond)))
	if late, err := filepath.Glob(filepath.Join(r.dir, "late*")); len(late) > 0 || err != nil {
		t.Errorf("written after the kill: %q, %v", late, err)
	}
}

// A stopped group, lifeline included, must not outlive its worker either.
func TestKilledWorkerTakesStoppedProgramsAlong(t *testing.T) {
	t.Parallel()
	cmd, r := startWorker(t, `trap '' HUP; note; (note; sleep 60) & sleep 60`, 2)
	var pgid int
	for _, pgid = range noted(t, r.dir) {
		break
	}
	if err := unix.Kill(-pgid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// The kernel wakes a group that loses its worker only if it stands still.
	eventually(t, 10*time.Second, "group stands still", func() bool {
		return !slices.ContainsFunc(groupMembers(t, pgid), func(member string) bool {
			return !strings.HasPrefix(strings.Fields(member)[2], "T")
		})
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Second, "group ends", func() bool { return len(groupMembers(t, pgid)) == 0 })
}
