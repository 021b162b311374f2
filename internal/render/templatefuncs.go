package render

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// painted is text that is fit for the terminal already.
type painted string

// templateFuncs are the functions of templates, for this reader.
func templateFuncs(o Options) template.FuncMap {
	return template.FuncMap{
		textFunc:  func(value any) any { return printable(value, o) },
		fieldFunc: fieldOf,
		"timeago": func(value any) (string, error) { return timeAgo(value, o) },
		"join":    joinList,
		"color":   func(name string, value any) (any, error) { return paintNamed(name, value, o) },
		"json":    compactJSON,
		"default": func(otherwise, value any) any {
			if isEmpty(value) {
				return otherwise
			}
			return value
		},
		"bytes": func(value any) (string, error) {
			return ofNumber(value, func(n float64) string { return Bytes(int64(n)) })
		},
		"dur": func(value any) (string, error) {
			return ofNumber(value, func(ms float64) string { return Duration(time.Duration(ms * float64(time.Millisecond))) })
		},
	}
}

// printable is how a value stands in the output.
func printable(value any, o Options) string {
	text, isPainted := value.(painted)
	if isPainted {
		return string(text)
	}
	plain := plainValue(value)
	if o.Terminal {
		return Multiline(plain)
	}
	return plain
}

// plainValue is a value as text: nothing for null, JSON for lists and objects.
func plainValue(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case painted:
		return string(v)
	case json.Number:
		return string(v)
	case []any, map[string]any:
		if text, err := compactJSON(v); err == nil {
			return text
		}
	}
	return fmt.Sprint(value)
}

func compactJSON(value any) (string, error) {
	var e encoder
	if err := e.encode(value); err != nil {
		return "", err
	}
	return string(e.compact()), nil
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// joinList joins the elements of a list; nothing is an empty list.
func joinList(separator string, value any) (string, error) {
	if value == nil {
		return "", nil
	}
	list, ok := value.([]any)
	if !ok {
		return "", fmt.Errorf("join wants a list, not %s", kindOf(value))
	}
	parts := make([]string, len(list))
	for i := range list {
		parts[i] = plainValue(list[i])
	}
	return strings.Join(parts, separator), nil
}

// colorNames are the words that color takes.
var colorNames = map[string]Style{
	"green": StyleGood, "cyan": StyleBusy, "yellow": StyleWarn, "red": StyleBad, "dim": StyleDim, "bold": StyleBold,
}

func paintNamed(name string, value any, o Options) (any, error) {
	style, ok := colorNames[name]
	if !ok {
		return nil, fmt.Errorf("color %q is not red, yellow, green, cyan, bold or dim", name)
	}
	if !o.Terminal {
		return plainValue(value), nil
	}
	return painted(o.Paint(Multiline(plainValue(value)), style)), nil
}

// timeAgo is how far away a time is: milliseconds since the epoch, or RFC 3339.
func timeAgo(value any, o Options) (string, error) {
	var at time.Time
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		var err error
		if at, err = time.Parse(time.RFC3339, v); err != nil {
			return "", fmt.Errorf("timeago wants a time: %q is none", v)
		}
	default:
		ms, err := number(value)
		if err != nil {
			return "", fmt.Errorf("timeago wants a time: %w", err)
		}
		at = time.UnixMilli(int64(ms))
	}
	if away := o.Now.Sub(at); away >= 0 {
		return Age(away) + " ago", nil
	}
	return "in " + Age(at.Sub(o.Now)), nil
}

// ofNumber words a number; nothing stays nothing.
func ofNumber(value any, word func(float64) string) (string, error) {
	if value == nil {
		return "", nil
	}
	n, err := number(value)
	if err != nil {
		return "", err
	}
	return word(n), nil
}

func number(value any) (float64, error) {
	switch v := value.(type) {
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	case json.Number:
		return v.Float64()
	}
	return 0, fmt.Errorf("%s is no number", kindOf(value))
}

func kindOf(value any) string {
	switch value.(type) {
	case string, painted:
		return "a text"
	case bool:
		return "a truth value"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case nil:
		return "null"
	}
	return "a number"
}
