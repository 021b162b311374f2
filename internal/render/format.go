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
	FormatTable  Format = "table"  // for people; columns with tabs between in a pipe
	FormatWide   Format = "wide"   // a table with every column, not cut
	FormatJSON   Format = "json"   // one document: an array for lists
	FormatNDJSON Format = "ndjson" // one JSON object per line, as soon as it is known
)

// ErrUnknownFormat is the error of a format that does not exist.
var ErrUnknownFormat = errors.New("unknown output format")

// Formats lists the formats that exist.
func Formats() []Format { return []Format{FormatTable, FormatWide, FormatJSON, FormatNDJSON} }

// ParseFormat reads the name of a format; the empty name is a table's. Of any
// other it returns ErrUnknownFormat with the names that exist.
func ParseFormat(name string) (Format, error) {
	if name == "" {
		return FormatTable, nil
	}
	names := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		if name == string(f) {
			return f, nil
		}
		names = append(names, string(f))
	}
	last := len(names) - 1
	return "", fmt.Errorf(`%w "%s": use %s or %s`, ErrUnknownFormat, Text(name), strings.Join(names[:last], ", "), names[last])
}
