package queue_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// freshHash is the hash of a job without a payload that was added at the start.
func freshHash(name, opts string, delay time.Duration, priority int) string {
	return fmt.Sprintf("data={} delay=%d name=%s opts=%s priority=%d timestamp=%d",
		delay.Milliseconds(), name, opts, priority, start)
}

// rawOptions is one option that the engine does not know.
func rawOptions(name, text string) map[string]json.RawMessage {
	return map[string]json.RawMessage{name: json.RawMessage(text)}
}

// dueScore is the score of the place-th delayed job (from 0) of a millisecond.
func dueScore(ms, place int64) int64 { return ms*4096 + place }

// addCase is a series of calls on an empty queue, and all that stands in it
// afterwards.
type addCase struct {
	name   string
	calls  [][]queue.NewJob
	want   map[string]string
	events []string
}

func (c addCase) run(e *env) {
	e.t.Helper()
	for _, jobs := range c.calls {
		e.add(jobs...)
	}
	want := maps.Clone(c.want)
	want["meta"] = "opts.maxLenEvents=10000"
	same(e, c.name+": keys", want, e.dump())
	same(e, c.name+": events", c.events, e.events())
}

func TestAddWaitingJobs(t *testing.T) {
	cases := []addCase{
		{
			"the next job is the right one of the list",
			[][]queue.NewJob{{{Name: "a"}, {Name: "b"}}, {{Name: "c"}}},
			map[string]string{
				"1": freshHash("a", `{"attempts":0}`, 0, 0), "2": freshHash("b", `{"attempts":0}`, 0, 0),
				"3": freshHash("c", `{"attempts":0}`, 0, 0), "id": "3", "wait": "3 2 1", "marker": "0=0",
			},
			[]string{
				"added jobId=1 name=a", "waiting jobId=1", "added jobId=2 name=b", "waiting jobId=2",
				"added jobId=3 name=c", "waiting jobId=3",
			},
		},
		{
			"a counter keeps jobs of one priority in order, whatever they say of LIFO",
			[][]queue.NewJob{
				{{Name: "a", Opts: queue.JobOptions{Priority: 2}}, {Name: "b", Opts: queue.JobOptions{Priority: queue.MaxPriority}}},
				{{Name: "c", Opts: queue.JobOptions{Priority: 2, LIFO: true}}},
			},
			map[string]string{
				"1": freshHash("a", `{"attempts":0,"priority":2}`, 0, 2), "2": freshHash("b", `{"attempts":0,"priority":2097151}`, 0, 2097151),
				"3":  freshHash("c", `{"attempts":0,"priority":2,"lifo":true}`, 0, 2),
				"id": "3", "pc": "3", "marker": "0=0",
				"prioritized": fmt.Sprintf("1=%d 3=%d 2=%d", 2<<32+1, 2<<32+3, queue.MaxPriority<<32+2),
			},
			[]string{
				"added jobId=1 name=a", "waiting jobId=1", "added jobId=2 name=b", "waiting jobId=2",
				"added jobId=3 name=c", "waiting jobId=3",
			},
		},
		{
			"an own id uses up a number",
			[][]queue.NewJob{{{Name: "a"}, {Name: "b", Opts: queue.JobOptions{ID: "own:1:x"}}, {Name: "c"}}},
			map[string]string{
				"1": freshHash("a", `{"attempts":0}`, 0, 0), "own:1:x": freshHash("b", `{"attempts":0,"jobId":"own:1:x"}`, 0, 0),
				"3": freshHash("c", `{"attempts":0}`, 0, 0), "id": "3", "wait": "3 own:1:x 1", "marker": "0=0",
			},
			[]string{
				"added jobId=1 name=a", "waiting jobId=1", "added jobId=own:1:x name=b", "waiting jobId=own:1:x",
				"added jobId=3 name=c", "waiting jobId=3",
			},
		},
	}
	onEach(t, func(e *env) {
		for _, c := range cases {
			c.run(e.fork())
		}
	})
}

