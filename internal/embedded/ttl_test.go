package embedded

import (
	"testing"
	"time"
)

// Times to live run down by the clock, in all ways to set and to ask them.
func TestTTL(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	s := openAt(t, folder(t.TempDir()), clock.now)
	defer closeStore(t, s)
	expect(t, s,
		"SET a 1 PX 30000", "+OK\r\n",
		"SET b 1 EX 10", "+OK\r\n",
		"HSET c f v", ":1\r\n", "PEXPIRE c 20000", ":1\r\n",
		"SET d 1", "+OK\r\n", "EXPIREAT d 1795312840", ":1\r\n",
		"SETEX e 5 1", "+OK\r\n", "PSETEX f 5000 1", "+OK\r\n",
		"PTTL a", ":30000\r\n", "TTL b", ":10\r\n", "PEXPIRETIME c", ":1795312820000\r\n", "EXPIRETIME d", ":1795312840\r\n",
		"PTTL none", ":-2\r\n",
		"EVAL redis.call('PEXPIRE',KEYS[1],'7000')return{redis.call('PTTL',KEYS[1]),redis.call('PTTL',KEYS[2])} 2 e a", "*2\r\n:7000\r\n:30000\r\n",
	)
	clock.advance(6 * time.Second)
	expect(t, s, "PTTL a", ":24000\r\n", "TTL b", ":4\r\n", "PTTL e", ":1000\r\n", "GET f", "$-1\r\n", "DBSIZE", ":5\r\n")
	// What takes the time to live away keeps the key, what renews it moves the end.
	expect(t, s, "PERSIST e", ":1\r\n", "SET b 2", "+OK\r\n", "SET a 2 KEEPTTL", "+OK\r\n", "PEXPIRE c 60000", ":1\r\n",
		"PTTL e", ":-1\r\n", "PTTL a", ":24000\r\n")
	clock.advance(25 * time.Second)
	expect(t, s, "KEYS *", "*4\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n", "PTTL c", ":35000\r\n")
	expect(t, s, "PEXPIRE e 0", ":1\r\n", "EXISTS e", ":0\r\n", "PEXPIRE e 5", ":0\r\n", "RENAME c g", "+OK\r\n", "PTTL g", ":35000\r\n")
	clock.advance(35 * time.Second)
	expect(t, s, "KEYS *", "*1\r\n$1\r\nb\r\n",
		"PEXPIRE b 10 NX", "-ERR the embedded store knows no conditions of an expiry\r\n",
		"SET b 1 PXAT 5", "-ERR the embedded store has no SET with PXAT\r\n",
		"PEXPIRE b 9223372036854775807", "-ERR invalid expire time\r\n")
}

// A key ends at its point in time, wherever the store was meanwhile, and what
// was written after an expiry does not join what was there before.
func TestTTLOverRestart(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	dir := folder(t.TempDir())
	s := openAt(t, dir, clock.now)
	expect(t, s,
		"SET long 1 PX 60000", "+OK\r\n", "SET short 1 PX 1000", "+OK\r\n",
		"HSET again old 1", ":1\r\n", "PEXPIRE again 1000", ":1\r\n", "HSET kept old 1", ":1\r\n", "PEXPIRE kept 1000", ":1\r\n")
	expect(t, s, "PERSIST kept", ":1\r\n")
	clock.advance(2 * time.Second)
	expect(t, s, "HSET again new 2", ":1\r\n")
	closeStore(t, s)
	clock.advance(3 * time.Second)
	for _, compact := range []bool{false, true} {
		s = openAt(t, dir, clock.now)
		expect(t, s, "PTTL long", ":55000\r\n", "GET short", "$-1\r\n",
			"HGETALL again", "*2\r\n$3\r\nnew\r\n$1\r\n2\r\n", "PTTL again", ":-1\r\n",
			"HGETALL kept", "*2\r\n$3\r\nold\r\n$1\r\n1\r\n")
		if !compact {
			if err := s.compact(); err != nil {
				t.Fatal(err)
			}
		}
		closeStore(t, s)
	}
	clock.advance(55 * time.Second)
	s = openAt(t, dir, clock.now)
	defer closeStore(t, s)
	expect(t, s, "KEYS *", "*2\r\n$5\r\nagain\r\n$4\r\nkept\r\n")
}
