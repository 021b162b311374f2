package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/queue"
)

func TestConvertScheduler(t *testing.T) {
	const md5Of = "0123456789abcdef0123456789abcdef"
	every := fmt.Sprintf(`{"attempts":2,"backoff":7,"delay":5,"jobId":"x","prevMillis":%d,"repeat":{"count":2,"every":%d,"limit":5},"timestamp":5}`, start+hour, hour)
	cron := fmt.Sprintf(`{"attempts":0,"prevMillis":%d,"repeat":{"count":2,"pattern":"0 * * * *"},"timestamp":5}`, start+hour)
	// md5("n" + "" + md5(plainKey)), as old BullMQ names its jobs.
	const plainKey, plainHead = "n::::0 * * * *", "repeat:f14991cad61f3822ad29463601d0f14e:"
	for _, c := range []struct {
		name, id, head, opts string
		record               []any
		active               bool
		due, count           int64
		want, template       string
	}{
		{
			"an interval", md5Of, "repeat:" + md5Of + ":", every,
			[]any{"name", "n", "every", hour},
			false, hour, 2,
			`data={"a":1} every=3600000 ic=2 limit=5 name=n offset=0 opts={"attempts":2,"backoff":7}`, `"attempts":2,"backoff":7,`,
		},
		{
			"a pattern", md5Of, "repeat:" + md5Of + ":", cron,
			[]any{"name", "n", "pattern", "0 * * * *", "tz", "UTC"},
			false, hour, 2,
			`data={"a":1} ic=2 name=n offset=0 pattern=0 * * * * tz=UTC`, "",
		},
		{
			"one that a newer worker has continued", md5Of, "repeat:" + md5Of + ":", cron,
			[]any{"name", "n", "pattern", "0 * * * *", "ic", 4, "data", `{"a":1}`},
			false, hour, 2,
			`data={"a":1} ic=4 name=n offset=0 pattern=0 * * * *`, "",
		},
		{
			"a key of the caller's", "mykey", "repeat:mykey:", cron,
			[]any{"name", "n", "pattern", "0 * * * *"},
			false, hour, 2,
			`data={"a":1} ic=2 name=n offset=0 pattern=0 * * * *`, "",
		},
		{
			"while its job runs", md5Of, "repeat:" + md5Of + ":", every,
			[]any{"name", "n", "every", hour},
			true, 2 * hour, 3,
			`data={"a":1} every=3600000 ic=3 limit=5 name=n offset=0 opts={"attempts":2,"backoff":7}`, `"attempts":2,"backoff":7,`,
		},
		{
			"the oldest form", plainKey, plainHead, cron, nil, false, hour, 2,
			`data={"a":1} ic=2 name=n offset=0 pattern=0 * * * *`, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				job := c.head + fmt.Sprint(start+hour)
				e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), zAt(start+hour, c.id)).Err())
				if c.record != nil {
					e.hash("repeat:"+c.id, c.record...)
				}
				e.hash(job, "name", "n", "data", `{"a":1}`, "opts", c.opts, "timestamp", 5, "delay", hour, "priority", 0, "rjk", c.id)
				e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), zAt((start+hour)*4096, job)).Err())
				if c.active {
					e.now.Store(start + hour)
					e.claim(1, "w")
				}
				before := e.dump()
				s, err := e.q.Scheduler(e.ctx, c.id)
				e.must(err)
				same(e, "health", queue.SchedulerLegacy, s.Health)
				same(e, "job", job, s.JobID)
				kind := queue.LegacyHashed
				if c.record == nil {
					kind = queue.LegacyPlain
				}
				same(e, "kind", kind, s.Legacy)
				if err := e.q.PauseScheduler(e.ctx, c.id); !errors.Is(err, queue.ErrLegacyScheduler) {
					e.t.Errorf("pause: %v, want ErrLegacyScheduler", err)
				}
				e.changed(before, nil)

				done, err := e.q.ConvertScheduler(e.ctx, c.id, "s", hourly)
				e.must(err)
				same(e, "answer", queue.Upserted{JobID: repeats(c.due), At: after(c.due), State: queue.StateDelayed, Replaced: true}, done)
				all := e.dump()
				same(e, "record", c.want, all["repeat:s"])
				same(e, "schedulers", fmt.Sprintf("s=%d", start+c.due), all["repeat"])
				same(e, "old record", "", all["repeat:"+c.id])
				_, there := all[job]
				same(e, "the old job", c.active, there)
				s = e.scheduler()
				same(e, "number", c.count, s.Count)
				same(e, "health", queue.SchedulerHealthy, s.Health)
				if opts := e.rdb.HGet(e.ctx, e.key(repeats(c.due)), "opts").Val(); !strings.HasPrefix(opts, "{"+c.template+`"repeat":{`) {
					e.t.Errorf("options %s, want the template {%s first", opts, c.template)
				}
				if _, err := e.q.ConvertScheduler(e.ctx, "s", "t", hourly); !errors.Is(err, queue.ErrInvalidOption) {
					e.t.Errorf("again: %v, want ErrInvalidOption", err)
				}
			})
		})
	}
}

