package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Whoever comes finds the same server, also when all come at once.
func TestShared(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	infos := make([]Info, 6)
	var group sync.WaitGroup
	for i := range infos {
		group.Go(func() {
			info, err := Open(t.Context(), o)
			if err != nil {
				t.Error(err)
			}
			infos[i] = info
		})
	}
	group.Wait()
	started := 0
	for _, info := range infos {
		if info.Started {
			started++
		}
		if diff := cmp.Diff(infos[0], info, cmpopts.IgnoreFields(Info{}, "Started")); diff != "" {
			t.Errorf("two servers:\n%s", diff)
		}
	}
	if started != 1 {
		t.Errorf("%d have started a server", started)
	}
	one, two := dial(t, infos[0].Addr, infos[0].Password), dial(t, infos[1].Addr, infos[1].Password)
	if err := one.Set(t.Context(), "a", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := two.Get(t.Context(), "a").Result(); err != nil || got != "1" {
		t.Errorf("the other client reads %q, %v", got, err)
	}
	if runtime.GOOS != "windows" {
		for _, name := range []string{addressName, logName, lockName, serverLog} {
			if stat, err := os.Stat(filepath.Join(o.Dir, name)); err != nil || stat.Mode().Perm() != private {
				t.Errorf("%s: %v, %v", name, stat.Mode(), err)
			}
		}
	}
	state, err := Status(t.Context(), o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	want := State{Dir: o.Dir, Running: true, LogBytes: state.LogBytes, Info: infos[0], Keys: 1}
	want.Started = false
	if diff := cmp.Diff(want, state, cmpopts.IgnoreFields(State{}, "Uptime", "Clients")); diff != "" || state.LogBytes <= headerSize {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	// The connections that only asked are gone before long.
	eventually(t, "two clients", func() bool {
		state, err := Status(t.Context(), o.Dir)
		return err == nil && state.Clients == 2
	})
}

// A second server on the same folder is refused, and the first one stays.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	info := mustOpen(t, o)
	o.Fsync = FsyncAlways
	process, err := spawn(o, false)
	if err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := process.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitRunning {
		t.Errorf("the second server ended with %v", err)
	}
	if _, err := lockFolder(o.Dir); !errors.Is(err, ErrRunning) {
		t.Errorf("the folder is free: %v", err)
	}
	if err := dial(t, info.Addr, info.Password).Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

// Stop and reset do what they say, and what is not there is no surprise.
func TestStopAndReset(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	nowhere := filepath.Join(o.Dir, "none")
	if err := Stop(t.Context(), nowhere); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stop of nothing: %v", err)
	}
	if err := Reset(t.Context(), nowhere); err != nil {
		t.Errorf("reset of nothing: %v", err)
	}
	if state, err := Status(t.Context(), nowhere); err != nil || state.Running || state.LogBytes != 0 {
		t.Errorf("status of nothing: %+v, %v", state, err)
	}
	info := mustOpen(t, o)
	if err := dial(t, info.Addr, info.Password).Set(t.Context(), "a", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Stop(t.Context(), o.Dir); err != nil {
			t.Fatal(err)
		}
		if err := Stop(t.Context(), o.Dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("stopped twice: %v", err)
		}
		info = mustOpen(t, o)
		if got, err := dial(t, info.Addr, info.Password).Get(t.Context(), "a").Result(); err != nil || got != "1" || !info.Started {
			t.Errorf("after a stop: %q, %v, started %v", got, err, info.Started)
		}
	}
	if err := Reset(t.Context(), o.Dir); err != nil {
		t.Fatal(err)
	}
	info = mustOpen(t, o)
	if n, err := dial(t, info.Addr, info.Password).DBSize(t.Context()).Result(); err != nil || n != 0 {
		t.Errorf("after a reset: %d keys, %v", n, err)
	}
}

// A server ends when nobody is there, and not while somebody is.
func TestIdle(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	o.IdleAfter = 300 * time.Millisecond
	info := mustOpen(t, o)
	conn := dial(t, info.Addr, info.Password) // its pool keeps the connection
	if err := conn.Set(t.Context(), "a", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	<-time.After(4 * o.IdleAfter) // longer than an idle server would stay
	if err := conn.Ping(t.Context()).Err(); err != nil {
		t.Fatalf("ended under a client: %v", err)
	}
	_ = conn.Close()
	eventually(t, "the end of an idle server", func() bool {
		unlock, err := lockFolder(o.Dir)
		return err == nil && unlock() == nil
	})
	if _, err := os.Stat(filepath.Join(o.Dir, addressName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the address is still there: %v", err)
	}
	again := mustOpen(t, o)
	if got, err := dial(t, again.Addr, again.Password).Get(t.Context(), "a").Result(); err != nil || got != "1" || !again.Started {
		t.Errorf("after the idle end: %q, %v", got, err)
	}
}

// A temporary store takes its folder with it, however it ends.
func TestTemporary(t *testing.T) {
	t.Parallel()
	open := func(idle time.Duration) (dir string) {
		o := testOptions(t)
		o.Dir, o.Temporary, o.IdleAfter = filepath.Join(o.Dir, "own"), true, idle
		mustOpen(t, o)
		return o.Dir
	}
	gone := func(dir string) bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	}
	stopped := open(time.Minute)
	if err := errors.Join(Stop(t.Context(), stopped), os.RemoveAll(stopped)); err != nil {
		t.Errorf("stop: %v", err)
	}
	idle := open(100 * time.Millisecond)
	for _, dir := range []string{stopped, idle} {
		eventually(t, "the end of "+dir, func() bool { return gone(dir) })
	}
	if err := Stop(t.Context(), idle); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stop without a folder: %v", err)
	}
}

// Trouble of the background process reaches whoever started it.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	name := filepath.Join(o.Dir, logName)
	record := appendRecord(nil, kindCommand, []effect{{"SET", "a", "1"}})
	text := append(appendHeader(nil, logVersion), record...)
	text = append(text, record...)

	flipped := append([]byte(nil), text...)
	flipped[headerSize+frameSize+3] ^= 4
	if err := os.WriteFile(name, flipped, private); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), o)
	var damaged *LogError
	if !errors.Is(err, ErrCorruptLog) || !errors.As(err, &damaged) || damaged.Offset != headerSize || damaged.Path != name {
		t.Errorf("flipped bit: %v", err)
	}
	if err := os.WriteFile(name, appendHeader(nil, 7), private); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrLogVersion) {
		t.Errorf("wrong version: %v", err)
	}
	if err := os.WriteFile(name, text[:len(text)-1], private); err != nil {
		t.Fatal(err)
	}
	var warnings []string
	o.Warn = func(text string) { warnings = append(warnings, text) }
	info := mustOpen(t, o)
	want := fmt.Sprintf("the last %d bytes of its log, behind byte %d,", len(record)-1, headerSize+len(record))
	if len(warnings) != 1 || !strings.Contains(warnings[0], want) {
		t.Errorf("warned %q, want %q", warnings, want)
	}
	if n, err := dial(t, info.Addr, info.Password).DBSize(t.Context()).Result(); err != nil || n != 1 {
		t.Errorf("after a torn tail: %d keys, %v", n, err)
	}

	o.SelfPath = filepath.Join(o.Dir, "no such program")
	if err := Stop(t.Context(), o.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrStart) {
		t.Errorf("no program: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ended, o); !errors.Is(err, context.Canceled) && !errors.Is(err, ErrStart) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestDefaultDir(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("other systems have a folder of their own")
	}
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"QCTL_EMBEDDED_DIR": "/x", "XDG_STATE_HOME": "/s", "HOME": "/h"}, "/x"},
		{map[string]string{"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/qctl/embedded"},
		{map[string]string{"XDG_STATE_HOME": "s", "HOME": "/h"}, "/h/.local/state/qctl/embedded"},
		{map[string]string{}, ""},
	} {
		got, err := DefaultDir(func(name string) (string, bool) { v, ok := c.env[name]; return v, ok })
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%v: %q, %v, want %q", c.env, got, err, c.want)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	o := testOptions(b)
	for b.Loop() {
		mustOpen(b, o)
		b.StopTimer()
		if err := Stop(b.Context(), o.Dir); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkCommand is a command on a store that runs: find it, connect, ask.
func BenchmarkCommand(b *testing.B) {
	o := testOptions(b)
	mustOpen(b, o)
	for b.Loop() {
		info := mustOpen(b, o)
		rdb := dial(b, info.Addr, info.Password)
		if err := rdb.Set(b.Context(), "a", "1", 0).Err(); err != nil {
			b.Fatal(err)
		}
		_ = rdb.Close()
	}
}
