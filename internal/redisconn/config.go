package redisconn

import (
	"context"
	"strconv"
	"strings"
	"time"
)

const (
	defaultDialTimeout = 2 * time.Second
	defaultReadTimeout = 3 * time.Second
)

// Config says how to reach Redis. URLs is the only field that must be set.
type Config struct {
	// URLs are redis://, rediss:// or unix:// addresses; each may itself be a
	// list with commas. With SentinelName they are the sentinels, with Cluster
	// some of the nodes, else there must be exactly one. User, password and
	// database in them belong to the servers that hold the data; one of the
	// URLs is enough to tell them.
	URLs []Secret

	// SentinelName is the name that the sentinels know the primary by.
	SentinelName string
	// SentinelPassword is what the sentinels themselves ask for.
	SentinelPassword Secret
	// Cluster says that the URLs are nodes of a Redis Cluster.
	Cluster bool

	// Username, Password and DB win over those in the URLs unless they are zero.
	Username string
	Password Secret
	DB       int

	// Locate is asked before each connection that is made where the server is and
	// what its password is, in place of the address and the password of URLs,
	// which only describe it then. DialTimeout bounds it together with the dial. It
	// is for a server that comes back elsewhere, and nil for those that stay where
	// they are. What it fails with is an error of connecting.
	Locate func(ctx context.Context) (addr string, password Secret, err error)

	TLS TLS

	// DialTimeout bounds the making of one connection, TLS included; 2 s if zero.
	DialTimeout time.Duration
	// ReadTimeout bounds the wait for a reply, WriteTimeout that for sending;
	// 3 s if zero. An earlier deadline of a call's context wins, and a blocking
	// command waits longer by as much as it asks Redis to block.
	ReadTimeout, WriteTimeout time.Duration
	// PoolSize bounds the connections per server; ten per processor if zero.
	PoolSize int

	// ReadOnly refuses every command that is not known to only read, before it
	// is sent, with [ErrReadOnly]. Scripts are let through: what a script does is
	// known to the engine alone, which refuses those that write.
	ReadOnly bool
}

// TLS are the settings of rediss:// connections; they are refused for others,
// so that a wrong scheme cannot silently switch encryption off. The zero value
// verifies the server against the system's authorities.
type TLS struct {
	CAFile     string // PEM file of the authorities to trust instead of the system's
	CertFile   string // PEM file of the client's certificate
	KeyFile    string // PEM file of its key, not readable by others
	ServerName string // name in the server's certificate, if not the host's
	Insecure   bool   // accept any certificate
}

// ConfigError is a setting that cannot be used; nothing was sent. Its text
// never holds a URL or a password.
type ConfigError struct {
	Setting string // "REDIS_URL", "redis url"
	Problem string
	Err     error // the cause, if any; safe to print
}

// Error returns the setting and what is wrong with it.
func (e *ConfigError) Error() string {
	text := e.Setting + ": " + e.Problem
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// Validate returns the first thing wrong with the settings as a *ConfigError,
// without opening files or connections.
func (c Config) Validate() error {
	_, err := c.target()
	return err
}

// Describe names the server for people and logs, without secrets:
// "127.0.0.1:6379/0 user=ops". Settings that Open refuses are
// "invalid redis settings".
func (c Config) Describe() string {
	t, err := c.target()
	if err != nil {
		return "invalid redis settings"
	}
	var b strings.Builder
	switch {
	case c.SentinelName != "":
		b.WriteString(show(c.SentinelName) + "/" + strconv.Itoa(t.db) + " sentinels=" + strings.Join(t.addrs, ","))
	case c.Cluster:
		b.WriteString("cluster=" + strings.Join(t.addrs, ","))
	case t.scheme == schemeUnix:
		b.WriteString("unix:" + show(t.addrs[0]) + " db=" + strconv.Itoa(t.db))
	default:
		b.WriteString(t.addrs[0] + "/" + strconv.Itoa(t.db))
	}
	if t.username != "" {
		b.WriteString(" user=" + show(t.username))
	}
	switch {
	case c.TLS.Insecure:
		b.WriteString(" tls=unverified")
	case t.scheme == schemeTLS:
		b.WriteString(" tls")
	}
	return b.String()
}

// show quotes a text that would be unclear or unsafe on a terminal as it is.
func show(text string) string {
	quoted := strconv.QuoteToASCII(text)
	if quoted != `"`+text+`"` || strings.Contains(text, " ") {
		return quoted
	}
	return text
}

// target is where the settings lead, once the URLs are read and the overrides
// applied.
type target struct {
	scheme   scheme
	addrs    []string // host:port, or the path of one socket
	username string
	password Secret
	db       int
}

func (c Config) target() (target, error) {
	urls, err := readURLs(c.URLs, c.defaultPort())
	if err != nil {
		return target{}, err
	}
	t, err := mergeURLs(urls)
	if err != nil {
		return target{}, err
	}
	if c.Username != "" {
		t.username = c.Username
	}
	if !c.Password.IsZero() {
		t.password = c.Password
	}
	if c.DB != 0 {
		t.db = c.DB
	}
	return t, c.check(t)
}

func (c Config) defaultPort() string {
	if c.SentinelName != "" {
		return "26379"
	}
	return "6379"
}

// check refuses combinations that cannot work.
func (c Config) check(t target) error {
	var problem string
	switch several := c.SentinelName != "" || c.Cluster; {
	case c.SentinelName != "" && c.Cluster:
		return &ConfigError{Setting: "redis", Problem: "a sentinel name and cluster mode exclude each other"}
	case len(t.addrs) > 1 && !several:
		problem = "several addresses need a sentinel name or cluster mode"
	case t.scheme == schemeUnix && several:
		problem = "a Unix socket can be neither a sentinel nor a cluster"
	case t.username != "" && t.password.IsZero():
		problem = "a user without a password"
	case t.db < 0:
		problem = "database " + strconv.Itoa(t.db) + " must be 0 or more"
	case t.db != 0 && c.Cluster:
		problem = "a cluster has database 0 only"
	case c.TLS != (TLS{}) && t.scheme != schemeTLS:
		problem = "TLS settings need a rediss:// address"
	case c.SentinelName == "" && !c.SentinelPassword.IsZero():
		problem = "a sentinel password needs a sentinel name"
	case c.Locate != nil && (c.Cluster || c.SentinelName != "" || t.scheme != schemePlain || t.username != ""):
		problem = "a server that is looked for is a single one, over TCP and without a user"
	case (c.TLS.CertFile == "") != (c.TLS.KeyFile == ""):
		problem = "a client certificate needs both its file and its key's"
	case c.DialTimeout < 0 || c.ReadTimeout < 0 || c.WriteTimeout < 0 || c.PoolSize < 0:
		problem = "timeouts and the pool size must be 0 or more"
	default:
		return nil
	}
	return &ConfigError{Setting: settingURL, Problem: problem}
}
