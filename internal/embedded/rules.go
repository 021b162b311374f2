package embedded

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// rule says how a command is treated.
type rule struct {
	kind kind
	// noop is the reply that says that nothing changed.
	noop string
	// refuse returns the error for forms whose effect is not known; nil allows all.
	refuse func(args []string) string
	// effects returns what to log instead of the command itself.
	effects func(e *engine, args []string, reply []byte) []effect
}

type kind int

const (
	reads kind = iota
	writes
	scripts
	asksTTL
)

// effect is a command as the log keeps it, name first.
type effect []string

// Replies, as they are on the wire.
const (
	replyZero  = ":0\r\n"
	replyNull  = "$-1\r\n"
	replyEmpty = "*0\r\n"
)

// rules are all commands that miniredis is given.
var rules = map[string]rule{
	"EVAL": {kind: scripts}, "EVALSHA": {kind: scripts}, "EVAL_RO": {kind: scripts}, "EVALSHA_RO": {kind: scripts},
	"SCRIPT": {}, "PING": {}, "ECHO": {}, "TIME": {}, "COMMAND": {}, "DBSIZE": {}, "MEMORY": {},

	"EXISTS": {}, "TYPE": {}, "KEYS": {}, "SCAN": {}, "RANDOMKEY": {}, "TOUCH": {},
	"TTL": {kind: asksTTL}, "PTTL": {kind: asksTTL}, "EXPIRETIME": {kind: asksTTL}, "PEXPIRETIME": {kind: asksTTL},
	"GET": {}, "MGET": {}, "GETRANGE": {}, "STRLEN": {}, "GETBIT": {}, "BITCOUNT": {},
	"HEXISTS": {}, "HGET": {}, "HGETALL": {}, "HKEYS": {}, "HLEN": {}, "HMGET": {}, "HSTRLEN": {}, "HVALS": {}, "HSCAN": {},
	"HRANDFIELD": {},
	"LINDEX":     {}, "LPOS": {}, "LLEN": {}, "LRANGE": {},
	"SCARD": {}, "SDIFF": {}, "SINTER": {}, "SISMEMBER": {}, "SMEMBERS": {}, "SMISMEMBER": {}, "SRANDMEMBER": {}, "SUNION": {},
	"SSCAN": {},
	"ZCARD": {}, "ZCOUNT": {}, "ZLEXCOUNT": {}, "ZRANGE": {}, "ZRANGEBYLEX": {}, "ZRANGEBYSCORE": {}, "ZRANK": {},
	"ZREVRANGE": {}, "ZREVRANGEBYLEX": {}, "ZREVRANGEBYSCORE": {}, "ZREVRANK": {}, "ZSCORE": {}, "ZMSCORE": {}, "ZSCAN": {},
	"ZRANDMEMBER": {},
	"XLEN":        {}, "XREAD": {}, "XRANGE": {}, "XREVRANGE": {}, "XINFO": {},

	"DEL": {kind: writes, noop: replyZero}, "UNLINK": {kind: writes, noop: replyZero},
	"RENAME": {kind: writes, effects: renamed}, "RENAMENX": {kind: writes, noop: replyZero, effects: renamed},
	"PERSIST": {kind: writes, noop: replyZero}, "FLUSHALL": {kind: writes}, "FLUSHDB": {kind: writes},
	"EXPIRE": expiry(time.Second, false), "EXPIREAT": expiry(time.Second, true),
	"PEXPIRE": expiry(time.Millisecond, false), "PEXPIREAT": expiry(time.Millisecond, true),

	"SET":   {kind: writes, noop: replyNull, refuse: refuseSet, effects: set},
	"SETEX": setFor(time.Second), "PSETEX": setFor(time.Millisecond),
	"SETNX": {kind: writes, noop: replyZero}, "GETSET": {kind: writes}, "GETDEL": {kind: writes, noop: replyNull},
	"MSET": {kind: writes}, "MSETNX": {kind: writes, noop: replyZero}, "APPEND": {kind: writes}, "SETRANGE": {kind: writes},
	"INCR": {kind: writes}, "INCRBY": {kind: writes}, "DECR": {kind: writes}, "DECRBY": {kind: writes},
	"INCRBYFLOAT": {kind: writes},

	"HSET": {kind: writes}, "HMSET": {kind: writes}, "HSETNX": {kind: writes, noop: replyZero},
	"HDEL": {kind: writes, noop: replyZero}, "HINCRBY": {kind: writes}, "HINCRBYFLOAT": {kind: writes},

	"LPUSH": {kind: writes}, "RPUSH": {kind: writes}, "LPUSHX": {kind: writes, noop: replyZero},
	"RPUSHX": {kind: writes, noop: replyZero}, "LPOP": {kind: writes, noop: replyNull}, "RPOP": {kind: writes, noop: replyNull},
	"LREM": {kind: writes, noop: replyZero}, "LSET": {kind: writes}, "LTRIM": {kind: writes},
	"LINSERT": {kind: writes}, "LMOVE": {kind: writes, noop: replyNull}, "RPOPLPUSH": {kind: writes, noop: replyNull},

	"SADD": {kind: writes, noop: replyZero}, "SREM": {kind: writes, noop: replyZero}, "SMOVE": {kind: writes, noop: replyZero},

	"ZADD": {kind: writes}, "ZINCRBY": {kind: writes}, "ZREM": {kind: writes, noop: replyZero},
	"ZREMRANGEBYLEX": {kind: writes, noop: replyZero}, "ZREMRANGEBYRANK": {kind: writes, noop: replyZero},
	"ZREMRANGEBYSCORE": {kind: writes, noop: replyZero},
	"ZPOPMIN":          {kind: writes, noop: replyEmpty}, "ZPOPMAX": {kind: writes, noop: replyEmpty},

	"XADD": {kind: writes, noop: replyNull, refuse: refuseXAdd, effects: added}, "XTRIM": {kind: writes, noop: replyZero},
	"XDEL": {kind: writes, noop: replyZero},
}

