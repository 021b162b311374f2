package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// addScheduleOptions are the flags of qctl schedule add.
type addScheduleOptions struct {
	every       time.Duration
	pattern     string
	tz          string
	offset      time.Duration
	limit       int
	start, end  string
	immediately bool

	data     string
	name     string
	priority string
	attempts int
	backoff  string
	lifo     bool

	replace, force, create, dryRun bool

	changed func(string) bool
}

func (o *addScheduleOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	durationVar(f, &o.every, "every", "", "1ms", mostDelay, "a job every `TIME` (15m, 2h, 1d), from 1s on")
	f.StringVar(&o.pattern, "pattern", "", "a job at the times of this cron `EXPR`, in quotes")
	f.StringVar(&o.tz, "tz", "", "time `ZONE` of the pattern, such as Europe/Berlin (default UTC)")
	durationVar(f, &o.offset, "offset", "", "1ms", mostDelay, "with --every: begin so long `TIME` behind the full intervals of UTC")
	intVar(f, &o.limit, "limit", 1, mostCount, "make `N` jobs at most")
	f.StringVar(&o.start, "start", "", "no job before this `TIME` (2030-12-25T09:00:00Z, tomorrow 09:00)")
	f.StringVar(&o.end, "end", "", "no job after this `TIME`")
	f.BoolVar(&o.immediately, "immediately", false, "the first job of a pattern at once")
	f.StringVarP(&o.data, "data", "d", "", "payload: `JSON`, @FILE, or - for standard input")
	f.StringVar(&o.name, "name", "", "`NAME` of the jobs (default the queue's alias)")
	f.StringVar(&o.priority, "priority", "", "`N` on the queue's scale, or urgent, normal, background")
	intVar(f, &o.attempts, "attempts", 1, queue.MaxAttempts, "fail for good after `N` attempts (default the queue's)")
	f.StringVar(&o.backoff, "backoff", "", "wait between attempts, `TYPE:TIME[:JITTER]` (exponential:30s, fixed:5s)")
	f.BoolVar(&o.lifo, "lifo", false, "run before jobs that wait already")
	f.BoolVar(&o.replace, "replace", false, "change a schedule that exists and differs")
	f.BoolVar(&o.force, "force", false, "allow an interval below a second")
	f.BoolVar(&o.create, "create", false, "allow a queue that does not exist yet")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "check and show, make nothing")
	o.changed = f.Changed
	// They fail only for unknown flags.
	_ = cmd.RegisterFlagCompletionFunc("pattern", completeAliases)
	_ = cmd.RegisterFlagCompletionFunc("tz", completeZones)
	_ = cmd.RegisterFlagCompletionFunc("priority", completeWord("urgent", "normal", "background"))
	_ = cmd.RegisterFlagCompletionFunc("backoff", completeBeginning("exponential:", "fixed:"))
}

// schedule is what the flags and the fields say. Everything that can be refused
// without the queue is refused here.
func (o *addScheduleOptions) schedule(a *app, name, id string, fields []string) (*config.Schedule, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := config.ValidateScheduleID(id); err != nil {
		return nil, &usageError{err: err}
	}
	s := &config.Schedule{
		Queue: name, ID: id, Pattern: o.pattern, Every: o.every, TZ: o.tz, Offset: o.offset, Limit: o.limit,
		Immediately: o.immediately, Name: o.name, Priority: o.priority, Attempts: o.attempts,
	}
	if o.changed("backoff") {
		b, err := config.ParseBackoff(o.backoff)
		if err != nil {
			return nil, &usageError{err: fmt.Errorf("--backoff: %w", err)}
		}
		s.Backoff = &b
	}
	if o.lifo {
		s.Opts = json.RawMessage(`{"lifo":true}`)
	}
	if err := o.times(a, s); err != nil {
		return nil, err
	}
	payload := &enqueueOptions{data: o.data, changed: o.changed}
	data, err := payload.payload(a, fields)
	s.Data = data
	return s, err
}

// validate refuses flags that do not go together.
func (o *addScheduleOptions) validate() error {
	refuse := func(format string, args ...any) error { return &usageError{err: fmt.Errorf(format, args...)} }
	switch {
	case o.changed("every") && o.changed("pattern"):
		return refuse("--every and --pattern exclude each other")
	case !o.changed("every") && !o.changed("pattern"):
		return &usageError{err: errors.New("when? give --pattern or --every"), hint: "qctl schedule next --help tells how patterns are read"}
	case o.changed("tz") && !o.changed("pattern"):
		return refuse("--tz goes with --pattern: an interval has no zone")
	case o.changed("offset") && !o.changed("every"):
		return refuse("--offset goes with --every")
	case o.changed("offset") && o.offset >= o.every:
		return refuse("--offset %s: want less than --every, which is %s", render.Interval(o.offset), render.Interval(o.every))
	case o.changed("every") && o.every < config.MinEvery && !o.force:
		return &usageError{
			err:  fmt.Errorf("--every %s: want %s or more", render.Interval(o.every), render.Interval(config.MinEvery)),
			hint: "add --force for a shorter one: each job costs Redis several commands",
		}
	case o.immediately && o.changed("start"):
		return refuse("--immediately and --start exclude each other")
	}
	for _, flag := range []struct{ name, value string }{
		{"pattern", o.pattern}, {"priority", o.priority}, {"name", o.name}, {"start", o.start}, {"end", o.end}, {"tz", o.tz},
	} {
		if o.changed(flag.name) && flag.value == "" {
			return refuse("--%s is empty", flag.name)
		}
	}
	return nil
}

// times reads when the schedule fires, and refuses one that never would.
func (o *addScheduleOptions) times(a *app, s *config.Schedule) error {
	if o.changed("pattern") {
		if _, err := readPattern("--pattern", o.pattern); err != nil {
			return err
		}
		if _, err := readZone("--tz", o.tz); err != nil {
			return err
		}
	}
	now := a.now()
	for _, flag := range []struct {
		name, text string
		to         *time.Time
	}{{"start", o.start, &s.StartDate}, {"end", o.end, &s.EndDate}} {
		if !o.changed(flag.name) {
			continue
		}
		at, err := config.ParseTime(flag.text, now, a.local)
		if err != nil {
			return &usageError{err: fmt.Errorf("--%s: %w", flag.name, err)}
		}
		*flag.to = at
	}
	refuse := func(format string, args ...any) error { return &usageError{err: fmt.Errorf(format, args...)} }
	switch {
	case s.EndDate.IsZero():
		return nil
	case !s.EndDate.After(now):
		return refuse("--end %s is in the past", s.EndDate.Format(time.RFC3339))
	case !s.StartDate.Before(s.EndDate):
		return refuse("--end %s is not after --start %s", s.EndDate.Format(time.RFC3339), s.StartDate.Format(time.RFC3339))
	case s.Pattern == "" || s.Immediately:
		return nil
	}
	at, ok, err := cron.NextRun(s.Pattern, s.TZ, later(now, s.StartDate))
	if err == nil && (!ok || at.After(s.EndDate)) {
		return refuse("--end %s: the pattern never fires before it", s.EndDate.Format(time.RFC3339))
	}
	return err
}
