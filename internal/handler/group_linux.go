package handler

import (
	"os"
	"syscall"
)

// dieWithParent has the kernel kill the program, though not its children, when
// the thread that started it ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// renameProcess changes the name that ps and killall go by.
func renameProcess(name string) { _ = os.WriteFile("/proc/self/comm", []byte(name), 0) }
