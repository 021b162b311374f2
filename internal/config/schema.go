package config

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

//go:embed schemas/*.json
var schemaFiles embed.FS

// builtinPrefix marks the schemas that are part of the program.
const builtinPrefix = "builtin:"

// The built-in schemas are compiled on first use: most commands never need one.
var (
	emailSchema         = sync.OnceValues(func() (*Schema, error) { return compileFile("email") })
	orchestrationSchema = sync.OnceValues(func() (*Schema, error) { return compileFile("orchestration") })
	roleSchema          = sync.OnceValues(func() (*Schema, error) { return compileFile("role") })
)

// Schema is a compiled JSON Schema, safe for use by many goroutines.
type Schema struct {
	compiled *jsonschema.Schema
}

// Problem is one rule that a payload breaks.
type Problem struct {
	Path string // of the value, or of the missing one: $.context.tags[2]
	Rule string // keyword and what it asks for: "maximum: got 11, want at most 10"
}

// SchemaError is a payload that breaks its queue's schema.
type SchemaError struct {
	Problems []Problem // at least one, ordered by path
}

// shownProblems bounds the problems that an error's text lists.
const shownProblems = 10

// Error lists the problems, at most ten of them.
func (e *SchemaError) Error() string {
	var text strings.Builder
	text.WriteString("payload breaks its schema: ")
	for i, p := range e.Problems {
		if i == shownProblems {
			fmt.Fprintf(&text, "; and %d more", len(e.Problems)-i)
			break
		}
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(p.Path + ": " + p.Rule)
	}
	return text.String()
}

// Is reports whether target is ErrInvalid.
func (e *SchemaError) Is(target error) bool { return target == ErrInvalid }

// Validate checks a payload against a schema of the configuration, `builtin:email`
// or a file, which it reads; an empty name accepts everything. The error is a
// SchemaError with every broken rule, a PayloadError where data is not JSON, a
// ValueError for an unknown name, or a FileError for an unusable file.
func Validate(schema string, data []byte) error {
	if schema == "" {
		return nil
	}
	compiled, err := LoadSchema(schema)
	if err != nil {
		return err
	}
	return compiled.Validate(data)
}

// BuiltinSchema returns the built-in schema called name, with or without
// `builtin:` before it.
func BuiltinSchema(name string) (*Schema, error) {
	switch strings.TrimPrefix(name, builtinPrefix) {
	case "email":
		return emailSchema()
	case "orchestration":
		return orchestrationSchema()
	case "role":
		return roleSchema()
	}
	return nil, &ValueError{What: "schema", Value: name, Want: "want builtin:email, builtin:orchestration or builtin:role"}
}

// CompileSchema compiles a JSON Schema document, draft 2020-12 unless it says
// otherwise. name stands for it in errors. References to other files or to the
// network are refused.
func CompileSchema(name string, document []byte) (*Schema, error) {
	doc, err := decode(document)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", quote(name), err)
	}
	const url = "qctl:///schema.json"
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	if err := compiler.AddResource(url, doc); err != nil {
		return nil, fmt.Errorf("schema %s: %w", quote(name), err)
	}
	compiled, err := compiler.Compile(url)
	if err != nil {
		return nil, &ValueError{What: "schema", Value: name, Want: "is not a valid JSON Schema: " + err.Error()}
	}
	return &Schema{compiled}, nil
}

func compileFile(name string) (*Schema, error) {
	document, err := schemaFiles.ReadFile("schemas/" + name + ".json")
	if err != nil {
		return nil, err
	}
	return CompileSchema(builtinPrefix+name, document)
}

// Validate checks a payload and returns a SchemaError with every broken rule, or
// a PayloadError where data is not JSON.
func (s *Schema) Validate(data []byte) error {
	value, err := decode(data)
	if err != nil {
		return err
	}
	err = s.compiled.Validate(value)
	if broken, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		found := &SchemaError{}
		found.collect(broken)
		slices.SortFunc(found.Problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Rule, b.Rule))
		})
		found.Problems = slices.Compact(found.Problems)
		return found
	}
	return err
}

