package embedded

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkCompaction reports how long a compaction of a million keys takes, and
// for how long a command waited at most while it went on: with a command every
// millisecond, and with as many as one client gets answered.
func BenchmarkCompaction(b *testing.B) {
	for _, fsync := range []Fsync{FsyncEverySecond, FsyncAlways} {
		for name, pause := range map[string]time.Duration{"1ms": time.Millisecond, "fast": 0} {
			b.Run(string(fsync)+"/"+name, func(b *testing.B) { benchmarkCompaction(b, fsync, pause) })
		}
	}
}

func benchmarkCompaction(b *testing.B, fsync Fsync, pause time.Duration) {
	s := openAt(b, folder(b.TempDir()), time.Now)
	defer closeStore(b, s)
	s.compactAbove = 1 << 40 // not by itself
	value := strings.Repeat("v", 100)
	for i := range 250_000 {
		s.do([]string{"HSET", fmt.Sprintf("bull:email:%d", i), "name", "send", "data", value, "opts", "{}", "timestamp", "1"})
		s.do([]string{"ZADD", "bull:email:failed", fmt.Sprint(i), fmt.Sprint(i)})
		for k := range 3 {
			s.do([]string{"SET", fmt.Sprintf("bull:email:%d:%d", i, k), value})
		}
	}
	s.always = fsync == FsyncAlways
	ended := make(chan struct{})
	defer close(ended)
	go syncUntil(s, ended)
	var longest, took time.Duration
	commands := 0
	for b.Loop() {
		started := time.Now()
		s.mu.Lock()
		s.startCompaction()
		s.mu.Unlock()
		for ; compacting(s); commands++ {
			before := time.Now()
			if _, until := s.do([]string{"SET", fmt.Sprintf("other:%d", commands%1000), value}); until > 0 && commands%100 == 0 {
				if err := s.journal.sync(until); err != nil {
					b.Fatal(err)
				}
				continue
			}
			longest = max(longest, time.Since(before))
			if pause > 0 {
				<-time.After(pause)
			}
		}
		took = time.Since(started)
	}
	if s.compactNext != 0 {
		b.Error("the compaction was put off")
	}
	b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
	b.ReportMetric(float64(took.Milliseconds()), "compaction-ms")
	b.ReportMetric(float64(commands), "commands")
}

// syncUntil syncs the log as a server does.
func syncUntil(s *store, ended <-chan struct{}) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = s.sync()
		case <-ended:
			return
		}
	}
}
