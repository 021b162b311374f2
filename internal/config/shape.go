package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind is what a key of the file takes.
type shapeKind int

const (
	objectKind shapeKind = iota
	mapKind
	listKind
	textKind
	secretKind  // a text that may be env:NAME
	addressKind // likewise, and may contain a password
	integerKind
	numberKind
	booleanKind
	durationKind
	timeKind
	scaleKind // a priority: a number, or one of the words
	anyKind
)

// shape is what may stand at one place of the file: the reader checks files
// against it and the JSON Schema is made from it, so that they agree.
type shape struct {
	kind     shapeKind
	doc      string // one sentence for editors
	keys     []key  // of an object
	required []string
	one      []string // of these keys exactly one
	needs    []need   // keys that mean nothing alone
	of       *shape   // values of a map, items of a list
	least    int64    // integers, items; durations in milliseconds
	most     int64    // 0: no bound
	words    []string // the only texts there are
	nullable bool     // null takes away what is built in
	check    func(text string) error
	keyCheck func(text string) error // of a map's keys
}

// need says that a key goes with another one only.
type need struct{ key, other string }

// key is a key of an object.
type key struct {
	name  string
	shape shape
}

func object(doc string, keys ...key) shape { return shape{kind: objectKind, doc: doc, keys: keys} }

func (s shape) requires(keys ...string) shape { s.required = keys; return s }

func (s shape) oneOf(keys ...string) shape { s.one = keys; return s }

func (s shape) needing(key, other string) shape {
	s.needs = append(s.needs, need{key, other})
	return s
}

func (s shape) orNull() shape { s.nullable = true; return s }

func (s shape) checked(check func(string) error) shape { s.check = check; return s }

func text(doc string) shape    { return shape{kind: textKind, doc: doc, least: 1} }
func secret(doc string) shape  { return shape{kind: secretKind, doc: doc, least: 1} }
func address(doc string) shape { return shape{kind: addressKind, doc: doc, least: 1} }
func boolean(doc string) shape { return shape{kind: booleanKind, doc: doc} }
func anything(doc string) shape {
	return shape{kind: anyKind, doc: doc}
}

func integer(doc string, least, most int64) shape {
	return shape{kind: integerKind, doc: doc, least: least, most: most}
}

func duration(doc string, least time.Duration) shape {
	return shape{kind: durationKind, doc: doc, least: least.Milliseconds()}
}

func oneWordOf(doc string, words ...string) shape {
	return shape{kind: textKind, doc: doc, words: words, least: 1}
}

func listOf(doc string, of shape, least int64) shape {
	return shape{kind: listKind, doc: doc, of: &of, least: least}
}

// verify reports everything in n that does not have the shape. A value that
// breaks a rule is marked, so that nobody uses it.
func (s *shape) verify(n *node, path string, found *problems) {
	if n.refused {
		return
	}
	refuse := func(format string, args ...any) {
		found.add(n.at, path, fmt.Sprintf(format, args...))
		n.refused = true
	}
	if n.kind == nullNode && s.nullable || s.kind == anyKind {
		return
	}
	if want, ok := s.accepts(n); !ok {
		refuse("want %s, got %s", want, s.describe(n))
		return
	}
	switch s.kind {
	case objectKind:
		s.verifyObject(n, path, found)
	case mapKind:
		for _, e := range n.entries {
			if err := s.keyCheck(e.key); err != nil {
				found.add(e.at, path, err.Error())
				e.value.refused = true
			}
			s.of.verify(e.value, join(path, e.key), found)
		}
	case listKind:
		if int64(len(n.items)) < s.least {
			refuse("want at least %d, got %d", s.least, len(n.items))
		}
		for i, item := range n.items {
			s.of.verify(item, fmt.Sprintf("%s[%d]", path, i), found)
			n.refused = n.refused || item.refused && s.of.kind != objectKind
		}
	default:
		if rule := s.broken(n.text); rule != "" {
			refuse("%s", rule)
		}
	}
}

// accepts reports whether n is of the right kind, and what is.
func (s *shape) accepts(n *node) (want string, ok bool) {
	switch s.kind {
	case objectKind, mapKind:
		return string(mappingNode), n.kind == mappingNode
	case listKind:
		return string(listNode), n.kind == listNode
	case integerKind:
		return "an integer" + s.bounds(), n.kind == integerNode
	case numberKind:
		return "a number" + s.bounds(), n.kind == integerNode || n.kind == numberNode
	case booleanKind:
		return "true or false", n.kind == booleanNode
	case scaleKind:
		return "an integer" + s.bounds() + ", or " + alternatives(s.words), n.kind == integerNode || n.kind == textNode
	case durationKind:
		// 0 needs no unit.
		return "a duration such as 30s, 15m or 7d", n.kind == textNode || n.kind == integerNode && n.text == "0"
	}
	return "a text", n.kind == textNode
}

