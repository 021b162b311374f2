package cmd

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// looking are the commands that change nothing. Every other one must stand
// among the mutations.
var looking = map[string]string{
	"top": "a screen, whose keys obey --read-only", "stats": "", "queues": "", "workers": "", "events": "", "jobs": "", "failed": "",
	"show": "", "logs": "", "version": "", "completion": "", "config": "help", "config view": "", "config validate": "",
	"config schema": "", "embedded": "help", "embedded status": "",
	"embedded stop": "ends a process; the jobs stay",
	"demo":          "a store of its own",
	"schedule":      "help", "schedule list": "", "schedule show": "", "schedule next": "",
}

// mutation is a way to change something.
type mutation struct {
	command string
	args    string
	stdin   string
	// asks: without a terminal it ends with exit code 10, unless there is --yes.
	asks bool
	// guards: it does so for a protected queue only.
	guards bool
	// noDryRun: there is no --dry-run, for the reason given.
	noDryRun string
	// elsewhere: what it changes is not in Redis.
	elsewhere bool
}

var mutations = []mutation{
	{command: "enqueue", args: "email queueId=1"},
	{command: "enqueue", args: "brand-new --create queueId=1"},
	{command: "enqueue", args: "email --bulk -", stdin: "{\"data\":{\"queueId\":\"1\"}}\n{\"data\":{\"queueId\":\"2\"}}\n"},
	{command: "retry", args: "email failed0"},
	{command: "retry", args: "email -", stdin: "failed0\nfailed1\n"},
	{command: "retry", args: "--all-failed email --reset-attempts"},
	{command: "retry", args: "email --state completed"},
	{command: "promote", args: "email delayed0"},
	{command: "promote", args: "email --all"},
	{command: "remove", args: "email wait0 failed1 parent0 --children"},
	{command: "remove", args: "email --state failed", asks: true},
	{command: "remove", args: "email --state waiting,delayed,completed --name *", asks: true},
	{command: "pause", args: "email", guards: true},
	{command: "pause", args: "*"},
	{command: "resume", args: "ba", guards: true},
	{command: "limit", args: "email --concurrency 3 --rate 5/1m"},
	{command: "limit", args: "ba --concurrency none --rate none"},
	{command: "clean", args: "email --state failed --older-than 0s", asks: true},
	{command: "clean", args: "email --state completed --keep 1", asks: true},
	{command: "drain", args: "email --delayed", asks: true},
	{command: "obliterate", args: "email --force", asks: true},
	{command: "worker", args: "--queue email --handler noop --drain", noDryRun: "it runs jobs"},
	{command: "schedule add", args: "email fresh --every 1h queueId=1"},
	{command: "schedule add", args: "email nightly --every 1h --replace queueId=1"},
	{command: "schedule remove", args: "email nightly", guards: true},
	{command: "schedule pause", args: "email nightly", guards: true},
	{command: "schedule resume", args: "email resting", guards: true},
	{command: "schedule run", args: "email nightly"},
	{command: "schedule restart", args: "email broken"},
	{command: "schedule restart", args: "--all-stopped"},
	{command: "schedule convert", args: "email --all", guards: true},
	{command: "schedule apply", args: "--set workforce0", guards: true},
	{command: "schedule apply", args: "--set workforce0 --prune", asks: true},
	{command: "scheduler", args: "--once"},
	{command: "init", args: "FILE", elsewhere: true},
	{command: "embedded reset", asks: true, elsewhere: true},
}

