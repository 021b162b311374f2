package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// FileName is what the configuration file is called where nobody names it.
const FileName = "qctl.yaml"

// configVariable and contextVariable stand in for --config and --context.
const (
	configVariable  = "QCTL_CONFIG"
	contextVariable = "QCTL_CONTEXT"
)

// find returns the file to read: the one that was named, else qctl.yaml in the
// working directory, else the one in the user's configuration directory. No
// file is the empty name. Of several files the first is used; they are never
// merged.
func (s Sources) find() (string, error) {
	if s.FileSet && s.File == "" {
		return "", &ValueError{What: "--config", Want: "set but empty, want a file"}
	}
	if s.File != "" {
		return s.File, nil
	}
	named, set, err := lookup(s.Env, configVariable, "want a file")
	if err != nil || set {
		return named, err
	}
	candidates := []string{filepath.Join(s.Dir, FileName)}
	if dir := userDir(s.Env); dir != "" {
		candidates = append(candidates, filepath.Join(dir, "qctl", FileName))
	}
	for _, name := range candidates {
		// A file that is there and cannot be used is an error when it is read:
		// to go on to the next one would hide it.
		if _, err := os.Lstat(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	return "", nil
}

// userDir is the user's configuration directory, or empty when there is none.
func userDir(env func(string) (string, bool)) string {
	if dir, _ := env("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	if runtime.GOOS == "windows" {
		dir, _ := env("AppData")
		return dir
	}
	if home, _ := env("HOME"); home != "" {
		return filepath.Join(home, ".config")
	}
	return ""
}

// readFile returns the content of a regular file of at most maxFileBytes.
func readFile(name string) ([]byte, fs.FileInfo, error) {
	refuse := func(format string, args ...any) ([]byte, fs.FileInfo, error) {
		return nil, nil, &FileError{File: name, Rule: fmt.Sprintf(format, args...)}
	}
	// Looked at before it is opened: opening a named pipe blocks.
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return refuse("cannot be read: %s", causeOf(err))
	case !info.Mode().IsRegular():
		return refuse("not a regular file")
	case info.Size() > maxFileBytes:
		return refuse("%d bytes, at most %d are allowed", info.Size(), maxFileBytes)
	}
	file, err := os.Open(name)
	if err != nil {
		return refuse("cannot be read: %s", causeOf(err))
	}
	defer func() { _ = file.Close() }() // nothing was written
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	switch {
	case err != nil:
		return refuse("cannot be read: %s", causeOf(err))
	case len(data) > maxFileBytes:
		return refuse("more than %d bytes", maxFileBytes)
	}
	return data, info, nil
}

// causeOf leaves out the operation and the path, which the error names already.
func causeOf(err error) error {
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		return cause.Err
	}
	return err
}

// access is what others may do with a file.
func access(info fs.FileInfo) (readable, writable bool) {
	if runtime.GOOS == "windows" {
		return false, false
	}
	mode := info.Mode().Perm()
	return mode&0o004 != 0, mode&0o022 != 0
}

// LoadSchema compiles a schema of the configuration: a built-in one or a file of
// at most 1 MiB. An unusable file is a FileError.
func LoadSchema(name string) (*Schema, error) {
	if !isSchemaFile(name) {
		return BuiltinSchema(name)
	}
	document, _, err := readFile(name)
	if err != nil {
		return nil, err
	}
	return CompileSchema(name, document)
}
