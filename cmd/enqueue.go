package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// enqueueOptions are the flags of qctl enqueue.
type enqueueOptions struct {
	data         string
	name         string
	priority     string
	delay        time.Duration
	at           string
	attempts     int
	backoff      string
	id           string
	lifo         bool
	bulk         string
	flow         string
	create       bool
	dryRun       bool
	skipBad      bool
	allowUnknown bool
	related      relatedOptions

	changed func(string) bool
}

func (o *enqueueOptions) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.data, "data", "d", "", "payload: `JSON`, @FILE, or - for standard input")
	f.StringVar(&o.name, "name", "", "job `NAME` (default the queue's alias)")
	f.StringVar(&o.priority, "priority", "", "`N` on the queue's scale, or urgent, normal, background")
	durationVar(f, &o.delay, "delay", "", "0s", mostDelay, "run no sooner than after this `TIME` (30s, 15m, 2h, 7d)")
	f.StringVar(&o.at, "at", "", "run no sooner than at this `TIME` (2030-12-25T09:00:00Z, tomorrow 09:00)")
	intVar(f, &o.attempts, "attempts", 1, queue.MaxAttempts, "fail for good after `N` attempts (default the queue's)")
	f.StringVar(&o.backoff, "backoff", "", "wait between attempts, `TYPE:TIME[:JITTER]` (exponential:30s, fixed:5s)")
	f.StringVar(&o.id, "id", "", "job `ID`; adding one that exists changes nothing")
	f.BoolVar(&o.lifo, "lifo", false, "run before jobs that wait already")
	f.StringVar(&o.bulk, "bulk", "", "add a job per line of `FILE` or -: {\"name\",\"data\",\"opts\"}")
	f.StringVar(&o.flow, "flow", "", "add a job with its children from `FILE` or -, in JSON or YAML: {\"queue\",\"name\",\"data\",\"opts\",\"children\"}")
	o.related.addFlags(f)
	f.BoolVar(&o.create, "create", false, "allow a queue that does not exist yet")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "check and show, add nothing")
	f.BoolVar(&o.skipBad, "skip-bad", false, "with --bulk: leave out lines that are refused, and go on")
	f.BoolVar(&o.allowUnknown, "allow-unknown", false, "with --bulk or --flow: keep options that qctl does not know")
	o.changed = f.Changed
}

func newEnqueueCommand(a *app) *cobra.Command {
	opts := &enqueueOptions{}
	cmd := &cobra.Command{
		Use:     "enqueue [QUEUE] [field=value | field:=json]...",
		Short:   "Add one job, or many",
		GroupID: groupChange,
		Long: `Add a job to a queue, with --bulk one job per line of a file, or with --flow a
job and the children that it waits for.

The payload comes from field=value arguments (texts), field:=json arguments
(numbers, lists, objects), from --data, or from both: fields win. It is checked
against the queue's schema before anything is sent. Attempts, backoff and how
long the finished job is kept are the queue's, unless given.

Prints the job's id.`,
		Example: `  qctl enqueue email queueId=email-uuid userId=user-123 --priority urgent
  qctl enqueue email queueId=x --at 2030-12-25T09:00:00Z
  qctl enqueue orchestration --data '{"projectId":"p1","triggeredBy":"manual","jobType":"batch"}'
  qctl enqueue dev ticketId=T-1 skills:='["go","redis"]' --delay 15m --id replan-T-1
  qctl enqueue dev ticketId=T-1 --dedup T-1:10m
  qctl enqueue --flow release.yaml
  qctl enqueue qa ticketId=T-1 --parent dev:build-7 --on-child-failure fail-parent
  jq -c '.[] | {data: .}' jobs.json | qctl enqueue dev --bulk -`,
		Annotations:       map[string]string{foreignArguments: payloadFields},
		Args:              opts.arguments,
		ValidArgsFunction: completeQueues(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.context(cmd)
			defer cancel()
			if opts.flow != "" {
				return runFlow(ctx, a, opts, args)
			}
			return runEnqueue(ctx, a, opts, args[0], args[1:])
		},
	}
	opts.addFlags(cmd.Flags())
	// They fail only for unknown flags.
	_ = cmd.RegisterFlagCompletionFunc("priority", completeWord("urgent", "normal", "background"))
	_ = cmd.RegisterFlagCompletionFunc("backoff", completeBeginning("exponential:", "fixed:"))
	_ = cmd.RegisterFlagCompletionFunc("flow", completeFlowFiles)
	opts.related.complete(a, cmd)
	return a.prints(cmd, prints{layout: func() render.Layout {
		switch {
		case opts.flow != "":
			return render.LayoutOf[flowView](nil)
		case opts.bulk != "":
			return render.LayoutOf[bulkView](nil)
		case opts.dryRun:
			return render.LayoutOf[newJobView](nil)
		}
		return render.LayoutOf[addedView](nil)
	}})
}

