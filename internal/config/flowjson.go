package config

import (
	"bytes"
	"encoding/json"
)

// parseJSONFlow reads the jobs of a flow in JSON as nodes. Payloads, options and
// whatever else the jobs hold stay the bytes that they are.
func parseJSONFlow(text []byte, limits FlowLimits, found *problems) *node {
	r := jsonFlow{lineCounter: lineCounter{from: text, line: 1}}
	// A job and the list it stands in are two levels.
	err := CheckPayload(text, Limits{Size: limits.Bytes, Depth: 2*limits.Depth + 2 + DefaultPayloadDepth})
	if payload, bad := err.(*PayloadError); bad { //nolint:errorlint // CheckPayload returns no other
		found.add(r.at(int(payload.Offset)), "", payload.Reason)
		return nil
	}
	r.scanner = scanner{data: text, maxDepth: len(text)}
	root, _ := r.job(r.space(0))
	return root
}

// jsonFlow walks a document that has been checked, so what the scanner says of
// mistakes needs no look.
type jsonFlow struct {
	scanner
	lineCounter
}

// job reads the value at i, with its fields when it is an object, and returns
// the place behind it.
func (r *jsonFlow) job(i int) (*node, int) {
	if r.data[i] != '{' {
		return r.leaf(i)
	}
	n := &node{kind: mappingNode, at: r.at(i)}
	for i = r.space(i + 1); r.data[i] != '}'; {
		end, _ := r.text(i)
		e := entry{key: unquoted(r.data[i:end]), at: r.at(i)}
		i = r.space(r.space(end) + 1) // behind the colon
		if e.key == "children" && r.data[i] == '[' {
			e.value, i = r.list(i)
		} else {
			e.value, i = r.leaf(i)
		}
		n.entries = append(n.entries, e)
		if i = r.space(i); r.data[i] == ',' {
			i = r.space(i + 1)
		}
	}
	return n, i + 1
}

// list reads an array of jobs.
func (r *jsonFlow) list(i int) (*node, int) {
	n := &node{kind: listNode, at: r.at(i)}
	for i = r.space(i + 1); r.data[i] != ']'; {
		var item *node
		item, i = r.job(i)
		n.items = append(n.items, item)
		if i = r.space(i); r.data[i] == ',' {
			i = r.space(i + 1)
		}
	}
	return n, i + 1
}

// leaf takes the value at i as it is.
func (r *jsonFlow) leaf(i int) (*node, int) {
	end, _ := r.value(i, 0)
	n := &node{at: r.at(i), raw: r.data[i:end:end]}
	switch c := r.data[i]; c {
	case '"':
		n.kind, n.text = textNode, unquoted(n.raw)
	case '{':
		n.kind = mappingNode
	case '[':
		n.kind = listNode
	case 't', 'f':
		n.kind = booleanNode
	case 'n':
		n.kind = nullNode
	default:
		n.kind = numberNode
	}
	return n, end
}

func unquoted(text []byte) string {
	var s string
	_ = json.Unmarshal(text, &s) // it has been checked
	return s
}

// lineCounter counts lines up to offsets that only grow.
type lineCounter struct {
	from          []byte
	offset, start int // of the line that offset is in
	line          int
}

// at returns the position of an offset.
func (p *lineCounter) at(offset int) position {
	offset = min(offset, len(p.from))
	if offset < p.offset {
		return position{p.line, 1}
	}
	passed := p.from[p.offset:offset]
	if last := bytes.LastIndexByte(passed, '\n'); last >= 0 {
		p.line += bytes.Count(passed, []byte("\n"))
		p.start = p.offset + last + 1
	}
	p.offset = offset
	return position{p.line, offset - p.start + 1}
}
