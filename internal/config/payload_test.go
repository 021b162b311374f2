package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// deep returns n arrays inside each other.
func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestCheckPayloadAccepts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"object":                     `{"a":1,"b":[true,false,null,"x"],"c":{}}`,
		"white space all around":     " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n",
		"bare string":                `"x"`,
		"bare number":                `-0`,
		"bare null":                  `null`,
		"duplicate keys":             `{"a":1,"a":2,"A":3}`,
		"above 2^53":                 `{"n":9007199254740993,"m":-18446744073709551617}`,
		"far exponent":               `[1e999,1E-999,1.5e+0,0.0]`,
		"400 digits":                 strings.Repeat("9", 400),
		"lone surrogate":             `"\ud800"`,
		"escaped NUL":                `"\u0000"`,
		"every escape":               `"\"\\\/\b\f\n\r\t\u00e9\uABCD"`,
		"invalid UTF-8":              "\"\xff\xfe\"",
		"raw DEL and C1":             "\"\x7f\u009b\"",
		"byte order mark in a text":  "\"\ufeff\"",
		"key that is long":           `{"` + strings.Repeat("k", 100) + `":1}`,
		"depth 512":                  deep(512),
		"exactly the size":           `"` + strings.Repeat("x", DefaultPayloadSize-2) + `"`,
		"quote at every word offset": `["","1","12","123","1234","12345","123456","1234567","12345678","123456789"]`,
	} {
		if err := CheckPayload([]byte(text), Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckPayloadRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		text   string
		limits Limits
		want   PayloadError
	}{
		{"empty", "", Limits{}, PayloadError{Offset: 0, Reason: "empty, want one JSON value"}},
		{"white space only", " \n", Limits{}, PayloadError{Offset: 2, Reason: "empty, want one JSON value"}},
		{"byte order mark", "\xef\xbb\xbf{}", Limits{}, PayloadError{Offset: 0, Reason: "begins with a byte order mark"}},
		{"two documents", `{} {}`, Limits{}, PayloadError{Offset: 3, Reason: "a second document, only one is allowed"}},
		{"two numbers", `1 2`, Limits{}, PayloadError{Offset: 2, Reason: "a second document, only one is allowed"}},
		{"trailing text", `{}x`, Limits{}, PayloadError{Offset: 2, Reason: "'x' after the end of the document"}},
		{"trailing NUL", "{}\x00", Limits{}, PayloadError{Offset: 2, Reason: `'\x00' after the end of the document`}},
		{"trailing bracket", `{}}`, Limits{}, PayloadError{Offset: 2, Reason: "'}' after the end of the document"}},
		{"trailing comment", `{} // x`, Limits{}, PayloadError{Offset: 3, Reason: "comments are not JSON"}},
		{"comment inside", `{/* x */"a":1}`, Limits{}, PayloadError{Offset: 1, Reason: "comments are not JSON"}},
		{"NaN", `{"a":NaN}`, Limits{}, PayloadError{Offset: 5, Reason: "NaN is not JSON"}},
		{"negative infinity", `[-Infinity]`, Limits{}, PayloadError{Offset: 2, Reason: "Infinity is not JSON"}},
		{"python", `[None]`, Limits{}, PayloadError{Offset: 1, Reason: "None is not JSON"}},
		{"single quotes", `{'a':1}`, Limits{}, PayloadError{Offset: 1, Reason: "strings and keys take double quotes"}},
		{"bare key", `{a:1}`, Limits{}, PayloadError{Offset: 1, Reason: "'a' where a key in double quotes is expected"}},
		{"comma before a brace", `{"a":1, }`, Limits{}, PayloadError{Offset: 8, Reason: "comma before the closing bracket"}},
		{"comma before a bracket", `[1,]`, Limits{}, PayloadError{Offset: 3, Reason: "comma before the closing bracket"}},
		{"double comma", `[1,,2]`, Limits{}, PayloadError{Offset: 3, Reason: "',' where a value is expected"}},
		{"missing comma", `[1 2]`, Limits{}, PayloadError{Offset: 3, Reason: "'2' where a comma or ] is expected"}},
		{"missing comma in an object", `{"a":1 "b":2}`, Limits{}, PayloadError{Offset: 7, Reason: "'\"' where a comma or } is expected"}},
		{"missing colon", `{"a" 1}`, Limits{}, PayloadError{Offset: 5, Reason: "'1' where a colon after the key is expected"}},
		{"missing value", `{"a":}`, Limits{}, PayloadError{Offset: 5, Reason: "'}' where a value is expected"}},
		{"wrong bracket", `[1}`, Limits{}, PayloadError{Offset: 2, Reason: "'}' where a comma or ] is expected"}},
		{"cut object", `{"a":1`, Limits{}, PayloadError{Offset: 6, Reason: "ends where a comma or } is expected"}},
		{"cut key", `{"a`, Limits{}, PayloadError{Offset: 3, Reason: "ends where the end of a string is expected"}},
		{"cut literal", `tru`, Limits{}, PayloadError{Offset: 0, Reason: "'t' where a value is expected"}},
		{"cut escape", `"\`, Limits{}, PayloadError{Offset: 2, Reason: "ends where an escape sequence is expected"}},
		{"cut number", `-`, Limits{}, PayloadError{Offset: 1, Reason: "ends where a digit is expected"}},
		{"cut fraction", `1.`, Limits{}, PayloadError{Offset: 2, Reason: "ends where a digit is expected"}},
		{"cut exponent", `[1e+]`, Limits{}, PayloadError{Offset: 4, Reason: "']' where a digit is expected"}},
		{"leading zero", `[012]`, Limits{}, PayloadError{Offset: 1, Reason: "number with a leading zero"}},
		{"leading plus", `+1`, Limits{}, PayloadError{Offset: 0, Reason: "'+' where a value is expected"}},
		{"hexadecimal", `0x1f`, Limits{}, PayloadError{Offset: 1, Reason: "'x' after the end of the document"}},
		{"wrong escape", `"a\x"`, Limits{}, PayloadError{Offset: 3, Reason: `'x' where one of " \ / b f n r t u after a backslash is expected`}},
		{"wrong unicode escape", `"\u12G4"`, Limits{}, PayloadError{Offset: 5, Reason: "'G' where four hexadecimal digits is expected"}},
		{"newline in a string", "\"12345678\n\"", Limits{}, PayloadError{Offset: 9, Reason: "control character inside a string, write it as an escape"}},
		{"escape code as a value", "\x1b[2J", Limits{}, PayloadError{Offset: 0, Reason: `'\x1b' where a value is expected`}},
		{"invalid UTF-8 as a value", "\xff", Limits{}, PayloadError{Offset: 0, Reason: "byte 0xff where a value is expected"}},
		{"form feed as white space", "\f1", Limits{}, PayloadError{Offset: 0, Reason: `'\f' where a value is expected`}},
		{"depth 513", deep(513), Limits{}, PayloadError{Offset: 512, Reason: "nested deeper than 512", TooLarge: true}},
		{"depth 10,001 of a million", strings.Repeat("[", 1_000_000), Limits{}, PayloadError{Offset: 512, Reason: "nested deeper than 512", TooLarge: true}},
		{"own depth", `[{"a":[]}]`, Limits{Depth: 2}, PayloadError{Offset: 6, Reason: "nested deeper than 2", TooLarge: true}},
		{"own size", `[1,2]`, Limits{Size: 4}, PayloadError{Offset: 4, Reason: "5 bytes, at most 4 are allowed", TooLarge: true}},
		{
			"default size", `"` + strings.Repeat("x", DefaultPayloadSize-1) + `"`,
			Limits{},
			PayloadError{Offset: DefaultPayloadSize, Reason: "10485761 bytes, at most 10485760 are allowed", TooLarge: true},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := CheckPayload([]byte(test.text), test.limits)
			got, ok := errors.AsType[*PayloadError](err)
			if !ok {
				t.Fatalf("got %v, want a PayloadError", err)
			}
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if !errors.Is(err, ErrInvalid) {
				t.Error("does not match ErrInvalid")
			}
		})
	}
}

