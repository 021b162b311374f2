package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// emit writes an entry with this id past the engine.
func (e *env) emit(base queue.KeyBase, id string, values ...any) {
	e.t.Helper()
	e.must(e.rdb.XAdd(e.ctx, &redis.XAddArgs{Stream: base.String() + ":events", ID: id, Values: values}).Err())
}

// following is a Follow in the background.
type following struct {
	e      *env
	cancel context.CancelFunc
	events chan queue.Event
	done   chan error
}

func (e *env) follow(bases []queue.KeyBase, r queue.FollowRequest) *following {
	e.t.Helper()
	ctx, cancel := context.WithCancel(e.ctx)
	f := &following{e: e, cancel: cancel, events: make(chan queue.Event, 5000), done: make(chan error, 1)}
	go func() {
		f.done <- e.client.FollowMany(ctx, bases, r, func(event queue.Event) error {
			f.events <- event
			return nil
		})
	}()
	return f
}

// take returns the next n events.
func (f *following) take(n int) []queue.Event {
	f.e.t.Helper()
	deadline := time.After(20 * time.Second)
	var got []queue.Event
	for len(got) < n {
		select {
		case event := <-f.events:
			got = append(got, event)
		case err := <-f.done:
			f.e.t.Fatalf("ended after %+v: %v", got, err)
		case <-deadline:
			f.e.t.Fatalf("only %+v came", got)
		}
	}
	return got
}

// next returns the next n events, each as its queue's name, type, job and
// GAP where events were lost.
func (f *following) next(n int) []string {
	f.e.t.Helper()
	var got []string
	for _, event := range f.take(n) {
		text := strings.TrimSpace(event.Queue.Name + " " + event.Type + " " + event.JobID)
		if event.Gap {
			text += " GAP"
		}
		got = append(got, text)
	}
	return got
}

// stop ends the following and demands that it ends at once, without an event
// too many.
func (f *following) stop() {
	f.e.t.Helper()
	f.cancel()
	select {
	case err := <-f.done:
		if !errors.Is(err, context.Canceled) {
			f.e.t.Errorf("ended with %v", err)
		}
	case <-time.After(2 * time.Second):
		f.e.t.Fatal("does not end with its context")
	}
	if len(f.events) > 0 {
		f.e.t.Errorf("%d events too many, first %+v", len(f.events), <-f.events)
	}
}

