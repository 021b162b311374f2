package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// eventsOptions are the flags of qctl events.
type eventsOptions struct {
	follow bool
	types  []string
	job    string
	since  string
	limit  int

	changed func(string) bool
	after   time.Time // of --since
}

func (o *eventsOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with events as they come, until interrupted")
	f.StringSliceVar(&o.types, "event", nil, "only these `TYPES`, such as failed,stalled")
	f.StringVar(&o.job, "job", "", "only those of the job with this `ID`")
	f.StringVar(&o.since, "since", "", "begin at this `TIME` (10m, 2026-11-22T03:00:00Z)")
	o.limit = defaultLimit
	intVar(f, &o.limit, "limit", 0, mostCount, "of the past no more than the newest `N` (0 means all)")
	o.changed = f.Changed
}

func newEventsCommand(a *app) *cobra.Command {
	opts := &eventsOptions{}
	cmd := &cobra.Command{
		Use:     "events [QUEUE]...",
		Short:   "Show what happened to jobs, or what happens",
		GroupID: groupLook,
		Long: `Show the events that queues still hold, oldest first; without QUEUE those of
every queue. QUEUE may also be a pattern in quotes, or @ROLE.

With --follow, events are shown as they come; it survives a restart of Redis and
goes on where it was. Without --since it begins now; it ends with --timeout. Queues keep about the newest
10,000 events; where some were dropped before they could be shown, the next one
says so.

Producers may write events of their own: --event takes any type, but for one
that is nearly one of BullMQ's and most likely mistyped.`,
		Example: `  qctl events email
  qctl events email --job 42
  qctl events --follow --event failed,stalled
  qctl events orchestration --since 10m --limit 0 -o ndjson | jq -r .event | sort | uniq -c`,
		Args:              argumentCount(0, -1, "QUEUE"),
		ValidArgsFunction: completeQueues(a, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			return runEvents(ctx, a, opts, args)
		},
	}
	opts.addFlags(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("event", completeWords(eventTypes...))
	return a.prints(cmd, prints{layout: render.EventLayout, endless: flagIf(&opts.follow, "--follow")})
}

// eventTypes are BullMQ's; producers may write others.
var eventTypes = []string{
	"added", "waiting", "active", "completed", "failed", "delayed", "progress", "stalled", "removed", "retries-exhausted",
	"duplicated", "deduplicated", "waiting-children", "paused", "resumed", "drained", "cleaned",
}

// validate refuses a type that is nearly one of BullMQ's: it would show nothing,
// which looks as if nothing had happened.
func (o *eventsOptions) validate(a *app) error {
	for _, word := range o.types {
		if near := config.Suggest(word, eventTypes); near != "" && near != word {
			return nearWord(fmt.Errorf("--event %s is none of BullMQ's", config.Quote(word)), word, eventTypes, "")
		}
	}
	if !o.changed("since") {
		return nil
	}
	after, err := config.ParseSince(o.since, a.now(), a.local)
	if err != nil {
		return &usageError{err: fmt.Errorf("--since: %w", err)}
	}
	o.after = after
	return nil
}

// wants reports whether an event is one to be shown.
func (o *eventsOptions) wants(e queue.Event) bool {
	return (len(o.types) == 0 || slices.Contains(o.types, e.Type)) && (o.job == "" || e.JobID == o.job)
}

func runEvents(ctx context.Context, a *app, opts *eventsOptions, args []string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	if err := opts.validate(a); err != nil {
		return err
	}
	targets, err := a.queues(ctx, args)
	if err != nil {
		return err
	}
	out := render.NewEvents(a.streams.Out, format, a.options())
	if opts.follow {
		return followEvents(ctx, a, opts, targets, out)
	}
	past, err := pastEvents(ctx, opts, targets)
	if err != nil {
		return err
	}
	for _, e := range past {
		if err := out.Write(e); err != nil {
			return err
		}
	}
	return out.Close()
}

// eventsPage is how many events are read from one stream at a time.
const eventsPage = 1000

// pastEvents returns the newest events that are wanted, oldest first.
func pastEvents(ctx context.Context, opts *eventsOptions, targets []target) ([]queue.Event, error) {
	var past []queue.Event
	for _, t := range targets {
		events, err := pastOf(ctx, opts, t.q)
		if err != nil {
			return nil, err
		}
		past = append(past, events...)
	}
	slices.SortStableFunc(past, func(a, b queue.Event) int { return a.Time.Compare(b.Time) })
	if opts.limit > 0 && len(past) > opts.limit {
		past = past[len(past)-opts.limit:]
	}
	return past, nil
}

// pastOf reads one queue backwards until there are enough.
func pastOf(ctx context.Context, opts *eventsOptions, q *queue.Queue) ([]queue.Event, error) {
	var found []queue.Event
	to := "-"
	if !opts.after.IsZero() {
		to = fmt.Sprintf("%d-0", opts.after.UnixMilli())
	}
	for from := "+"; ; {
		page, last, err := q.ReadEventsBack(ctx, from, to, eventsPage)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if opts.wants(e) {
				found = append(found, e)
			}
		}
		if last == "" || (opts.limit > 0 && len(found) >= opts.limit) {
			slices.Reverse(found)
			return found, nil
		}
		from = "(" + last
	}
}

// How long following waits before it tries again after Redis was lost.
const (
	firstRetry = 200 * time.Millisecond
	mostRetry  = 5 * time.Second
)

// placeIn is the id behind which following a queue begins.
func (o *eventsOptions) placeIn(ctx context.Context, q *queue.Queue) (string, error) {
	if !o.after.IsZero() {
		return fmt.Sprintf("%d-0", o.after.UnixMilli()-1), nil
	}
	return q.NewestEvent(ctx)
}

// followEvents shows events as they come. It tells once that Redis is lost, and
// goes on behind the last event of each queue when it is back.
func followEvents(ctx context.Context, a *app, opts *eventsOptions, targets []target, out render.Rows[queue.Event]) error {
	if len(targets) == 0 {
		return &notFoundError{err: errors.New("no queues in this Redis"), hint: "qctl queues lists the queues"}
	}
	bases := make([]queue.KeyBase, len(targets))
	names := make([]string, len(targets))
	for i, t := range targets {
		bases[i], names[i] = t.base(), render.Text(t.label())
	}
	if a.streams.OutIsTerminal() {
		fmt.Fprintf(a.streams.Err, "following %s (Ctrl-C ends it)\n", strings.Join(names, ", "))
	}
	// Every queue has a place from the start, so that an outage loses none.
	request := queue.FollowRequest{After: map[queue.KeyBase]string{}}
	for _, t := range targets {
		place, err := opts.placeIn(ctx, t.q)
		if err != nil {
			return err
		}
		request.After[t.base()] = place
	}
	wait := time.Duration(0)
	for {
		err := a.client.FollowMany(ctx, bases, request, func(e queue.Event) error {
			wait = 0
			request.After[e.Queue] = e.ID
			if !opts.wants(e) {
				return nil
			}
			if err := out.Write(e); err != nil {
				return err
			}
			return out.Flush()
		})
		class := queue.Classify(err)
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return nil // as long as --timeout said
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if class != queue.ClassUnreachable && class != queue.ClassUnknown && class != queue.ClassRefused {
			return err
		}
		if wait == 0 {
			a.warn("%s; trying again", err)
		}
		wait = min(max(2*wait, firstRetry), mostRetry)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}