func TestPayloadErrorText(t *testing.T) {
	t.Parallel()
	got := errText(t, CheckPayload([]byte(`{"a":1}}`), Limits{}))
	if diff := cmp.Diff("payload is not acceptable JSON at offset 7: '}' after the end of the document", got); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// The check runs for every line of a bulk file.
func TestCheckPayloadAllocatesNothing(t *testing.T) {
	data := []byte(`{"queueId":"42","priority":3,"note":"a \"b\" c","n":[1,2.5,{"x":null}]}`)
	if n := testing.AllocsPerRun(100, func() {
		if err := CheckPayload(data, Limits{}); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a good payload, want 0", n)
	}
}

// CheckPayload agrees with encoding/json on everything within its limits.
func FuzzCheckPayload(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `null`, `{"a":[1,-0.5e+9,"\u00e9\n",{}]}`, `{"a":1,"a":2}`, `[1,]`, `{"a":1}{}`, "\xef\xbb\xbf1", `"\ud800"`,
		"\"\xff\"", `01`, `-`, `1e`, `tru`, `"12345678\"9"`, "\"1234567\x1f\"", deep(20), deep(21), `// x`, "[\"\x00\"]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const maxDepth = 20
		err := CheckPayload(data, Limits{Depth: maxDepth})
		valid := json.Valid(data)
		if err == nil {
			if !valid {
				t.Fatalf("accepted %q, encoding/json does not", data)
			}
			return
		}
		refused, ok := errors.AsType[*PayloadError](err)
		if !ok {
			t.Fatalf("refused %q with %T, want a PayloadError", data, err)
		}
		if refused.Offset < 0 || refused.Offset > int64(len(data)) {
			t.Fatalf("offset %d of %d bytes", refused.Offset, len(data))
		}
		if bytes.ContainsFunc([]byte(refused.Error()), func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 }) {
			t.Fatalf("control character in %q", refused.Error())
		}
		switch deepest := depth(data); {
		case refused.TooLarge && deepest <= maxDepth:
			t.Fatalf("refused %q as too deep, it is %d", data, deepest)
		case !refused.TooLarge && valid:
			t.Fatalf("refused %q, encoding/json does not: %v", data, err)
		}
	})
}

// depth counts open brackets outside strings, for as far as data makes sense.
func depth(data []byte) int {
	deepest, now, inText := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case !inText && (c == '[' || c == '{'):
			now++
			deepest = max(deepest, now)
		case !inText && (c == ']' || c == '}'):
			now--
		}
	}
	return deepest
}

func BenchmarkCheckPayload(b *testing.B) {
	small := `{"queueId":"0f8fad5b-d9cb-469f-a165-70867728950e","priority":3,"userId":"7c9e6679-7425-40de-944b-e07fc1f90ae7"}`
	for name, text := range map[string]string{
		"small":   small,
		"records": "[" + strings.Repeat(small+",\n  ", 1000) + "null]",
		"text":    `{"html":"` + strings.Repeat("The quick brown fox jumps over the lazy dog. ", 1000) + `"}`,
		"numbers": "[" + strings.Repeat("123456,-1.5e9,", 1000) + "0]",
	} {
		b.Run(name, func(b *testing.B) {
			data := []byte(text)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := CheckPayload(data, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
