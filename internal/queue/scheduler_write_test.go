package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// hour is the interval of most schedulers here, in ms; the start is at a full
// hour.
const hour = int64(3600000)

var hourLong = time.Duration(hour) * time.Millisecond

// after is the moment ms after the start.
func after(ms int64) time.Time { return time.UnixMilli(start + ms) }

// hourly is the clock of patterns in these tests: every full hour.
func hourly(_, _ string, after time.Time) (time.Time, bool, error) {
	return time.UnixMilli((after.UnixMilli()/hour + 1) * hour), true, nil
}

func never(string, string, time.Time) (time.Time, bool, error) { return time.Time{}, false, nil }

// upsert writes the scheduler s and returns what became of it.
func (e *env) upsert(spec queue.SchedulerSpec) queue.Upserted {
	e.t.Helper()
	spec.ID = "s"
	done, err := e.q.UpsertScheduler(e.ctx, spec, hourly)
	e.must(err)
	return done
}

// repeats is the id of s's job at so many ms after the start.
func repeats(ms int64) string { return fmt.Sprintf("repeat:s:%d", start+ms) }

// firstOpts is the options of s's first job.
func firstOpts(ms int64, before, repeat string, pattern bool) string {
	last := ""
	if pattern {
		last = fmt.Sprintf(`,"prevMillis":%d`, start+ms)
	}
	return nextOpts(start+ms, start, before, repeat, last)
}

type upsertCase struct {
	name   string
	spec   queue.SchedulerSpec
	due    int64 // after the start
	record string
	job    string // what its hash begins with, up to delay
	tail   string // name and options
}

func (c upsertCase) run(e *env) {
	done := e.upsert(c.spec)
	id := repeats(c.due)
	jobName, _, _ := strings.Cut(strings.TrimPrefix(c.tail, "name="), " ")
	answer := queue.Upserted{JobID: id, At: after(c.due), State: queue.StateWaiting}
	want := map[string]string{
		"id": "1", "meta": "opts.maxLenEvents=10000", "repeat": fmt.Sprintf("s=%d", start+c.due), "repeat:s": c.record,
		id: fmt.Sprintf("%s delay=%d %s priority=%d rjk=s timestamp=%d", c.job, c.due, c.tail, c.spec.Opts.Priority, start),
	}
	events := []string{"added jobId=" + id + " name=" + jobName}
	if c.due > 0 {
		answer.State = queue.StateDelayed
		want["delayed"] = fmt.Sprintf("%s=%d", id, (start+c.due)*4096)
		want["marker"] = fmt.Sprintf("1=%d", start+c.due)
		events = append(events, fmt.Sprintf("delayed jobId=%s delay=%d", id, start+c.due))
	} else {
		want["wait"], want["marker"] = id, "0=0"
		events = append(events, "waiting jobId="+id)
	}
	same(e, "answer", answer, done)
	same(e, "keys", want, e.dump())
	same(e, "events", events, e.events())
}

