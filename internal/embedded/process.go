package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// serverArg is the hidden first argument that makes this binary the server.
const serverArg = "__embedded"

// Exit codes of the server's process.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRunning = 3
	exitStopped = 4
)

// Fsync says how often the log is synced.
type Fsync string

// The ways to sync.
const (
	// FsyncEverySecond loses at most the last second when the power goes.
	FsyncEverySecond Fsync = "everysec"
	// FsyncAlways syncs before every answer to a change.
	FsyncAlways Fsync = "always"
)

// Valid reports whether it is one of the two.
func (f Fsync) Valid() bool { return f == FsyncEverySecond || f == FsyncAlways }

// serverOptions are what Open tells the process.
type serverOptions struct {
	Dir     string `json:"dir"`
	Fsync   Fsync  `json:"fsync"`
	IdleMs  int64  `json:"idleMs"`
	Version string `json:"version"`
	// Temporary: the folder goes when the server does.
	Temporary bool `json:"temporary,omitempty"`
	// Successor: only where a server was killed.
	Successor bool `json:"successor,omitempty"`
	// CompactAbove is lower in tests.
	CompactAbove int64 `json:"compactAbove,omitempty"`
}

func (o serverOptions) idleAfter() time.Duration { return time.Duration(o.IdleMs) * time.Millisecond }

// RunServer runs the server when args, the command line without the program's
// name, ask for one, and returns its exit code. The main function must call it
// before anything else, and exit when handled is true.
func RunServer(args []string) (code int, handled bool) {
	if len(args) == 0 || args[0] != serverArg {
		return 0, false
	}
	var o serverOptions
	if len(args) != 2 || json.Unmarshal([]byte(args[1]), &o) != nil || o.Dir == "" || !o.Fsync.Valid() {
		return exitUsage, true
	}
	// The terminal of whoever started it is not its own.
	signal.Ignore(os.Interrupt, syscall.SIGHUP)
	err := serveFolder(o)
	if err == nil && o.Temporary {
		err = os.RemoveAll(o.Dir)
	}
	switch {
	case err == nil:
		return exitDone, true
	case errors.Is(err, ErrRunning):
		return exitRunning, true
	case errors.Is(err, ErrNotRunning):
		return exitStopped, true
	}
	return exitFailed, true
}

// serveFolder is the life of the server.
func serveFolder(o serverOptions) (err error) {
	unlock, err := lockFolder(o.Dir)
	if err != nil {
		if !errors.Is(err, ErrRunning) {
			_ = writeJSON(o.Dir, failureName, newFailure(err))
		}
		return err
	}
	if o.Successor { // with the folder locked, nobody can stop it in between
		if killed, err := wasKilled(o.Dir); err != nil || !killed {
			return errors.Join(ErrNotRunning, err, unlock())
		}
	}
	defer func() {
		if err != nil {
			_ = writeJSON(o.Dir, failureName, newFailure(err))
		}
		_ = unlock()
	}()
	out, err := openServerLog(o.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	log := slog.New(slog.NewTextHandler(out, nil)).With("pid", os.Getpid())
	err = serveLocked(o, log)
	if err != nil {
		log.Error("ended", "error", err)
	}
	return err
}

func serveLocked(o serverOptions, log *slog.Logger) error {
	store, torn, err := openStore(folder(o.Dir), time.Now, o.Fsync == FsyncAlways, log)
	if err != nil {
		return err
	}
	if o.CompactAbove > 0 {
		store.compactAbove = o.CompactAbove
	}
	listener, password, err := listen(o.Dir)
	if err != nil {
		return errors.Join(err, store.close())
	}
	a := address{
		Addr: listener.Addr().String(), Password: password, PID: os.Getpid(), Version: o.Version,
		Started: time.Now().UTC().Truncate(time.Millisecond), Fsync: o.Fsync,
	}
	if torn != nil {
		a.Cut, a.CutAt = torn.bytes, torn.offset
		log.Warn("a torn tail was cut off", "bytes", torn.bytes, "offset", torn.offset)
	}
	s := newServer(store, listener, o, password)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	defer signal.Stop(stop)
	go func() {
		select {
		case <-stop:
			s.end()
		case <-s.ended:
		}
	}()
	if err := errors.Join(removeFile(o.Dir, failureName), writeJSON(o.Dir, addressName, a)); err != nil {
		return errors.Join(err, listener.Close(), store.close())
	}
	log.Info("started", "addr", a.Addr, "fsync", o.Fsync, "version", o.Version)
	err = s.serve()
	log.Info("stopped")
	return errors.Join(err, removeFile(o.Dir, addressName))
}

// listen takes the place of a server that was killed, at its address and with
// its password, so that the commands which are connected go on with this one.
// Where there was none, or where somebody else has the port now, both are new.
func listen(dir string) (*net.TCPListener, string, error) {
	var before address
	if found, err := readJSON(dir, addressName, &before); err == nil && found && before.Password != "" {
		at, err := net.ResolveTCPAddr("tcp", before.Addr)
		if err == nil && at.IP.IsLoopback() {
			if listener, err := net.ListenTCP("tcp", at); err == nil {
				return listener, before.Password, nil
			}
		}
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, "", err
	}
	password, err := newPassword()
	if err != nil {
		return nil, "", errors.Join(err, listener.Close())
	}
	return listener, password, nil
}

func newPassword() (string, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// serverLogMax is the size at which the server's own log is begun anew.
const serverLogMax = 1 << 20

func openServerLog(dir string) (io.WriteCloser, error) {
	name := filepath.Join(dir, serverLog)
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if info, err := os.Stat(name); err == nil && info.Size() > serverLogMax {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(name, flags, private)
}
