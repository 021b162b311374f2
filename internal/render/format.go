package render

import (
	"errors"
	"fmt"
	"strings"
)

// Format is the shape of results, as --output names it.
type Format string

// The formats.
const (
	FormatTable    Format = "table"    // for people; columns with tabs between in a pipe
	FormatWide     Format = "wide"     // a table with every column, not cut
	FormatJSON     Format = "json"     // one document: an array for lists
	FormatNDJSON   Format = "ndjson"   // one JSON object per line, as soon as it is known
	FormatYAML     Format = "yaml"     // the JSON document as YAML
	FormatCSV      Format = "csv"      // a line of field names, then a line for each row
	FormatName     Format = "name"     // what other commands take as an argument, one per line
	FormatTemplate Format = "template" // a Go template for each row; written template=TEXT
)

// ErrUnknownFormat is the error of a format that does not exist.
var ErrUnknownFormat = errors.New("unknown output format")

// Formats lists the formats that exist.
func Formats() []Format {
	return []Format{
		FormatTable, FormatWide, FormatJSON, FormatNDJSON, FormatYAML, FormatCSV, FormatName, FormatTemplate,
	}
}

// Word is how the format is written on a command line.
func (f Format) Word() string {
	if f == FormatTemplate {
		return string(f) + "=TEXT"
	}
	return string(f)
}

// ForPeople reports whether the format is a table, or the lines that stand for
// one.
func (f Format) ForPeople() bool { return f == FormatTable || f == FormatWide }

// Document reports whether the format is one document, which has an end.
func (f Format) Document() bool { return f == FormatJSON || f == FormatYAML }

// ParseFormat reads a format; the empty name is a table's. The text of a
// template is returned with it. Of an unknown name it returns ErrUnknownFormat
// with the names that exist.
func ParseFormat(name string) (f Format, text string, err error) {
	if name == "" {
		return FormatTable, "", nil
	}
	word, text, hasText := strings.Cut(name, "=")
	words := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		if word == string(f) && hasText == (f == FormatTemplate) {
			return f, text, nil
		}
		words = append(words, f.Word())
	}
	return "", "", fmt.Errorf(`%w "%s": use %s`, ErrUnknownFormat, Text(name), Alternatives(words))
}

// Alternatives joins words for a sentence: a, b or c.
func Alternatives(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
