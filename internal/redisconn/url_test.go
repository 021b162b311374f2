package redisconn

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plain is a target with its password in the open, for comparing.
type plain struct {
	Scheme             scheme
	Addrs              []string
	Username, Password string
	DB                 int
}

func secrets(texts ...string) []Secret {
	list := make([]Secret, len(texts))
	for i, text := range texts {
		list[i] = NewSecret(text)
	}
	return list
}

func TestGoodAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		config   Config
		want     plain
		describe string
	}{
		{
			"host alone",
			Config{URLs: secrets("redis://localhost")},
			plain{Addrs: []string{"localhost:6379"}},
			"localhost:6379/0",
		},
		{
			"everything",
			Config{URLs: secrets("redis://ops:secret@127.0.0.1:6380/3")},
			plain{Addrs: []string{"127.0.0.1:6380"}, Username: "ops", Password: "secret", DB: 3},
			"127.0.0.1:6380/3 user=ops",
		},
		{
			"password alone",
			Config{URLs: secrets("redis://:secret@h/")},
			plain{Addrs: []string{"h:6379"}, Password: "secret"},
			"h:6379/0",
		},
		{
			"percent-encoded user and password",
			Config{URLs: secrets("redis://o%40ps:p%40ss%2Fw%3Ard%2C%25@h")},
			plain{Addrs: []string{"h:6379"}, Username: "o@ps", Password: "p@ss/w:rd,%"},
			"h:6379/0 user=o@ps",
		},
		{
			"an @ and a colon left bare in the password",
			Config{URLs: secrets("redis://u:p@s:s@h:1")},
			plain{Addrs: []string{"h:1"}, Username: "u", Password: "p@s:s"},
			"h:1/0 user=u",
		},
		{
			"TLS, upper case",
			Config{URLs: secrets("REDISS://h:6380")},
			plain{Scheme: schemeTLS, Addrs: []string{"h:6380"}},
			"h:6380/0 tls",
		},
		{
			"TLS unverified",
			Config{URLs: secrets("rediss://h"), TLS: TLS{Insecure: true}},
			plain{Scheme: schemeTLS, Addrs: []string{"h:6379"}},
			"h:6379/0 tls=unverified",
		},
		{
			"IPv6",
			Config{URLs: secrets("redis://[::1]:6380/1")},
			plain{Addrs: []string{"[::1]:6380"}, DB: 1},
			"[::1]:6380/1",
		},
		{
			"IPv6 without port",
			Config{URLs: secrets("redis://[fe80::1]")},
			plain{Addrs: []string{"[fe80::1]:6379"}},
			"[fe80::1]:6379/0",
		},
		{
			"database in the query",
			Config{URLs: secrets("redis://h?db=4")},
			plain{Addrs: []string{"h:6379"}, DB: 4},
			"h:6379/4",
		},
		{
			"Unix socket",
			Config{URLs: secrets("unix:///run/redis/redis.sock?db=1")},
			plain{Scheme: schemeUnix, Addrs: []string{"/run/redis/redis.sock"}, DB: 1},
			"unix:/run/redis/redis.sock db=1",
		},
		{
			"Unix socket with a user",
			Config{URLs: secrets("unix://u:p@/tmp/a%20b.sock")},
			plain{Scheme: schemeUnix, Addrs: []string{"/tmp/a b.sock"}, Username: "u", Password: "p"},
			`unix:"/tmp/a b.sock" db=0 user=u`,
		},
		{
			"sentinels in one list, schemes and user given once",
			Config{URLs: secrets("redis://u:p@s1, s2:26380,redis://s3/2"), SentinelName: "mymaster"},
			plain{Addrs: []string{"s1:26379", "s2:26380", "s3:26379"}, Username: "u", Password: "p", DB: 2},
			"mymaster/2 sentinels=s1:26379,s2:26380,s3:26379 user=u",
		},
		{
			"cluster in several URLs",
			Config{URLs: secrets("rediss://a:7000", "rediss://u:p@b:7001"), Cluster: true},
			plain{Scheme: schemeTLS, Addrs: []string{"a:7000", "b:7001"}, Username: "u", Password: "p"},
			"cluster=a:7000,b:7001 user=u tls",
		},
		{
			"a user that would write to the terminal",
			Config{URLs: secrets("redis://%1b[2J:p@h")},
			plain{Addrs: []string{"h:6379"}, Username: "\x1b[2J", Password: "p"},
			`h:6379/0 user="\x1b[2J"`,
		},
		{
			"overrides",
			Config{URLs: secrets("redis://u:p@h/1"), Username: "ops", Password: NewSecret("secret"), DB: 5},
			plain{Addrs: []string{"h:6379"}, Username: "ops", Password: "secret", DB: 5},
			"h:6379/5 user=ops",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target, err := test.config.target()
			if err != nil {
				t.Fatal(err)
			}
			got := plain{target.scheme, target.addrs, target.username, target.password.Reveal(), target.db}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
			if got := test.config.Describe(); got != test.describe {
				t.Errorf("described as %q, want %q", got, test.describe)
			}
		})
	}
}

