package embedded

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"time"
)

// redisVersion is the one that the commands behave like.
const redisVersion = "7.0.0"

// describeClients lists clients as CLIENT LIST does.
func (s *server) describeClients(wanted func(*client) bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var clients []*client
	for _, c := range s.clients {
		if wanted(c) {
			clients = append(clients, c)
		}
	}
	slices.SortFunc(clients, func(a, b *client) int { return int(a.id - b.id) })
	now := s.store.now()
	age := func(t time.Time) int64 { return max(int64(now.Sub(t).Seconds()), 0) }
	var b strings.Builder
	for _, c := range clients {
		flags := "N"
		if c.blocked {
			flags = "b"
		}
		fmt.Fprintf(&b, "id=%d addr=%s laddr=%s name=%s age=%d idle=%d flags=%s db=0 cmd=%s user=default resp=2\n",
			c.id, c.conn.RemoteAddr(), c.conn.LocalAddr(), c.name, age(c.since), age(c.last), flags, c.command)
	}
	return b.String()
}

// info is INFO, of all sections or of some.
func info(c *client, args []string) {
	s := c.server
	wanted := map[string]bool{}
	for _, name := range args {
		wanted[strings.ToLower(name)] = true
	}
	all := len(args) == 0 || wanted["all"] || wanted["everything"] || wanted["default"]
	var b strings.Builder
	for _, section := range []struct {
		name string
		text func() string
	}{
		{"server", s.infoServer},
		{"clients", s.infoClients},
		{"memory", infoMemory},
		{"persistence", s.infoPersistence},
		{"stats", s.infoStats},
		{"replication", func() string { return "role:master\r\nconnected_slaves:0\r\n" }},
		{"keyspace", s.infoKeyspace},
	} {
		if all || wanted[section.name] {
			if b.Len() > 0 {
				b.WriteString("\r\n")
			}
			fmt.Fprintf(&b, "# %s\r\n%s", strings.ToUpper(section.name[:1])+section.name[1:], section.text())
		}
	}
	c.answer(appendBulk(nil, b.String()), 0)
}

func (s *server) infoServer() string {
	up := s.store.now().Sub(s.started)
	return fmt.Sprintf("redis_version:%s\r\nredis_mode:standalone\r\nos:%s %s\r\nprocess_id:%d\r\nuptime_in_seconds:%d\r\n"+
		"qctl_embedded:1\r\nqctl_version:%s\r\n",
		redisVersion, runtime.GOOS, runtime.GOARCH, os.Getpid(), int64(up.Seconds()), s.version)
}

func (s *server) infoClients() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("connected_clients:%d\r\nblocked_clients:%d\r\n", len(s.clients), s.blocked.Load())
}

func infoMemory() string {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return fmt.Sprintf("used_memory:%d\r\nused_memory_rss:%d\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n",
		sample[0].Value.Uint64(), sample[1].Value.Uint64())
}

func (s *server) infoPersistence() string {
	s.store.mu.Lock()
	size, base, refused := s.store.journal.size, s.store.journal.base, s.store.refused
	s.store.mu.Unlock()
	status := "ok"
	if refused != nil {
		status = "err"
	}
	return fmt.Sprintf("loading:0\r\naof_enabled:1\r\naof_last_write_status:%s\r\naof_current_size:%d\r\naof_base_size:%d\r\n",
		status, size, base)
}

func (s *server) infoStats() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("total_connections_received:%d\r\ntotal_commands_processed:%d\r\nevicted_keys:0\r\n",
		s.lastID, s.commands.Load())
}

func (s *server) infoKeyspace() string {
	keys := s.keys()
	if keys == 0 {
		return ""
	}
	return fmt.Sprintf("db0:keys=%d,expires=%d,avg_ttl=0\r\n", keys, s.expires())
}

// keys counts the keys.
func (s *server) keys() int {
	reply, _ := s.store.do([]string{"DBSIZE"})
	n := 0
	_, _ = fmt.Sscanf(string(reply), ":%d", &n)
	return n
}

// expires counts the keys that end some time, about.
func (s *server) expires() int {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return len(s.store.engine.deadlines.at)
}
