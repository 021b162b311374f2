package config

import (
	"bytes"
	"encoding/json"
	"strings"
)

// json writes a value of any shape as JSON. Numbers keep their digits.
func (n *node) json() json.RawMessage {
	if n.raw != nil {
		return n.raw
	}
	var out bytes.Buffer
	n.writeJSON(&out)
	return out.Bytes()
}

func (n *node) writeJSON(out *bytes.Buffer) {
	switch n.kind {
	case nullNode:
		out.WriteString("null")
	case booleanNode:
		out.WriteString(strings.ToLower(n.text))
	case integerNode, numberNode:
		out.WriteString(n.text)
	case textNode:
		out.WriteString(jsonText(n.text))
	case listNode:
		out.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				out.WriteByte(',')
			}
			item.writeJSON(out)
		}
		out.WriteByte(']')
	case mappingNode:
		out.WriteByte('{')
		for i, e := range n.entries {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString(jsonText(e.key) + ":")
			e.value.writeJSON(out)
		}
		out.WriteByte('}')
	}
}

// jsonText quotes text without the escapes that only HTML needs.
func jsonText(text string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil { // a text always encodes
		return `""`
	}
	return strings.TrimSuffix(out.String(), "\n")
}
