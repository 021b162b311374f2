package handler

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/qctl/qctl/internal/worker"
)

// process is one run of a program inside a group.
type process struct {
	group *group
	proc  *os.Process

	done    chan struct{} // closed when the program itself has ended
	state   *os.ProcessState
	waitErr error // state and waitErr are set before done is closed

	ours    []*os.File // the worker's ends of the program's pipes
	copying sync.WaitGroup
}

// startProcess starts path in grp, feeds it stdin and reads the rest into out.
func startProcess(path string, args, env []string, grp *group, out *output, stdin []byte) (*process, error) {
	p := &process{group: grp, done: make(chan struct{})}
	pipes, err := newPipes()
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go p.runOnOneThread(path, args, &os.ProcAttr{
		Env: env, Files: pipes.theirs, Sys: grp.sysProcAttr(),
	}, started)
	err = <-started
	closeAll(pipes.theirs)
	if err != nil {
		closeAll(pipes.ours)
		return nil, err
	}
	p.ours = pipes.ours
	p.copying.Go(func() {
		// A program need not read its input: a broken pipe is no failure.
		_, _ = p.ours[0].Write(stdin)
		_ = p.ours[0].Close()
	})
	for i, w := range out.writers() {
		if r := i + 1; r < len(p.ours) {
			p.copying.Go(func() { drain(w, p.ours[r]) })
		}
	}
	return p, nil
}

// runOnOneThread starts the program and waits for it. On Linux the program
// gets its Pdeathsig when the thread that started it ends, not the process, so
// the thread is held until then; waiting would occupy one in any case.
func (p *process) runOnOneThread(path string, args []string, attr *os.ProcAttr, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	proc, err := os.StartProcess(path, args, attr)
	if err == nil {
		if err = p.group.adopt(proc); err != nil {
			_ = proc.Kill()
			_, _ = proc.Wait()
		}
	}
	p.proc = proc
	started <- err
	if err != nil {
		return
	}
	p.state, p.waitErr = proc.Wait()
	close(p.done)
}

// terminate asks all processes of the group to end. A program that has left
// the group is asked by itself, but never twice: many take a second SIGTERM
// for impatience.
func (p *process) terminate() {
	if !p.group.holds(p.proc.Pid) {
		_ = p.proc.Signal(syscall.SIGTERM)
	}
	p.group.terminate()
}

// kill ends all processes of the group, and the program wherever it is.
func (p *process) kill() {
	p.group.kill()
	_ = p.proc.Kill()
}

// finishOutput reads what is left in the pipes for at most the given time and
// closes them.
func (p *process) finishOutput(limit time.Duration) {
	_ = p.ours[0].Close()
	for _, f := range p.ours[1:] {
		_ = f.SetReadDeadline(time.Now().Add(limit))
	}
	// Windows has no deadlines on pipes; closing ends a read everywhere.
	timer := time.AfterFunc(limit+limit/4, func() { closeAll(p.ours[1:]) })
	p.copying.Wait()
	timer.Stop()
	closeAll(p.ours[1:])
}

// pipes holds both ends of a program's standard streams and fd 3: theirs by
// descriptor number, ours in the same order. All are closed on exec, so that
// no program inherits those of another.
type pipes struct{ ours, theirs []*os.File }

func newPipes() (pipes, error) {
	var p pipes
	for fd := range programFiles {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(p.ours)
			closeAll(p.theirs)
			return pipes{}, err
		}
		if fd == 0 {
			r, w = w, r
		}
		p.ours, p.theirs = append(p.ours, r), append(p.theirs, w)
	}
	return p, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// startFailure turns an error from before the program's first instruction into
// a verdict. A machine out of processes, memory or descriptors says nothing
// about the job, which keeps its attempt.
func startFailure(what string, err error) error {
	// The path is already in what.
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	reason := fmt.Sprintf("%s: %v", what, err)
	for _, shortage := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, shortage) {
			return &worker.Failure{Reason: reason, TryAgain: true, RetryAfter: shortageDelay}
		}
	}
	if errors.Is(err, syscall.ENOEXEC) {
		reason += " (a script must begin with #! and its interpreter)"
	}
	return &worker.Failure{Reason: reason}
}
