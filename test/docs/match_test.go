//go:build linux

package docs

import (
	"regexp"
	"strings"
)

// anyNumber is a number as results show it, with the unit of an age.
var anyNumber = regexp.MustCompile(`[0-9][0-9,.]*(?:(?:ms|s|m|h|d|w)\b)?`)

// blanks part words; a table may set them wider or closer.
var blanks = regexp.MustCompile(`[ \t]+`)

// matches reports whether a command printed what the page shows.
func matches(shown []string, printed string, numbers bool) bool {
	var expr strings.Builder
	expr.WriteString(`\A`)
	for _, line := range trimBlank(shown) {
		if strings.TrimSpace(line) == "…" {
			expr.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		expr.WriteString(lineExpr(line, numbers) + `\n`)
	}
	expr.WriteString(`\z`)
	var text strings.Builder
	for _, line := range trimBlank(strings.Split(printed, "\n")) {
		text.WriteString(plain(line) + "\n")
	}
	return regexp.MustCompile(expr.String()).MatchString(text.String())
}

// lineExpr is a regular expression for one line of a page.
func lineExpr(line string, numbers bool) string {
	parts := strings.Split(plain(line), "…")
	for i, part := range parts {
		if !numbers {
			parts[i] = regexp.QuoteMeta(part)
			continue
		}
		var expr strings.Builder
		at := 0
		for _, number := range anyNumber.FindAllStringIndex(part, -1) {
			expr.WriteString(regexp.QuoteMeta(part[at:number[0]]) + anyNumber.String())
			at = number[1]
		}
		parts[i] = expr.String() + regexp.QuoteMeta(part[at:])
	}
	return strings.Join(parts, `[^\n]*`)
}

// plain is a line with one blank between words and none at its end.
func plain(line string) string { return strings.TrimRight(blanks.ReplaceAllString(line, " "), " ") }

// trimBlank drops empty lines at both ends.
func trimBlank(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