func TestConvertSchedulerRefuses(t *testing.T) {
	onEach(t, func(e *env) {
		e.upsert(queue.SchedulerSpec{Every: hourLong})
		e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), zAt(start+hour, "old")).Err())
		e.hash("repeat:old", "name", "n", "every", hour)
		e.hash("repeat:old:"+fmt.Sprint(start+hour), "name", "n", "data", "{}", "opts", fmt.Sprintf(`{"repeat":{"every":%d,"count":1}}`, hour), "timestamp", 1, "rjk", "old")
		e.must(e.rdb.ZAdd(e.ctx, e.key("delayed"), zAt((start+hour)*4096, "repeat:old:"+fmt.Sprint(start+hour))).Err())
		before := e.dump()
		for _, c := range []struct {
			old, id string
			want    error
		}{
			{"old", "s", queue.ErrSchedulerExists},
			{"old", "old", queue.ErrSchedulerExists},
			{"none", "t", queue.ErrSchedulerNotFound},
			{"old", "", queue.ErrInvalidName},
		} {
			if _, err := e.q.ConvertScheduler(e.ctx, c.old, c.id, hourly); !errors.Is(err, c.want) {
				e.t.Errorf("%s to %q: %v, want %v", c.old, c.id, err, c.want)
			}
		}
		e.changed(before, nil)
	})
}

// The oldest repeatables go on under their own names, and get no record: then
// they would no longer be what they are.
func TestContinuePlainRepeatables(t *testing.T) {
	onEach(t, func(e *env) {
		const key, head = "n::::0 * * * *", "repeat:f14991cad61f3822ad29463601d0f14e:"
		job := head + fmt.Sprint(start)
		e.must(e.rdb.ZAdd(e.ctx, e.key("repeat"), zAt(start, key)).Err())
		e.hash(job, "name", "n", "data", `{"a":1}`, "opts", `{"repeat":{"count":1,"pattern":"0 * * * *"}}`, "timestamp", start, "rjk", key)
		e.fill("wait", job)
		for _, claimed := range e.claim(2, "w") {
			if claimed.ID != job {
				continue
			}
			added, err := e.q.ContinueSchedule(e.ctx, claimed, hourly)
			e.must(err)
			same(e, "added", true, added)
		}
		all := e.dump()
		same(e, "score", fmt.Sprintf("%s=%d", key, start+hour), all["repeat"])
		same(e, "record", "", all["repeat:"+key])
		if !strings.Contains(all["delayed"], head+fmt.Sprint(start+hour)) {
			e.t.Errorf("delayed: %s", all["delayed"])
		}
		e.must(e.q.RemoveScheduler(e.ctx, key))
		same(e, "delayed", "", e.dump()["delayed"])
	})
}