// decode reads data for validation only. Numbers keep their digits, so integers
// above 2^53 are compared exactly.
func decode(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, cmp.Or(CheckPayload(data, Limits{}), err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, cmp.Or(CheckPayload(data, Limits{}), err)
	}
	return boundNumbers(value), nil
}

// collect appends the rules that from and its causes stand for.
func (e *SchemaError) collect(from *jsonschema.ValidationError) {
	at := from.InstanceLocation
	switch k := from.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not:
		// The rules of the alternatives need not all hold, so they are not listed.
		e.add(at, ruleText(from.ErrorKind))
		return
	case *kind.Required:
		for _, name := range k.Missing {
			e.add(append(slices.Clone(at), name), "required")
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			e.add(append(slices.Clone(at), name), "additionalProperties: not allowed")
		}
	default:
		if len(from.Causes) == 0 {
			e.add(at, ruleText(from.ErrorKind))
		}
	}
	for _, cause := range from.Causes {
		e.collect(cause)
	}
}

func (e *SchemaError) add(location []string, rule string) {
	e.Problems = append(e.Problems, Problem{jsonPath(location), rule})
}

// ruleText names a broken rule by its keyword, and says what the common ones
// want. The library's own texts are not used: they print numbers as floats.
func ruleText(rule jsonschema.ErrorKind) string {
	switch k := rule.(type) {
	case *kind.Type:
		return fmt.Sprintf("type: got %s, want %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.Enum:
		want := make([]string, len(k.Want))
		for i, value := range k.Want {
			want[i] = fmt.Sprint(value)
		}
		return "enum: want one of " + strings.Join(want, ", ")
	case *kind.Const:
		return fmt.Sprintf("const: want %v", k.Want)
	case *kind.Minimum:
		return fmt.Sprintf("minimum: got %s, want at least %s", decimal(k.Got), decimal(k.Want))
	case *kind.Maximum:
		return fmt.Sprintf("maximum: got %s, want at most %s", decimal(k.Got), decimal(k.Want))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("exclusiveMinimum: got %s, want more than %s", decimal(k.Got), decimal(k.Want))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("exclusiveMaximum: got %s, want less than %s", decimal(k.Got), decimal(k.Want))
	case *kind.MinLength:
		return fmt.Sprintf("minLength: got %d, want at least %d", k.Got, k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("maxLength: got %d, want at most %d", k.Got, k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("minItems: got %d, want at least %d", k.Got, k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("maxItems: got %d, want at most %d", k.Got, k.Want)
	case *kind.Pattern:
		return fmt.Sprintf("pattern: got %s, want %s", quote(k.Got), k.Want)
	case *kind.AnyOf:
		return "anyOf: none of the alternatives holds"
	case *kind.OneOf:
		return "oneOf: want exactly one of the alternatives to hold"
	case *kind.Not:
		return "not: want the opposite to hold"
	case *kind.FalseSchema:
		return "not allowed"
	}
	return cmp.Or(strings.Join(rule.KeywordPath(), "/"), "not valid")
}

// decimal prints a number of a rule, exactly where that is short.
func decimal(n *big.Rat) string {
	if n.IsInt() && n.Num().BitLen() <= 256 {
		return n.Num().String()
	}
	f, _ := new(big.Float).SetRat(n).Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// jsonPath writes a location as $.a.b[0]["odd key"]. Keys come from the payload,
// so all but plain words are quoted. The library does not tell an index from a
// key of digits; both are written in brackets.
func jsonPath(location []string) string {
	var path strings.Builder
	path.WriteByte('$')
	for _, step := range location {
		switch {
		case isDigits(step) && len(step) < 10:
			path.WriteString("[" + step + "]")
		case isWord(step):
			path.WriteString("." + step)
		default:
			path.WriteString("[" + quote(step) + "]")
		}
	}
	return path.String()
}

func isWord(text string) bool {
	for i, r := range text {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return text != "" && len(text) <= shownBytes
}
