package redisconn

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
)

// kinds are the settings that lead to the three kinds of clients.
func kinds(addr string) map[string]Config {
	url := secrets("redis://" + addr)
	return map[string]Config{
		"single":   {URLs: url, ReadTimeout: 300 * time.Millisecond},
		"sentinel": {URLs: url, SentinelName: "m", ReadTimeout: 300 * time.Millisecond},
		"cluster":  {URLs: url, Cluster: true, ReadTimeout: 300 * time.Millisecond},
	}
}

func open(t testing.TB, config Config) *Conn {
	t.Helper()
	conn, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// onBoth returns the shared and a dedicated client.
func onBoth(t testing.TB, conn *Conn) map[string]redis.UniversalClient {
	t.Helper()
	dedicated := conn.Dedicated("")
	t.Cleanup(func() { _ = dedicated.Close() })
	return map[string]redis.UniversalClient{"shared": conn.Client(), "dedicated": dedicated}
}

// calls are the ways to run a script.
var calls = map[string]func(t *testing.T, client redis.UniversalClient) error{
	"command": func(t *testing.T, client redis.UniversalClient) error {
		return client.EvalSha(t.Context(), "0beec7b5", []string{"{q}:k"}).Err()
	},
	"generic command": func(t *testing.T, client redis.UniversalClient) error {
		return client.Do(t.Context(), "EVALSHA", "0beec7b5", 1, "{q}:k").Err()
	},
	"pipeline": func(t *testing.T, client redis.UniversalClient) error {
		_, err := client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
			pipe.EvalSha(t.Context(), "0beec7b5", []string{"{q}:k"})
			pipe.Get(t.Context(), "{q}:k")
			return nil
		})
		return err
	},
	"transaction": func(t *testing.T, client redis.UniversalClient) error {
		_, err := client.TxPipelined(t.Context(), func(pipe redis.Pipeliner) error {
			pipe.EvalSha(t.Context(), "0beec7b5", []string{"{q}:k"})
			return nil
		})
		return err
	},
}

// A client that repeats a script whose reply was lost adds a job twice and
// reports success; go-redis does so by default.
func TestLostReplyIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for _, loss := range []string{closeAfter, silence} {
		for kind := range kinds("") {
			for _, client := range []string{"shared", "dedicated"} {
				for call, run := range calls {
					t.Run(loss+"/"+kind+"/"+client+"/"+call, func(t *testing.T) {
						t.Parallel()
						server := startFake(t, func(command []string) string {
							if command[0] == "evalsha" || command[0] == "EVALSHA" {
								return loss
							}
							return ""
						})
						conn := open(t, kinds(server.addr())[kind])
						err := run(t, onBoth(t, conn)[client])
						if got := queue.Classify(err); got != queue.ClassUnknown {
							t.Errorf("error %v is of class %s, want unknown", err, got)
						}
						if got := server.count("evalsha"); got != 1 {
							t.Errorf("the script was sent %d times, want once; all: %q", got, server.sent())
						}
					})
				}
			}
		}
	}
}

func TestClusterFollowsRedirections(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		redirect string
		want     []string // what the other node is sent, besides the handshake
	}{
		"MOVED": {"-MOVED 1 ", []string{"evalsha 0beec7b5 1 {q}:k"}},
		"ASK":   {"-ASK 1 ", []string{"asking", "evalsha 0beec7b5 1 {q}:k"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := startFake(t, func([]string) string { return "" })
			owner := startFake(t, func(command []string) string {
				if command[0] == "evalsha" {
					return test.redirect + other.addr() + "\r\n"
				}
				return ""
			})
			conn := open(t, Config{URLs: secrets("redis://" + owner.addr()), Cluster: true})
			reply, err := conn.Client().EvalSha(t.Context(), "0beec7b5", []string{"{q}:k"}).Result()
			if err != nil || reply != "OK" {
				t.Fatalf("reply %v, error %v; want OK from the other node", reply, err)
			}
			// The client also asks in the background who owns which slot now.
			got := slices.DeleteFunc(other.sent(), func(command string) bool {
				return command == "hello 2" || command == "cluster slots"
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("sent to the other node (-want +got):\n%s", diff)
			}
			if got := owner.count("evalsha"); got != 1 {
				t.Errorf("the owner was sent the script %d times, want once", got)
			}
		})
	}
}

func TestEndlessRedirectionsAreRefusals(t *testing.T) {
	t.Parallel()
	var self *fake
	ready := make(chan struct{})
	self = startFake(t, func(command []string) string {
		if command[0] == "evalsha" {
			<-ready
			return "-MOVED 1 " + self.addr() + "\r\n"
		}
		return ""
	})
	close(ready)
	conn := open(t, Config{URLs: secrets("redis://" + self.addr()), Cluster: true})
	err := conn.Client().EvalSha(t.Context(), "0beec7b5", []string{"k"}).Err()
	if got := queue.Classify(err); got != queue.ClassRefused {
		t.Errorf("error %v is of class %s, want refused", err, got)
	}
	if got := self.count("evalsha"); got != maxRedirects+1 {
		t.Errorf("sent %d times, want %d", got, maxRedirects+1)
	}
}

