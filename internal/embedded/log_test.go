package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// writeLog makes a log of a few records and returns it, with where each of
// them begins.
func writeLog(t *testing.T, dir folder) (text []byte, offsets []int64) {
	t.Helper()
	s := openAt(t, dir, time.Now)
	for i := range 4 {
		offsets = append(offsets, s.journal.size)
		expect(t, s, fmt.Sprintf("SET key%d %s", i, strings.Repeat("v", 30)), "+OK\r\n")
	}
	offsets = append(offsets, s.journal.size)
	closeStore(t, s)
	text, err := os.ReadFile(dir.path(logName))
	if err != nil {
		t.Fatal(err)
	}
	return text, offsets
}

// reopen puts a text in the place of the log and opens it.
func reopen(t *testing.T, dir folder, text []byte) (keys string, torn *cut, err error) {
	t.Helper()
	if err := os.WriteFile(dir.path(logName), text, private); err != nil {
		t.Fatal(err)
	}
	s, torn, err := openStore(dir, time.Now, false, quiet)
	if err != nil {
		after, readErr := os.ReadFile(dir.path(logName))
		if readErr != nil || !bytes.Equal(after, text) {
			t.Errorf("a log that was refused has been changed: %v", readErr)
		}
		return "", nil, err
	}
	defer closeStore(t, s)
	return send(t, s, "DBSIZE"), torn, nil
}

// Wherever the writing of the last record ended, what was before it is there.
func TestTornTail(t *testing.T) {
	t.Parallel()
	dir := folder(t.TempDir())
	whole, offsets := writeLog(t, dir)
	last := offsets[3]
	for at := last; at < int64(len(whole)); at++ {
		for _, tail := range [][]byte{nil, bytes.Repeat([]byte{0}, 4096)} {
			if tail != nil && at != last {
				continue
			}
			text := append(bytes.Clone(whole[:at]), tail...)
			keys, torn, err := reopen(t, dir, text)
			if err != nil || keys != ":3\r\n" {
				t.Fatalf("cut at %d of %d: %q, %v", at, len(whole), keys, err)
			}
			wantCut := int64(len(text)) - last
			if wantCut == 0 && torn != nil || wantCut > 0 && (torn == nil || *torn != cut{last, wantCut}) {
				t.Fatalf("cut at %d: told %v", at, torn)
			}
			if stat, err := os.Stat(dir.path(logName)); err != nil || stat.Size() != last {
				t.Fatalf("cut at %d: %v, %v", at, stat, err)
			}
		}
	}
}

// No bit of a log can change without the log being refused, with the place.
func TestBitFlip(t *testing.T) {
	t.Parallel()
	dir := folder(t.TempDir())
	whole, offsets := writeLog(t, dir)
	for at := range whole {
		text := bytes.Clone(whole)
		text[at] ^= 1 << (at % 8)
		_, _, err := reopen(t, dir, text)
		var damaged *LogError
		if !errors.As(err, &damaged) || !errors.Is(err, ErrCorruptLog) && !errors.Is(err, ErrLogVersion) {
			t.Fatalf("bit flipped at %d: %v", at, err)
		}
		want := int64(0)
		for _, offset := range offsets {
			if offset <= int64(at) {
				want = offset
			}
		}
		if damaged.Offset != want || damaged.Path != dir.path(logName) {
			t.Errorf("bit flipped at %d: told %q, want byte %d", at, err, want)
		}
	}
}

func TestWrongLog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		text []byte
		want error
	}{
		{"empty", nil, ErrLogVersion},
		{"another file", []byte("SQLite format 3\x00 and more"), ErrLogVersion},
		{"a later version", appendHeader(nil, logVersion+1), ErrLogVersion},
		{"an unknown kind", appendRecord(appendHeader(nil, logVersion), 'x', []effect{{"SET", "a", "b"}}), ErrCorruptLog},
		{"nothing in a record", append(appendHeader(nil, logVersion), appendRecord(nil, 'x', nil)...), ErrCorruptLog},
		{"a command that fails", appendRecord(appendHeader(nil, logVersion), kindCommand, []effect{{"INCR", "a"}, {"LPUSH", "a", "b"}}), ErrCorruptLog},
		{"a command that panics", appendRecord(appendHeader(nil, logVersion), kindCommand, []effect{{"XADD", "a", "NOMKSTREAM", "MAXLEN", "~"}}), ErrCorruptLog},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := reopen(t, folder(t.TempDir()), c.text); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// A log that has grown is rewritten, with nothing lost and nothing left over.
func TestCompaction(t *testing.T) {
	t.Parallel()
	dir := folder(t.TempDir())
	clock := newFakeClock()
	s := openAt(t, dir, clock.now)
	s.compactAbove = 64 << 10
	expect(t, s, "XADD events 5-1 a b", "$3\r\n5-1\r\n", "XADD events 9-1 a b", "$3\r\n9-1\r\n", "XDEL events 9-1", ":1\r\n",
		"XADD empty 7-7 a b", "$3\r\n7-7\r\n", "XTRIM empty MAXLEN 0", ":1\r\n",
		"SET lock t PX 90000", "+OK\r\n")
	rewrites := 0
	for i := range 5000 {
		send(t, s, fmt.Sprintf("HSET hash f%d %s", i%50, strings.Repeat("v", i%90)))
		send(t, s, fmt.Sprintf("ZADD set %d.5 m%d", i, i%50))
		if i%50 == 0 {
			if waitCompaction(s) {
				rewrites++
			}
			if size := logSize(s); size > 80<<10 {
				t.Fatalf("the log grew to %d bytes", size)
			}
		}
	}
	if rewrites < 3 {
		t.Errorf("the log was rewritten %d times", rewrites)
	}
	before := dumpStore(t, s)
	closeStore(t, s)
	s = openAt(t, dir, clock.now)
	sameKeys(t, "after compaction", before, dumpStore(t, s))
	if err := s.compact(); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = openAt(t, dir, clock.now)
	defer closeStore(t, s)
	sameKeys(t, "after another", before, dumpStore(t, s))
	if s.journal.base != s.journal.size {
		t.Errorf("a fresh snapshot ends at %d of %d", s.journal.base, s.journal.size)
	}
	// Streams count on behind what was deleted.
	expect(t, s, "XADD events 9-* a b", "$3\r\n9-2\r\n", "XADD empty 7-* a b", "$3\r\n7-8\r\n", "PTTL lock", ":90000\r\n")
}
