package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
	"github.com/qctl/qctl/internal/worker"
)

// realRedis is shared by the tests that disturb nobody else; each has a prefix
// of its own.
var (
	realRedis redistest.Shared
	bases     atomic.Int64
)

// patience bounds the wait for what must happen soon, on a busy machine.
const patience = 20 * time.Second

// env is one queue.
type env struct {
	t    testing.TB
	ctx  context.Context
	rdb  *redis.Client // for looking at keys and for preparing them
	q    *queue.Queue
	base queue.KeyBase
}

type testConn struct {
	addr string
	main *redis.Client
}

func (c testConn) Client() redis.UniversalClient { return c.main }

func (c testConn) Dedicated(name string) redis.UniversalClient {
	o := options(c.addr)
	o.ClientName, o.PoolSize = name, 1
	return redis.NewClient(o)
}

func (c testConn) Cluster() bool { return false }

// options are those of package redisconn.
func options(addr string) *redis.Options {
	return &redis.Options{
		Addr: addr, MaxRetries: -1, DialerRetries: 1, Protocol: 2, DisableIdentity: true,
		ContextTimeoutEnabled: true, ReadTimeout: 3 * time.Second, DialTimeout: 2 * time.Second,
	}
}

// newEnv opens a new queue on the Redis at addr.
func newEnv(t testing.TB, addr string) *env {
	t.Helper()
	e := &env{t: t, ctx: t.Context(), base: queue.KeyBase{Prefix: fmt.Sprintf("t%d", bases.Add(1)), Name: "q"}}
	e.rdb = redis.NewClient(options(addr))
	t.Cleanup(func() { _ = e.rdb.Close() })
	e.q = e.via(addr)
	return e
}

// via opens the same queue through another address, such as a proxy's.
func (e *env) via(addr string) *queue.Queue { return e.client(addr).Queue(e.base) }

func (e *env) client(addr string) *queue.Client {
	main := redis.NewClient(options(addr))
	e.t.Cleanup(func() { _ = main.Close() })
	return queue.NewClient(testConn{addr, main}, queue.ClientOptions{})
}

func onRealRedis(t testing.TB) *env {
	t.Helper()
	return newEnv(t, realRedis.Addr(t))
}

// onEach runs a test over miniredis and over a redis-server.
func onEach(t *testing.T, test func(e *env)) {
	t.Helper()
	t.Parallel()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		test(newEnv(t, miniredis.RunT(t).Addr()))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		test(onRealRedis(t))
	})
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) key(suffix string) string { return e.base.String() + ":" + suffix }

// add adds one job and returns its id.
func (e *env) add(name, data string, opts queue.JobOptions) string {
	e.t.Helper()
	added, err := e.q.AddBulk(e.ctx, []queue.NewJob{{Name: name, Data: json.RawMessage(data), Opts: opts}})
	e.must(err)
	return added[0].ID
}

// addMany adds n jobs of the same options and returns their ids.
func (e *env) addMany(n int, opts queue.JobOptions) []string {
	e.t.Helper()
	jobs := make([]queue.NewJob, n)
	for i := range jobs {
		jobs[i] = queue.NewJob{Name: "job", Data: json.RawMessage("{}"), Opts: opts}
	}
	added, err := e.q.AddBulk(e.ctx, jobs)
	e.must(err)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = added[i].ID
	}
	return ids
}

// hash returns one field of a job, "" without it.
func (e *env) hash(id, field string) string {
	e.t.Helper()
	value, err := e.rdb.HGet(e.ctx, e.key(id), field).Result()
	if err != nil && err != redis.Nil { //nolint:errorlint // the client returns it bare
		e.t.Fatal(err)
	}
	return value
}

// counts returns the lengths of the queue's lists and sets, without empty ones.
func (e *env) counts() map[string]int64 {
	e.t.Helper()
	all := map[string]int64{}
	for _, name := range []string{"wait", "paused", "active"} {
		n, err := e.rdb.LLen(e.ctx, e.key(name)).Result()
		e.must(err)
		all[name] = n
	}
	for _, name := range []string{"prioritized", "delayed", "completed", "failed"} {
		n, err := e.rdb.ZCard(e.ctx, e.key(name)).Result()
		e.must(err)
		all[name] = n
	}
	for name, n := range all {
		if n == 0 {
			delete(all, name)
		}
	}
	return all
}

