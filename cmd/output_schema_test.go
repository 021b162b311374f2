package cmd

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/iostreams"
	"github.com/qctl/qctl/internal/render"
)

// schemaDir is where the schemas of the documents that commands print are
// published.
const schemaDir = "../docs/schema"

// outputVariants are command lines whose results are other ones than those of the
// command without flags.
var outputVariants = map[string][]string{
	"qctl failed": {"--by=cause"}, "qctl enqueue": {"--bulk=-", "--dry-run"}, "qctl config view": {"--origin"},
}

// outputShapes are those of the commands that do not print a list.
var outputShapes = map[string]render.Shape{
	"qctl show": render.ShapeOne, "qctl enqueue": render.ShapeOne, "qctl version": render.ShapeOne,
	"qctl init": render.ShapeOne, "qctl worker": render.ShapeOne, "qctl scheduler": render.ShapeOne, "qctl config validate": render.ShapeOne,
	"qctl embedded status": render.ShapeOne, "qctl embedded stop": render.ShapeOne, "qctl embedded reset": render.ShapeOne,
	"qctl obliterate": render.ShapeOne, "qctl demo": render.ShapeOne,
	"qctl schedule show": render.ShapeOne, "qctl schedule add": render.ShapeOne, "qctl schedule run": render.ShapeOne,
	"qctl retry": render.ShapeEither, "qctl promote": render.ShapeEither, "qctl remove": render.ShapeEither,
}

// outputSchemas returns the schema of every command, by the name of its file.
func outputSchemas(t *testing.T) map[string]string {
	t.Helper()
	schemas := map[string]string{}
	for path := range commandsWithResults(t) {
		for _, flag := range append([]string{""}, outputVariants[path]...) {
			a := treeApp()
			cmd := commandsOf(a)[path]
			if flag != "" {
				if err := cmd.ParseFlags([]string{flag}); err != nil {
					t.Fatal(err)
				}
			}
			layout := a.results[cmd].layout()
			if len(layout.Fields) == 0 {
				continue
			}
			title := strings.TrimSpace(path + " " + strings.TrimSuffix(flag, "=-"))
			text, err := layout.Schema(title+" -o json", outputShapes[path])
			if err != nil {
				t.Fatal(err)
			}
			file := strings.NewReplacer(" --", "-", " ", "-", "=", "-").Replace(strings.TrimPrefix(title, "qctl "))
			schemas[file+".json"] = string(text)
		}
	}
	return schemas
}

func commandsWithResults(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	a := treeApp()
	found := commandsOf(a)
	for path, cmd := range found {
		if _, ok := a.results[cmd]; !ok {
			delete(found, path)
		}
	}
	return found
}

// commandsOf builds the command tree and returns its commands by their paths.
func commandsOf(a *app) map[string]*cobra.Command {
	found := map[string]*cobra.Command{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		found[c.CommandPath()] = c
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(a))
	return found
}

// The published schemas are those of the views, and the scripts that
// hold the commands against them leave none out.
func TestOutputSchemasAreFresh(t *testing.T) {
	t.Parallel()
	var scripts strings.Builder
	for _, name := range scriptFiles(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(text)
	}
	schemas := outputSchemas(t)
	if flag.Lookup("update").Value.String() == "true" {
		for name, text := range schemas {
			if err := os.WriteFile(filepath.Join(schemaDir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	published, err := filepath.Glob(filepath.Join(schemaDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range published {
		name := filepath.Base(path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(schemas[name], string(text)); diff != "" {
			t.Errorf("%s is stale, run go test ./cmd -run TestOutputSchemasAreFresh -update (-want +got):\n%s", path, diff)
		}
		delete(schemas, name)
		if !strings.Contains(scripts.String(), "\nvalidate stdout "+strings.TrimSuffix(name, ".json")+"\n") {
			t.Errorf("no command is held against %s", name)
		}
	}
	for name := range schemas {
		t.Errorf("%s is missing", name)
	}
}

// Every column and every field says what it is.
func TestColumnsAreDescribed(t *testing.T) {
	t.Parallel()
	for path := range commandsWithResults(t) {
		for _, flag := range append([]string{""}, outputVariants[path]...) {
			a := treeApp()
			cmd := commandsOf(a)[path]
			_ = cmd.ParseFlags([]string{flag})
			for _, c := range a.results[cmd].layout().Choices() {
				if c.About == "" {
					t.Errorf("%s %s: column %s says nothing", path, flag, c.Name)
				}
			}
		}
	}
}

func scriptFiles(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	return names
}

// treeApp is enough of an app to build the command tree.
func treeApp() *app { return &app{streams: &iostreams.Streams{}} }

// The page about formats has a table with every field of every command.
func TestOutputPageNamesEveryField(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/output.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for section := range strings.SplitSeq(string(page), "\n### ") {
		heading, body, _ := strings.Cut(section, "\n")
		for name := range strings.SplitSeq(heading, ", ") {
			sections[strings.Trim(name, "`")] = body
		}
	}
	for path := range commandsWithResults(t) {
		for _, flag := range append([]string{""}, outputVariants[path]...) {
			a := treeApp()
			cmd := commandsOf(a)[path]
			_ = cmd.ParseFlags([]string{flag})
			name := strings.TrimSpace(path + " " + strings.TrimSuffix(strings.Replace(flag, "=cause", " cause", 1), "=-"))
			for _, f := range a.results[cmd].layout().Fields {
				if !strings.Contains(sections[name], "\n| `"+f.Name+"` | ") {
					t.Errorf("docs/output.md: %s: field %s is missing", name, f.Name)
				}
			}
		}
	}
}

// Every command says what it prints, or takes no format.
func TestEveryCommandHasFormats(t *testing.T) {
	t.Parallel()
	withoutResults := []string{"qctl top", "qctl completion", "qctl help"}
	a := treeApp()
	for path, cmd := range commandsOf(a) {
		_, has := a.results[cmd]
		if cmd.Runnable() && !cmd.HasSubCommands() && !cmd.Hidden && has == slices.Contains(withoutResults, path) {
			t.Errorf("%s: has formats is %v; a command that prints results calls app.prints", path, has)
		}
	}
}
