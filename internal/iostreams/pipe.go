package iostreams

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// ErrClosedPipe is the cause of a write to a pipe whose reader has gone.
var ErrClosedPipe = errors.New("output closed by its reader")

// IsClosedPipe reports whether the error comes from writing to [Streams] after
// the reader at the other end has gone. A broken connection to Redis carries
// the same error number of the system and is not meant.
func IsClosedPipe(err error) bool {
	return errors.Is(err, ErrClosedPipe)
}

// pipeWriter marks the errors of a closed pipe as such.
type pipeWriter struct{ w io.Writer }

func (p pipeWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		err = fmt.Errorf("%w: %w", ErrClosedPipe, err)
	}
	return n, err
}
