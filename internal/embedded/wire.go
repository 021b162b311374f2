package embedded

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
)

// Bounds of a request. Who has not shown the password gets the small ones.
const (
	maxArguments       = 1 << 20
	maxBulk            = 512 << 20
	strangerArguments  = 10
	strangerBulk       = 16 << 10
	maxLine            = 64
	preallocatedAtMost = 1 << 20
)

// errProtocol is a request that is none.
var errProtocol = errors.New("protocol error")

// request is a command as it came, and whether more was read behind it.
type request struct {
	args []string
	more bool
}

// readRequest reads an array of bulk strings. trusted is asked before each
// length that a request claims.
func readRequest(r *bufio.Reader, trusted func() bool) (request, error) {
	for {
		count, err := readLength(r, '*')
		if err != nil {
			return request{}, err
		}
		if count > maxArguments || count > strangerArguments && !trusted() {
			return request{}, errProtocol
		}
		if count <= 0 {
			continue // as Redis does
		}
		args := make([]string, 0, min(count, 1024))
		for range count {
			arg, err := readBulk(r, trusted)
			if err != nil {
				return request{}, err
			}
			args = append(args, arg)
		}
		return request{args: args, more: r.Buffered() > 0}, nil
	}
}

func readBulk(r *bufio.Reader, trusted func() bool) (string, error) {
	size, err := readLength(r, '$')
	if err != nil {
		return "", err
	}
	if size < 0 || size > maxBulk || size > strangerBulk && !trusted() {
		return "", errProtocol
	}
	var b bytes.Buffer
	b.Grow(min(size+2, preallocatedAtMost))
	if _, err := io.CopyN(&b, r, int64(size)+2); err != nil {
		return "", err
	}
	text := b.Bytes()
	if !bytes.HasSuffix(text, []byte("\r\n")) {
		return "", errProtocol
	}
	return string(text[:size]), nil
}

func readLength(r *bufio.Reader, mark byte) (int, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 4 || len(line) > maxLine || line[0] != mark || line[len(line)-2] != '\r' {
		return 0, errProtocol
	}
	n, err := strconv.Atoi(string(line[1 : len(line)-2]))
	if err != nil {
		return 0, errProtocol
	}
	return n, nil
}

// Parts of replies.

func appendSimple(b []byte, text string) []byte {
	return append(append(append(b, '+'), text...), "\r\n"...)
}

func appendError(b []byte, text string) []byte {
	return append(append(append(b, '-'), text...), "\r\n"...)
}

func appendInt(b []byte, n int64) []byte {
	return append(strconv.AppendInt(append(b, ':'), n, 10), "\r\n"...)
}

func appendLength(b []byte, mark byte, n int) []byte {
	return append(strconv.AppendInt(append(b, mark), int64(n), 10), "\r\n"...)
}

func appendBulk(b []byte, text string) []byte {
	return append(append(appendLength(b, '$', len(text)), text...), "\r\n"...)
}

func appendTexts(b []byte, texts ...string) []byte {
	b = appendLength(b, '*', len(texts))
	for _, text := range texts {
		b = appendBulk(b, text)
	}
	return b
}
