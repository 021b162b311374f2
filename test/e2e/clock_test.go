package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/redistest"
)

// The clock: schedulers whose leader is killed again and again. QCTL_CLOCK_KILLS
// sets how often.
const (
	clockKills      = 20
	clockSchedulers = 3
	clockWorkers    = 2
	clockLock       = time.Second
	clockEvery      = 300 * time.Millisecond
	clockPeriod     = 1000 // of every schedule, in milliseconds
)

// clockQueues are the schedules of each queue.
var clockQueues = map[string][]string{"chimes": {"a", "b", "c", "cron"}, "bells": {"d", "e"}}

// TestClockKills holds three promises, read from the event streams: every time of
// a schedule is added once, none is run twice, and none is missed but where the
// chain was broken, which costs all but the last of the times until it is mended.
func TestClockKills(t *testing.T) {
	t.Parallel()
	kills := clockKills
	if text := os.Getenv("QCTL_CLOCK_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	c := startClock(t)
	c.await("all schedules to run", func() bool {
		for queue, ids := range clockQueues {
			if c.rdb.ZCard(t.Context(), "bull:"+queue+":repeat").Val() != int64(len(ids)) {
				return false
			}
		}
		return true
	})
	var slowest time.Duration
	for kill := range kills {
		if kill%3 == 0 {
			c.breakChain()
		}
		if kill%4 == 0 {
			c.killWorker()
		}
		slowest = max(slowest, c.killLeader())
		if kill%10 == 9 {
			c.holdUp()
		}
		if kill%5 == 0 {
			c.breakChain()
		}
		c.await("every broken schedule to go on", c.mended)
	}
	terms := c.rdb.Get(t.Context(), "qctl:{scheduler}:fence").Val()
	c.stop()
	t.Logf("%d kills of the leader, terms: %s, slowest take-over: %s", kills, terms, slowest.Round(time.Millisecond))
	c.checkStreams()
}

// clock is a fleet of processes on a Redis of its own.
type clock struct {
	t          *testing.T
	rdb        *redis.Client
	env        []string
	schedulers []*exec.Cmd
	workers    []*exec.Cmd
	broken     []broken
}

// broken is a job of a schedule that was taken away.
type broken struct {
	queue, schedule string
	slot            int64
	at              int64 // by the clock of Redis
}

func startClock(t *testing.T) *clock {
	t.Helper()
	server := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "qctl.yaml")
	text := "version: 1\nqueues: {chimes: {}, bells: {}}\nschedules:\n"
	for queue, ids := range clockQueues {
		for _, id := range ids {
			when := "every: 1s"
			if id == "cron" {
				when = `pattern: "* * * * * *"`
			}
			text += fmt.Sprintf("  - {queue: %s, id: %s, %s}\n", queue, id, when)
		}
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &clock{t: t, rdb: server.Client(), env: []string{"REDIS_URL=" + server.URL(), "QCTL_CONFIG=" + file}}
	for range clockSchedulers {
		c.schedulers = append(c.schedulers, c.scheduler())
	}
	for range clockWorkers {
		c.workers = append(c.workers, c.worker())
	}
	t.Cleanup(func() {
		for _, cmd := range slices.Concat(c.schedulers, c.workers) {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return c
}

func (c *clock) start(args ...string) *exec.Cmd {
	c.t.Helper()
	cmd := command(c.env, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return cmd
}

func (c *clock) scheduler() *exec.Cmd {
	return c.start("scheduler", "--lock", clockLock.String(), "--every", clockEvery.String(), "--log-level", "error")
}

func (c *clock) worker() *exec.Cmd {
	return c.start("worker", "--queue", "chimes", "--queue", "bells", "--handler", "sleep=50ms", "--concurrency", "5", "--lock", "1s",
		"--stalled-interval", "500ms", "--max-stalled", "100", "--log-level", "error")
}

func (c *clock) await(what string, ok func() bool) {
	c.t.Helper()
	redistest.WaitFor(c.t, time.Minute, what, ok)
}

// replace kills a process as a crash would, and starts another.
func (c *clock) replace(cmd **exec.Cmd, start func() *exec.Cmd) {
	_ = (*cmd).Process.Kill()
	_ = (*cmd).Wait()
	*cmd = start()
}

// leader is the place of the process that leads, -1 when none does.
func (c *clock) leader() int {
	pid := c.rdb.HGet(c.t.Context(), "qctl:{scheduler}:leader", "pid").Val()
	return slices.IndexFunc(c.schedulers, func(cmd *exec.Cmd) bool { return strconv.Itoa(cmd.Process.Pid) == pid })
}

// killLeader returns how long nobody led.
func (c *clock) killLeader() time.Duration {
	c.t.Helper()
	c.await("a leader", func() bool { return c.leader() >= 0 })
	at := time.Now()
	c.replace(&c.schedulers[c.leader()], c.scheduler)
	c.await("another leader", func() bool { return c.leader() >= 0 })
	since := number(c.t, c.rdb.HGet(c.t.Context(), "qctl:{scheduler}:leader", "since").Val())
	return time.UnixMilli(since).Sub(at)
}

// holdUp stops all schedulers for some times of a schedule that is broken
// meanwhile, and lets them go on: the one that led has lost its lease by then.
func (c *clock) holdUp() {
	c.t.Helper()
	signal := func(s syscall.Signal) {
		for _, cmd := range c.schedulers {
			if err := cmd.Process.Signal(s); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	c.breakChain()
	end := c.broken[len(c.broken)-1].slot + 3*clockPeriod + clockPeriod/2
	c.await("some times to pass", func() bool { return c.rdb.Time(c.t.Context()).Val().UnixMilli() > end })
	signal(syscall.SIGCONT)
}

func (c *clock) killWorker() {
	c.replace(&c.workers[rand.IntN(len(c.workers))], c.worker)
}

// takeAway removes the next job of a schedule if it waits for its time.
var takeAway = redis.NewScript(`
local at = redis.call('ZSCORE', KEYS[1] .. ':repeat', ARGV[1])
local id = at and 'repeat:' .. ARGV[1] .. ':' .. string.format('%.0f', at)
if not at or redis.call('ZREM', KEYS[1] .. ':delayed', id) == 0 then
  return {}
end
redis.call('DEL', KEYS[1] .. ':' .. id)
local now = redis.call('TIME')
return { string.format('%.0f', at), string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)) }
`)

func (c *clock) breakChain() {
	c.t.Helper()
	queue := []string{"chimes", "bells"}[rand.IntN(2)]
	b := broken{queue: queue, schedule: clockQueues[queue][rand.IntN(len(clockQueues[queue]))]}
	c.await("a job that waits for its time", func() bool {
		answer, err := takeAway.Run(c.t.Context(), c.rdb, []string{"bull:" + queue}, b.schedule).StringSlice()
		if err != nil {
			c.t.Fatal(err)
		}
		if len(answer) != 2 {
			return false
		}
		b.slot, b.at = number(c.t, answer[0]), number(c.t, answer[1])
		return true
	})
	c.broken = append(c.broken, b)
}

// mended reports whether every schedule that was broken has a job again.
func (c *clock) mended() bool {
	for _, b := range c.broken {
		at := c.rdb.ZScore(c.t.Context(), "bull:"+b.queue+":repeat", b.schedule).Val()
		if int64(at) == b.slot && c.rdb.Exists(c.t.Context(), fmt.Sprintf("bull:%s:repeat:%s:%d", b.queue, b.schedule, b.slot)).Val() == 0 {
			return false
		}
	}
	return true
}

// stop ends all processes as an operator would.
func (c *clock) stop() {
	c.t.Helper()
	for _, cmd := range slices.Concat(c.schedulers, c.workers) {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			c.t.Errorf("%s: %v", strings.Join(cmd.Args[1:], " "), err)
		}
	}
	if n := c.rdb.Exists(c.t.Context(), "qctl:{scheduler}:leader").Val(); n != 0 {
		c.t.Error("the last leader has not resigned")
	}
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// slot is what the stream says of one time of a schedule.
type slot struct {
	at        int64
	added     []int64 // when it was added, by the clock of Redis
	active    []int64
	completed int
	stalled   int
}

// read returns the slots of a schedule in their order.
func (c *clock) read(queue, schedule string) []*slot {
	c.t.Helper()
	events, err := c.rdb.XRange(c.t.Context(), "bull:"+queue+":events", "-", "+").Result()
	if err != nil {
		c.t.Fatal(err)
	}
	found := map[int64]*slot{}
	for _, e := range events {
		id, _ := e.Values["jobId"].(string)
		text, ok := strings.CutPrefix(id, "repeat:"+schedule+":")
		if !ok {
			continue
		}
		at := number(c.t, text)
		if found[at] == nil {
			found[at] = &slot{at: at}
		}
		s := found[at]
		stamp, _, _ := strings.Cut(e.ID, "-")
		switch e.Values["event"] {
		case "added":
			s.added = append(s.added, number(c.t, stamp))
		case "active":
			s.active = append(s.active, number(c.t, stamp))
		case "completed":
			s.completed++
		case "stalled":
			s.stalled++
		}
	}
	var slots []*slot
	for _, s := range found {
		slots = append(slots, s)
	}
	slices.SortFunc(slots, func(a, b *slot) int { return int(a.at - b.at) })
	return slots
}

// clockTally counts what was seen.
type clockTally struct{ slots, mended, caughtUp, missedBroken, stalled, late, missedLate int }

func (c *clock) checkStreams() {
	c.t.Helper()
	var n clockTally
	for queue, ids := range clockQueues {
		for _, id := range ids {
			slots := c.read(queue, id)
			if len(slots) < 5 {
				c.t.Errorf("%s %s: only %d times", queue, id, len(slots))
			}
			n.slots += len(slots)
			for i, s := range slots {
				c.checkSlot(&n, queue, id, s, i == len(slots)-1)
				if i > 0 {
					c.checkGap(&n, queue, id, slots[i-1], s)
				}
			}
		}
	}
	c.t.Logf("%d times of schedules; %d jobs taken away: %d put back in time, %d not, and %d more times passed meanwhile; %d jobs stalled with a killed worker; %d jobs were taken up so late that %d times had passed",
		n.slots, len(c.broken), n.mended, n.caughtUp, n.missedBroken, n.stalled, n.late, n.missedLate)
	if n.mended+n.caughtUp != len(c.broken) {
		c.t.Errorf("%d jobs were taken away, and %d made up for", len(c.broken), n.mended+n.caughtUp)
	}
}

// taken lists the times at which a slot was taken away.
func (c *clock) taken(queue, id string, at int64) (times []int64) {
	for _, b := range c.broken {
		if b.queue == queue && b.schedule == id && b.slot == at {
			times = append(times, b.at)
		}
	}
	return times
}

// checkSlot: added once, run once. One that was taken away before its time may be
// put back, and one whose worker was killed is run again.
func (c *clock) checkSlot(n *clockTally, queue, id string, s *slot, last bool) {
	c.t.Helper()
	taken := len(c.taken(queue, id, s.at))
	again := len(s.added) - 1
	n.stalled += s.stalled
	switch {
	case again > taken || again < 0:
		c.t.Errorf("%s %s %d: added %d times", queue, id, s.at, len(s.added))
	case again < taken-1:
		c.t.Errorf("%s %s %d: taken away %d times, and added %d", queue, id, s.at, taken, len(s.added))
	}
	n.mended += max(again, 0)
	if s.completed > 1 || len(s.active) > 1+s.stalled {
		c.t.Errorf("%s %s %d: run %d times, completed %d, stalled %d", queue, id, s.at, len(s.active), s.completed, s.stalled)
	}
	if s.completed == 0 && taken == again && !last {
		c.t.Errorf("%s %s %d: never completed", queue, id, s.at)
	}
}

// checkGap: the next time follows, unless the chain was broken: its job was taken
// away, and the last of the times missed since is made at once; or a worker took
// the job up only after the times between had passed. A job that was taken away
// and whose time has passed is not made again: for all that Redis knows, it ran.
func (c *clock) checkGap(n *clockTally, queue, id string, before, s *slot) {
	c.t.Helper()
	missed := int((s.at-before.at)/clockPeriod) - 1
	if (s.at-before.at)%clockPeriod != 0 {
		c.t.Errorf("%s %s: %d is followed by %d", queue, id, before.at, s.at)
	}
	lost := c.taken(queue, id, before.at)
	switch madeAt := s.added[0]; {
	case len(before.added) == len(lost) && len(lost) > 0:
		n.caughtUp++
		n.missedBroken += missed
		last := before.at + (madeAt-before.at)/clockPeriod*clockPeriod
		if s.at != max(last, before.at+clockPeriod) {
			c.t.Errorf("%s %s: %d was caught up with at %d by %d", queue, id, before.at, madeAt, s.at)
		}
	case missed == 0:
	case len(before.active) > 0 && before.active[len(before.active)-1] > s.at-clockPeriod:
		n.late++
		n.missedLate += missed
	default:
		c.t.Errorf("%s %s: %d is followed by %d, made at %d", queue, id, before.at, s.at, madeAt)
	}
}
