package embedded

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// flushAbove bounds the replies that are gathered for a pipeline.
const flushAbove = 1 << 20

// client is a connection.
type client struct {
	server *server
	id     int64
	conn   net.Conn
	since  time.Time
	// gone is closed when the other end is.
	gone chan struct{}

	trusted atomic.Bool
	leaving bool
	out     bytes.Buffer
	// until is what must be in the log before out may be sent.
	until int64

	// Under the server's lock, for the list of clients.
	name    string
	command string
	last    time.Time
	blocked bool
}

// serve answers requests until the client goes.
func (c *client) serve() {
	defer func() { _ = c.conn.Close() }()
	requests := make(chan request)
	stop := make(chan struct{})
	defer close(stop)
	go c.read(requests, stop)
	for r := range requests {
		c.note(r.args)
		c.handle(r.args)
		if r.more && c.out.Len() < flushAbove && !c.leaving {
			continue
		}
		if !c.flush() || c.leaving {
			return
		}
	}
}

// read hands over requests, also while one is being executed: that is how the
// end of a connection is noticed by a blocking read.
func (c *client) read(requests chan<- request, stop <-chan struct{}) {
	defer close(requests)
	defer close(c.gone)
	r := bufio.NewReaderSize(c.conn, 64<<10)
	for {
		next, err := readRequest(r, c.trusted.Load)
		if err != nil {
			return
		}
		select {
		case requests <- next:
		case <-stop:
			return
		}
	}
}

// flush sends the replies, when what they answer is as safe as was asked for.
// Who gets none does not know the outcome, and that is the truth.
func (c *client) flush() bool {
	if c.until > 0 {
		if err := c.server.store.journal.sync(c.until); err != nil {
			c.server.store.log.Error("an answer was held back: the log could not be synced", "error", err)
			return false
		}
		c.until = 0
	}
	_, err := c.conn.Write(c.out.Bytes())
	c.out.Reset()
	return err == nil
}

// note keeps what the list of clients shows.
func (c *client) note(args []string) {
	c.server.commands.Add(1)
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.command, c.last = strings.ToLower(printable(args[0])), c.server.store.now()
}

// handle executes one request.
func (c *client) handle(args []string) {
	name := strings.ToUpper(args[0])
	own := session[name]
	if !c.trusted.Load() && !beforePassword[name] {
		c.fail("NOAUTH Authentication required.")
		return
	}
	if own != nil {
		own(c, args[1:])
		return
	}
	reply, until := c.server.store.do(args)
	c.answer(reply, until)
}

// answer adds a reply to those that are sent next.
func (c *client) answer(reply []byte, until int64) {
	c.out.Write(reply)
	c.until = max(c.until, until)
}

func (c *client) fail(text string) { c.answer(appendError(nil, text), 0) }

func (c *client) ok() { c.answer(appendSimple(nil, "OK"), 0) }

// setBlocked tells the list of clients that a blocking read waits.
func (c *client) setBlocked(blocked bool) {
	delta := int64(-1)
	if blocked {
		delta = 1
	}
	c.server.blocked.Add(delta)
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.blocked = blocked
}
