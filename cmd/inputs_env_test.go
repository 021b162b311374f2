package cmd

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// emptyRefused are the variables that qctl reads and that must not be set
// without a value, each with a command line that reads it and what else is set
// for that. REDIS is the address of a Redis.
var emptyRefused = map[string]struct {
	line string
	env  map[string]string
}{
	"BULLMQ_CONCURRENCY_EMAIL": {"stats", nil},
	"BULLMQ_PREFIX":            {"stats", nil},
	"DIGEST_CRON_HOUR":         {"stats", nil},
	"QCTL_CONFIG":              {"stats", nil},
	"QCTL_CONTEXT":             {"stats", nil},
	"QCTL_EMBEDDED_DIR":        {"stats", nil},
	"QCTL_EMBEDDED_FSYNC":      {"stats", nil},
	"QCTL_OUTPUT":              {"stats", nil},
	"QCTL_PREFIX":              {"stats", nil},
	"QCTL_READ_ONLY":           {"stats", nil},
	"REDIS_CLUSTER_MODE":       {"stats", map[string]string{"REDIS_URL": "REDIS"}},
	"REDIS_PASSWORD_FILE":      {"stats", map[string]string{"REDIS_URL": "REDIS"}},
	"REDIS_SENTINEL_NAME":      {"stats", map[string]string{"REDIS_URL": "REDIS"}},
	"REDIS_SENTINEL_PASSWORD":  {"stats", map[string]string{"REDIS_URL": "REDIS"}},
	"REDIS_URL":                {"stats", nil},
}

// emptyAllowed are those that may be empty, each by a rule of its own.
var emptyAllowed = map[string]string{
	"QCTL_COMPLETION_TIMEOUT": "only completion reads it, which is silent whatever is wrong",
	"WORKFORCE0_CRON_ENABLED": "anything but a plain yes means no, to the one command that asks",
	"NO_COLOR":                "no-color.org: when present and not an empty string",
	"CLICOLOR":                "bixense.com/clicolors: empty is as unset",
	"CLICOLOR_FORCE":          "bixense.com/clicolors: empty is as unset",
	"FORCE_COLOR":             "empty is as unset",
	"COLUMNS":                 "a shell sets it",
	"TZ":                      "libc: empty is UTC",
	"TERM":                    "a terminal sets it",
	"LC_ALL":                  "POSIX: empty is as unset",
	"LC_CTYPE":                "POSIX: empty is as unset",
	"LANG":                    "POSIX: empty is as unset",
	"HOME":                    "POSIX: undefined when empty, so no folder is looked for",
	"XDG_CONFIG_HOME":         "XDG Base Directory: either not set or empty is the default",
	"XDG_STATE_HOME":          "XDG Base Directory: either not set or empty is the default",
	"AppData":                 "Windows sets it",
	"CI":                      "conventionally set or not",
}

// handed are variables that qctl sets for the programs it starts, and those of
// its tests: it does not read them.
var handed = regexp.MustCompile(`^QCTL_(ALIAS|ATTEMPT|CHILDREN|CHILDREN_FAILED|DEADLINE|FENCE|JOB_ID|JOB_NAME|MAX_ATTEMPTS|QUEUE|RECORD)$`)

// Set but empty is mostly a template that was not filled in.
func TestVariablesSetButEmpty(t *testing.T) {
	t.Parallel()
	server, _, env := memoryRedis(t)
	for name, c := range emptyRefused {
		for _, format := range []string{"table", "json"} {
			vars := map[string]string{"HOME": t.TempDir(), "QCTL_EMBEDDED_DIR": filepath.Join(t.TempDir(), "never")}
			maps.Copy(vars, c.env)
			for key, text := range vars {
				vars[key] = strings.ReplaceAll(text, "REDIS", env["REDIS_URL"])
			}
			vars[name] = ""
			got := call{args: append(words(c.line), "-o", format), env: vars}.run(t)
			if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, name) || !strings.Contains(got.err, "set but empty") {
				t.Errorf("%s=: exit %d\n%s%s", name, got.code, got.out, got.err)
			}
			if _, err := os.Stat(vars["QCTL_EMBEDDED_DIR"]); name != "QCTL_EMBEDDED_DIR" && err == nil {
				t.Errorf("%s=: the embedded store was started", name)
			}
		}
	}
	if n := server.TotalConnectionCount(); n != 0 {
		t.Errorf("%d connections", n)
	}
	for name := range emptyAllowed {
		if name == "HOME" && runtime.GOOS == "windows" {
			continue
		}
		vars := map[string]string{"REDIS_URL": env["REDIS_URL"], name: ""}
		if got := (call{args: words("stats"), env: vars}).run(t); got.code != exitDone {
			t.Errorf("%s=: exit %d\n%s", name, got.code, got.err)
		}
	}
}

// A variable that the configuration names is read when it is needed.
func TestNamedVariableSetButEmpty(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "qctl.yaml")
	writeFile(t, file, "redis: {url: 'env:SHOP_REDIS'}\n", 0o600)
	got := call{args: []string{"stats", "--config", file}, env: map[string]string{"SHOP_REDIS": ""}}.run(t)
	if got.code != exitUsage || !strings.Contains(got.err, `"SHOP_REDIS": set but empty`) {
		t.Errorf("exit %d\n%s", got.code, got.err)
	}
}

// Whatever a command looks up is on one of the lists.
func TestEveryVariableIsListed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]bool{}
	look := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		seen[name] = true
	}
	_, rdb, env := memoryRedis(t)
	plant(t, rdb, "bull:email-queue", "failed", plain(3))
	env["QCTL_EMBEDDED_DIR"] = t.TempDir()
	for _, c := range everyCommand(NewRootForDocs()) {
		path := pathOf(c)
		if path == "init" || path == "demo" {
			continue // the one writes files, the other reads less than others
		}
		call{args: append(words(path), baseArgs[path]...), env: env, looked: look}.run(t)
	}
	call{args: words("stats"), env: map[string]string{"QCTL_EMBEDDED_DIR": "", "XDG_STATE_HOME": ""}, looked: look}.run(t)
	call{args: words("__complete stats em"), env: env, looked: look}.run(t)
	for name := range seen {
		known := emptyAllowed[name] != "" || strings.HasPrefix(name, "BULLMQ_CONCURRENCY_")
		if _, refused := emptyRefused[name]; !refused && !known {
			t.Errorf("%s is read, and on no list", name)
		}
	}
	if !seen["REDIS_URL"] || !seen["QCTL_OUTPUT"] || !seen["QCTL_COMPLETION_TIMEOUT"] {
		t.Errorf("the commands looked up %v: some are missing", seen)
	}
}

// The sources name no variable of qctl's that is on no list.
func TestVariablesInTheSources(t *testing.T) {
	t.Parallel()
	variable := regexp.MustCompile(`"((?:QCTL|REDIS|BULLMQ)_[A-Z_]*[A-Z])"`)
	lookup := regexp.MustCompile(`(?:[gG]etenv|[lL]ookupEnv|\benv)\("([A-Za-z_]+)"\)`)
	for _, folder := range []string{".", "../internal"} {
		err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
				strings.Contains(path, "redistest") || strings.Contains(path, "hostiletest") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found := variable.FindAllStringSubmatch(string(text), -1)
			for _, m := range append(found, lookup.FindAllStringSubmatch(string(text), -1)...) {
				if _, refused := emptyRefused[m[1]]; !refused && emptyAllowed[m[1]] == "" && !handed.MatchString(m[1]) {
					t.Errorf("%s: %s is on no list", path, m[1])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
