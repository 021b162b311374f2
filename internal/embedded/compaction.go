package embedded

import (
	"errors"
	"io"
	"sync/atomic"
	"time"
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
	// read is how far the old log is in the new one, and safe how far it is there
	// on the disk; size and base are of the new one.
	read, safe, size, base int64
}

// How a compaction catches up before commands have to wait: until less is
// missing than this, and what is not on the disk is younger than that. After so
// many rounds against fast writers, or a slow disk, it is put off: commands
// never wait for more.
const (
	catchUpBytes = 256 << 10
	catchUpSync  = 200 * time.Millisecond
	// Where commands have to wait for a sync, a moment is awaited for some rounds
	// in which the disk is quick.
	quickSync     = 20 * time.Millisecond
	catchUpRounds = 20
)

var (
	errCompactionEnded = errors.New("the compaction was called off")
	errNotYet          = errors.New("too much is written for the log to be exchanged")
)

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
		c.run(s)
	}()
}

// run is all of a compaction.
func (c *compaction) run(s *store) {
	err := c.write(s)
	if err == nil {
		err = c.takeOver(s)
	}
	if err == nil {
		// The end of the new log, and its name, are not on the disk yet.
		if err := s.sync(); err != nil {
			s.log.Error("the log could not be synced", "error", err)
		}
	}
	// With its last handle the blocks of the old log are freed, which takes long.
	_ = c.close()
	s.mu.Lock()
	defer s.mu.Unlock()
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

// write makes the new log as it was when the compaction began.
func (c *compaction) write(s *store) (err error) {
	if c.next, err = s.journal.disk.create(nextName); err != nil {
		return err
	}
	return c.snapshot(s)
}

// takeOver puts the new log in place at the first moment that lets it be done
// quickly.
func (c *compaction) takeOver(s *store) error {
	for range catchUpRounds {
		if err := c.settle(s); err != nil {
			return err
		}
		s.mu.Lock()
		err := c.finish(s)
		s.mu.Unlock()
		if !errors.Is(err, errNotYet) {
			return err
		}
		s.journal.awaitSync()
	}
	return errNotYet
}

// settle has nearly all that was appended meanwhile in the new log and on the
// disk, without the store's lock but for a look at how far the old one has
// grown. What comes in during a sync is copied once more.
func (c *compaction) settle(s *store) error {
	for round := range catchUpRounds {
		if err := c.catchUp(s); err != nil {
			return err
		}
		before, started := c.read, s.now()
		if err := c.next.Sync(); err != nil {
			return err
		}
		c.safe = before
		limit := catchUpSync
		if s.always && round < catchUpRounds/2 {
			limit = quickSync
		}
		if s.now().Sub(started) <= limit {
			return c.catchUp(s)
		}
	}
	return errNotYet
}

// catchUp copies what was appended meanwhile.
func (c *compaction) catchUp(s *store) error {
	for range catchUpRounds {
		s.mu.Lock()
		until := s.journal.size
		s.mu.Unlock()
		if until-c.read <= catchUpBytes {
			return nil
		}
		if err := c.copyUntil(until); err != nil {
			return err
		}
	}
	return errNotYet
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

// finish copies what is missing and puts the new log in place. The lock is
// held, so the disk is not waited for where a second may be lost: what is not on
// it yet is younger than that, and synced at once afterwards. With every answer
// synced, the rest is as well: that is one sync more of the kind that each
// command waits for.
func (c *compaction) finish(s *store) error {
	j := s.journal
	if c.stop.Load() || j.unsafe.Load() != nil {
		return errCompactionEnded // the old log was replaced, or must not be trusted
	}
	if j.size-c.read > catchUpBytes {
		return errNotYet
	}
	if s.always {
		j.syncMu.Lock()
	} else if !j.syncMu.TryLock() {
		return errNotYet // the old log is being synced
	}
	defer j.syncMu.Unlock()
	if err := c.copyUntil(j.size); err != nil {
		return err
	}
	if s.always {
		if err := c.next.Sync(); err != nil {
			return err
		}
		c.safe = c.read
	}
	if !renamesOverOpen {
		if err := c.close(); err != nil {
			return err
		}
	}
	return j.exchange(nextName, c.size, c.base, c.read-c.safe)
}

// close closes both files.
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
