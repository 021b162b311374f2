package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// Template is a Go template that is applied to each row of a list.
type Template struct {
	text string
	tree *template.Template
}

// ParseTemplate reads a template. Fields are those of the JSON; besides Go's own
// functions there are timeago, join, color, json, default, bytes and dur.
func ParseTemplate(text string) (*Template, error) {
	tree, err := template.New("template").Funcs(templateFuncs(Options{})).Parse(text)
	if err != nil {
		return nil, templateError(err)
	}
	for _, t := range tree.Templates() {
		if t.Tree != nil {
			wrapActions(t.Root)
		}
	}
	return &Template{text: text, tree: tree}, nil
}

var templatePlace = regexp.MustCompile(`^template: template:(\d+)(?::(\d+))?: (?:executing "template" )?`)

// templateError names the place as everything else here does. Columns of the
// template engine begin at 0.
func templateError(err error) error {
	place := templatePlace.FindStringSubmatch(err.Error())
	if place == nil {
		return err
	}
	text := "line " + place[1]
	if column, err := strconv.Atoi(place[2]); err == nil {
		text += ", column " + strconv.Itoa(column+1)
	}
	return fmt.Errorf("%s: %s", text, err.Error()[len(place[0]):])
}

// textFunc is the name of the function that every action ends in. No template can
// spell it by accident, for it is none of the documented ones.
const textFunc = "text_"

// wrapActions has every value that is printed go through textFunc, which knows
// how: nothing for what is missing, JSON for lists and objects, escapes on a
// terminal. Text that stands in the template itself is the operator's.
func wrapActions(node parse.Node) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			wrapActions(child)
		}
	case *parse.IfNode:
		wrapActions(n.List)
		wrapActions(n.ElseList)
	case *parse.RangeNode:
		wrapActions(n.List)
		wrapActions(n.ElseList)
	case *parse.WithNode:
		wrapActions(n.List)
		wrapActions(n.ElseList)
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 && !isLiteral(n.Pipe) {
			ident := parse.NewIdentifier(textFunc).SetPos(n.Pos)
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
				NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{ident},
			})
		}
	}
}

func isLiteral(pipe *parse.PipeNode) bool {
	return len(pipe.Cmds) == 1 && len(pipe.Cmds[0].Args) == 1 && pipe.Cmds[0].Args[0].Type() == parse.NodeString
}

// templateRows writes rows through a template.
type templateRows struct {
	w    io.Writer
	tree *template.Template
	end  string
	out  bytes.Buffer
}

func newTemplateRows(w io.Writer, o Options) *templateRows {
	t := &templateRows{w: w, tree: template.Must(o.Template.tree.Clone()).Funcs(templateFuncs(o))}
	if !strings.HasSuffix(o.Template.text, "\n") {
		t.end = "\n"
	}
	return t
}

// write holds back the output of a row until it is whole: a row that fails
// prints nothing.
func (t *templateRows) write(object []byte) error {
	value, err := decodeNumbers(object)
	if err != nil {
		return err
	}
	start := t.out.Len()
	if err := t.tree.Execute(&t.out, short(value)); err != nil {
		t.out.Truncate(start)
		return &ProgramError{Flag: "--output template", Err: templateError(err)}
	}
	t.out.WriteString(t.end)
	if t.out.Len() < arrayBuffer {
		return nil
	}
	return t.Flush()
}

// Flush writes the rows so far.
func (t *templateRows) Flush() error {
	_, err := t.out.WriteTo(t.w)
	return err
}

// Close writes what is left.
func (t *templateRows) Close() error { return t.Flush() }

// decodeNumbers decodes JSON with the digits of its numbers kept.
func decodeNumbers(raw []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	return value, nil
}

// short makes integers of the numbers that are some, so that templates can
// compare and format them. Others keep their digits, as texts.
func short(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(v) {
			return n
		}
	case []any:
		for i := range v {
			v[i] = short(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = short(v[key])
		}
	}
	return value
}

// painted is text that is fit for the terminal already.
type painted string

// templateFuncs are the functions of templates, for this reader.
func templateFuncs(o Options) template.FuncMap {
	return template.FuncMap{
		textFunc:  func(value any) any { return printable(value, o) },
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
