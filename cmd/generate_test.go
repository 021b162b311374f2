package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestGenerateIsReproducible(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://elsewhere:1")
	t.Setenv("HOME", t.TempDir())
	first, err := generatedFiles()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("REDIS_URL", "")
	t.Setenv("TZ", "Asia/Tokyo")
	second, err := generatedFiles()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("two runs differ (-first +second):\n%s", diff)
	}
}

func TestWriteRemovesWhatIsNotGenerated(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := writeGenerated(root, map[string][]byte{"docs/cli/old.md": []byte("old"), "docs/man/kept.1": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if err := writeGenerated(root, map[string][]byte{"docs/man/kept.1": []byte("2")}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, folder := range generatedFolders {
		entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(folder)))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(folder), entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			got[folder+"/"+entry.Name()] = string(text)
		}
	}
	if diff := cmp.Diff(map[string]string{"docs/man/kept.1": "2"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestEveryCommandIsDocumented holds each command to the house's rule: a long
// text and three examples.
func TestEveryCommandIsDocumented(t *testing.T) {
	t.Parallel()
	for _, c := range documented(NewRootForDocs()) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short text %q is empty or ends in a full stop", c.CommandPath(), c.Short)
		}
		if !c.Runnable() || c.Name() == "help" {
			continue
		}
		if n := len(strings.Split(strings.TrimSpace(c.Example), "\n")); n < 3 {
			t.Errorf("%s has %d examples, want 3 or more", c.CommandPath(), n)
		}
		if c.HasParent() && !c.Parent().HasParent() && c.GroupID == "" {
			t.Errorf("%s is in no group", c.CommandPath())
		}
	}
}

func TestGeneratedPages(t *testing.T) {
	t.Parallel()
	root := &cobra.Command{Use: "tool", Short: "Do things", Run: func(*cobra.Command, []string) {}}
	sub := &cobra.Command{
		Use: "cut FILE", Short: "Cut a file", Long: "Cut.\n.hidden and \\n", Example: "  tool cut a-b\n  tool cut 'c'",
		Run: func(*cobra.Command, []string) {},
	}
	sub.Flags().Int("width", 80, "cut at `N` columns")
	hidden := &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}}
	root.AddCommand(sub, hidden)
	root.CompletionOptions.DisableDefaultCmd = true
	sub.InitDefaultHelpFlag()

	wantMarkdown := "<!-- Generated from the command tree; do not edit. -->\n\n# tool cut\n\nCut a file.\n\n" +
		"```text\ntool cut FILE [flags]\n```\n\n## Description\n\n```text\nCut.\n.hidden and \\n\n```\n\n" +
		"## Examples\n\n```text\ntool cut a-b\ntool cut 'c'\n```\n\n" +
		"## Flags\n\n```text\n  -h, --help      help for cut\n      --width N   cut at N columns (default 80)\n```\n\n" +
		"## See also\n\n- [tool](tool.md): Do things\n"
	if diff := cmp.Diff(wantMarkdown, string(markdown(sub))); diff != "" {
		t.Errorf("markdown (-want +got):\n%s", diff)
	}
	wantManual := ".\\\" Generated from the command tree; do not edit.\n.TH TOOL\\-CUT 1 \"\" qctl \"qctl manual\"\n" +
		".SH NAME\ntool\\-cut \\- Cut a file\n.SH SYNOPSIS\n\\fBtool cut FILE [flags]\\fR\n" +
		".SH DESCRIPTION\n.nf\nCut.\n\\&.hidden and \\en\n.fi\n" +
		".SH EXAMPLES\n.nf\ntool cut a\\-b\ntool cut 'c'\n.fi\n" +
		".SH OPTIONS\n.TP\n\\fB\\-h, \\-\\-help\\fR\nhelp for cut\n.TP\n\\fB\\-\\-width\\fR \\fIN\\fR\ncut at N columns (default 80)\n" +
		".SH SEE ALSO\ntool(1)\n"
	if diff := cmp.Diff(wantManual, string(manual(sub))); diff != "" {
		t.Errorf("manual (-want +got):\n%s", diff)
	}
	for _, c := range documented(root) {
		if c.Name() == "secret" {
			t.Error("a hidden command has a page")
		}
	}
}
