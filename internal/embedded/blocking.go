package embedded

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// blockingPop is BZPOPMIN or BZPOPMAX.
func blockingPop(pop string) func(*client, []string) {
	return func(c *client, args []string) {
		if len(args) < 2 {
			c.fail("ERR wrong number of arguments for 'b" + strings.ToLower(pop) + "' command")
			return
		}
		keys := args[:len(args)-1]
		limit, ok := seconds(args[len(args)-1])
		if !ok {
			c.fail("ERR timeout is not a float or out of range")
			return
		}
		nothing := func(reply []byte) bool { return string(reply) == replyEmpty }
		c.block(limit, func(key string) []string { return []string{pop, key} }, keys, nothing)
	}
}

// block tries the keys until one of them has something, the time is over, or
// somebody leaves. A key's reply gets the key in front.
func (c *client) block(limit time.Duration, command func(key string) []string, keys []string, nothing func([]byte) bool) {
	deadline, stop := timer(limit)
	defer stop()
	for {
		woken, done := c.tryKeys(command, keys, nothing)
		if done {
			return
		}
		again := c.await(woken, deadline)
		c.server.store.forget(woken, keys)
		if !again {
			c.answer([]byte("*-1\r\n"), 0)
			return
		}
	}
}

// tryKeys looks at the keys in order.
func (c *client) tryKeys(command func(key string) []string, keys []string, nothing func([]byte) bool) (woken chan struct{}, done bool) {
	store := c.server.store
	store.mu.Lock()
	defer store.mu.Unlock()
	for _, key := range keys {
		reply, until := store.doLocked(command(key))
		switch {
		case isError(reply):
			c.answer(reply, until)
			return nil, true
		case !nothing(reply):
			// *2 member score becomes *3 key member score
			_, rest, _ := strings.Cut(string(reply), "\r\n")
			c.answer(append(appendBulk(appendLength(nil, '*', 3), key), rest...), until)
			return nil, true
		}
	}
	return store.watch(keys), false
}

// await sleeps until something changed, and reports false when it did not.
func (c *client) await(woken <-chan struct{}, deadline <-chan time.Time) bool {
	// What was answered before this request must not wait with it.
	if !c.flush() {
		return false
	}
	c.setBlocked(true)
	defer c.setBlocked(false)
	select {
	case <-woken:
		// A client that left gets nothing: what it would have been given is
		// there for the next.
		select {
		case <-c.gone:
			return false
		default:
			return true
		}
	case <-deadline:
	case <-c.gone:
	case <-c.server.ended:
	}
	return false
}

// timer is a deadline; 0 is none.
func timer(limit time.Duration) (deadline <-chan time.Time, stop func()) {
	if limit == 0 {
		return nil, func() {}
	}
	t := time.NewTimer(limit)
	return t.C, func() { t.Stop() }
}

// seconds reads a timeout, which may have a fraction.
func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0) || n > math.MaxInt32 {
		return 0, false
	}
	return time.Duration(n * float64(time.Second)), true
}

// readStreams is XREAD. Without BLOCK it is like any other command.
func readStreams(c *client, args []string) {
	plain, limit, blocks, problem := withoutBlock(args)
	if problem != "" {
		c.fail(problem)
		return
	}
	command := append([]string{"XREAD"}, plain...)
	at := streamsAt(plain)
	if !blocks || at < 0 || (len(plain)-at)%2 == 0 {
		reply, until := c.server.store.do(command)
		c.answer(reply, until)
		return
	}
	names := plain[at+1:]
	keys, ids := names[:len(names)/2], names[len(names)/2:]
	c.lastIDs(keys, ids) // ids is a part of plain
	command = append([]string{"XREAD"}, plain...)
	deadline, stop := timer(limit)
	defer stop()
	for {
		reply, until, woken := c.server.store.wait(command, keys, isNull)
		if woken == nil {
			c.answer(reply, until)
			return
		}
		again := c.await(woken, deadline)
		c.server.store.forget(woken, keys)
		if !again {
			c.answer([]byte("*-1\r\n"), 0)
			return
		}
	}
}

func isNull(reply []byte) bool {
	return string(reply) == "*-1\r\n" || string(reply) == replyNull || string(reply) == replyEmpty
}

// lastIDs replaces $ by the last id of the stream, once for all rounds.
func (c *client) lastIDs(keys, ids []string) {
	for i, id := range ids {
		if id != "$" {
			continue
		}
		ids[i] = "0-0"
		reply, _ := c.server.store.do([]string{"XINFO", "STREAM", keys[i]})
		parts := strings.Split(string(reply), "\r\n")
		for at, part := range parts {
			if part == "last-generated-id" && at+2 < len(parts) && parts[at+2] != "" {
				ids[i] = parts[at+2]
			}
		}
	}
}

// withoutBlock takes BLOCK out of the arguments of XREAD.
func withoutBlock(args []string) (plain []string, limit time.Duration, blocks bool, problem string) {
	for i := 0; i < len(args); i++ {
		switch {
		case strings.EqualFold(args[i], "STREAMS"):
			return append(plain, args[i:]...), limit, blocks, ""
		case strings.EqualFold(args[i], "BLOCK"):
			i++
			if i == len(args) {
				return nil, 0, false, "ERR syntax error"
			}
			ms, err := strconv.ParseInt(args[i], 10, 32)
			if err != nil || ms < 0 {
				return nil, 0, false, "ERR timeout is not an integer or out of range"
			}
			limit, blocks = time.Duration(ms)*time.Millisecond, true
		default:
			plain = append(plain, args[i])
		}
	}
	return plain, limit, blocks, ""
}

func streamsAt(args []string) int {
	for i, arg := range args {
		if strings.EqualFold(arg, "STREAMS") {
			return i
		}
	}
	return -1
}
