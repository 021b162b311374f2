package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Class says what an error of a Redis call proves about the call. Callers
// branch on it to choose between trying again, asking the state, and giving up.
type Class int

const (
	// ClassNone is the class of no error at all.
	ClassNone Class = iota

	// ClassUnreachable means that no connection was had: name lookup, dial, TLS,
	// the handshake on a fresh connection, or the wait for a pooled one. Nothing
	// was sent.
	ClassUnreachable

	// ClassRefused means that Redis answered and does not do it now: it is
	// loading, read-only, out of memory, busy, or its cluster is not whole.
	// Nothing ran.
	ClassRefused

	// ClassDenied means that Redis did not accept the user, the password or the
	// right to run the command. Nothing ran.
	ClassDenied

	// ClassCorrupt means that a key holds another type than the job queue's.
	ClassCorrupt

	// ClassUnknown means that the outcome is unknown: the command was sent, or
	// may have been, and its reply never came, or a script stopped half-way.
	// Never repeat such a call blindly; ask the state.
	ClassUnknown

	// ClassCanceled means that the caller gave up, by its context or by closing
	// the client, before the command was sent.
	ClassCanceled

	// ClassOther is every other error: a reply that the caller must read itself
	// (NOSCRIPT, a nil reply), or an error that did not come from Redis.
	ClassOther
)

// String returns the class as a word for logs and metric labels.
func (c Class) String() string {
	names := [...]string{
		ClassNone:        "none",
		ClassUnreachable: "unreachable",
		ClassRefused:     "refused",
		ClassDenied:      "denied",
		ClassCorrupt:     "corrupt",
		ClassUnknown:     "unknown",
		ClassCanceled:    "canceled",
		ClassOther:       "other",
	}
	if c < 0 || int(c) >= len(names) {
		return "invalid"
	}
	return names[c]
}

// replyClasses maps the first word of an error reply. A redirection gets here
// only after the client followed it several times in vain, or when the address
// of a cluster node was given as a single server.
var replyClasses = map[string]Class{
	"LOADING":     ClassRefused,
	"READONLY":    ClassRefused,
	"OOM":         ClassRefused,
	"MISCONF":     ClassRefused,
	"BUSY":        ClassRefused,
	"CLUSTERDOWN": ClassRefused,
	"NOREPLICAS":  ClassRefused,
	"TRYAGAIN":    ClassRefused,
	"MASTERDOWN":  ClassRefused,
	"MOVED":       ClassRefused,
	"ASK":         ClassRefused,
	"NOPERM":      ClassDenied,
	"NOAUTH":      ClassDenied,
	"WRONGPASS":   ClassDenied,
	"WRONGTYPE":   ClassCorrupt,
}

// Classify returns the class of an error that a Redis client returned, however
// deeply it is wrapped. It errs on the side of ClassUnknown: a lost connection
// counts as sent unless the error itself shows that it was never made.
func Classify(err error) Class {
	var reply redis.Error
	switch {
	case err == nil:
		return ClassNone
	case errors.As(err, &reply):
		return classifyReply(reply.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, redis.ErrClosed):
		return ClassCanceled
	case neverConnected(err):
		return ClassUnreachable
	case connectionLost(err):
		return ClassUnknown
	case errors.Is(err, context.DeadlineExceeded):
		// Once something is sent, a deadline shows as a network timeout, which
		// is a case above: this one ran out in the queue for a connection.
		return ClassUnreachable
	}
	return ClassOther
}

// classifyReply classifies the text of an error reply.
func classifyReply(text string) Class {
	if class, ok := replyClasses[firstWord(text)]; ok {
		return class
	}
	switch {
	case strings.HasPrefix(text, "ERR max number of clients reached"):
		return ClassUnreachable
	case strings.Contains(text, "cript attempted to access a non local key in a cluster node"):
		// The slot moves away: what the script wrote before stays written.
		return ClassUnknown
	}
	if class, ok := replyClasses[firstWord(scriptError(text))]; ok {
		return class
	}
	return ClassOther
}

// scriptError returns the reply that stopped a script, which servers before
// Redis 7 wrap: "ERR Error running script (call to f_…): @user_script:7: -OOM …".
// It returns "" for any other text.
func scriptError(text string) string {
	const marker = "@user_script"
	if !strings.HasPrefix(text, "ERR Error running script") {
		return ""
	}
	// The script engine may name the place twice, as ":7: " and as ": 7: ".
	at := strings.LastIndex(text, marker)
	if at < 0 {
		return ""
	}
	return strings.TrimLeft(text[at+len(marker):], ": -0123456789")
}

func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

// neverConnected reports whether the error comes from making a connection or
// from waiting for one. A cancelled dial is not among them.
func neverConnected(err error) bool {
	if errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	// Conn is set only when the peer's very first bytes were not TLS.
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && record.Conn != nil
}

// connectionLost reports whether an established connection broke or timed out.
func connectionLost(err error) bool {
	for _, target := range []error{
		io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, os.ErrDeadlineExceeded,
		syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, syscall.ETIMEDOUT,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	// context.DeadlineExceeded looks like a network timeout but is none.
	timeout, ok := errors.AsType[net.Error](err)
	return ok && !errors.Is(timeout, context.DeadlineExceeded)
}
