package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

// Template is a Go template that is applied to each row of a list.
type Template struct {
	text string
	tree *template.Template
}

// ParseTemplate reads a template. Fields are those of the JSON; besides Go's own
// functions there are timeago, join, color, json, default, bytes and dur.
func ParseTemplate(text string) (*Template, error) {
	if text == "" {
		return nil, errors.New("the template is empty")
	}
	tree, err := template.New("template").Funcs(templateFuncs(Options{})).Parse(text)
	if err != nil {
		return nil, templateError(err)
	}
	for _, t := range tree.Templates() {
		if t.Tree != nil {
			rewrite(t.Root)
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
