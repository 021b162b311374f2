package embedded

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	miniserver "github.com/alicebob/miniredis/v2/server"
)

// engine is a keyspace and the effects of what ran on it. It is used by one
// goroutine at a time.
type engine struct {
	mini      *miniredis.Miniredis
	srv       *miniserver.Server
	now       func() time.Time
	deadlines *deadlines

	// at is the time of the command that runs; it stands still while a script does.
	at time.Time
	// effects are the changes that are not in the log yet.
	effects []effect
	// refusing is the error that writes get while the log cannot take them; a
	// script that only reads still runs.
	refusing string
	// bare is set while a command goes to miniredis past the hook.
	bare bool
	// lost is set by a panic, after which nothing of miniredis may be called.
	lost  bool
	outer output
	inner output
}

// output is where miniredis writes a reply to.
type output struct {
	buf bytes.Buffer
	w   *bufio.Writer
}

// newEngine returns an empty keyspace.
func newEngine(now func() time.Time) (*engine, error) {
	e := &engine{mini: miniredis.NewMiniRedis(), now: now, deadlines: newDeadlines()}
	e.outer.w = bufio.NewWriter(&e.outer.buf)
	e.inner.w = bufio.NewWriter(&e.inner.buf)
	// miniredis starts without a listener when it is dialed; it is called
	// through its dispatcher from then on.
	conn, err := e.mini.Dial()
	if err != nil {
		return nil, err
	}
	if err := conn.Close(); err != nil {
		return nil, err
	}
	e.srv = e.mini.Server()
	e.srv.SetPreHook(e.hook)
	return e, nil
}

// close ends miniredis, unless a panic has left its locks closed.
func (e *engine) close() {
	if !e.lost {
		e.mini.Close()
	}
}

func (e *engine) nowMs() int64 { return e.at.UnixMilli() }

// panicError is a command that miniredis could not survive. Its locks are in
// an unknown state: the engine must not be used any more.
type panicError struct{ value any }

// Error says so.
func (e *panicError) Error() string { return fmt.Sprintf("panic in the embedded store: %v", e.value) }

// run executes a client's command after the expiry of what is due, and returns
// the reply, valid until the next call. What changed is added to effects. The
// error is a *panicError.
func (e *engine) run(args []string) (reply []byte, err error) {
	defer e.recover(&err)
	e.setTime()
	e.expire()
	reply = e.dispatch(&e.outer, nil, args)
	if isError(reply) && rules[strings.ToUpper(args[0])].kind == scripts {
		reply = unwrapError(reply)
	}
	return reply, nil
}

// wrapped is how miniredis gives the error of a command that a script called.
var wrapped = regexp.MustCompile(`^-ERR Error compiling script \(new function\): [^ ]*: ([A-Z]{3,} .*?) *stack traceback:`)

// unwrapError puts the code of such an error in front, as Redis does: clients
// tell errors apart by it.
func unwrapError(reply []byte) []byte {
	if m := wrapped.FindSubmatch(reply); m != nil {
		return appendError(nil, string(m[1]))
	}
	return reply
}

// replay carries out an effect from the log.
func (e *engine) replay(args effect) (err error) {
	defer e.recover(&err)
	e.bare = true
	defer func() { e.bare = false }()
	if args[0] == logPExpireAt && len(args) == 3 {
		at, err := strconv.ParseInt(args[2], 10, 64)
		if err != nil {
			return err
		}
		// Not by the clock: a key whose time has passed since lived when the
		// next records were written.
		e.deadlines.set(args[1], at)
		args = effect{"PEXPIRE", args[1], "86400000"}
	}
	if (args[0] == "RENAME" || args[0] == "RENAMENX") && len(args) == 3 {
		e.deadlines.move(args[1], args[2])
	}
	if reply := e.dispatch(&e.inner, nil, args); isError(reply) {
		return errors.New(strings.TrimSpace(string(reply[1:])))
	}
	return nil
}

func (e *engine) recover(err *error) {
	if p := recover(); p != nil {
		e.lost = true
		*err = &panicError{p}
	}
}

// setTime reads the clock once for a command, and for all that a script calls.
func (e *engine) setTime() {
	e.at = e.now()
	e.mini.SetTime(e.at.UTC())
}

// expire deletes what is due. A key that is listed may have lost its time to
// live, or be another one of the same name.
func (e *engine) expire() {
	for {
		key, ok := e.deadlines.pop(e.nowMs())
		if !ok {
			return
		}
		if string(e.past(nil, []string{"PTTL", key})) == ":-1\r\n" {
			continue
		}
		if string(e.past(nil, []string{"DEL", key})) != replyZero {
			e.effects = append(e.effects, effect{"DEL", key})
		}
	}
}

// dispatch sends a command to miniredis and returns the reply.
func (e *engine) dispatch(out *output, ctx any, args []string) []byte {
	out.buf.Reset()
	out.w.Reset(&out.buf)
	peer := miniserver.NewPeer(out.w)
	peer.Ctx = ctx
	e.srv.Dispatch(peer, args)
	peer.Flush()
	return out.buf.Bytes()
}

// past sends a command to miniredis past the hook. With the context of a
// script it runs inside of that script.
func (e *engine) past(ctx any, args []string) []byte {
	e.bare = true
	defer func() { e.bare = false }()
	return e.dispatch(&e.inner, ctx, args)
}

// hook sees every command before miniredis does, those that scripts call too,
// and reports whether it has answered.
func (e *engine) hook(c *miniserver.Peer, name string, args ...string) bool {
	if e.bare {
		return false
	}
	r, known := rules[name]
	switch {
	case !known:
		c.WriteError("ERR unknown command '" + printable(name) + "': the embedded store does not have it")
	case r.kind == writes:
		e.write(c, r, name, args)
	case r.kind == asksTTL:
		e.answerTTL(c, name, args)
	default:
		return false
	}
	return true
}

// write executes a command and keeps what it changed.
func (e *engine) write(c *miniserver.Peer, r rule, name string, args []string) {
	if e.refusing != "" {
		c.WriteError(e.refusing)
		return
	}
	if r.refuse != nil {
		if problem := r.refuse(args); problem != "" {
			c.WriteError(problem)
			return
		}
	}
	reply := e.past(c.Ctx, append([]string{name}, args...))
	if !isError(reply) && string(reply) != r.noop {
		if r.effects != nil {
			e.effects = append(e.effects, r.effects(e, args, reply)...)
		} else {
			e.effects = append(e.effects, append(effect{name}, args...))
		}
	}
	c.WriteRaw(string(reply))
}

// answerTTL answers from the deadlines where miniredis knows of a time to live.
func (e *engine) answerTTL(c *miniserver.Peer, name string, args []string) {
	reply := string(e.past(c.Ctx, append([]string{name}, args...)))
	if isError([]byte(reply)) || strings.HasPrefix(reply, ":-") {
		c.WriteRaw(reply)
		return
	}
	ms := e.deadlines.at[args[0]]
	if strings.HasSuffix(name, "TTL") {
		ms = max(ms-e.nowMs(), 0)
	}
	if name[0] != 'P' {
		ms = (ms + 500) / 1000 // as Redis rounds
	}
	c.WriteInt(int(ms))
}

func isError(reply []byte) bool { return len(reply) > 0 && reply[0] == '-' }

// printable cuts a name down to what may stand in a reply.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	return name[:min(len(name), 64)]
}
