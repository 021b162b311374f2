package interop

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redisconn"
	"github.com/qctl/qctl/internal/redistest"
)

// world is a Redis with a Node peer and our engine on it.
type world struct {
	t      *testing.T
	ctx    context.Context
	peer   *peer
	url    string
	rdb    *redis.Client // for looking at keys
	conn   *redisconn.Conn
	client *queue.Client
	names  atomic.Int64
}

// eachWorld runs a test in a world of Node BullMQ 5 and in one of 6.
func eachWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	eachMajor(t, func(t *testing.T, p *peer) { test(newWorld(t, p)) })
}

func newWorld(t *testing.T, p *peer) *world {
	t.Helper()
	conn, err := openRedis(p.url)
	if err != nil {
		t.Fatal(err)
	}
	options, err := redis.ParseURL(p.url)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, ctx: t.Context(), peer: p, url: p.url, rdb: redis.NewClient(options),
		conn: conn, client: queue.NewClient(conn, queue.ClientOptions{}),
	}
	t.Cleanup(func() { _ = w.conn.Close(); _ = w.rdb.Close() })
	return w
}

func openRedis(url string) (*redisconn.Conn, error) {
	return redisconn.Open(redisconn.Config{URLs: []redisconn.Secret{redisconn.NewSecret(url)}})
}

// must fails the test when something that is no subject of it does.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// waitUntil polls until ok holds. Only its failure depends on the speed of the machine.
func (w *world) waitUntil(what string, ok func() bool) {
	w.t.Helper()
	redistest.WaitFor(w.t, soon, what, ok)
}

// line is one queue, as our engine and as the peer see it.
type line struct {
	w    *world
	base queue.KeyBase
	q    *queue.Queue
}

// line opens a queue and lets the peer write its version to it.
func (w *world) line(prefix, name string) *line {
	w.t.Helper()
	base := queue.KeyBase{Prefix: prefix, Name: name}
	l := &line{w: w, base: base, q: w.client.Queue(base)}
	l.call("getMeta", nil, nil)
	w.waitUntil("the version of "+base.String(), func() bool {
		return w.rdb.HExists(w.ctx, base.String()+":meta", "version").Val()
	})
	return l
}

// fresh is line under a name that no other has.
func (w *world) fresh() *line {
	w.t.Helper()
	return w.line("bull", fmt.Sprintf("q%d", w.names.Add(1)))
}

// with completes a request to the peer.
func (l *line) with(more args) args {
	with := args{"queue": l.base.Name, "prefix": l.base.Prefix}
	maps.Copy(with, more)
	return with
}

func (l *line) call(op string, more args, out any) {
	l.w.t.Helper()
	l.w.peer.call(op, l.with(more), out)
}

// key returns the full name of a key of the queue.
func (l *line) key(suffix string) string { return l.base.String() + ":" + suffix }

// nodeAdds adds jobs by the peer and returns their ids.
func (l *line) nodeAdds(jobs ...args) []string {
	l.w.t.Helper()
	var added []jobJSON
	l.call("addBulk", args{"jobs": jobs}, &added)
	return ids(added)
}

// weAdd adds jobs by our engine and returns their ids.
func (l *line) weAdd(jobs ...queue.NewJob) []string {
	l.w.t.Helper()
	added, err := l.q.AddBulk(l.w.ctx, jobs)
	l.w.must(err)
	all := make([]string, len(added))
	for i, a := range added {
		all[i] = a.ID
	}
	return all
}

// allOf fails the test unless every one of our engine's answers per job is nil.
func (l *line) allOf(errs []error, err error) {
	l.w.t.Helper()
	l.w.must(err)
	for _, err := range errs {
		l.w.must(err)
	}
}

// state is where the peer sees the job.
func (l *line) state(id string) (state string) {
	l.w.t.Helper()
	l.call("getState", args{"jobId": id}, &state)
	return state
}

// counts is where the peer sees how many jobs.
func (l *line) counts() map[string]int {
	l.w.t.Helper()
	var all map[string]int
	l.call("getJobCounts", nil, &all)
	return all
}

// ourCounts are our engine's numbers under the peer's names, those of BullMQ 6.
func (l *line) ourCounts() map[string]int {
	l.w.t.Helper()
	c, err := l.q.Counts(l.w.ctx)
	l.w.must(err)
	return map[string]int{
		"active": int(c.Active), "completed": int(c.Completed), "delayed": int(c.Delayed), "failed": int(c.Failed),
		"prioritized": int(c.Prioritized), "waiting": int(c.Waiting), "waiting-children": int(c.WaitingChildren),
	}
}

// sameCounts compares both. BullMQ 5 counts the waiting jobs of a paused queue apart.
func (l *line) sameCounts() {
	l.w.t.Helper()
	node := l.counts()
	node["waiting"] += node["paused"]
	delete(node, "paused")
	diff(l.w.t, "counts of "+l.base.String(), node, l.ourCounts())
}

// waitFinished waits until the queue has so many completed and failed jobs.
func (l *line) waitFinished(completed, failed int64) {
	l.w.t.Helper()
	l.w.waitUntil(fmt.Sprintf("%d completed and %d failed jobs in %s", completed, failed, l.base), func() bool {
		c, err := l.q.Counts(l.w.ctx)
		l.w.must(err)
		return c.Completed == completed && c.Failed == failed && c.Active == 0
	})
}

// waitIdle waits until n workers sleep on the queue's marker.
func (l *line) waitIdle(n int) {
	l.w.t.Helper()
	l.w.waitUntil(fmt.Sprintf("%d idle workers of %s", n, l.base), func() bool {
		idle := 0
		for _, client := range l.workerConns() {
			if strings.Contains(client, " cmd=bzpopmin ") && strings.Contains(client, " flags=b") {
				idle++
			}
		}
		return idle == n
	})
}

// workerConns returns the lines of CLIENT LIST that are workers of the queue.
func (l *line) workerConns() []string {
	l.w.t.Helper()
	list, err := l.w.rdb.ClientList(l.w.ctx).Result()
	l.w.must(err)
	head := " name=" + l.base.Prefix + ":" + base64.StdEncoding.EncodeToString([]byte(l.base.Name))
	var conns []string
	for one := range strings.Lines(list) {
		if strings.Contains(one, head+" ") || strings.Contains(one, head+":w:") {
			conns = append(conns, one)
		}
	}
	return conns
}

// quick fails the test unless one of several tries takes at most limit; a try returns how long it took. A machine
// that is busy with other things is late now and then, a missing wake-up is late every time.
func quick(t *testing.T, what string, limit time.Duration, try func() time.Duration) {
	t.Helper()
	var took []time.Duration
	for range 6 {
		d := try()
		if d <= limit {
			return
		}
		took = append(took, d)
	}
	t.Errorf("%s took %v, want at most %v", what, took, limit)
}
