package redisconn

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrReadOnly means that a command that may write was refused, unsent.
var ErrReadOnly = errors.New("connection is read-only")

// readCommands are the commands that a read-only connection may send. A name
// with a subcommand allows that one alone. It lists what reads rather than what
// writes, so that a command nobody thought of is refused.
var readCommands = map[string]bool{
	// connecting
	"hello": true, "auth": true, "select": true, "ping": true, "echo": true, "quit": true,
	"role": true, "readonly": true, "readwrite": true, "asking": true,
	"client setname": true, "client getname": true, "client id": true, "client info": true, "client list": true,
	// the server
	"info": true, "time": true, "dbsize": true, "lastsave": true, "command": true,
	"config get": true, "memory usage": true, "memory stats": true, "memory doctor": true,
	"slowlog get": true, "slowlog len": true, "latency latest": true, "latency history": true, "latency doctor": true,
	"acl whoami": true, "acl list": true, "acl getuser": true, "acl cat": true, "acl dryrun": true,
	"module list": true, "cluster info": true, "cluster nodes": true, "cluster slots": true, "cluster shards": true,
	"cluster keyslot": true, "cluster countkeysinslot": true, "cluster getkeysinslot": true, "cluster myid": true,
	// keys
	"exists": true, "type": true, "ttl": true, "pttl": true, "expiretime": true, "pexpiretime": true,
	"scan": true, "randomkey": true, "dump": true, "object encoding": true, "object idletime": true, "object freq": true,
	// values
	"get": true, "mget": true, "strlen": true, "getrange": true,
	"hget": true, "hmget": true, "hgetall": true, "hlen": true, "hexists": true, "hkeys": true, "hvals": true,
	"hstrlen": true, "hscan": true, "hrandfield": true,
	"llen": true, "lrange": true, "lindex": true, "lpos": true,
	"scard": true, "sismember": true, "smismember": true, "smembers": true, "sscan": true, "srandmember": true,
	"zcard": true, "zcount": true, "zlexcount": true, "zrange": true, "zrangebyscore": true, "zrangebylex": true,
	"zrevrange": true, "zrevrangebyscore": true, "zrevrangebylex": true, "zrank": true, "zrevrank": true,
	"zscore": true, "zmscore": true, "zscan": true, "zrandmember": true,
	"xlen": true, "xrange": true, "xrevrange": true, "xread": true,
	"xinfo stream": true, "xinfo groups": true, "xinfo consumers": true,
	"multi": true, "exec": true, "discard": true, "watch": true, "unwatch": true,
	// scripts: see Config.ReadOnly
	"eval": true, "evalsha": true, "eval_ro": true, "evalsha_ro": true, "script load": true, "script exists": true,
}

// readOnly is the hook that refuses everything else.
type readOnly struct{}

// DialHook changes nothing.
func (readOnly) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook runs a command that reads.
func (readOnly) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := refuseWrite(cmd); err != nil {
			return err
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook sends all commands or, when one of them might write, none.
func (readOnly) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if err := refuseWrite(cmd); err != nil {
				for _, unsent := range cmds {
					unsent.SetErr(err)
				}
				return err
			}
		}
		return next(ctx, cmds)
	}
}

func refuseWrite(cmd redis.Cmder) error {
	if readCommands[cmd.Name()] || readCommands[commandWithSubcommand(cmd)] {
		return nil
	}
	return fmt.Errorf("%w: %s was not sent", ErrReadOnly, cmd.Name())
}

// commandWithSubcommand returns "client list" for CLIENT LIST, in lower case.
func commandWithSubcommand(cmd redis.Cmder) string {
	args := cmd.Args()
	if len(args) < 2 {
		return cmd.Name()
	}
	sub, _ := args[1].(string)
	return cmd.Name() + " " + strings.ToLower(sub)
}
