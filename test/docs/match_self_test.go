//go:build linux

package docs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMatches holds the comparison to what it must notice.
func TestMatches(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		shown, printed string
		numbers, want  bool
	}{
		"the same":                 {"a b\n", "a b\n", false, true},
		"columns set wider":        {"ID  NAME", "ID     NAME  \n", false, true},
		"another word":             {"ID NAME", "ID WORD\n", false, false},
		"a column more":            {"ID NAME", "ID NAME AGE\n", false, false},
		"a line more":              {"a", "a\nb\n", false, false},
		"a line less":              {"a\nb", "a\n", false, false},
		"nothing shown":            {"", "", false, true},
		"something printed":        {"", "oops\n", false, false},
		"some text":                {"up … now", "up 3h 2m now\n", false, true},
		"some text, not more":      {"up … now", "up 3h\nnow\n", false, false},
		"some lines":               {"a\n…\nd", "a\nb\nc\nd\n", false, true},
		"some lines, then the end": {"a\n…", "a\nb\n", false, true},
		"another number":           {"1,000 in 12s", "7 in 3.5s\n", false, false},
		"any number":               {"1,000 in 12s", "7 in 3.5s\n", true, true},
		"any age":                  {"3m ago", "12s ago\n", true, true},
		"any number, other words":  {"1,000 in 12s", "7 of 3.5s\n", true, false},
		"a pattern is no pattern":  {"a.c", "abc\n", false, false},
	}
	for name, test := range tests {
		if got := matches(strings.Split(test.shown, "\n"), test.printed, test.numbers); got != test.want {
			t.Errorf("%s: matches is %t", name, got)
		}
	}
}

// TestSteps reads a page with all that may be in one.
func TestSteps(t *testing.T) {
	t.Parallel()
	got, err := steps("# Page\n\n<!-- run: setup\nqctl version\n-->\n<!-- run: any numbers -->\n<!-- run: needs jq -->\n" +
		"```console\n$ a \\\n  b\nout\n$ c\n```\n<!-- run: skip, for show -->\n```sh\nrm x\n```\n<!-- a note -->\n```text\n$ no\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []step{
		{line: 3, language: "setup", text: "qctl version\n"},
		{line: 8, language: "console", text: "$ a \\\n  b\nout\n$ c\n", numbers: true, needs: "jq"},
		{line: 15, language: "sh", text: "rm x\n", skip: "for show"},
		{line: 19, language: "text", text: "$ no\n"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(step{})); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	read, err := commands(got[1])
	if err != nil {
		t.Fatal(err)
	}
	wantCommands := []command{{9, "a \\\n  b", []string{"out"}}, {12, "c", nil}}
	if diff := cmp.Diff(wantCommands, read, cmp.AllowUnexported(command{})); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	for _, broken := range []string{"<!-- run: skip -->\n```sh\n```\n", "<!-- run: dance -->\n", "```sh\n", "<!-- run: setup\n", "<!-- run: any numbers -->\n"} {
		if _, err := steps(broken); err == nil {
			t.Errorf("%q is taken for a page", broken)
		}
	}
}
