package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

func TestWorkerName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		base       queue.KeyBase
		name, want string
	}{
		{queue.KeyBase{Prefix: "bull", Name: "q"}, "", "bull:cQ=="},
		{queue.KeyBase{Prefix: "bull", Name: "q"}, "w1", "bull:cQ==:w:w1"},
		{queue.KeyBase{Prefix: "{bull}:x", Name: "größe"}, "", "{bull}:x:Z3LDtsOfZQ=="},
		{queue.KeyBase{Prefix: "bull", Name: "a b\n"}, "", "bull:YSBiCg=="},
		{queue.KeyBase{Prefix: "bull", Name: "q"}, "my host\n\xff", "bull:cQ==:w:my_host__"},
		{queue.KeyBase{Prefix: "my bull", Name: "q"}, "w", ""},
	} {
		if got := queue.WorkerName(test.base, test.name); got != test.want {
			t.Errorf("WorkerName(%v, %q) = %q, want %q", test.base, test.name, got, test.want)
		}
	}
}

// connect opens a connection of this name and keeps it for the test.
func connect(t testing.TB, addr, name string) {
	t.Helper()
	rdb := dial(addr, name)
	t.Cleanup(func() { _ = rdb.Close() })
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	e := onRealRedis(t)
	other := queue.KeyBase{Prefix: e.base.Prefix + ":w:x", Name: "q"}
	idle := queue.KeyBase{Prefix: e.base.Prefix, Name: "idle"}
	addr := e.rdb.Options().Addr
	for _, name := range []string{
		queue.WorkerName(e.base, ""), queue.WorkerName(e.base, "host:w:1"), queue.WorkerName(other, "o"),
		queue.WorkerName(e.base, "") + ":qe", queue.WorkerName(e.base, "") + "x", e.base.Prefix,
	} {
		connect(t, addr, name)
	}
	listener := e.q.Listen("listener")
	t.Cleanup(func() { _ = listener.Close() })
	if _, _, err := listener.Wait(e.ctx, time.Second); err != nil {
		t.Fatal(err)
	}

	workers, err := e.client.Workers(e.ctx, []queue.KeyBase{e.base, other, idle})
	e.must(err)
	got := map[queue.KeyBase][]string{}
	for base, conns := range workers {
		for _, conn := range conns {
			if !strings.Contains(conn.Addr, ":") || conn.Age > time.Minute || conn.Idle > time.Minute {
				t.Errorf("connection %+v", conn)
			}
			got[base] = append(got[base], conn.Name)
		}
		slices.Sort(got[base])
	}
	want := map[queue.KeyBase][]string{e.base: {"", "host:w:1", "listener"}, other: {"o"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	n, err := e.q.CountWorkers(e.ctx)
	if n != 3 || err != nil {
		t.Errorf("CountWorkers: %d, %v", n, err)
	}
}

func TestWorkersUnknown(t *testing.T) {
	t.Parallel()
	t.Run("the server has no list", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t, miniredis.RunT(t).Addr(), false)
		_, err := e.q.CountWorkers(e.ctx)
		if !errors.Is(err, queue.ErrUnsupported) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the user may not see it", func(t *testing.T) {
		t.Parallel()
		e := onRealRedis(t)
		user := "u" + e.base.Prefix
		e.must(e.rdb.Do(e.ctx, "ACL", "SETUSER", user, "on", "nopass", "~*", "+@all", "-client").Err())
		rdb := redis.NewClient(&redis.Options{
			Addr: e.rdb.Options().Addr, Username: user, Password: "x", MaxRetries: -1, Protocol: 2, DisableIdentity: true,
		})
		t.Cleanup(func() { _ = rdb.Close() })
		client := queue.NewClient(testConn{main: rdb}, queue.ClientOptions{})
		_, err := client.Queue(e.base).CountWorkers(e.ctx)
		if !errors.Is(err, queue.ErrUnsupported) || queue.Classify(err) != queue.ClassDenied {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the server is gone", func(t *testing.T) {
		t.Parallel()
		rdb := dial(fmt.Sprintf("127.0.0.1:%d", redistest.FreePort(t)), "")
		t.Cleanup(func() { _ = rdb.Close() })
		client := queue.NewClient(testConn{main: rdb}, queue.ClientOptions{})
		_, err := client.Workers(t.Context(), nil)
		if errors.Is(err, queue.ErrUnsupported) || queue.Classify(err) != queue.ClassUnreachable {
			t.Errorf("got %v", err)
		}
	})
}