// mayWrite reports whether a command can change something.
func mayWrite(name string) bool {
	k := rules[name].kind
	return k == writes || k == scripts
}

// logPExpireAt is how the log gives a key its end.
const logPExpireAt = "PEXPIREAT"

func expireAt(key string, at int64) effect {
	return effect{logPExpireAt, key, strconv.FormatInt(at, 10)}
}

// expiry is the rule of the commands that give a key a time to live. The forms
// with a condition would compare with a clock that miniredis has stopped.
func expiry(unit time.Duration, absolute bool) rule {
	return rule{
		kind: writes,
		noop: replyZero,
		refuse: func(args []string) string {
			if len(args) > 2 {
				return "ERR the embedded store knows no conditions of an expiry"
			}
			return refuseFar(args, 1)
		},
		effects: func(e *engine, args []string, _ []byte) []effect {
			at := e.instant(args[1], unit, absolute)
			if at <= e.nowMs() {
				return []effect{{"DEL", args[0]}}
			}
			e.deadlines.set(args[0], at)
			return []effect{expireAt(args[0], at)}
		},
	}
}

// instant returns when a time to live of the command that runs ends, in
// milliseconds since the epoch. miniredis has accepted the number.
func (e *engine) instant(text string, unit time.Duration, absolute bool) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return e.nowMs()
	}
	n *= int64(unit / time.Millisecond)
	if absolute {
		return n
	}
	return e.nowMs() + n
}

// refuseSet refuses forms of SET that nothing here uses, and whose effect the
// reply does not tell.
func refuseSet(args []string) string {
	for i := 2; i < len(args); i++ {
		switch strings.ToUpper(args[i]) {
		case "GET", "EXAT", "PXAT":
			return "ERR the embedded store has no SET with " + strings.ToUpper(args[i])
		case "EX", "PX":
			if problem := refuseFar(args, i+1); problem != "" {
				return problem
			}
		}
	}
	return ""
}

// farthest bounds times to live, in both directions: more than a century as
// milliseconds, and no overflow as seconds.
const farthest = 1 << 42

// refuseFar refuses a number that would overflow on its way; what is no number
// at all miniredis refuses.
func refuseFar(args []string, at int) string {
	if at >= len(args) {
		return ""
	}
	if n, err := strconv.ParseInt(args[at], 10, 64); err == nil && (n > farthest || n < -farthest) {
		return "ERR invalid expire time"
	}
	return ""
}

// set logs the value, and the time to live as a point in time. A condition was
// met, or the reply would have been null.
func set(e *engine, args []string, _ []byte) []effect {
	plain := effect{"SET", args[0], args[1]}
	effects := []effect{plain}
	for i := 2; i < len(args); i++ {
		name := strings.ToUpper(args[i])
		switch name {
		case "KEEPTTL":
			effects[0] = append(plain, name)
		case "EX", "PX":
			unit := time.Second
			if name[0] == 'P' {
				unit = time.Millisecond
			}
			i++
			at := e.instant(args[i], unit, false)
			e.deadlines.set(args[0], at)
			effects = append(effects, expireAt(args[0], at))
		}
	}
	return effects
}

func setFor(unit time.Duration) rule {
	return rule{
		kind:   writes,
		refuse: func(args []string) string { return refuseFar(args, 1) },
		effects: func(e *engine, args []string, _ []byte) []effect {
			at := e.instant(args[1], unit, false)
			e.deadlines.set(args[0], at)
			return []effect{{"SET", args[0], args[2]}, expireAt(args[0], at)}
		},
	}
}

func renamed(e *engine, args []string, _ []byte) []effect {
	e.deadlines.move(args[0], args[1])
	return []effect{append(effect{"RENAME"}, args...)}
}

// added logs the entry under the id that it got.
func added(_ *engine, args []string, reply []byte) []effect {
	logged := append(effect{"XADD"}, args...)
	_, id, ok := bytes.Cut(bytes.TrimSuffix(reply, []byte("\r\n")), []byte("\r\n"))
	if at := idOfXAdd(args); ok && at < len(args) {
		logged[at+1] = string(id)
	}
	return []effect{logged}
}

// refuseXAdd refuses what miniredis would panic on, and the id with which it
// would leave an empty stream behind.
func refuseXAdd(args []string) string {
	at := idOfXAdd(args)
	switch {
	case at >= len(args) || len(args) < at+3:
		return "ERR wrong number of arguments for 'xadd' command"
	case strings.Trim(args[at], "0-") == "" && args[at] != "":
		return "ERR The ID specified in XADD must be greater than 0-0"
	}
	return ""
}

// idOfXAdd returns the position of the id among the arguments of XADD.
func idOfXAdd(args []string) int {
	at := 1
	if at < len(args) && strings.EqualFold(args[at], "NOMKSTREAM") {
		at++
	}
	if at < len(args) && (strings.EqualFold(args[at], "MAXLEN") || strings.EqualFold(args[at], "MINID")) {
		at++
		if at < len(args) && (args[at] == "~" || args[at] == "=") {
			at++
		}
		at++
	}
	return at
}
