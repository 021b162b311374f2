package queue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// Every key that a call may write is checked before the first write: one of
// the wrong type leaves the whole queue as it was.
func TestWrongTypesStopACallBeforeItWrites(t *testing.T) {
	const all = "meta wait paused active prioritized delayed waiting-children completed failed marker pc events stalled repeat"
	clean := func(s queue.State) func(e *env) error {
		return func(e *env) error {
			_, err := e.q.Clean(e.ctx, queue.CleanOptions{State: s})
			return err
		}
	}
	calls := []struct {
		name string
		keys string
		call func(e *env) error
	}{
		{"retry", "meta wait paused active prioritized marker pc events failed", func(e *env) error {
			_, err := e.q.Retry(e.ctx, queue.StateFailed, []string{"failed!"}, queue.RetryOptions{})
			return err
		}},
		{"promote", "meta wait paused active prioritized delayed marker pc events", func(e *env) error {
			_, err := e.q.Promote(e.ctx, []string{"delayed!"})
			return err
		}},
		{"remove", all + " qctl:corrupt", func(e *env) error {
			_, err := e.q.Remove(e.ctx, []string{"failed!"}, queue.RemoveOptions{Children: true})
			return err
		}},
		{"remove from waiting", "meta wait paused active prioritized delayed waiting-children marker pc events stalled repeat", func(e *env) error {
			_, err := e.q.RemoveFrom(e.ctx, queue.StateWaiting, []string{"waiting!"})
			return err
		}},
		{"remove from failed", all + " qctl:corrupt", func(e *env) error {
			_, err := e.q.RemoveFrom(e.ctx, queue.StateFailed, []string{"failed!"})
			return err
		}},
		{"change delay", "meta delayed marker events", func(e *env) error { return e.q.ChangeDelay(e.ctx, "delayed!", time.Second) }},
		{"change priority", "meta wait paused active prioritized marker pc", func(e *env) error {
			return e.q.ChangePriority(e.ctx, "waiting!", 4, false)
		}},
		{"update data", "meta events", func(e *env) error { return e.q.UpdateData(e.ctx, "waiting!", []byte("1")) }},
		{"update progress", "meta events", func(e *env) error { return e.q.UpdateProgress(e.ctx, "waiting!", []byte("1")) }},
		{"pause", "meta wait paused marker events", func(e *env) error { return e.q.Pause(e.ctx) }},
		{"resume", "meta wait paused prioritized delayed marker events", func(e *env) error { return e.q.Resume(e.ctx) }},
		{"set concurrency", "meta wait paused active prioritized marker", func(e *env) error { return e.q.SetConcurrency(e.ctx, nil) }},
		{"limits", "meta", func(e *env) error { _, err := e.q.Limits(e.ctx); return err }},
		{"is paused", "meta", func(e *env) error { _, err := e.q.IsPaused(e.ctx); return err }},
		{"clean waiting", all + " qctl:corrupt", clean(queue.StateWaiting)},
		{"clean failed", all + " qctl:corrupt", clean(queue.StateFailed)},
		{"drain", all + " qctl:corrupt", func(e *env) error {
			_, err := e.q.Drain(e.ctx, queue.DrainOptions{Delayed: true})
			return err
		}},
		{"obliterate", all + " qctl:corrupt id limiter metrics:completed metrics:completed:data metrics:failed metrics:failed:data", func(e *env) error {
			_, err := e.q.Obliterate(e.ctx, queue.ObliterateOptions{Force: true})
			return err
		}},
	}
	onEach(t, func(e *env) {
		for _, c := range calls {
			for _, suffix := range strings.Fields(c.keys) {
				e := e.fork()
				e.everywhere()
				e.must(e.rdb.Del(e.ctx, e.key(suffix)).Err())
				if wrong := e.key(suffix); suffix == "id" || suffix == "pc" || suffix == "limiter" {
					e.must(e.rdb.LPush(e.ctx, wrong, "x").Err())
				} else {
					e.must(e.rdb.Set(e.ctx, wrong, "x", 0).Err())
				}
				var seen []string
				if suffix != "events" {
					seen = e.events()
				}
				before := e.dump()
				if err := c.call(e); !errors.Is(err, queue.ErrCorrupt) || !strings.Contains(err.Error(), suffix) {
					e.t.Errorf("%s with a wrong %s: %v, want ErrCorrupt that names it", c.name, suffix, err)
				}
				e.changed(before, nil)
				if suffix != "events" {
					same(e, c.name+": events with a wrong "+suffix, seen, e.events())
				}
			}
		}
	})
}

// Nothing is sent to a Redis that must only be read.
func TestReadOnlyRefusesEveryChange(t *testing.T) {
	onEach(t, func(e *env) {
		e.everywhere()
		before := e.dump()
		client := queue.NewClient(readOnlyConn{e.rdb}, queue.ClientOptions{ReadOnly: true})
		q := client.Queue(e.base)
		ids := []string{"failed!"}
		several := func(_ []error, err error) error { return err }
		counted := func(_ int, err error) error { return err }
		for i, err := range []error{
			several(q.Retry(e.ctx, queue.StateFailed, ids, queue.RetryOptions{})), several(q.Promote(e.ctx, ids)),
			several(q.Remove(e.ctx, ids, queue.RemoveOptions{})), several(q.RemoveFrom(e.ctx, queue.StateFailed, ids)),
			several(q.RemoveFrom(e.ctx, queue.StateWaiting, []string{"waiting!"})),
			q.ChangeDelay(e.ctx, "delayed!", 0), q.ChangePriority(e.ctx, "waiting!", 1, false),
			q.UpdateData(e.ctx, "waiting!", []byte("1")), q.ClearLogs(e.ctx, "waiting!", 0),
			q.Pause(e.ctx), q.Resume(e.ctx), q.SetConcurrency(e.ctx, nil), q.SetRate(e.ctx, nil),
			counted(q.Clean(e.ctx, queue.CleanOptions{State: queue.StateFailed})),
			counted(q.Drain(e.ctx, queue.DrainOptions{})), counted(q.Obliterate(e.ctx, queue.ObliterateOptions{Force: true})),
		} {
			if !errors.Is(err, queue.ErrReadOnly) {
				e.t.Errorf("call %d: %v, want ErrReadOnly", i, err)
			}
		}
		e.changed(before, nil)
	})
}

type readOnlyConn struct{ rdb *redis.Client }

func (c readOnlyConn) Client() redis.UniversalClient          { return c.rdb }
func (c readOnlyConn) Dedicated(string) redis.UniversalClient { return c.rdb }
func (c readOnlyConn) Cluster() bool                          { return false }
