// Command gendocs writes what is generated from qctl's command tree: completion
// scripts, the command reference and the manual pages. It runs in the root of
// the repository, writes the same bytes each time, and is not part of qctl.
package main

import (
	"bytes"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/cmd"
)

func main() {
	log.SetFlags(0)
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	files, err := generate()
	if err == nil {
		err = write(root, files)
	}
	if err != nil {
		log.Fatalf("gendocs: %v", err)
	}
}

// folders are those that hold nothing but generated files.
var folders = []string{"completions", "docs/cli", "docs/man"}

// completionFiles are the names under which shells look for the scripts.
var completionFiles = map[string]string{"bash": "qctl.bash", "zsh": "_qctl", "fish": "qctl.fish", "powershell": "qctl.ps1"}

// generate returns the files by path, with forward slashes.
func generate() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, shell := range cmd.Shells() {
		var script bytes.Buffer
		if err := cmd.WriteCompletion(cmd.NewRootForDocs(), shell, &script); err != nil {
			return nil, err
		}
		files["completions/"+completionFiles[shell]] = script.Bytes()
	}
	for _, c := range pages(cmd.NewRootForDocs()) {
		files["docs/cli/"+pageName(c)+".md"] = markdown(c)
		files["docs/man/"+pageName(c)+".1"] = manual(c)
	}
	return files, nil
}

// pages lists the commands that have a page: all but the hidden ones.
func pages(c *cobra.Command) []*cobra.Command {
	c.InitDefaultHelpFlag()
	found := []*cobra.Command{c}
	for _, sub := range subcommands(c) {
		found = append(found, pages(sub)...)
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

// write writes the files, and removes what else is in their folders.
func write(root string, files map[string][]byte) error {
	for _, folder := range folders {
		dir := filepath.Join(root, filepath.FromSlash(folder))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if _, wanted := files[folder+"/"+entry.Name()]; !wanted {
				if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
					return err
				}
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
