//go:build unix

package handler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// programFiles is how many descriptors a program is given: stdin, stdout,
// stderr and fd 3.
const programFiles = 4

const (
	readyTime = 30 * time.Second // for a lifeline to start, on a machine under load
	clearTime = 2 * time.Second  // for a lifeline to clear its group
)

// group is a process group that dies with this process. It holds at most one
// program at a time, and its lifeline, whose process id is its number. The
// number stays taken until discard collects the lifeline, so that a signal to
// the group never reaches a stranger.
type group struct {
	id       int
	lifeline *os.Process
	control  *os.File
	answers  chan byte
	dead     chan struct{} // closed when the lifeline has ended
}

// groupPool keeps the groups whose programs have ended for the next ones.
type groupPool struct {
	selfPath string

	mu     sync.Mutex // protects what follows
	idle   []*group
	closed bool
}

func newGroupPool(selfPath string) *groupPool { return &groupPool{selfPath: selfPath} }

// acquire returns an empty group, a kept one if there is one alive.
func (p *groupPool) acquire(ctx context.Context) (*group, error) {
	for {
		g := p.takeIdle()
		if g == nil {
			return startGroup(ctx, p.selfPath)
		}
		if !g.lost() {
			return g, nil
		}
		g.discard()
	}
}

func (p *groupPool) takeIdle() *group {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	last := len(p.idle) - 1
	g := p.idle[last]
	p.idle = p.idle[:last]
	return g
}

// release kills what is left in the group and keeps it if its lifeline lives.
func (p *groupPool) release(g *group) {
	if !g.clear() {
		g.discard()
		return
	}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.idle = append(p.idle, g)
	}
	p.mu.Unlock()
	if closed {
		g.discard()
	}
}

func (p *groupPool) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, g := range idle {
		g.discard()
	}
}

// startGroup starts a lifeline and waits until it is proof against signals.
func startGroup(ctx context.Context, selfPath string) (*group, error) {
	if selfPath == "" {
		var err error
		if selfPath, err = ownBinary(); err != nil {
			return nil, err
		}
	}
	theirControl, control, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answer, theirAnswer, err := os.Pipe()
	if err != nil {
		closeAll([]*os.File{theirControl, control})
		return nil, err
	}
	// No environment: what the worker knows is none of the lifeline's business.
	proc, err := os.StartProcess(selfPath, []string{"qctl", lifelineArg}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{},
		Files: []*os.File{theirControl, theirAnswer},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	closeAll([]*os.File{theirControl, theirAnswer})
	if err != nil {
		closeAll([]*os.File{control, answer})
		return nil, err
	}
	g := &group{
		id: proc.Pid, lifeline: proc, control: control,
		answers: make(chan byte, 1), dead: make(chan struct{}),
	}
	go g.listen(answer)
	if err := g.expect(ctx, sayReady, readyTime); err != nil {
		g.discard()
		return nil, err
	}
	return g, nil
}

// ownBinary returns a path of the running binary. On Linux it stays right when
// an upgrade replaces the file.
func ownBinary() (string, error) {
	const proc = "/proc/self/exe"
	if _, err := os.Stat(proc); err == nil {
		return proc, nil
	}
	return os.Executable()
}

// listen passes on the lifeline's answers until it ends.
func (g *group) listen(answer *os.File) {
	defer close(g.dead)
	defer closeAll([]*os.File{answer})
	var b [1]byte
	for {
		if _, err := answer.Read(b[:]); err != nil {
			return
		}
		select {
		case g.answers <- b[0]:
		default:
			return // more than it was asked for: not a lifeline
		}
	}
}

// expect waits for one answer.
func (g *group) expect(ctx context.Context, want byte, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case got := <-g.answers:
		if got != want {
			return fmt.Errorf("unexpected answer %q", got)
		}
		return nil
	case <-g.dead:
		return errors.New("it ended at once")
	case <-timer.C:
		return fmt.Errorf("no answer within %s", limit)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sysProcAttr puts a program into the group before its first instruction.
func (g *group) sysProcAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pgid: g.id}
	dieWithParent(attr)
	return attr
}

// adopt has nothing to do: sysProcAttr did it.
func (*group) adopt(*os.Process) error { return nil }

// holds reports whether a process is in the group.
func (g *group) holds(pid int) bool {
	id, err := unix.Getpgid(pid)
	return err == nil && id == g.id
}

// lost reports whether the lifeline has ended.
func (g *group) lost() bool {
	select {
	case <-g.dead:
		return true
	default:
		return false
	}
}

// terminate sends SIGTERM to the group; the lifeline does not mind.
func (g *group) terminate() { _ = unix.Kill(-g.id, unix.SIGTERM) }

// kill sends SIGKILL to the group and to the lifeline with it. One call
// reaches every member, those being forked at that moment included.
func (g *group) kill() { _ = unix.Kill(-g.id, unix.SIGKILL) }

// clear kills the members of the group except for the lifeline. It reports
// false if that could not be done and the group must be discarded.
func (g *group) clear() bool {
	if g.lost() {
		return false
	}
	if _, err := g.control.Write([]byte{sayClear}); err != nil {
		return false
	}
	timer := time.NewTimer(clearTime)
	defer timer.Stop()
	select {
	case got := <-g.answers:
		return got == sayClear
	case <-g.dead:
	case <-timer.C:
	}
	return false
}

// discard kills the group with its lifeline and collects the lifeline, which
// gives the group's number back.
func (g *group) discard() {
	g.kill()
	_ = g.control.Close()
	_, _ = g.lifeline.Wait()
	<-g.dead
}
