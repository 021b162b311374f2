package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// load runs Load on an environment given as a map.
func load(env map[string]string) (*Config, []Warning, error) {
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	return Load(func(name string) (string, bool) { value, ok := env[name]; return value, ok }, environ)
}

func mustLoad(t testing.TB, env map[string]string) *Config {
	t.Helper()
	c, _, err := load(env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// errText makes an error comparable, and demands that it is an input error.
func errText(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	if !errors.Is(err, ErrInvalid) {
		t.Errorf("error does not match ErrInvalid: %v", err)
	}
	return err.Error()
}

func TestBuiltinQueues(t *testing.T) {
	t.Parallel()
	keep := Keep{Completed: Retention{Age: 24 * time.Hour, Count: 1000}, Failed: Retention{Age: 168 * time.Hour}}
	role := func(alias string, concurrency, priority int) Queue {
		return Queue{
			Alias: alias, Name: alias, Prefix: "queue", Role: "workforce0", Concurrency: concurrency,
			Attempts: 3, Backoff: Backoff{Type: "exponential", Delay: 5 * time.Second},
			LockDuration: 30 * time.Second, StalledInterval: 30 * time.Second, MaxStalledCount: 2, Keep: keep,
			Priority: Scale{Order: "lower-first", Min: 1, Max: 10, Default: priority}, Schema: "builtin:role",
		}
	}
	want := []Queue{
		{
			Alias: "email", Name: "email-queue", Prefix: "bull", Role: "synthstack", Concurrency: 5,
			Limiter: &Limiter{Max: 10, Duration: time.Second}, Attempts: 3,
			Backoff: Backoff{Type: "exponential", Delay: time.Minute}, LockDuration: 30 * time.Second,
			StalledInterval: 30 * time.Second, MaxStalledCount: 2, Keep: keep,
			Priority: Scale{Order: "higher-first", Min: 0, Max: 10, Default: 0}, Schema: "builtin:email",
		},
		{
			Alias: "orchestration", Name: "orchestration-queue", Prefix: "bull", Role: "synthstack", Concurrency: 3,
			Limiter: &Limiter{Max: 5, Duration: time.Minute}, Attempts: 3,
			Backoff: Backoff{Type: "exponential", Delay: 30 * time.Second}, Timeout: 10 * time.Minute,
			LockDuration: 30 * time.Second, StalledInterval: 30 * time.Second, MaxStalledCount: 2, Keep: keep,
			Priority: Scale{Order: "higher-first", Min: 0, Max: 10, Default: 0}, Schema: "builtin:orchestration",
		},
		role("chief_of_staff", 2, 5), role("ba", 5, 5), role("architect", 5, 5), role("dev", 3, 5),
		role("qa", 5, 5), role("memory", 5, 5), role("webhook-outbound", 5, 5), role("digest", 5, 10),
	}
	c := mustLoad(t, nil)
	if diff := cmp.Diff(want, c.Queues); diff != "" {
		t.Errorf("built-in queues (-want +got):\n%s", diff)
	}
	for _, q := range c.Queues {
		if err := q.Priority.Check(); err != nil {
			t.Errorf("queue %s: %v", q.Alias, err)
		}
		if _, err := BuiltinSchema(q.Schema); err != nil {
			t.Errorf("queue %s: %v", q.Alias, err)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	type result struct {
		Prefix      string
		ReadOnly    bool
		Bases       map[string]string // alias -> key base, where it is not the built-in one
		Concurrency map[string]int    // likewise
		Origins     map[string]string // likewise
		Warnings    []string
		Err         string
	}
	tests := []struct {
		name string
		env  map[string]string
		want result
	}{
		{name: "nothing set", want: result{Prefix: "bull"}},
		{
			name: "concurrency by alias, other characters as underscores",
			env: map[string]string{
				"BULLMQ_CONCURRENCY_EMAIL": "8", "BULLMQ_CONCURRENCY_WEBHOOK_OUTBOUND": "1",
				"BULLMQ_CONCURRENCY_CHIEF_OF_STAFF": "10000",
			},
			want: result{
				Prefix:      "bull",
				Concurrency: map[string]int{"email": 8, "webhook-outbound": 1, "chief_of_staff": 10000},
				Origins: map[string]string{
					"queues.email.concurrency":            "env BULLMQ_CONCURRENCY_EMAIL",
					"queues.webhook-outbound.concurrency": "env BULLMQ_CONCURRENCY_WEBHOOK_OUTBOUND",
					"queues.chief_of_staff.concurrency":   "env BULLMQ_CONCURRENCY_CHIEF_OF_STAFF",
				},
			},
		},
		{
			name: "every bad variable is reported",
			env: map[string]string{
				"BULLMQ_CONCURRENCY_EMAIL": "0", "BULLMQ_CONCURRENCY_DEV": "", "BULLMQ_CONCURRENCY_QA": "1.5",
				"BULLMQ_CONCURRENCY_BA": "+5", "BULLMQ_CONCURRENCY_MEMORY": "10001", "BULLMQ_CONCURRENCY_DIGEST": "99999999999999999999",
				"QCTL_READ_ONLY": "perhaps", "QCTL_PREFIX": "",
			},
			want: result{Err: `QCTL_PREFIX "": set but empty, want a key prefix such as bull
QCTL_READ_ONLY "perhaps": want true, yes, on, 1 or false, no, off, 0
BULLMQ_CONCURRENCY_EMAIL "0": want an integer from 1 to 10000
BULLMQ_CONCURRENCY_BA "+5": want an integer from 1 to 10000
BULLMQ_CONCURRENCY_DEV "": set but empty, want an integer from 1 to 10000
BULLMQ_CONCURRENCY_QA "1.5": want an integer from 1 to 10000
BULLMQ_CONCURRENCY_MEMORY "10001": want an integer from 1 to 10000
BULLMQ_CONCURRENCY_DIGEST "99999999999999999999": want an integer from 1 to 10000`},
		},
		{
			name: "an unmatched variable warns, whatever it holds",
			env: map[string]string{
				"BULLMQ_CONCURRENCY_EMIAL": "many", "BULLMQ_CONCURRENCY_EMAIL_QUEUE": "3", "BULLMQ_CONCURRENCY_BILLING": "",
				"BULLMQ_CONCURRENCY_": "1", "BULLMQ_CONCURRENCY_orchestration": "4", "BULLMQ_CONCURRENC": "1",
			},
			want: result{Prefix: "bull", Warnings: []string{
				"BULLMQ_CONCURRENCY_: no configured queue has this name",
				"BULLMQ_CONCURRENCY_BILLING: no configured queue has this name",
				"BULLMQ_CONCURRENCY_EMAIL_QUEUE: no configured queue has this name, did you mean email?",
				"BULLMQ_CONCURRENCY_EMIAL: no configured queue has this name, did you mean email?",
				"BULLMQ_CONCURRENCY_orchestration: no configured queue has this name, did you mean orchestration?",
			}},
		},
		{
			name: "the prefix moves the queues that have none of their own",
			env:  map[string]string{"BULLMQ_PREFIX": "{prod}"},
			want: result{
				Prefix: "{prod}",
				Bases:  map[string]string{"email": "{prod}:email-queue", "orchestration": "{prod}:orchestration-queue"},
				Origins: map[string]string{
					"prefix": "env BULLMQ_PREFIX", "queues.email.prefix": "env BULLMQ_PREFIX",
					"queues.orchestration.prefix": "env BULLMQ_PREFIX",
				},
			},
		},
		{
			name: "of two prefixes ours wins, and says so",
			env:  map[string]string{"BULLMQ_PREFIX": "theirs", "QCTL_PREFIX": "ours"},
			want: result{
				Prefix: "ours",
				Bases:  map[string]string{"email": "ours:email-queue", "orchestration": "ours:orchestration-queue"},
				Origins: map[string]string{
					"prefix": "env QCTL_PREFIX", "queues.email.prefix": "env QCTL_PREFIX",
					"queues.orchestration.prefix": "env QCTL_PREFIX",
				},
				Warnings: []string{"BULLMQ_PREFIX: ignored, QCTL_PREFIX differs and wins"},
			},
		},
		{
			name: "a bad prefix names its variable",
			env:  map[string]string{"BULLMQ_PREFIX": "bull:"},
			want: result{Err: `env BULLMQ_PREFIX "bull:": neither begins nor ends with a colon or white space`},
		},
		{
			name: "read only",
			env:  map[string]string{"QCTL_READ_ONLY": "Yes"},
			want: result{Prefix: "bull", ReadOnly: true, Origins: map[string]string{"readOnly": "env QCTL_READ_ONLY"}},
		},
	}
	plain := mustLoad(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, warnings, err := load(test.env)
			got := result{Err: errText(t, err)}
			for _, w := range warnings {
				got.Warnings = append(got.Warnings, w.String())
			}
			if c != nil {
				got.Prefix, got.ReadOnly = c.Prefix, c.ReadOnly
				for i, q := range c.Queues {
					if q.Concurrency != plain.Queues[i].Concurrency {
						got.Concurrency = add(got.Concurrency, q.Alias, q.Concurrency)
					}
					if prefix, name := q.KeyBase(); prefix != plain.Queues[i].Prefix {
						got.Bases = add(got.Bases, q.Alias, prefix+":"+name)
					}
				}
				for path := range c.origins {
					got.Origins = add(got.Origins, path, c.Origin(path).String())
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
		})
	}
}

// add puts one entry into a map that may be nil.
func add[V any](m map[string]V, key string, value V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = value
	return m
}

// Two aliases that share a variable cannot be told apart.
func TestConcurrencyVariablesClash(t *testing.T) {
	t.Parallel()
	c := &Config{Queues: []Queue{{Alias: "web-hook"}, {Alias: "web_hook"}}}
	variables, err := c.concurrencyVariables()
	if diff := cmp.Diff(map[string]string{"BULLMQ_CONCURRENCY_WEB_HOOK": "web-hook"}, variables); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	want := `alias "web_hook": shares the variable BULLMQ_CONCURRENCY_WEB_HOOK with alias "web-hook", rename one`
	if diff := cmp.Diff(want, errText(t, err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// A weaker layer never replaces a stronger one, in whatever order they come.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	layers := []Origin{{Flag, "--x"}, {Env, "X"}, {File, "qctl.yaml:3:5"}}
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	for _, order := range orders {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			c := builtin()
			for _, i := range order {
				if err := c.SetPrefix(fmt.Sprintf("p%d", i), layers[i]); err != nil {
					t.Fatal(err)
				}
				if err := c.SetConcurrency("qa", 100+i, layers[i]); err != nil {
					t.Fatal(err)
				}
				c.SetReadOnly(i == 0, layers[i])
				c.SetCluster(i == 0, layers[i])
			}
			qa, _ := c.Queue("qa")
			email, _ := c.Queue("email")
			got := []any{c.Prefix, email.Prefix, qa.Prefix, qa.Concurrency, c.ReadOnly, c.Cluster}
			if diff := cmp.Diff([]any{"p0", "p0", "p0", 100, true, true}, got); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
			paths := slices.Sorted(maps.Keys(c.origins))
			for _, path := range paths {
				if got := c.Origin(path).String(); got != "flag --x" {
					t.Errorf("origin of %s is %s", path, got)
				}
			}
		})
	}
}

func TestSetConcurrencyRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		alias string
		n     int
		want  string
	}{
		{"qa", 0, `concurrency of qa "0": want an integer from 1 to 10000`},
		{"qa", 10001, `concurrency of qa "10001": want an integer from 1 to 10000`},
		{"nobody", 5, `queue "nobody": not configured`},
		{"", 5, `queue "": not configured`},
	}
	for _, test := range tests {
		c := builtin()
		if diff := cmp.Diff(test.want, errText(t, c.SetConcurrency(test.alias, test.n, Origin{Flag, "--concurrency"}))); diff != "" {
			t.Errorf("SetConcurrency(%q, %d) (-want +got):\n%s", test.alias, test.n, diff)
		}
	}
}

func TestOriginString(t *testing.T) {
	t.Parallel()
	want := []string{"built-in", "qctl.yaml:14:5", "env BULLMQ_PREFIX", "flag --prefix"}
	got := []string{
		Origin{}.String(), Origin{File, "qctl.yaml:14:5"}.String(),
		Origin{Env, "BULLMQ_PREFIX"}.String(), Origin{Flag, "--prefix"}.String(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

func TestParseBool(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, text := range []string{"true", "YES", "on", "1", "false", "No", "OFF", "0", "", "2", "tru", " true"} {
		value, err := ParseBool(text)
		got[text] = fmt.Sprint(value, err != nil)
	}
	want := map[string]string{
		"true": "true false", "YES": "true false", "on": "true false", "1": "true false",
		"false": "false false", "No": "false false", "OFF": "false false", "0": "false false",
		"": "false true", "2": "false true", "tru": "false true", " true": "false true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseBool (-want +got):\n%s", diff)
	}
}