// bounds says what range a number has.
func (s *shape) bounds() string {
	if s.most > 0 && s.most == s.least {
		return fmt.Sprintf(", which must be %d", s.most)
	}
	if s.most > 0 {
		return fmt.Sprintf(" from %d to %d", s.least, s.most)
	}
	return fmt.Sprintf(" of %d or more", s.least)
}

// describe says what n is, for errors. A text may be a password that got into
// the wrong line, so it is not repeated.
func (s *shape) describe(n *node) string {
	scalar := n.kind == integerNode || n.kind == numberNode || n.kind == booleanNode
	if scalar && s.kind != secretKind && s.kind != addressKind {
		return string(n.kind) + " " + shownNumber(n.text)
	}
	return string(n.kind)
}

// broken returns the rule that a scalar of the right kind breaks, or "".
func (s *shape) broken(value string) string {
	switch s.kind {
	case integerKind:
		if i, err := strconv.ParseInt(value, 10, 64); err != nil || i < s.least || s.most > 0 && i > s.most {
			return "want an integer" + s.bounds() + ", got " + shownNumber(value)
		}
	case numberKind:
		if f, err := strconv.ParseFloat(value, 64); err != nil || f < float64(s.least) || s.most > 0 && f > float64(s.most) {
			return "want a number" + s.bounds() + ", got " + shownNumber(value)
		}
	case durationKind:
		d, err := readDuration(value)
		if err != nil {
			return err.Error()
		}
		if d.Milliseconds() < s.least || d%time.Millisecond != 0 {
			return fmt.Sprintf("want %s or more in steps of 1ms, got %s", time.Duration(s.least)*time.Millisecond, quote(value))
		}
	case scaleKind:
		if i, err := strconv.ParseInt(value, 10, 64); err == nil && (i < s.least || i > s.most) {
			return "want an integer" + s.bounds() + ", got " + shownNumber(value)
		} else if err != nil {
			return s.brokenText(value)
		}
	case timeKind:
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return "want a time such as 2026-12-31T09:00:00Z, got " + quote(value)
		}
	default:
		return s.brokenText(value)
	}
	return ""
}

func shownNumber(text string) string { return strings.Trim(quote(text), `"`) }

func (s *shape) brokenText(value string) string {
	switch name, isEnv := strings.CutPrefix(value, envPrefix); {
	case value == "":
		return "set but empty: leave out the key, or give it a value"
	case len(s.words) > 0:
		for _, word := range s.words {
			if value == word {
				return ""
			}
		}
		rule := "want " + alternatives(s.words) + ", got " + quote(value)
		if near := Suggest(value, s.words); near != "" {
			rule += ", did you mean " + near + "?"
		}
		return rule
	case (s.kind == secretKind || s.kind == addressKind) && isEnv && !isVariable(name):
		return "want the name of an environment variable after env:"
	case s.check != nil:
		if err := s.check(value); err != nil {
			return err.Error()
		}
	}
	return ""
}

// alternatives joins words as in "a, b or c".
func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// isVariable reports whether name can name an environment variable.
func isVariable(name string) bool { return isWord(name) }

// readDuration reads a duration of the file, where 0 needs no unit.
func readDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	return ParseDuration(text)
}

// verifyObject checks the keys of n: known ones, required ones, alternatives.
func (s *shape) verifyObject(n *node, path string, found *problems) {
	names := make([]string, len(s.keys))
	for i, k := range s.keys {
		names[i] = k.name
	}
	present := map[string]bool{}
	for _, e := range n.entries {
		k := s.key(e.key)
		if k == nil {
			e.value.refused = true
			found.add(e.at, join(path, e.key), unknownKey(e.key, names))
			continue
		}
		present[e.key] = true
		k.shape.verify(e.value, join(path, e.key), found)
	}
	for _, name := range s.required {
		if !present[name] {
			found.add(n.at, path, "the key "+name+" is missing")
			n.refused = true
		}
	}
	for _, need := range s.needs {
		if present[need.key] && !present[need.other] {
			at := n.at
			if value := n.get(need.key); value != nil {
				at = value.at
			}
			found.add(at, join(path, need.key), "goes with the key "+need.other)
			n.refused = true
		}
	}
	if len(s.one) == 0 {
		return
	}
	var given []string
	for _, name := range s.one {
		if present[name] {
			given = append(given, name)
		}
	}
	if len(given) != 1 {
		rule := "want one of the keys " + alternatives(s.one)
		if len(given) > 1 {
			rule += ", got " + strings.Join(given, " and ")
		}
		found.add(n.at, path, rule)
		n.refused = true
	}
}

func (s *shape) key(name string) *key {
	for i := range s.keys {
		if s.keys[i].name == name {
			return &s.keys[i]
		}
	}
	return nil
}

func unknownKey(name string, names []string) string {
	if near := Suggest(name, names); near != "" {
		return "unknown key, did you mean " + near + "?"
	}
	if len(names) > 8 {
		return "unknown key"
	}
	return "unknown key, want " + alternatives(names)
}
