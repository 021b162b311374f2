package redisconn

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// dialLocated makes a connection to wherever the server is now, and gives the
// password on it. go-redis asks for passwords later, when another connection may
// have led elsewhere; here it is the one that belongs to the address.
func (c *Conn) dialLocated(ctx context.Context, network, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.config.DialTimeout, defaultDialTimeout))
	defer cancel()
	addr, password, err := c.config.Locate(ctx)
	if err != nil {
		return nil, err
	}
	plain := &redis.Options{DialTimeout: cmp.Or(c.config.DialTimeout, defaultDialTimeout)}
	conn, err := redis.NewDialer(plain)(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if err := logIn(ctx, conn, password); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// logIn gives the password on a fresh connection. A refusal is no more than a
// server that is not there: whoever answers has the port of one that has gone,
// and the next look finds where it went.
func logIn(ctx context.Context, conn net.Conn, password Secret) error {
	if password.IsZero() {
		return nil
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	text := password.Reveal()
	if _, err := fmt.Fprintf(conn, "*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n", len(text), text); err != nil {
		stop()
		return err
	}
	// One reply was asked for, so the reader takes nothing that others wait for.
	reply, err := bufio.NewReaderSize(conn, maxLogInReply).ReadSlice('\n')
	switch {
	case !stop():
		return context.Cause(ctx)
	case err != nil:
		return err
	case string(reply) != "+OK\r\n":
		return fmt.Errorf("the server at %s is another one: %s", conn.RemoteAddr(), show(strings.TrimSpace(string(reply))))
	}
	return conn.SetDeadline(time.Time{})
}

// maxLogInReply bounds what a stranger may answer.
const maxLogInReply = 1 << 10
