package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFileAccess(t *testing.T) {
	t.Parallel()
	loadFile := func(name string) ([]string, error) {
		sources := from("", nil)
		sources.File, sources.FileSet = name, true
		_, warnings, err := LoadFrom(sources)
		var texts []string
		for _, w := range warnings {
			texts = append(texts, strings.TrimPrefix(w.String(), name))
		}
		return texts, err
	}
	type result struct {
		Warnings []string
		Exposed  bool
	}
	const readable, writable = ": can be read by others; chmod o-rwx keeps it private", ": can be changed by others, who could have programs run; chmod go-w"
	for _, test := range []struct {
		content string
		mode    os.FileMode
		want    result
	}{
		{"version: 1\n", 0o600, result{}},
		{"version: 1\n", 0o640, result{}},
		{"version: 1\n", 0o644, result{Warnings: []string{readable}}},
		{"version: 1\n", 0o666, result{Warnings: []string{readable, writable}}},
		{"redis: {password: \"env:P\"}\n", 0o644, result{Warnings: []string{readable}}},
		{"redis: {url: redis://user@h}\n", 0o644, result{Warnings: []string{readable}}},
		{"redis: {password: x}\n", 0o600, result{}},
		{"redis: {password: x}\n", 0o644, result{Exposed: true}},
		{"contexts: {a: {redis: {url: \"redis://:x@h\"}}}\n", 0o644, result{Exposed: true}},
		{"queues: {dev: {handler: {http: {url: \"http://h\", secret: x}}}}\n", 0o644, result{Exposed: true}},
		{"queues: {dev: {record: {postgres: host=h password=x, query: q}}}\n", 0o644, result{Exposed: true}},
		{"queues: {dev: {handler: {smtp: {url: \"smtp://a:b@h\"}}}}\n", 0o644, result{Exposed: true}},
	} {
		name := filepath.Join(place(t, test.content), FileName)
		if err := os.Chmod(name, test.mode); err != nil {
			t.Fatal(err)
		}
		warnings, err := loadFile(name)
		if diff := cmp.Diff(test.want, result{warnings, errors.Is(err, ErrSecretExposed)}); diff != "" {
			t.Errorf("%q with mode %o: %v (-want +got):\n%s", test.content, test.mode, err, diff)
		}
	}

	dir := t.TempDir()
	loop, big := filepath.Join(dir, "loop"), filepath.Join(dir, "big")
	if err := errors.Join(os.Symlink(loop, loop), os.WriteFile(big, nil, 0o600), os.Truncate(big, 100<<20)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		dir:                        "not a regular file",
		os.DevNull:                 "not a regular file",
		loop:                       "cannot be read: too many levels of symbolic links",
		big:                        "104857600 bytes, at most 1048576 are allowed",
		filepath.Join(dir, "none"): "cannot be read: no such file or directory",
	} {
		_, err := loadFile(name)
		if diff := cmp.Diff(name+": "+want, errText(t, err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// One file is read: the first that is there, even if it cannot be used.
func TestFindFile(t *testing.T) {
	t.Parallel()
	here, home, empty := place(t, "{}\n"), place(t, ""), t.TempDir()
	user := filepath.Join(home, ".config", "qctl")
	if err := errors.Join(os.MkdirAll(user, 0o700), os.WriteFile(filepath.Join(user, FileName), nil, 0o600), os.Symlink("nowhere", filepath.Join(empty, FileName))); err != nil {
		t.Fatal(err)
	}
	nowhere := t.TempDir()
	for _, test := range []struct {
		sources Sources
		want    string
	}{
		{from(nowhere, nil), ""},
		{from(here, map[string]string{"HOME": home}), filepath.Join(here, FileName)},
		{from(nowhere, map[string]string{"HOME": home}), filepath.Join(user, FileName)},
		{from(nowhere, map[string]string{"XDG_CONFIG_HOME": filepath.Dir(user), "HOME": nowhere}), filepath.Join(user, FileName)},
		{from(nowhere, map[string]string{"XDG_CONFIG_HOME": "", "HOME": home}), filepath.Join(user, FileName)},
		{from(empty, map[string]string{"HOME": home}), filepath.Join(empty, FileName)},
		{from(here, map[string]string{"QCTL_CONFIG": "other"}), "other"},
		{from(here, map[string]string{"QCTL_CONFIG": ""}), `QCTL_CONFIG "": set but empty, want a file`},
		{Sources{File: "flag", FileSet: true, Dir: here, Env: from("", map[string]string{"QCTL_CONFIG": "other"}).Env}, "flag"},
		{Sources{FileSet: true, Dir: here}, `--config "": set but empty, want a file`},
	} {
		got, err := test.sources.find()
		if err != nil {
			got = errText(t, err)
		}
		if got != test.want {
			t.Errorf("find in %s: %q, want %q", test.sources.Dir, got, test.want)
		}
	}
}

func TestContexts(t *testing.T) {
	t.Parallel()
	const content = `
context: a
redis: {url: "redis://top", username: u, passwordFile: p}
contexts:
  a: {redis: {url: "redis://a"}, prefix: pa, readOnly: true}
  b: {redis: {url: "redis://b", poolSize: 4}}
  c: {prefix: pc}
`
	type result struct {
		Context, URL, Username, Prefix string
		ReadOnly                       bool
		Err                            string
	}
	dir := place(t, content)
	for name, test := range map[string]struct {
		flag string
		env  map[string]string
		want result
	}{
		"the file's own":            {"", nil, result{"a", "redis://a", "", "pa", true, ""}},
		"the environment's":         {"", map[string]string{"QCTL_CONTEXT": "b"}, result{"b", "redis://b", "", "bull", false, ""}},
		"the flag's":                {"b", map[string]string{"QCTL_CONTEXT": "a"}, result{"b", "redis://b", "", "bull", false, ""}},
		"without redis":             {"c", nil, result{"c", "redis://top", "u", "pc", false, ""}},
		"a variable wins":           {"", map[string]string{"REDIS_URL": "redis://env"}, result{"a", "redis://env", "", "pa", true, ""}},
		"but not over a flag":       {"b", map[string]string{"REDIS_URL": "redis://env"}, result{"b", "redis://b", "", "bull", false, ""}},
		"a prefix in a variable":    {"", map[string]string{"QCTL_PREFIX": "env"}, result{"a", "redis://a", "", "env", true, ""}},
		"a variable may allow more": {"", map[string]string{"QCTL_READ_ONLY": "no"}, result{"a", "redis://a", "", "pa", false, ""}},
		"unknown":                   {"d", nil, result{Err: `context "d": the configuration file has no such context, only a, b, c`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sources := from(dir, test.env)
			sources.Context, sources.ContextSet = test.flag, test.flag != ""
			c, _, err := LoadFrom(sources)
			got := result{Err: errText(t, err)}
			if c != nil {
				got = result{c.Context, c.Redis.URL.raw(), c.Redis.Username, c.Prefix, c.ReadOnly, ""}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("context (-want +got):\n%s", diff)
			}
		})
	}
	sources := from(t.TempDir(), map[string]string{"QCTL_CONTEXT": "prod"})
	_, _, err := LoadFrom(sources)
	if diff := cmp.Diff(`context "prod": there is no configuration file that could define it`, errText(t, err)); diff != "" {
		t.Errorf("a context without a file (-want +got):\n%s", diff)
	}
}

// A broken file changes nothing for whoever holds the old configuration.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := place(t, "queues: {dev: {concurrency: 2}}\n")
	old, _, err := LoadFrom(from(dir, nil))
	if err != nil {
		t.Fatal(err)
	}
	concurrency := func(c *Config) int { q, _ := c.Queue("dev"); return q.Concurrency }
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("queues: {dev: {concurrency: 4}}\n")
	next, _, err := old.Reload()
	if err != nil || concurrency(next) != 4 || concurrency(old) != 2 {
		t.Fatalf("Reload: %v, new %d, old %d", err, concurrency(next), concurrency(old))
	}
	write("queues: {dev: {concurency: 8}}\n")
	broken, _, err := next.Reload()
	if diff := cmp.Diff(filepath.Join(dir, FileName)+":1:16: queues.dev.concurency: unknown key, did you mean concurrency?", errText(t, err)); diff != "" || broken != nil {
		t.Errorf("Reload of a broken file: %v (-want +got):\n%s", broken, diff)
	}
	if concurrency(next) != 4 {
		t.Errorf("the old configuration changed: %d", concurrency(next))
	}
	if err := os.Remove(filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	if gone, _, err := next.Reload(); err == nil {
		t.Errorf("Reload of a file that is gone: %v, want an error", gone)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	env := from("", map[string]string{"SET": "hunter2", "EMPTY": ""}).Env
	type result struct{ Shown, Address, Value, Err string }
	for text, want := range map[string]result{
		"":                                 {},
		"hunter2":                          {Shown: "***", Address: "hunter2", Value: "hunter2"},
		"env:SET":                          {Shown: "env:SET", Address: "env:SET", Value: "hunter2"},
		"env:EMPTY":                        {Shown: "env:EMPTY", Address: "env:EMPTY", Err: `environment variable "EMPTY": set but empty, and the configuration file needs it`},
		"env:NONE":                         {Shown: "env:NONE", Address: "env:NONE", Err: `environment variable "NONE": not set, but the configuration file needs it`},
		"redis://h:1/0":                    {Shown: "***", Address: "redis://h:1/0", Value: "redis://h:1/0"},
		"redis://u:hunter2@h:1/0":          {Shown: "***", Address: "redis://u:***@h:1/0", Value: "redis://u:hunter2@h:1/0"},
		"redis://:hunter2@h":               {Shown: "***", Address: "redis://:***@h", Value: "redis://:hunter2@h"},
		"redis://:hunter2@h,redis://g":     {Shown: "***", Address: "***", Value: "redis://:hunter2@h,redis://g"},
		"redis://:p%zz@h":                  {Shown: "***", Address: "***", Value: "redis://:p%zz@h"},
		"host=h password=hunter2 dbname=d": {Shown: "***", Address: "***", Value: "host=h password=hunter2 dbname=d"},
		"postgres://h/d?password=hunter2":  {Shown: "***", Address: "***", Value: "postgres://h/d?password=hunter2"},
	} {
		s := NewSecret(text)
		value, err := s.Reveal(env)
		got := result{s.String(), s.address(), value, errText(t, err)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if shown := fmt.Sprintf("%v %+v %#v %q %v", Redis{Password: s}, []Secret{s}, s, s, struct{ hidden Secret }{s}); text != "env:SET" && strings.Contains(shown, "hunter2") {
			t.Errorf("%q is printed as %s", text, shown)
		}
	}
}
