package cmd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/qctl/qctl/internal/hostiletest"
)

// viewers are the ways to look at an output for people.
var viewers = map[string]call{
	"pipe":     {},
	"narrow":   {terminal: true, width: 40},
	"terminal": {terminal: true, width: 120},
	"colours":  {terminal: true, width: 120, color: true},
}

// checkHarmless fails for an output that does something to a terminal, or that
// has a line which a payload has made.
func checkHarmless(t *testing.T, what, output string, colours bool) {
	t.Helper()
	if colours {
		output = withoutPaint(output)
	}
	for i, line := range strings.Split(output, "\n") {
		if found := hostiletest.Dangers(strings.ReplaceAll(line, "\t", "")); found != nil {
			t.Errorf("%s, line %d: %q holds %v", what, i+1, line, found)
			return
		}
		if strings.HasPrefix(line, hostiletest.Marker) {
			t.Errorf("%s, line %d is a payload's: %q", what, i+1, line)
			return
		}
	}
}

// withoutProgress takes the progress bar apart, which goes back to the beginning
// of its line. In a pipe there is none, and nothing goes back.
func withoutProgress(text string, terminal bool) string {
	if !terminal {
		return text
	}
	return strings.ReplaceAll(text, "\r", "\n")
}

// look runs a command for every viewer and returns the number of lines that
// each got.
func look(t *testing.T, env map[string]string, args ...string) map[string]int {
	t.Helper()
	lines := map[string]int{}
	for name, c := range viewers {
		c.args, c.env = args, env
		got := c.run(t)
		what := fmt.Sprintf("qctl %q (%s)", args, name)
		checkHarmless(t, what+" stdout", got.out, c.color)
		checkHarmless(t, what+" stderr", withoutProgress(got.err, c.terminal), c.color)
		if got.code == exitBug {
			t.Errorf("%s: %s", what, got.err)
		}
		lines[name] = lineCount(got.out)
	}
	return lines
}

// deal gives every line of a test 220 of the payloads, and every payload some
// lines: all with all would take minutes and gigabytes.
func deal(payload, line int) bool { return (payload+61*line)%payloads < 220 }

var payloads = len(hostiletest.Payloads())

// plant makes a job of every payload in every field, in one state of a queue,
// with logs and events.
func plant(t *testing.T, rdb *redis.Client, base, state string, payloads []string) {
	t.Helper()
	pipe := rdb.Pipeline()
	pipe.HSet(t.Context(), base+":meta", "opts.maxLenEvents", "10000")
	for i, p := range payloads {
		quoted, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		text := string(quoted)
		pipe.HSet(t.Context(), base+":"+p, "name", p, "data", `{"a":`+text+`,`+text+`:[`+text+`]}`,
			"opts", `{"attempts":3,"jobId":`+text+`,`+text+`:1}`, "failedReason", p, "stacktrace", `[`+text+`]`,
			"returnvalue", text, "progress", text, "deid", p, "parentKey", p, "rjk", p, "pb", p, "defa", p,
			"parent", `{"id":`+text+`,"queueKey":`+text+`}`, "timestamp", "1767323000000", "finishedOn", "1767323001000", p, p)
		switch state {
		case "wait":
			pipe.LPush(t.Context(), base+":wait", p)
		default:
			pipe.ZAdd(t.Context(), base+":"+state, redis.Z{Score: float64(1767323001000 + i), Member: p})
		}
		pipe.RPush(t.Context(), base+":"+p+":logs", p, p)
		pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: base + ":events", Values: []any{"event", p, "jobId", p, "failedReason", p, p, p}})
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// plain are as many harmless texts.
func plain(n int) (texts []string) {
	for i := range n {
		texts = append(texts, "plain"+strconv.Itoa(i))
	}
	return texts
}

