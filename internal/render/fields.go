package render

import (
	"reflect"
	"strings"
)

// Field is one field of a view, as JSON names it.
type Field struct {
	Name string
	// About is what it holds, in a few words.
	About string
	// Optional fields are left out where they hold nothing.
	Optional bool
	Type     reflect.Type
}

// FieldsOf lists the fields of a view in their order, without those named in
// except.
func FieldsOf[V any](except ...string) []Field {
	var fields []Field
	for _, f := range structFields(reflect.TypeFor[V]()) {
		if !contains(except, f.Name) {
			fields = append(fields, f)
		}
	}
	return fields
}

func structFields(t reflect.Type) []Field {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var fields []Field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		switch {
		case f.Anonymous && !tagged:
			fields = append(fields, structFields(f.Type)...)
			continue
		case !f.IsExported() || tag == "-":
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		fields = append(fields, Field{
			Name: name, About: f.Tag.Get("about"), Optional: strings.Contains(options, "omitempty"), Type: f.Type,
		})
	}
	return fields
}

// contains reports whether a name is among others, whatever its letters' case.
func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// eachField calls visit with the name, in its quotes, and the value of each
// field of a compact JSON object, until visit returns false.
func eachField(object []byte, visit func(name, value []byte) bool) {
	for i := 1; i < len(object) && object[i] == '"'; {
		end := endOfString(object, i)
		name := object[i:end]
		start := end + 1 // behind the colon
		end = endOfValue(object, start)
		if !visit(name, object[start:end]) {
			return
		}
		i = end + 1 // behind the comma
	}
}

// eachElement calls visit with each element of a compact JSON array.
func eachElement(array []byte, visit func(value []byte)) {
	for i := 1; i < len(array) && array[i] != ']'; {
		end := endOfValue(array, i)
		visit(array[i:end])
		i = end + 1
	}
}

// endOfValue returns the place behind the value of compact JSON that begins at
// i.
func endOfValue(raw []byte, i int) int {
	for depth := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = endOfString(raw, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return i
}
