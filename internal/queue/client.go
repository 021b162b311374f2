package queue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Conn is a connection to Redis as the engine needs it: a pool for everyday
// commands, and connections of their own for a worker's blocking read and for
// its lock renewals. Neither may repeat a command by itself.
type Conn interface {
	Client() redis.UniversalClient
	// Dedicated opens a client with one connection that names itself; an
	// empty name leaves it unnamed. The caller closes it.
	Dedicated(name string) redis.UniversalClient
	// Cluster reports whether this is Redis Cluster.
	Cluster() bool
}

// Client opens queues on one Redis.
type Client struct {
	conn     Conn
	rdb      redis.UniversalClient
	now      func() time.Time
	readOnly bool
	cluster  bool
	nextRun  NextRun
	options  *optionsCache
}

// ClientOptions changes what a [Client] does; the zero value is right for
// production.
type ClientOptions struct {
	// Now is the clock that stamps jobs; nil means time.Now. BullMQ uses the
	// clock of the client, not that of Redis.
	Now func() time.Time
	// ReadOnly refuses every write before it is sent, with ErrReadOnly.
	ReadOnly bool
	// NextRun tells a scheduler that has ended before its last day from one that
	// has stopped; nil takes the first for the second.
	NextRun NextRun
}

// NewClient returns a client on conn, which stays the caller's to close.
func NewClient(conn Conn, opts ClientOptions) *Client {
	now := opts.Now
	if now == nil {
		now = time.Now
	}
	return &Client{
		conn: conn, rdb: conn.Client(), now: now, readOnly: opts.ReadOnly, cluster: conn.Cluster(),
		nextRun: opts.NextRun,
		options: &optionsCache{known: map[string]*JobOptions{}},
	}
}

// Ping asks Redis for a sign of life.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.rdb.Ping(ctx).Err(); err != nil {
		return wrapRedis("ping", err)
	}
	return nil
}

// Queue is one queue. Opening one sends nothing; a queue begins to exist with
// its first job.
type Queue struct {
	client *Client
	base   KeyBase
	fence  Fence // of the leader who writes, see Fenced
	adds   adder
}

// Queue opens the queue with this key base.
func (c *Client) Queue(base KeyBase) *Queue { return &Queue{client: c, base: base} }

// KeyBase returns the queue's name in Redis.
func (q *Queue) KeyBase() KeyBase { return q.base }

// nowMS is the client's clock as the wire has it.
func (q *Queue) nowMS() int64 { return q.client.now().UnixMilli() }

// run executes a script on the shared pool.
func (q *Queue) run(ctx context.Context, s *script, args ...any) (any, error) {
	return s.run(ctx, q.client, q.client.rdb, q.base, args...)
}
