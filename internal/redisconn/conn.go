package redisconn

import (
	"cmp"
	"context"
	"crypto/tls"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// maxRedirects bounds how many MOVED and ASK replies of a cluster one command
// follows.
const maxRedirects = 5

// Conn is a way to one Redis: a pool that everybody shares, and clients with a
// connection of their own on request. It is safe for concurrent use.
type Conn struct {
	config Config
	target target
	tls    *tls.Config
	shared redis.UniversalClient
}

// silenceLogger keeps go-redis from writing to standard error on its own, over
// the dashboard or into a pipe. All that it logs also reaches a caller as an
// error. The logger of that package is global, so one process sets it once.
var silenceLogger = sync.OnceFunc(func() { redis.SetLogger(silentLogger{}) })

type silentLogger struct{}

// Printf writes nothing.
func (silentLogger) Printf(context.Context, string, ...any) {}

// Open checks the settings and reads the files that they name. It sends
// nothing: the first command makes the first connection. Settings that cannot
// be used are a *ConfigError, files with secrets that others can read are
// [ErrSecretExposed].
func Open(config Config) (*Conn, error) {
	t, err := config.target()
	if err != nil {
		return nil, err
	}
	tlsConfig, err := config.tlsConfig(t.scheme)
	if err != nil {
		return nil, err
	}
	silenceLogger()
	c := &Conn{config: config, target: t, tls: tlsConfig}
	c.shared = c.open(c.options())
	return c, nil
}

// Client returns the shared pool. [Conn.Close] closes it.
func (c *Conn) Client() redis.UniversalClient { return c.shared }

// Dedicated returns a new client with a single connection, per server in a
// cluster, which shows up in CLIENT LIST under the name; an empty name leaves
// it unnamed. It is for blocking reads, which would hold a pooled connection,
// and for lock renewals, which must not wait behind other traffic. A second
// command waits until the first has its reply.
//
// A cancel of the context does not end a blocking read on it, but the context's
// deadline does, and so does closing the client. The caller closes it.
func (c *Conn) Dedicated(clientName string) redis.UniversalClient {
	options := c.options()
	options.ClientName = clientName
	options.PoolSize = 1
	return c.open(options)
}

// Cluster reports whether this is a Redis Cluster, where all keys of a command
// must share a slot.
func (c *Conn) Cluster() bool { return c.config.Cluster }

// Close closes the shared pool; calls in flight on it fail. Clients from
// Dedicated stay open.
func (c *Conn) Close() error { return c.shared.Close() }

// options returns what all kinds of clients have in common.
func (c *Conn) options() *redis.UniversalOptions {
	readTimeout := cmp.Or(c.config.ReadTimeout, defaultReadTimeout)
	options := &redis.UniversalOptions{
		Addrs:            c.target.addrs,
		MasterName:       c.config.SentinelName,
		SentinelPassword: c.config.SentinelPassword.Reveal(),
		Username:         c.target.username,
		Password:         c.target.password.Reveal(),
		DB:               c.target.db,
		TLSConfig:        c.tls,

		DialTimeout:  cmp.Or(c.config.DialTimeout, defaultDialTimeout),
		ReadTimeout:  readTimeout,
		WriteTimeout: cmp.Or(c.config.WriteTimeout, readTimeout),
		PoolSize:     c.config.PoolSize,
		// The deadline of a call's context bounds the wait for its reply.
		ContextTimeoutEnabled: true,

		// One attempt each; see the package comment.
		MaxRetries:    -1,
		DialerRetries: 1,
		MaxRedirects:  maxRedirects,

		// What a connection asks for at its start, at the least: RESP2 has no
		// push messages to prepare for, pipelines need no connections of their
		// own, and looking for announcements of maintenance would cost a DNS
		// lookup before the first dial.
		Protocol:         2,
		DisableIdentity:  true,
		PipelinePoolSize: -1,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	}
	if c.config.Locate != nil {
		options.Dialer, options.Password = c.dialLocated, ""
	}
	return options
}

// open makes a client of the kind that the settings ask for.
func (c *Conn) open(options *redis.UniversalOptions) redis.UniversalClient {
	switch {
	case c.config.Cluster:
		return c.openCluster(options)
	case c.config.SentinelName != "":
		failover := options.Failover()
		failover.OnConnect = refuseReplica
		return c.guard(redis.NewFailoverClient(failover))
	default:
		return c.guard(redis.NewClient(options.Simple()))
	}
}

func (c *Conn) openCluster(options *redis.UniversalOptions) redis.UniversalClient {
	cluster := options.Cluster()
	// The policies that would spread some commands over all nodes cost a
	// COMMAND call at the start.
	cluster.DisableRoutingPolicies = true
	cluster.NewClient = func(node *redis.Options) *redis.Client {
		return c.guard(redis.NewClient(node))
	}
	client := redis.NewClusterClient(cluster)
	client.AddHook(singleAttempt{reload: client.ReloadState})
	return client
}

// guard adds the hooks that every client of a server has.
func (c *Conn) guard(client *redis.Client) *redis.Client {
	if c.config.ReadOnly {
		client.AddHook(readOnly{})
	}
	client.AddHook(connecting{sentinelName: c.config.SentinelName, tls: c.tls != nil})
	return client
}