func TestUpsertScheduler(t *testing.T) {
	end := fmt.Sprint(start + 9*hour)
	for _, c := range []upsertCase{
		{
			"every",
			queue.SchedulerSpec{Every: hourLong},
			0,
			"every=3600000 ic=1 name=s offset=0",
			"data={}", "name=s opts=" + firstOpts(0, "", `{"count":1,"every":3600000}`, false),
		},
		{
			"every with an offset",
			queue.SchedulerSpec{Every: hourLong, Offset: time.Second},
			1000,
			"every=3600000 ic=1 name=s offset=1000",
			"data={}", "name=s opts=" + firstOpts(1000, "", `{"count":1,"every":3600000,"offset":1000}`, false),
		},
		{
			"every from a start on",
			queue.SchedulerSpec{Every: hourLong, Start: after(5000), End: after(9 * hour), Limit: 3, TZ: "Asia/Tokyo"},
			5000,
			"endDate=" + end + fmt.Sprintf(" every=3600000 ic=1 limit=3 name=s offset=5000 startDate=%d tz=Asia/Tokyo", start+5000),
			"data={}", "name=s opts=" + firstOpts(5000, "", `{"count":1,"endDate":`+end+
				fmt.Sprintf(`,"every":3600000,"limit":3,"startDate":%d,"tz":"Asia/Tokyo"}`, start+5000), false),
		},
		{
			"every from a start that has passed",
			queue.SchedulerSpec{Every: hourLong, Start: after(-5000)},
			0,
			fmt.Sprintf("every=3600000 ic=1 name=s offset=0 startDate=%d", start-5000),
			"data={}", "name=s opts=" + firstOpts(0, "", fmt.Sprintf(`{"count":1,"every":3600000,"startDate":%d}`, start-5000), false),
		},
		{
			"every at once, as always",
			queue.SchedulerSpec{Every: hourLong, Immediately: true},
			0,
			"every=3600000 ic=1 name=s offset=0",
			"data={}", "name=s opts=" + firstOpts(0, "", `{"count":1,"every":3600000}`, false),
		},
		{
			"pattern",
			queue.SchedulerSpec{Name: "tick", Pattern: "0 * * * *", TZ: "Europe/Berlin", Data: json.RawMessage(`[1]`)},
			hour,
			`data=[1] ic=1 name=tick offset=0 pattern=0 * * * * tz=Europe/Berlin`,
			"data=[1]", "name=tick opts=" + firstOpts(hour, "", `{"count":1,"pattern":"0 * * * *","tz":"Europe/Berlin"}`, true),
		},
		{
			"pattern from a start on",
			queue.SchedulerSpec{Pattern: "0 * * * *", Start: after(5 * hour)},
			6 * hour,
			fmt.Sprintf(`ic=1 name=s offset=0 pattern=0 * * * * startDate=%d`, start+5*hour),
			"data={}", "name=s opts=" + firstOpts(6*hour, "", fmt.Sprintf(`{"count":1,"pattern":"0 * * * *","startDate":%d}`, start+5*hour), true),
		},
		{
			"pattern at once",
			queue.SchedulerSpec{Pattern: "0 * * * *", Immediately: true, Data: json.RawMessage("null")},
			0,
			`ic=1 name=s offset=0 pattern=0 * * * *`,
			"data={}", "name=s opts=" + firstOpts(0, "", `{"count":1,"pattern":"0 * * * *"}`, true),
		},
		{
			"a template with everything",
			queue.SchedulerSpec{Every: hourLong, Offset: time.Second, Data: json.RawMessage(`{"a":1}`), Opts: queue.JobOptions{
				ID: "mine", Delay: time.Minute, Timestamp: after(-1), Attempts: 3, KeepLogs: 4, Priority: 2,
				Other: map[string]json.RawMessage{"de": json.RawMessage(`{"id":"d"}`), "a b": json.RawMessage(`[null]`)},
			}},
			1000,
			`data={"a":1} every=3600000 ic=1 name=s offset=1000 opts={"a b":[null],"attempts":3,"de":{"id":"d"},"kl":4,"priority":2}`,
			`data={"a":1} deid=d`, "name=s opts=" + firstOpts(1000, `"a b":[null],"attempts":3,"de":{"id":"d"},"kl":4,"priority":2,`,
				`{"count":1,"every":3600000,"offset":1000}`, false),
		},
	} {
		t.Run(c.name, func(t *testing.T) { onEach(t, c.run) })
	}
}