func TestFollowDecodesEvents(t *testing.T) {
	onEach(t, func(e *env) {
		e.emit(e.base, "1795312800000-3", "event", "completed", "jobId", "7", "returnvalue", `{"a":1}`, "prev", "active")
		e.emit(e.base, "1795312800000-4", "no", "event", "at", "all")
		e.emit(e.base, "1795312800001-0", "event", "drained", "foreign", "\xff\x00", "jobid", "x")
		e.emit(e.base, "18446744073709551615-1", "event", "own")
		f := e.follow([]queue.KeyBase{e.base}, queue.FollowRequest{From: queue.FromStart})
		got := f.take(3)
		want := []queue.Event{
			{
				ID: "1795312800000-3", Queue: e.base, Type: "completed", JobID: "7",
				Fields: map[string]string{"returnvalue": `{"a":1}`, "prev": "active"}, Time: time.UnixMilli(start),
			},
			{
				ID: "1795312800001-0", Queue: e.base, Type: "drained",
				Fields: map[string]string{"foreign": "\xff\x00", "jobid": "x"}, Time: time.UnixMilli(start + 1),
			},
			{ID: "18446744073709551615-1", Queue: e.base, Type: "own", Fields: map[string]string{}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.t.Error(diff)
		}
		f.stop()
	})
}

func TestFollowFromNow(t *testing.T) {
	onEach(t, func(e *env) {
		e.emit(e.base, "5-0", "event", "old")
		f := e.follow([]queue.KeyBase{e.base}, queue.FollowRequest{Block: time.Minute})
		// Nothing tells that the following has begun: events go out until one
		// comes back, and all after that one must come.
		first := ""
		for i := 0; first == ""; i++ {
			e.emit(e.base, fmt.Sprintf("6-%d", i), "event", "try", "jobId", i)
			select {
			case event := <-f.events:
				first = event.Type + " " + event.JobID
			case <-time.After(20 * time.Millisecond):
			}
		}
		e.emit(e.base, "7-0", "event", "new")
		got := []string{"q " + first}
		for got[len(got)-1] != "q new" {
			got = append(got, f.next(1)...)
		}
		var begun int
		if _, err := fmt.Sscanf(first, "try %d", &begun); err != nil {
			e.t.Fatalf("began with %q: %v", first, err)
		}
		for i, event := range got[:len(got)-1] {
			if want := fmt.Sprintf("q try %d", begun+i); event != want {
				e.t.Errorf("got %q, want %q", event, want)
			}
		}
		f.stop()
	})
}

// An idle following, blocked in Redis for a minute, ends with its context.
func TestFollowEndsWithItsContext(t *testing.T) {
	onEach(t, func(e *env) {
		f := e.follow([]queue.KeyBase{e.base}, queue.FollowRequest{From: queue.FromStart, Block: time.Minute})
		e.emit(e.base, "1-0", "event", "a")
		f.next(1)
		e.emit(e.base, "2-0", "event", "b")
		f.next(1)
		f.stop()
	})
}

func TestFollowManyQueues(t *testing.T) {
	onEach(t, func(e *env) {
		const n = 40 // several pages of queues
		bases := make([]queue.KeyBase, n)
		after := map[queue.KeyBase]string{}
		for i := range bases {
			bases[i] = queue.KeyBase{Prefix: e.base.Prefix, Name: fmt.Sprintf("q%d", i)}
			e.emit(bases[i], "1-0", "event", "first")
			e.emit(bases[i], "2-0", "event", "second")
			after[bases[i]] = "1"
		}
		after[bases[3]] = queue.FromStart
		f := e.follow(bases, queue.FollowRequest{From: "nonsense", After: after})
		count := map[string]int{}
		for _, event := range f.next(n + 1) {
			count[event]++
		}
		want := map[string]int{"q3 first": 1}
		for i := range n {
			want[fmt.Sprintf("q%d second", i)] = 1
		}
		if diff := cmp.Diff(want, count); diff != "" {
			e.t.Error(diff)
		}
		e.emit(bases[7], "3-0", "event", "third")
		e.emit(bases[39], "3-0", "event", "third")
		got := map[string]bool{}
		for _, event := range f.next(2) {
			got[event] = true
		}
		if diff := cmp.Diff(map[string]bool{"q7 third": true, "q39 third": true}, got); diff != "" {
			e.t.Error(diff)
		}
		f.stop()
	})
}

func TestFollowReadsMoreThanAPage(t *testing.T) {
	onEach(t, func(e *env) {
		var want []string
		for i := range 350 {
			e.emit(e.base, fmt.Sprintf("%d-0", i+1), "event", "e", "jobId", i)
			want = append(want, fmt.Sprintf("q e %d", i))
		}
		f := e.follow([]queue.KeyBase{e.base}, queue.FollowRequest{From: queue.FromStart, Block: time.Minute})
		if diff := cmp.Diff(want, f.next(350)); diff != "" {
			e.t.Error(diff)
		}
		f.stop()
	})
}

func TestFollowReportsGaps(t *testing.T) {
	for _, test := range []struct {
		name, from string
		seed       func(e *env)
		want       string
	}{
		{"the last event is still there", "5", func(e *env) {
			e.emit(e.base, "5-0", "event", "old")
			e.emit(e.base, "6-0", "event", "new")
		}, "q new"},
		{"the stream reaches back", "5", func(e *env) {
			e.emit(e.base, "3-0", "event", "old")
			e.emit(e.base, "6-0", "event", "new")
		}, "q new"},
		{"trimmed", "5", func(e *env) {
			e.emit(e.base, "5-0", "event", "old")
			e.emit(e.base, "6-0", "event", "lost")
			e.emit(e.base, "7-0", "event", "new")
			e.must(e.rdb.XTrimMinID(e.ctx, e.key("events"), "7").Err())
		}, "q new GAP"},
		{"begun anew with lower ids", "5", func(e *env) {
			e.emit(e.base, "2-0", "event", "new")
		}, "q new GAP"},
		{"from the start there is nothing to lose", "0", func(e *env) {
			e.emit(e.base, "7-0", "event", "new")
		}, "q new"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(e *env) {
				test.seed(e)
				f := e.follow([]queue.KeyBase{e.base}, queue.FollowRequest{From: test.from})
				if diff := cmp.Diff([]string{test.want}, f.next(1)); diff != "" {
					e.t.Error(diff)
				}
				// The gap is reported once.
				e.emit(e.base, "9-0", "event", "next")
				if diff := cmp.Diff([]string{"q next"}, f.next(1)); diff != "" {
					e.t.Error(diff)
				}
				f.stop()
			})
		})
	}
}

// The stream is obliterated while it is followed, and another queue keeps the
// reads from ever timing out.
func TestFollowNoticesAStreamThatBeginsAnew(t *testing.T) {
	onEach(t, func(e *env) {
		other := queue.KeyBase{Prefix: e.base.Prefix, Name: "other"}
		e.emit(e.base, "500-0", "event", "old")
		f := e.follow([]queue.KeyBase{e.base, other}, queue.FollowRequest{From: queue.FromStart, Block: 50 * time.Millisecond})
		f.next(1)
		e.must(e.rdb.Del(e.ctx, e.key("events")).Err())
		e.emit(e.base, "3-0", "event", "new")
		deadline := time.After(10 * time.Second)
		for i := 1; ; i++ {
			e.emit(other, fmt.Sprintf("%d-0", i), "event", "noise")
			if got := f.next(1)[0]; got == "q new GAP" {
				break
			}
			select {
			case <-deadline:
				e.t.Fatal("the new stream was never read")
			default:
			}
		}
		f.cancel()
		if err := <-f.done; !errors.Is(err, context.Canceled) {
			e.t.Errorf("ended with %v", err)
		}
	})
}

