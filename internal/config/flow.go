package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// FlowLimits bounds the file of a flow.
type FlowLimits struct {
	Jobs  int // of the whole tree
	Depth int // generations, the root's counted
	Bytes int // of the file
}

// FlowNode is one job of a flow file, as it was written.
type FlowNode struct {
	Queue, Name string          // empty where the file says nothing
	Data, Opts  json.RawMessage // empty where the file says nothing
	Children    []*FlowNode
	Path        string // children[3].children[0]; empty for the root

	file   string
	at     position
	places map[string]position // of its fields
}

// flowFields are the fields of a job in a flow file.
var flowFields = []string{"queue", "name", "data", "opts", "children"}

// flowSynonyms are what BullMQ and people call them besides.
var flowSynonyms = map[string]string{"queueName": "queue", "payload": "data", "options": "opts", "jobs": "children", "jobName": "name"}

// Refuse returns the error of one field of the job, such as data.ticketId; an
// empty field means the job as a whole.
func (n *FlowNode) Refuse(field, rule string) error {
	err := n.locate(field)
	err.Rule = rule
	return err
}

// Place says where a field of the job stands, as the errors about it begin.
func (n *FlowNode) Place(field string) string {
	return strings.TrimSuffix(n.locate(field).Error(), ": ")
}

func (n *FlowNode) locate(field string) *FileError {
	at, key := n.at, n.Path
	if field != "" {
		first, _, _ := strings.Cut(field, ".")
		first, _, _ = strings.Cut(first, "[")
		if place, ok := n.places[first]; ok {
			at = place
		}
		key = join(key, field)
	}
	return &FileError{File: n.file, Line: at.line, Column: at.column, Key: key}
}

// RefuseData turns what is wrong with the payload into errors with the place of
// each: children[3].data.ticketId.
func (n *FlowNode) RefuseData(err error) []error {
	broken, ok := errors.AsType[*SchemaError](err)
	if !ok {
		return []error{n.Refuse("data", err.Error())}
	}
	refused := make([]error, len(broken.Problems))
	for i, p := range broken.Problems {
		refused[i] = n.Refuse("data"+strings.TrimPrefix(p.Path, "$"), p.Rule)
	}
	return refused
}

// ReadFlow reads a job with its children, in JSON or YAML. Payloads in JSON keep
// their bytes. Everything that is wrong is a FileError with its line; of many,
// the first are returned. YAML aliases are followed within the bounds of
// qctl.yaml.
func ReadFlow(file string, text []byte, limits FlowLimits) (*FlowNode, error) {
	found := &problems{file: file}
	if len(text) > limits.Bytes {
		found.add(position{}, "", fmt.Sprintf("more than %d bytes: want a smaller flow", limits.Bytes))
		return nil, found.err()
	}
	var root *node
	if flowIsJSON(file, text) {
		root = parseJSONFlow(text, limits, found)
	} else {
		root = parseYAML(text, found)
	}
	if root == nil {
		if len(found.list) == 0 {
			found.add(position{}, "", "holds nothing: want a job with "+strings.Join(flowFields, ", "))
		}
		return nil, found.first()
	}
	r := &flowReader{problems: found, limits: limits}
	flow := r.job(root, "", 1)
	return flow, found.first()
}

// flowIsJSON tells JSON from YAML, which has braces too.
func flowIsJSON(file string, text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	switch filepath.Ext(file) {
	case ".yaml", ".yml":
		return json.Valid(text)
	}
	return true
}

// flowReader turns values into jobs.
type flowReader struct {
	problems *problems
	limits   FlowLimits
	jobs     int
}

// job reads one job; path is its place. It returns nil for one that cannot be
// used, which has been reported.
func (r *flowReader) job(from *node, path string, depth int) *FlowNode {
	if from.refused {
		return nil
	}
	n := &FlowNode{Path: path, file: r.problems.file, at: from.at, places: map[string]position{}}
	if from.kind != mappingNode {
		r.problems.add(from.at, path, "want a job with "+strings.Join(flowFields, ", ")+", not "+string(from.kind))
		return nil
	}
	if r.jobs++; r.jobs > r.limits.Jobs {
		if r.jobs == r.limits.Jobs+1 {
			r.problems.add(from.at, path, fmt.Sprintf("more than %d jobs in one flow", r.limits.Jobs))
		}
		return nil
	}
	if depth > r.limits.Depth {
		r.problems.add(from.at, path, fmt.Sprintf("deeper than %d generations", r.limits.Depth))
		return nil
	}
	for _, e := range from.entries {
		if _, twice := n.places[e.key]; twice {
			r.problems.add(e.at, join(path, e.key), "is there twice")
			continue
		}
		n.places[e.key] = e.at
		if !e.value.refused {
			r.field(n, e, depth)
		}
	}
	return n
}

// field reads one field of a job.
func (r *flowReader) field(n *FlowNode, e entry, depth int) {
	place := join(n.Path, e.key)
	switch e.key {
	case "queue":
		n.Queue = r.text(e, place)
	case "name":
		n.Name = r.text(e, place)
	case "data":
		n.Data = e.value.json()
		if err := CheckPayload(n.Data, Limits{}); err != nil {
			r.problems.add(e.at, place, reasonOf(err))
		}
	case "opts":
		switch e.value.kind {
		case mappingNode:
			n.Opts = e.value.json()
		case nullNode:
		default:
			r.problems.add(e.at, place, "want options by their names, not "+string(e.value.kind))
		}
	case "children":
		switch {
		case e.value.kind == nullNode:
		case e.value.kind != listNode:
			r.problems.add(e.at, place, "want a list of jobs, not "+string(e.value.kind))
		default:
			for i, item := range e.value.items {
				if r.jobs > r.limits.Jobs {
					return
				}
				if child := r.job(item, fmt.Sprintf("%s[%d]", place, i), depth+1); child != nil {
					n.Children = append(n.Children, child)
				}
			}
		}
	default:
		near := flowSynonyms[e.key]
		if near == "" {
			near = Suggest(e.key, flowFields)
		}
		r.problems.add(e.at, place, "is not one of "+strings.Join(flowFields, ", ")+suggested(near))
	}
}

// text reads the name of something.
func (r *flowReader) text(e entry, place string) string {
	switch {
	case e.value.kind != textNode:
		r.problems.add(e.at, place, "want a text, not "+string(e.value.kind))
	case e.value.text == "":
		r.problems.add(e.at, place, "is empty")
	}
	return e.value.text
}

func reasonOf(err error) string {
	if payload, ok := errors.AsType[*PayloadError](err); ok {
		return payload.Reason
	}
	return err.Error()
}

// shownFlowProblems bounds how many problems of a flow are told: a file made by
// a program has the same one ten thousand times.
const shownFlowProblems = 10

// first is err with no more than the first of the problems, and a last line with
// the number of the others.
func (p *problems) first() error {
	if len(p.list) <= shownFlowProblems {
		return p.err()
	}
	more := len(p.list) - shownFlowProblems
	_ = p.err() // sorts
	cut := &problems{file: p.file, list: slices.Clone(p.list[:shownFlowProblems])}
	return errors.Join(cut.err(), &FileError{File: p.file, Rule: fmt.Sprintf("and %d more", more)})
}

// JoinFlowProblems joins the first of what is wrong with a flow.
func JoinFlowProblems(errs []error) error {
	if more := len(errs) - shownFlowProblems; more > 0 {
		errs = append(slices.Clone(errs[:shownFlowProblems]), fmt.Errorf("%w: and %d more", ErrInvalid, more))
	}
	return errors.Join(errs...)
}
