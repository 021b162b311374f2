package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// ignoreOrigins compares what is in force, and not where it came from.
var ignoreOrigins = cmpopts.IgnoreUnexported(Config{})

// place writes a file that only its owner can read and returns its folder.
func place(t testing.TB, content string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// from reads the file in dir with an environment.
func from(dir string, env map[string]string) Sources {
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	return Sources{Dir: dir, Environ: environ, Env: func(name string) (string, bool) { value, ok := env[name]; return value, ok }}
}

// problemsOf loads content and returns what is wrong with it, without the
// folder.
func problemsOf(t testing.TB, content string, env map[string]string) []string {
	t.Helper()
	dir := place(t, content)
	_, _, err := LoadFrom(from(dir, env))
	text := errText(t, err)
	if text == "" {
		return nil
	}
	return strings.Split(strings.ReplaceAll(text, dir+string(filepath.Separator), ""), "\n")
}

func TestFileErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		content string
		env     map[string]string
		want    []string
	}{
		{"nothing", "", nil, nil},
		{"a comment alone", "# nothing\n", nil, nil},
		{"byte order mark", "\xef\xbb\xbfversion: 1\n", nil, []string{"qctl.yaml:1:1: begins with a byte order mark: save the file without one"}},
		{"every tab", "queues:\n\temail:\n\t\tattempts: 1\n", nil, []string{
			"qctl.yaml:2:1: a tab before the text: indent by spaces", "qctl.yaml:3:1: a tab before the text: indent by spaces",
		}},
		{"a byte that is no text", "version: 1\nqueues: {\"\xff\": null}\n", nil, []string{"qctl.yaml:2:11: byte 0xff is not part of any text"}},
		{"NUL", "version: 1\x00\n", nil, []string{"qctl.yaml:1:11: byte 0x00 is not part of any text"}},
		{"not YAML", "queues: [\n", nil, []string{"qctl.yaml:1:9: sequence end token ']' not found"}},
		{"a list", "- 1\n", nil, []string{"qctl.yaml:1:1: want a mapping, got a list"}},
		{"two documents", "version: 1\n---\nversion: 1\n", nil, []string{"qctl.yaml:3:8: a second document: want one"}},
		{"unknown keys at every level", "verson: 1\nqueues:\n  email:\n    limiter: {maxx: 1}\nredis: {url: \"redis://h\", zzz: 1}\n", nil, []string{
			"qctl.yaml:1:1: verson: unknown key, did you mean version?",
			"qctl.yaml:4:15: queues.email.limiter.maxx: unknown key, did you mean max?",
			"qctl.yaml:5:27: redis.zzz: unknown key",
		}},
		{"a key twice", "queues:\n  email: {attempts: 1}\n  email: {attempts: 2}\n", nil, []string{
			"qctl.yaml:3:3: queues.email: the key is there twice, first in line 2",
		}},
		{"wrong types", "version: one\nreadOnly: yes\nqueues: [email]\nprotected: all\ndefaults: {timeout: 5}\n", nil, []string{
			"qctl.yaml:1:10: version: want an integer, which must be 1, got a text",
			"qctl.yaml:2:11: readOnly: want true or false, got a text",
			"qctl.yaml:3:9: queues: want a mapping, got a list",
			"qctl.yaml:4:12: protected: want a list, got a text",
			"qctl.yaml:5:21: defaults.timeout: want a duration such as 30s, 15m or 7d, got an integer 5",
		}},
		{"numbers out of their range", "queues: {dev: {concurrency: 0, attempts: -1, maxStalledCount: 99999999999999999999, backoff: {jitter: 1.5}}}\n", nil, []string{
			"qctl.yaml:1:29: queues.dev.concurrency: want an integer from 1 to 10000, got 0",
			"qctl.yaml:1:42: queues.dev.attempts: want an integer from 1 to 2147483647, got -1",
			"qctl.yaml:1:63: queues.dev.maxStalledCount: want an integer from 1 to 2147483647, got 99999999999999999999",
			"qctl.yaml:1:103: queues.dev.backoff.jitter: want a number from 0 to 1, got 1.5",
		}},
		{"numbers that are not what they look like", "queues: {dev: {attempts: 010, concurrency: 0x10, maxStalledCount: 1_000}, qa: {backoff: {jitter: .nan}}}\n", nil, []string{
			`qctl.yaml:1:26: queues.dev.attempts: number "010": write it in decimal, or in quotes as a text`,
			`qctl.yaml:1:44: queues.dev.concurrency: number "0x10": write it in decimal, or in quotes as a text`,
			`qctl.yaml:1:67: queues.dev.maxStalledCount: number "1_000": write it in decimal, or in quotes as a text`,
			"qctl.yaml:1:98: queues.qa.backoff.jitter: not a value that can be used here: put it in quotes",
		}},
		{"durations", "queues: {dev: {timeout: -1s, lockDuration: 1ms, stalledInterval: NaN, keep: {failed: {age: 99999999999h}}}}\n", nil, []string{
			`qctl.yaml:1:25: queues.dev.timeout: duration "-1s": ` + wantDuration,
			`qctl.yaml:1:44: queues.dev.lockDuration: want 100ms or more in steps of 1ms, got "1ms"`,
			`qctl.yaml:1:66: queues.dev.stalledInterval: duration "NaN": ` + wantDuration,
			`qctl.yaml:1:92: queues.dev.keep.failed.age: duration "99999999999h": ` + wantDuration,
		}},
		{"empty and null values", "context: \"\"\nqueues: {dev: {name: , role: \"\"}}\n", nil, []string{
			"qctl.yaml:1:10: context: set but empty: leave out the key, or give it a value",
			"qctl.yaml:2:21: queues.dev.name: want a text, got nothing",
			"qctl.yaml:2:30: queues.dev.role: set but empty: leave out the key, or give it a value",
		}},
		{"words", "defaults: {output: jsn, color: Always}\nqueues: {dev: {priority: {order: higher}, schema: builtin:emial}}\n", nil, []string{
			`qctl.yaml:1:20: defaults.output: want table, wide, json, ndjson, yaml, csv or name, got "jsn", did you mean json?`,
			`qctl.yaml:1:32: defaults.color: want auto, always or never, got "Always", did you mean always?`,
			`qctl.yaml:2:34: queues.dev.priority.order: want higher-first or lower-first, got "higher", did you mean higher-first?`,
			`qctl.yaml:2:51: queues.dev.schema: schema "builtin:emial": want builtin:email, builtin:orchestration or builtin:role`,
		}},
		{"names", "queues: {\"a:b\": {}, \"@x\": {}, dev: {prefix: \"x:\", name: \"a*\"}}\n", nil, []string{
			`qctl.yaml:1:10: queues: alias "a:b": a new queue's name holds no colon; to use a queue under another prefix set the prefix`,
			`qctl.yaml:1:21: queues: alias "@x": begins with neither @ nor -`,
			`qctl.yaml:1:45: queues.dev.prefix: prefix "x:": neither begins nor ends with a colon or white space`,
			`qctl.yaml:1:57: queues.dev.name: queue name "a*": holds *, which is a pattern and not a name`,
		}},
		{"what is there by halves", "queues:\n  new: {limiter: {max: 1}, backoff: {delay: 1s}, priority: {min: 3, max: 2}}\n", nil, []string{
			"qctl.yaml:2:19: queues.new.limiter: the key duration is missing",
			"qctl.yaml:2:38: queues.new.backoff: the key type is missing: want exponential or fixed",
			`qctl.yaml:2:61: queues.new.priority: priority scale "lower-first 3..2 default 0": want 0 <= min <= max <= 2097152`,
		}},
		{"handlers", "queues:\n  dev: {handler: {}}\n  qa: {handler: {program: [a], stdio: [b]}}\n  ba: {handler: {program: []}}\n  memory: {handler: {http: {url: \"http://h\"}, env: [\"A=b\", A]}}\n  digest: {handler: {smtp: {from: x}}}\n", nil, []string{
			"qctl.yaml:2:18: queues.dev.handler: want one of the keys program, stdio, http or smtp",
			"qctl.yaml:3:18: queues.qa.handler: want one of the keys program, stdio, http or smtp, got program and stdio",
			"qctl.yaml:4:27: queues.ba.handler.program: want at least 1, got 0",
			`qctl.yaml:5:53: queues.memory.handler.env[0]: variable "A=b": want the name of an environment variable`,
			"qctl.yaml:6:29: queues.digest.handler.smtp: the key url is missing",
		}},
		{"schedules", "schedules:\n  - {queue: q, id: a, every: 1s}\n  - {queue: q, id: a, pattern: x}\n  - {queue: q, every: 1s, startDate: today}\n  - {queue: q, id: b}\n  - {queue: q, id: c, every: 0s}\n  - {queue: q, id: d, every: 1s, startDate: \"2026-01-02T00:00:00Z\", endDate: \"2026-01-01T00:00:00Z\"}\n", nil, []string{
			`qctl.yaml:3:6: schedules[1]: queue "q" has a schedule "a" already, in line 2`,
			`qctl.yaml:3:32: schedules[1].pattern: cron expression "x": day of week: unexpected character 'x'`,
			"qctl.yaml:4:6: schedules[2]: the key id is missing",
			`qctl.yaml:4:38: schedules[2].startDate: want a time such as 2026-12-31T09:00:00Z, got "today"`,
			"qctl.yaml:5:6: schedules[3]: want one of the keys pattern, every or before",
			`qctl.yaml:6:30: schedules[4].every: want 1s or more in steps of 1ms, got "0s"`,
			"qctl.yaml:7:78: schedules[5].endDate: is before startDate",
		}},
		{"queues that cannot be told apart", "queues:\n  webhook_outbound: {name: x}\n  mail: {name: email-queue}\n", nil, []string{
			`qctl.yaml:3:3: queues.mail: lies at "bull:email-queue", as alias "email" and alias "mail" do: give one another name or prefix`,
			`qctl.yaml:2:3: alias "webhook_outbound": shares the variable BULLMQ_CONCURRENCY_WEBHOOK_OUTBOUND with alias "webhook-outbound", rename one`,
		}},
		{"nothing to take away", "queues: {emial: null}\n", nil, []string{
			"qctl.yaml:1:10: queues.emial: null takes away a built-in queue, and there is none of this name, did you mean email?",
		}},
		{"the file and the environment", "version: 2\n", map[string]string{"QCTL_READ_ONLY": "maybe"}, []string{
			"qctl.yaml:1:10: version: want an integer, which must be 1, got 2", `QCTL_READ_ONLY "maybe": ` + wantBool,
		}},
		{"passwords are not repeated", "redis: {password: 12345678, url: [redis://u:hunter2@h]}\n", nil, []string{
			"qctl.yaml:1:19: redis.password: want a text, got an integer", "qctl.yaml:1:34: redis.url: want a text, got a list",
		}},
		{"settings that exclude each other", "redis: {url: a, urlFile: b, password: \"env:P\", passwordFile: c, cluster: true, sentinel: {name: s}}\n", nil, []string{
			"qctl.yaml:1:26: redis.urlFile: excludes url", "qctl.yaml:1:62: redis.passwordFile: excludes password", "qctl.yaml:1:74: redis.cluster: excludes sentinel",
		}},
		{"not a variable", "redis: {password: \"env:A B\"}\n", nil, []string{"qctl.yaml:1:19: redis.password: want the name of an environment variable after env:"}},
		{"contexts", "contexts: {prod: {}}\ncontext: prd\n", nil, []string{`context "prd": the configuration file has no such context, did you mean prod?`}},
		{"a tag", "version: !!int 1\n", nil, []string{`qctl.yaml:1:10: tags are not used here: leave out "!!int"`}},
		{"a name that nothing has", "queues: {dev: *none}\n", nil, []string{"qctl.yaml:1:15: queues.dev: no value has been named &none before this"}},
		{"merging what is no mapping", "queues: {dev: {<<: 5}}\n", nil, []string{"qctl.yaml:1:20: queues.dev.<<: want a mapping, or a list of mappings"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, problemsOf(t, test.content, test.env)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

// Files that unfold, or nest beyond the parser's stack, end early.
func TestFileBounds(t *testing.T) {
	t.Parallel()
	bomb := "schedules:\n- {queue: q, id: a, every: 1s, data: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n"
	for i := range 8 {
		from, to := string(rune('a'+i)), string(rune('b'+i))
		bomb += "- {queue: q, id: " + to + ", every: 1s, data: &" + to + " [" + strings.TrimSuffix(strings.Repeat("*"+from+",", 9), ",") + "]}\n"
	}
	for name, test := range map[string]struct{ content, want string }{
		"aliases inside aliases": {bomb, "aliases inside aliases, deeper than 3"},
		"many aliases":           {"schedules:\n- {queue: q, id: a, every: 1s, data: &a [" + strings.Repeat("1,", 999) + "1]}\n- {queue: q, id: b, every: 1s, data: [" + strings.Repeat("*a,", 99) + "*a]}\n", "more than 50000 values"},
		"many keys":              {"queues:\n" + strings.Repeat("  q: {attempts: 1}\n", 20000), "more than 100000 words"},
		"brackets":               {"version: " + strings.Repeat("[", 50000), "nested deeper than 64"},
		"dashes":                 {strings.Repeat("- ", 50000), "nested deeper than 64"},
		"explicit keys":          {strings.Repeat("? ", 50000), "nested deeper than 64"},
		"anchors":                {"version: " + strings.Repeat("&a ", 40000), "nested deeper than 64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := problemsOf(t, test.content, nil); len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), test.want) {
				t.Errorf("errors: %.300q, want one that says %q", got, test.want)
			}
		})
	}
}

// everything has a value for most keys.
const everything = `
version: 1
context: prod
redis: {url: "redis://local:6379"}
readOnly: false
protected: [email]
contexts:
  prod:
    redis:
      url: rediss://ops@r:6380
      password: env:PROD_PASSWORD
      sentinel: {name: primary, passwordFile: sentinel.key}
      tls: {caFile: /etc/ca.pem, serverName: r.example.com}
      readTimeout: 5s
    prefix: live
    readOnly: true
    protected: ["*"]
defaults: {prefix: ours, output: json, color: never, timeout: 1m}
base: &base {attempts: 7, backoff: {type: fixed, delay: 2s, jitter: 0.5}, schema: null}
`

func TestFileValues(t *testing.T) {
	t.Parallel()
	// An anchor needs a key to stand at, and there is none to spare.
	content := strings.Replace(everything, "base: &base {attempts", "queues:\n  first: &base {attempts", 1) + `
  dev: null
  email: {concurrency: 9, limiter: {max: 20}, timeout: 2h, keep: {failed: {count: 5}}}
  orchestration: {limiter: null, prefix: own}
  mail.out:
    <<: *base
    name: bull:old
    role: post
    attempts: 2
    limiter: {max: 1, duration: 1m}
    lockDuration: 1m
    stalledInterval: 10s
    maxStalledCount: 1
    priority: {order: higher-first, min: 1, max: 3, default: 2}
    schema: mail.json
    handler: {program: [./send.sh, -x], env: [SMTP_HOST]}
    record: {postgres: "env:DATABASE_URL", query: "select 1", args: [data.id], done: sent, onCompleted: a, onFailed: b}
    onFailed: {enqueue: qa}
schedules:
  - {queue: qa, id: daily, pattern: "0 7 * * *", tz: Europe/Berlin, name: n, data: {big: 12345678901234567890123, no: "yes", list: [1.50, true, null]}, attempts: 3, opts: {keepLogs: 9}, limit: 4, endDate: "2027-01-01T00:00:00Z"}
`
	dir := place(t, content)
	got, warnings, err := LoadFrom(from(dir, map[string]string{"BULLMQ_CONCURRENCY_EMAIL": "3"}))
	if err != nil || warnings != nil {
		t.Fatalf("LoadFrom: %v, warnings %v", err, warnings)
	}
	want := mustLoad(t, nil)
	plain := func(prefix, name string) Queue { q := plainQueue(prefix, name); q.Alias = name; return q }
	want.Queues = append(want.Queues[:5], want.Queues[6:]...) // dev
	email, orchestration := &want.Queues[0], &want.Queues[1]
	email.Prefix, email.Concurrency, email.Timeout, email.Keep.Failed.Count = "live", 3, 2*time.Hour, 5
	email.Limiter.Max = 20
	orchestration.Prefix, orchestration.Limiter = "own", nil
	first := plain("live", "first")
	first.Attempts, first.Backoff = 7, Backoff{Type: BackoffFixed, Delay: 2 * time.Second, Jitter: 0.5}
	mail := plain("live", "mail.out")
	mail.Name, mail.Role, mail.Attempts, mail.Backoff = "bull:old", "post", 2, first.Backoff
	mail.Limiter = &Limiter{Max: 1, Duration: time.Minute}
	mail.LockDuration, mail.StalledInterval, mail.MaxStalledCount = time.Minute, 10*time.Second, 1
	mail.Priority = Scale{Order: HigherFirst, Min: 1, Max: 3, Default: 2}
	mail.Schema = filepath.Join(dir, "mail.json")
	mail.Handler = &Handler{Program: []string{filepath.Join(dir, "send.sh"), "-x"}, Env: []string{"SMTP_HOST"}}
	mail.Record = &Record{Postgres: NewSecret("env:DATABASE_URL"), Query: "select 1", Args: []string{"data.id"}, Done: "sent", OnCompleted: "a", OnFailed: "b"}
	mail.OnFailed = &OnFailed{Enqueue: "qa"}
	want.Queues = append(want.Queues, first, mail)
	want.Prefix, want.ReadOnly, want.Protected = "live", true, []string{"*"}
	want.Output, want.Color, want.Timeout = "json", "never", time.Minute
	want.File, want.Context, want.Contexts = filepath.Join(dir, FileName), "prod", []string{"prod"}
	want.Redis = Redis{
		URL: NewSecret("rediss://ops@r:6380"), Password: NewSecret("env:PROD_PASSWORD"),
		SentinelName: "primary", SentinelPasswordFile: filepath.Join(dir, "sentinel.key"),
		TLS: TLS{CAFile: "/etc/ca.pem", ServerName: "r.example.com"}, ReadTimeout: 5 * time.Second,
	}
	want.Schedules = []Schedule{{
		Queue: "qa", ID: "daily", Pattern: "0 7 * * *", TZ: "Europe/Berlin", Name: "n", Limit: 4,
		Data: []byte(`{"big":12345678901234567890123,"no":"yes","list":[1.50,true,null]}`), Attempts: 3, Opts: []byte(`{"keepLogs":9}`),
		EndDate: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	}}
	if diff := cmp.Diff(want, got, ignoreOrigins); diff != "" {
		t.Errorf("Config (-want +got):\n%s", diff)
	}
	origins := map[string]string{}
	for _, path := range []string{"queues.email.concurrency", "queues.email.limiter.max", "queues.email.limiter.duration", "prefix", "readOnly", "context", "redis.url", "queues.mail.out.attempts", "queues.mail.out.backoff.delay", "queues.qa.attempts"} {
		origins[path] = strings.TrimPrefix(got.Origin(path).String(), dir+string(filepath.Separator))
	}
	wantOrigins := map[string]string{
		"queues.email.concurrency": "env BULLMQ_CONCURRENCY_EMAIL", "queues.email.limiter.max": "qctl.yaml:23:42", "queues.email.limiter.duration": "built-in",
		"prefix": "qctl.yaml:15:13", "readOnly": "qctl.yaml:16:15", "context": "qctl.yaml:3:10", "redis.url": "qctl.yaml:10:12",
		"queues.mail.out.attempts": "qctl.yaml:29:15", "queues.mail.out.backoff.delay": "qctl.yaml:20:60", "queues.qa.attempts": "built-in",
	}
	if diff := cmp.Diff(wantOrigins, origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}
