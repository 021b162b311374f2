package embedded

import (
	"errors"
	"io"
	"sync/atomic"
)

// nextName is the log that a compaction writes beside the one in use.
const nextName = "store.log.next"

// compaction is a rewrite of the log while the store goes on: the log is
// replayed into a second keyspace, that is written as a snapshot, and what was
// appended meanwhile is copied behind it. Commands wait only for the last piece
// of that and the renaming. Until then the log in use is the only one that
// counts; a process that is killed leaves a file which nobody reads.
type compaction struct {
	stop atomic.Bool
	done chan struct{}
	// old is a handle of its own on the log in use.
	old  file
	next file
	// read is how far the old log is in the new one; size and base are of that.
	read, size, base int64
}

// How a compaction catches up before commands have to wait: until less is
// missing than this, or after so many rounds against fast writers.
const (
	catchUpBytes  = 256 << 10
	catchUpRounds = 20
)

var errCompactionEnded = errors.New("the compaction was called off")

// startCompaction rewrites the log beside the store's work.
func (s *store) startCompaction() {
	old, err := s.journal.disk.open(logName)
	if err != nil {
		s.compactionFailed(err)
		return
	}
	c := &compaction{done: make(chan struct{}), old: old, read: s.journal.size}
	s.compacting = c
	go func() {
		defer close(c.done)
		err := c.write(s)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil {
			err = c.finish(s)
		}
		if err != nil {
			c.discard(s.journal.disk)
		}
		s.compacting = nil
		switch {
		case err == nil:
			s.compactNext = 0
		case !errors.Is(err, errCompactionEnded):
			s.compactionFailed(err)
		}
	}()
}

// compactionFailed has the log grow on for a while.
func (s *store) compactionFailed(err error) {
	s.log.Error("the log could not be rewritten; it goes on growing", "error", err)
	s.compactNext = s.journal.size + s.compactAbove
}

// endCompaction calls off a compaction and waits for its end. The lock is held
// before and after.
func (s *store) endCompaction() {
	for c := s.compacting; c != nil; c = s.compacting {
		c.stop.Store(true)
		s.mu.Unlock()
		<-c.done
		s.mu.Lock()
	}
}

// write makes the new log, without the store's lock but for a look at how far
// the old one has grown.
func (c *compaction) write(s *store) (err error) {
	if c.next, err = s.journal.disk.create(nextName); err != nil {
		return err
	}
	if err := c.snapshot(s); err != nil {
		return err
	}
	if err := c.catchUp(s); err != nil {
		return err
	}
	// With this, little is left to be synced while commands wait; what comes in
	// during it is copied once more, since the last sync would else take long.
	if err := c.next.Sync(); err != nil {
		return err
	}
	return c.catchUp(s)
}

// catchUp copies what was appended meanwhile.
func (c *compaction) catchUp(s *store) error {
	for range catchUpRounds {
		s.mu.Lock()
		until := s.journal.size
		s.mu.Unlock()
		if until-c.read <= catchUpBytes {
			break
		}
		if err := c.copyUntil(until); err != nil {
			return err
		}
	}
	return nil
}

// snapshot writes what the old log made of the keyspace.
func (c *compaction) snapshot(s *store) error {
	engine, err := newEngine(s.now)
	if err != nil {
		return err
	}
	defer engine.close()
	r := newLogReaderTo(c.old, s.journal.disk.path(logName), c.read)
	if err := r.header(); err != nil {
		return err
	}
	for err = r.next(engine.replay); err == nil; err = r.next(engine.replay) {
		if c.stop.Load() {
			return errCompactionEnded
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	c.size, err = writeSnapshot(c.next, func(write func([]effect) error) error {
		return engine.snapshot(func(part []effect) error {
			if c.stop.Load() {
				return errCompactionEnded
			}
			return write(part)
		})
	})
	c.base = c.size
	return err
}

// copyUntil appends the records of the old log up to a place.
func (c *compaction) copyUntil(until int64) error {
	buf := make([]byte, min(1<<20, max(until-c.read, 0)))
	for c.read < until {
		if c.stop.Load() {
			return errCompactionEnded
		}
		part := buf[:min(int64(len(buf)), until-c.read)]
		if _, err := io.ReadFull(io.NewSectionReader(c.old, c.read, int64(len(part))), part); err != nil {
			return err
		}
		if _, err := c.next.WriteAt(part, c.size); err != nil {
			return err
		}
		c.read += int64(len(part))
		c.size += int64(len(part))
	}
	return nil
}

// finish copies what is missing and puts the new log in place. The lock is held.
func (c *compaction) finish(s *store) error {
	if c.stop.Load() || s.journal.unsafe.Load() != nil {
		return errCompactionEnded // the old log was replaced, or must not be trusted
	}
	if err := c.copyUntil(s.journal.size); err != nil {
		return err
	}
	err := c.next.Sync()
	if err := errors.Join(err, c.close()); err != nil {
		return err
	}
	return s.journal.exchange(nextName, c.size, c.base)
}

// close closes both files; some systems do not rename over an open one.
func (c *compaction) close() error {
	var err error
	for _, f := range []*file{&c.old, &c.next} {
		if *f != nil {
			err = errors.Join(err, (*f).Close())
			*f = nil
		}
	}
	return err
}

// discard removes what was written. What cannot be removed is written over by
// the next compaction.
func (c *compaction) discard(d disk) {
	_ = c.close()
	_ = d.remove(nextName)
}
