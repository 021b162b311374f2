package cmd

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
)

// selection says which jobs of a queue a command is about. Its flags mean the
// same on every command that has them. Values set before addFlags are the
// defaults; the second half is filled by validate.
type selection struct {
	stateNames []string
	name       string
	id         string
	cause      string
	sinceText  string
	untilText  string
	olderThan  time.Duration
	limit      int // most jobs; 0: all
	newest     bool

	states   []queue.State // never empty
	since    time.Time     // included; zero: no bound
	until    time.Time     // included; zero: no bound
	nameGlob *regexp.Regexp
	idGlob   *regexp.Regexp
	ordered  bool // newest was typed, one way or the other
}

// addFlags binds the flags that every selection has.
func (s *selection) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.name, "name", s.name, "only jobs whose name matches the `GLOB`")
	flags.StringVar(&s.id, "id", s.id, "only jobs whose id matches the `GLOB`")
	flags.StringVar(&s.cause, "cause", s.cause, "only jobs that failed for the cause with this `ID` (qctl failed --by cause)")
	flags.StringVar(&s.sinceText, "since", s.sinceText,
		"only jobs finished, or created if unfinished, since `TIME`: 2h, today, 2030-12-25 09:00")
	flags.StringVar(&s.untilText, "until", s.untilText, "only jobs finished, or created if unfinished, until `TIME`")
	durationVar(flags, &s.olderThan, "older-than", "", "0s", mostTime,
		"only jobs finished, or created if unfinished, longer ago than `DURATION`: 24h, 7d")
	intVar(flags, &s.limit, "limit", 0, mostCount, "at most `N` jobs; 0 means all")
	flags.BoolVar(&s.newest, "newest", s.newest, "begin with the newest (finished jobs do, unless --newest=false)")
}

// addStateFlag binds --state for the commands that work on several states, and
// its completion.
func (s *selection) addStateFlag(cmd *cobra.Command, usage string) {
	cmd.Flags().StringSliceVarP(&s.stateNames, "state", "s", s.stateNames, usage)
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("state", completeWords(stateNames()...))
}

// validate reads what was typed. Without --state the selection is of the
// given states.
func (s *selection) validate(a *app, flags *pflag.FlagSet, states ...queue.State) (err error) {
	s.states, s.ordered = states, flags.Changed("newest")
	if flag := flags.Lookup("state"); flag != nil && flag.Changed {
		if s.states, err = parseStates(s.stateNames); err != nil {
			return err
		}
	}
	if s.nameGlob, err = globFlag(flags, "name", s.name); err != nil {
		return err
	}
	if s.idGlob, err = globFlag(flags, "id", s.id); err != nil {
		return err
	}
	if flags.Changed("cause") && !isCauseID(s.cause) {
		return &usageError{
			err:  fmt.Errorf("--cause %q is not the id of a cause", s.cause),
			hint: "qctl failed --by cause lists the causes with their ids",
		}
	}
	return s.parseTimes(a.now(), a.local, flags)
}

// leastCauseID is how many characters of a cause's id stand for it.
const leastCauseID = 3

// isCauseID reports whether a text may be the id of a cause, or its beginning.
func isCauseID(text string) bool {
	return len(text) >= leastCauseID && strings.Trim(text, "0123456789abcdef") == ""
}

// parseTimes reads the three flags that bound the time.
func (s *selection) parseTimes(now time.Time, local *time.Location, flags *pflag.FlagSet) (err error) {
	if flags.Changed("since") {
		if s.since, err = config.ParseSince(s.sinceText, now, local); err != nil {
			return fmt.Errorf("--since: %w", err)
		}
	}
	if flags.Changed("until") {
		if s.until, err = config.ParseSince(s.untilText, now, local); err != nil {
			return fmt.Errorf("--until: %w", err)
		}
	}
	if flags.Changed("older-than") {
		if oldest := now.Add(-s.olderThan); s.until.IsZero() || oldest.Before(s.until) {
			s.until = oldest
		}
	}
	if !s.since.IsZero() && !s.until.IsZero() && s.since.After(s.until) {
		return &usageError{err: fmt.Errorf("no time is both since %s and until %s",
			s.since.Format(time.RFC3339), s.until.Format(time.RFC3339))}
	}
	return nil
}

