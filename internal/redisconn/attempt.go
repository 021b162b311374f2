package redisconn

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// singleAttempt is the hook that keeps a cluster client from repeating what may
// have run. That client uses one counter for redirections, which are safe to
// follow, and for lost connections, which are not; it leaves the latter alone
// only for commands that say so themselves.
type singleAttempt struct{ reload func(context.Context) }

// once is a command that must not be sent again after a lost connection.
type once struct{ redis.Cmder }

// NoRetry says so.
func (once) NoRetry() bool { return true }

// keyless are the commands that any primary may answer.
var keyless = map[string]bool{
	"ping": true, "echo": true, "time": true, "info": true, "role": true, "lastsave": true, "dbsize": true,
	"command": true, "config": true, "client": true, "acl": true, "script": true, "module": true,
	"slowlog": true, "latency": true, "publish": true,
}

// beyondArguments is a position where no keyless command has an argument.
const beyondArguments = 127

// prepare returns the command as the cluster client shall see it. Left alone
// the client sends a command without a key to any address it ever heard of, a
// dead seed or a replica among them. A key that is not there gives the command
// a random slot, and so a primary that owns slots.
func prepare(cmd redis.Cmder) redis.Cmder {
	if keyless[cmd.Name()] {
		cmd.SetFirstKeyPos(beyondArguments)
	}
	return once{cmd}
}

// DialHook changes nothing: the clients of the nodes dial.
func (singleAttempt) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook runs a command.
func (h singleAttempt) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, prepare(cmd))
		h.lookAgain(ctx, err)
		return err
	}
}

// ProcessPipelineHook runs commands that are sent together.
func (h singleAttempt) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		single := make([]redis.Cmder, len(cmds))
		for i, cmd := range cmds {
			single[i] = prepare(cmd)
		}
		err := next(ctx, single)
		h.lookAgain(ctx, err)
		return err
	}
}

// lookAgain has the client ask in the background who owns which slot, once a
// node is lost or the cluster is not whole. Left alone it would go on calling a
// dead node for a minute after its replica took over. Many calls in a row cause
// few questions.
func (h singleAttempt) lookAgain(ctx context.Context, err error) {
	var reply redis.Error
	answered := errors.As(err, &reply) && !redis.IsClusterDownError(err)
	if err != nil && !answered && !errors.Is(err, context.Canceled) {
		h.reload(ctx)
	}
}