// locks returns how many jobs are locked.
func (e *env) locks() int {
	e.t.Helper()
	keys, err := e.rdb.Keys(e.ctx, e.key("*:lock")).Result()
	e.must(err)
	return len(keys)
}

// events counts the events of a kind per job.
func (e *env) events(kind string) map[string]int {
	e.t.Helper()
	entries, err := e.rdb.XRange(e.ctx, e.key("events"), "-", "+").Result()
	e.must(err)
	counts := map[string]int{}
	for _, entry := range entries {
		if entry.Values["event"] == kind {
			counts[fmt.Sprint(entry.Values["jobId"])]++
		}
	}
	return counts
}

// eventually waits until ok holds.
func (e *env) eventually(what string, ok func() bool) {
	e.t.Helper()
	redistest.WaitFor(e.t, patience, what, ok)
}

// pass lets time go by, for tests that nothing happens in it.
func pass(d time.Duration) { <-time.After(d) }

// running is a worker at work.
type running struct {
	e     *env
	w     *worker.Worker
	stop  context.CancelFunc // the first signal
	kill  context.CancelFunc // the second
	done  chan struct{}
	stats worker.Stats
	err   error
}

// start runs a worker until the test ends, unless it is stopped before.
func (e *env) start(cfg worker.Config) *running {
	e.t.Helper()
	if cfg.Queue == nil {
		cfg.Queue = e.q
	}
	w, err := worker.New(cfg)
	e.must(err)
	claim, stop := context.WithCancel(context.WithoutCancel(e.ctx))
	work, kill := context.WithCancel(context.WithoutCancel(e.ctx))
	r := &running{e: e, w: w, stop: stop, kill: kill, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.stats, r.err = w.Run(claim, work)
	}()
	e.t.Cleanup(func() { stop(); kill(); r.wait() })
	return r
}

// wait waits for the worker to end.
func (r *running) wait() worker.Stats {
	r.e.t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		r.e.t.Errorf("the worker does not end")
	}
	return r.stats
}

// finish stops the worker, which must end without error.
func (r *running) finish() worker.Stats {
	r.e.t.Helper()
	r.stop()
	stats := r.wait()
	if r.err != nil {
		r.e.t.Errorf("Run: %v", r.err)
	}
	return stats
}

// ledger remembers what handlers ran.
type ledger struct {
	mu      sync.Mutex
	starts  map[string]int
	order   []string
	now     int
	most    int
	inside  map[string]bool
	overlap []string // ids that ran twice at once
}

func newLedger() *ledger { return &ledger{starts: map[string]int{}, inside: map[string]bool{}} }

// around returns a handler that books its runs.
func (l *ledger) around(h worker.HandlerFunc) worker.HandlerFunc {
	return func(ctx context.Context, job worker.Job, report worker.Reporter) (json.RawMessage, error) {
		l.mu.Lock()
		l.starts[job.ID]++
		l.order = append(l.order, job.ID)
		l.now++
		l.most = max(l.most, l.now)
		if l.inside[job.ID] {
			l.overlap = append(l.overlap, job.ID)
		}
		l.inside[job.ID] = true
		l.mu.Unlock()
		defer func() {
			l.mu.Lock()
			l.now--
			l.inside[job.ID] = false
			l.mu.Unlock()
		}()
		return h(ctx, job, report)
	}
}

func (l *ledger) ran() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.order)
}

func (l *ledger) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.order...)
}

// times returns how often each job ran.
func (l *ledger) times() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]int{}
	for id, n := range l.starts {
		out[id] = n
	}
	return out
}

// each maps every id to n.
func each(ids []string, n int) map[string]int {
	out := map[string]int{}
	for _, id := range ids {
		out[id] = n
	}
	return out
}

func succeed(context.Context, worker.Job, worker.Reporter) (json.RawMessage, error) { return nil, nil }

// until blocks each job until the channel is closed or its context ends.
func until(open <-chan struct{}) worker.HandlerFunc {
	return func(ctx context.Context, _ worker.Job, _ worker.Reporter) (json.RawMessage, error) {
		select {
		case <-open:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// logs collects log lines.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// lines returns how many lines contain a text.
func (l *logs) lines(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}
