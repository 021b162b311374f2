package embedded

import "os"

// gone is a file that could not be opened again: all that is asked of it fails.
type gone struct{ err error }

// ReadAt fails.
func (g gone) ReadAt([]byte, int64) (int, error) { return 0, g.err }

// WriteAt fails.
func (g gone) WriteAt([]byte, int64) (int, error) { return 0, g.err }

// Truncate fails.
func (g gone) Truncate(int64) error { return g.err }

// Sync fails.
func (g gone) Sync() error { return g.err }

// Stat fails.
func (g gone) Stat() (os.FileInfo, error) { return nil, g.err }

// Close has nothing to do.
func (g gone) Close() error { return nil }
