//go:build unix && !linux

package handler

import "syscall"

// dieWithParent does nothing: only Linux has such an attribute.
func dieWithParent(*syscall.SysProcAttr) {}

// renameProcess does nothing: processes are known by their file here.
func renameProcess(string) {}