func TestAddLIFOJobs(t *testing.T) {
	onEach(t, func(e *env) {
		addCase{
			"LIFO jobs go in front, the last one first",
			[][]queue.NewJob{{{Name: "a"}, {Name: "b", Opts: queue.JobOptions{LIFO: true}}, {Name: "c", Opts: queue.JobOptions{LIFO: true}}, {Name: "d"}}},
			map[string]string{
				"1": freshHash("a", `{"attempts":0}`, 0, 0), "2": freshHash("b", `{"attempts":0,"lifo":true}`, 0, 0),
				"3": freshHash("c", `{"attempts":0,"lifo":true}`, 0, 0), "4": freshHash("d", `{"attempts":0}`, 0, 0),
				"id": "4", "wait": "4 1 2 3", "marker": "0=0",
			},
			[]string{
				"added jobId=1 name=a", "waiting jobId=1", "added jobId=2 name=b", "waiting jobId=2",
				"added jobId=3 name=c", "waiting jobId=3", "added jobId=4 name=d", "waiting jobId=4",
			},
		}.run(e)
	})
}

func TestAddDelayedJobs(t *testing.T) {
	const second = start + 1000
	later := func(d time.Duration) queue.NewJob { return queue.NewJob{Name: "n", Opts: queue.JobOptions{Delay: d}} }
	secondHash := freshHash("n", `{"attempts":0,"delay":1000}`, time.Second, 0)
	cases := []addCase{
		{
			"jobs of one millisecond keep their order, within a call and beyond it",
			[][]queue.NewJob{{later(time.Second), later(time.Minute), later(time.Second)}, {later(time.Second)}},
			map[string]string{
				"1": secondHash, "2": freshHash("n", `{"attempts":0,"delay":60000}`, time.Minute, 0), "3": secondHash, "4": secondHash,
				"id": "4", "marker": fmt.Sprintf("1=%d", second),
				"delayed": fmt.Sprintf("1=%d 3=%d 4=%d 2=%d", dueScore(second, 0), dueScore(second, 1), dueScore(second, 2), dueScore(start+60000, 0)),
			},
			[]string{
				"added jobId=1 name=n", fmt.Sprintf("delayed jobId=1 delay=%d", second),
				"added jobId=2 name=n", fmt.Sprintf("delayed jobId=2 delay=%d", start+60000),
				"added jobId=3 name=n", fmt.Sprintf("delayed jobId=3 delay=%d", second),
				"added jobId=4 name=n", fmt.Sprintf("delayed jobId=4 delay=%d", second),
			},
		},
		{
			"an earlier job moves the marker, a later one does not",
			[][]queue.NewJob{{later(time.Minute)}, {later(time.Second)}, {later(time.Hour)}},
			map[string]string{
				"1": freshHash("n", `{"attempts":0,"delay":60000}`, time.Minute, 0), "2": secondHash,
				"3": freshHash("n", `{"attempts":0,"delay":3600000}`, time.Hour, 0), "id": "3", "marker": fmt.Sprintf("1=%d", second),
				"delayed": fmt.Sprintf("2=%d 1=%d 3=%d", dueScore(second, 0), dueScore(start+60000, 0), dueScore(start+3600000, 0)),
			},
			[]string{
				"added jobId=1 name=n", fmt.Sprintf("delayed jobId=1 delay=%d", start+60000),
				"added jobId=2 name=n", fmt.Sprintf("delayed jobId=2 delay=%d", second),
				"added jobId=3 name=n", fmt.Sprintf("delayed jobId=3 delay=%d", start+3600000),
			},
		},
		{
			"the delay counts from the job's own time, and comes before its priority",
			[][]queue.NewJob{
				{{Name: "n", Opts: queue.JobOptions{Delay: time.Second, Priority: 3, Timestamp: time.UnixMilli(start - 5000)}}},
				{{Name: "w", Opts: queue.JobOptions{Timestamp: time.UnixMilli(5)}}},
			},
			map[string]string{
				"1":  fmt.Sprintf(`data={} delay=1000 name=n opts={"attempts":0,"delay":1000,"priority":3,"timestamp":%d} priority=3 timestamp=%d`, start-5000, start-5000),
				"2":  `data={} delay=0 name=w opts={"attempts":0,"timestamp":5} priority=0 timestamp=5`,
				"id": "2", "wait": "2", "marker": fmt.Sprintf("0=0 1=%d", start-4000), "delayed": fmt.Sprintf("1=%d", dueScore(start-4000, 0)),
			},
			[]string{
				"added jobId=1 name=n", fmt.Sprintf("delayed jobId=1 delay=%d", start-4000), "added jobId=2 name=w", "waiting jobId=2",
			},
		},
	}
	onEach(t, func(e *env) {
		for _, c := range cases {
			c.run(e.fork())
		}
	})
}

