package embedded

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Commands do not wait for the disk during a compaction, except with every
// answer synced: then for one sync. The new log is on the disk by its name
// before the compaction is over.
func TestNoSyncUnderTheLock(t *testing.T) {
	t.Parallel()
	for _, always := range []bool{false, true} {
		goOn := make(chan struct{})
		var s *store
		opened := atomic.Bool{}
		held, syncs := 0, 0
		var steps []string
		disk := stepping{failing: &failing{folder: folder(t.TempDir())}}
		disk.step = func(what string) {
			if !opened.Load() {
				return
			}
			steps = append(steps, what)
			switch what {
			case "create":
				<-goOn // until no command holds the lock
			case "sync", "name":
				syncs++
				if !s.mu.TryLock() {
					held++
					return
				}
				s.mu.Unlock()
			}
		}
		s = openAt(t, disk, time.Now)
		s.compactAbove, s.always = 8<<10, always
		opened.Store(true)
		for i := 0; !compacting(s); i++ {
			send(t, s, fmt.Sprintf("SET k%d %s", i%10, strings.Repeat("v", 100)))
		}
		s.mu.Lock()
		done := s.compacting.done
		s.mu.Unlock()
		close(goOn)
		<-done
		opened.Store(false)
		order := strings.Join(steps, " ")
		want := 0
		if always {
			want = 1
		}
		if held != want || syncs < 2 || !strings.Contains(order, "renamed name") {
			t.Errorf("always %v: %d of %d syncs with the lock held: %s", always, held, syncs, order)
		}
		if err := s.sync(); err != nil || s.journal.synced.Load() != s.journal.appended.Load() {
			t.Errorf("always %v: %v, %d of %d bytes are safe", always, err, s.journal.synced.Load(), s.journal.appended.Load())
		}
		closeStore(t, s)
	}
}

// A compaction that writers outrun, or whose disk is slow, is put off: the log
// stays as it is, with all that was written.
func TestCompactionIsPutOff(t *testing.T) {
	t.Parallel()
	for what, outrun := range map[string]func(s *store, clock *fakeClock, step string){
		"fast writers": func(s *store, _ *fakeClock, step string) {
			if step == "write" {
				s.do([]string{"SET", "large", strings.Repeat("v", 2*catchUpBytes)})
			}
		},
		"slow disk": func(_ *store, clock *fakeClock, step string) {
			if step == "sync" {
				clock.advance(time.Second)
			}
		},
	} {
		dir, clock := folder(t.TempDir()), newFakeClock()
		var s *store
		disk := stepping{failing: &failing{folder: dir}}
		disk.step = func(step string) {
			if s != nil {
				outrun(s, clock, step)
			}
		}
		opened := openAt(t, disk, clock.now)
		opened.compactAbove = 8 << 10
		s = opened
		for i := 0; !compacting(s); i++ {
			send(t, s, fmt.Sprintf("SET k%d %s", i%10, strings.Repeat("v", 100)))
		}
		waitCompaction(s)
		if s.compactNext <= logSize(s) || s.journal.base != headerSize {
			t.Errorf("%s: tried again at %d of %d, the snapshot ends at %d", what, s.compactNext, logSize(s), s.journal.base)
		}
		if _, err := os.Stat(dir.path(nextName)); err == nil {
			t.Errorf("%s: a half-written log is left", what)
		}
		before := dumpStore(t, s)
		closeStore(t, s)
		s = openAt(t, dir, clock.now)
		sameKeys(t, what, before, dumpStore(t, s))
		closeStore(t, s)
	}
}
