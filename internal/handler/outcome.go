package handler

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/qctl/qctl/internal/worker"
)

// Exit statuses with a meaning, EX_TEMPFAIL and EX_DATAERR of sysexits.h.
const (
	exitTryAgain      = 75
	exitUnrecoverable = 65
)

// ending is how a run came to its end.
type ending struct {
	state        *os.ProcessState
	waitErr      error
	stopped      error // the context's cause, when that came first
	lifelineLost bool
}

// outcome turns an ending into what a handler returns.
func (e ending) outcome(out *output) (json.RawMessage, error) {
	stack := out.stderr.tail.text(maxStack)
	if e.stopped != nil {
		var timeout *worker.TimeoutError
		if errors.As(e.stopped, &timeout) {
			return nil, &worker.Failure{Reason: timeout.Error(), Stack: stack}
		}
		return nil, e.stopped
	}
	if e.waitErr != nil {
		return nil, fmt.Errorf("wait for program: %w", e.waitErr)
	}
	if e.state.Success() {
		value, err := out.returnValue()
		if err != nil {
			return nil, &worker.Failure{Reason: err.Error(), Stack: stack}
		}
		return value, nil
	}
	what := exitText(e.state)
	if e.lifelineLost && e.state.ExitCode() < 0 {
		what += " with its lifeline"
	}
	failure := &worker.Failure{Reason: what}
	if reason := out.stderr.tail.text(maxReason); reason != "" {
		failure.Reason = what + ": " + reason
		failure.Stack = what + "\n" + stack
	}
	switch e.state.ExitCode() {
	case exitTryAgain:
		failure.TryAgain, failure.RetryAfter = true, out.talk.retryAfter
	case exitUnrecoverable:
		failure.Unrecoverable = true
	}
	return nil, failure
}