// Lists show each job as one row, whatever is in it.
func TestHostileJobsInLists(t *testing.T) {
	t.Parallel()
	payloads := hostiletest.Payloads()
	_, evil, evilEnv := memoryRedis(t)
	_, good, goodEnv := memoryRedis(t)
	for _, state := range []string{"failed", "wait"} {
		plant(t, evil, "bull:email-queue", state, payloads)
		plant(t, good, "bull:email-queue", state, plain(len(payloads)))
		plant(t, evil, "bull:other", state, payloads[:20])
		plant(t, good, "bull:other", state, plain(20))
	}
	for _, line := range []string{
		"jobs email --limit 0 --state failed", "jobs email --limit 0 --state failed -o wide", "jobs email --limit 0",
		"failed --limit 0", "failed email --limit 0 -o wide", "events email --limit 0", "events --limit 0 -o wide",
		"stats", "stats -o wide", "queues", "queues -o wide", "lag", "lag -o wide",
	} {
		want, got := look(t, goodEnv, words(line)...), look(t, evilEnv, words(line)...)
		for name, n := range want {
			if got[name] != n || n == 0 {
				t.Errorf("%s (%s): %d lines, %d of harmless jobs", line, name, got[name], n)
			}
		}
	}
	look(t, evilEnv, "failed", "--by", "cause", "--limit", "0")
}

// Programs get the texts as they are: JSON decodes to what is stored.
func TestHostileJobsAsJSON(t *testing.T) {
	t.Parallel()
	payloads := hostiletest.Payloads()
	_, rdb, env := memoryRedis(t)
	plant(t, rdb, "bull:email-queue", "failed", payloads)
	for name, c := range viewers {
		c.env = env
		for _, format := range []string{"json", "ndjson"} {
			c.args = words("jobs email --state failed --limit 0 --newest=false -o " + format)
			got := c.run(t)
			if c.terminal {
				checkHarmless(t, name+" "+format, got.out, false)
			}
			if strings.ContainsRune(got.out, '\x1b') {
				t.Errorf("%s %s: an escape", name, format)
			}
			jobs := decodeJobs(t, format, got.out)
			if len(jobs) != len(payloads) {
				t.Fatalf("%s %s: %d of %d jobs: %s", name, format, len(jobs), len(payloads), got.err)
			}
			for i, p := range payloads {
				checkDecoded(t, jobs[i], p)
			}
		}
	}
}

type decodedJob struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	FailedReason string            `json:"failedReason"`
	ReturnValue  string            `json:"returnvalue"`
	Stacktrace   []string          `json:"stacktrace"`
	Data         map[string]any    `json:"data"`
	Opts         json.RawMessage   `json:"opts"`
	Extra        map[string]string `json:"-"`
}

func decodeJobs(t *testing.T, format, text string) (jobs []decodedJob) {
	t.Helper()
	if format == "json" {
		if err := json.Unmarshal([]byte(text), &jobs); err != nil {
			t.Fatal(err)
		}
		return jobs
	}
	for line := range strings.Lines(text) {
		var job decodedJob
		if err := json.Unmarshal([]byte(line), &job); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		jobs = append(jobs, job)
	}
	return jobs
}

// checkDecoded compares what JSON can hold: text in UTF-8.
func checkDecoded(t *testing.T, job decodedJob, p string) {
	t.Helper()
	want := p
	if !utf8.ValidString(p) {
		return
	}
	for field, got := range map[string]string{
		"id": job.ID, "name": job.Name, "failedReason": job.FailedReason, "returnvalue": job.ReturnValue, "data.a": fmt.Sprint(job.Data["a"]),
	} {
		if got != want {
			t.Errorf("%s of %q is %q", field, p, got)
		}
	}
	if !slices.Equal(job.Stacktrace, []string{want}) {
		t.Errorf("stacktrace of %q is %q", p, job.Stacktrace)
	}
}

// Every command that names one job names it, and says what it did, unharmed.
func TestHostileJobsOneByOne(t *testing.T) {
	t.Parallel()
	for half, viewer := range []string{"pipe", "colours"} {
		t.Run(viewer, func(t *testing.T) {
			t.Parallel()
			_, rdb, env := memoryRedis(t)
			plant(t, rdb, "bull:email-queue", "failed", hostiletest.Payloads())
			plant(t, rdb, "bull:ba", "delayed", hostiletest.Payloads())
			for i, p := range hostiletest.Payloads() {
				if i%2 != half {
					continue
				}
				for line, args := range [][]string{
					{"show", "email", p},
					{"show", "email", p, "-o", "wide"},
					{"logs", "email", p},
					{"promote", "email", p},
					{"promote", "ba", p, "-n"},
					{"retry", "email", p},
					{"remove", "email", p},
					{"remove", "email", p, "--children"},
					{"events", "email", "--job", p},
					{"enqueue", "email", "queueId=x", "--id", p, "--name", p, "-n"},
					{"enqueue", "email", "queueId=x", "--id", p},
				} {
					if !deal(i, line) {
						continue
					}
					c := viewers[viewer]
					c.args, c.env = args, env
					got := c.run(t)
					what := fmt.Sprintf("qctl %q", args)
					checkHarmless(t, what+" stdout", got.out, c.color)
					checkHarmless(t, what+" stderr", withoutProgress(got.err, c.terminal), c.color)
					if got.code == exitBug {
						t.Errorf("%s: %s", what, got.err)
					}
				}
			}
		})
	}
}