// filtered reports whether jobs must be read to know whether they belong to the
// selection.
func (s *selection) filtered() bool {
	return s.nameGlob != nil || s.idGlob != nil || s.cause != "" || !s.since.IsZero() || !s.until.IsZero()
}

// fields is what filter looks at.
func (s *selection) fields() queue.Fields {
	fields := queue.Fields(0)
	if s.nameGlob != nil {
		fields |= queue.FieldName
	}
	if s.cause != "" {
		fields |= queue.FieldFailedReason
	}
	if !s.since.IsZero() || !s.until.IsZero() {
		fields |= queue.FieldTimestamp | queue.FieldFinishedOn
	}
	return fields
}

// filter reports whether a job of one of the states belongs to the selection.
// A job whose time cannot be read is outside every bound.
func (s *selection) filter(job queue.Job) bool {
	if s.nameGlob != nil && !s.nameGlob.MatchString(job.Name) {
		return false
	}
	if s.idGlob != nil && !s.idGlob.MatchString(job.ID) {
		return false
	}
	if s.cause != "" {
		if id, _ := queue.Cause(job.FailedReason); job.State != queue.StateFailed || !strings.HasPrefix(id, s.cause) {
			return false
		}
	}
	if s.since.IsZero() && s.until.IsZero() {
		return true
	}
	at := job.Timestamp
	if job.State.Finished() {
		at = job.FinishedOn
	}
	return !at.IsZero() && !at.Before(s.since) && (s.until.IsZero() || !at.After(s.until))
}

// fromNewest reports from which end the jobs of a state are looked at: finished
// ones from the newest, others from the one that runs next, unless told.
func (s *selection) fromNewest(state queue.State) bool {
	return s.newest || !s.ordered && state.Finished()
}

// scan is the search for the selected jobs of one state. Redis itself keeps to
// the bounds of time where it knows the time, which is that of finishing; for
// the rest there is filter.
func (s *selection) scan(state queue.State) queue.ScanRequest {
	r := queue.ScanRequest{State: state}
	if state.Finished() {
		r.Since, r.Until = s.since, s.until
	}
	return r
}

// globFlag compiles a pattern; nil when the flag was not given.
func globFlag(flags *pflag.FlagSet, name, glob string) (*regexp.Regexp, error) {
	if !flags.Changed(name) {
		return nil, nil
	}
	if glob == "" {
		return nil, &usageError{err: fmt.Errorf("--%s is empty", name), hint: `--` + name + ` '*' matches every job`}
	}
	expr, err := compileGlob(glob)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("--%s %q: %w", name, glob, err)}
	}
	return expr, nil
}

// otherStateNames are further words for a state: what BullMQ calls the list of
// waiting jobs, and the list they stand in while the queue is paused.
var otherStateNames = map[string]queue.State{"wait": queue.StateWaiting, "paused": queue.StateWaiting}

// allStates stands for every state.
const allStates = "all"

// parseStates reads the words of --state; each state counts once.
func parseStates(names []string) ([]queue.State, error) {
	var states []queue.State
	for _, name := range names {
		if name == allStates {
			return queue.States(), nil
		}
		state, ok := parseState(name)
		if !ok {
			near := config.Suggest(name, stateNames())
			return nil, &usageError{
				err:  fmt.Errorf("unknown state %q", name),
				hint: didYouMean(near, "the states are "+strings.Join(stateNames(), ", ")), near: near,
			}
		}
		if !slices.Contains(states, state) {
			states = append(states, state)
		}
	}
	if len(states) == 0 {
		return nil, &usageError{err: errors.New("--state is empty"), hint: "the states are " + strings.Join(stateNames(), ", ")}
	}
	return states, nil
}

func parseState(name string) (queue.State, bool) {
	if slices.Contains(queue.States(), queue.State(name)) {
		return queue.State(name), true
	}
	state, ok := otherStateNames[name]
	return state, ok
}

// stateNames lists the words that --state is completed with.
func stateNames() []string {
	names := make([]string, 0, len(queue.States())+1)
	for _, state := range queue.States() {
		names = append(names, string(state))
	}
	return append(names, allStates)
}
