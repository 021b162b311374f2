package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// YAML writes settings as a configuration file that has the same meaning, as
// far as it holds no passwords.
func YAML(settings []Setting) string {
	var out strings.Builder
	writeSettings(&out, settings, 0)
	return out.String()
}

func writeSettings(out *strings.Builder, settings []Setting, indent int) {
	for _, s := range settings {
		out.WriteString(strings.Repeat("  ", indent) + yamlText(s.Key) + ":")
		switch {
		case s.List != nil:
			out.WriteByte('\n')
			for _, item := range s.List {
				out.WriteString(strings.Repeat("  ", indent) + "  - " + flow(item.Group) + "\n")
			}
		case s.Group == nil:
			out.WriteString(" " + scalar(s.Value) + "\n")
		case indent > 1:
			out.WriteString(" " + flow(s.Group) + "\n")
		default:
			out.WriteByte('\n')
			writeSettings(out, s.Group, indent+1)
		}
	}
}

// flow writes a group in one line.
func flow(settings []Setting) string {
	parts := make([]string, len(settings))
	for i, s := range settings {
		value := scalar(s.Value)
		if s.Group != nil {
			value = flow(s.Group)
		}
		parts[i] = yamlText(s.Key) + ": " + value
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func scalar(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case string:
		return yamlText(value)
	case []string:
		items := make([]string, len(value))
		for i, item := range value {
			items[i] = yamlText(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	case json.RawMessage:
		return string(value)
	}
	return fmt.Sprint(value)
}

var plainText = regexp.MustCompile(`^[A-Za-z_./][A-Za-z0-9_./*@-]*(:[A-Za-z0-9_./*@-]+)*$|^[0-9]+(ms|s|m|h|d)$`)

// yamlText writes a text without quotes where every reader takes it for one.
// Go's escapes are all known to YAML.
func yamlText(text string) string {
	switch strings.ToLower(text) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", ".inf", ".nan":
		return strconv.Quote(text)
	}
	if plainText.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}

// MarshalSettings writes settings as JSON, with the keys and in the order of the
// file.
func MarshalSettings(settings []Setting) json.RawMessage {
	var out bytes.Buffer
	writeGroupJSON(&out, settings)
	return out.Bytes()
}

func writeGroupJSON(out *bytes.Buffer, settings []Setting) {
	out.WriteByte('{')
	for i, s := range settings {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(jsonText(s.Key) + ":")
		switch {
		case s.List != nil:
			out.WriteByte('[')
			for j, item := range s.List {
				if j > 0 {
					out.WriteByte(',')
				}
				writeGroupJSON(out, item.Group)
			}
			out.WriteByte(']')
		case s.Group != nil:
			writeGroupJSON(out, s.Group)
		default:
			out.Write(valueJSON(s.Value))
		}
	}
	out.WriteByte('}')
}

func valueJSON(value any) []byte {
	if text, ok := value.(string); ok {
		return []byte(jsonText(text))
	}
	encoded, err := json.Marshal(value)
	if err != nil { // the values of settings always encode
		return []byte("null")
	}
	return encoded
}

// Flat lists the values of settings without their groups, for printing one in
// each line. Items of lists are one value.
func Flat(settings []Setting) []Setting {
	var flat []Setting
	for _, s := range settings {
		switch {
		case s.List != nil:
			for _, item := range s.List {
				flat = append(flat, Flat(item.Group)...)
			}
		case s.Group != nil:
			flat = append(flat, Flat(s.Group)...)
		default:
			flat = append(flat, s)
		}
	}
	return flat
}

// Text returns the value as the file spells it.
func (s Setting) Text() string { return scalar(s.Value) }
