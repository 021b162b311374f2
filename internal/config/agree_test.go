package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// goodTexts are values for the texts that have rules, by the end of their path.
var goodTexts = map[string]string{
	"url": "http://h", "schema": "builtin:email", "pattern": "* * * * *", "tz": "UTC", "context": "abc", "queue": "dev",
	"redis.url": "redis://h", "smtp.url": "smtp://h", "from": "a@example.com", "every": "5m", "env[0]": "ABC",
}

// together are keys that a built-in queue has and one of its own must give, so
// that a schema cannot ask for them.
var together = map[string]map[string]any{
	"limiter":  {"max": 1, "duration": "5m"},
	"backoff":  {"type": "fixed"},
	"priority": {"max": 10},
}

// unsayable are bad values whose rule is beyond a pattern: a length of time that
// no clock holds.
func unsayable(s *shape, value any) bool { return s.kind == durationKind && value == "99999999999h" }

// sample is a value that a shape takes, at a path.
func sample(s *shape, path string) any {
	switch s.kind {
	case objectKind:
		return sampleObject(s, path, "", nil)
	case mapKind:
		return map[string]any{"abc": sample(s.of, path+".abc")}
	case listKind:
		return []any{sample(s.of, path+"[0]")}
	case integerKind, numberKind:
		return s.least
	case booleanKind:
		return true
	case durationKind:
		if strings.HasSuffix(path, ".offset") { // less than the interval
			return "1m"
		}
		return "5m"
	case timeKind:
		return "2026-12-31T09:00:00Z"
	case anyKind:
		return map[string]any{"expiresAt": "2026-12-31T09:00:00Z"}
	}
	if len(s.words) > 0 {
		return s.words[0]
	}
	if s.kind == addressKind && strings.HasSuffix(path, "redis.url") {
		return goodTexts["redis.url"]
	}
	best := ""
	for end := range goodTexts {
		if (path == end || strings.HasSuffix(path, "."+end)) && len(end) > len(best) {
			best = end
		}
	}
	if best != "" {
		return goodTexts[best]
	}
	return "abc"
}

// sampleObject is an object with what it must have, and one key with a value.
func sampleObject(s *shape, path, name string, value any) map[string]any {
	object := map[string]any{}
	maps.Copy(object, together[path[strings.LastIndexByte(path, '.')+1:]])
	for _, required := range s.required {
		object[required] = sample(&s.key(required).shape, join(path, required))
	}
	one := slices.Clone(s.one)
	for _, need := range s.needs {
		if need.key == name {
			object[need.other] = sample(&s.key(need.other).shape, join(path, need.other))
			one = slices.DeleteFunc(one, func(key string) bool { return key == need.other || key == name })
			if len(one) < len(s.one) {
				one = nil
			}
		}
	}
	if len(one) > 0 && !slices.Contains(s.one, name) {
		object[s.one[0]] = sample(&s.key(s.one[0]).shape, join(path, s.one[0]))
	}
	if name != "" {
		object[name] = value
	}
	return object
}

// badFor are values that a shape does not take.
func badFor(s *shape) []any {
	bad := []any{
		json.Number("1.5"), true, "", "x y\n",
		[]any{},
		[]any{json.Number("1")},
		map[string]any{"nosuchkey": true},
		nil,
		json.Number("-1"), json.Number("1e400"), json.Number("99999999999999999999"), "NaN", "99999999999h", "-5s", "P1Y",
	}
	if s.kind == integerKind {
		bad = append(bad, json.Number(strconv.FormatInt(s.least-1, 10)))
		if s.most > 0 {
			bad = append(bad, json.Number(strconv.FormatInt(s.most+1, 10)))
		}
	}
	if s.kind == durationKind && s.least > 0 {
		bad = append(bad, "0s", json.Number("0"))
	}
	return bad
}

// takes reports whether values of a kind may be accepted although they are on
// the list of bad ones: the list is for all kinds.
func takes(s *shape, value any) bool {
	switch v := value.(type) {
	case nil:
		return s.nullable
	case bool:
		return s.kind == booleanKind
	case string:
		return s.kind == textKind || s.kind == secretKind || s.kind == addressKind
	case json.Number:
		f, err := v.Float64()
		return s.kind == numberKind && err == nil && f >= float64(s.least) && f <= float64(s.most)
	case []any:
		return s.kind == listKind
	}
	return s.kind == anyKind || s.kind == mapKind && s.of.kind == anyKind
}

// For each key of the file a good value is good for the JSON Schema and for the
// reader, and no value is good for one of them alone unless its rule is one that
// a schema cannot say.
func TestSchemaAgreesOnEveryKey(t *testing.T) {
	t.Parallel()
	schema, err := CompileSchema(FileName, FileSchema())
	if err != nil {
		t.Fatal(err)
	}
	root := fileShape()
	keys := 0
	check := func(path string, document map[string]any, value any, s *shape, good bool) {
		t.Helper()
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		bySchema, byReader := schema.Validate(text), problemsOf(t, string(text), nil)
		switch {
		case good && (bySchema != nil || byReader != nil):
			t.Errorf("%s = %v is good: the schema says %v, the reader %v\n%s", path, value, bySchema, byReader, text)
		case !good && s.kind != anyKind && !takes(s, value) && (bySchema == nil && !unsayable(s, value) || byReader == nil):
			t.Errorf("%s = %#v is bad: the schema says %v, the reader %v", path, value, bySchema, byReader)
		case bySchema != nil && byReader == nil:
			t.Errorf("%s = %#v: only the schema refuses it: %v", path, value, bySchema)
		}
	}
	// walk goes through the shapes; wrap puts a value for this place in a whole
	// document.
	var walk func(s *shape, path string, wrap func(value any) map[string]any)
	walk = func(s *shape, path string, wrap func(value any) map[string]any) {
		keys++
		good := sample(s, path)
		check(path, wrap(good), good, s, true)
		for _, bad := range badFor(s) {
			check(path, wrap(bad), bad, s, false)
		}
		switch s.kind {
		case objectKind:
			for i := range s.keys {
				k := &s.keys[i]
				walk(&k.shape, join(path, k.name), func(value any) map[string]any { return wrap(sampleObject(s, path, k.name, value)) })
			}
		case mapKind:
			walk(s.of, join(path, "abc"), func(value any) map[string]any { return wrap(map[string]any{"abc": value}) })
		case listKind:
			walk(s.of, path+"[0]", func(value any) map[string]any { return wrap([]any{value}) })
		}
	}
	for i := range root.keys {
		k := &root.keys[i]
		walk(&k.shape, k.name, func(value any) map[string]any {
			document := map[string]any{k.name: value}
			if k.name == "context" {
				document["contexts"] = map[string]any{"abc": map[string]any{}}
			}
			return document
		})
	}
	if keys < 100 {
		t.Errorf("%d keys: the walk has missed some", keys)
	}
}
