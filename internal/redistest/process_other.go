//go:build !linux

package redistest

import "syscall"

// dieWithParent does nothing where the kernel has no such service: a server
// may then outlive a test binary that was killed.
func dieWithParent() *syscall.SysProcAttr {
	return nil
}
