package config

import (
	"slices"
	"strconv"
	"time"
)

// MinConcurrency and MaxConcurrency bound the jobs one worker process runs at
// once, wherever the number comes from.
const (
	MinConcurrency = 1
	MaxConcurrency = 10000
)

// Config is everything that was set, after all layers. Read it freely; change
// it through its setters, which keep the origins right.
type Config struct {
	Prefix   string  // of every queue that has none of its own
	Cluster  bool    // keys of a queue must share one slot
	ReadOnly bool    // refuse every write before it is sent
	Queues   []Queue // in the order in which they are shown

	Redis     Redis    // as the file, the context and the environment have it
	Protected []string // queues, or patterns of them, to be careful with
	Schedules []Schedule

	Workforce0 Workforce0 // what the built-in set of schedules depends on

	DigestHour   int    // of the day, of the built-in daily digest
	CronOwner    string // the variable that says whether this process may own the clock
	CronOwnerSet bool

	Output  string        // format of results
	Color   string        // auto, always or never
	Timeout time.Duration // of a command; 0: none

	File     string   // the file that was read; empty: none
	Context  string   // the context in use; empty: none
	Contexts []string // the names of all, in the order of the file

	sources Sources
	origins map[string]Origin // by path; what is missing is built-in
	follows map[string]bool   // aliases whose prefix is the one above
}

// builtin returns the weakest layer.
func builtin() *Config {
	c := &Config{
		Prefix: DefaultPrefix,
		Queues: builtinQueues(),

		DigestHour: 7,

		Output:  "table",
		Color:   "auto",
		origins: map[string]Origin{},
		follows: map[string]bool{},
	}
	for _, q := range c.Queues {
		c.follows[q.Alias] = q.Prefix == DefaultPrefix
	}
	return c
}

// Origin returns where the value at path came from, for example
// "prefix", "readOnly" or "queues.email.concurrency". A path that nobody set is
// built-in.
func (c *Config) Origin(path string) Origin { return c.origins[path] }

// claim records from as the origin of path and reports true, unless the value
// there comes from a stronger source.
func (c *Config) claim(path string, from Origin) bool {
	if c.origins[path].Source > from.Source {
		return false
	}
	c.origins[path] = from
	return true
}

// SetPrefix sets the prefix of all queues that have none of their own. A prefix
// given as a flag is meant for this very command, so it moves the other
// configured queues too: `--prefix staging` must never touch `queue:dev`.
func (c *Config) SetPrefix(prefix string, from Origin) error {
	if err := checkPrefix(prefix); err != nil {
		if from.Source != Builtin {
			err.What = from.String()
		}
		return err
	}
	if !c.claim("prefix", from) {
		return nil
	}
	c.Prefix = prefix
	for i, q := range c.Queues {
		if (c.follows[q.Alias] || from.Source == Flag) && c.claim(queuePath(q.Alias, "prefix"), from) {
			c.Queues[i].Prefix = prefix
		}
	}
	return nil
}

// SetReadOnly sets whether writes are refused.
func (c *Config) SetReadOnly(readOnly bool, from Origin) {
	if c.claim("readOnly", from) {
		c.ReadOnly = readOnly
	}
}

// SetOutput sets the format of results.
func (c *Config) SetOutput(format string, from Origin) {
	if c.claim("output", from) {
		c.Output = format
	}
}

// SetColor sets when colours are used: auto, always or never.
func (c *Config) SetColor(color string, from Origin) {
	if c.claim("color", from) {
		c.Color = color
	}
}

// SetTimeout sets the time after which a command gives up; 0 is never.
func (c *Config) SetTimeout(timeout time.Duration, from Origin) {
	if c.claim("timeout", from) {
		c.Timeout = timeout
	}
}

// SetCluster sets whether the server is a Redis Cluster, which changes the
// default key base of every queue without a hash tag.
func (c *Config) SetCluster(cluster bool, from Origin) {
	if c.claim("cluster", from) {
		c.Cluster = cluster
	}
}

// SetRedisURL sets the address of Redis. What the file says about the server it
// names goes with the file's address; timeouts stay.
func (c *Config) SetRedisURL(url string, from Origin) {
	if !c.claim("redis.url", from) {
		return
	}
	c.Redis = Redis{
		URL: NewSecret(url), DialTimeout: c.Redis.DialTimeout, ReadTimeout: c.Redis.ReadTimeout,
		WriteTimeout: c.Redis.WriteTimeout, PoolSize: c.Redis.PoolSize,
	}
}

// SetConcurrency sets the concurrency of the configured queue alias. It refuses
// numbers outside MinConcurrency to MaxConcurrency and unknown aliases.
func (c *Config) SetConcurrency(alias string, n int, from Origin) error {
	if n < MinConcurrency || n > MaxConcurrency {
		return &ValueError{What: "concurrency of " + alias, Value: strconv.Itoa(n), Want: wantConcurrency}
	}
	i := c.index(alias)
	if i < 0 {
		return &ValueError{What: "queue", Value: alias, Want: "not configured"}
	}
	if c.claim(queuePath(alias, "concurrency"), from) {
		c.Queues[i].Concurrency = n
	}
	return nil
}

// Queue returns a copy of the configured queue alias.
func (c *Config) Queue(alias string) (Queue, bool) {
	if i := c.index(alias); i >= 0 {
		return c.Queues[i].clone(), true
	}
	return Queue{}, false
}

// index returns the place of alias among the queues, or -1.
func (c *Config) index(alias string) int {
	for i := range c.Queues {
		if alias != "" && c.Queues[i].Alias == alias {
			return i
		}
	}
	return -1
}

// clone returns a copy whose limiter and handler may be changed.
func (q Queue) clone() Queue {
	if q.Limiter != nil {
		limiter := *q.Limiter
		q.Limiter = &limiter
	}
	if q.Handler != nil {
		h := *q.Handler
		h.Program, h.Stdio, h.Env = slices.Clone(h.Program), slices.Clone(h.Stdio), slices.Clone(h.Env)
		q.Handler = &h
	}
	return q
}

func queuePath(alias, key string) string { return "queues." + alias + "." + key }
