package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

// hash writes a job's fields, given in pairs, past the engine.
func (e *env) hash(id string, fields ...any) {
	e.t.Helper()
	e.must(e.rdb.HSet(e.ctx, e.key(id), fields...).Err())
}

// fill puts an id, with or without a job, into the structure of this suffix.
func (e *env) fill(suffix, id string) {
	e.t.Helper()
	switch suffix {
	case "wait", "paused", "active":
		e.must(e.rdb.LPush(e.ctx, e.key(suffix), id).Err())
	default:
		e.must(e.rdb.ZAdd(e.ctx, e.key(suffix), redis.Z{Score: 1, Member: id}).Err())
	}
}

// callCounter counts the round trips that carry commands of one name.
type callCounter struct {
	name  string
	calls *atomic.Int64
}

func (c callCounter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c callCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return cmd.Name() == c.name }) {
			c.calls.Add(1)
		}
		return next(ctx, cmds)
	}
}

func (c callCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == c.name {
			c.calls.Add(1)
		}
		return next(ctx, cmd)
	}
}

// countCalls counts from now on.
func (e *env) countCalls(name string) *atomic.Int64 {
	calls := &atomic.Int64{}
	e.rdb.AddHook(callCounter{name: name, calls: calls})
	return calls
}

func TestGetReadsEveryField(t *testing.T) {
	onEach(t, func(e *env) {
		e.hash("7", "name", "send", "data", `{"n":9007199254740993}`, "opts", `{"attempts":3,"x":[1]}`,
			"timestamp", start, "delay", 1500, "priority", 4, "processedOn", start+1, "finishedOn", start+2, "pb", "w1",
			"ats", 2, "atm", 1, "stc", 1, "returnvalue", `"ok"`, "failedReason", "boom", "stacktrace", `["a","b"]`,
			"defa", "late", "progress", "50", "rjk", "daily", "deid", "d1", "parentKey", "bull:p:1",
			"parent", `{"id":"1","queueKey":"bull:p"}`, "unknown", "ignored")
		e.fill("failed", "7")

		got, err := e.q.Get(e.ctx, "7", queue.FieldsAll, 0)
		e.must(err)
		want := queue.Job{
			ID: "7", Name: "send", State: queue.StateFailed,
			Data: json.RawMessage(`{"n":9007199254740993}`), Opts: json.RawMessage(`{"attempts":3,"x":[1]}`),
			ReturnValue: json.RawMessage(`"ok"`), Progress: json.RawMessage("50"), Stacktrace: []string{"a", "b"},
			Timestamp: time.UnixMilli(start), ProcessedOn: time.UnixMilli(start + 1), FinishedOn: time.UnixMilli(start + 2),
			Priority: 4, Delay: 1500 * time.Millisecond, Attempts: 3, AttemptsMade: 1, AttemptsStarted: 2, StalledCounter: 1,
			FailedReason: "boom", HasFailedReason: true, DeferredFailure: "late", HasDeferredFailure: true,
			ParentKey: "bull:p:1", Parent: json.RawMessage(`{"id":"1","queueKey":"bull:p"}`), DeduplicationID: "d1",
			RepeatJobKey: "daily", ProcessedBy: "w1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}

		row, err := e.q.Get(e.ctx, "7", queue.FieldsRow, 0)
		e.must(err)
		want.Data, want.Opts, want.Attempts, want.ReturnValue, want.Stacktrace, want.Parent = nil, nil, 0, nil, nil, nil
		if diff := cmp.Diff(want, row); diff != "" {
			e.t.Errorf("row: %s", diff)
		}
	})
}

func TestGetWithoutJob(t *testing.T) {
	onEach(t, func(e *env) {
		_, err := e.q.Get(e.ctx, "7", queue.FieldsAll, 0)
		if !errors.Is(err, queue.ErrJobNotFound) {
			e.t.Errorf("missing job: %v", err)
		}
		if which, ok := errors.AsType[*queue.JobError](err); !ok || which.ID != "7" {
			e.t.Errorf("the error does not name the job: %v", err)
		}
	})
}

func TestStateOf(t *testing.T) {
	onEach(t, func(e *env) {
		for _, suffix := range []string{
			"completed", "failed", "delayed", "prioritized", "active", "wait", "paused", "waiting-children",
		} {
			e.fill(suffix, "in-"+suffix)
			e.fill(suffix, "other-"+suffix)
		}
		// An id that stands twice is where BullMQ looks first.
		e.fill("wait", "twice")
		e.fill("failed", "twice")
		got, err := e.q.StateOf(e.ctx, []string{
			"in-completed", "in-failed", "in-delayed", "in-prioritized", "in-active", "in-wait", "in-paused",
			"in-waiting-children", "nowhere", "twice",
		})
		e.must(err)
		want := []queue.State{
			queue.StateCompleted, queue.StateFailed, queue.StateDelayed, queue.StatePrioritized, queue.StateActive,
			queue.StateWaiting, queue.StateWaiting, queue.StateWaitingChildren, queue.StateUnknown, queue.StateFailed,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}
	})
}

// The search in long lists is spread over several calls; no id may be lost
// between them.
func TestStateOfInLongLists(t *testing.T) {
	onEach(t, func(e *env) {
		const n, asked = 30000, 120
		ids := make([]any, n)
		for i := range ids {
			ids[i] = strconv.Itoa(i)
		}
		e.must(e.rdb.RPush(e.ctx, e.key("wait"), ids...).Err())
		ask, want := make([]string, asked), make([]queue.State, asked)
		for i := range asked {
			ask[i], want[i] = strconv.Itoa(i*200), queue.StateWaiting
			if i%3 == 0 {
				ask[i], want[i] = "ghost", queue.StateUnknown
			}
		}
		calls := e.countCalls("evalsha")
		got, err := e.q.StateOf(e.ctx, ask)
		e.must(err)
		if n := calls.Load(); n < 3 || n > 6 {
			e.t.Errorf("3.6 million steps took %d calls", n)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}
	})
}

// A key of the wrong type hides no job that stands elsewhere, and is named when
// a job is not found at all.
func TestStateBesideWrongType(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.Set(e.ctx, e.key("wait"), "x", 0).Err())
		e.fill("waiting-children", "parent")
		got, err := e.q.StateOf(e.ctx, []string{"parent"})
		e.must(err)
		if diff := cmp.Diff([]queue.State{queue.StateWaitingChildren}, got); diff != "" {
			e.t.Error(diff)
		}
		_, err = e.q.StateOf(e.ctx, []string{"nowhere"})
		if !errors.Is(err, queue.ErrCorrupt) || !strings.Contains(err.Error(), e.key("wait")) {
			e.t.Errorf("got %v", err)
		}
	})
}

