//go:build unix

package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// renamesOverOpen tells whether a file may be renamed over one that is open.
const renamesOverOpen = true

// lockFolder takes the folder for this process. It ends with the process,
// however that ends. Another holder is ErrRunning.
func lockFolder(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, private)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // a descriptor is small
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrRunning
		}
		return nil, err
	}
	return f.Close, nil
}

// detached gives a process a session of its own, which no terminal ends.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
