package queue_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

// env is one queue on one kind of Redis, with a clock that tests move.
type env struct {
	t      testing.TB
	ctx    context.Context
	rdb    *redis.Client // for looking at keys and for preparing them
	client *queue.Client
	q      *queue.Queue
	base   queue.KeyBase
	now    *atomic.Int64 // ms
	real   bool          // a redis-server, not miniredis
}

// start is the clock of every test: a Sunday in November 2026.
const start = int64(1795312800000)

// realRedis is shared by all tests; each has a prefix of its own.
var (
	realRedis redistest.Shared
	bases     atomic.Int64
)

// onEach runs a test of the engine's contract over miniredis and over a
// redis-server, each in parallel with everything else.
func onEach(t *testing.T, test func(e *env)) {
	t.Helper()
	t.Parallel()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		server := miniredis.RunT(t)
		test(newEnv(t, server.Addr(), false))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		test(onRealRedis(t))
	})
}

// onRealRedis is for what miniredis lacks.
func onRealRedis(t testing.TB) *env {
	t.Helper()
	return newEnv(t, realRedis.Addr(t), true)
}

type testConn struct {
	addr string
	main *redis.Client
}

func (c testConn) Client() redis.UniversalClient { return c.main }

func (c testConn) Dedicated(name string) redis.UniversalClient { return dial(c.addr, name) }

func (c testConn) Cluster() bool { return false }

func dial(addr, name string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ClientName: name, Protocol: 2, DisableIdentity: true, ReadTimeout: time.Minute})
}

func newEnv(t testing.TB, addr string, isReal bool) *env {
	t.Helper()
	rdb := dial(addr, "")
	t.Cleanup(func() { _ = rdb.Close() })
	now := &atomic.Int64{}
	now.Store(start)
	client := queue.NewClient(testConn{addr, rdb}, queue.ClientOptions{Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	base := queue.KeyBase{Prefix: fmt.Sprintf("t%d", bases.Add(1)), Name: "q"}
	return &env{t: t, ctx: t.Context(), rdb: rdb, client: client, q: client.Queue(base), base: base, now: now, real: isReal}
}

// key returns the full name of a key of the queue.
func (e *env) key(suffix string) string { return e.base.String() + ":" + suffix }

// must fails the test when a call that prepares it does.
func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// add adds jobs and returns their ids.
func (e *env) add(jobs ...queue.NewJob) []string {
	e.t.Helper()
	added, err := e.q.AddBulk(e.ctx, jobs)
	e.must(err)
	ids := make([]string, len(added))
	for i, a := range added {
		ids[i] = a.ID
	}
	return ids
}

// claim claims up to n jobs for a minute, under the token.
func (e *env) claim(n int, token string) []queue.Job {
	e.t.Helper()
	claimed, err := e.q.Claim(e.ctx, queue.ClaimRequest{N: n, Token: token, Lock: time.Minute})
	e.must(err)
	return claimed.Jobs
}

// settle records one outcome and fails the test when it was refused.
func (e *env) settle(o queue.Outcome) {
	e.t.Helper()
	settled, err := e.q.Settle(e.ctx, []queue.Outcome{o}, queue.SettleOptions{})
	e.must(err)
	e.must(settled.Errs[0])
}

// dump returns every key of the queue but its event stream, as plain text per
// key: lists from left to right, sets sorted, sorted sets with scores, hashes
// with sorted fields.
func (e *env) dump() map[string]string {
	e.t.Helper()
	out := map[string]string{}
	keys, err := e.rdb.Keys(e.ctx, e.base.String()+":*").Result()
	e.must(err)
	for _, key := range keys {
		suffix := strings.TrimPrefix(key, e.base.String()+":")
		if suffix != "events" {
			out[suffix] = e.value(key)
		}
	}
	return out
}

func (e *env) value(key string) string {
	e.t.Helper()
	kind, err := e.rdb.Type(e.ctx, key).Result()
	e.must(err)
	switch kind {
	case "string":
		return e.rdb.Get(e.ctx, key).Val()
	case "list":
		return strings.Join(e.rdb.LRange(e.ctx, key, 0, -1).Val(), " ")
	case "set":
		members := e.rdb.SMembers(e.ctx, key).Val()
		slices.Sort(members)
		return strings.Join(members, " ")
	case "zset":
		var parts []string
		for _, z := range e.rdb.ZRangeWithScores(e.ctx, key, 0, -1).Val() {
			parts = append(parts, fmt.Sprintf("%v=%.0f", z.Member, z.Score))
		}
		return strings.Join(parts, " ")
	case "hash":
		fields := e.rdb.HGetAll(e.ctx, key).Val()
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			parts = append(parts, name+"="+fields[name])
		}
		return strings.Join(parts, " ")
	}
	return kind
}

// events returns the event stream as one text per entry, oldest first, such as
// "completed jobId=1 returnvalue=2 prev=active".
func (e *env) events() []string {
	e.t.Helper()
	reply, err := e.rdb.Do(e.ctx, "XRANGE", e.key("events"), "-", "+").Slice()
	e.must(err)
	var out []string
	for _, entry := range reply {
		fields := entry.([]any)[1].([]any)
		text := fields[1].(string)
		for i := 2; i+1 < len(fields); i += 2 {
			text += fmt.Sprintf(" %v=%v", fields[i], fields[i+1])
		}
		out = append(out, text)
	}
	return out
}