// canary stands where a password may stand, or be taken for something else.
const canary = "kanarienvogel"

func TestBadAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config Config
		want   string
	}{
		{"none", Config{}, "redis url: no address is set"},
		{"empty", Config{URLs: secrets("")}, "redis url: no scheme; write redis://, rediss:// or unix://"},
		{"password alone", Config{URLs: secrets(canary)}, "redis url: no scheme; write redis://, rediss:// or unix://"},
		{"foreign scheme", Config{URLs: secrets("https://u:" + canary + "@h")}, "redis url: unknown scheme; write redis://, rediss:// or unix://"},
		{"percent", Config{URLs: secrets("redis://:" + canary + "%zz@h")}, "redis url: bad percent-encoding in the password; write % as %25"},
		{"percent in the user", Config{URLs: secrets("redis://" + canary + "%zz:p@h")}, "redis url: bad percent-encoding in the user name"},
		{"slash in the password", Config{URLs: secrets("redis://u:" + canary + "/x@h:6379/0")}, `redis url: "@" behind the host; in a password write / as %2F, ? as %3F and # as %23`},
		{"question mark in the password", Config{URLs: secrets("redis://u:" + canary + "?x@h")}, `redis url: "@" behind the host; in a password write / as %2F, ? as %3F and # as %23`},
		{"number and slash in the password", Config{URLs: secrets("redis://u:4711/" + canary + "@h")}, `redis url: "@" behind the host; in a password write / as %2F, ? as %3F and # as %23`},
		{"hash at the end", Config{URLs: secrets("redis://h/0#" + canary)}, `redis url: "#" behind the host; in a password write it as %23`},
		{"comma in the password", Config{URLs: secrets("redis://u:4711," + canary + "@h")}, "redis url: address 2 of 2: no scheme; write redis://, rediss:// or unix://, and a comma in a password as %2C"},
		{"space in the password", Config{URLs: secrets("redis://u:" + canary + " x@h")}, "redis url: holds a space or a control character; percent-encode it"},
		{"line break", Config{URLs: secrets("redis://u:" + canary + "\nx@h")}, "redis url: holds a space or a control character; percent-encode it"},
		{"NUL", Config{URLs: secrets("redis://h\x00")}, "redis url: holds a space or a control character; percent-encode it"},
		{"invalid UTF-8", Config{URLs: secrets("redis://u:" + canary + "\xff@h")}, "redis url: not valid UTF-8"},
		{"password in place of the port", Config{URLs: secrets("redis://u:" + canary)}, "redis url: the port is not a number"},
		{"port too large", Config{URLs: secrets("redis://u:" + canary + "@h:99999")}, "redis url: port 99999 is not between 1 and 65535"},
		{"port 0", Config{URLs: secrets("redis://h:0")}, "redis url: port 0 is not between 1 and 65535"},
		{"port negative", Config{URLs: secrets("redis://h:-1")}, "redis url: port -1 is not between 1 and 65535"},
		{"port empty", Config{URLs: secrets("redis://h:")}, "redis url: the port is not a number"},
		{"no host", Config{URLs: secrets("redis://u:" + canary + "@")}, "redis url: no usable host; write an IPv6 address in [ and ]"},
		{"bare IPv6", Config{URLs: secrets("redis://::1")}, "redis url: no usable host; write an IPv6 address in [ and ]"},
		{"brackets around nonsense", Config{URLs: secrets("redis://[" + canary + "]")}, "redis url: no IPv6 address between [ and ]"},
		{"database negative", Config{URLs: secrets("redis://u:" + canary + "@h/-1")}, "redis url: database -1 must be 0 or more"},
		{"database no number", Config{URLs: secrets("redis://h/" + canary)}, "redis url: the database is not a number"},
		{"database too large", Config{URLs: secrets("redis://h/99999999999")}, "redis url: the database is not a number"},
		{"database twice", Config{URLs: secrets("redis://h/1?db=2")}, "redis url: the database is given twice"},
		{"unknown parameter", Config{URLs: secrets("redis://h?password=" + canary)}, "redis url: only db=NUMBER may stand behind the ?, once"},
		{"parameter twice", Config{URLs: secrets("redis://h?db=1&db=2")}, "redis url: only db=NUMBER may stand behind the ?, once"},
		{"bad parameter", Config{URLs: secrets("redis://h?" + canary + "=%zz")}, "redis url: bad percent-encoding behind the ?"},
		{"relative socket", Config{URLs: secrets("unix://run/redis.sock")}, "redis url: a Unix socket needs an absolute path: unix:///run/redis.sock"},
		{"several plain servers", Config{URLs: secrets("redis://a,redis://b")}, "redis url: several addresses need a sentinel name or cluster mode"},
		{"sentinel name and cluster", Config{URLs: secrets("redis://a"), SentinelName: "m", Cluster: true}, "redis: a sentinel name and cluster mode exclude each other"},
		{"cluster with a database", Config{URLs: secrets("redis://a/1"), Cluster: true}, "redis url: a cluster has database 0 only"},
		{"socket of a cluster", Config{URLs: secrets("unix:///a"), Cluster: true}, "redis url: a Unix socket can be neither a sentinel nor a cluster"},
		{"two passwords", Config{URLs: secrets("redis://u:" + canary + "@a,redis://u:other@b"), Cluster: true}, "redis url: address 2 of 2: another user or password than an earlier address has"},
		{"two databases", Config{URLs: secrets("redis://a/1,redis://b/2"), SentinelName: "m"}, "redis url: address 2 of 2: another database than an earlier address has"},
		{"two schemes", Config{URLs: secrets("redis://a,rediss://b"), Cluster: true}, "redis url: address 2 of 2: another scheme than the first address has"},
		{"user without password", Config{URLs: secrets("redis://ops@h")}, "redis url: a user without a password"},
		{"TLS settings without TLS", Config{URLs: secrets("redis://h"), TLS: TLS{CAFile: "ca.pem"}}, "redis url: TLS settings need a rediss:// address"},
		{"certificate without key", Config{URLs: secrets("rediss://h"), TLS: TLS{CertFile: "c.pem"}}, "redis url: a client certificate needs both its file and its key's"},
		{"sentinel password without sentinel", Config{URLs: secrets("redis://h"), SentinelPassword: NewSecret(canary)}, "redis url: a sentinel password needs a sentinel name"},
		{"negative timeout", Config{URLs: secrets("redis://h"), ReadTimeout: -1}, "redis url: timeouts and the pool size must be 0 or more"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(test.config)
			if _, ok := errors.AsType[*ConfigError](err); !ok {
				t.Fatalf("error %v (%T) is not a *ConfigError", err, err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			assertNoCanary(t, err, test.config, test.config.Describe())
		})
	}
}

func FuzzReadURLs(f *testing.F) {
	for _, seed := range []string{"redis://u:p@h:1/2?db=3", "unix:///a", "rediss://[::1]:1,b:2", "redis://:%zz@h", "://", ",", "redis://@:/?#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		servers, err := readURLs(secrets(text), "6379")
		if err != nil {
			if _, ok := errors.AsType[*ConfigError](err); !ok {
				t.Errorf("error %v (%T) is not a *ConfigError", err, err)
			}
			return
		}
		for _, s := range servers {
			if s.addr == "" || s.db < 0 {
				t.Errorf("accepted %+v", s)
			}
		}
	})
}