func TestReadKeepsOrderAndReportsMissing(t *testing.T) {
	onEach(t, func(e *env) {
		const n = 1203 // three pages
		var ids, wantMissing []string
		var want []queue.Job
		pipe := e.rdb.Pipeline()
		for i := n; i > 0; i-- {
			id := strconv.Itoa(i)
			ids = append(ids, id)
			if i%10 == 0 {
				wantMissing = append(wantMissing, id)
				continue
			}
			pipe.HSet(e.ctx, e.key(id), "name", "n"+id)
			want = append(want, queue.Job{ID: id, Name: "n" + id})
		}
		_, err := pipe.Exec(e.ctx)
		e.must(err)
		jobs, missing, err := e.q.Read(e.ctx, ids, queue.FieldName|queue.FieldFailedReason, 0)
		e.must(err)
		if diff := cmp.Diff(want, jobs); diff != "" {
			e.t.Error(diff)
		}
		if diff := cmp.Diff(wantMissing, missing); diff != "" {
			e.t.Error(diff)
		}
	})
}

// A reply that grows beyond a few megabytes is continued in another call.
func TestReadOfLargeJobs(t *testing.T) {
	onEach(t, func(e *env) {
		text := `"` + strings.Repeat("x", 900<<10) + `"`
		var ids []string
		for i := range 12 {
			ids = append(ids, fmt.Sprintf("job%d", i))
			e.hash(ids[i], "data", text)
		}
		calls := e.countCalls("hmget")
		jobs, missing, err := e.q.Read(e.ctx, ids, queue.FieldData, 1<<20)
		e.must(err)
		if n := calls.Load(); n < 3 || n > 6 {
			e.t.Errorf("12 jobs of 900 KiB took %d calls", n)
		}
		if len(missing) > 0 {
			e.t.Errorf("missing %v", missing)
		}
		var got []string
		for _, job := range jobs {
			if string(job.Data) == text {
				got = append(got, job.ID)
			}
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			e.t.Error(diff)
		}
	})
}

func TestBrokenFieldsAreNamedAndHideNothing(t *testing.T) {
	onEach(t, func(e *env) {
		e.hash("1", "name", "send", "data", `{"a":`, "opts", `[1]`, "timestamp", "yesterday", "delay", "1e308",
			"priority", "NaN", "atm", "2.0", "ats", "-1", "stc", "", "progress", "{{", "returnvalue", "nope",
			"stacktrace", `{"a":1}`, "parent", "p")
		got, err := e.q.Get(e.ctx, "1", queue.FieldsAll, 0)
		e.must(err)
		var broken []string
		for _, why := range got.Corrupt {
			field, reason, ok := strings.Cut(why, ": ")
			if !ok || reason == "" {
				e.t.Errorf("no reason in %q", why)
			}
			broken = append(broken, field)
		}
		got.Corrupt = nil
		want := queue.Job{
			ID: "1", Name: "send", State: queue.StateUnknown, Data: json.RawMessage(`{"a":`), Opts: json.RawMessage(`[1]`),
			Progress: json.RawMessage("{{"), ReturnValue: json.RawMessage("nope"), Parent: json.RawMessage("p"),
			AttemptsMade: 2, AttemptsStarted: -1,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}
		wantBroken := []string{
			"timestamp", "delay", "priority", "stc", "opts", "stacktrace", "data", "returnvalue", "progress", "parent",
		}
		if diff := cmp.Diff(wantBroken, broken); diff != "" {
			e.t.Error(diff)
		}
	})
}

