package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// durationPattern is what the JSON Schema says of durations; the units of
// ParseDuration, without ISO 8601.
const durationPattern = `^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+|P[0-9DWTHMS.,]+)$`

// timePattern is there because few validators look at formats.
const timePattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})$`

// FileSchema returns the JSON Schema (draft 2020-12) of the configuration file,
// made from the table that the file is read by. What no schema can say, such as
// that a default lies within its scale, is left to reading.
func FileSchema() []byte {
	whole := fileShape()
	root := ordered{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", FileName},
	}
	root = append(root, whole.schema()...)
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil { // texts and numbers always marshal
		return nil
	}
	return append(text, '\n')
}

// ordered is an object that keeps the order of its members.
type ordered []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o ordered) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		out.WriteString(strconv.Quote(m.name) + ":")
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// schema says in JSON Schema what the shape accepts.
func (s *shape) schema() ordered {
	var o ordered
	if s.doc != "" {
		o = append(o, member{"description", s.doc})
	}
	kind := func(name string) {
		if s.nullable {
			o = append(o, member{"type", []string{name, "null"}})
			return
		}
		o = append(o, member{"type", name})
	}
	switch s.kind {
	case objectKind:
		kind("object")
		return append(o, s.objectSchema()...)
	case mapKind:
		kind("object")
		return append(o, member{"additionalProperties", s.of.schema()})
	case listKind:
		kind("array")
		o = append(o, member{"items", s.of.schema()})
		if s.least > 0 {
			o = append(o, member{"minItems", s.least})
		}
	case integerKind, numberKind:
		kind(map[shapeKind]string{integerKind: "integer", numberKind: "number"}[s.kind])
		o = append(o, member{"minimum", s.least})
		if s.most > 0 {
			o = append(o, member{"maximum", s.most})
		}
	case booleanKind:
		kind("boolean")
	case durationKind:
		if s.least > 0 { // 0 is refused, in whatever unit
			kind("string")
			return append(o, member{"pattern", durationPattern}, member{"not", ordered{{"pattern", "^[^1-9]*$"}}})
		}
		o = append(o, member{"type", []string{"string", "integer"}}, member{"pattern", durationPattern}, member{"maximum", 0}, member{"minimum", 0})
	case timeKind:
		kind("string")
		o = append(o, member{"format", "date-time"}, member{"pattern", timePattern})
	case scaleKind:
		o = append(o, member{"type", []string{"integer", "string"}}, member{"minimum", s.least}, member{"maximum", s.most},
			member{"pattern", "^(" + strings.Join(s.words, "|") + ")$"})
	case textKind, secretKind, addressKind:
		kind("string")
		return append(o, s.textSchema()...)
	}
	return o
}

func (s *shape) textSchema() ordered {
	if len(s.words) > 0 {
		return ordered{{"enum", s.words}}
	}
	return ordered{{"minLength", 1}}
}

func (s *shape) objectSchema() ordered {
	properties := ordered{}
	for i := range s.keys {
		properties = append(properties, member{s.keys[i].name, s.keys[i].shape.schema()})
	}
	o := ordered{{"properties", properties}, {"additionalProperties", false}}
	if len(s.required) > 0 {
		o = append(o, member{"required", s.required})
	}
	if len(s.needs) > 0 {
		needs := ordered{}
		for _, need := range s.needs {
			needs = append(needs, member{need.key, []string{need.other}})
		}
		o = append(o, member{"dependentRequired", needs})
	}
	if len(s.one) > 0 {
		var alternatives []ordered
		for _, name := range s.one {
			alternatives = append(alternatives, ordered{{"required", []string{name}}})
		}
		o = append(o, member{"oneOf", alternatives})
	}
	return o
}
