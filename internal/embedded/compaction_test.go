package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// waitCompaction waits for the compaction that runs, and reports whether one did.
func waitCompaction(s *store) bool {
	s.mu.Lock()
	c := s.compacting
	s.mu.Unlock()
	if c == nil {
		return false
	}
	<-c.done
	return true
}

func logSize(s *store) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.size
}

// stepping is a disk that calls before each step on the log that a compaction
// writes, after its renaming, and before that is made to last.
type stepping struct {
	*failing
	step func(what string)
}

func (d stepping) create(name string) (file, error) {
	if name == nextName {
		d.step("create")
	}
	f, err := d.failing.create(name)
	if err != nil || name != nextName {
		return f, err
	}
	return steppingFile{f, d.step}, nil
}

func (d stepping) rename(from, to string) error {
	if from != nextName {
		return d.failing.rename(from, to)
	}
	d.step("rename")
	err := d.failing.rename(from, to)
	d.step("renamed")
	return err
}

func (d stepping) sync() error {
	d.step("name")
	return d.failing.sync()
}

type steppingFile struct {
	file
	step func(what string)
}

func (f steppingFile) WriteAt(b []byte, at int64) (int, error) {
	f.step("write")
	return f.file.WriteAt(b, at)
}

func (f steppingFile) Sync() error {
	f.step("sync")
	return f.file.Sync()
}

func (f steppingFile) Close() error {
	f.step("close")
	return f.file.Close()
}

