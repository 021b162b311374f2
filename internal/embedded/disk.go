package embedded

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// disk is the folder as the log needs it. Tests put one in front that fails.
type disk interface {
	// open opens a file for reading and writing; create makes an empty one.
	open(name string) (file, error)
	create(name string) (file, error)
	rename(from, to string) error
	remove(name string) error
	// sync makes renames last.
	sync() error
	path(name string) string
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
	Stat() (os.FileInfo, error)
}

// folder is a disk on the file system.
type folder string

const private = 0o600

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

func (f folder) open(name string) (file, error) {
	opened, err := os.OpenFile(f.path(name), os.O_RDWR, private)
	if err != nil {
		return nil, err // not the nil *os.File, which would be no nil file
	}
	return opened, nil
}

func (f folder) create(name string) (file, error) {
	created, err := os.OpenFile(f.path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, private)
	if err != nil {
		return nil, err
	}
	return created, nil
}

func (f folder) rename(from, to string) error { return os.Rename(f.path(from), f.path(to)) }

func (f folder) remove(name string) error { return os.Remove(f.path(name)) }

func (f folder) sync() error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	opened, err := os.Open(string(f))
	if err != nil {
		return err
	}
	err = opened.Sync()
	if closeErr := opened.Close(); err == nil {
		err = closeErr
	}
	return err
}
