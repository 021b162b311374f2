package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("9", 5000)
	tests := []struct {
		name    string
		schema  string
		payload string
		want    []Problem
	}{
		{"no schema", "", `[1]`, nil},
		{"email", "builtin:email", `{"queueId":"42","priority":10,"userId":"7","to":"a@example.com"}`, nil},
		{"email least", "email", `{"queueId":""}`, nil},
		{"email without queueId", "builtin:email", `{}`, []Problem{{"$.queueId", "required"}}},
		{"email not an object", "builtin:email", `"x"`, []Problem{{"$", "type: got string, want object"}}},
		{
			"email, all at once", "builtin:email", `{"queueId":9007199254740993,"priority":11,"userId":{}}`,
			[]Problem{
				{"$.priority", "maximum: got 11, want at most 10"},
				{"$.queueId", "type: got number, want string"},
				{"$.userId", "type: got object, want null or integer or string"},
			},
		},
		{"email priority fraction", "builtin:email", `{"queueId":"1","priority":1.5}`, []Problem{{"$.priority", "type: got number, want integer"}}},
		{"email priority below", "builtin:email", `{"queueId":"1","priority":-1}`, []Problem{{"$.priority", "minimum: got -1, want at least 0"}}},
		{
			"orchestration", "builtin:orchestration",
			`{"projectId":"p","triggeredBy":"cron","jobType":"batch","userId":null,"priority":0,"agentSlug":"a","context":{"x":1}}`, nil,
		},
		{
			"orchestration empty", "builtin:orchestration", `{}`,
			[]Problem{{"$.jobType", "required"}, {"$.projectId", "required"}, {"$.triggeredBy", "required"}},
		},
		{
			"orchestration wrong words", "builtin:orchestration",
			`{"projectId":"p","triggeredBy":"me","jobType":"Batch","context":[]}`,
			[]Problem{
				{"$.context", "type: got array, want object"},
				{"$.jobType", "enum: want one of batch, single_agent, github_analysis, retry"},
				{"$.triggeredBy", "enum: want one of cron, webhook, manual, api, system"},
			},
		},
		{
			"role with extras", "builtin:role",
			`{"ticketId":9007199254740993,"tenantId":"t","roleSlug":"dev","attempt":1,"skills":["go"],"subagentSlug":null,"branch":"x"}`, nil,
		},
		{"role empty", "builtin:role", `{}`, nil},
		{
			"role wrong", "builtin:role", `{"attempt":0,"skills":["go",1,null],"subagentSlug":5}`,
			[]Problem{
				{"$.attempt", "minimum: got 0, want at least 1"},
				{"$.skills[1]", "type: got number, want string"},
				{"$.skills[2]", "type: got null, want string"},
				{"$.subagentSlug", "type: got number, want null or string"},
			},
		},
		{"number above 2^53 in an error", "builtin:email", `{"queueId":"1","priority":9007199254740993}`, []Problem{
			{"$.priority", "maximum: got 9007199254740993, want at most 10"},
		}},
		{"endless exponent", "builtin:email", `{"queueId":"1","priority":1e99999999999999999999}`, []Problem{
			{"$.priority", "maximum: got +Inf, want at most 10"},
		}},
		{"endless negative exponent", "builtin:email", `{"queueId":"1","priority":1e-99999999}`, []Problem{
			{"$.priority", "type: got number, want integer"},
		}},
		{"zero with an endless exponent", "builtin:email", `{"queueId":"1","priority":0e99999999}`, nil},
		{"many digits", "builtin:role", `{"attempt":` + huge + `}`, nil},
		{"many negative digits", "builtin:role", `{"attempt":-` + huge + `}`, []Problem{
			{"$.attempt", "minimum: got -Inf, want at least 1"},
		}},
		{"the last of duplicate keys counts", "builtin:email", `{"queueId":1,"queueId":"1"}`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := Validate(test.schema, []byte(test.payload))
			var got []Problem
			if errText(t, err) != "" {
				broken, ok := errors.AsType[*SchemaError](err)
				if !ok {
					t.Fatalf("got %v, want a SchemaError", err)
				}
				got = broken.Problems
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidateOtherErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, schema, payload, want string }{
		{"unknown schema", "builtin:mail", `{}`, `schema "builtin:mail": want builtin:email, builtin:orchestration or builtin:role`},
		{"not JSON", "builtin:email", `{"queueId":}`, "payload is not acceptable JSON at offset 11: '}' where a value is expected"},
		{"two documents", "builtin:email", `{} {}`, "payload is not acceptable JSON at offset 3: a second document, only one is allowed"},
		{"trailing text", "builtin:email", `{"queueId":"1"}x`, "payload is not acceptable JSON at offset 15: 'x' after the end of the document"},
		{"too deep to decode", "builtin:role", `{"x":` + deep(20000) + `}`, "payload is not acceptable JSON at offset 516: nested deeper than 512"},
		{"list of problems", "builtin:email", `{"priority":11}`, "payload breaks its schema: $.priority: maximum: got 11, want at most 10; $.queueId: required"},
		{
			"long list of problems", "builtin:role", `{"skills":[` + strings.Repeat("1,", 11) + `1]}`,
			"payload breaks its schema: " +
				"$.skills[0]: type: got number, want string; $.skills[10]: type: got number, want string; " +
				"$.skills[11]: type: got number, want string; $.skills[1]: type: got number, want string; " +
				"$.skills[2]: type: got number, want string; $.skills[3]: type: got number, want string; " +
				"$.skills[4]: type: got number, want string; $.skills[5]: type: got number, want string; " +
				"$.skills[6]: type: got number, want string; $.skills[7]: type: got number, want string; and 2 more",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, errText(t, Validate(test.schema, []byte(test.payload)))); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompileSchema(t *testing.T) {
	t.Parallel()
	schema, err := CompileSchema("own.json", []byte(`{
		"properties": {
			"a": {"minLength": 2, "maxLength": 3, "pattern": "^[a-z]+$"},
			"b": {"anyOf": [{"type": "string"}, {"minimum": 5}]},
			"c": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
			"d": {"const": "x"},
			"e": {"minItems": 1, "maxItems": 2, "uniqueItems": true},
			"f": {"exclusiveMinimum": 0.5, "exclusiveMaximum": 1000},
			"g": {"not": {"type": "null"}},
			"i": {"multipleOf": 3, "maximum": 1e99999999},
			"j": false,
			"k": {"$ref": "#/$defs/word"}
		},
		"additionalProperties": false,
		"$defs": {"word": {"type": "string"}}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	err = schema.Validate([]byte(`{"a":"X","b":1,"c":1,"d":"y","e":[],"f":0.5,"g":null,"i":4,"j":1,"k":1,"odd \u001b key":1,"0":1}`))
	broken, ok := errors.AsType[*SchemaError](err)
	if !ok {
		t.Fatalf("got %v, want a SchemaError", err)
	}
	want := []Problem{
		{"$.a", "minLength: got 1, want at least 2"},
		{"$.a", `pattern: got "X", want ^[a-z]+$`},
		{"$.b", "anyOf: none of the alternatives holds"},
		{"$.c", "oneOf: want exactly one of the alternatives to hold"},
		{"$.d", "const: want x"},
		{"$.e", "minItems: got 0, want at least 1"},
		{"$.f", "exclusiveMinimum: got 0.5, want more than 0.5"},
		{"$.g", "not: want the opposite to hold"},
		{"$.i", "multipleOf"},
		{"$.j", "not allowed"},
		{"$.k", "type: got number, want string"},
		{`$["odd \x1b key"]`, "additionalProperties: not allowed"},
		{"$[0]", "additionalProperties: not allowed"},
	}
	if diff := cmp.Diff(want, broken.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	err = schema.Validate([]byte(`{"a":"abcd","e":[1,2,3],"f":1000.5}`))
	if broken, ok = errors.AsType[*SchemaError](err); !ok {
		t.Fatalf("got %v, want a SchemaError", err)
	}
	want = []Problem{
		{"$.a", "maxLength: got 4, want at most 3"},
		{"$.e", "maxItems: got 3, want at most 2"},
		{"$.f", "exclusiveMaximum: got 1000.5, want less than 1000"},
	}
	if diff := cmp.Diff(want, broken.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestCompileSchemaRefuses(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"not JSON":         `{`,
		"not a schema":     `{"type":"text"}`,
		"number as schema": `5`,
		"other file":       `{"$ref":"file:///etc/passwd"}`,
		"network":          `{"$ref":"https://example.com/schema.json"}`,
		"bad pattern":      `{"pattern":"("}`,
	} {
		schema, err := CompileSchema("own.json", []byte(document))
		if errText(t, err) == "" {
			t.Errorf("%s: compiled %v", name, schema)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	data := []byte(`{"queueId":"0f8fad5b-d9cb-469f-a165-70867728950e","priority":3,"userId":"7c9e6679-7425-40de-944b-e07fc1f90ae7"}`)
	if err := Validate("builtin:email", data); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := Validate("builtin:email", data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompileSchema(b *testing.B) {
	for b.Loop() {
		if _, err := compileFile("email"); err != nil {
			b.Fatal(err)
		}
	}
}
