package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	miniserver "github.com/alicebob/miniredis/v2/server"
)

// DefaultIdleAfter is how long a server without clients stays.
const DefaultIdleAfter = 5 * time.Minute

// Options say which store to open, and how to start it.
type Options struct {
	// Dir is the folder, see [DefaultDir]. It is made when it is not there.
	Dir string
	// SelfPath is this binary, whose main function calls [RunServer].
	SelfPath string
	// Fsync is FsyncEverySecond if empty. A server that runs keeps its own.
	Fsync Fsync
	// IdleAfter is DefaultIdleAfter if zero; negative is never.
	IdleAfter time.Duration
	// Temporary has the server delete the folder when it ends, so that nothing
	// is left of a store that nobody will open again, also when whoever opened it
	// was killed. Whoever stops it deletes the folder as well: Stop may come in
	// between.
	Temporary bool
	// Version is that of this binary, to be shown.
	Version string
	// compactAbove is the size at which the log is rewritten, for tests.
	compactAbove int64
	// Warn gets a line about what the user should know. It may be nil.
	Warn func(text string)
}

// Info is a store that can be reached.
type Info struct {
	Addr     string // host:port on loopback
	Password string // of the user default
	PID      int
	Version  string
	Since    time.Time
	Fsync    Fsync
	// Started tells that this call started the server.
	Started bool
}

// Times of opening.
const (
	askTimeout  = 2 * time.Second
	pollEvery   = 5 * time.Millisecond
	openTimeout = time.Minute // a log of gigabytes takes its time
)

// Open finds the store's server, or starts one, and returns once it answers.
// When several processes call it at once, they end up with the same server. A
// log that cannot be opened is a *LogError, other trouble with the server
// [ErrStart].
func Open(ctx context.Context, o Options) (Info, error) { return open(ctx, o, false) }

// Reopen finds the server for somebody who was connected. One that was killed
// is started anew, by whoever comes first. One that was stopped is not, and is
// [ErrNotRunning] until somebody opens it. The server goes on starting when ctx
// ends before that.
func Reopen(ctx context.Context, o Options) (Info, error) { return open(ctx, o, true) }

// open finds or starts a server; one that succeeds another is only started
// where one was killed.
func open(ctx context.Context, o Options, successor bool) (Info, error) {
	if o.Fsync == "" {
		o.Fsync = FsyncEverySecond
	}
	if !o.Fsync.Valid() {
		return Info{}, fmt.Errorf("%w: fsync %q is not %s or %s", ErrStart, o.Fsync, FsyncEverySecond, FsyncAlways)
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if info, err := find(ctx, o.Dir); err == nil || !errors.Is(err, ErrNotRunning) {
		return info, err
	}
	if successor {
		if killed, err := wasKilled(o.Dir); err != nil || !killed {
			return Info{}, errors.Join(ErrNotRunning, err)
		}
	} else if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return Info{}, fmt.Errorf("%w: %w", ErrStart, err)
	}
	for {
		info, again, err := start(ctx, o, successor)
		if !again {
			return info, err
		}
	}
}

// find returns the server that the address file names, if it answers.
func find(ctx context.Context, dir string) (Info, error) {
	var a address
	found, err := readJSON(dir, addressName, &a)
	if err != nil {
		return Info{}, fmt.Errorf("%w: %w", ErrStart, err)
	}
	if !found {
		return Info{}, ErrNotRunning
	}
	// A server that was killed leaves its file behind; somebody else may have
	// its port by now, and does not know the password.
	if reply, err := ask(ctx, a, "PING"); err != nil || reply != "PONG" {
		if ctx.Err() != nil {
			return Info{}, context.Cause(ctx)
		}
		return Info{}, ErrNotRunning
	}
	// The one that answers may have taken the place of the one that was read
	// about, and wrote the file before it answered.
	var current address
	if found, err := readJSON(dir, addressName, &current); err == nil && found && current.Addr == a.Addr {
		a = current
	}
	return Info{Addr: a.Addr, Password: a.Password, PID: a.PID, Version: a.Version, Since: a.Started, Fsync: a.Fsync}, nil
}