func (o *enqueueOptions) validate(fields []string) error {
	refuse := func(format string, args ...any) error { return &usageError{err: fmt.Errorf(format, args...)} }
	switch {
	case o.changed("delay") && o.changed("at"):
		return refuse("--delay and --at exclude each other")
	case o.changed("priority") && o.priority == "":
		return refuse("--priority is empty")
	case o.changed("id") && o.id == "":
		return refuse("--id is empty")
	case o.bulk == "" && (o.skipBad || o.allowUnknown):
		return refuse("--skip-bad goes with --bulk, --allow-unknown with --bulk or --flow")
	case o.bulk != "" && (len(fields) > 0 || o.changed("data") || o.changed("id")):
		return refuse("--bulk takes payloads and ids from its lines: no fields, --data or --id")
	case o.bulk != "" && o.changed("dedup"):
		return refuse("--dedup is for one job: lines of --bulk have {\"opts\":{\"deduplication\":{\"id\":…}}}")
	}
	return o.related.validate(o.changed("delay") || o.changed("at"))
}

// arguments are a queue and fields. A flow may say everything itself.
func (o *enqueueOptions) arguments(cmd *cobra.Command, args []string) error {
	if o.flow != "" {
		return argumentCount(0, 1, "QUEUE")(cmd, args)
	}
	return argumentCount(1, -1, "QUEUE")(cmd, args)
}

func runEnqueue(ctx context.Context, a *app, opts *enqueueOptions, name string, fields []string) error {
	if err := opts.validate(fields); err != nil {
		return err
	}
	if err := a.mayChange(opts.dryRun); err != nil {
		return err
	}
	t, err := enqueueTarget(ctx, a, opts, name)
	if err != nil {
		return err
	}
	common, err := opts.common(a, t)
	if err != nil {
		return err
	}
	if err := opts.related.apply(ctx, a, &common, opts.dryRun); err != nil {
		return err
	}
	if opts.bulk != "" {
		return runBulk(ctx, a, opts, t, common)
	}
	data, err := opts.payload(a, fields)
	if err != nil {
		return err
	}
	job := newJob(t, common)
	job.Data, job.Opts.ID = data, opts.id
	if err := finishJob(t, &job, opts.priority); err != nil {
		return &usageError{err: err}
	}
	if opts.dryRun {
		return showNewJob(a, t, job)
	}
	added, err := t.q.Add(ctx, job)
	if err != nil {
		return opts.related.about(err)
	}
	return printAdded(a, t, job, added)
}

// enqueueTarget finds the queue. One that is neither configured nor there is
// most likely a slip of the fingers.
func enqueueTarget(ctx context.Context, a *app, opts *enqueueOptions, name string) (target, error) {
	t, err := a.resolve(name)
	if err != nil || t.Configured {
		return t, err
	}
	found, err := t.q.Exists(ctx)
	switch {
	case err != nil:
		return target{}, err
	case found:
		return t, nil
	case !opts.create:
		err := a.queueNotFound(ctx, name)
		if missing, ok := err.(*notFoundError); ok && missing.near == "" { //nolint:errorlint // made one line above
			missing.hint = "add --create to make a new queue"
		}
		return target{}, err
	}
	return t, t.CheckCreate()
}

