package cmd

import (
	"errors"
	"regexp"
	"strings"
)

// compileGlob returns what matches a whole text as a shell pattern would: `*`
// is any text, `?` any character, `[a-c]` one of a set, `[!a-c]` one outside it,
// and a backslash takes the next character as it is. Unlike in file names,
// slashes and dots are ordinary characters.
func compileGlob(glob string) (*regexp.Regexp, error) {
	var expr strings.Builder
	expr.WriteString(`(?s)\A`)
	for rest := glob; rest != ""; {
		switch rest[0] {
		case '*':
			expr.WriteString(`.*`)
		case '?':
			expr.WriteByte('.')
		case '[':
			end := setEnd(rest)
			if end < 0 {
				return nil, errors.New("a [ without its ]")
			}
			expr.WriteString(globSet(rest[1:end]))
			rest = rest[end+1:]
			continue
		case '\\':
			if len(rest) == 1 {
				return nil, errors.New("a backslash at the end")
			}
			rest = rest[1:]
			fallthrough
		default:
			text := rest
			if i := strings.IndexAny(rest[1:], `*?[\`); i >= 0 {
				text = rest[:i+1]
			}
			expr.WriteString(regexp.QuoteMeta(text))
			rest = rest[len(text):]
			continue
		}
		rest = rest[1:]
	}
	expr.WriteString(`\z`)
	return regexp.Compile(expr.String())
}

// setEnd returns the place of the bracket that closes the set at the beginning
// of the text, or -1. A closing bracket that comes first is a member.
func setEnd(text string) int {
	first := 1
	if len(text) > 1 && (text[1] == '!' || text[1] == '^') {
		first = 2
	}
	if len(text) <= first+1 {
		return -1
	}
	end := strings.IndexByte(text[first+1:], ']')
	if end < 0 {
		return -1
	}
	return first + 1 + end
}

// globSet turns what stands between brackets into a set of a regular expression.
func globSet(members string) string {
	negated := ""
	if members[0] == '!' || members[0] == '^' {
		negated, members = "^", members[1:]
	}
	members = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(members)
	return "[" + negated + members + "]"
}
