package redisconn

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

func TestSingleServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	conn := open(t, Config{URLs: secrets(server.URL())})
	if conn.Cluster() {
		t.Error("a single server calls itself a cluster")
	}
	for name, client := range onBoth(t, conn) {
		got, err := client.Eval(t.Context(), "return redis.call('INCR', KEYS[1])", []string{name}).Int()
		if err != nil || got != 1 {
			t.Errorf("%s: script returned %d, %v; want 1", name, got, err)
		}
	}
}

func TestDatabaseNumber(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	conn := open(t, Config{URLs: secrets("redis://" + server.Addr + "/3")})
	for name, client := range onBoth(t, conn) {
		if err := client.Set(t.Context(), name, "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	direct := server.Client()
	info, err := direct.Info(t.Context(), "keyspace").Result()
	if err != nil || !strings.Contains(info, "db3:keys=2,") || strings.Contains(info, "db0:") {
		t.Errorf("keyspace after writing to database 3: %q, %v", info, err)
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	// Socket paths are limited to about a hundred bytes; test directories are longer.
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "r.sock")
	server := redistest.Start(t, "--unixsocket", socket)
	conn := open(t, Config{URLs: secrets("unix://" + socket + "?db=2")})
	if err := conn.Client().Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	info, err := server.Client().Info(t.Context(), "keyspace").Result()
	if err != nil || !strings.Contains(info, "db2:keys=1,") {
		t.Errorf("keyspace after writing to database 2: %q, %v", info, err)
	}
	missing := open(t, Config{URLs: secrets("unix://" + socket + ".none")})
	err = missing.Client().Ping(t.Context()).Err()
	if got := queue.Classify(err); got != queue.ClassUnreachable {
		t.Errorf("missing socket: error %v is of class %s, want unreachable", err, got)
	}
}

func TestUsersAndPasswords(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	admin := server.Client()
	// Every bare special character that a URL may hold is in the password.
	const password, encoded = "p@ss/w:rd?,%#", "p%40ss%2Fw%3Ard%3F%2C%25%23"
	for _, command := range [][]any{
		{"ACL", "SETUSER", "ops", "on", ">" + password, "~bull:*", "+@all", "-flushdb"},
		{"ACL", "SETUSER", "default", "resetpass", ">main"},
	} {
		if err := admin.Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set := func(ctx context.Context, client redis.UniversalClient) error {
		return client.Set(ctx, "bull:k", "v", 0).Err()
	}
	tests := []struct {
		name   string
		config Config
		call   func(context.Context, redis.UniversalClient) error
		want   queue.Class
	}{
		{"user in the URL", Config{URLs: secrets("redis://ops:" + encoded + "@" + server.Addr)}, set, queue.ClassNone},
		{"user given apart", Config{URLs: secrets(server.URL()), Username: "ops", Password: NewSecret(password)}, set, queue.ClassNone},
		{"default user", Config{URLs: secrets("redis://:main@" + server.Addr)}, set, queue.ClassNone},
		{"password over the URL's", Config{URLs: secrets("redis://:" + canary + "@" + server.Addr), Password: NewSecret("main")}, set, queue.ClassNone},
		{"no password", Config{URLs: secrets(server.URL())}, set, queue.ClassDenied},
		{"wrong password", Config{URLs: secrets("redis://ops:" + canary + "@" + server.Addr)}, set, queue.ClassDenied},
		{"unknown user", Config{URLs: secrets("redis://nobody:" + canary + "@" + server.Addr)}, set, queue.ClassDenied},
		{
			"command not allowed",
			Config{URLs: secrets("redis://ops:" + encoded + "@" + server.Addr)},
			func(ctx context.Context, client redis.UniversalClient) error { return client.FlushDB(ctx).Err() },
			queue.ClassDenied,
		},
		{
			"key not allowed",
			Config{URLs: secrets("redis://ops:" + encoded + "@" + server.Addr)},
			func(ctx context.Context, client redis.UniversalClient) error {
				return client.Eval(ctx, "return redis.call('SET', KEYS[1], 1)", []string{"other:k"}).Err()
			},
			queue.ClassDenied,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for name, client := range onBoth(t, open(t, test.config)) {
				err := test.call(t.Context(), client)
				if got := queue.Classify(err); got != test.want {
					t.Errorf("%s: error %v is of class %s, want %s", name, err, got, test.want)
				}
				assertNoCanary(t, err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxclients", "1")
	config := Config{URLs: secrets(server.URL()), ReadTimeout: 2 * time.Second}
	holder := open(t, config)
	if err := holder.Client().LPush(t.Context(), "list", 1).Err(); err != nil {
		t.Fatal(err)
	}
	check := func(what string, err error, want queue.Class) {
		t.Helper()
		if got := queue.Classify(err); got != want {
			t.Errorf("%s: error %v is of class %s, want %s", what, err, got, want)
		}
	}
	check("too many clients", open(t, config).Client().Ping(t.Context()).Err(), queue.ClassUnreachable)

	rdb := holder.Client()
	const increment = "return redis.call('INCR', KEYS[1])"
	check("wrong type", rdb.Incr(t.Context(), "list").Err(), queue.ClassCorrupt)
	check("wrong type in a script", rdb.Eval(t.Context(), increment, []string{"list"}).Err(), queue.ClassCorrupt)
	check("unknown script", rdb.EvalSha(t.Context(), strings.Repeat("0", 40), nil).Err(), queue.ClassOther)

	if err := rdb.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	check("out of memory", rdb.Set(t.Context(), "k", "v", 0).Err(), queue.ClassRefused)
	check("out of memory in a script", rdb.Eval(t.Context(), increment, []string{"k"}).Err(), queue.ClassRefused)
	if err := rdb.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}

	if err := rdb.ConfigSet(t.Context(), "min-replicas-to-write", "1").Err(); err != nil {
		t.Fatal(err)
	}
	check("no replicas", rdb.Set(t.Context(), "k", "v", 0).Err(), queue.ClassRefused)
	check("no replicas in a script", rdb.Eval(t.Context(), increment, []string{"k"}).Err(), queue.ClassRefused)
	if err := rdb.ConfigSet(t.Context(), "min-replicas-to-write", "0").Err(); err != nil {
		t.Fatal(err)
	}

	if err := rdb.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	check("replica", rdb.Set(t.Context(), "k", "v", 0).Err(), queue.ClassRefused)
}

func TestKilledServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	conn := open(t, Config{URLs: secrets(server.URL())})
	blocking := conn.Dedicated("")
	defer blocking.Close()
	ended := make(chan error, 1)
	go func() { ended <- blocking.BZPopMin(t.Context(), 30*time.Second, "marker").Err() }()
	waitForClients(t, conn.Client(), "cmd=bzpopmin")

	server.Kill()
	if err := <-ended; queue.Classify(err) != queue.ClassUnknown {
		t.Errorf("blocking read: error %v is of class %s, want unknown", err, queue.Classify(err))
	}
	// The broken connection is noticed before it is used: nothing is lost on it.
	err := conn.Client().Set(t.Context(), "k", "v", 0).Err()
	if got := queue.Classify(err); got != queue.ClassUnreachable {
		t.Errorf("pooled connection: error %v is of class %s, want unreachable", err, got)
	}

	server.Restart()
	redistest.WaitFor(t, 10*time.Second, "the pool to connect again", func() bool {
		return conn.Client().Set(t.Context(), "k", "v", 0).Err() == nil
	})
	redistest.WaitFor(t, 10*time.Second, "the dedicated client to connect again", func() bool {
		return blocking.Set(t.Context(), "k", "v", 0).Err() == nil
	})
}

func TestDedicatedClient(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	conn := open(t, Config{URLs: secrets(server.URL()), ReadTimeout: 200 * time.Millisecond})
	const name = "bull:ZW1haWwtcXVldWU="
	dedicated := conn.Dedicated(name)
	defer dedicated.Close()

	// Blocking for longer than the read timeout is no lost connection.
	start := time.Now()
	err := dedicated.BZPopMin(t.Context(), time.Second, "marker").Err()
	if err != redis.Nil || time.Since(start) < 900*time.Millisecond { //nolint:errorlint // the client returns it bare
		t.Errorf("blocking read of 1 s: %v after %s; want a nil reply", err, time.Since(start))
	}
	if _, err := dedicated.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		pipe.Ping(t.Context())
		pipe.ClientGetName(t.Context())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	list, err := conn.Client().ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	var named int
	for line := range strings.Lines(list) {
		if slices.Contains(strings.Fields(line), "name="+name) {
			named++
		}
	}
	if named != 1 {
		t.Errorf("CLIENT LIST shows the name %d times, want once:\n%s", named, list)
	}

	// Two ways to end a blocking read: a deadline, and closing the client.
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := dedicated.BZPopMin(ctx, 30*time.Second, "marker").Err(); queue.Classify(err) != queue.ClassUnknown {
		t.Errorf("blocking read with a deadline: %v is of class %s, want unknown", err, queue.Classify(err))
	}
	ended := make(chan error, 1)
	go func() { ended <- dedicated.BZPopMin(t.Context(), 30*time.Second, "marker").Err() }()
	waitForClients(t, conn.Client(), "cmd=bzpopmin")
	if err := dedicated.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the closed blocking read returned no error")
		}
	case <-time.After(5 * time.Second):
		t.Error("closing the client did not end its blocking read")
	}
}

func TestDeadlineInTheQueueForAConnection(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	conn := open(t, Config{URLs: secrets(server.URL())})
	dedicated := conn.Dedicated("")
	defer dedicated.Close()
	go func() { _ = dedicated.BZPopMin(t.Context(), 30*time.Second, "marker").Err() }()
	waitForClients(t, conn.Client(), "cmd=bzpopmin")

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := dedicated.Set(ctx, "k", "v", 0).Err()
	got := []any{queue.Classify(err).String(), server.Client().Exists(t.Context(), "k").Val()}
	if diff := cmp.Diff([]any{"unreachable", int64(0)}, got); diff != "" {
		t.Errorf("class of %v, keys written (-want +got):\n%s", err, diff)
	}
	canceled, cancelNow := context.WithCancel(t.Context())
	cancelNow()
	if err := conn.Client().Set(canceled, "k", "v", 0).Err(); queue.Classify(err) != queue.ClassCanceled {
		t.Errorf("cancelled before: %v is of class %s, want canceled", err, queue.Classify(err))
	}
}

// waitForClients waits until a line of CLIENT LIST holds the text.
func waitForClients(t *testing.T, client redis.UniversalClient, text string) {
	t.Helper()
	redistest.WaitFor(t, 10*time.Second, "a client with "+text, func() bool {
		list, err := client.ClientList(t.Context()).Result()
		return err == nil && strings.Contains(list, text)
	})
}
