package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// hold returns a connection of its own.
func hold(t *testing.T, rdb *redis.Client) *redis.Conn {
	t.Helper()
	conn := rdb.Conn()
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestPassword(t *testing.T) {
	t.Parallel()
	srv := serveLocal(t, openAt(t, folder(t.TempDir()), time.Now))
	for _, password := range []string{"", "wrong", localPassword + "x"} {
		err := dial(t, srv.addr, password).Set(t.Context(), "a", 1, 0).Err()
		if err == nil || !strings.Contains(err.Error(), "NOAUTH") && !strings.Contains(err.Error(), "WRONGPASS") {
			t.Errorf("password %q: %v", password, err)
		}
	}
	expect(t, srv.store, "DBSIZE", ":0\r\n")
	// A stranger cannot make the server keep much for it.
	for _, request := range []string{
		"*2\r\n$4\r\nAUTH\r\n$999999999\r\n", "*1000000\r\n", "*1\r\n$-5\r\n", "GET / HTTP/1.1\r\n\r\n", "*1\r\n$3\r\nabcd\r\n", "\x00\x01\x02\r\n",
		strings.Repeat("x", 100_000),
	} {
		conn, err := net.Dial("tcp", srv.addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Logf("%.20q: %v", request, err)
		}
		var b [1]byte
		if n, err := conn.Read(b[:]); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%.20q: read %d bytes, %v", request, n, err)
		}
		_ = conn.Close()
	}
}

// Clients are listed under their names, as BullMQ's and our workers need it.
func TestClients(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	srv := serveLocal(t, openAt(t, folder(t.TempDir()), clock.now))
	rdb := dial(t, srv.addr, localPassword)
	worker := hold(t, dial(t, srv.addr, localPassword))
	if err := worker.ClientSetName(t.Context(), "bull:ZW1haWw=:w:one").Err(); err != nil {
		t.Fatal(err)
	}
	id, err := worker.ClientID(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(7 * time.Second)
	list, err := rdb.ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for line := range strings.Lines(list) {
		if strings.HasPrefix(line, fmt.Sprintf("id=%d addr=127.0.0.1:", id)) {
			found = strings.Contains(line, " name=bull:ZW1haWw=:w:one age=7 idle=7 ")
		}
	}
	if !found {
		t.Errorf("not in the list:\n%s", list)
	}
	if err := worker.ClientSetName(t.Context(), "two words").Err(); err == nil {
		t.Error("a name with a blank was taken")
	}
	policy, err := rdb.ConfigGet(t.Context(), "maxmemory-policy").Result()
	if diff := cmp.Diff(map[string]string{"maxmemory-policy": "noeviction"}, policy); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	info, err := rdb.Info(t.Context()).Result()
	fields := infoFields(info)
	if err != nil || fields["redis_version"] != redisVersion || fields["connected_clients"] != "2" || fields["used_memory"] == "" ||
		fields["role"] != "master" {
		t.Errorf("%v\n%s", err, info)
	}
	for _, refused := range []string{"MULTI", "SUBSCRIBE", "FUNCTION", "HEXPIRE"} {
		if err := rdb.Do(t.Context(), refused, "a").Err(); err == nil || !strings.Contains(err.Error(), "unknown command") {
			t.Errorf("%s: %v", refused, err)
		}
	}
	if err := rdb.Do(t.Context(), "SELECT", 1).Err(); err == nil {
		t.Error("a second database was selected")
	}
}

// A blocking read gets what a script writes later, and leaves it there when its
// client is gone.
func TestBlocking(t *testing.T) {
	t.Parallel()
	srv := serveLocal(t, openAt(t, folder(t.TempDir()), time.Now))
	rdb := dial(t, srv.addr, localPassword)
	blocked := func(n int64) func() bool { return func() bool { return srv.srv.blocked.Load() == n } }

	popped := make(chan string, 1)
	go func() {
		got, err := rdb.BZPopMin(t.Context(), patience, "other", "marker").Result()
		popped <- fmt.Sprintf("%v %v", got, err)
	}()
	eventually(t, "blocked", blocked(1))
	script := "return redis.call('ZADD',KEYS[1],5,'a')"
	if err := rdb.Eval(t.Context(), script, []string{"marker"}).Err(); err != nil {
		t.Fatal(err)
	}
	if got := <-popped; got != "&{{5 a} marker} <nil>" {
		t.Errorf("popped %s", got)
	}
	expect(t, srv.store, "EXISTS marker", ":0\r\n")

	gone := dial(t, srv.addr, localPassword)
	left := make(chan error, 1)
	go func() { left <- gone.BZPopMin(t.Context(), patience, "marker").Err() }()
	eventually(t, "blocked", blocked(1))
	_ = gone.Close()
	if err := <-left; err == nil {
		t.Error("the client that left got something")
	}
	eventually(t, "unblocked", blocked(0))
	if err := rdb.ZAdd(t.Context(), "marker", redis.Z{Score: 1, Member: "b"}).Err(); err != nil {
		t.Fatal(err)
	}
	expect(t, srv.store, "ZCARD marker", ":1\r\n")
	if got, err := rdb.BZPopMin(t.Context(), patience, "marker").Result(); err != nil || got.Member != "b" {
		t.Errorf("popped %v, %v", got, err)
	}
	if err := rdb.Do(t.Context(), "BZPOPMIN", "marker", "0.02").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("after the timeout: %v", err)
	}

	if err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: "events", ID: "1-1", Values: []string{"n", "1"}}).Err(); err != nil {
		t.Fatal(err)
	}
	read := make(chan string, 1)
	go func() {
		got, err := rdb.XRead(t.Context(), &redis.XReadArgs{Streams: []string{"events", "$"}, Block: patience}).Result()
		read <- fmt.Sprintf("%v %v", got, err)
	}()
	eventually(t, "blocked", blocked(1))
	expect(t, srv.store, "XADD events 2-1 n 2", "$3\r\n2-1\r\n")
	if got := <-read; got != "[{events [{2-1 map[n:2] 0 0}]}] <nil>" {
		t.Errorf("read %s", got)
	}
	err := rdb.XRead(t.Context(), &redis.XReadArgs{Streams: []string{"events", "2-1"}, Block: 20 * time.Millisecond}).Err()
	if !errors.Is(err, redis.Nil) {
		t.Errorf("after the timeout: %v", err)
	}
}

// The replies of a pipeline come in order, however many there are.
func TestPipeline(t *testing.T) {
	t.Parallel()
	srv := serveLocal(t, openAt(t, folder(t.TempDir()), time.Now))
	rdb := dial(t, srv.addr, localPassword)
	const n = 3000
	replies, err := rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range n {
			p.IncrBy(t.Context(), "n", int64(i))
		}
		p.Get(t.Context(), "n")
		return nil
	})
	if err != nil || len(replies) != n+1 {
		t.Fatal(len(replies), err)
	}
	sum := int64(0)
	for i := range n {
		sum += int64(i)
		if got := replies[i].(*redis.IntCmd).Val(); got != sum {
			t.Fatalf("reply %d: %d, want %d", i, got, sum)
		}
	}
}
