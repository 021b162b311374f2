//go:build linux

package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/redistest"
)

// bin is the folder of the qctl under test.
var bin string

// TestMain builds it once.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "qctl-docs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = dir
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "qctl"), "../..")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// pages lists what people read, without the generated reference.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(found) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	return append(found, "../../README.md", "../../CONTRIBUTING.md")
}

// TestPages runs every command of every page.
func TestPages(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed, for which the pages are written")
	}
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found, err := steps(string(text))
		if err != nil {
			t.Errorf("%s: %v", page, err)
			continue
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			var w *world // made by the first block that needs it
			for _, s := range found {
				if !runnable(t, s) {
					continue
				}
				if w == nil {
					w = newWorld(t)
				}
				w.run(t, s)
			}
		})
	}
}

// runnable reports whether there is something to do for a block.
func runnable(t *testing.T, s step) bool {
	t.Helper()
	if s.skip != "" {
		t.Logf("line %d is not run: %s", s.line, s.skip)
		return false
	}
	if s.needs != "" {
		if _, err := exec.LookPath(s.needs); err != nil {
			t.Logf("line %d is not run: %s is not installed", s.line, s.needs)
			return false
		}
	}
	switch s.language {
	case "setup", "console", "sh", "yaml":
		return true
	}
	return s.file != ""
}

// run does what one block shows.
func (w *world) run(t *testing.T, s step) {
	t.Helper()
	if s.redis {
		s.text = strings.ReplaceAll(s.text, "redis://127.0.0.1:6379", redistest.Start(t).URL())
	}
	switch {
	case s.file != "":
		w.write(t, s.file, s.text)
	case s.language == "yaml":
		w.write(t, "checked.yaml", s.text)
		if printed, code := w.shell(t, "qctl config validate checked.yaml"); code != 0 {
			t.Errorf("line %d: the configuration is not valid:\n%s", s.line, printed)
		}
	case s.language == "console":
		w.console(t, s)
	default:
		if printed, code := w.shell(t, "set -e\n"+s.text); code != 0 {
			t.Errorf("line %d: exit code %d:\n%s", s.line, code, printed)
		}
	}
}

// console runs the commands of a block one by one.
func (w *world) console(t *testing.T, s step) {
	t.Helper()
	found, err := commands(s)
	if err != nil {
		t.Error(err)
		return
	}
	last := 0 // the exit code of the command before
	for i, c := range found {
		var printed string
		printed, last = w.shell(t, fmt.Sprintf("(exit %d)\n%s", last, c.text))
		shown := strings.Join(c.shown, "\n")
		if !strings.Contains(shown, embeddedLine) { // pages show it once, where they speak of it
			printed = withoutLine(printed, embeddedLine)
		}
		if !matches(c.shown, printed, s.numbers) {
			t.Errorf("line %d: $ %s\nshown:\n%s\nprinted:\n%s", c.line, c.text, shown, printed)
		}
		told := strings.Contains(shown, "qctl: ") || i+1 < len(found) && found[i+1].text == "echo $?"
		if last != 0 && !told {
			t.Errorf("line %d: $ %s\nends with exit code %d, and the page does not say so:\n%s", c.line, c.text, last, printed)
		}
	}
}

// withoutLine drops the lines that begin with a text.
func withoutLine(text, beginning string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, beginning) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
