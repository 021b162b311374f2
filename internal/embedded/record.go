package embedded

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The parts of the file; the package comment describes them.
const (
	logMagic   = "qctl-log"
	logVersion = 1
	headerSize = 16
	frameSize  = 12
)

// Kinds of records.
const (
	kindSnapshot = 's'
	kindCommand  = 'c'
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendHeader appends the beginning of a log.
func appendHeader(b []byte, version uint32) []byte {
	start := len(b)
	b = append(b, logMagic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// appendRecord appends the effects as one record.
func appendRecord(b []byte, kind byte, effects []effect) []byte {
	start := len(b)
	b = append(b, make([]byte, frameSize)...)
	b = append(b, kind)
	for _, args := range effects {
		b = binary.AppendUvarint(b, uint64(len(args)))
		for _, arg := range args {
			b = binary.AppendUvarint(b, uint64(len(arg)))
			b = append(b, arg...)
		}
	}
	frame, payload := b[start:start+frameSize], b[start+frameSize:]
	binary.LittleEndian.PutUint32(frame, uint32(len(payload))) //nolint:gosec // a command is far below 4 GiB
	binary.LittleEndian.PutUint32(frame[4:], crc32.Checksum(payload, castagnoli))
	binary.LittleEndian.PutUint32(frame[8:], crc32.Checksum(frame[:8], castagnoli))
	return b
}

// logReader reads a log from its beginning.
type logReader struct {
	r    *bufio.Reader
	path string
	size int64
	// offset is where the next record begins; all before it is good.
	offset int64
	// snapshot is where the leading snapshot ends.
	snapshot int64
	payload  []byte
}

// errTorn is a last record that was not written to its end.
var errTorn = errors.New("torn tail")

func newLogReader(f file, path string) (*logReader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return newLogReaderTo(f, path, info.Size()), nil
}

// newLogReaderTo reads no further than to a place.
func newLogReaderTo(f file, path string, size int64) *logReader {
	return &logReader{r: bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 1<<20), path: path, size: size}
}

func (l *logReader) wrong(kind error, format string, args ...any) error {
	return &LogError{Path: l.path, Offset: l.offset, Problem: fmt.Sprintf(format, args...), kind: kind}
}

// header reads the beginning. The file is only ever put in place with it, so
// there is no such thing as a torn one.
func (l *logReader) header() error {
	var header [headerSize]byte
	if _, err := io.ReadFull(l.r, header[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return l.wrong(ErrLogVersion, "too short")
		}
		return err
	}
	if string(header[:len(logMagic)]) != logMagic {
		return l.wrong(ErrLogVersion, "it does not begin with %q", logMagic)
	}
	if binary.LittleEndian.Uint32(header[12:]) != crc32.Checksum(header[:12], castagnoli) {
		return l.wrong(ErrCorruptLog, "wrong checksum of the header")
	}
	if version := binary.LittleEndian.Uint32(header[8:]); version != logVersion {
		l.offset = int64(len(logMagic))
		return l.wrong(ErrLogVersion, "version %d, not %d", version, logVersion)
	}
	l.offset, l.snapshot = headerSize, headerSize
	return nil
}

// next reads a record and gives its effects. It returns io.EOF behind the last
// one and errTorn for one that is not whole; offset is then where it begins.
func (l *logReader) next(apply func(effect) error) error {
	var frame [frameSize]byte
	switch _, err := io.ReadFull(l.r, frame[:]); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errTorn
	case err != nil:
		return err
	}
	if binary.LittleEndian.Uint32(frame[8:]) != crc32.Checksum(frame[:8], castagnoli) {
		if zeros(frame[:]) && l.restIsZero() {
			return errTorn // the file grew and the power went before it was filled
		}
		return l.wrong(ErrCorruptLog, "wrong checksum of a record's length")
	}
	length := int64(binary.LittleEndian.Uint32(frame[:]))
	if l.offset+frameSize+length > l.size {
		return errTorn
	}
	if int64(cap(l.payload)) < length {
		l.payload = make([]byte, length)
	}
	l.payload = l.payload[:length]
	if _, err := io.ReadFull(l.r, l.payload); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(frame[4:]) != crc32.Checksum(l.payload, castagnoli) {
		if zeros(l.payload) && l.restIsZero() {
			return errTorn
		}
		return l.wrong(ErrCorruptLog, "wrong checksum of a record")
	}
	if err := l.decode(apply); err != nil {
		return err
	}
	l.offset += frameSize + length
	if l.payload[0] == kindSnapshot {
		l.snapshot = l.offset
	}
	return nil
}

// decode gives the effects of the payload.
func (l *logReader) decode(apply func(effect) error) error {
	rest := l.payload
	if len(rest) == 0 || rest[0] != kindSnapshot && rest[0] != kindCommand {
		return l.wrong(ErrCorruptLog, "a record of an unknown kind")
	}
	rest = rest[1:]
	for len(rest) > 0 {
		count, n := binary.Uvarint(rest)
		if n <= 0 || count == 0 || count > uint64(len(rest)) {
			return l.wrong(ErrCorruptLog, "a record that does not add up")
		}
		rest = rest[n:]
		args := make(effect, count)
		for i := range args {
			length, n := binary.Uvarint(rest)
			if n <= 0 || length > uint64(len(rest)-n) {
				return l.wrong(ErrCorruptLog, "a record that does not add up")
			}
			end := n + int(length) //nolint:gosec // at most the length of rest
			args[i] = string(rest[n:end])
			rest = rest[end:]
		}
		if err := apply(args); err != nil {
			return l.wrong(ErrCorruptLog, "%s cannot be repeated: %v", printable(args[0]), err)
		}
	}
	return nil
}

// restIsZero reports whether nothing but zeros follows.
func (l *logReader) restIsZero() bool {
	for {
		b, err := l.r.ReadByte()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		if b != 0 {
			return false
		}
	}
}

func zeros(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
