package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// State is what there is to know about a store.
type State struct {
	Dir     string
	Running bool
	// LogBytes is the size of the log; a store that was never used has none.
	LogBytes int64

	// Only of a running one:
	Info
	Uptime  time.Duration
	Keys    int
	Clients int // without the one that asks
	// Refusing tells that the log cannot be written, so that nothing can change.
	Refusing bool
}

// Status looks at the store without starting it.
func Status(ctx context.Context, dir string) (State, error) {
	state := State{Dir: dir}
	switch stat, err := os.Stat(filepath.Join(dir, logName)); {
	case err == nil:
		state.LogBytes = stat.Size()
	case !errors.Is(err, fs.ErrNotExist):
		return state, err
	}
	info, err := find(ctx, dir)
	if errors.Is(err, ErrNotRunning) {
		return state, nil
	}
	if err != nil {
		return state, err
	}
	text, err := ask(ctx, address{Addr: info.Addr, Password: info.Password}, "INFO")
	if err != nil {
		return state, fmt.Errorf("embedded store: %w", err)
	}
	state.Running, state.Info = true, info
	fields := infoFields(text)
	number := func(name string) int {
		n, err := strconv.Atoi(fields[name])
		if err != nil {
			return 0
		}
		return n
	}
	state.Uptime = time.Duration(number("uptime_in_seconds")) * time.Second
	state.Clients = max(number("connected_clients")-1, 0)
	state.Refusing = fields["aof_last_write_status"] == "err"
	keys, _, _ := strings.Cut(strings.TrimPrefix(fields["db0"], "keys="), ",")
	if n, err := strconv.Atoi(keys); err == nil {
		state.Keys = n
	}
	return state, nil
}

func infoFields(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// Stop ends the server and returns once it has let go of the folder. Its
// clients lose their connections. It returns ErrNotRunning when there was none.
// Afterwards the store stays stopped until it is opened, also when it had been
// killed and somebody was about to [Reopen] it.
func Stop(ctx context.Context, dir string) error {
	unlock, err := stopAndLock(ctx, dir)
	if unlock == nil {
		return err
	}
	if removeErr := removeFile(dir, addressName); removeErr != nil {
		err = errors.Join(err, removeErr)
	}
	return errors.Join(err, unlock())
}

// Reset ends the server and deletes the jobs, all of them. A store that was
// never used is no error.
func Reset(ctx context.Context, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := stopAndLock(ctx, dir)
	if err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	defer func() { _ = unlock() }()
	for _, name := range []string{logName, newName, nextName, addressName, failureName, serverLog} {
		if err := removeFile(dir, name); err != nil {
			return err
		}
	}
	return folder(dir).sync()
}

// stopAndLock ends the server and takes the folder. With ErrNotRunning the
// folder is taken as well, if it is there.
func stopAndLock(ctx context.Context, dir string) (unlock func() error, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if unlock, err := lockFolder(dir); err == nil {
		return unlock, ErrNotRunning
	} else if !errors.Is(err, ErrRunning) {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	asked := false
	for {
		// A server that is starting has no address yet.
		if info, err := find(ctx, dir); err == nil && !asked {
			_, err := ask(ctx, address{Addr: info.Addr, Password: info.Password}, "SHUTDOWN")
			asked = err == nil || errors.Is(err, io.EOF)
		}
		unlock, err := lockFolder(dir)
		switch {
		case err == nil:
			return unlock, nil
		case errors.Is(err, fs.ErrNotExist): // a temporary one, which has gone with its server
			return func() error { return nil }, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("embedded store: stop: %w", context.Cause(ctx))
		case <-poll.C:
		}
	}
}
