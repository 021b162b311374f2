package redisconn

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// moving is a server that comes back elsewhere, with another password.
type moving struct {
	mu       sync.Mutex
	addr     string
	password string
	err      error
	asked    int
}

func (m *moving) locate(context.Context) (string, Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return m.addr, NewSecret(m.password), m.err
}

func (m *moving) set(addr, password string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addr, m.password, m.err = addr, password, err
}

// startProtected is a fake that wants this password.
func startProtected(t *testing.T, password string) *fake {
	t.Helper()
	return startFake(t, func(command []string) string {
		if strings.EqualFold(command[0], "auth") && command[1] != password {
			return "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
		}
		return ""
	})
}

// leave ends a fake as a kill would.
func (f *fake) leave() {
	_ = f.listener.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range f.conns {
		_ = conn.Close()
	}
}

func openMoving(t *testing.T, m *moving, change func(*Config)) *Conn {
	t.Helper()
	config := Config{URLs: []Secret{NewSecret("redis://127.0.0.1:1")}, Locate: m.locate, DialTimeout: 5 * time.Second}
	if change != nil {
		change(&config)
	}
	conn, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// The shared pool and a client of its own follow a server to another address
// and another password, and each connection gives the password of its address.
func TestLocate(t *testing.T) {
	t.Parallel()
	before, after := startProtected(t, "one"), startProtected(t, "two")
	m := &moving{addr: before.addr(), password: "one"}
	conn := openMoving(t, m, nil)
	dedicated := conn.Dedicated("blocked")
	defer func() { _ = dedicated.Close() }()
	clients := map[string]redis.UniversalClient{"shared": conn.Client(), "dedicated": dedicated}
	for name, client := range clients {
		if err := client.Set(t.Context(), "a", "1", 0).Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	before.leave()
	m.set(after.addr(), "two", nil)
	for name, client := range clients {
		// The lost connection may have been noticed or not; one command is enough.
		_ = client.Ping(t.Context()).Err()
		if err := client.Set(t.Context(), "a", "2", 0).Err(); err != nil {
			t.Fatalf("%s: after the move: %v", name, err)
		}
	}
	if got := before.count("auth one"); got != 2 {
		t.Errorf("the first password was given %d times", got)
	}
	if one, two := after.count("auth one"), after.count("auth two"); one != 0 || two != 2 {
		t.Errorf("behind the move the passwords were given %d and %d times", one, two)
	}
	if got := after.count("hello 2 setname blocked"); got != 1 {
		t.Errorf("the name was set %d times: %q", got, after.sent())
	}
	for range 10 {
		if err := conn.Client().Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if m.asked != 4 {
		t.Errorf("asked %d times for 4 connections", m.asked)
	}
}

// What keeps a server from being found is an error of connecting, so that it is
// known that nothing was sent; a wrong password is one too, since the server
// moves on between the look and the dial.
func TestLocateFails(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	protected := startProtected(t, "right")
	mute := startFake(t, func([]string) string { return silence })
	long := startFake(t, func([]string) string { return "+" + strings.Repeat("x", 2*maxLogInReply) + "\r\n" })
	closing := startFake(t, func([]string) string { return closeAfter })
	for name, c := range map[string]struct {
		m    *moving
		text string
	}{
		"not found":      {&moving{err: gone}, "gone"},
		"wrong password": {&moving{addr: protected.addr(), password: "wrong"}, "is another one: "},
		"no answer":      {&moving{addr: mute.addr(), password: "p"}, ""},
		"endless answer": {&moving{addr: long.addr(), password: "p"}, ""},
		"closed":         {&moving{addr: closing.addr(), password: "p"}, "EOF"},
		"nobody there":   {&moving{addr: "127.0.0.1:1", password: "p"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := openMoving(t, c.m, func(config *Config) { config.DialTimeout = 200 * time.Millisecond })
			err := conn.Client().Set(t.Context(), "a", "1", 0).Err()
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "dial" || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
			var reply redis.Error
			if errors.As(err, &reply) {
				t.Errorf("%v counts as a reply", err)
			}
			if strings.Contains(err.Error(), "wrong") {
				t.Errorf("%v tells the password", err)
			}
			if c.m.err != nil && !errors.Is(err, c.m.err) {
				t.Errorf("%v hides its cause", err)
			}
		})
	}
}

// A look that takes too long is given up with the dial, or with the call.
func TestLocateIsBounded(t *testing.T) {
	t.Parallel()
	bounded := make(chan bool, 2)
	locate := func(ctx context.Context) (string, Secret, error) {
		_, has := ctx.Deadline()
		bounded <- has
		<-ctx.Done()
		return "", Secret{}, ctx.Err()
	}
	conn := openMoving(t, nil, func(config *Config) { config.Locate, config.DialTimeout = locate, 50*time.Millisecond })
	if err := conn.Client().Ping(t.Context()).Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the dial timeout: %v", err)
	}
	if !<-bounded {
		t.Error("no deadline")
	}
	conn = openMoving(t, nil, func(config *Config) { config.Locate, config.DialTimeout = locate, time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-bounded
		cancel()
	}()
	if err := conn.Client().Ping(ctx).Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("the call: %v", err)
	}
}

func TestLocateIsForSingleServers(t *testing.T) {
	t.Parallel()
	m := &moving{}
	for name, config := range map[string]Config{
		"cluster":  {URLs: []Secret{NewSecret("redis://a")}, Cluster: true},
		"sentinel": {URLs: []Secret{NewSecret("redis://a")}, SentinelName: "m"},
		"tls":      {URLs: []Secret{NewSecret("rediss://a")}},
		"socket":   {URLs: []Secret{NewSecret("unix:///a")}},
		"user":     {URLs: []Secret{NewSecret("redis://u:p@a")}},
	} {
		if err := config.Validate(); err != nil {
			t.Fatal(name, err)
		}
		config.Locate = m.locate
		var refused *ConfigError
		if err := config.Validate(); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
