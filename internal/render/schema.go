package render

import (
	"encoding/json"
	"reflect"
)

// Shape says how many results a document holds.
type Shape int

// The shapes.
const (
	ShapeList   Shape = iota // an array
	ShapeOne                 // an object
	ShapeEither              // an array where the command line can mean several, else an object
)

// schema is a JSON Schema, with its keys in the order in which people read.
type schema struct {
	Schema      string     `json:"$schema,omitempty"`
	Ref         string     `json:"$ref,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Type        any        `json:"type,omitempty"`
	OneOf       []*schema  `json:"oneOf,omitempty"`
	Items       *schema    `json:"items,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Additional  *schema    `json:"additionalProperties,omitempty"`
	Defs        properties `json:"$defs,omitempty"`
}

// properties are written in their order.
type properties []property

type property struct {
	name   string
	schema *schema
}

// MarshalJSON writes an object.
func (p properties) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, one := range p {
		if i > 0 {
			b = append(b, ',')
		}
		var name, value encoder
		if err := name.encode(one.name); err != nil {
			return nil, err
		}
		if err := value.encode(one.schema); err != nil {
			return nil, err
		}
		b = append(append(append(b, name.compact()...), ':'), value.compact()...)
	}
	return append(b, '}'), nil
}

// Schema returns the JSON Schema (draft 2020-12) of a document of such results.
// Objects are open: fields are only ever added.
func (l Layout) Schema(title string, shape Shape) ([]byte, error) {
	var s schemas
	one := s.object(l.Fields)
	list := &schema{Type: "array", Items: one}
	whole := &schema{}
	switch shape {
	case ShapeList:
		whole = list
	case ShapeOne:
		whole = one
	case ShapeEither:
		whole.OneOf = []*schema{list, one}
	}
	whole.Schema, whole.Title, whole.Defs = "https://json-schema.org/draft/2020-12/schema", title, s.defs
	var e encoder
	if err := e.encode(whole); err != nil {
		return nil, err
	}
	return append(appendIndented(nil, e.compact(), "", nil), '\n'), nil
}

// schemas makes the schemas of one document.
type schemas struct {
	defs properties // of the types that hold themselves, as a tree does
}

func (d *schemas) object(fields []Field) *schema {
	s := &schema{Type: "object", Required: []string{}}
	for _, f := range fields {
		t := f.Type
		if f.Optional && t.Kind() == reflect.Pointer {
			t = t.Elem() // it is left out instead of null
		}
		of := d.ofType(t)
		of.Description = f.About
		s.Properties = append(s.Properties, property{f.Name, of})
		if !f.Optional {
			s.Required = append(s.Required, f.Name)
		}
	}
	return s
}

// ofType is the schema of a Go type as encoding/json writes it.
func (d *schemas) ofType(t reflect.Type) *schema {
	if t == reflect.TypeFor[json.RawMessage]() {
		return &schema{} // any JSON
	}
	switch t.Kind() {
	case reflect.Pointer:
		of := d.ofType(t.Elem())
		of.Type = []any{of.Type, "null"}
		return of
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return &schema{Type: "integer"}
	case reflect.Float64:
		return &schema{Type: "number"}
	case reflect.Slice:
		return &schema{Type: "array", Items: d.ofType(t.Elem())}
	case reflect.Map:
		return &schema{Type: "object", Additional: d.ofType(t.Elem())}
	case reflect.Struct:
		if holdsItself(t) {
			return d.named(t)
		}
		return d.object(structFields(t))
	}
	return &schema{}
}

// named is a reference to the schema of a type, which is written once.
func (d *schemas) named(t reflect.Type) *schema {
	ref := &schema{Ref: "#/$defs/" + t.Name()}
	for _, def := range d.defs {
		if def.name == t.Name() {
			return ref
		}
	}
	at := len(d.defs)
	d.defs = append(d.defs, property{name: t.Name()}) // found from inside, too
	of := d.object(structFields(t))
	d.defs[at].schema = of
	return ref
}

// holdsItself reports whether a list of the type is among its fields.
func holdsItself(t reflect.Type) bool {
	for _, f := range structFields(t) {
		if f.Type.Kind() == reflect.Slice && f.Type.Elem() == t {
			return true
		}
	}
	return false
}