// A queue may have any name that Redis takes.
func TestHostileQueueNames(t *testing.T) {
	t.Parallel()
	payloads := hostiletest.Payloads()
	for i, p := range payloads {
		payloads[i] = strings.ReplaceAll(p, ":", ";") // the last colon ends the prefix
	}
	payloads = slices.Compact(slices.Sorted(slices.Values(payloads)))
	_, rdb, env := memoryRedis(t)
	_, good, goodEnv := memoryRedis(t)
	for i, p := range payloads {
		for server, name := range map[*redis.Client]string{rdb: p, good: "plain" + strconv.Itoa(i)} {
			if err := server.HSet(t.Context(), "bull:"+name+":meta", "opts.maxLenEvents", "1", "version", name).Err(); err != nil {
				t.Fatal(err)
			}
			server.HSet(t.Context(), "bull:"+name+":1", "name", "n", "data", "{}", "opts", "{}", "failedReason", "r")
			server.ZAdd(t.Context(), "bull:"+name+":failed", redis.Z{Score: 1767323001000, Member: "1"})
		}
	}
	for _, line := range []string{"queues", "queues -o wide", "stats", "stats -o wide", "lag -o wide", "failed --limit 0", "pause * -n", "limit *"} {
		want, got := look(t, goodEnv, words(line)...), look(t, env, words(line)...)
		for name, n := range want {
			if got[name] != n || n < len(payloads) {
				t.Errorf("%s (%s): %d lines, %d of harmless queues", line, name, got[name], n)
			}
		}
	}
	for i, line := range []string{
		"retry * --all-failed -n", "promote * --all -n", "remove * --state failed -n", "drain * -n", "drain *", "remove * --state failed",
		"clean * --state failed --older-than 0s -n", "clean * --state failed --older-than 0s", "limit * --concurrency 3 -n", "events",
		"workers", "retry", "resume * -n", "failed --by cause",
	} {
		c := viewers[[]string{"pipe", "colours"}[i%2]]
		c.args, c.env = words(line), env
		got := c.run(t)
		checkHarmless(t, line+" stdout", got.out, c.color)
		checkHarmless(t, line+" stderr", withoutProgress(got.err, c.terminal), c.color)
	}
	var rows []struct{ Queue string }
	got := call{args: words("queues -o json"), env: env}.run(t)
	if err := json.Unmarshal([]byte(got.out), &rows); err != nil {
		t.Fatal(err)
	}
	for _, p := range payloads {
		if utf8.ValidString(p) && !slices.ContainsFunc(rows, func(r struct{ Queue string }) bool { return r.Queue == p }) {
			t.Errorf("no queue %q as JSON", p)
		}
	}
}