// A second writing changes the scheduler and moves or keeps its job.
func TestUpsertSchedulerAgain(t *testing.T) {
	every := queue.SchedulerSpec{Every: hourLong, Offset: 5 * time.Second, Name: "old", Data: json.RawMessage(`{"a":1}`)}
	pattern := queue.SchedulerSpec{Pattern: "0 * * * *", Name: "old"}
	for _, c := range []struct {
		name          string
		first, second queue.SchedulerSpec
		due           int64
		record        string
	}{
		{"the same interval keeps its time", every, queue.SchedulerSpec{Every: hourLong}, 5000, "every=3600000 ic=7 name=s offset=5000"},
		{
			"also with another offset, which counts from then on", every,
			queue.SchedulerSpec{Every: hourLong, Offset: time.Second},
			5000, "every=3600000 ic=7 name=s offset=1000",
		},
		{"another interval begins anew", every, queue.SchedulerSpec{Every: 2 * hourLong}, 1000, "every=7200000 ic=7 name=s offset=5000"},
		{"a pattern", every, pattern, hour, "ic=7 name=old offset=5000 pattern=0 * * * *"},
		{"the same pattern", pattern, pattern, hour, "ic=7 name=old offset=0 pattern=0 * * * *"},
		{"an interval", pattern, queue.SchedulerSpec{Every: hourLong}, 1000, "every=3600000 ic=7 name=s offset=0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				e.upsert(c.first)
				e.must(e.rdb.HSet(e.ctx, e.key("repeat:s"), "ic", 7, "more", "x").Err())
				e.now.Store(start + 1000)
				done := e.upsert(c.second)
				same(e, "time", after(c.due), done.At)
				same(e, "replaced", true, done.Replaced)
				all := e.dump()
				same(e, "record", c.record, all["repeat:s"])
				same(e, "score", fmt.Sprintf("s=%d", start+c.due), all["repeat"])
				jobs := 0
				for key := range all {
					if strings.HasPrefix(key, "repeat:s:") {
						jobs++
					}
				}
				same(e, "jobs", 1, jobs)
				same(e, "entries", 1, len(strings.Fields(all["wait"]+" "+all["delayed"])))
			})
		})
	}
}

// What has started is left alone; the next one comes after it.
func TestUpsertSchedulerBesideItsJob(t *testing.T) {
	onEach(t, func(e *env) {
		for _, c := range []struct {
			name string
			do   func(e *env)
			now  int64
			due  int64
		}{
			{"active, the next one not made", func(e *env) { e.claim(1, "w") }, 1000, hour},
			{"finished, the next one not made", func(e *env) { e.finish(queue.Complete) }, hour + 1, 2 * hour},
			{"gone", func(e *env) { e.must(e.rdb.Del(e.ctx, e.key("wait"), e.key(repeats(0))).Err()) }, 1000, hour},
			{"times that are taken", func(e *env) {
				e.claim(1, "w")
				for i := int64(1); i <= 32; i++ {
					e.hash(repeats(i*hour), "name", "x")
				}
			}, 1000, 33 * hour},
		} {
			e := e.fork()
			e.now.Store(start)
			e.upsert(queue.SchedulerSpec{Every: hourLong})
			c.do(e)
			e.now.Store(start + c.now)
			same(e, c.name, after(c.due), e.upsert(queue.SchedulerSpec{Every: hourLong}).At)
		}
	})
}

// A paused queue of BullMQ 5 keeps the job in another list.
func TestUpsertSchedulerInAPausedQueue(t *testing.T) {
	onEach(t, func(e *env) {
		for _, major := range []int{5, 6} {
			e := e.fork()
			e.setVersion(major)
			e.upsert(queue.SchedulerSpec{Every: hourLong, Name: "old"})
			e.must(e.q.Pause(e.ctx))
			e.upsert(queue.SchedulerSpec{Every: hourLong, Name: "new"})
			all := e.dump()
			same(e, fmt.Sprint("jobs of version ", major), repeats(0), strings.TrimSpace(all["wait"]+" "+all["paused"]))
			same(e, "name", "new", e.rdb.HGet(e.ctx, e.key(repeats(0)), "name").Val())
		}
	})
}

// Where the time is taken nothing changes, not even the job that would go.
func TestUpsertSchedulerFindsTheTimeTaken(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(queue.SchedulerSpec{Every: hourLong})
		e.hash(repeats(hour), "name", "x")
		e.claim(1, "w")
		for i := int64(2); i <= 33; i++ {
			e.hash(repeats(i*hour), "name", "x")
		}
		before, seen := e.dump(), len(e.events())
		for _, spec := range []queue.SchedulerSpec{{ID: "s", Every: hourLong}, {ID: "s", Pattern: "0 * * * *"}} {
			if _, err := e.q.UpsertScheduler(e.ctx, spec, hourly); !errors.Is(err, queue.ErrSlotTaken) {
				e.t.Errorf("%v: %v, want ErrSlotTaken", spec, err)
			}
		}
		e.changed(before, nil)
		same(e, "events", 0, len(e.newEvents(seen)))
	})
}

