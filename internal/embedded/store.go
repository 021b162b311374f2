package embedded

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// When the log is rewritten: when it is larger than this, and than twice the
// snapshot that it began with.
const (
	compactAbove  = 16 << 20
	compactFactor = 2
)

// store is the keyspace with its log: every command goes through do.
type store struct {
	now    func() time.Time
	log    *slog.Logger
	always bool
	// compactAbove is lower in tests.
	compactAbove int64

	mu      sync.Mutex
	engine  *engine
	journal *journal
	// refused is why writes are refused, for the log: it is told once.
	refused error
	// failed is set when the keyspace is lost: the log could not be read again.
	failed  error
	waiters map[string]map[chan struct{}]bool
	// compactNext is the size at which a compaction is tried, after one failed;
	// compacting is the one that runs.
	compactNext int64
	compacting  *compaction
}

// openStore opens the log of a folder.
func openStore(d disk, now func() time.Time, always bool, log *slog.Logger) (*store, *cut, error) {
	s := &store{
		now: now, log: log, always: always, compactAbove: compactAbove,
		waiters: map[string]map[chan struct{}]bool{},
	}
	// What a process that was killed while it rewrote the log has left; usually
	// there is nothing.
	_ = d.remove(newName)
	_ = d.remove(nextName)
	var err error
	if s.engine, err = newEngine(now); err != nil {
		return nil, nil, err
	}
	var torn *cut
	if s.journal, torn, err = openJournal(d, s.engine.replay); err != nil {
		s.engine.close()
		return nil, nil, err
	}
	return s, torn, nil
}

// Replies of our own.
const (
	replyMisconf  = "MISCONF the embedded store cannot write its log, and changes nothing: "
	replyInternal = "-ERR the embedded store could not execute that, and changed nothing\r\n"
	replyFailed   = "-ERR the embedded store has lost its log\r\n"
)

// do executes a command. The reply may be sent once the log is safe until the
// mark; 0 is no mark.
func (s *store) do(args []string) (reply []byte, until int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doLocked(args)
}

func (s *store) doLocked(args []string) (reply []byte, until int64) {
	if s.failed != nil {
		return []byte(replyFailed), 0
	}
	changes := mayWrite(strings.ToUpper(args[0]))
	s.engine.refusing = ""
	if changes {
		if err := s.ready(); err != nil {
			s.engine.refusing = misconf(err)
			changes = false
		}
	}
	out, err := s.engine.run(args)
	if err != nil {
		s.log.Error("a command was undone", "command", printable(args[0]), "error", err)
		s.reload()
		return []byte(replyInternal), 0
	}
	reply = append(make([]byte, 0, len(out)), out...)
	if len(s.engine.effects) == 0 || !changes && s.refused != nil {
		return reply, 0 // expired keys are logged before the next change
	}
	until, err = s.journal.append(s.engine.effects)
	switch {
	case err == nil:
		s.logged()
	case changes:
		s.refuse(err)
		s.reload()
		return appendError(nil, misconf(err)), 0
	default:
		s.refuse(err)
	}
	if !s.always {
		until = 0
	}
	return reply, until
}

// logged is done with the effects of a command.
func (s *store) logged() {
	for _, made := range s.engine.effects {
		if len(s.waiters) > 0 {
			s.wake(made)
		}
	}
	s.engine.effects = nil
	if s.compacting == nil && s.journal.size > max(s.compactAbove, compactFactor*s.journal.base, s.compactNext) {
		s.startCompaction()
	}
}

// compact replaces the log by a snapshot at once, for when the log in use must
// not be trusted. A compaction beside it is called off.
func (s *store) compact() error {
	if s.compacting != nil {
		s.compacting.stop.Store(true)
	}
	err := s.journal.replace(s.engine.snapshot)
	if s.engine.lost {
		s.reload()
	}
	if err == nil {
		s.engine.effects = nil // the snapshot has them
		s.compactNext = 0
	}
	return err
}

// ready returns why nothing may be changed, after an attempt to mend it.
func (s *store) ready() error {
	if cause := s.journal.unsafe.Load(); cause != nil {
		// What a failed sync has left in the file is unknown; a new file is not.
		if err := s.compact(); err != nil {
			s.refuse(*cause)
			return *cause
		}
	}
	if err := s.journal.ready(); err != nil {
		s.refuse(err)
		return err
	}
	if s.refused != nil {
		s.log.Info("changes are accepted again")
		s.refused = nil
	}
	return nil
}

func (s *store) refuse(err error) {
	if s.refused == nil {
		s.log.Error("changes are refused: the log cannot be written", "error", err)
	}
	s.refused = err
}

// misconf is the error of a change that was refused.
func misconf(err error) string {
	return replyMisconf + strings.NewReplacer("\r", " ", "\n", " ").Replace(err.Error())
}

// reload builds the keyspace anew from the log, which takes back what could
// not be logged. The old one is left to the garbage collector: after a panic
// its locks cannot be trusted.
func (s *store) reload() {
	fresh, err := newEngine(s.now)
	if err == nil {
		_, err = s.journal.read(fresh.replay)
	}
	if err != nil {
		s.failed = err
		s.log.Error("the keyspace is lost until the store is started again", "error", err)
		return
	}
	s.engine = fresh
}

// sync makes the log safe.
func (s *store) sync() error { return s.journal.sync(s.journal.appended.Load()) }

// wait executes a command that may find nothing yet, and says on what to wait
// in that case. Nothing can happen in between. forget ends the wait.
func (s *store) wait(args, keys []string, nothing func(reply []byte) bool) (reply []byte, until int64, woken chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reply, until = s.doLocked(args)
	if !nothing(reply) {
		return reply, until, nil
	}
	return nil, 0, s.watch(keys)
}

// watch has a channel told of the next change of one of the keys.
func (s *store) watch(keys []string) chan struct{} {
	woken := make(chan struct{}, 1)
	for _, key := range keys {
		if s.waiters[key] == nil {
			s.waiters[key] = map[chan struct{}]bool{}
		}
		s.waiters[key][woken] = true
	}
	return woken
}

// forget takes a waiter off the keys.
func (s *store) forget(woken chan struct{}, keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.waiters[key], woken)
		if len(s.waiters[key]) == 0 {
			delete(s.waiters, key)
		}
	}
}

// wake tells those who wait for a key that the effect has named.
func (s *store) wake(made effect) {
	for _, key := range made[1:min(len(made), 3)] { // RENAME names the new key second
		for woken := range s.waiters[key] {
			select {
			case woken <- struct{}{}:
			default:
			}
		}
	}
}

// close ends the store and makes the log safe.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endCompaction()
	s.engine.close()
	return s.journal.close()
}