// common is what the flags and the queue's policy say of every job.
func (o *enqueueOptions) common(a *app, t target) (queue.JobOptions, error) {
	policy := t.Queue
	opts := queue.JobOptions{
		Attempts: policy.Attempts, LIFO: o.lifo,
		Backoff:       backoffOf(policy.Backoff),
		KeepCompleted: keepOf(policy.Keep.Completed),
		KeepFailed:    keepOf(policy.Keep.Failed),
	}
	if o.changed("attempts") {
		opts.Attempts = o.attempts
	}
	if o.changed("backoff") {
		b, err := config.ParseBackoff(o.backoff)
		if err != nil {
			return opts, &usageError{err: fmt.Errorf("--backoff: %w", err)}
		}
		opts.Backoff = backoffOf(b)
	}
	switch {
	case o.changed("delay"):
		opts.Delay = o.delay
	case o.changed("at"):
		now := a.now()
		at, err := config.ParseTime(o.at, now, a.local)
		if err != nil {
			return opts, &usageError{err: fmt.Errorf("--at: %w", err)}
		}
		if !at.After(now) {
			return opts, &usageError{err: fmt.Errorf("--at %s is in the past", at.Format(time.RFC3339))}
		}
		opts.Timestamp = now.Truncate(time.Millisecond)
		opts.Delay = at.Sub(opts.Timestamp)
	}
	return opts, nil
}

func backoffOf(b config.Backoff) *queue.Backoff {
	if b.Type == "" {
		return nil
	}
	return &queue.Backoff{Type: b.Type, Delay: b.Delay, Jitter: b.Jitter}
}

// keepOf turns a queue's retention into a job's rule; no bounds is no rule.
func keepOf(r config.Retention) *queue.Keep {
	if r.Age == 0 && r.Count == 0 {
		return nil
	}
	k := &queue.Keep{}
	if r.Age > 0 {
		k.Age = &r.Age
	}
	if r.Count > 0 {
		count := int64(r.Count)
		k.Count = &count
	}
	return k
}

// payload builds the payload from --data and the fields.
func (o *enqueueOptions) payload(a *app, args []string) ([]byte, error) {
	fields, err := parseFields(args)
	if err != nil {
		return nil, err
	}
	if !o.changed("data") {
		return fields.bytes()
	}
	text, err := a.readText("--data", o.data)
	if err != nil {
		return nil, err
	}
	if err := config.CheckPayload(text, config.Limits{}); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if len(fields) == 0 {
		return text, nil
	}
	merged, err := parseObject(text)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("--data: %w, so no fields can be added to it", err)}
	}
	for _, f := range fields {
		merged.set(f.name, f.value)
	}
	return merged.bytes()
}

// newJob is a job of the queue, named as the queue's jobs are.
func newJob(t target, common queue.JobOptions) queue.NewJob {
	return queue.NewJob{Name: t.label(), Opts: common}
}

// finishJob holds the payload against the queue's schema, and sets the job's
// priority from what was typed, else from the payload, else the scale's
// default. Where payloads have a priority of their own, both are kept equal.
func finishJob(t target, job *queue.NewJob, typed string) error {
	scale := t.Queue.Priority
	ownPriority := t.Queue.Schema == "builtin:email" || t.Queue.Schema == "builtin:orchestration"
	wire, onScale, err := scale.Wire(typed)
	if err != nil {
		return fmt.Errorf("--priority: %w", err)
	}
	if ownPriority {
		payload, err := parseObject(job.Data)
		if err == nil {
			given, has := payload.get("priority")
			switch {
			case typed != "":
				payload.set("priority", json.RawMessage(strconv.Itoa(onScale)))
				if job.Data, err = payload.bytes(); err != nil {
					return err
				}
			case has:
				if n, numErr := strconv.Atoi(string(given)); numErr == nil {
					if wire, err = scale.FromPayload(n); err != nil {
						return fmt.Errorf("payload: priority: %w", err)
					}
				}
			}
		}
	}
	job.Opts.Priority = wire
	if err := config.Validate(t.Queue.Schema, job.Data); err != nil {
		return err
	}
	return nil
}