func TestUpsertSchedulerRefuses(t *testing.T) {
	onEach(t, func(e *env) {
		every := queue.SchedulerSpec{ID: "s", Every: hourLong}
		with := func(change func(s *queue.SchedulerSpec)) queue.SchedulerSpec {
			s := every
			change(&s)
			return s
		}
		id := func(id string) queue.SchedulerSpec { return with(func(s *queue.SchedulerSpec) { s.ID = id }) }
		zone := errors.New("no such zone")
		before := e.dump()
		for _, c := range []struct {
			spec   queue.SchedulerSpec
			option string
			want   error
		}{
			{with(func(s *queue.SchedulerSpec) { s.Pattern = "* * * * *" }), "every", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Every = 0 }), "every", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Every = -time.Second }), "every", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Every = 1500 * time.Microsecond }), "every", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Offset = hourLong }), "offset", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Offset = -1 }), "offset", queue.ErrInvalidOption},
			{queue.SchedulerSpec{ID: "s", Pattern: "* * * * *", Offset: time.Second}, "offset", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Limit = -1 }), "limit", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Immediately, s.Start = true, after(5) }), "immediately", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.End = after(0) }), "endDate", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Start, s.End = after(9), after(5) }), "endDate", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Opts.Priority = -1 }), "", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Data = json.RawMessage("{") }), "", queue.ErrInvalidOption},
			{with(func(s *queue.SchedulerSpec) { s.Data, s.Opts.SizeLimit = json.RawMessage(`"long"`), 2 }), "", queue.ErrTooLarge},
			{id(""), "", queue.ErrInvalidName},
			{id("a\nb"), "", queue.ErrInvalidName},
			{id("\xff"), "", queue.ErrInvalidName},
			{id(strings.Repeat("x", 2000)), "", queue.ErrInvalidName},
			{id(fmt.Sprint("a:", start)), "", queue.ErrInvalidName},
			{id("name::::0 9 * * *"), "", queue.ErrInvalidName},
			{queue.SchedulerSpec{ID: "s", Pattern: "never"}, "", queue.ErrNeverFires},
			{queue.SchedulerSpec{ID: "s", Pattern: "zone"}, "", zone},
			{queue.SchedulerSpec{ID: "s", Pattern: "hourly", End: after(hour - 1)}, "", queue.ErrNeverFires},
		} {
			_, err := e.q.UpsertScheduler(e.ctx, c.spec, func(pattern, tz string, after time.Time) (time.Time, bool, error) {
				switch pattern {
				case "never":
					return never(pattern, tz, after)
				case "zone":
					return time.Time{}, false, zone
				}
				return hourly(pattern, tz, after)
			})
			var refused *queue.ScheduleError
			_ = errors.As(err, &refused)
			if !errors.Is(err, c.want) || (refused == nil) != (c.option == "") || refused != nil && refused.Option != c.option {
				e.t.Errorf("%+v: %v, want %v of %q", c.spec, err, c.want, c.option)
			}
		}
		e.changed(before, nil)
		e.upsert(queue.SchedulerSpec{Pattern: "hourly", End: after(hour)}) // at its very end it still fires
	})
}

// Of those who write at the same time each leaves one job, the last one's.
func TestSchedulerWritersRace(t *testing.T) {
	onEach(t, func(e *env) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				spec := queue.SchedulerSpec{ID: "s", Every: hourLong, Name: fmt.Sprint("n", i)}
				if i%2 == 0 {
					spec = queue.SchedulerSpec{ID: "s", Pattern: "0 * * * *", Name: fmt.Sprint("n", i)}
				}
				for range 10 {
					if _, err := e.q.UpsertScheduler(e.ctx, spec, hourly); err != nil {
						e.t.Error(err)
					}
				}
			})
		}
		all.Wait()
		s, err := e.q.Scheduler(e.ctx, "s")
		e.must(err)
		dump := e.dump()
		same(e, "jobs", s.JobID, strings.Trim(strings.Split(dump["wait"]+dump["delayed"], "=")[0], " "))
		same(e, "name of the job", s.Name, e.rdb.HGet(e.ctx, e.key(s.JobID), "name").Val())
		jobs := 0
		for key := range dump {
			if strings.HasPrefix(key, "repeat:s:") {
				jobs++
			}
		}
		same(e, "jobs", 1, jobs)
	})
}
