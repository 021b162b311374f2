package worker_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/qctl/qctl/internal/redistest"
)

// fate is what a proxy does to a command.
type fate int

const (
	deliver     fate = iota
	loseReply        // Redis runs it, and the connection ends before the reply
	loseRequest      // the connection ends before Redis sees it
)

// proxy stands between a worker and Redis and breaks things on request.
type proxy struct {
	addr, upstream string
	judge          func(command []string) fate

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	gate     chan struct{} // closed: bytes pass
	all      sync.WaitGroup
}

// newProxy listens on a port of its own until the test ends. judge may be nil.
func newProxy(t testing.TB, upstream string, judge func(command []string) fate) *proxy {
	t.Helper()
	p := &proxy{
		addr: fmt.Sprintf("127.0.0.1:%d", redistest.FreePort(t)), upstream: upstream, judge: judge,
		conns: map[net.Conn]bool{}, gate: make(chan struct{}),
	}
	close(p.gate)
	p.heal(t)
	t.Cleanup(func() {
		p.open()
		p.cut()
		p.all.Wait()
	})
	return p
}

// heal accepts connections, as at the start.
func (p *proxy) heal(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = listener
	p.mu.Unlock()
	p.all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(conn) })
		}
	})
}

// cut ends all connections and refuses new ones, as when Redis is down.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// shut lets no byte through and keeps connections open, as a black hole.
func (p *proxy) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = make(chan struct{})
}

// open ends shut.
func (p *proxy) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

func (p *proxy) pass() {
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	<-gate
}

func (p *proxy) track(conn net.Conn, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on {
		p.conns[conn] = true
	} else {
		delete(p.conns, conn)
		_ = conn.Close()
	}
}

// serve moves one connection's commands and replies.
func (p *proxy) serve(client net.Conn) {
	p.track(client, true)
	defer p.track(client, false)
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	p.track(server, true)
	defer p.track(server, false)

	var mu sync.Mutex
	lost := false
	var replies sync.WaitGroup
	defer replies.Wait()
	replies.Go(func() {
		defer func() { _ = client.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil {
				return
			}
			p.pass()
			mu.Lock()
			drop := lost
			mu.Unlock()
			if drop {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	defer func() { _ = server.Close() }()
	from := bufio.NewReader(client)
	for {
		raw, command, err := readCommand(from)
		if err != nil {
			return
		}
		p.pass()
		if p.judge != nil {
			switch p.judge(command) {
			case loseRequest:
				return
			case loseReply:
				mu.Lock()
				lost = true
				mu.Unlock()
			case deliver:
			}
		}
		if _, err := server.Write(raw); err != nil {
			return
		}
	}
}

// readCommand reads one command as it is on the wire, and its words.
func readCommand(from *bufio.Reader) (raw []byte, words []string, err error) {
	line, err := from.ReadString('\n')
	if err != nil {
		return nil, nil, err
	}
	raw = append(raw, line...)
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "*")))
	if err != nil {
		return nil, nil, err
	}
	for range n {
		line, err := from.ReadString('\n')
		if err != nil {
			return nil, nil, err
		}
		raw = append(raw, line...)
		size, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "$")))
		if err != nil {
			return nil, nil, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(from, word); err != nil {
			return nil, nil, err
		}
		raw = append(raw, word...)
		words = append(words, string(word[:size]))
	}
	return raw, words, nil
}
