package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/worker"
)

// Defaults of [ProgramConfig].
const (
	DefaultKillAfter = 10 * time.Second
	DefaultMaxOutput = 1 << 20
)

// drainTime is how long output is still read after the program has ended and
// its group is dead: only a process that left the group can hold it open.
const drainTime = time.Second

// reportTime bounds how long the last log lines of an ended program may take.
const reportTime = 5 * time.Second

// shortageDelay is when a job is tried again that this machine could not start.
const shortageDelay = 5 * time.Second

// ProgramConfig says which program runs for each job, and with what.
//
// A job's time is not limited here but by its context: the worker ends it with
// a [*worker.TimeoutError] as the cause.
type ProgramConfig struct {
	// Args is the program and its arguments. A program without a slash is
	// looked up once, in the PATH of this process.
	Args []string

	// Env lists variables for the program: NAME=VALUE, or NAME for the value
	// it has here, left out when it has none. They win over InheritEnv and
	// over what it holds back, but not over the QCTL_ variables of the job.
	Env []string
	// InheritEnv passes on Environ, except for qctl's own secrets: variables
	// that begin with REDIS or QCTL_ and speak of a URL, password, secret,
	// token, key or credential. DATABASE_URL is passed on: the row behind a
	// job is the program's business as well.
	InheritEnv bool
	// SecretEnv names further variables that InheritEnv must hold back.
	SecretEnv []string
	// Environ is the environment to take from; nil stands for os.Environ().
	Environ []string

	// KillAfter is the time between SIGTERM and SIGKILL when a job's time is
	// up or the worker stops; 0 stands for DefaultKillAfter.
	KillAfter time.Duration
	// MaxOutput is the most bytes of return value, and of log lines, that a
	// job may produce; 0 stands for DefaultMaxOutput.
	MaxOutput int
	// SelfPath is a binary whose main calls [RunLifeline] before anything
	// else; empty stands for the running one.
	SelfPath string
	// TempDir is where the files about the children of a job are written, in a
	// folder of their own; empty stands for the system's.
	TempDir string
}

// Program is a [worker.Handler] that runs a process per job. It may be used by
// many goroutines at once. [Program.Close] ends the lifelines that it keeps.
type Program struct {
	path      string
	args      []string
	env       environment
	killAfter time.Duration
	maxOutput int
	groups    *groupPool
	tempDir   string
}

// NewProgram checks the configuration and finds the program. It returns an
// error when there is none, or when it may not be executed.
func NewProgram(cfg ProgramConfig) (*Program, error) {
	if len(cfg.Args) == 0 || cfg.Args[0] == "" {
		return nil, errors.New("no program given")
	}
	for _, arg := range cfg.Args {
		if strings.ContainsRune(arg, 0) {
			return nil, fmt.Errorf("program %q: argument %q holds a NUL byte", cfg.Args[0], arg)
		}
	}
	path, err := findProgram(cfg.Args[0])
	if err != nil {
		return nil, fmt.Errorf("program %q: %w", cfg.Args[0], err)
	}
	env, err := newEnvironment(cfg)
	if err != nil {
		return nil, fmt.Errorf("program %q: %w", cfg.Args[0], err)
	}
	if cfg.KillAfter < 0 || cfg.MaxOutput < 0 {
		return nil, fmt.Errorf("program %q: negative limit", cfg.Args[0])
	}
	p := &Program{
		path: path, args: cfg.Args, env: env,
		killAfter: cfg.KillAfter, maxOutput: cfg.MaxOutput,
		groups: newGroupPool(cfg.SelfPath), tempDir: cfg.TempDir,
	}
	if p.killAfter == 0 {
		p.killAfter = DefaultKillAfter
	}
	if p.maxOutput == 0 {
		p.maxOutput = DefaultMaxOutput
	}
	return p, nil
}

// findProgram returns the absolute path of a program, so that a later change
// of PATH or of the working directory cannot lead to another one.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		var lookup *exec.Error
		if errors.As(err, &lookup) {
			err = lookup.Err
		}
		return "", err
	}
	return filepath.Abs(path)
}

// Close kills the lifelines that wait for further jobs and waits for their
// end. Jobs that still run keep theirs until they are done.
func (p *Program) Close() error {
	p.groups.close()
	return nil
}

// Handle runs the program for one job and returns what it printed, by the
// table in the package documentation. When the context ends first the program
// is stopped, and whatever it exits with does not count.
func (p *Program) Handle(ctx context.Context, job worker.Job, report worker.Reporter) (json.RawMessage, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	children, removeFiles, err := p.childFiles(ctx, job)
	if err != nil {
		return nil, err
	}
	defer removeFiles()
	env, err := p.env.forJob(job, children...)
	if err != nil {
		return nil, &worker.Failure{Reason: err.Error(), Unrecoverable: true}
	}
	grp, err := p.groups.acquire(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		// The job has no part in this, so it keeps its attempt.
		return nil, &worker.Failure{
			Reason: fmt.Sprintf("start lifeline: %v", err), TryAgain: true, RetryAfter: shortageDelay,
		}
	}
	// The reporter outlives the job's context, for a job that has timed out
	// keeps its last words; it is cut off at once when the lock is lost.
	reportCtx, stopReport := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReport()
	rel := newRelay(reportCtx, report, p.maxOutput)
	out := newOutput(rel, p.maxOutput)

	proc, err := startProcess(p.path, p.args, env, grp, out, job.Data)
	if err != nil {
		p.groups.release(grp)
		rel.close()
		return nil, startFailure("start "+p.path, err)
	}
	end := ending{stopped: p.supervise(ctx, proc, stopReport)}
	end.state, end.waitErr = proc.state, proc.waitErr
	end.lifelineLost = grp.lost()
	p.groups.release(grp)
	proc.finishOutput(drainTime)

	flush := time.AfterFunc(reportTime, stopReport)
	rel.close()
	flush.Stop()
	return end.outcome(out)
}

// supervise waits for the program's end and stops it when the context ends or
// the lifeline dies. It returns the context's cause if that came first.
func (p *Program) supervise(ctx context.Context, proc *process, stopReport func()) error {
	select {
	case <-proc.done:
		return nil
	case <-proc.group.dead:
		proc.kill()
		<-proc.done
		return nil
	case <-ctx.Done():
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, worker.ErrLockLost) {
		stopReport()
		proc.kill()
		<-proc.done
		return cause
	}
	proc.terminate()
	kill := time.NewTimer(p.killAfter)
	defer kill.Stop()
	select {
	case <-proc.done:
		return cause
	case <-proc.group.dead:
	case <-kill.C:
	}
	proc.kill()
	<-proc.done
	return cause
}
