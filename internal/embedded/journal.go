package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
)

// Names of the files.
const (
	logName = "store.log"
	newName = "store.log.new"
)

// journal is the log that is written to. append, ready, replace and close are
// called under the store's lock; sync is not.
type journal struct {
	disk disk
	// size is the length of what is good; base that of the snapshot it began with.
	size, base int64
	// torn is set while something may lie behind size. need is how much room the
	// record took that could not be written.
	torn bool
	need int

	// syncMu is held while the file is synced or exchanged. moved is set while the
	// name of a new file may not be on the disk.
	syncMu sync.Mutex
	f      file
	moved  bool
	// appended counts the bytes written since the start, synced those that are safe.
	appended, synced atomic.Int64
	// unsafe is why a sync failed: what is in the file is unknown then.
	unsafe atomic.Pointer[error]
}

// cut is a torn tail that was removed.
type cut struct{ offset, bytes int64 }

// openJournal opens the log, or makes an empty one, and gives its effects. A
// torn tail is cut off.
func openJournal(d disk, apply func(effect) error) (*journal, *cut, error) {
	j := &journal{disk: d}
	f, err := d.open(logName)
	if errors.Is(err, fs.ErrNotExist) {
		err := j.replace(func(func([]effect) error) error { return nil })
		return j, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	j.f = f
	r, err := j.read(apply)
	if err == nil && r.offset < r.size {
		err = errors.Join(f.Truncate(r.offset), f.Sync())
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	j.size, j.base = r.offset, r.snapshot
	if r.offset < r.size {
		return j, &cut{r.offset, r.size - r.offset}, nil
	}
	return j, nil, nil
}

// read gives the effects of all whole records.
func (j *journal) read(apply func(effect) error) (*logReader, error) {
	r, err := newLogReader(j.f, j.disk.path(logName))
	if err != nil {
		return nil, err
	}
	if err := r.header(); err != nil {
		return nil, err
	}
	for {
		switch err := r.next(apply); {
		case errors.Is(err, io.EOF), errors.Is(err, errTorn):
			return r, nil
		case err != nil:
			return nil, err
		}
	}
}

// append writes a record behind the others and returns what must be synced for
// it to be safe. After an error nothing of the record is left, now or when
// [journal.ready] next succeeds.
func (j *journal) append(effects []effect) (until int64, err error) {
	record := appendRecord(nil, kindCommand, effects)
	if _, err := j.f.WriteAt(record, j.size); err != nil {
		j.torn, j.need = true, len(record)
		j.tidy()
		return 0, err
	}
	j.size += int64(len(record))
	return j.appended.Add(int64(len(record))), nil
}

// tidy removes what lies behind the good part.
func (j *journal) tidy() {
	if j.f.Truncate(j.size) == nil {
		j.torn = false
	}
}

// spare is at least the room that must be there after a disk was full.
const spare = 64 << 10

// ready returns why nothing can be written, and tries to mend it. A disk that
// was full must take as much as it refused.
func (j *journal) ready() error {
	if j.torn {
		if err := j.f.Truncate(j.size); err != nil {
			return err
		}
		j.torn = false
	}
	if j.need == 0 {
		return nil
	}
	_, err := j.f.WriteAt(make([]byte, max(j.need, spare)), j.size)
	j.torn = true
	j.tidy()
	if err != nil {
		return err
	}
	if j.torn {
		return fmt.Errorf("%s cannot be cut", logName)
	}
	j.need = 0
	return nil
}

// sync makes what was appended safe, at least until the mark. Who comes while
// another sync runs shares the next.
func (j *journal) sync(until int64) error {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	if j.synced.Load() >= until && !j.moved {
		return nil
	}
	if err := j.unsafe.Load(); err != nil {
		return *err
	}
	target := j.appended.Load()
	err := j.f.Sync()
	if err == nil {
		err = j.syncName()
	}
	if err != nil {
		j.unsafe.Store(&err)
		return err
	}
	j.synced.Store(target)
	return nil
}

// syncName makes the renaming of a new file last. syncMu is held.
func (j *journal) syncName() error {
	if !j.moved {
		return nil
	}
	err := j.disk.sync()
	j.moved = err != nil
	return err
}

// awaitSync waits for the end of a sync that runs.
func (j *journal) awaitSync() {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
}

// replace puts a snapshot in the place of the log. After an error the old log
// is still there.
func (j *journal) replace(snapshot func(write func([]effect) error) error) (err error) {
	f, err := j.disk.create(newName)
	if err != nil {
		return err
	}
	size, err := writeSnapshot(f, snapshot)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return errors.Join(err, j.disk.remove(newName))
	}
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	return errors.Join(j.exchange(newName, size, size, 0), j.syncName())
}

// exchange puts a log that is complete in the place of this one; base is where
// its snapshot ends, and unsynced how many bytes at its end may not be on the
// disk. After an error one of the two is there. syncMu is held.
func (j *journal) exchange(name string, size, base, unsynced int64) (err error) {
	if j.f != nil {
		// Some systems do not rename over an open file.
		_ = j.f.Close()
	}
	renameErr := j.disk.rename(name, logName)
	if renameErr == nil {
		j.size, j.base, j.torn, j.moved = size, base, false, true
		j.synced.Store(j.appended.Load() - unsynced)
		j.unsafe.Store(nil)
	}
	j.f, err = j.disk.open(logName)
	if err != nil {
		j.f = gone{err}
	}
	return errors.Join(renameErr, err)
}

// writeSnapshot writes a whole log.
func writeSnapshot(f file, snapshot func(write func([]effect) error) error) (size int64, err error) {
	write := func(b []byte) error {
		_, err := f.WriteAt(b, size)
		size += int64(len(b))
		return err
	}
	if err := write(appendHeader(nil, logVersion)); err != nil {
		return 0, err
	}
	err = snapshot(func(effects []effect) error { return write(appendRecord(nil, kindSnapshot, effects)) })
	return size, err
}

// close syncs and closes the file.
func (j *journal) close() error {
	syncErr := j.sync(j.appended.Load())
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	return errors.Join(syncErr, j.f.Close())
}
