package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds that no sensible file reaches. The parser descends by recursion and
// has no guard of its own against files that unfold.
const (
	maxFileBytes  = 1 << 20
	maxFileDepth  = 64
	maxAliasDepth = 3
	maxFileNodes  = 50000
	maxFileTokens = 100000
)

type nodeKind string

// The kinds of nodes, as errors call them.
const (
	nullNode    nodeKind = "nothing"
	booleanNode nodeKind = "a boolean"
	integerNode nodeKind = "an integer"
	numberNode  nodeKind = "a number"
	textNode    nodeKind = "a text"
	listNode    nodeKind = "a list"
	mappingNode nodeKind = "a mapping"
)

// node is one value of a YAML file, with aliases and merges resolved.
type node struct {
	kind    nodeKind
	text    string // of a scalar, as written or without its quotes
	at      position
	items   []*node
	entries []entry
	raw     []byte // of JSON whose inside is not read; see parseJSONFlow
	refused bool   // an error was reported for it: it must not be used
}

// entry is one key of a mapping.
type entry struct {
	key   string
	at    position
	value *node
}

// position counts lines and columns from 1.
type position struct{ line, column int }

// get returns the value of key, or nil when there is none that can be used.
func (n *node) get(key string) *node {
	if n == nil || n.refused {
		return nil
	}
	for _, e := range n.entries {
		if e.key == key && !e.value.refused {
			return e.value
		}
	}
	return nil
}

// document turns the parser's tree into nodes.
type document struct {
	problems *problems
	anchors  map[string]*node
	open     map[string]bool // anchors whose value is being read
	depths   map[*node]int   // aliases inside each other, by anchored node
	aliases  int             // depth of the aliases below the node being read
	nodes    int
}

// parseYAML reads one YAML document. found gets everything that is wrong with it;
// the result is nil for an empty file and for one that cannot be parsed at all.
func parseYAML(data []byte, found *problems) *node {
	if unreadable(data, found) {
		return nil
	}
	file, err := parseTokens(string(data))
	if err != nil {
		found.add(positionOf(err), "", messageOf(err))
		return nil
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) > 1 {
		found.add(at(bodies[1].GetToken()), "", "a second document: want one")
	}
	if len(bodies) == 0 {
		return nil
	}
	d := &document{problems: found, anchors: map[string]*node{}, open: map[string]bool{}, depths: map[*node]int{}}
	return d.node(bodies[0], "")
}

// unreadable reports what stops a file before it is parsed.
func unreadable(data []byte, found *problems) bool {
	before := len(found.list)
	if strings.HasPrefix(string(data), "\xef\xbb\xbf") {
		found.add(position{1, 1}, "", "begins with a byte order mark: save the file without one")
	}
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 && strings.TrimSpace(text) != "" {
			found.add(position{line, tab + 1}, "", "a tab before the text: indent by spaces")
		}
		if i := strings.IndexFunc(text, unprintable); i >= 0 {
			found.add(position{line, i + 1}, "", fmt.Sprintf("byte 0x%02x is not part of any text", text[i]))
		}
	}
	return len(found.list) > before
}

// unprintable reports characters that YAML forbids, and broken UTF-8.
func unprintable(r rune) bool {
	return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f || r == 0xfffd
}

// yamlError is what the parser reports.
type yamlError interface {
	error
	GetToken() *token.Token
	GetMessage() string
}

func positionOf(err error) position {
	if e, ok := errors.AsType[yamlError](err); ok {
		return at(e.GetToken())
	}
	if e, ok := errors.AsType[*FileError](err); ok {
		return position{e.Line, e.Column}
	}
	return position{}
}

func messageOf(err error) string {
	if e, ok := errors.AsType[yamlError](err); ok {
		return e.GetMessage()
	}
	if e, ok := errors.AsType[*FileError](err); ok {
		return e.Rule
	}
	return err.Error()
}

func at(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{t.Position.Line, t.Position.Column}
}

// parseTokens builds the tree. A panic of the parser is an error of the file:
// the file is input like any other, and must not end the program.
func parseTokens(text string) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, &FileError{Rule: "cannot be read as YAML"}
		}
	}()
	tokens := lexer.Tokenize(text)
	if len(tokens) > maxFileTokens { // the parser's time grows with the square of a mapping's keys
		return nil, &FileError{Rule: fmt.Sprintf("more than %d words and signs: want a smaller file", maxFileTokens)}
	}
	if err := checkDepth(tokens); err != nil {
		return nil, err
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// checkDepth bounds the nesting before the parser recurses into it. Nesting by
// indentation is bounded by the size of the file.
func checkDepth(tokens token.Tokens) error {
	depth, run, anchors := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.AnchorType:
			anchors++
		case token.TagType:
			return &FileError{Line: t.Position.Line, Column: t.Position.Column, Rule: "tags are not used here: leave out " + quote(t.Value)}
		}
		if t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType {
			run++
		} else {
			run = 0
		}
		if depth > maxFileDepth || run > maxFileDepth || anchors > maxFileNodes/100 {
			return &FileError{Line: t.Position.Line, Column: t.Position.Column, Rule: fmt.Sprintf("nested deeper than %d", maxFileDepth)}
		}
	}
	return nil
}

