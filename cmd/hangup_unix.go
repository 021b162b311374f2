//go:build !windows

package cmd

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// hangups returns a channel that gets a value at every SIGHUP. The signal also
// comes when the terminal is closed: then nobody watches the process any more,
// and it ends as by SIGTERM.
func hangups(onTerminal bool) (signals <-chan struct{}, stop func()) {
	caught, out, done := make(chan os.Signal, 1), make(chan struct{}, 1), make(chan struct{})
	signal.Notify(caught, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-caught:
			case <-done:
				return
			}
			if onTerminal && !term.IsTerminal(syscall.Stderr) {
				_ = syscall.Kill(syscall.Getpid(), syscall.SIGTERM) // to oneself it is always allowed
				continue
			}
			select {
			case out <- struct{}{}:
			default: // one is waiting, and will read what there is now
			}
		}
	}()
	return out, func() { signal.Stop(caught); close(done) }
}
