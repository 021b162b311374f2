package queue_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// reply is an error reply as the client returns it.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func netError(op string, cause error) error {
	return &net.OpError{Op: op, Net: "tcp", Err: cause}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  error
		want queue.Class
	}{
		{"nil", nil, queue.ClassNone},

		{"dial refused", netError("dial", syscall.ECONNREFUSED), queue.ClassUnreachable},
		{"dial timed out", netError("dial", os.ErrDeadlineExceeded), queue.ClassUnreachable},
		{"handshake lost", netError("dial", netError("read", io.EOF)), queue.ClassUnreachable},
		{"no such host", &net.DNSError{Err: "no such host", Name: "redis.invalid"}, queue.ClassUnreachable},
		{"unknown authority", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, queue.ClassUnreachable},
		{"plain port", tls.RecordHeaderError{Msg: "no TLS", Conn: &net.TCPConn{}}, queue.ClassUnreachable},
		{"pool timeout", redis.ErrPoolTimeout, queue.ClassUnreachable},
		{"pool exhausted", redis.ErrPoolExhausted, queue.ClassUnreachable},
		{"deadline in the queue for a connection", context.DeadlineExceeded, queue.ClassUnreachable},
		{"max clients", reply("ERR max number of clients reached"), queue.ClassUnreachable},

		{"loading", reply("LOADING Redis is loading the dataset in memory"), queue.ClassRefused},
		{"read-only", reply("READONLY You can't write against a read only replica."), queue.ClassRefused},
		{"out of memory", reply("OOM command not allowed when used memory > 'maxmemory'."), queue.ClassRefused},
		{"disk full", reply("MISCONF Errors writing to the AOF file: No space left on device"), queue.ClassRefused},
		{"busy", reply("BUSY Redis is busy running a script."), queue.ClassRefused},
		{"cluster down", reply("CLUSTERDOWN Hash slot not served"), queue.ClassRefused},
		{"no replicas", reply("NOREPLICAS Not enough good replicas to write."), queue.ClassRefused},
		{"try again", reply("TRYAGAIN Multiple keys request during rehashing of slot"), queue.ClassRefused},
		{"master down", reply("MASTERDOWN Link with MASTER is down"), queue.ClassRefused},
		{"redirections without end", reply("MOVED 1 127.0.0.1:7001"), queue.ClassRefused},

		{"no permission", reply("NOPERM this user has no permissions"), queue.ClassDenied},
		{"no password", reply("NOAUTH Authentication required."), queue.ClassDenied},
		{"wrong password", reply("WRONGPASS invalid username-password pair"), queue.ClassDenied},
		{"refused by a sentinel while dialing", netError("dial", reply("NOAUTH Authentication required.")), queue.ClassDenied},

		{"wrong type", reply("WRONGTYPE Operation against a key holding the wrong kind of value"), queue.ClassCorrupt},
		{
			"wrong type in a script",
			reply("WRONGTYPE Operation against a key holding the wrong kind of value script: 0beec7b5, on @user_script:1."),
			queue.ClassCorrupt,
		},
		{
			"out of memory in a script of Redis 6",
			reply("ERR Error running script (call to f_0beec7b5): @user_script:7: -OOM command not allowed when used memory > 'maxmemory'."),
			queue.ClassRefused,
		},
		{
			"wrong type in a script of Redis 6",
			reply("ERR Error running script (call to f_0beec7b5): @user_script:7: WRONGTYPE Operation against a key"),
			queue.ClassCorrupt,
		},
		{
			"wrong type raised by the script engine of Redis 6",
			reply("ERR Error running script (call to f_0beec7b5): @user_script:7: @user_script: 7: WRONGTYPE Operation"),
			queue.ClassCorrupt,
		},
		{
			"script met a slot that moves",
			reply("ERR Script attempted to access a non local key in a cluster node script: 0beec7b5, on @user_script:3."),
			queue.ClassUnknown,
		},

		{"closed by the server", io.EOF, queue.ClassUnknown},
		{"closed in the middle of a reply", io.ErrUnexpectedEOF, queue.ClassUnknown},
		{"reset", netError("read", os.NewSyscallError("read", syscall.ECONNRESET)), queue.ClassUnknown},
		{"broken pipe", netError("write", os.NewSyscallError("write", syscall.EPIPE)), queue.ClassUnknown},
		{"read timed out", netError("read", os.ErrDeadlineExceeded), queue.ClassUnknown},
		{"client closed under the call", netError("read", net.ErrClosed), queue.ClassUnknown},
		{"alert on a running connection", netError("remote error", tls.AlertError(20)), queue.ClassUnknown},

		{"cancelled", context.Canceled, queue.ClassCanceled},
		{"cancelled dial", netError("dial", context.Canceled), queue.ClassCanceled},
		{"client is closed", redis.ErrClosed, queue.ClassCanceled},

		{"nil reply", redis.Nil, queue.ClassOther},
		{"no script", reply("NOSCRIPT No matching script. Please use EVAL."), queue.ClassOther},
		{"a code that begins like another", reply("BUSYGROUP Consumer Group name already exists"), queue.ClassOther},
		{"a script's own error", reply("ERR user_script:1: READONLY is a variable here"), queue.ClassOther},
		{"not from Redis", errors.New("LOADING is only a word here"), queue.ClassOther},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := queue.Classify(test.err); got != test.want {
				t.Errorf("Classify(%v) = %s, want %s", test.err, got, test.want)
			}
			if test.err == nil {
				return
			}
			wrapped := fmt.Errorf("retry email: %w", errors.Join(errors.New("context"), test.err))
			if got := queue.Classify(wrapped); got != test.want {
				t.Errorf("Classify(%v) = %s wrapped, want %s", wrapped, got, test.want)
			}
		})
	}
}

func TestClassString(t *testing.T) {
	t.Parallel()
	want := []string{"none", "unreachable", "refused", "denied", "corrupt", "unknown", "canceled", "other", "invalid"}
	var got []string
	for class := queue.ClassNone; class <= queue.ClassOther+1; class++ {
		got = append(got, class.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names of the classes (-want +got):\n%s", diff)
	}
}