func TestKeysThatAreNoJobs(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.RPush(e.ctx, e.key("list"), "x").Err())
		e.must(e.rdb.Set(e.ctx, e.key("text"), "x", 0).Err())
		e.hash("ok", "name", "n")
		jobs, missing, err := e.q.Read(e.ctx, []string{"list", "ok", "text", "gone"}, queue.FieldsRow, 0)
		e.must(err)
		want := []queue.Job{
			{ID: "list", Corrupt: []string{"key: holds a list, not a job"}},
			{ID: "ok", Name: "n"},
			{ID: "text", Corrupt: []string{"key: holds a string, not a job"}},
		}
		if diff := cmp.Diff(want, jobs); diff != "" {
			e.t.Error(diff)
		}
		if diff := cmp.Diff([]string{"gone"}, missing); diff != "" {
			e.t.Error(diff)
		}
	})
}

func TestIDsAreReadByTheirExactBytes(t *testing.T) {
	onEach(t, func(e *env) {
		var got, want []queue.Job
		for i, id := range []string{
			"\xff\xfe", "a\x00b", "-rf", "*", "a b\nc", "{x}", "a:b:c", strings.Repeat("k", 64<<10), "\u00e9", "e\u0301", "\x1b[2J",
		} {
			name := strconv.Itoa(i)
			e.hash(id, "name", name)
			e.fill("failed", id)
			want = append(want, queue.Job{ID: id, Name: name, State: queue.StateFailed})
		}
		for _, job := range want {
			read, err := e.q.Get(e.ctx, job.ID, queue.FieldName, 0)
			e.must(err)
			got = append(got, read)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}
	})
}

func TestLargeFieldsAreCut(t *testing.T) {
	onEach(t, func(e *env) {
		e.hash("1", "name", strings.Repeat("n", 200), "data", strings.Repeat("d", 101), "opts", "{}",
			"failedReason", strings.Repeat("f", 100), "stacktrace", strings.Repeat("s", 5000))
		got, err := e.q.Get(e.ctx, "1", queue.FieldsAll, 100)
		e.must(err)
		want := queue.Job{
			ID: "1", State: queue.StateUnknown, Opts: json.RawMessage("{}"),
			FailedReason: strings.Repeat("f", 100), HasFailedReason: true,
			Cut: map[string]int64{"name": 200, "data": 101, "stacktrace": 5000},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}
	})
}

// countingConn counts what the server sends.
type countingConn struct {
	net.Conn
	received *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err
}

// A field of any size costs neither the wire nor the server memory.
func TestHugeFieldCostsNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--save", "3600 1")
	received := &atomic.Int64{}
	rdb := redis.NewClient(&redis.Options{
		Addr: server.Addr, MaxRetries: -1, Protocol: 2, DisableIdentity: true,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return countingConn{conn, received}, err
		},
	})
	t.Cleanup(func() { _ = rdb.Close() })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const size = 50 << 20
	writer := server.Client()
	must(writer.HSet(t.Context(), "bull:q:1", "name", "n", "data", strings.Repeat("x", size)).Err())
	must(writer.ZAdd(t.Context(), "bull:q:failed", redis.Z{Score: 1, Member: "1"}).Err())
	server.Restart() // the peak of the write is forgotten
	q := queue.NewClient(testConn{server.Addr, rdb}, queue.ClientOptions{}).Queue(queue.KeyBase{Prefix: "bull", Name: "q"})
	want := queue.Job{ID: "1", Name: "n", State: queue.StateFailed, Cut: map[string]int64{"data": size}}
	before := received.Load()
	for range 20 {
		got, err := q.Get(t.Context(), "1", queue.FieldsAll, 0)
		must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	if n := received.Load() - before; n > 10<<10 {
		t.Errorf("20 reads brought %d bytes", n)
	}
	if peak := redisPeak(t, rdb); peak > size*3/2 {
		t.Errorf("redis needed %d bytes to read a job of %d", peak, size)
	}
}

// redisPeak returns the most bytes that the server has held at any time.
func redisPeak(t *testing.T, rdb *redis.Client) int64 {
	t.Helper()
	info, err := rdb.Info(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^used_memory_peak:(\d+)`).FindStringSubmatch(info)
	if found == nil {
		t.Fatal("INFO memory has no peak")
	}
	n, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReadingWorksOnAReadOnlyClient(t *testing.T) {
	onEach(t, func(e *env) {
		id := e.add(queue.NewJob{Name: "n"})[0]
		client := queue.NewClient(testConn{e.rdb.Options().Addr, e.rdb}, queue.ClientOptions{ReadOnly: true})
		job, err := client.Queue(e.base).Get(e.ctx, id, queue.FieldName, 0)
		e.must(err)
		if diff := cmp.Diff(queue.Job{ID: id, Name: "n", State: queue.StateWaiting}, job); diff != "" {
			e.t.Error(diff)
		}
	})
}
