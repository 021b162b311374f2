package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/embedded"
	"github.com/qctl/qctl/internal/iostreams"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redisconn"
	"github.com/qctl/qctl/internal/render"
	"github.com/qctl/qctl/internal/scheduler"
)

// The exit codes.
const (
	exitDone        = 0
	exitNegative    = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitState       = 4
	exitDenied      = 5
	exitUnreachable = 6
	exitRefused     = 7
	exitCorrupt     = 8
	exitUnknown     = 9
	exitUnconfirmed = 10
	exitBug         = 70
	exitInterrupted = 130
	exitTerminated  = 143
)

// exitCodes is the table that help and the documentation show.
var exitCodes = []struct {
	code    int
	name    string
	meaning string
}{
	{exitDone, "DONE", "done"},
	{exitNegative, "NEGATIVE", "ran, and the result is negative or partial: some jobs could not be changed"},
	{exitUsage, "USAGE", "usage, configuration or input is wrong; nothing was sent"},
	{exitNotFound, "NOT_FOUND", "no such queue or job"},
	{exitState, "STATE", "the state of the job or queue does not allow it"},
	{exitDenied, "DENIED", "not permitted: read-only, or refused by Redis' access control"},
	{exitUnreachable, "UNREACHABLE", "Redis cannot be reached; nothing was sent"},
	{exitRefused, "REFUSED", "Redis refuses for now: loading, read-only, out of memory, busy"},
	{exitCorrupt, "CORRUPT", "what Redis holds is damaged, or not a queue"},
	{exitUnknown, "UNKNOWN", "outcome unknown: sent, but no answer came"},
	{exitUnconfirmed, "UNCONFIRMED", "confirmation missing: add --yes, or --confirm for a protected queue"},
	{exitBug, "BUG", "a bug in qctl"},
	{exitInterrupted, "INTERRUPTED", "interrupted (SIGINT); counts so far were printed"},
	{exitTerminated, "TERMINATED", "terminated (SIGTERM); counts so far were printed"},
}