// start starts a server and waits for it, or for the one that was faster. It
// asks to be called again when that one ended meanwhile.
func start(ctx context.Context, o Options, successor bool) (info Info, again bool, err error) {
	process, err := spawn(o, successor)
	if err != nil {
		return Info{}, false, err
	}
	ended := make(chan int, 1)
	go func() {
		_ = process.Wait()
		ended <- process.ProcessState.ExitCode()
	}()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	refused := false
	for {
		select {
		case <-ctx.Done():
			return Info{}, false, context.Cause(ctx)
		case code := <-ended:
			if code == exitStopped {
				return Info{}, false, ErrNotRunning
			}
			if code != exitRunning {
				return Info{}, false, whyEnded(o.Dir, process.Process.Pid, code)
			}
			refused = true
		case <-poll.C:
		}
		info, err := find(ctx, o.Dir)
		info.Started = err == nil && info.PID == process.Process.Pid
		if err == nil && !info.Started && !refused {
			// Left to itself, ours might come to the folder only after the other
			// one was stopped, and undo that.
			continue
		}
		if err == nil {
			if info.Started && o.Warn != nil {
				warnOfCut(o)
			}
			return info, false, nil
		}
		if !errors.Is(err, ErrNotRunning) {
			return Info{}, false, err
		}
		if refused {
			// Whoever has the folder is still starting, or already ending.
			if unlock, err := lockFolder(o.Dir); err == nil {
				return Info{}, true, unlock()
			}
		}
	}
}

// spawn starts the server's process with nothing of ours: no terminal, no
// working directory, no secrets in its environment.
func spawn(o Options, successor bool) (*exec.Cmd, error) {
	idle := o.IdleAfter
	if idle == 0 {
		idle = DefaultIdleAfter
	}
	text, err := json.Marshal(serverOptions{
		Dir: o.Dir, Fsync: o.Fsync, IdleMs: idle.Milliseconds(), Version: o.Version, Temporary: o.Temporary,
		Successor: successor, CompactAbove: o.compactAbove,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStart, err)
	}
	dir := o.Dir
	if o.Temporary {
		dir = filepath.Dir(dir) // Windows deletes no folder that a process works in
	}
	process := &exec.Cmd{
		Path: o.SelfPath, Args: []string{"qctl", serverArg, string(text)}, Dir: dir, Env: environment(),
		SysProcAttr: detached(),
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStart, err)
	}
	return process, nil
}

// environment is what a process needs to run at all.
func environment() []string {
	env := []string{}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SystemRoot", "GOMEMLIMIT", "GOMAXPROCS", "GOCOVERDIR"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// whyEnded tells why a server ended before it answered.
func whyEnded(dir string, pid, code int) error {
	var f failure
	if found, err := readJSON(dir, failureName, &f); err == nil && found && f.PID == pid {
		return f.err()
	}
	return fmt.Errorf("%w: it ended with code %d; %s in %s may say why", ErrStart, code, serverLog, dir)
}

func warnOfCut(o Options) {
	var a address
	if found, err := readJSON(o.Dir, addressName, &a); err == nil && found && a.Cut > 0 {
		o.Warn(fmt.Sprintf("the embedded store was stopped while writing: the last %d bytes of its log, behind byte %d, "+
			"were incomplete and were cut off", a.Cut, a.CutAt))
	}
}

// ask sends one command over a connection of its own and returns the reply as
// a text.
func ask(ctx context.Context, a address, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", a.Addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := appendTexts(appendTexts(nil, "AUTH", a.Password), args...)
	if _, err := conn.Write(request); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	if _, err := miniserver.ParseReply(r); err != nil {
		return "", err
	}
	reply, err := miniserver.ParseReply(r)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(fmt.Sprint(reply)), nil
}