func TestFollowEndsWithTheCallersError(t *testing.T) {
	onEach(t, func(e *env) {
		e.emit(e.base, "1-0", "event", "a")
		e.emit(e.base, "2-0", "event", "b")
		enough := errors.New("enough")
		seen := 0
		err := e.q.Follow(e.ctx, queue.FollowRequest{From: queue.FromStart}, func(queue.Event) error {
			seen++
			return enough
		})
		if err != enough || seen != 1 { //nolint:errorlint // returned as it is
			e.t.Errorf("saw %d, %v", seen, err)
		}
	})
}

func TestFollowErrors(t *testing.T) {
	onEach(t, func(e *env) {
		never := func(event queue.Event) error {
			e.t.Errorf("event %+v", event)
			return nil
		}
		for _, from := range []string{"x", "1-", "1-x", "-1", "99999999999999999999", "1-2-3"} {
			if err := e.q.Follow(e.ctx, queue.FollowRequest{From: from}, never); !errors.Is(err, queue.ErrInvalidOption) {
				e.t.Errorf("from %q: %v", from, err)
			}
		}
		e.must(e.rdb.Set(e.ctx, e.key("events"), "x", 0).Err())
		for _, from := range []string{queue.FromNow, queue.FromStart} {
			err := e.q.Follow(e.ctx, queue.FollowRequest{From: from}, never)
			if !errors.Is(err, queue.ErrCorrupt) || !strings.Contains(err.Error(), e.base.String()) {
				e.t.Errorf("from %q in a stream of the wrong type: %v", from, err)
			}
		}
		e.must(e.client.FollowMany(e.ctx, nil, queue.FollowRequest{}, never))
	})
}

func TestReadEvents(t *testing.T) {
	onEach(t, func(e *env) {
		for i := range 5 {
			e.emit(e.base, fmt.Sprintf("%d-0", i+1), "event", fmt.Sprint("e", i+1))
		}
		e.emit(e.base, "6-0", "foreign", "x")
		for _, test := range []struct {
			read       func(context.Context, string, string, int64) ([]queue.Event, string, error)
			from, to   string
			count      int64
			want, last string
		}{
			{e.q.ReadEvents, "-", "+", 3, "e1 e2 e3", "3-0"},
			{e.q.ReadEvents, "-", "+", 100, "e1 e2 e3 e4 e5", "6-0"},
			{e.q.ReadEvents, "2", "4", 100, "e2 e3 e4", "4-0"},
			{e.q.ReadEvents, "(2-0", "4", 100, "e3 e4", "4-0"},
			{e.q.ReadEvents, "(6-0", "+", 100, "", ""},
			{e.q.ReadEventsBack, "+", "-", 3, "e5 e4", "4-0"},
			{e.q.ReadEventsBack, "+", "-", 1, "", "6-0"},
			{e.q.ReadEventsBack, "(4-0", "2", 100, "e3 e2", "2-0"},
		} {
			events, last, err := test.read(e.ctx, test.from, test.to, test.count)
			e.must(err)
			var got []string
			for _, event := range events {
				got = append(got, event.Type)
			}
			if strings.Join(got, " ") != test.want || last != test.last {
				e.t.Errorf("from %s to %s, %d: %q up to %s; want %q up to %s", test.from, test.to, test.count, got, last, test.want, test.last)
			}
		}
		newest, err := e.q.NewestEvent(e.ctx)
		e.must(err)
		same(e, "newest", "6-0", newest)
		newest, err = e.fork().q.NewestEvent(e.ctx)
		e.must(err)
		same(e, "newest of no stream", queue.FromStart, newest)
	})
}

// What the engine itself writes comes back as events.
func TestFollowAJob(t *testing.T) {
	onEach(t, func(e *env) {
		f := e.follow([]queue.KeyBase{e.base}, queue.FollowRequest{From: queue.FromStart})
		id := e.add(queue.NewJob{Name: "n"})[0]
		e.claim(1, "tok")
		e.settle(queue.Outcome{Kind: queue.Complete, ID: id, Token: "tok"})
		want := []string{"q added 1", "q waiting 1", "q active 1", "q completed 1", "q drained"}
		if diff := cmp.Diff(want, f.next(5)); diff != "" {
			e.t.Error(diff)
		}
		f.stop()
	})
}
