package config

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNameBytes bounds a queue's name and its prefix.
const maxNameBytes = 1024

// ValidateName refuses what must not become the name of a new queue: BullMQ
// forbids colons, and names that look different from what they are invite
// mistakes. Names that equal one of a queue's key suffixes (`events`, `meta`)
// are fine, since key bases and not names decide where keys lie.
func ValidateName(name string) error {
	if err := checkPart("queue name", name); err != nil {
		return err
	}
	refuse := func(want string) error { return &ValueError{What: "queue name", Value: name, Want: want} }
	if strings.Contains(name, ":") {
		return refuse("a new queue's name holds no colon; to use a queue under another prefix set the prefix")
	}
	if strings.TrimSpace(name) != name {
		return refuse("begins or ends with white space")
	}
	for _, r := range name {
		if r != ' ' && !unicode.IsPrint(r) {
			return refuse("holds a character that cannot be seen")
		}
	}
	return nil
}

// checkPrefix refuses what cannot be a key prefix. A concrete error type lets
// the caller say which flag or variable it was.
func checkPrefix(prefix string) *ValueError {
	if err := checkPart("prefix", prefix); err != nil {
		return err
	}
	if strings.HasPrefix(prefix, ":") || strings.HasSuffix(prefix, ":") || strings.TrimSpace(prefix) != prefix {
		return &ValueError{What: "prefix", Value: prefix, Want: "neither begins nor ends with a colon or white space"}
	}
	return nil
}

// checkPart holds what is true of every prefix and queue name, also of those
// that exist already.
func checkPart(what, text string) *ValueError {
	if err := checkText(what, text); err != nil {
		return err
	}
	open, closing := strings.IndexByte(text, '{'), strings.IndexByte(text, '}')
	if open < 0 && closing < 0 {
		return nil
	}
	if strings.Count(text, "{") != 1 || strings.Count(text, "}") != 1 || closing < open+2 {
		return &ValueError{What: what, Value: text, Want: "braces only as one whole hash tag, as in {mail}"}
	}
	return nil
}

// checkText refuses bytes that no prefix, name or key base may hold.
func checkText(what, text string) *ValueError {
	refuse := func(want string) *ValueError { return &ValueError{What: what, Value: text, Want: want} }
	switch {
	case text == "":
		return refuse("is empty")
	case len(text) > maxNameBytes:
		return refuse("longer than 1 KiB")
	case !utf8.ValidString(text):
		return refuse("not valid UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl):
		return refuse("holds a control character")
	case strings.Contains(text, "*"):
		return refuse("holds *, which is a pattern and not a name")
	}
	return nil
}

// hasHashTag reports whether Redis Cluster would hash only a part of key: the
// text between the first brace and the next closing one, unless it is empty.
func hasHashTag(key string) bool {
	_, after, found := strings.Cut(key, "{")
	return found && strings.IndexByte(after, '}') > 0
}
