//go:build unix

package handler

import (
	"errors"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Descriptors of a lifeline. Its answers must not be mistaken for output, so
// nothing else here prints.
const (
	controlFD = 0
	answerFD  = 1
)

// runLifeline leads its process group until the control pipe ends, and then
// kills the group. It returns only if that cannot be done.
func runLifeline() int {
	self := unix.Getpid()
	if unix.Getpgrp() != self {
		return 2 // started by hand: the group is not ours to kill
	}
	// A signal to the group is meant for the program. Caught and not ignored,
	// or what is ignored here would stay ignored after an exec.
	signal.Notify(make(chan os.Signal, 1))
	// Somebody who kills all processes called qctl should not hit the worker
	// and this one together.
	renameProcess("lifeline")
	worker, err := unix.Getpgid(unix.Getppid())
	if err != nil {
		worker = 0
	}
	say(sayReady)
	for {
		b, ok := readByte()
		if !ok || b != sayClear || !clearGroup(self, worker) {
			_ = unix.Kill(-self, unix.SIGKILL)
			return 1
		}
		say(sayClear)
	}
}

// clearGroup kills everybody in the group of this process but itself, by
// stepping out of the group and back in. Where the worker's group cannot be
// joined it reports false.
func clearGroup(self, worker int) bool {
	if worker <= 0 || unix.Setpgid(0, worker) != nil {
		return false
	}
	_ = unix.Kill(-self, unix.SIGKILL)
	return unix.Setpgid(0, self) == nil
}

func readByte() (byte, bool) {
	var b [1]byte
	for {
		n, err := unix.Read(controlFD, b[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return b[0], err == nil && n == 1
	}
}

// say ignores errors: a worker that is gone also ends the control pipe.
func say(b byte) {
	for {
		if _, err := unix.Write(answerFD, []byte{b}); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
