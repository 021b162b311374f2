package worker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/worker"
)

func z(score int64, member string) redis.Z { return redis.Z{Score: float64(score), Member: member} }

// schedule writes a scheduler and its first iteration, due now, as BullMQ does.
func (e *env) schedule(id, record, repeat string) {
	e.t.Helper()
	now := time.Now().UnixMilli()
	fields := []any{"name", "tick", "ic", 1, "data", `{"n":1}`}
	for field := range strings.FieldsSeq(record) {
		name, value, _ := strings.Cut(field, "=")
		fields = append(fields, name, strings.ReplaceAll(value, "_", " "))
	}
	e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), z(now, id)).Err())
	e.must(e.rdb.HSet(e.ctx, e.key("repeat:"+id), fields...).Err())
	job := fmt.Sprintf("repeat:%s:%d", id, now)
	opts := fmt.Sprintf(`{"attempts":2,"repeat":{%s,"count":1},"jobId":%q,"delay":0,"timestamp":%d,"repeatJobKey":%q,"prevMillis":%d}`, repeat, job, now, id, now)
	e.must(e.rdb.HSet(e.ctx, e.key(job), "name", "tick", "data", `{"n":1}`, "opts", opts, "timestamp", now, "delay", 0, "priority", 0, "rjk", id).Err())
	e.must(e.rdb.LPush(e.ctx, e.key("wait"), job).Err())
	e.must(e.rdb.ZAdd(e.ctx, e.key("marker"), z(0, "0")).Err())
}

// iterations returns the ids of all jobs of a scheduler.
func (e *env) iterations(id string) []string {
	e.t.Helper()
	keys, err := e.rdb.Keys(e.ctx, e.key("repeat:"+id+":*")).Result()
	e.must(err)
	return keys
}

func TestSchedulesGoOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		record, repeat string
		runs           int
	}{
		"every": {"every=200 offset=0", `"every":200`, 6},
		"cron":  {"pattern=*_*_*_*_*_* tz=Europe/Berlin", `"pattern":"* * * * * *","tz":"Europe/Berlin"`, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := onRealRedis(t)
			l := newLedger()
			cfg := worker.Config{Concurrency: 3, NextRun: cron.NextRun, Handler: l.around(succeed)}
			first, second := e.start(cfg), e.start(cfg)
			e.schedule("s", test.record, test.repeat)
			e.eventually("iterations", func() bool { return l.ran() >= test.runs })
			first.finish()
			second.finish()
			for id, n := range l.times() {
				if n != 1 {
					t.Errorf("%s ran %d times", id, n)
				}
			}
			c := e.counts()
			score := e.rdb.ZScore(e.ctx, e.key("repeat"), "s").Val()
			next := fmt.Sprintf("repeat:s:%.0f", score)
			if pending := c["delayed"] + c["wait"]; pending != 1 || e.hash(next, "name") != "tick" || e.hash(next, "data") != `{"n":1}` || e.hash(next, "rjk") != "s" {
				t.Errorf("pending %v, next %s: %v", c, next, e.rdb.HGetAll(e.ctx, e.key(next)).Val())
			}
			if got := len(e.iterations("s")); got != l.ran()+1 {
				t.Errorf("%d iterations exist, %d ran", got, l.ran())
			}
			if got := e.rdb.HGet(e.ctx, e.key("repeat:s"), "ic").Val(); got != fmt.Sprint(l.ran()+1) {
				t.Errorf("iteration count %s, %d ran", got, l.ran())
			}
			if opts := e.hash(next, "opts"); !strings.Contains(opts, fmt.Sprintf(`"count":%d`, l.ran()+1)) || !strings.Contains(opts, `"attempts":2`) {
				t.Errorf("options of the next iteration: %s", opts)
			}
		})
	}
}

func TestSchedulesEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		record, repeat string // END stands for the end date
		least, most    int
	}{
		"limit":                 {"every=100 offset=0 limit=3", `"every":100,"limit":3`, 3, 3},
		"end date":              {"every=150 offset=0 endDate=END", `"every":150,"endDate":END`, 2, 10},
		"end date of a pattern": {"pattern=*_*_*_*_*_* endDate=END", `"pattern":"* * * * * *","endDate":END`, 1, 3},
		"broken pattern":        {"pattern=nonsense", `"pattern":"nonsense"`, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := onRealRedis(t)
			l := newLedger()
			r := e.start(worker.Config{Concurrency: 2, NextRun: cron.NextRun, Handler: l.around(succeed)})
			end := time.Now().Add(1200 * time.Millisecond)
			text := fmt.Sprint(end.UnixMilli())
			e.schedule("s", strings.ReplaceAll(test.record, "END", text), strings.ReplaceAll(test.repeat, "END", text))
			e.eventually("the schedule to end", func() bool {
				c := e.counts()
				return time.Since(end) > 200*time.Millisecond && l.ran() >= test.least && c["delayed"] == 0 && c["wait"] == 0 && c["active"] == 0
			})
			ran := l.ran()
			pass(400 * time.Millisecond)
			if ran != l.ran() || ran > test.most {
				t.Errorf("%d iterations, later %d", ran, l.ran())
			}
			r.finish()
		})
	}
}

// A job without a cron clock, and one whose iteration is old, still run.
func TestScheduleWithoutClock(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	l := newLedger()
	lines := &logs{}
	r := e.start(worker.Config{Handler: l.around(succeed), Log: lines.logger()})
	e.schedule("s", "every=100", `"every":100`)
	e.eventually("the iteration", func() bool { return e.counts()["completed"] == 1 })
	r.finish()
	if lines.lines("no cron clock") != 1 {
		t.Errorf("log:\n%s", lines.text.String())
	}
}
