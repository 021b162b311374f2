package embedded

import (
	"crypto/subtle"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// syncEvery is how often the log is synced. It is half of the second that may
// be lost, because a sync takes time itself.
const syncEvery = 500 * time.Millisecond

// server lets clients at a store.
type server struct {
	store     *store
	listener  net.Listener
	password  string
	version   string
	idleAfter time.Duration
	fsync     Fsync
	started   time.Time

	commands atomic.Int64
	blocked  atomic.Int64

	mu      sync.Mutex
	clients map[int64]*client
	lastID  int64
	idle    *time.Timer
	ending  bool
	ended   chan struct{} // closed when the server should end
	running sync.WaitGroup
}

// newServer makes a server of an open store; serve starts it.
func newServer(s *store, l net.Listener, o serverOptions, password string) *server {
	return &server{
		store: s, listener: l, password: password, version: o.Version, idleAfter: o.idleAfter(), fsync: o.Fsync,
		started: s.now(), clients: map[int64]*client{}, ended: make(chan struct{}),
	}
}

// serve answers clients until end is called or no client has come for long
// enough, and closes the store.
func (s *server) serve() error {
	s.mu.Lock()
	s.restIdle()
	s.mu.Unlock()
	s.running.Add(2)
	go s.accept()
	go s.syncOften()
	<-s.ended
	s.running.Wait()
	return s.store.close()
}

// end has serve return, once the connections are closed.
func (s *server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
}

func (s *server) endLocked() {
	if s.ending {
		return
	}
	s.ending = true
	close(s.ended)
	_ = s.listener.Close()
	if s.idle != nil {
		s.idle.Stop()
	}
	for _, c := range s.clients {
		_ = c.conn.Close()
	}
}

// restIdle starts the clock of an idle server.
func (s *server) restIdle() {
	if s.idleAfter <= 0 || s.ending || len(s.clients) > 0 {
		return
	}
	s.idle = time.AfterFunc(s.idleAfter, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.clients) == 0 {
			s.endLocked()
		}
	})
}

// acceptPause is how long accepting rests when the system is out of something.
const acceptPause = 50 * time.Millisecond

func (s *server) accept() {
	defer s.running.Done()
	for {
		conn, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			s.end()
			return
		case err != nil:
			s.store.log.Error("a connection was not accepted", "error", err)
			select {
			case <-time.After(acceptPause):
			case <-s.ended:
			}
		default:
			s.welcome(conn)
		}
	}
}

// welcome serves a new connection.
func (s *server) welcome(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		_ = conn.Close()
		return
	}
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
	s.lastID++
	c := &client{server: s, id: s.lastID, conn: conn, since: s.store.now(), gone: make(chan struct{})}
	c.last = c.since
	s.clients[c.id] = c
	s.running.Go(func() {
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.clients, c.id)
		s.restIdle()
	})
}

// syncOften makes the log safe every now and then.
func (s *server) syncOften() {
	defer s.running.Done()
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.store.sync(); err != nil {
				s.store.log.Error("the log could not be synced", "error", err)
			}
		case <-s.ended:
			return
		}
	}
}

// knows reports whether a client may come in. There is one user.
func (s *server) knows(user, password string) bool {
	return (user == "" || user == "default") && subtle.ConstantTimeCompare([]byte(password), []byte(s.password)) == 1
}