// outcome is a row of the table that turns an error into an exit code and a
// hint. The first match wins.
type outcome struct {
	matches func(error) bool
	code    int
	hint    string
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

func class(c queue.Class) func(error) bool {
	return func(err error) bool { return queue.Classify(err) == c }
}

func bySignal(s os.Signal) func(error) bool {
	return func(err error) bool {
		var sig *signalError
		return errors.As(err, &sig) && sig.signal == s
	}
}

var outcomes = []outcome{
	{as[*bugError], exitBug, "please report it, with the lines above"},
	{iostreams.IsClosedPipe, exitDone, ""},
	{is(errAnswered), exitDone, ""},
	{bySignal(os.Interrupt), exitInterrupted, ""},
	{bySignal(syscall.SIGTERM), exitTerminated, ""},
	{as[*usageError], exitUsage, ""},
	{as[*render.ProgramError], exitNegative, "qctl help output describes --jq and templates"},
	{as[*confirmError], exitUnconfirmed, "add --yes to do it, or --dry-run to see what it would do"},
	{as[*partialError], exitNegative, ""},
	{as[*notFoundError], exitNotFound, ""},
	{as[*stateError], exitState, ""},
	{is(config.ErrInvalid), exitUsage, ""},
	{is(redisconn.ErrSecretExposed), exitDenied, ""},
	{is(config.ErrSecretExposed), exitDenied, ""},
	{is(config.ErrNotClockOwner), exitDenied, "unset WORKFORCE0_CRON_ENABLED, or set it to 1, in the one place that may"},
	{is(scheduler.ErrNotLeader), exitState, "it looks after the schedules; --dry-run tells what it would find to do"},
	{is(embedded.ErrCorruptLog), exitCorrupt, "restore its folder from a backup, or: qctl embedded reset"},
	{is(embedded.ErrLogVersion), exitCorrupt, "use the qctl that wrote it, or: qctl embedded reset"},
	{is(embedded.ErrStart), exitUnreachable, "qctl embedded status names the folder; server.log in it may say why"},
	{is(embedded.ErrNotRunning), exitUnreachable, "the next command that needs it starts it, qctl stats for one"},
	{is(errDemoStore), exitUnreachable, "start the demo again: nothing of it is kept"},
	{as[*redisconn.ConfigError], exitUsage, ""},
	{is(queue.ErrInvalidName), exitUsage, ""},
	{is(queue.ErrInvalidOption), exitUsage, ""},
	{is(queue.ErrUnknownState), exitUsage, ""},
	{is(queue.ErrTooLarge), exitUsage, ""},
	{is(queue.ErrHashTag), exitUsage, ""},
	{is(queue.ErrReadOnly), exitDenied, "drop --read-only, or unset QCTL_READ_ONLY; qctl config view --origin names a readOnly of the file"},
	{is(redisconn.ErrReadOnly), exitDenied, "drop --read-only, or unset QCTL_READ_ONLY; qctl config view --origin names a readOnly of the file"},
	{is(queue.ErrJobNotFound), exitNotFound, "qctl jobs QUEUE lists the jobs"},
	{is(queue.ErrJobNotInState), exitState, "qctl show QUEUE ID tells where it is"},
	{is(queue.ErrJobLocked), exitState, "a worker is running it; try again when it is done"},
	{is(queue.ErrLockLost), exitState, ""},
	{is(queue.ErrPendingChildren), exitState, ""},
	{is(queue.ErrFailedChildren), exitState, ""},
	{is(queue.ErrSchedulerJob), exitState, "qctl schedule pause or remove takes its job scheduler out"},
	{is(queue.ErrSchedulerNotFound), exitNotFound, "qctl schedule list QUEUE lists the schedules"},
	{as[*differsError], exitState, "add --replace to change it, with --dry-run to see what it would make"},
	{is(queue.ErrLegacyScheduler), exitState, "qctl schedule convert makes a schedule of it, while its next job is there"},
	{is(queue.ErrBusy), exitRefused, "try again"},
	{is(queue.ErrSchedulerExists), exitState, "choose another id"},
	{is(queue.ErrSlotTaken), exitState, "a job of its next time runs or has run; try again after it, or remove that job"},
	{is(queue.ErrNeverFires), exitUsage, "qctl schedule next PATTERN tells when a pattern fires"},
	{is(queue.ErrFenced), exitState, "another qctl scheduler leads now"},
	{is(queue.ErrLeaseLost), exitState, "another qctl scheduler leads now"},
	{as[*cron.ParseError], exitUsage, "qctl schedule next --help tells how patterns are read"},
	{is(queue.ErrQueueNotPaused), exitState, "qctl pause QUEUE"},
	{is(queue.ErrActiveJobs), exitState, "wait for the workers, or add --force"},
	{is(queue.ErrUnsupported), exitRefused, ""},
	{class(queue.ClassUnreachable), exitUnreachable, "check REDIS_URL or --redis, and that Redis runs there"},
	{class(queue.ClassRefused), exitRefused, "try again later"},
	{class(queue.ClassDenied), exitDenied, "check the user, the password and the rights of the Redis user"},
	{class(queue.ClassCorrupt), exitCorrupt, ""},
	{is(queue.ErrCorrupt), exitCorrupt, ""},
	{class(queue.ClassUnknown), exitUnknown, "look first (qctl stats, qctl show), then repeat: with --id an enqueue is safe to repeat"},
	{is(context.DeadlineExceeded), exitUnknown, "look first, then repeat, with a longer --timeout"},
}

// usageError is a mistake of whoever typed; nothing was sent.
type usageError struct {
	err  error
	hint string
	near string // what was probably meant; empty when nobody knows
}

// Error returns the mistake.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *usageError) Unwrap() error { return e.err }

// notFoundError is a name that means nothing here.
type notFoundError struct {
	err  error
	hint string
	near string
}

// Error returns what was not found.
func (e *notFoundError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *notFoundError) Unwrap() error { return e.err }

// stateError says what the state of something does not allow.
type stateError struct{ err error }

// Error returns what is not allowed.
func (e *stateError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *stateError) Unwrap() error { return e.err }

// partialError says that some of the work could not be done; what was done
// has been printed.
type partialError struct{ err error }

// Error returns what was left undone.
func (e *partialError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *partialError) Unwrap() error { return e.err }

// confirmError is a question that was not answered with yes.
type confirmError struct {
	what string
	hint string // in place of that of the table
}

// Error says what was not confirmed.
func (e *confirmError) Error() string { return e.what }

// bugError is a panic.
type bugError struct {
	value any
	stack []byte
}

// Error returns what panicked and where.
func (e *bugError) Error() string { return fmt.Sprintf("bug: %v\n%s", e.value, e.stack) }

// resultOf finds the row of an error.
func resultOf(err error) (code int, hint string) {
	code, hint = exitBug, "this kind of error should have been foreseen: please report it"
	for _, o := range outcomes {
		if o.matches(err) {
			code, hint = o.code, o.hint
			break
		}
	}
	var usage *usageError
	var missing *notFoundError
	var unconfirmed *confirmError
	switch {
	case errors.As(err, &usage) && usage.hint != "":
		hint = usage.hint
	case errors.As(err, &missing) && missing.hint != "":
		hint = missing.hint
	case errors.As(err, &unconfirmed) && unconfirmed.hint != "":
		hint = unconfirmed.hint
	}
	return code, hint
}

// report prints an error as one line and a hint, or as JSON where results are
// JSON, and returns the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return exitDone
	}
	code, hint := resultOf(err)
	if code == exitDone {
		return code
	}
	if a.jsonErrors() {
		a.reportJSON(err, code, hint)
		return code
	}
	switch {
	case code == exitBug:
		fmt.Fprintf(a.streams.Err, "qctl: %s\n", render.Multiline(err.Error()))
	case errors.Is(err, config.ErrInvalid): // a file has many mistakes, each with its own line
		for _, part := range split(err) {
			fmt.Fprintf(a.streams.Err, "qctl: %s\n", render.Text(cutMessage(part.Error())))
		}
	default:
		fmt.Fprintf(a.streams.Err, "qctl: %s\n", render.Text(cutMessage(err.Error())))
	}
	if hint != "" {
		fmt.Fprintf(a.streams.Err, "hint: %s\n", render.Text(hint))
	}
	return code
}