// mutable fills a Redis with jobs in every state, job schedulers, a family, a
// paused queue and limits.
func mutable(t *testing.T, rdb *redis.Client) {
	t.Helper()
	plantNamed := func(base, state string) {
		var names []string
		for i := range 3 {
			names = append(names, fmt.Sprint(state, i))
		}
		plant(t, rdb, base, state, names)
	}
	for _, base := range []string{"bull:email-queue", "queue:ba"} {
		for _, state := range []string{"failed", "completed", "wait", "delayed", "prioritized", "waiting-children"} {
			plantNamed(base, state)
		}
		for _, command := range [][]any{
			{"HSET", base + ":meta", "concurrency", "7", "max", "9", "duration", "1000"},
			{"ZADD", base + ":repeat", "1895312800000", "nightly"},
			{"HSET", base + ":repeat:nightly", "name", "n", "pattern", "0 7 * * *", "ic", "1", "offset", "0"},
			{"HSET", base + ":repeat:nightly:1895312800000", "name", "n", "data", "{}", "opts", "{}", "rjk", "nightly", "timestamp", "1767323000000"},
			{"ZADD", base + ":delayed", "7763201228800000000", "repeat:nightly:1895312800000"},
			{"HSET", base + ":qctl:schedules", "nightly", `{"set":"workforce0","applied":1767323000000}`},
			{"ZADD", base + ":repeat", "1767323000000", "broken"},
			{"HSET", base + ":repeat:broken", "name", "n", "every", "3600000", "ic", "1"},
			{"HSET", base + ":qctl:paused-schedules", "resting", `{"record":{"name":"n","pattern":"0 7 * * *","ic":"1"},"score":"1895312800000","opts":"{}","last":"1767323000000","delayed":"1"}`},
			{"ZADD", base + ":repeat", "1895312800000", "4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7"},
			{"HSET", base + ":repeat:4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7", "name", "n", "pattern", "0 7 * * *"},
			{
				"HSET", base + ":repeat:4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7:1895312800000", "name", "n", "data", "{}",
				"opts", `{"repeat":{"pattern":"0 7 * * *","count":1}}`, "rjk", "4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7", "timestamp", "1767323000000",
			},
			{"ZADD", base + ":delayed", "7763201228800000000", "repeat:4b2c5f0e8d1a7c93b6e4f2a1d0c9b8a7:1895312800000"},
			{"SET", base + ":limiter", "3", "PX", "600000"},
			{"HSET", base + ":parent0", "name", "p", "data", "{}", "opts", "{}", "timestamp", "1767323000000"},
			{"ZADD", base + ":waiting-children", "1767323000000", "parent0"},
			{"SADD", base + ":parent0:dependencies", base + ":wait0"},
			{"HSET", base + ":wait0", "parentKey", base + ":parent0"},
			{"SET", base + ":de:order-7", "wait0"},
			{"SET", base + ":id", "41"},
		} {
			if err := rdb.Do(t.Context(), command...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	rdb.HSet(t.Context(), "queue:ba:meta", "paused", "1")
	rdb.Rename(t.Context(), "queue:ba:wait", "queue:ba:paused")
	rdb.Set(t.Context(), "another:application", "7", 0)
}

// dump reads all keys with their types and values.
func dump(t *testing.T, rdb *redis.Client) map[string]any {
	t.Helper()
	keys, err := rdb.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for _, key := range keys {
		kind := rdb.Type(t.Context(), key).Val()
		var value any
		switch kind {
		case "string":
			value, err = rdb.Get(t.Context(), key).Result()
		case "list":
			value, err = rdb.LRange(t.Context(), key, 0, -1).Result()
		case "set":
			var members []string
			members, err = rdb.SMembers(t.Context(), key).Result()
			value = slices.Sorted(slices.Values(members))
		case "zset":
			value, err = rdb.ZRangeWithScores(t.Context(), key, 0, -1).Result()
		case "hash":
			value, err = rdb.HGetAll(t.Context(), key).Result()
		case "stream":
			value, err = rdb.XRange(t.Context(), key, "-", "+").Result()
		default:
			t.Fatalf("%s is a %s", key, kind)
		}
		if err != nil {
			t.Fatal(err)
		}
		all[key] = []any{kind, value, rdb.PTTL(t.Context(), key).Val() > 0}
	}
	return all
}

func (m mutation) call(t *testing.T, env map[string]string, flags ...string) call {
	args := append(words(m.command), words(strings.ReplaceAll(m.args, "FILE", filepath.Join(t.TempDir(), "qctl.yaml")))...)
	return call{args: append(args, flags...), env: env, stdin: m.stdin}
}

// TestEveryMutationIsListed reads the tree, so that a new command must be put
// on one list or the other.
func TestEveryMutationIsListed(t *testing.T) {
	t.Parallel()
	for _, c := range everyCommand(NewRootForDocs()) {
		path := pathOf(c)
		_, looks := looking[path]
		at := slices.IndexFunc(mutations, func(m mutation) bool { return m.command == path })
		if looks == (at >= 0) {
			t.Errorf("%s must be among the commands that change something, or among those that only look", path)
		}
		if at < 0 {
			continue
		}
		if has := c.Flags().Lookup("dry-run") != nil; has == (mutations[at].noDryRun != "") {
			t.Errorf("%s has --dry-run: %v", path, has)
		}
		asks := slices.ContainsFunc(mutations, func(m mutation) bool { return m.command == path && (m.asks || m.guards) })
		if has := c.Flags().Lookup("yes") != nil; has != asks {
			t.Errorf("%s has --yes: %v", path, has)
		}
	}
}

// A dry run leaves every key as it was.
func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		if m.noDryRun != "" {
			continue
		}
		_, rdb, env := memoryRedis(t)
		env["QCTL_EMBEDDED_DIR"] = t.TempDir()
		mutable(t, rdb)
		before := dump(t, rdb)
		for _, flag := range []string{"--dry-run", "-n"} {
			for _, extra := range [][]string{nil, {"--yes"}, {"-o", "json"}, {"--read-only"}} {
				if len(extra) > 0 && extra[0] == "--yes" && !m.asks {
					continue
				}
				c := m.call(t, env, append([]string{flag}, extra...)...)
				got := c.run(t)
				if got.code != exitDone || got.out == "" {
					t.Errorf("qctl %q: exit %d\n%s%s", c.args, got.code, got.out, got.err)
				}
				if diff := cmp.Diff(before, dump(t, rdb)); diff != "" {
					t.Fatalf("qctl %q (-before +after):\n%s", c.args, diff)
				}
				if m.command == "init" {
					if _, err := os.Stat(c.args[1]); err == nil {
						t.Errorf("qctl %q wrote the file", c.args)
					}
				}
			}
		}
		// What the dry run is compared with: without it something changes.
		if m.elsewhere {
			continue
		}
		flags := []string{"--yes"}
		if !m.asks {
			flags = nil
		}
		c := m.call(t, env, flags...)
		got := c.run(t)
		if cmp.Equal(before, dump(t, rdb)) {
			t.Errorf("qctl %q: exit %d, and nothing changed\n%s%s", c.args, got.code, got.out, got.err)
		}
	}
}

// What cannot be undone is not done where nobody can be asked.
func TestUnconfirmedChangesNothing(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		if !m.asks {
			continue
		}
		_, rdb, env := memoryRedis(t)
		env["QCTL_EMBEDDED_DIR"] = t.TempDir()
		mutable(t, rdb)
		before := dump(t, rdb)
		for name, c := range map[string]call{
			"no terminal": m.call(t, env), "as JSON": m.call(t, env, "-o", "json"), "no": m.call(t, env), "nothing": m.call(t, env), "another name": m.call(t, env),
		} {
			c.stdin = "y\n" // of a pipe, which nobody has typed
			switch name {
			case "no":
				c.terminal, c.stdin = true, "n\n"
			case "nothing":
				c.terminal, c.stdin = true, ""
			case "another name":
				c.terminal, c.stdin = true, "e-mail\n"
			}
			got := c.run(t)
			if got.code != exitUnconfirmed || got.out != "" {
				t.Errorf("%s: qctl %q: exit %d\n%s%s", name, c.args, got.code, got.out, got.err)
			}
			if name == "as JSON" {
				if err := checkOneDocument(got); err != nil {
					t.Errorf("qctl %q: %v", c.args, err)
				}
			}
			if diff := cmp.Diff(before, dump(t, rdb)); diff != "" {
				t.Fatalf("%s: qctl %q (-before +after):\n%s", name, c.args, diff)
			}
		}
	}
}

