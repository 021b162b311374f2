package embedded

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// kills is how often the server is killed; QCTL_TEST_KILLS asks for more.
func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("QCTL_TEST_KILLS")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("QCTL_TEST_KILLS is %q", text)
	}
	return n
}

// ledger is what was answered, by writers that count.
type ledger struct {
	mu       sync.Mutex
	answered []int64 // the last number that was answered, per writer
	sent     []int64 // the last one that was sent
}

// writeScript adds a number to a list and to its sum, which must agree.
const writeScript = "redis.call('RPUSH',KEYS[1],ARGV[1]) redis.call('INCRBY',KEYS[2],ARGV[1])" +
	" redis.call('XADD',KEYS[3],'*','n',ARGV[1]) return ARGV[1]"

func writerKeys(w int) []string {
	return []string{fmt.Sprintf("list%d", w), fmt.Sprintf("sum%d", w), fmt.Sprintf("events%d", w)}
}

// write counts on until the server is gone.
func (l *ledger) write(t *testing.T, rdb *redis.Client, w int) {
	for {
		l.mu.Lock()
		l.sent[w]++
		n := l.sent[w]
		l.mu.Unlock()
		if err := rdb.Eval(t.Context(), writeScript, writerKeys(w), n).Err(); err != nil {
			return
		}
		l.mu.Lock()
		l.answered[w] = n
		l.mu.Unlock()
	}
}

// check compares the store with the ledger, and has the writers go on behind
// what is there. Nothing that was answered may be missing, and what was never
// answered is there as a whole or not at all.
func (l *ledger) check(t *testing.T, rdb *redis.Client) {
	t.Helper()
	for w := range l.sent {
		keys := writerKeys(w)
		list, err := rdb.LRange(t.Context(), keys[0], 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for i, text := range list {
			if text != strconv.Itoa(i+1) {
				t.Fatalf("writer %d: entry %d is %s", w, i+1, text)
			}
			sum += int64(i + 1)
		}
		kept := int64(len(list))
		if kept < l.answered[w] || kept > l.sent[w] {
			t.Fatalf("writer %d: %d entries, answered were %d, sent %d", w, kept, l.answered[w], l.sent[w])
		}
		stored, err := rdb.Get(t.Context(), keys[1]).Int64()
		if kept > 0 && (err != nil || stored != sum) {
			t.Fatalf("writer %d: the sum is %d, not %d: %v", w, stored, sum, err)
		}
		if events, err := rdb.XLen(t.Context(), keys[2]).Result(); err != nil || events != kept {
			t.Fatalf("writer %d: %d events, not %d: %v", w, events, kept, err)
		}
		l.sent[w], l.answered[w] = kept, kept
	}
}

// A server that is killed while it writes has everything that it answered, and
// starts again without help. Both ways to sync hand every record to the system
// before the answer; they differ when the machine dies.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, fsync := range []Fsync{FsyncEverySecond, FsyncAlways} {
		t.Run(string(fsync), func(t *testing.T) {
			t.Parallel()
			o := testOptions(t)
			o.Fsync = fsync
			const writers = 4
			l := &ledger{answered: make([]int64, writers), sent: make([]int64, writers)}
			for round := range kills(t) {
				info := mustOpen(t, o)
				if !info.Started || info.Fsync != fsync {
					t.Fatalf("round %d: %+v", round, info)
				}
				rdb := dial(t, info.Addr, info.Password)
				l.check(t, rdb)
				l.killDuringWrites(t, rdb, info.PID, 50+37*int64(round))
				_ = rdb.Close()
			}
			info := mustOpen(t, o)
			l.check(t, dial(t, info.Addr, info.Password))
			t.Logf("%s: %v answered", fsync, l.answered)
		})
	}
}

// killDuringWrites has all writers write, and kills the server after some
// answers.
func (l *ledger) killDuringWrites(t *testing.T, rdb *redis.Client, pid int, after int64) {
	t.Helper()
	target := after
	for _, n := range l.answered {
		target += n
	}
	l.killWhen(t, rdb, pid, "enough answers", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		sum := int64(0)
		for _, n := range l.answered {
			sum += n
		}
		return sum >= target
	})
}

// killWhen has all writers write, and kills the server at a moment.
func (l *ledger) killWhen(t *testing.T, rdb *redis.Client, pid int, what string, moment func() bool) {
	t.Helper()
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for w := range l.sent {
		group.Go(func() { l.write(t, rdb, w) })
	}
	eventually(t, what, moment)
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	group.Wait()
}

// When the machine dies, the log is what was synced last: all that was answered
// a second ago is in it, and it opens.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	disk := &failing{folder: folder(t.TempDir())}
	s := openAt(t, disk, time.Now)
	srv := serveLocal(t, s)
	rdb := dial(t, srv.addr, localPassword)
	type mark struct{ at, size int64 }
	var answered []mark
	start := time.Now()
	for time.Since(start) < 2200*time.Millisecond {
		if err := rdb.Set(t.Context(), "a", len(answered), 0).Err(); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		size := s.journal.size
		s.mu.Unlock()
		answered = append(answered, mark{time.Since(start).Milliseconds(), size})
		safe, now := disk.synced()[logName], time.Since(start).Milliseconds()
		for len(answered) > 0 && answered[0].size <= safe {
			answered = answered[1:]
		}
		if len(answered) > 0 && now-answered[0].at > 1000+disk.slowestSync().Milliseconds() {
			t.Fatalf("answered %d ms ago and not on the disk", now-answered[0].at)
		}
		if len(answered) == 0 {
			answered = make([]mark, 0, 1024)
		}
	}
	text, err := os.ReadFile(disk.path(logName))
	if err != nil {
		t.Fatal(err)
	}
	safe := disk.synced()[logName]
	if safe <= headerSize {
		t.Fatal("nothing was synced")
	}
	if _, _, err := reopen(t, folder(t.TempDir()), text[:safe]); err != nil {
		t.Fatal(err)
	}
}