// Every round trip before the first command makes every qctl command slower.
func TestFirstCommandsOfAConnection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config Config
		client string // of a dedicated client
		want   []string
	}{
		{"single", Config{}, "", []string{"hello 2", "ping"}},
		{"database", Config{DB: 2}, "", []string{"hello 2", "select 2", "ping"}},
		{"user", Config{Username: "u", Password: NewSecret("p")}, "", []string{"hello 2 auth u p", "ping"}},
		{"name", Config{}, "bull:q", []string{"hello 2 setname bull:q", "client setname bull:q", "ping"}},
		{"cluster", Config{Cluster: true}, "", []string{"hello 2", "cluster slots", "ping"}},
		{"read-only", Config{ReadOnly: true, DB: 1}, "", []string{"hello 2", "select 1", "ping"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := startFake(t, func([]string) string { return "" })
			test.config.URLs = secrets("redis://" + server.addr())
			conn := open(t, test.config)
			client := conn.Client()
			if test.client != "" {
				client = conn.Dedicated(test.client)
				defer client.Close()
			}
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, server.sent()); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLostHandshakeWasNeverSent(t *testing.T) {
	t.Parallel()
	const (
		turnedAway = "-ERR max number of clients reached\r\n"
		protected  = "-DENIED Redis is running in protected mode\r\n"
	)
	for _, test := range []struct {
		kind, command, reply string
	}{
		{"single", "hello", closeAfter},
		{"single", "hello", silence},
		{"single", "hello", turnedAway},
		{"single", "hello", protected},
		{"single", "select", closeAfter},
		{"single", "select", silence},
		{"sentinel", "hello", silence},
		{"sentinel", "select", closeAfter},
		{"sentinel", "role", silence},
		{"sentinel", "sentinel", closeAfter},
		{"sentinel", "sentinel", silence},
		{"cluster", "hello", closeAfter},
		{"cluster", "hello", turnedAway},
		{"cluster", "cluster", closeAfter},
		{"cluster", "cluster", silence},
	} {
		t.Run(test.kind+"/"+test.command+"/"+strings.TrimSpace(test.reply), func(t *testing.T) {
			t.Parallel()
			met := make(chan struct{}, 100)
			server := startFake(t, func(command []string) string {
				if command[0] != test.command {
					return ""
				}
				met <- struct{}{}
				return test.reply
			})
			config := kinds(server.addr())[test.kind]
			if test.kind != "cluster" {
				config.DB = 1
			}
			err := calls["command"](t, open(t, config).Client())
			if len(met) == 0 {
				t.Fatalf("the handshake has no %s", test.command)
			}
			if got, sent := queue.Classify(err), server.count("evalsha"); got != queue.ClassUnreachable || sent != 0 {
				t.Errorf("error %v is of class %s, want unreachable; scripts sent: %d", err, got, sent)
			}
		})
	}
}

func TestReadOnlyRefusesBeforeSending(t *testing.T) {
	t.Parallel()
	for kind := range kinds("") {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			server := startFake(t, func([]string) string { return "" })
			config := kinds(server.addr())[kind]
			config.ReadOnly = true
			client := open(t, config).Client()

			err := client.Set(t.Context(), "k", "v", 0).Err()
			if !errors.Is(err, ErrReadOnly) {
				t.Errorf("SET: %v, want ErrReadOnly", err)
			}
			get := &redis.StringCmd{}
			_, err = client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
				get = pipe.Get(t.Context(), "k")
				return pipe.Del(t.Context(), "k").Err()
			})
			if !errors.Is(err, ErrReadOnly) || !errors.Is(get.Err(), ErrReadOnly) {
				t.Errorf("pipeline: %v, its GET: %v; want ErrReadOnly for both", err, get.Err())
			}
			if err := client.Do(t.Context(), "CONFIG", "SET", "a", "b").Err(); !errors.Is(err, ErrReadOnly) {
				t.Errorf("CONFIG SET: %v, want ErrReadOnly", err)
			}
			if err := client.Do(t.Context(), "CONFIG", "GET", "a").Err(); err != nil {
				t.Errorf("CONFIG GET: %v", err)
			}
			if err := calls["command"](t, client); err != nil {
				t.Errorf("script: %v", err)
			}
			want := []string{"config get a", "evalsha 0beec7b5 1 {q}:k"}
			// The client of a cluster looks at it anew whenever it likes.
			got := slices.DeleteFunc(server.sent(), func(command string) bool {
				return command == "cluster slots" || strings.HasPrefix(command, "hello ")
			})
			if diff := cmp.Diff(want, got[len(got)-2:]); diff != "" {
				t.Errorf("last sent (-want +got):\n%s", diff)
			}
			if n := server.count("set") + server.count("del") + server.count("get") + server.count("config set"); n != 0 {
				t.Errorf("refused commands reached the server: %q", got)
			}
		})
	}
}

func TestRefusedDialIsToldAtOnce(t *testing.T) {
	t.Parallel()
	server := startFake(t, func([]string) string { return "" })
	addr := server.addr()
	_ = server.listener.Close()
	for kind, config := range kinds(addr) {
		start := time.Now()
		err := calls["command"](t, open(t, config).Client())
		if got := queue.Classify(err); got != queue.ClassUnreachable {
			t.Errorf("%s: error %v is of class %s, want unreachable", kind, err, got)
		}
		// go-redis' own retries take 1.7 s.
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: a refused dial took %s", kind, took)
		}
	}
}

func TestClosedClientSendsNothing(t *testing.T) {
	t.Parallel()
	server := startFake(t, func([]string) string { return "" })
	for kind, config := range kinds(server.addr()) {
		conn := open(t, config)
		if err := conn.Close(); err != nil {
			t.Errorf("%s: close: %v", kind, err)
		}
		err := calls["command"](t, conn.Client())
		if got := queue.Classify(err); got != queue.ClassCanceled {
			t.Errorf("%s: error %v is of class %s, want canceled", kind, err, got)
		}
	}
}