// Read-only, however it was asked for, refuses before anything is sent.
func TestReadOnlySendsNothing(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		server, rdb, env := memoryRedis(t)
		env["QCTL_EMBEDDED_DIR"] = t.TempDir()
		mutable(t, rdb)
		file := filepath.Join(t.TempDir(), "read-only.yaml")
		text := "contexts: {prod: {redis: {url: \"redis://" + server.Addr() + "\"}, readOnly: true}}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		byEnv, byContext := maps.Clone(env), maps.Clone(env)
		byEnv["QCTL_READ_ONLY"] = "1"
		delete(byContext, "REDIS_URL")
		byContext["QCTL_CONFIG"], byContext["QCTL_CONTEXT"] = file, "prod"
		for name, c := range map[string]call{
			"--read-only": m.call(t, env, "--read-only"), "QCTL_READ_ONLY=1": m.call(t, byEnv), "a context": m.call(t, byContext),
		} {
			if m.asks {
				c.args = append(c.args, "--yes")
			}
			sent := server.CommandCount()
			got := c.run(t)
			if got.code != exitDenied || got.out != "" {
				t.Errorf("%s: qctl %q: exit %d\n%s%s", name, c.args, got.code, got.out, got.err)
			}
			if n := server.CommandCount() - sent; n != 0 {
				t.Errorf("%s: qctl %q sent %d commands", name, c.args, n)
			}
			if m.command == "init" {
				if _, err := os.Stat(c.args[1]); err == nil {
					t.Errorf("%s: qctl %q wrote the file", name, c.args)
				}
			}
		}
	}
}
