package embedded

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// session are the commands about the connection or the server, and those that
// block. They are not for scripts, and change no keys.
var session = map[string]func(c *client, args []string){
	"AUTH":     authenticate,
	"HELLO":    hello,
	"QUIT":     quit,
	"SELECT":   selectDB,
	"CLIENT":   clientCommand,
	"CONFIG":   configCommand,
	"INFO":     info,
	"ROLE":     role,
	"SLOWLOG":  slowLog,
	"SHUTDOWN": shutdown,
	"BZPOPMIN": blockingPop("ZPOPMIN"),
	"BZPOPMAX": blockingPop("ZPOPMAX"),
	"XREAD":    readStreams,
}

// beforePassword are the commands that a stranger may send.
var beforePassword = map[string]bool{"AUTH": true, "HELLO": true, "QUIT": true}

const wrongPassword = "WRONGPASS invalid username-password pair or user is disabled."

func authenticate(c *client, args []string) {
	var user, password string
	switch len(args) {
	case 1:
		password = args[0]
	case 2:
		user, password = args[0], args[1]
	default:
		c.fail("ERR wrong number of arguments for 'auth' command")
		return
	}
	if !c.server.knows(user, password) {
		c.fail(wrongPassword)
		return
	}
	c.trusted.Store(true)
	c.ok()
}

// hello speaks RESP2 alone.
func hello(c *client, args []string) {
	if len(args) > 0 {
		if args[0] != "2" {
			c.fail("NOPROTO unsupported protocol version")
			return
		}
		args = args[1:]
	}
	name, named := "", false
	for len(args) > 0 {
		switch option := strings.ToUpper(args[0]); {
		case option == "AUTH" && len(args) > 2:
			if !c.server.knows(args[1], args[2]) {
				c.fail(wrongPassword)
				return
			}
			c.trusted.Store(true)
			args = args[3:]
		case option == "SETNAME" && len(args) > 1:
			name, named = args[1], true
			args = args[2:]
		default:
			c.fail("ERR Syntax error in HELLO")
			return
		}
	}
	if !c.trusted.Load() {
		c.fail("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> " +
			"<pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
		return
	}
	if named && !c.setName(name) {
		return
	}
	b := appendLength(nil, '*', 14)
	b = appendBulk(appendBulk(b, "server"), "redis")
	b = appendBulk(appendBulk(b, "version"), redisVersion)
	b = appendInt(appendBulk(b, "proto"), 2)
	b = appendInt(appendBulk(b, "id"), c.id)
	b = appendBulk(appendBulk(b, "mode"), "standalone")
	b = appendBulk(appendBulk(b, "role"), "master")
	b = appendLength(appendBulk(b, "modules"), '*', 0)
	c.answer(b, 0)
}

func quit(c *client, _ []string) {
	c.ok()
	c.leaving = true
}

func selectDB(c *client, args []string) {
	if len(args) == 1 && args[0] == "0" {
		c.ok()
		return
	}
	c.fail("ERR DB index is out of range: the embedded store has database 0 only")
}

func clientCommand(c *client, args []string) {
	if len(args) == 0 {
		c.fail("ERR wrong number of arguments for 'client' command")
		return
	}
	switch sub := strings.ToUpper(args[0]); {
	case sub == "SETNAME" && len(args) == 2:
		if c.setName(args[1]) {
			c.ok()
		}
	case sub == "GETNAME" && len(args) == 1:
		c.answer(appendBulk(nil, c.getName()), 0)
	case sub == "ID" && len(args) == 1:
		c.answer(appendInt(nil, c.id), 0)
	case sub == "LIST":
		c.listClients(args[1:])
	case sub == "INFO" && len(args) == 1:
		c.answer(appendBulk(nil, c.server.describeClients(func(o *client) bool { return o == c })), 0)
	case sub == "SETINFO" && len(args) == 3, sub == "NO-EVICT" && len(args) == 2, sub == "NO-TOUCH" && len(args) == 2:
		c.ok()
	default:
		c.fail("ERR unknown subcommand or wrong number of arguments for '" + printable(args[0]) + "'. Try CLIENT HELP.")
	}
}

func (c *client) getName() string {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.name
}

func (c *client) setName(name string) bool {
	for _, b := range []byte(name) {
		if b < '!' || b > '~' {
			c.fail("ERR Client names cannot contain spaces, newlines or special characters.")
			return false
		}
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.name = name
	return true
}

// listClients is CLIENT LIST, of all, of a type, or of some ids.
func (c *client) listClients(args []string) {
	wanted := func(*client) bool { return true }
	switch {
	case len(args) == 0:
	case len(args) == 2 && strings.EqualFold(args[0], "TYPE"):
		normal := strings.EqualFold(args[1], "normal")
		wanted = func(*client) bool { return normal }
	case len(args) > 1 && strings.EqualFold(args[0], "ID"):
		ids := map[string]bool{}
		for _, id := range args[1:] {
			ids[id] = true
		}
		wanted = func(o *client) bool { return ids[strconv.FormatInt(o.id, 10)] }
	default:
		c.fail("ERR syntax error")
		return
	}
	c.answer(appendBulk(nil, c.server.describeClients(wanted)), 0)
}

func role(c *client, _ []string) {
	b := appendBulk(appendLength(nil, '*', 3), "master")
	c.answer(appendLength(appendInt(b, 0), '*', 0), 0)
}

// slowLog answers that nothing was slow: nobody measures it.
func slowLog(c *client, args []string) {
	switch {
	case len(args) > 0 && strings.EqualFold(args[0], "LEN"):
		c.answer(appendInt(nil, 0), 0)
	case len(args) > 0 && strings.EqualFold(args[0], "GET"):
		c.answer(appendLength(nil, '*', 0), 0)
	default:
		c.fail("ERR unknown subcommand. Try SLOWLOG HELP.")
	}
}

// configCommand answers CONFIG GET; nothing can be set.
func configCommand(c *client, args []string) {
	if len(args) < 2 || !strings.EqualFold(args[0], "GET") {
		c.fail("ERR the embedded store has no CONFIG but GET")
		return
	}
	settings := [][2]string{
		{"maxmemory", "0"},
		{"maxmemory-policy", "noeviction"},
		{"appendonly", "yes"},
		{"appendfsync", string(c.server.fsync)},
		{"save", ""},
		{"databases", "1"},
		{"timeout", "0"},
	}
	var found []string
	for _, setting := range settings {
		for _, pattern := range args[1:] {
			if ok, err := path.Match(strings.ToLower(pattern), setting[0]); err == nil && ok {
				found = append(found, setting[0], setting[1])
				break
			}
		}
	}
	c.answer(appendTexts(nil, found...), 0)
}

// shutdown ends the server; the log is made safe on the way out. The end of the
// connection is the answer, as in Redis.
func shutdown(c *client, _ []string) {
	c.leaving = true
	c.server.store.log.Info("asked to stop", "client", fmt.Sprint(c.conn.RemoteAddr()))
	c.server.end()
}
