package handler

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// programFiles is how many descriptors a program is given: stdin, stdout and
// stderr. Windows passes no others by number.
const programFiles = 3

// group is a job object that the system kills when the last handle to it is
// closed, that is, at the latest when this process ends.
type group struct {
	object windows.Handle
	dead   chan struct{} // never closed: there is no lifeline to lose
}

// groupPool makes groups; unlike process groups they cost nothing to keep.
type groupPool struct{}

func newGroupPool(string) *groupPool { return &groupPool{} }

func (*groupPool) acquire(context.Context) (*group, error) {
	object, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("create job object: %w", err)
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(object, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		_ = windows.CloseHandle(object)
		return nil, fmt.Errorf("limit job object: %w", err)
	}
	return &group{object: object, dead: make(chan struct{})}, nil
}

func (*groupPool) release(g *group) {
	g.kill()
	_ = windows.CloseHandle(g.object)
}

func (*groupPool) close() {}

func (*group) sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// adopt puts a started program under the job object. What it has started
// within the moment before that is not under it.
func (g *group) adopt(proc *os.Process) error {
	handle, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(proc.Pid))
	if err != nil {
		return fmt.Errorf("open process: %w", err)
	}
	defer func() { _ = windows.CloseHandle(handle) }()
	if err := windows.AssignProcessToJobObject(g.object, handle); err != nil {
		return fmt.Errorf("assign to job object: %w", err)
	}
	return nil
}

func (*group) holds(int) bool { return true }

func (*group) lost() bool { return false }

// terminate kills: Windows has no polite signal for a program without a window.
func (g *group) terminate() { g.kill() }

func (g *group) kill() { _ = windows.TerminateJobObject(g.object, 1) }
