package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// initOptions are the flags of qctl init.
type initOptions struct {
	force  bool
	dryRun bool
	file   string
}

func newInitCommand(a *app) *cobra.Command {
	opts := &initOptions{}
	cmd := &cobra.Command{
		Use:     "init [FILE]",
		Short:   "Write a configuration file with the built-in queues",
		GroupID: groupSetup,
		Long: `Write qctl.yaml, or FILE, with the built-in queues and comments, for editing.
The new file changes nothing until it is edited. It is for you alone to read,
because passwords get into such files; chmod o+r shares it.`,
		Example: `  qctl init
  qctl init --dry-run
  qctl init deploy/qctl.yaml --force`,
		Args:              argumentCount(0, 1, "at most one file"),
		ValidArgsFunction: completeYAML,
		RunE: func(_ *cobra.Command, args []string) error {
			opts.file = config.FileName
			if len(args) == 1 {
				opts.file = args[0]
			}
			return runInit(a, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.force, "force", false, "overwrite a file that is there")
	cmd.Flags().BoolVarP(&opts.dryRun, "dry-run", "n", false, "print the file instead of writing it")
	return a.printsRows(cmd, render.LayoutOf[fileView](nil))
}

func runInit(a *app, opts *initOptions) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	if opts.file == "" {
		return &usageError{err: errors.New("the name of the file is empty")}
	}
	info, err := os.Lstat(opts.file)
	switch {
	case err == nil && !opts.force:
		return &usageError{err: fmt.Errorf("%q is there already", opts.file), hint: "add --force to overwrite it, or name another file"}
	case err == nil && !info.Mode().IsRegular():
		return &usageError{err: fmt.Errorf("%q is not a regular file", opts.file)}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return &usageError{err: err}
	}
	// A file that is being replaced may be one that cannot be read.
	if c, err := a.loadConfig(); err == nil && c.ReadOnly && !opts.dryRun {
		return fmt.Errorf("nothing is written: %w", queue.ErrReadOnly)
	}
	text := config.Template()
	if opts.dryRun && format.ForPeople() {
		_, err := fmt.Fprint(a.streams.Out, text)
		return err
	}
	if !opts.dryRun {
		if err := writeNew(opts.file, text, opts.force); err != nil {
			return &usageError{err: err}
		}
	}
	if !format.ForPeople() {
		return writeResult(a, fileView{opts.file, len(text), opts.dryRun})
	}
	_, err = fmt.Fprintf(a.streams.Out, "wrote %s\n", render.Text(opts.file))
	return err
}

// fileView is a file that was written, as JSON.
type fileView struct {
	File   string `json:"file" about:"name of the file"`
	Bytes  int    `json:"bytes" about:"its size"`
	DryRun bool   `json:"dryRun" about:"true when nothing was written"`
}

// writeNew writes a file as a whole or not at all. Without force it fails when
// the file has come into being meanwhile.
func writeNew(name, text string, force bool) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(name), ".qctl-init-*")
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.Remove(temp.Name()); err == nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = removeErr
		}
	}()
	_, err = temp.WriteString(text)
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if force {
		return os.Rename(temp.Name(), name)
	}
	return os.Link(temp.Name(), name) // refuses a name that is taken, as Rename would not
}