// What is typed comes back in errors: arguments, every flag that takes a text,
// variables, names of files and what is in them.
func TestHostileCommandLines(t *testing.T) {
	t.Parallel()
	_, _, env := memoryRedis(t)
	dir := t.TempDir()
	for i, p := range hostiletest.Payloads() {
		calls := []call{
			{args: []string{p}},
			{args: []string{"help", p}},
			{args: []string{"--" + p}},
			{args: []string{"completion", p}},
			{args: []string{"config", p}},
			{args: []string{"embedded", p}},
			{args: []string{"version", p}},
			{args: []string{"stats", p}},
			{args: []string{"stats", "@" + p}},
			{args: []string{"stats", "[" + p}},
			{args: []string{"stats", p + "*"}},
			{args: []string{"jobs", "email", p}},
			{args: []string{"enqueue", p, "a=1"}},
			{args: []string{"enqueue", "email", p}},
			{args: []string{"enqueue", "email", "queueId=1", p + "=" + p}},
			{args: []string{"enqueue", "email", p + ":=" + p}},
			{args: []string{"enqueue", "email", "--data", `{"` + p}},
			{args: []string{"enqueue", "email", "--data", "@" + p}},
			{args: []string{"enqueue", "email", "--bulk", p}},
			{args: []string{"enqueue", "email", "--bulk", "-"}, stdin: `{"data":{},"` + p + `":1}`},
			{args: []string{"enqueue", "email", "--bulk", "-", "--skip-bad"}, stdin: p},
			{args: []string{"retry", "email", "-"}, stdin: p},
			{args: []string{"worker", "--queue", p, "--handler", p}},
			{args: []string{"worker", "--queue", "email", "--handler", p}},
			{args: []string{"init", filepath.Join(dir, "none", p)}},
			{args: []string{"config", "validate", p}},
			{args: []string{"--config", p, "stats"}},
			{args: []string{"stats"}, env: map[string]string{"REDIS_URL": p}},
			{args: []string{"stats"}, env: map[string]string{"REDIS_URL": "redis://127.0.0.1:1/" + p}},
			{args: []string{"stats"}, env: map[string]string{"REDIS_URL": "redis://127.0.0.1:1", "REDIS_PASSWORD_FILE": p}},
			{args: []string{"stats"}, env: map[string]string{"REDIS_URL": "redis://127.0.0.1:1", "REDIS_CLUSTER_MODE": p}},
			{args: []string{"config", "view"}, env: map[string]string{"QCTL_READ_ONLY": p}},
			{args: []string{"config", "view"}, env: map[string]string{"QCTL_CONTEXT": p}},
			{args: []string{"config", "view"}, env: map[string]string{"QCTL_CONFIG": p}},
			{args: []string{"config", "view", "--origin"}, env: map[string]string{"BULLMQ_CONCURRENCY_DEV": p}},
			{args: []string{"config", "view"}, env: map[string]string{"BULLMQ_CONCURRENCY_" + p: p}},
			{args: []string{"embedded", "status"}, env: map[string]string{"QCTL_EMBEDDED_DIR": filepath.Join(dir, "none", p)}},
			{args: []string{"embedded", "reset", "-n"}, env: map[string]string{"QCTL_EMBEDDED_DIR": filepath.Join(dir, "none", p)}},
			{args: []string{"stats"}, env: map[string]string{"QCTL_EMBEDDED_DIR": filepath.Join(dir, "none"), "QCTL_EMBEDDED_FSYNC": p}},
			{args: []string{"jobs", "email"}, env: map[string]string{"REDIS_URL": env["REDIS_URL"], "REDIS_SENTINEL_NAME": p}},
		}
		for n, text := range []string{
			"version: 1\n" + p + ": 1\n", "queues: {email: {name: " + strconv.QuoteToASCII(p) + "}}\n", "queues:\n  " + strconv.QuoteToASCII(p) + ": {concurency: 1}\n",
			`defaults: {output: "` + p + `"}`, "queues: {a: {prefix: " + strconv.QuoteToASCII(p) + ", priority: {order: " + strconv.QuoteToASCII(p) + "}}}\n",
			"redis: {url: " + strconv.QuoteToASCII(p) + "}\n",
		} {
			file := filepath.Join(dir, fmt.Sprintf("%d-%d.yaml", i, n))
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			calls = append(calls, call{args: []string{"config", "validate", file}}, call{args: []string{"config", "view", "--origin", "--config", file}},
				call{args: []string{"queues", "--config", file}})
		}
		viewer := viewers[[]string{"pipe", "terminal", "colours"}[i%3]]
		for n, c := range calls {
			if (n+i)%8 != 0 { // some of them; the next payload gets others
				continue
			}
			c.terminal, c.width, c.color = viewer.terminal, viewer.width, viewer.color
			if c.env == nil {
				c.env = env
			}
			got := c.run(t)
			what := fmt.Sprintf("qctl %q %v", c.args, c.env)
			checkHarmless(t, what+" stdout", got.out, c.color)
			checkHarmless(t, what+" stderr", withoutProgress(got.err, c.terminal), c.color)
			if got.code == exitBug {
				t.Errorf("%s: %s", what, got.err)
			}
		}
	}
}