// A millisecond has room for 4096 delayed jobs; those beyond share its last
// place and never slip into the next millisecond.
func TestAddToAFullMillisecond(t *testing.T) {
	onEach(t, func(e *env) {
		due := start + 1000
		e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), zAt(dueScore(due, 4094), "x"), zAt(dueScore(due+1, 0), "y")).Err())
		later := queue.NewJob{Name: "n", Opts: queue.JobOptions{Delay: time.Second}}
		e.add(later, later)
		e.add(later)
		last := dueScore(due, 4095)
		same(e, "delayed", fmt.Sprintf("x=%d 1=%d 2=%d 3=%d y=%d", last-1, last, last, last, last+1), e.dump()["delayed"])
	})
}

// Whatever a producer writes comes back byte for byte.
func TestAddKeepsPayloadsAsTheyAre(t *testing.T) {
	payloads := []string{
		`{"n":9007199254740993,"f":1.10,"e":1E400,"z":-0}`, `"\u00e9\ud800\/\u0000"`, "\t{ \"a\" : 1,\r\n \"a\":2 } \n",
		`"é 中 ` + "\u2028\x7f" + `"`, `null`, `[[],{}]`, `{"":""}`, `"` + strings.Repeat("x", 200_000) + `"`,
	}
	onEach(t, func(e *env) {
		jobs := []queue.NewJob{{Name: "none"}}
		want := map[string]string{"none": "{}"}
		for _, payload := range payloads {
			name := fmt.Sprintf("%.20q\x00\n", payload)
			want[name] = payload
			jobs = append(jobs, queue.NewJob{Name: name, Data: []byte(payload)})
		}
		e.add(jobs...)
		stored, claimed := map[string]string{}, map[string]string{}
		for _, job := range e.claim(100, "t") {
			claimed[job.Name] = string(job.Data)
			fields := e.rdb.HGetAll(e.ctx, e.key(job.ID)).Val()
			stored[fields["name"]] = fields["data"]
		}
		same(e, "stored", want, stored)
		same(e, "claimed", want, claimed)
	})
}

// Jobs of one call that differ in a single option each keep their own.
func TestAddKeepsTheOptionsOfEachJob(t *testing.T) {
	zero := 0
	variants := []struct {
		opts queue.JobOptions
		want string
	}{
		{queue.JobOptions{Attempts: 3}, `{"attempts":3}`},
		{queue.JobOptions{Backoff: &queue.Backoff{Type: "fixed", Delay: time.Second}}, `{"attempts":0,"backoff":{"type":"fixed","delay":1000}}`},
		{
			queue.JobOptions{Backoff: &queue.Backoff{Type: "exponential", Delay: time.Second, Jitter: 0.5}},
			`{"attempts":0,"backoff":{"type":"exponential","delay":1000,"jitter":0.5}}`,
		},
		{queue.JobOptions{Delay: 1500 * time.Microsecond}, `{"attempts":0,"delay":1}`},
		{queue.JobOptions{Priority: 7}, `{"attempts":0,"priority":7}`},
		{queue.JobOptions{LIFO: true}, `{"attempts":0,"lifo":true}`},
		{queue.JobOptions{ID: "own"}, `{"attempts":0,"jobId":"own"}`},
		{queue.JobOptions{Timestamp: time.UnixMilli(7)}, `{"attempts":0,"timestamp":7}`},
		{queue.JobOptions{KeepCompleted: queue.KeepNewest(0, 0)}, `{"attempts":0,"removeOnComplete":{"count":0}}`},
		{queue.JobOptions{KeepFailed: queue.KeepNewest(9, time.Minute)}, `{"attempts":0,"removeOnFail":{"age":60,"count":9}}`},
		{queue.JobOptions{KeepFailed: &queue.Keep{}}, `{"attempts":0,"removeOnFail":false}`},
		{queue.JobOptions{StackTraceLimit: &zero}, `{"attempts":0,"stackTraceLimit":0}`},
		{queue.JobOptions{KeepLogs: 5}, `{"attempts":0,"kl":5}`},
		{queue.JobOptions{SizeLimit: 99}, `{"attempts":0,"sizeLimit":99}`},
		{queue.JobOptions{Other: rawOptions("tm", `"x"`)}, `{"attempts":0,"tm":"x"}`},
		{queue.JobOptions{Other: rawOptions("tm", `{"big":9007199254740993}`)}, `{"attempts":0,"tm":{"big":9007199254740993}}`},
	}
	onEach(t, func(e *env) {
		var jobs []queue.NewJob
		var want []string
		for _, v := range variants {
			jobs = append(jobs, queue.NewJob{Name: "plain"}, queue.NewJob{Name: "plain"}, queue.NewJob{Name: "own", Opts: v.opts})
			want = append(want, `{"attempts":0}`, `{"attempts":0}`, v.want)
		}
		var stored []string
		for _, id := range e.add(jobs...) {
			stored = append(stored, e.rdb.HGet(e.ctx, e.key(id), "opts").Val())
		}
		same(e, "options", want, stored)
	})
}

