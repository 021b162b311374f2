package docs

import (
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// link finds the targets of links in Markdown.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// heading finds headings.
var heading = regexp.MustCompile(`(?m)^#+ (.+)$`)

// fence finds code, in which nothing is a link or a heading.
var fence = regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]+`")

// TestLinks follows every link from a page of the repository to another, down to
// the heading.
func TestLinks(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	checked := 0
	for _, page := range markdownPages(t, root) {
		for _, found := range link.FindAllStringSubmatch(fence.ReplaceAllString(readPage(t, root, page), ""), -1) {
			target, err := url.Parse(found[1])
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if target.Scheme != "" {
				continue
			}
			checked++
			name := page
			if target.Path != "" {
				name = path.Join(path.Dir(page), target.Path)
			}
			if _, err := fs.Stat(root, name); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, found[1])
				continue
			}
			if target.Fragment != "" && !slices.Contains(anchors(readPage(t, root, name)), target.Fragment) {
				t.Errorf("%s: %s has no heading for %s", page, name, found[1])
			}
		}
	}
	if checked == 0 {
		t.Error("no links at all")
	}
}

// markdownPages lists the pages at the root and all below docs.
func markdownPages(t *testing.T, root fs.FS) []string {
	t.Helper()
	found, err := fs.Glob(root, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(root, "docs", func(name string, _ fs.DirEntry, err error) error {
		if filepath.Ext(name) == ".md" {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readPage(t *testing.T, root fs.FS, name string) string {
	t.Helper()
	text, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// anchors lists what the headings of a page are called in links: lower case,
// blanks as dashes, no punctuation.
func anchors(page string) []string {
	var found []string
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		found = append(found, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', r >= '0' && r <= '9', r >= 'a' && r <= 'z', r > 127:
				return r
			}
			return -1
		}, strings.ToLower(match[1])))
	}
	return found
}

// TestIndexListsEveryPage keeps pages from being lost.
func TestIndexListsEveryPage(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	index := readPage(t, root, "docs/README.md")
	found, err := fs.Glob(root, "docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range found {
		if name := path.Base(page); name != "README.md" && !strings.Contains(index, "("+name+")") {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
}

// schemaNode is what of a JSON Schema says which keys there are.
type schemaNode struct {
	Properties           map[string]*schemaNode `json:"properties"`
	AdditionalProperties json.RawMessage        `json:"additionalProperties"`
}

// keys lists the paths of a schema's values; NAME stands for any key of a map.
func (n *schemaNode) keys(t *testing.T, at string) []string {
	t.Helper()
	var found []string
	for name, value := range n.Properties {
		found = append(found, value.keys(t, at+"."+name)...)
	}
	var values schemaNode
	if text := string(n.AdditionalProperties); text != "" && text != "false" {
		if err := json.Unmarshal(n.AdditionalProperties, &values); err != nil {
			t.Fatal(err)
		}
		found = append(found, values.keys(t, at+".NAME")...)
	}
	if len(found) == 0 {
		return []string{strings.TrimPrefix(at, ".")}
	}
	return found
}

// TestEveryKeyIsDescribed holds the page on the configuration to the schema.
func TestEveryKeyIsDescribed(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	var schema schemaNode
	if err := json.Unmarshal([]byte(readPage(t, root, "docs/qctl.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	page := readPage(t, root, "docs/configuration.md")
	want := schema.keys(t, "")
	for _, key := range want {
		// A context has the keys of the connection at the top.
		if rest, ok := strings.CutPrefix(key, "contexts.NAME."); ok && rest != "prefix" {
			key = rest
		}
		if !strings.Contains(page, "`"+key+"`") {
			t.Errorf("docs/configuration.md says nothing of %s", key)
		}
	}
	described := regexp.MustCompile("(?m)^\\| `([a-zA-Z.]+)`").FindAllStringSubmatch(page, -1)
	for _, row := range described {
		if key := row[1]; key != "contexts.NAME" && !slices.Contains(want, key) {
			t.Errorf("docs/configuration.md describes %s, which the schema does not have", key)
		}
	}
}
