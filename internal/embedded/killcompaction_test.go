package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A server that is killed while it rewrites its log, by turns at the beginning,
// in the middle and towards the end of the new one, and when it has just taken
// its place, has everything that it answered; what was half written is not read,
// and goes.
func TestKilledInCompaction(t *testing.T) {
	t.Parallel()
	for _, fsync := range []Fsync{FsyncEverySecond, FsyncAlways} {
		t.Run(string(fsync), func(t *testing.T) {
			t.Parallel()
			o := testOptions(t)
			o.Fsync, o.compactAbove = fsync, 1<<20
			const writers = 4
			l := &ledger{answered: make([]int64, writers), sent: make([]int64, writers)}
			halfWritten, exchanged := 0, 0
			for round := range max(kills(t)*2/5, 4) {
				info := mustOpen(t, o)
				if n := sizeOf(o.Dir, nextName); n >= 0 {
					t.Fatalf("round %d: %d bytes of a half-written log are left", round, n)
				}
				rdb := dial(t, info.Addr, info.Password)
				l.check(t, rdb)
				var filling sync.WaitGroup
				filling.Go(func() { fill(t, rdb) })
				began := false
				l.killWhen(t, rdb, info.PID, "a compaction", func() bool {
					n := sizeOf(o.Dir, nextName)
					began = began || n >= 0
					switch round % 4 {
					case 0:
						return n >= 0
					case 1:
						return n > fillBytes/4
					case 2:
						return n > fillBytes
					}
					return began && n < 0
				})
				filling.Wait()
				switch n := sizeOf(o.Dir, nextName); {
				case n >= 0:
					halfWritten++
				case round%4 == 3:
					exchanged++
				}
				_ = rdb.Close()
			}
			info := mustOpen(t, o)
			l.check(t, dial(t, info.Addr, info.Password))
			if halfWritten == 0 {
				t.Error("never killed in the middle of a compaction")
			}
			t.Logf("%s: %v answered, %d times a half-written log, %d times just exchanged", fsync, l.answered, halfWritten, exchanged)
		})
	}
}

// What is written to have the log rewritten again and again, and how large it is.
const (
	fillKeys  = 10_000
	fillValue = 200
	fillBytes = fillKeys * fillValue
)

// fill writes the same keys until the server is gone.
func fill(t *testing.T, rdb *redis.Client) {
	value := strings.Repeat("v", fillValue)
	for i := 0; ; {
		_, err := rdb.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
			for range 500 {
				i++
				pipe.Set(t.Context(), fmt.Sprintf("fill%d", i%fillKeys), value, 0)
			}
			return nil
		})
		if err != nil {
			return
		}
	}
}

// sizeOf is the size of a file of the store, -1 when it is not there.
func sizeOf(dir, name string) int64 {
	stat, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return -1
	}
	return stat.Size()
}