// copyFolder copies what a process that is killed now would leave.
func copyFolder(t *testing.T, from folder) folder {
	t.Helper()
	to := folder(t.TempDir())
	entries, err := os.ReadDir(string(from))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(from.path(entry.Name()))
		if err == nil {
			err = os.WriteFile(to.path(entry.Name()), text, private)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// Killed at any step of a compaction, with commands coming in all the time, the
// store has everything that was answered.
func TestKilledWhileCompacting(t *testing.T) {
	t.Parallel()
	type left struct {
		what     string
		answered int64
		dir      folder
	}
	var answered atomic.Int64
	var kills []left
	seen := map[string]int{}
	dir := folder(t.TempDir())
	disk := stepping{failing: &failing{folder: dir}}
	disk.step = func(what string) { // one compaction at a time calls it
		if seen[what]++; seen[what] <= 6 {
			n := answered.Load()
			kills = append(kills, left{what, n, copyFolder(t, dir)})
		}
	}
	s := openAt(t, disk, time.Now)
	s.compactAbove = 32 << 10
	for i := int64(1); i <= 4000; i++ {
		if got := send(t, s, "EVAL redis.call('HSET','h'..ARGV[1]%50,'v',ARGV[2])return(redis.call('INCR','n')) 0 "+
			fmt.Sprint(i)+" "+strings.Repeat("v", int(i%90)+1)); got != fmt.Sprintf(":%d\r\n", i) {
			t.Fatalf("change %d: %q", i, got)
		}
		answered.Store(i)
	}
	waitCompaction(s)
	closeStore(t, s)
	for _, what := range []string{"create", "write", "sync", "close", "rename", "renamed"} {
		if seen[what] == 0 {
			t.Errorf("never killed at: %s", what)
		}
	}
	for _, k := range kills {
		s, _, err := openStore(k.dir, time.Now, false, quiet)
		if err != nil {
			t.Fatalf("killed at %s: %v", k.what, err)
		}
		var n int64
		if _, err := fmt.Sscanf(send(t, s, "INCR n"), ":%d", &n); err != nil || n <= k.answered {
			t.Errorf("killed at %s behind %d changes: the next is %d (%v)", k.what, k.answered, n, err)
		}
		closeStore(t, s)
		if _, err := os.Stat(k.dir.path(nextName)); err == nil {
			t.Errorf("killed at %s: a half-written log is left", k.what)
		}
	}
}

// Commands are answered while a compaction is under way, and what they change
// is in the log that it makes.
func TestCommandsDoNotWaitForACompaction(t *testing.T) {
	t.Parallel()
	dir := folder(t.TempDir())
	writing, goOn := make(chan struct{}), make(chan struct{})
	disk := stepping{failing: &failing{folder: dir}}
	writes := 0
	disk.step = func(what string) {
		if what != "write" {
			return
		}
		if writes++; writes == 2 { // the snapshot, behind the header
			close(writing)
			<-goOn
		}
	}
	s := openAt(t, disk, time.Now)
	s.compactAbove = 8 << 10
	for i := 0; !compacting(s); i++ {
		send(t, s, fmt.Sprintf("SET k%d %s", i%10, strings.Repeat("v", 100)))
	}
	<-writing
	expect(t, s, "SET during 1", "+OK\r\n", "SET lock t PX 90000", "+OK\r\n", "GET during", "$1\r\n1\r\n", "DEL k3", ":1\r\n")
	before := dumpStore(t, s)
	close(goOn)
	waitCompaction(s)
	if s.journal.base == headerSize || s.journal.base >= s.journal.size {
		t.Errorf("the snapshot ends at %d of %d", s.journal.base, s.journal.size)
	}
	closeStore(t, s)
	s = openAt(t, dir, time.Now)
	defer closeStore(t, s)
	sameKeys(t, "after the compaction", before, dumpStore(t, s))
}

func compacting(s *store) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.compacting != nil
}

// A compaction that fails, or is overtaken by the end of the store, leaves the
// log as it is.
func TestCompactionFails(t *testing.T) {
	t.Parallel()
	for what, breakIt := range map[string]func(d *failing, size int64){
		"full": func(d *failing, _ int64) { d.room = 20 },
		"sync": func(d *failing, _ int64) { d.unsynced = errors.New("broken") },
	} {
		dir := folder(t.TempDir())
		disk := &failing{folder: dir}
		hold, goOn := make(chan struct{}), make(chan struct{})
		s := openAt(t, stepping{failing: disk, step: func(step string) {
			if step == "create" {
				close(hold)
				<-goOn
			}
		}}, time.Now)
		s.compactAbove = 8 << 10
		for i := 0; !compacting(s); i++ {
			send(t, s, fmt.Sprintf("SET k%d %s", i%10, strings.Repeat("v", 100)))
		}
		<-hold
		size := logSize(s)
		disk.set(func(d *failing) { breakIt(d, size) })
		close(goOn)
		waitCompaction(s)
		disk.set(func(d *failing) { d.room, d.unsynced = 0, nil })
		if logSize(s) != size || s.compactNext <= size {
			t.Errorf("%s: a log of %d bytes has %d, and is tried again at %d", what, size, logSize(s), s.compactNext)
		}
		expect(t, s, "SET after 1", "+OK\r\n")
		before := dumpStore(t, s)
		closeStore(t, s)
		if _, err := os.Stat(filepath.Join(string(dir), nextName)); err == nil {
			t.Errorf("%s: a half-written log is left", what)
		}
		s = openAt(t, dir, time.Now)
		sameKeys(t, what, before, dumpStore(t, s))
		closeStore(t, s)
	}
}

func TestCloseWhileCompacting(t *testing.T) {
	t.Parallel()
	dir := folder(t.TempDir())
	hold, goOn := make(chan struct{}), make(chan struct{})
	s := openAt(t, stepping{failing: &failing{folder: dir}, step: func(step string) {
		if step == "create" {
			close(hold)
			<-goOn
		}
	}}, time.Now)
	s.compactAbove = 8 << 10
	for i := 0; !compacting(s); i++ {
		send(t, s, fmt.Sprintf("SET k%d %s", i%10, strings.Repeat("v", 100)))
	}
	<-hold
	before := dumpStore(t, s)
	closed := make(chan error)
	go func() { closed <- s.close() }()
	eventually(t, "the compaction to be called off", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.compacting != nil && s.compacting.stop.Load()
	})
	close(goOn)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	s = openAt(t, dir, time.Now)
	defer closeStore(t, s)
	sameKeys(t, "after the end", before, dumpStore(t, s))
}