// The list that takes a paused queue's jobs depends on the BullMQ that runs it,
// unless one of the two lists holds jobs already.
func TestAddWhilePaused(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct{ version, wait, paused, wantWait, wantPaused string }{
			{"", "", "", "4 1 2", ""},
			{"bullmq:6.7.0", "", "", "4 1 2", ""},
			{"bullmq:5.81.5", "", "", "", "4 1 2"},
			{"bullmq:4.17.0", "", "", "", "4 1 2"},
			{"bullmq:1.2.0", "", "", "4 1 2", ""},
			{"bullmq:50.0.0", "", "", "4 1 2", ""},
			{"bullmq:5.81.5", "x", "", "4 1 x 2", ""},
			{"bullmq:6.7.0", "", "x", "", "4 1 x 2"},
			{"bullmq:5.81.5", "", "x", "", "4 1 x 2"},
		} {
			e := e.fork()
			e.must(e.rdb.HSet(e.ctx, e.key("meta"), "paused", 1, "opts.maxLenEvents", 10000).Err())
			meta := "opts.maxLenEvents=10000 paused=1"
			if c.version != "" {
				e.must(e.rdb.HSet(e.ctx, e.key("meta"), "version", c.version).Err())
				meta += " version=" + c.version
			}
			for suffix, id := range map[string]string{"wait": c.wait, "paused": c.paused} {
				if id != "" {
					e.fill(suffix, id)
				}
			}
			e.add(queue.NewJob{Name: "n"}, queue.NewJob{Name: "n", Opts: queue.JobOptions{LIFO: true}},
				queue.NewJob{Name: "n", Opts: queue.JobOptions{Priority: 1}}, queue.NewJob{Name: "n"})
			want := map[string]string{
				"meta": meta, "id": "4", "pc": "1", "prioritized": fmt.Sprintf("3=%d", 1<<32+1),
				"1": freshHash("n", `{"attempts":0}`, 0, 0), "2": freshHash("n", `{"attempts":0,"lifo":true}`, 0, 0),
				"3": freshHash("n", `{"attempts":0,"priority":1}`, 0, 1), "4": freshHash("n", `{"attempts":0}`, 0, 0),
			}
			e.t.Logf("version %q, wait %q, paused %q", c.version, c.wait, c.paused)
			want["wait"], want["paused"] = c.wantWait, c.wantPaused
			e.changed(map[string]string{}, want)

			// Workers promote delayed jobs during a pause too.
			before := e.dump()
			e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{Delay: time.Second}})
			e.changed(before, map[string]string{
				"id": "5", "5": freshHash("n", `{"attempts":0,"delay":1000}`, time.Second, 0),
				"marker": fmt.Sprintf("1=%d", start+1000), "delayed": fmt.Sprintf("5=%d", dueScore(start+1000, 0)),
			})
		}
	})
}

// Nobody is woken for a job that the global concurrency holds back.
func TestAddToAMaxedQueue(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			concurrency int
			want        string
		}{{1, ""}, {2, "0=0"}} {
			for _, opts := range []queue.JobOptions{{}, {LIFO: true}, {Priority: 1}} {
				e := e.fork()
				e.addIDs("running")
				e.claim(1, "t")
				e.must(e.q.SetConcurrency(e.ctx, &c.concurrency))
				e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
				e.add(queue.NewJob{Name: "n", Opts: opts})
				same(e, fmt.Sprintf("marker at concurrency %d", c.concurrency), c.want, e.dump()["marker"])
				e.must(e.rdb.Del(e.ctx, e.key("marker")).Err())
				e.add(queue.NewJob{Name: "n", Opts: queue.JobOptions{Delay: time.Second}})
				same(e, "marker of a delayed job", fmt.Sprintf("1=%d", start+1000), e.dump()["marker"])
			}
		}
	})
}
