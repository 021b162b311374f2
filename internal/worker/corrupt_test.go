package worker_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
	"github.com/qctl/qctl/internal/worker"
)

func TestCorruptJobsNeverRun(t *testing.T) {
	onEach(t, func(e *env) {
		push := func(id string, fields ...any) {
			e.t.Helper()
			if len(fields) > 0 {
				e.must(e.rdb.HSet(e.ctx, e.key(id), fields...).Err())
			}
			e.must(e.rdb.LPush(e.ctx, e.key("wait"), id).Err())
		}
		push("missing")
		push("data", "name", "x", "data", `{"a`, "opts", `{}`)
		push("opts", "name", "x", "data", `{}`, "opts", `[1`)
		push("nullopts", "name", "x", "data", `{}`, "opts", `null`)
		push("noname", "data", `{}`, "opts", `{}`)
		push("nodata", "name", "x", "opts", `{}`)
		push("deferred", "name", "x", "data", `{}`, "opts", `{"attempts":5}`, "defa", "child failed")
		e.must(e.rdb.Set(e.ctx, e.key("string"), "v", 0).Err())
		push("string")
		push("numbers", "name", "x", "data", `{}`, "opts", `{"attempts":1e18,"backoff":-5}`, "atm", "many", "ats", "1e400", "stacktrace", "{")
		twice := e.add("twice", `{}`, queue.JobOptions{})
		push(twice)
		healthy := e.addMany(5, queue.JobOptions{})

		l := newLedger()
		r := e.start(worker.Config{Concurrency: 3, Handler: l.around(func(ctx context.Context, job worker.Job, _ worker.Reporter) (json.RawMessage, error) {
			if job.Name == "twice" {
				pass(50 * time.Millisecond)
			}
			return nil, nil
		})})
		e.eventually("the queue to be empty", func() bool {
			c := e.counts()
			return c["wait"] == 0 && c["active"] == 0 && l.ran() >= 7
		})
		pass(200 * time.Millisecond)
		ran := l.times()
		for id := range ran {
			if id != twice && id != "numbers" && !contains(healthy, id) {
				e.t.Errorf("job %q ran", id)
			}
		}
		if len(l.overlap) > 0 {
			e.t.Errorf("ran twice at once: %v", l.overlap)
		}
		got := map[string]string{}
		for _, id := range []string{"data", "opts", "nullopts", "noname", "nodata", "deferred"} {
			got[id] = e.hash(id, "failedReason")
		}
		want := map[string]string{
			"data": "corrupt job: data: unexpected end of JSON input at byte 3", "opts": "corrupt job: opts: not a JSON object",
			"nullopts": "corrupt job: opts: not a JSON object", "noname": "corrupt job: name: missing",
			"nodata": "corrupt job: data: missing", "deferred": "child failed",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Errorf("failed reasons (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(map[string]int64{"completed": 7, "failed": 6}, e.counts()); diff != "" {
			e.t.Errorf("counts (-want +got)\n%s", diff)
		}
		if aside, err := e.rdb.ZRange(e.ctx, e.key("qctl:corrupt"), 0, -1).Result(); err != nil || !cmp.Equal(aside, []string{"string"}) {
			e.t.Errorf("set aside %v, %v", aside, err)
		}
		if n := e.locks(); n != 0 {
			e.t.Errorf("%d locks left", n)
		}
		r.finish()
	})
}

func contains(ids []string, id string) bool {
	for _, other := range ids {
		if other == id {
			return true
		}
	}
	return false
}

// A queue whose keys have the wrong type is parked: few calls, few log lines,
// and work goes on once somebody has mended it.
func TestWrongTypedKeysParkTheQueue(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"wait", "active", "meta", "events", "stalled", "metrics:completed"} {
		t.Run(suffix, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			e := newEnv(t, server.Addr)
			key := e.key(suffix)
			if suffix != "wait" && suffix != "meta" && suffix != "events" {
				e.addMany(20, queue.JobOptions{})
			}
			e.must(e.rdb.Set(e.ctx, key, "wrong", 0).Err())
			lines := &logs{}
			l := newLedger()
			r := e.start(worker.Config{Concurrency: 4, Handler: l.around(succeed), Log: lines.logger(), MetricsPoints: 10})
			e.eventually("an error", func() bool { return lines.lines("level=ERROR") > 0 })
			before := e.calls()
			pass(2 * time.Second)
			// Ours are two of them per look; the rest are script calls.
			if n := e.calls() - before; n > 12 {
				t.Errorf("%d calls in 2 s", n)
			}
			if n := lines.lines("level=ERROR msg=\"worker error\" queue=" + e.base.String() + " doing=redis"); n > 4 {
				t.Errorf("%d log lines in 2 s", n)
			}
			if n := l.ran(); n > 8 {
				t.Errorf("%d jobs ran that could not be recorded", n)
			}
			e.must(e.rdb.Del(e.ctx, key).Err())
			e.addMany(3, queue.JobOptions{})
			e.eventually("work to go on", func() bool { return e.counts()["completed"] >= 3 && e.counts()["wait"] == 0 })
			r.finish()
		})
	}
}

// calls counts the script calls and blocking reads that the server has seen.
func (e *env) calls() int {
	e.t.Helper()
	text, err := e.rdb.Info(e.ctx, "commandstats").Result()
	e.must(err)
	total := 0
	for line := range strings.Lines(text) {
		for _, name := range []string{"cmdstat_evalsha:", "cmdstat_eval:", "cmdstat_bzpopmin:", "cmdstat_lrange:"} {
			if rest, ok := strings.CutPrefix(line, name+"calls="); ok {
				number, _, _ := strings.Cut(rest, ",")
				total += atoi(number)
			}
		}
	}
	return total
}

func atoi(text string) int {
	n := 0
	for _, c := range text {
		n = n*10 + int(c-'0')
	}
	return n
}
