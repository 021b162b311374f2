package embedded

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// TestMain makes the test binary the server's process too.
func TestMain(m *testing.M) {
	if code, handled := RunServer(os.Args[1:]); handled {
		os.Exit(code)
	}
	redis.SetLogger(silent{})
	os.Exit(m.Run())
}

// silent keeps the client from writing to standard error.
type silent struct{}

// Printf writes nothing.
func (silent) Printf(context.Context, string, ...any) {}

// patience bounds the wait for what must happen soon, on a busy machine.
const patience = 30 * time.Second

// eventually waits until ok reports true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// fakeClock is a clock that tests move.
type fakeClock struct {
	mu sync.Mutex
	at time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{at: time.UnixMilli(1_795_312_800_000).UTC()} }

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

var quiet = slog.New(slog.DiscardHandler)

// openAt opens the store of a disk.
func openAt(t testing.TB, d disk, now func() time.Time) *store {
	t.Helper()
	s, torn, err := openStore(d, now, false, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if torn != nil {
		t.Fatalf("%d bytes were cut", torn.bytes)
	}
	return s
}

func closeStore(t testing.TB, s *store) {
	t.Helper()
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

// send executes a command, of words, and returns the reply as it is on the wire.
func send(t testing.TB, s *store, command string) string {
	t.Helper()
	reply, _ := s.do(strings.Fields(command))
	return string(reply)
}

// expect executes commands with the replies that they must get.
func expect(t testing.TB, s *store, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := send(t, s, pairs[i]); got != pairs[i+1] {
			t.Errorf("%s: got %q, want %q", pairs[i], got, pairs[i+1])
		}
	}
}

// dumpStore is the whole keyspace: what makes each key, in order.
func dumpStore(t testing.TB, s *store) map[string][]effect {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := map[string][]effect{}
	err := s.engine.snapshot(func(part []effect) error {
		for _, made := range part {
			keys[made[1]] = append(keys[made[1]], made)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func sameKeys(t testing.TB, what string, want, got map[string][]effect) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// local is a server in this process.
type local struct {
	store *store
	srv   *server
	addr  string
}

const localPassword = "secret"

// serveLocal serves a store until the test ends.
func serveLocal(t testing.TB, s *store) local {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	srv := newServer(s, l, serverOptions{Fsync: FsyncEverySecond, Version: "test"}, localPassword)
	done := make(chan error, 1)
	go func() { done <- srv.serve() }()
	t.Cleanup(func() {
		srv.end()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return local{store: s, srv: srv, addr: l.Addr().String()}
}

// dial opens a client as package redisconn does.
func dial(t testing.TB, addr, password string) *redis.Client {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{
		Addr: addr, Password: password, MaxRetries: -1, DialerRetries: 1, Protocol: 2, DisableIdentity: true,
		ContextTimeoutEnabled: true, ReadTimeout: 3 * time.Second, DialTimeout: 2 * time.Second,
	})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// testOptions are for a store of this test, whose server is gone at its end.
func testOptions(t testing.TB) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: t.TempDir(), SelfPath: self, IdleAfter: time.Minute, Version: "test"}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := Stop(ctx, o.Dir); err != nil && !errors.Is(err, ErrNotRunning) {
			t.Error(err)
		}
	})
	return o
}

func mustOpen(t testing.TB, o Options) Info {
	t.Helper()
	info, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// failing is a folder whose disk can fill up or break.
type failing struct {
	folder

	mu       sync.Mutex
	room     int64 // bytes that a file may have; 0 is no bound
	cut      error // what truncating fails with
	unsynced error // what syncing fails with
	safe     map[string]int64
	slowest  time.Duration // of the syncs
}

func (d *failing) set(change func(d *failing)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *failing) synced() map[string]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.safe)
}

func (d *failing) open(name string) (file, error) {
	f, err := d.folder.open(name)
	if err != nil {
		return nil, err
	}
	return &failingFile{file: f, disk: d, name: name}, nil
}

func (d *failing) create(name string) (file, error) {
	f, err := d.folder.create(name)
	if err != nil {
		return nil, err
	}
	return &failingFile{file: f, disk: d, name: name}, nil
}

type failingFile struct {
	file
	disk *failing
	name string
}

var errFull = errors.New("no space left on device")

// WriteAt writes what fits, as a disk does.
func (f *failingFile) WriteAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	room := f.disk.room
	f.disk.mu.Unlock()
	if room == 0 || at+int64(len(b)) <= room {
		return f.file.WriteAt(b, at)
	}
	fits := max(room-at, 0)
	n, err := f.file.WriteAt(b[:fits], at)
	if err == nil {
		err = errFull
	}
	return n, err
}

func (f *failingFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.cut != nil {
		return f.disk.cut
	}
	return f.file.Truncate(size)
}

func (f *failingFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.unsynced != nil {
		return f.disk.unsynced
	}
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	if f.disk.safe == nil {
		f.disk.safe = map[string]int64{}
	}
	start := time.Now()
	err = f.file.Sync()
	f.disk.slowest = max(f.disk.slowest, time.Since(start))
	f.disk.safe[f.name] = stat.Size()
	return err
}

func (d *failing) slowestSync() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slowest
}
