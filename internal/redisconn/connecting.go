package redisconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
)

// connectError is a failure before the first command could be sent: of the
// dial, of asking the sentinels, or of the handshake that go-redis makes on a
// fresh connection. It tells callers so by holding a net.OpError of a dial,
// because the bare error, such as a read that timed out, looks as if the
// caller's own command had been lost.
type connectError struct{ err error }

func (e *connectError) Error() string { return "connect to redis: " + e.err.Error() }

// Unwrap returns a list because go-redis strips one layer of single wrapping
// from the errors of a handshake.
func (e *connectError) Unwrap() []error {
	return []error{&net.OpError{Op: "dial", Net: "redis", Err: e.err}}
}

// notConnected marks an error as one of connecting. A caller who gave up and a
// reply that says why (WRONGPASS, LOADING) need no mark.
func notConnected(err error) error {
	var reply redis.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &reply):
		if !turnedAway(reply.Error()) {
			return err
		}
		// Not kept as a cause: go-redis would go on with a connection whose
		// handshake was answered by an error reply, and lose the next command.
		return &connectError{errors.New(reply.Error())}
	}
	return &connectError{err}
}

// turnedAway reports whether the server sent this reply before it closed the
// connection: it has too many of them, or only serves its own machine.
func turnedAway(reply string) bool {
	return strings.HasPrefix(reply, "ERR max number of clients") || strings.HasPrefix(reply, "DENIED ")
}

// beforeCommands are what the clients send by themselves before a caller's
// command. None of them changes data, so nothing is wrong with the mark when a
// caller sends one.
var beforeCommands = map[string]bool{
	"hello": true, "auth": true, "select": true, "client setname": true, "role": true, "cluster slots": true,
}

// connecting is the hook that marks the errors of connecting. Hooks see the
// handshake because go-redis runs it through them.
type connecting struct {
	sentinelName string
	tls          bool
}

// DialHook marks what fails of dialing or of asking the sentinels.
func (h connecting) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if h.sentinelName != "" && errors.Is(err, redis.Nil) {
			err = &connectError{fmt.Errorf("the sentinels know no primary named %q", h.sentinelName)}
		}
		if reply := redis.Error(nil); h.sentinelName != "" && errors.As(err, &reply) && strings.HasPrefix(reply.Error(), "ERR ") {
			err = &connectError{fmt.Errorf("no sentinel answers there: %s", reply.Error())}
		}
		if h.tls && noTLS(err) {
			err = &connectError{fmt.Errorf("%s does not answer in TLS (%w): a port without TLS needs redis:// in place of rediss://", addr, err)}
		}
		return conn, notConnected(err)
	}
}

// noTLS reports whether the other side took the connection and did not answer as
// TLS does: with something else, or not at all. A Redis without TLS waits for
// the end of what it takes for a line.
func noTLS(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return false
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// ProcessHook marks what fails of the handshake.
func (connecting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if beforeCommands[cmd.Name()] || beforeCommands[commandWithSubcommand(cmd)] {
			return notConnected(err)
		}
		return err
	}
}

// ProcessPipelineHook marks what fails of the second half of the handshake.
func (connecting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			if !beforeCommands[cmd.Name()] && !beforeCommands[commandWithSubcommand(cmd)] {
				return err
			}
		}
		return notConnected(err)
	}
}

// replicaError is the answer of a server that the sentinels call the primary
// and that is none. It is phrased as the reply that a write would have had.
type replicaError struct{}

func (replicaError) Error() string {
	return "READONLY the sentinels name a server as the primary that is a replica"
}

// RedisError marks it as a reply.
func (replicaError) RedisError() {}

// refuseReplica asks a fresh connection for its role. A primary that was paused
// during a failover comes back for a moment believing in itself, and sentinels
// learn of each other's decisions with a delay; what has already become a
// replica is refused here, and the next dial asks the sentinels again.
func refuseReplica(ctx context.Context, conn *redis.Conn) error {
	reply, err := conn.Do(ctx, "role").Slice()
	var refused redis.Error
	switch {
	case errors.As(err, &refused):
		return nil // a user without the right to ask works all the same
	case err != nil:
		return err
	case len(reply) > 0 && reply[0] == "slave":
		return replicaError{}
	}
	return nil
}