// maxMessage bounds an error's line: what repeats an input must not flood a
// terminal or a log with it.
const maxMessage = 4 << 10

func cutMessage(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	end := maxMessage
	for end > maxMessage-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:end], len(text))
}

func (a *app) reportJSON(err error, code int, hint string) {
	type body struct {
		Code       string   `json:"code"`
		Exit       int      `json:"exit"`
		Message    string   `json:"message"`
		Hint       string   `json:"hint,omitempty"`
		DidYouMean []string `json:"didYouMean,omitempty"`
		Docs       string   `json:"docs"`
	}
	b := body{Exit: code, Message: cutMessage(err.Error()), Hint: hint, Docs: "qctl help exit-codes"}
	for _, row := range exitCodes {
		if row.code == code {
			b.Code = row.name
		}
	}
	var missing *notFoundError
	var usage *usageError
	var value *config.ValueError
	switch {
	case errors.As(err, &missing) && missing.near != "":
		b.DidYouMean = []string{missing.near}
	case errors.As(err, &usage) && usage.near != "":
		b.DidYouMean = []string{usage.near}
	case errors.As(err, &value) && value.Near != "":
		b.DidYouMean = []string{value.Near}
	}
	// Standard error has no other place to tell that it cannot be written.
	_ = render.WriteNDJSON(a.streams.Err, []map[string]body{{"error": b}}, render.Options{Terminal: a.streams.ErrIsTerminal()})
}

// newExitCodesTopic is the help page made from the table.
func newExitCodesTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("qctl ends with one of these codes. With -o json the error is JSON too, with the name:\n\n")
	for _, row := range exitCodes {
		fmt.Fprintf(&b, "  %3d  %-12s %s\n", row.code, row.name, row.meaning)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: strings.TrimRight(b.String(), "\n")}
}
