package redisconn

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fake is a server that records what it is sent and answers as told. Left
// alone it is a single Redis, a sentinel that names itself as the primary, and
// a cluster of one node that owns all slots.
type fake struct {
	t        testing.TB
	listener net.Listener
	// answer may take over a command: it returns the raw reply, or "" to leave
	// the command to the fake. The connection is closed after closeAfter, and
	// nothing is ever sent after silence.
	answer func(command []string) string

	mu       sync.Mutex
	commands []string // in lower case, with arguments
	conns    []net.Conn
}

const (
	closeAfter = "close"
	silence    = "silence"
)

func startFake(t testing.TB, answer func(command []string) string) *fake {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, listener: listener, answer: answer}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, conn)
			f.mu.Unlock()
			serving.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		f.mu.Lock()
		for _, conn := range f.conns {
			_ = conn.Close()
		}
		f.mu.Unlock()
		serving.Wait()
	})
	return f
}

func (f *fake) addr() string { return f.listener.Addr().String() }

// sent returns what arrived so far, less what only sentinels are asked.
func (f *fake) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.commands), func(command string) bool {
		return strings.HasPrefix(command, "sentinel ") || strings.HasPrefix(command, "subscribe ")
	})
}

// count returns how many commands arrived that begin with the prefix.
func (f *fake) count(prefix string) int {
	n := 0
	for _, command := range f.sent() {
		if strings.HasPrefix(command, prefix) {
			n++
		}
	}
	return n
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.commands = append(f.commands, strings.ToLower(strings.Join(command, " ")))
		f.mu.Unlock()
		reply := f.answer(command)
		if reply == "" {
			reply = f.standard(command)
		}
		switch reply {
		case silence:
			_, _ = io.Copy(io.Discard, in)
			return
		case closeAfter:
			return
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return
		}
	}
}

func (f *fake) standard(command []string) string {
	host, port, _ := net.SplitHostPort(f.addr())
	bulk := func(texts ...string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "*%d\r\n", len(texts))
		for _, text := range texts {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(text), text)
		}
		return b.String()
	}
	switch strings.ToLower(command[0]) {
	case "hello":
		return bulk("server", "redis")
	case "role":
		return bulk("master")
	case "cluster":
		return "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$" + strconv.Itoa(len(host)) + "\r\n" + host + "\r\n:" + port + "\r\n"
	case "sentinel":
		if strings.EqualFold(command[1], "sentinels") {
			return "*0\r\n"
		}
		return bulk(host, port)
	case "subscribe":
		var b strings.Builder
		for i, channel := range command[1:] {
			fmt.Fprintf(&b, "*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:%d\r\n", len(channel), channel, i+1)
		}
		return b.String()
	}
	return "+OK\r\n"
}

// readCommand reads an array of bulk strings.
func readCommand(in *bufio.Reader) ([]string, error) {
	count, err := readNumber(in, '*')
	if err != nil {
		return nil, err
	}
	command := make([]string, count)
	for i := range command {
		size, err := readNumber(in, '$')
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		command[i] = string(text[:size])
	}
	return command, nil
}

func readNumber(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("got %q, want a line that begins with %c", line, kind)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}
