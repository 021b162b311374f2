package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// files lists every file of the repository, relative to its root and with
// forward slashes. Without git, or with a git that refuses to read the clone, it
// walks the tree and leaves out what is fetched or built.
func files(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(),
		"git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err == nil {
		listed := strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
		// A file deleted in the working tree is still in the index.
		return slices.DeleteFunc(listed, func(name string) bool { return !exists(name) })
	}

	var found []string
	err = filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "node_modules", "dist"}, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		found = append(found, filepath.ToSlash(path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func exists(name string) bool {
	_, err := os.Stat(filepath.FromSlash(name))
	return err == nil
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// namedPath finds what a page sets in backticks that can only be a path in this
// repository: segments with slashes between them, ending in a file's extension
// or in a slash. A name with a placeholder such as <operation> is not one.
var namedPath = regexp.MustCompile(
	"`((?:\\.?[A-Za-z0-9_*][A-Za-z0-9_.*-]*/)+(?:\\.?[A-Za-z0-9_*-]+\\.(?:go|lua|md|json|ya?ml|sh|mjs|js|txtar|txt|1))?)`")

// TestPagesNameFilesThatExist protects the pages that explain where things are
// from the day a file moves.
func TestPagesNameFilesThatExist(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"docs/architecture.md", "CONTRIBUTING.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			named := namedPath.FindAllStringSubmatch(read(t, page), -1)
			if len(named) == 0 {
				t.Errorf("%s names no file at all", page)
			}
			for _, match := range named {
				found, err := filepath.Glob(filepath.FromSlash(match[1]))
				if err != nil {
					t.Errorf("%s: %v", match[1], err)
				}
				if len(found) == 0 {
					t.Errorf("%s is named, and does not exist", match[1])
				}
			}
		})
	}
}

// leftover matches a note to finish something later, but neither the Go
// function context.TODO nor a pattern that forbids it.
var leftover = regexp.MustCompile(`(?m)(?:^|[^.|\w])(TODO|FIXME)(?:[^|\w]|$)`)

// TestNothingIsLeftForLater keeps the code free of promises: finish it, or say
// in the documentation what it does not do.
func TestNothingIsLeftForLater(t *testing.T) {
	t.Parallel()
	for _, name := range files(t) {
		if name == "house_test.go" {
			continue
		}
		switch filepath.Ext(name) {
		case ".go", ".lua", ".md", ".sh", ".js", ".mjs", ".yml", ".yaml", ".txtar", "":
		default:
			continue
		}
		text := read(t, name)
		for _, at := range leftover.FindAllStringSubmatchIndex(text, -1) {
			t.Errorf("%s:%d: %s", name, 1+strings.Count(text[:at[2]], "\n"), text[at[2]:at[3]])
		}
	}
}

// luaHeader returns the comment lines that a script begins with, without their
// dashes.
func luaHeader(text string) []string {
	var header []string
	for line := range strings.Lines(text) {
		comment, isComment := strings.CutPrefix(line, "--")
		if !isComment {
			break
		}
		header = append(header, strings.TrimSpace(comment))
	}
	return header
}

// TestScriptsHaveHeaders holds every script to its signature: a sentence on what
// it does, then KEYS, ARGV, Returns and Events. An include is a function, called
// from scripts that have said so already; it needs the sentence alone.
func TestScriptsHaveHeaders(t *testing.T) {
	t.Parallel()
	sentence := regexp.MustCompile(`^\S+ \S+ .*[a-z]`)
	parts := []string{"KEYS", "ARGV", "Returns", "Events"}

	scripts := slices.DeleteFunc(files(t), func(name string) bool {
		return filepath.Ext(name) != ".lua"
	})
	if len(scripts) == 0 {
		t.Skip("no scripts")
	}
	for _, name := range scripts {
		header := luaHeader(read(t, name))
		if len(header) == 0 || !sentence.MatchString(header[0]) || startsWithAny(header[0], parts) {
			t.Errorf("%s: the first line is not a comment that says what it does", name)
		}
		if strings.Contains(name, "/includes/") {
			continue
		}
		for _, part := range parts {
			if !slices.ContainsFunc(header, func(line string) bool { return startsWithAny(line, []string{part}) }) {
				t.Errorf("%s: the header has no %s line", name, part)
			}
		}
	}
}

func startsWithAny(line string, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(line, word) })
}

// TestEveryRoomHasItsWalls demands a depguard rule for each package below
// internal, so that a new room cannot be built without saying whom it may know.
func TestEveryRoomHasItsWalls(t *testing.T) {
	t.Parallel()
	rules := read(t, ".golangci.yml")
	rooms, err := filepath.Glob("internal/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range rooms {
		rooms[i] = filepath.Base(filepath.Dir(file))
	}
	for _, room := range slices.Compact(rooms) {
		// Test support has one rule for all of it.
		if strings.HasSuffix(room, "test") {
			continue
		}
		if !strings.Contains(rules, `files: ["**/internal/`+room+`/`) {
			t.Errorf("internal/%s has no depguard rule in .golangci.yml", room)
		}
	}
}

// TestReleaseSetsVariablesThatExist guards against the linker's silence: -X with
// a name that no package declares is no error, and the release would not know
// its version.
func TestReleaseSetsVariablesThatExist(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("cmd/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, source := range sources {
		parsed, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		declared = append(declared, packageVariables(parsed)...)
	}

	set := regexp.MustCompile(`-X \S*/cmd\.(\w+)=`).FindAllStringSubmatch(
		read(t, ".goreleaser.yaml")+read(t, "Makefile"), -1)
	if len(set) == 0 {
		t.Error("neither .goreleaser.yaml nor Makefile sets a variable")
	}
	for _, match := range set {
		if !slices.Contains(declared, match[1]) {
			t.Errorf("cmd declares no variable %s", match[1])
		}
	}
}

func packageVariables(file *ast.File) []string {
	var names []string
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok || general.Tok != token.VAR {
			continue
		}
		for _, spec := range general.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				names = append(names, name.Name)
			}
		}
	}
	return names
}
