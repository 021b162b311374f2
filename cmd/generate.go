package cmd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/iostreams"
)

func newGenerateCommand(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "generate",
		Short:   "Write completions, command reference, man pages and schema",
		GroupID: groupSetup,
		// It is for whoever builds qctl, not for whoever uses it.
		Hidden: true,
		Long: `Write what is made from the command tree and the configuration's own table:
completions/, docs/cli/, docs/man/ and docs/qctl.schema.json below a folder that
holds qctl's sources. Other files in the three folders are removed. The same
qctl writes the same bytes, whatever the day and the environment.`,
		Example: `  qctl generate
  qctl generate --dir ~/src/qctl
  go run . generate`,
		Args:              argumentCount(0, 0, "no arguments"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			return runGenerate(a, dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "`FOLDER` of the sources")
	_ = cmd.RegisterFlagCompletionFunc("dir", completeFolders)
	return cmd
}

func runGenerate(a *app, dir string) error {
	// Elsewhere the folders could hold files of somebody's own.
	module, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !bytes.HasPrefix(module, []byte("module github.com/qctl/qctl\n")) {
		return &usageError{err: fmt.Errorf("%q does not hold the sources of qctl", dir), hint: "--dir names the folder that does"}
	}
	files, err := generatedFiles()
	if err != nil {
		return err
	}
	if err := writeGenerated(dir, files); err != nil {
		return &usageError{err: err}
	}
	_, err = fmt.Fprintf(a.streams.Out, "wrote %s\n", plural(len(files), "file"))
	return err
}

// generatedFolders are those that hold nothing but generated files.
var generatedFolders = []string{"completions", "docs/cli", "docs/man"}

// completionFiles are the names under which shells look for the scripts.
var completionFiles = map[string]string{"bash": "qctl.bash", "zsh": "_qctl", "fish": "qctl.fish", "powershell": "qctl.ps1"}

// NewRootForDocs returns a command tree that knows nothing of this machine: what
// is written from it is the same everywhere. Its commands are to be read, not
// run.
func NewRootForDocs() *cobra.Command {
	return newRootCommand(&app{
		streams:   &iostreams.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard},
		lookupEnv: func(string) (string, bool) { return "", false },
		environ:   func() []string { return nil },
		now:       func() time.Time { return time.Unix(0, 0) },
		local:     time.UTC,
	})
}

// generatedFiles returns the files by path, with forward slashes.
func generatedFiles() (map[string][]byte, error) {
	files := map[string][]byte{"docs/qctl.schema.json": config.FileSchema()}
	for _, shell := range shells() {
		var script bytes.Buffer
		if err := writeCompletion(NewRootForDocs(), shell, &script); err != nil {
			return nil, err
		}
		files["completions/"+completionFiles[shell]] = script.Bytes()
	}
	for _, c := range documented(NewRootForDocs()) {
		files["docs/cli/"+pageName(c)+".md"] = markdown(c)
		files["docs/man/"+pageName(c)+".1"] = manual(c)
	}
	return files, nil
}

// documented lists the commands that have a page: all but the hidden ones.
func documented(c *cobra.Command) []*cobra.Command {
	c.InitDefaultHelpFlag()
	found := []*cobra.Command{c}
	for _, sub := range subcommands(c) {
		found = append(found, documented(sub)...)
	}
	return found
}

// subcommands lists those that have a page, help topics included.
func subcommands(c *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(c.Commands()), func(sub *cobra.Command) bool {
		return !sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand()
	})
}

// pageName is what the page of a command is called: qctl-retry.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// description is the long text of a command, else the short one.
func description(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

// writeGenerated writes the files, and removes what else is in their folders.
func writeGenerated(root string, files map[string][]byte) error {
	for _, folder := range generatedFolders {
		if err := removeOthers(root, folder, files); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeOthers removes the files of a folder that are not among those to write,
// such as the page of a command that is gone.
func removeOthers(root, folder string, files map[string][]byte) error {
	dir := filepath.Join(root, filepath.FromSlash(folder))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, wanted := files[folder+"/"+entry.Name()]; wanted {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
