package embedded

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	miniserver "github.com/alicebob/miniredis/v2/server"
)

const misconfPrefix = "-MISCONF "

// On a full disk changes are refused, and have not happened; reads work, and
// once there is room again changes do.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := folder(t.TempDir())
	disk := &failing{folder: dir}
	clock := newFakeClock()
	s := openAt(t, disk, clock.now)
	expect(t, s, "SET a 1", "+OK\r\n", "SET lock t PX 1000", "+OK\r\n", "RPUSH list x", ":1\r\n")
	disk.set(func(d *failing) { d.room = s.journal.size + 100 })
	for i := 0; ; i++ {
		before := dumpStore(t, s)
		reply := send(t, s, fmt.Sprintf("EVAL redis.call('RPUSH',KEYS[1],ARGV[1])return(redis.call('INCR','n')) 1 list %d", i))
		if strings.HasPrefix(reply, ":") {
			continue
		}
		if !strings.HasPrefix(reply, misconfPrefix) || i == 0 {
			t.Fatalf("change %d: %q", i, reply)
		}
		sameKeys(t, "after the change that was refused", before, dumpStore(t, s))
		break
	}
	// A smaller change might fit, but is refused until there is room again.
	if reply := send(t, s, "SET b 1"); !strings.HasPrefix(reply, misconfPrefix) {
		t.Errorf("a change on a full disk: %q", reply)
	}
	if reply := send(t, s, "EVAL return(redis.call('INCR','n')) 0"); !strings.HasPrefix(reply, misconfPrefix) {
		t.Errorf("a script that writes on a full disk: %q", reply)
	}
	clock.advance(time.Minute)
	expect(t, s, "EVAL return(redis.call('GET','a')) 0", "$1\r\n1\r\n", "GET a", "$1\r\n1\r\n", "GET lock", "$-1\r\n", "EXISTS b", ":0\r\n")
	before := dumpStore(t, s)
	copied, torn, err := openStore(dir, clock.now, false, quiet)
	if err != nil || torn != nil {
		t.Fatalf("the log of a full disk: %v, %v", torn, err)
	}
	expect(t, copied, "GET lock", "$-1\r\n")
	sameKeys(t, "the log of a full disk", before, dumpStore(t, copied))
	if err := copied.journal.f.Close(); err != nil {
		t.Fatal(err)
	}
	disk.set(func(d *failing) { d.room = 0 })
	expect(t, s, "SET b 1", "+OK\r\n", "GET lock", "$-1\r\n")
	before = dumpStore(t, s)
	closeStore(t, s)
	s = openAt(t, disk, clock.now)
	defer closeStore(t, s)
	sameKeys(t, "after there was room again", before, dumpStore(t, s))
}

// What cannot be cut off is not written behind.
func TestDiskFullAndUncuttable(t *testing.T) {
	t.Parallel()
	disk := &failing{folder: folder(t.TempDir())}
	s := openAt(t, disk, time.Now)
	expect(t, s, "SET a 1", "+OK\r\n")
	disk.set(func(d *failing) { d.room, d.cut = s.journal.size+10, errors.New("broken") })
	for range 3 {
		if reply := send(t, s, "SET a 2"); !strings.HasPrefix(reply, misconfPrefix) {
			t.Fatalf("got %q", reply)
		}
		expect(t, s, "GET a", "$1\r\n1\r\n")
		disk.set(func(d *failing) { d.room = 0 })
	}
	disk.set(func(d *failing) { d.cut = nil })
	expect(t, s, "SET a 3", "+OK\r\n")
	closeStore(t, s)
	s = openAt(t, disk, time.Now)
	defer closeStore(t, s)
	expect(t, s, "GET a", "$1\r\n3\r\n")
}

// After a failed sync the file is not trusted: changes wait for a new one.
func TestSyncFails(t *testing.T) {
	t.Parallel()
	disk := &failing{folder: folder(t.TempDir())}
	s := openAt(t, disk, time.Now)
	expect(t, s, "SET a 1", "+OK\r\n")
	broken := errors.New("broken")
	disk.set(func(d *failing) { d.unsynced = broken })
	if err := s.sync(); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if reply := send(t, s, "SET a 2"); !strings.HasPrefix(reply, misconfPrefix) {
		t.Fatalf("got %q", reply)
	}
	disk.set(func(d *failing) { d.unsynced = nil })
	if err := s.sync(); !errors.Is(err, broken) {
		t.Errorf("a later sync of the same file is believed: %v", err)
	}
	expect(t, s, "SET a 3", "+OK\r\n")
	if err := s.sync(); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = openAt(t, disk, time.Now)
	defer closeStore(t, s)
	expect(t, s, "GET a", "$1\r\n3\r\n")
}

// With always, what was answered is on the disk; else it is there within the
// second, without a further change.
func TestSynced(t *testing.T) {
	t.Parallel()
	for _, always := range []bool{true, false} {
		disk := &failing{folder: folder(t.TempDir())}
		s, _, err := openStore(disk, time.Now, always, quiet)
		if err != nil {
			t.Fatal(err)
		}
		rdb := dial(t, serveLocal(t, s).addr, localPassword)
		for i := range 20 {
			answered := time.Now()
			if err := rdb.Set(t.Context(), "a", i, 0).Err(); err != nil {
				t.Fatal(err)
			}
			size := func() int64 {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.journal.size
			}()
			if always {
				if got := disk.synced()[logName]; got != size {
					t.Fatalf("answered with %d of %d bytes on the disk", got, size)
				}
				continue
			}
			if i == 0 {
				eventually(t, "sync", func() bool { return disk.synced()[logName] == size })
				t.Logf("synced after %s", time.Since(answered))
			}
		}
	}
}

// The code of an error inside of a script comes first, as in Redis.
func TestScriptErrors(t *testing.T) {
	t.Parallel()
	s := openAt(t, folder(t.TempDir()), time.Now)
	defer closeStore(t, s)
	expect(t, s, "SET a 1", "+OK\r\n",
		"EVAL return(redis.call('LPUSH','a','b')) 0", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
		"EVAL return(redis.error_reply('BUSY.try')) 0", "-ERR BUSY.try\r\n")
	for _, script := range []string{"EVAL nonsense( 0", "EVAL return(redis.call('NOSUCH')) 0"} {
		if reply := send(t, s, script); !strings.HasPrefix(reply, "-ERR ") {
			t.Errorf("%s: %q", script, reply)
		}
	}
}

// A command that miniredis cannot survive changes nothing.
func TestPanicIsUndone(t *testing.T) {
	t.Parallel()
	s := openAt(t, folder(t.TempDir()), time.Now)
	defer closeStore(t, s)
	expect(t, s, "SET a 1", "+OK\r\n")
	before := dumpStore(t, s)
	s.engine.srv.SetPreHook(func(*miniserver.Peer, string, ...string) bool { panic("test") })
	expect(t, s, "SET a 2", replyInternal, "GET a", "$1\r\n1\r\n")
	sameKeys(t, "after a panic", before, dumpStore(t, s))
	expect(t, s, "SET a 3", "+OK\r\n", "XADD s MAXLEN ~", "-ERR wrong number of arguments for 'xadd' command\r\n")
}