// node converts one value; path is its place, for errors.
func (d *document) node(from ast.Node, path string) *node {
	d.nodes++
	if d.nodes > maxFileNodes {
		if d.nodes == maxFileNodes+1 {
			d.problems.add(at(from.GetToken()), path, fmt.Sprintf("more than %d values, aliases counted: want a smaller file", maxFileNodes))
		}
		return &node{kind: nullNode, refused: true}
	}
	n := &node{kind: textNode, at: at(from.GetToken())}
	switch from := from.(type) {
	case *ast.MappingNode:
		d.mapping(n, from.Values, path)
	case *ast.MappingValueNode:
		d.mapping(n, []*ast.MappingValueNode{from}, path)
	case *ast.SequenceNode:
		n.kind = listNode
		for i, item := range from.Values {
			n.items = append(n.items, d.node(item, fmt.Sprintf("%s[%d]", path, i)))
		}
	case *ast.AnchorNode:
		return d.anchor(from, path)
	case *ast.AliasNode:
		return d.alias(from, path)
	case *ast.NullNode:
		n.kind = nullNode
	case *ast.BoolNode:
		n.kind, n.text = booleanNode, from.Token.Value
	case *ast.LiteralNode:
		n.text = from.Value.Value
	case *ast.StringNode:
		n.text = from.Value
		if from.Token.Type == token.StringType {
			n.kind = plainKind(n.text)
		}
	case *ast.IntegerNode, *ast.FloatNode:
		n.text = from.GetToken().Value
		if n.kind = plainKind(n.text); n.kind == textNode {
			d.refuse(n, path, "number "+quote(n.text)+": write it in decimal, or in quotes as a text")
		}
	default:
		d.refuse(n, path, "not a value that can be used here: put it in quotes")
	}
	return n
}

var (
	decimalInteger = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	decimalNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

// plainKind is the kind of a scalar without quotes. Numbers are JSON's: what
// YAML reads besides, as 010 for 8, surprises people.
func plainKind(text string) nodeKind {
	switch {
	case decimalInteger.MatchString(text):
		return integerNode
	case decimalNumber.MatchString(text):
		return numberNode
	}
	return textNode
}

func (d *document) refuse(n *node, path, rule string) {
	d.problems.add(n.at, path, rule)
	n.refused = true
}

// mapping fills n with the keys of values. Its own keys win over merged ones.
func (d *document) mapping(n *node, values []*ast.MappingValueNode, path string) {
	n.kind = mappingNode
	seen := map[string]position{}
	var merged []*node
	for i, value := range values {
		keyAt := at(value.Key.GetToken())
		if i == 0 {
			n.at = keyAt // of the first key, not of its colon
		}
		if _, isMerge := value.Key.(*ast.MergeKeyNode); isMerge {
			merged = append(merged, d.merges(value.Value, path)...)
			continue
		}
		key := keyText(value.Key)
		if first, twice := seen[key]; twice {
			d.problems.add(keyAt, join(path, key), fmt.Sprintf("the key is there twice, first in line %d", first.line))
			continue
		}
		seen[key] = keyAt
		n.entries = append(n.entries, entry{key: key, at: keyAt, value: d.node(value.Value, join(path, key))})
	}
	for _, from := range merged {
		for _, e := range from.entries {
			if _, taken := seen[e.key]; !taken {
				seen[e.key] = e.at
				n.entries = append(n.entries, e)
			}
		}
	}
}

// merges returns the mappings that a merge key names, the strongest first.
func (d *document) merges(value ast.Node, path string) []*node {
	from := d.node(value, join(path, "<<"))
	sources := []*node{from}
	if from.kind == listNode {
		sources = from.items
	}
	var mappings []*node
	for _, source := range sources {
		switch {
		case source.kind == mappingNode:
			mappings = append(mappings, source)
		case !source.refused:
			d.refuse(source, join(path, "<<"), "want a mapping, or a list of mappings")
		}
	}
	return mappings
}

// keyText is a key as people see it; numbers and booleans are keys as written.
func keyText(key ast.MapKeyNode) string {
	var from ast.Node = key
	if explicit, ok := from.(*ast.MappingKeyNode); ok {
		from = explicit.Value
	}
	if text, ok := from.(*ast.StringNode); ok {
		return text.Value
	}
	return from.GetToken().Value
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// anchor names a value. An alias inside its own anchor does not see it.
func (d *document) anchor(from *ast.AnchorNode, path string) *node {
	outer := d.aliases
	name := from.Name.GetToken().Value
	d.aliases, d.open[name] = 0, true
	n := d.node(from.Value, path)
	d.depths[n] = d.aliases
	d.aliases = max(outer, d.aliases)
	d.anchors[name] = n
	delete(d.open, name)
	return n
}

// alias returns a copy of the value that its name stands for.
func (d *document) alias(from *ast.AliasNode, path string) *node {
	name := from.Value.GetToken().Value
	n, known := d.anchors[name]
	if !known {
		missing := &node{kind: nullNode, at: at(from.GetToken())}
		rule := "no value has been named &" + name + " before this"
		if d.open[name] {
			rule = "a cycle: *" + name + " stands inside the value that it names"
		}
		d.refuse(missing, path, rule)
		return missing
	}
	if depth := d.depths[n] + 1; depth > maxAliasDepth {
		deep := &node{kind: nullNode, at: at(from.GetToken())}
		d.refuse(deep, path, fmt.Sprintf("aliases inside aliases, deeper than %d", maxAliasDepth))
		return deep
	} else if depth > d.aliases {
		d.aliases = depth
	}
	return d.copy(n)
}

// copy returns n as a value of its own, because an error in one place must not
// refuse the other.
func (d *document) copy(n *node) *node {
	d.nodes++
	c := *n
	if d.nodes > maxFileNodes {
		if d.nodes == maxFileNodes+1 {
			d.problems.add(n.at, "", fmt.Sprintf("more than %d values, aliases counted: want a smaller file", maxFileNodes))
		}
		return &node{kind: nullNode, refused: true}
	}
	c.items, c.entries = nil, nil
	for _, item := range n.items {
		c.items = append(c.items, d.copy(item))
	}
	for _, e := range n.entries {
		e.value = d.copy(e.value)
		c.entries = append(c.entries, e)
	}
	return &c
}
