// Package embedded is the store for one machine: Redis' commands answered by
// miniredis inside a small background process of this binary, with a log on
// disk, so that commands in several terminals share the jobs.
//
// # One process, one thread
//
// miniredis executes; everything else is ours: the connections, the password,
// blocking reads, the list of clients, the clock of expiring keys. All commands
// run one after the other under one lock, as in Redis, and only the commands
// listed in rules.go run at all: those that are known to change nothing, and
// those whose changes can be logged exactly. There is one database, and there
// are no transactions, no publishing, and no consumer groups.
//
// # The log holds effects
//
// A script is not logged, but the writes that it made. miniredis sends what a
// script calls through the same hook as what a client sends; the hook executes
// the command, looks at its reply, and keeps what changed: ids that XADD made up
// are written out, times to live become points in time, an expiry becomes a DEL,
// and what changed nothing is dropped. Replaying that needs no Lua, no clock and
// no luck, and gives the same keyspace. The effects of one client command are one
// record, so a script is on disk as a whole or not at all.
//
// A command is logged after it ran and before it is answered. When the log
// cannot take it, the disk being full, the keyspace is built anew from the log
// and the command is refused: what is refused has not happened, and reading goes
// on.
//
// # The file
//
// A header of 16 bytes (8 of magic, a version, a CRC-32C of both), then records:
// the length of the payload, its CRC-32C, and a CRC-32C of these 8 bytes, all
// little endian, then the payload: a byte for the kind (s: part of the snapshot
// that the log begins with; c: one command), and the effects, each a count and
// as many length-prefixed arguments, as varints. A length has a checksum of its
// own because a flipped bit in it would else look like a torn tail.
//
// A log that has grown to twice its snapshot, and 16 MB, is rewritten while the
// store goes on: the log is replayed into a second keyspace, which for that time
// takes as much memory as the first, written as a snapshot beside it, and what
// was appended meanwhile is copied behind. Commands wait for the last 256 KB of
// that and a rename, and with [FsyncAlways] for a sync of these; when more is
// written than can be copied, the rewrite is put off instead.
//
// A process that is killed loses nothing that it answered, because every record
// is handed to the system before the answer. A machine that loses its power
// loses at most the last second, and with [FsyncAlways] nothing.
package embedded

import (
	"errors"
	"fmt"
)

// Errors of a log that cannot be opened.
var (
	// ErrCorruptLog means that the log is damaged; a *LogError tells where.
	ErrCorruptLog = errors.New("the log of the embedded store is damaged")
	// ErrLogVersion means that the file is of another version, or no log.
	ErrLogVersion = errors.New("not a log that this version of qctl can read")
)

// Errors of the process.
var (
	// ErrRunning means that a server has the folder already.
	ErrRunning = errors.New("the embedded store runs already")
	// ErrNotRunning means that there is no server to talk to.
	ErrNotRunning = errors.New("the embedded store does not run")
	// ErrStart means that the server could not be started.
	ErrStart = errors.New("the embedded store could not be started")
)

// LogError is a log that was not opened. It is [ErrCorruptLog] or [ErrLogVersion].
type LogError struct {
	Path string
	// Offset is where the file stops making sense, in bytes.
	Offset  int64
	Problem string
	kind    error
}

// Error names the file, the place and what is wrong there.
func (e *LogError) Error() string {
	return fmt.Sprintf("%v: %s, byte %d: %s", e.kind, e.Path, e.Offset, e.Problem)
}

// Unwrap returns the sentinel.
func (e *LogError) Unwrap() error { return e.kind }