// The flags of every command, from the tree.
func TestHostileFlagValues(t *testing.T) {
	t.Parallel()
	_, rdb, env := memoryRedis(t)
	plant(t, rdb, "bull:email-queue", "failed", plain(3))
	payloads := hostiletest.Payloads()
	global := []string{"color", "config", "context", "output", "prefix"} // --redis asks for names of hosts
	for n, c := range everyCommand(NewRootForDocs()) {
		flags := textFlags(c)
		if pathOf(c) == "stats" {
			flags = append(flags, global...)
		}
		args := baseArgs[pathOf(c)]
		if pathOf(c) == "init" {
			args = []string{filepath.Join(t.TempDir(), "qctl.yaml")}
		}
		for i, flag := range flags {
			for j := (7*n + i) % 37; j < len(payloads); j += 37 {
				line := append(words(pathOf(c)), args...)
				line = append(line, "--"+flag+"="+payloads[j], "--timeout=1s")
				viewer := viewers[[]string{"pipe", "colours"}[j%2]]
				viewer.args, viewer.env = line, env
				got := viewer.run(t)
				checkHarmless(t, fmt.Sprintf("qctl %q stdout", line), got.out, viewer.color)
				checkHarmless(t, fmt.Sprintf("qctl %q stderr", line), got.err, viewer.color)
				if got.code == exitBug {
					t.Errorf("qctl %q: %s", line, got.err)
				}
			}
		}
	}
}

// What Redis answers is foreign as well: its errors, and the names that clients
// have given themselves.
func TestHostileReplies(t *testing.T) {
	t.Parallel()
	srv, rdb, env := memoryRedis(t)
	plant(t, rdb, "bull:email-queue", "failed", plain(1))
	clients := "" // of one command at a time
	srv.Server().SetPreHook(func(peer *server.Peer, command string, args ...string) bool {
		listed := command == "CLIENT" && len(args) > 0 && strings.EqualFold(args[0], "list")
		if listed {
			peer.WriteBulk(clients)
		}
		return listed
	})
	for i, p := range hostiletest.Payloads() {
		if !deal(i, 0) {
			continue
		}
		if strings.ContainsAny(p, "\r\n") {
			p = strings.NewReplacer("\r", "", "\n", "").Replace(p) // the wire has no errors of two lines
		}
		clients = "id=1 addr=" + p + " name=bull:ZW1haWwtcXVldWU=:w:" + p + " age=1 idle=1 flags=N cmd=" + p + "\n" + p + "\n"
		look(t, env, "workers")
		classes := []string{"ERR ", "NOPERM ", "LOADING ", "OOM ", "WRONGTYPE ", "READONLY ", "BUSY ", ""}
		for _, class := range classes[i%len(classes) : i%len(classes)+1] {
			srv.SetError(class + p)
			c := viewers["terminal"]
			c.env = env
			for _, line := range []string{"stats", "retry email plain0", "show email plain0", "enqueue email queueId=1"} {
				c.args = words(line)
				got := c.run(t)
				what := fmt.Sprintf("%s after the reply %q", line, class+p)
				checkHarmless(t, what, got.out, false)
				checkHarmless(t, what, got.err, false)
				if got.code == exitDone {
					t.Errorf("%s: exit 0", what)
				}
			}
			srv.SetError("")
		}
	}
}

// A worker tells about every job that it runs.
func TestHostileJobsInAWorkersLog(t *testing.T) {
	t.Parallel()
	for _, handler := range []string{"noop", "fail=1"} {
		_, rdb, env := memoryRedis(t)
		plant(t, rdb, "bull:ba", "wait", hostiletest.Payloads())
		c := call{args: []string{
			"worker", "--queue", "bull:ba", "--handler", handler, "--drain", "--log-level", "debug", "--concurrency", "20",
			"--worker-name", "a\x1b[2J\u202e", "--rate", "100000/1s",
		}, env: env}
		for _, format := range []string{"text", "json"} {
			c.args = append(c.args, "--log-format", format)
			got := c.run(t)
			checkHarmless(t, handler+" "+format+" stdout", got.out, false)
			checkHarmless(t, handler+" "+format+" stderr", got.err, false)
		}
	}
}

// Completion has no escapes, and no second line for one word.
func TestHostileCompletion(t *testing.T) {
	t.Parallel()
	_, rdb, env := memoryRedis(t)
	for _, p := range hostiletest.Payloads() {
		rdb.HSet(t.Context(), "bull:"+p+":meta", "version", "x")
	}
	plant(t, rdb, "bull:email-queue", "failed", hostiletest.Payloads())
	for _, args := range [][]string{{"stats", ""}, {"retry", "email", ""}, {"show", "email", ""}, {"jobs", ""}} {
		got := call{args: append([]string{"__complete"}, args...), env: env}.run(t)
		checkHarmless(t, fmt.Sprintf("%q", args), got.out, false)
	}
}
