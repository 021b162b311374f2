package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// The schema in docs is for editors that take it from there.
func TestSchemaFileIsFresh(t *testing.T) {
	t.Parallel()
	const name = "../../docs/qctl.schema.json"
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(FileSchema()), string(got)); diff != "" {
		t.Errorf("docs/qctl.schema.json is stale, run make generate (-want +got):\n%s", diff)
	}
}

// validBySchema asks the JSON Schema about a YAML text.
func validBySchema(t testing.TB, schema *Schema, content string) error {
	t.Helper()
	document, err := yaml.YAMLToJSON([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	if string(bytes.TrimSpace(document)) == "null" {
		document = []byte("{}")
	}
	return schema.Validate(document)
}

// What the schema refuses the reader refuses, and the other way round, but for
// rules that a schema cannot say.
func TestSchemaAgreesWithReading(t *testing.T) {
	t.Parallel()
	schema, err := CompileSchema(FileName, FileSchema())
	if err != nil {
		t.Fatal(err)
	}
	for content, valid := range map[string]bool{
		Template():                 true,
		"version: 1":               true,
		"version: 2":               false,
		"version: \"1\"":           false,
		"versio: 1":                false,
		"readOnly: true":           true,
		"readOnly: 1":              false,
		"redis: {db: -1}":          false,
		"redis: {sentinel: {}}":    false,
		"redis: {poolSize: 10000}": true,
		"redis: {poolSize: 10001}": false,
		"contexts: {a: {prefix: x, redis: {cluster: true}}}":                                       true,
		"contexts: {a: {queues: {}}}":                                                              false,
		"protected: []":                                                                            true,
		"protected: [\"\"]":                                                                        false,
		"defaults: {output: wide, color: auto, timeout: 1h30m}":                                    true,
		"defaults: {output: wider}":                                                                false,
		"defaults: {timeout: 0}":                                                                   true,
		"defaults: {timeout: 1}":                                                                   false,
		"defaults: {timeout: soon}":                                                                false,
		"defaults: {timeout: P1DT2H}":                                                              true,
		"queues: {dev: null, email: {limiter: null, schema: null}}":                                true,
		"queues: {dev: {name: null}}":                                                              false,
		"queues: {dev: {backoff: {type: fixed, delay: 1.5d, jitter: 0.25}}}":                       true,
		"queues: {dev: {backoff: {jitter: 1.01}}}":                                                 false,
		"queues: {dev: {concurrency: 10001}}":                                                      false,
		"queues: {dev: {concurrency: 1.5}}":                                                        false,
		"queues: {dev: {handler: {stdio: [a, b], env: [A]}}}":                                      true,
		"queues: {dev: {handler: {stdio: [a], program: [b]}}}":                                     false,
		"queues: {dev: {handler: {}}}":                                                             false,
		"queues: {dev: {onFailed: {http: {url: \"http://h\", timeout: 1s}}}}":                      true,
		"queues: {dev: {onFailed: {http: {}}}}":                                                    false,
		"queues: {dev: {record: {postgres: \"env:D\", query: q}}}":                                 true,
		"queues: {dev: {record: {postgres: \"env:D\"}}}":                                           false,
		"schedules: [{queue: q, id: i, every: 5m, data: [1, {}], opts: {lifo: true}}]":             true,
		"schedules: [{queue: q, id: i, pattern: \"* * * * *\", limit: 0}]":                         false,
		"schedules: [{queue: q, id: i, every: 5m, startDate: 2026-01-01}]":                         false,
		"schedules: [{queue: q, id: i, every: 5m, startDate: \"2026-01-01T00:00:00.5+01:00\"}]":    true,
		"schedules: [{queue: q, id: i, every: 5m, pattern: x}]":                                    false,
		"schedules: {queue: q}":                                                                    false,
		"queues: {dev: {keep: {completed: {age: 24h, count: 0}, failed: {}}, priority: {max: 9}}}": true,
		"queues: {dev: {keep: {active: {}}}}":                                                      false,
	} {
		reads := problemsOf(t, content, nil)
		bySchema := validBySchema(t, schema, content)
		if (bySchema == nil) != valid || (reads == nil) != valid {
			t.Errorf("%q: the schema says %v, reading says %v, want valid: %v", content, bySchema, reads, valid)
		}
	}
}

// The file that qctl init writes is the built-in table in other words.
func TestTemplateChangesNothing(t *testing.T) {
	t.Parallel()
	dir := place(t, Template())
	for _, env := range []map[string]string{nil, {"QCTL_PREFIX": "other", "BULLMQ_CONCURRENCY_DEV": "7"}} {
		got, warnings, err := LoadFrom(from(dir, env))
		if err != nil || warnings != nil {
			t.Fatalf("LoadFrom: %v, warnings %v", err, warnings)
		}
		want := mustLoad(t, env)
		want.File = filepath.Join(dir, FileName)
		if diff := cmp.Diff(want, got, ignoreOrigins); diff != "" {
			t.Errorf("environment %v (-want +got):\n%s", env, diff)
		}
	}
}

// The comments of the template are settings that can be switched on.
func TestTemplateExamplesAreValid(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for line := range strings.Lines(Template()) {
		trimmed := strings.TrimLeft(line, " ")
		indent := line[:len(line)-len(trimmed)]
		if setting, ok := strings.CutPrefix(trimmed, "# "); ok && strings.Contains(setting, ":") && !strings.HasPrefix(setting, "yaml-language-server") &&
			(strings.HasPrefix(setting, " ") || setting[0] >= 'a' && setting[0] <= 'z') && !strings.HasPrefix(setting, "this file") {
			line = indent + setting
		}
		text.WriteString(line)
	}
	if got := problemsOf(t, text.String(), map[string]string{"PROD_PASSWORD": "x"}); got != nil {
		t.Errorf("errors in\n%s\n%s", text.String(), strings.Join(got, "\n"))
	}
}

// What config view prints can be read back, and means the same.
func TestViewReadsBack(t *testing.T) {
	t.Parallel()
	const content = `
redis: {url: "redis://u@h:1", password: "env:P", sentinel: {name: s}, tls: {insecure: true}, dialTimeout: 1500ms, poolSize: 3}
protected: ["*", "yes", "a b", "1"]
defaults: {prefix: "{x}", timeout: 90s}
queues:
  dev: null
  "a \u00e9\U0001F600": {name: "null", limiter: null, handler: {http: {url: "http://h/?a=b&c", timeout: 1s}}, timeout: 36h}
  "12": {record: {postgres: "env:D", query: "select \"x\" -- 'y'\n  where 1", args: []}, onFailed: {program: ["./x", "-"]}}
  mail: {handler: {smtp: {url: "env:S", from: "A <a@b>"}}}
  io: {handler: {stdio: [node, "a: b", "#c"], env: [A, B]}, backoff: {type: fixed, delay: 0, jitter: 0.1}}
schedules:
  - {queue: dev, id: "1", every: 1d, data: {"a\tb": "\u2028<&>", n: 1e400}, startDate: "2026-01-01T00:00:00.5Z"}
  - {queue: dev, id: x, pattern: "*/5 * * * *"}
`
	first, _, err := LoadFrom(from(place(t, content), nil))
	if err != nil {
		t.Fatal(err)
	}
	text := YAML(first.Settings())
	second, _, err := LoadFrom(from(place(t, text), nil))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	first.File, second.File = "", ""
	for _, c := range []*Config{first, second} { // the folders differ
		for i := range c.Queues {
			if f := c.Queues[i].OnFailed; f != nil && f.Program != nil {
				f.Program[0] = filepath.Base(f.Program[0])
			}
		}
	}
	if diff := cmp.Diff(first, second, ignoreOrigins); diff != "" {
		t.Errorf("read back (-want +got):\n%s\n%s", diff, text)
	}
	if !json.Valid(MarshalSettings(first.Settings())) {
		t.Errorf("not JSON: %s", MarshalSettings(first.Settings()))
	}
}

// Whatever a file holds, reading it ends with a configuration or with errors
// that have a place, and what was read can be written and read again.
func FuzzLoadFile(f *testing.F) {
	for _, seed := range []string{
		"", everything, Template(), "queues: {dev: null}", "a: &a [*a]", "? [a]\n: b", "- - -", "\xef\xbb\xbf", "<<: {a: 1}", "version: 1\n---\n", "queues:\n  x: &x {}\n  y: *x\n",
		"redis: {url: 'redis://:x@h'}", "schedules: [{queue: a, id: b, every: 1s, data: {\"\": ~}}]", "a: |\n x\n", "\"\\x\": 1", "{", "'", "%YAML 1.2\n---\nversion: 1", "&a", "*", "!", "version: !!int 1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		load := func(data []byte) (*Config, error) {
			c := builtin()
			layer := &fileLayer{config: c, problems: &problems{file: FileName}, dir: "."}
			layer.load(data)
			return c, layer.problems.err()
		}
		c, err := load(data)
		if err != nil {
			if at, ok := errors.AsType[*FileError](err); !ok || at.Rule == "" || at.Line < 0 {
				t.Errorf("%q: %#v", data, err)
			}
			return
		}
		for _, q := range c.Queues {
			if q.Priority.Check() != nil || q.Concurrency < 1 || q.Attempts < 1 || q.LockDuration <= 0 {
				t.Errorf("%q leads to %+v", data, q)
			}
		}
		text := YAML(c.Settings())
		if _, err := load([]byte(text)); err != nil {
			t.Errorf("%q is written as\n%s\n%v", data, text, err)
		}
	})
}
