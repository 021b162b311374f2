package embedded

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// killServer ends a server as the machine might, and waits until the folder is
// free.
func killServer(t *testing.T, o Options, info Info) {
	t.Helper()
	process, err := os.FindProcess(info.PID)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the server", func() bool {
		unlock, err := lockFolder(o.Dir)
		return err == nil && unlock() == nil
	})
}

// A server that was killed is started once, however many come back to it, and
// has the address that it had.
func TestReopenKilled(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	info := mustOpen(t, o)
	if again, err := Reopen(t.Context(), o); err != nil || again != (Info{
		Addr: info.Addr, Password: info.Password, PID: info.PID, Version: info.Version, Since: info.Since, Fsync: info.Fsync,
	}) {
		t.Errorf("one that runs: %+v, %v", again, err)
	}
	if err := dial(t, info.Addr, info.Password).Set(t.Context(), "a", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		killServer(t, o, info)
		infos := make([]Info, 6)
		var group sync.WaitGroup
		for i := range infos {
			group.Go(func() {
				var err error
				if infos[i], err = Reopen(t.Context(), o); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		started := 0
		for _, again := range infos {
			if again.Started {
				started++
			}
			if again.PID != infos[0].PID || again.PID == info.PID || again.Addr != infos[0].Addr {
				t.Errorf("%+v is not %+v", again, infos[0])
			}
		}
		if started != 1 {
			t.Errorf("%d have started a server", started)
		}
		info = infos[0]
		if got, err := dial(t, info.Addr, info.Password).Get(t.Context(), "a").Result(); err != nil || got != "1" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// A server that was stopped stays so until it is opened, also when it had been
// killed before it was stopped, and is found then.
func TestReopenStopped(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	nowhere := o
	nowhere.Dir = filepath.Join(o.Dir, "none")
	if _, err := Reopen(t.Context(), nowhere); !errors.Is(err, ErrNotRunning) {
		t.Errorf("never opened: %v", err)
	}
	if _, err := os.Stat(nowhere.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
	for what, end := range map[string]func(info Info) error{
		"stopped": func(Info) error { return Stop(t.Context(), o.Dir) },
		"reset":   func(Info) error { return Reset(t.Context(), o.Dir) },
		"killed and stopped": func(info Info) error {
			killServer(t, o, info)
			if err := Stop(t.Context(), o.Dir); !errors.Is(err, ErrNotRunning) {
				return errors.New("one that was killed was stopped")
			}
			return nil
		},
	} {
		if err := end(mustOpen(t, o)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if _, err := Reopen(t.Context(), o); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: %v", what, err)
		}
		if unlock, err := lockFolder(o.Dir); err != nil || unlock() != nil {
			t.Errorf("%s: somebody has the folder: %v", what, err)
		}
		opened := mustOpen(t, o)
		if info, err := Reopen(t.Context(), o); err != nil || info.PID != opened.PID {
			t.Errorf("%s, and opened: %+v, %v", what, info, err)
		}
	}
}

// Whoever comes back while a server is ending must not undo its end: the server
// that would be the successor looks once more when it has the folder.
func TestReopenWhileStopping(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	mustOpen(t, o)
	text, err := os.ReadFile(filepath.Join(o.Dir, addressName))
	if err != nil {
		t.Fatal(err)
	}
	if err := Stop(t.Context(), o.Dir); err != nil {
		t.Fatal(err)
	}
	// As it is between the end of the connections and that of the process.
	unlock, err := lockFolder(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Dir, addressName), text, private); err != nil {
		t.Fatal(err)
	}
	asked := make(chan error)
	go func() {
		_, err := Reopen(t.Context(), o)
		asked <- err
	}()
	// Either it comes before the end, and its successor finds the folder taken,
	// or behind it; both must leave the store stopped.
	if err := errors.Join(removeFile(o.Dir, addressName), unlock()); err != nil {
		t.Fatal(err)
	}
	if err := <-asked; !errors.Is(err, ErrNotRunning) {
		t.Errorf("behind the end: %v", err)
	}
	o.Fsync = FsyncAlways
	process, err := spawn(o, true)
	if err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := process.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitStopped {
		t.Errorf("a successor of nobody ended with %v", err)
	}
}

// BenchmarkReopen is what a look at a server that runs adds to a connection.
func BenchmarkReopen(b *testing.B) {
	o := testOptions(b)
	mustOpen(b, o)
	for b.Loop() {
		if _, err := Reopen(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}
