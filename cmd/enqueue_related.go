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

// relatedOptions are the flags about other jobs: the parent of the new one, and
// those that it stands for or that stand for it.
type relatedOptions struct {
	parent         string
	onChildFailure string
	dedup          string
	dedupMode      string

	changed func(string) bool
}

func (o *relatedOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.parent, "parent", "", "add the job as a child of this `QUEUE:ID`, which waits for it")
	f.StringVar(&o.onChildFailure, "on-child-failure", "", "with --parent: what its failure means there, `WHAT`: "+strings.Join(childFailures, ", "))
	f.StringVar(&o.dedup, "dedup", "", "keep the job out while another of this deduplication `ID[:TTL]` stands for it")
	f.StringVar(&o.dedupMode, "dedup-mode", "", "with --dedup: `HOW`: "+strings.Join(dedupModes, ", "))
	o.changed = f.Changed
}

// complete binds the completions.
func (o *relatedOptions) complete(a *app, cmd *cobra.Command) {
	// They fail only for unknown flags.
	_ = cmd.RegisterFlagCompletionFunc("on-child-failure", completeWord(childFailures...))
	_ = cmd.RegisterFlagCompletionFunc("dedup-mode", completeWord(dedupModes...))
	_ = cmd.RegisterFlagCompletionFunc("parent", completeJobOfQueue(a, queue.StateWaitingChildren, queue.StateActive))
}

// What the failure of a child means for its parent.
const (
	failParent     = "fail-parent"
	continueParent = "continue-parent"
	ignoreChild    = "ignore"
	removeChild    = "remove"
)

var childFailures = []string{failParent, continueParent, ignoreChild, removeChild}

// The ways to deduplicate.
const (
	dedupSimple     = "simple"
	dedupThrottle   = "throttle"
	dedupExtend     = "extend"
	dedupDebounce   = "debounce"
	dedupReplace    = "replace"
	dedupReschedule = "reschedule"
	dedupKeepLast   = "keep-last"
)

var dedupModes = []string{dedupSimple, dedupThrottle, dedupExtend, dedupDebounce, dedupReplace, dedupReschedule, dedupKeepLast}

// leastTTL is the step of Redis' clocks.
const leastTTL = time.Millisecond

// validate refuses what does not go together; delayed tells that the job has a
// delay of its own.
func (o *relatedOptions) validate(delayed bool) error {
	refuse := func(format string, args ...any) error { return &usageError{err: fmt.Errorf(format, args...)} }
	switch {
	case o.changed("parent") && o.parent == "":
		return refuse("--parent is empty")
	case o.changed("on-child-failure") && o.parent == "":
		return refuse("--on-child-failure goes with --parent")
	case o.changed("on-child-failure") && !slices.Contains(childFailures, o.onChildFailure):
		return unknownWord("on-child-failure", o.onChildFailure, childFailures)
	case o.changed("dedup-mode") && !slices.Contains(dedupModes, o.dedupMode):
		return unknownWord("dedup-mode", o.dedupMode, dedupModes)
	case o.changed("dedup-mode") && !o.changed("dedup"):
		return refuse("--dedup-mode goes with --dedup")
	case !o.changed("dedup"):
		return nil
	case o.changed("parent"):
		return refuse("--parent and --dedup exclude each other: a child cannot be deduplicated")
	}
	id, ttl := splitDedup(o.dedup)
	mode, timed := o.mode(), ttl != 0
	switch {
	case id == "":
		return refuse("--dedup is empty")
	case timed && ttl < leastTTL:
		return refuse("--dedup %s: want a time of 1ms or more", config.Quote(o.dedup))
	case timed && (mode == dedupSimple || mode == dedupKeepLast):
		return refuse("--dedup-mode %s has no time: want --dedup ID", mode)
	case !timed && (mode == dedupThrottle || mode == dedupExtend || mode == dedupDebounce):
		return refuse("--dedup-mode %s needs a time: want --dedup ID:TTL, such as %s:10m", mode, config.Quote(id))
	case !delayed && (mode == dedupReplace || mode == dedupReschedule):
		return refuse("--dedup-mode %s is about delayed jobs: add --delay or --at", mode)
	}
	return nil
}

// unknownWord refuses a word that is none of a flag's.
func unknownWord(flag, word string, words []string) error {
	err := fmt.Errorf("--%s %s: want %s", flag, config.Quote(word), render.Alternatives(words))
	return nearWord(err, word, words, "")
}

// mode is the way to deduplicate that was asked for, else the one that the
// id implies.
func (o *relatedOptions) mode() string {
	if o.dedupMode != "" {
		return o.dedupMode
	}
	if _, ttl := splitDedup(o.dedup); ttl != 0 {
		return dedupThrottle
	}
	return dedupSimple
}

// splitDedup cuts a time off a deduplication id, which may hold colons itself. A
// time of zero, which is none, comes back as less than any.
func splitDedup(text string) (id string, ttl time.Duration) {
	cut := strings.LastIndexByte(text, ':')
	if cut < 0 {
		return text, 0
	}
	ttl, err := config.ParseDuration(text[cut+1:])
	switch {
	case err != nil:
		return text, 0
	case ttl == 0:
		return text[:cut], 1
	}
	return text[:cut], ttl
}

// apply puts what was asked for into the options of the job.
func (o *relatedOptions) apply(ctx context.Context, a *app, opts *queue.JobOptions, dryRun bool) error {
	if o.parent != "" {
		parent, err := a.parentRef(ctx, o.parent)
		if err != nil {
			return err
		}
		if dryRun {
			if err := o.parentExists(ctx, a, parent); err != nil {
				return err
			}
		}
		opts.Parent = &parent
	}
	opts.FailParent = o.onChildFailure == failParent
	opts.ContinueParent = o.onChildFailure == continueParent
	opts.IgnoreDependency = o.onChildFailure == ignoreChild
	opts.RemoveDependency = o.onChildFailure == removeChild
	if o.dedup == "" {
		return nil
	}
	mode := o.mode()
	d := &queue.Deduplication{}
	d.ID, d.TTL = splitDedup(o.dedup)
	d.Extend = mode == dedupExtend || mode == dedupDebounce
	d.Replace = mode == dedupReplace || mode == dedupDebounce
	d.KeepLastIfActive = mode == dedupKeepLast
	d.Reschedule = mode == dedupReschedule
	if mode == dedupDebounce && opts.Delay == 0 {
		opts.Delay = d.TTL // nothing can be replaced but what is still delayed
	}
	opts.Dedup = d
	return nil
}

// parentRef reads QUEUE:ID. The ids of parents hold no colon, key bases do. Whether
// there is such a job is seen as the child is added.
func (a *app) parentRef(ctx context.Context, text string) (queue.ParentRef, error) {
	cut := strings.LastIndexByte(text, ':')
	if cut <= 0 || cut == len(text)-1 {
		return queue.ParentRef{}, &usageError{err: fmt.Errorf("--parent %s: want QUEUE:ID, such as dev:42", config.Quote(text))}
	}
	t, err := a.existing(ctx, text[:cut])
	if err != nil {
		return queue.ParentRef{}, fmt.Errorf("--parent: %w", err)
	}
	return queue.ParentRef{Queue: t.base(), ID: text[cut+1:]}, nil
}

// about names the parent in an error that is about it.
func (o *relatedOptions) about(err error) error {
	switch {
	case o.parent == "":
	case errors.Is(err, queue.ErrParentMissing):
		return fmt.Errorf("--parent %s: %w", config.Quote(o.parent), queue.ErrParentMissing)
	case errors.Is(err, queue.ErrOtherParent):
		return fmt.Errorf("--parent %s: %w", config.Quote(o.parent), err)
	}
	return err
}

// parentExists is for a dry run, which does not come to the step that refuses a
// parent that is gone.
func (o *relatedOptions) parentExists(ctx context.Context, a *app, parent queue.ParentRef) error {
	_, err := a.client.Queue(parent.Queue).Get(ctx, parent.ID, queue.FieldName, 0)
	if errors.Is(err, queue.ErrJobNotFound) {
		return o.about(queue.ErrParentMissing)
	}
	return err
}

// completeFlowFiles offers files that may hold a flow.
func completeFlowFiles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeJobOfQueue offers queues with a colon behind, and behind that the newest
// jobs in the given states.
func completeJobOfQueue(a *app, states ...queue.State) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := completionContext(a, cmd)
		defer cancel()
		cut := strings.LastIndexByte(toComplete, ':')
		if cut < 0 {
			return behind(queueCompletions(ctx, a, nil, toComplete), ":"), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
		queueName := toComplete[:cut]
		var words []cobra.Completion
		for _, word := range jobCompletions(ctx, a, []string{queueName}, states, toComplete[cut+1:]) {
			words = append(words, queueName+":"+word)
		}
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// behind puts a sign behind each word, in front of what is said about it.
func behind(words []cobra.Completion, sign string) []cobra.Completion {
	out := make([]cobra.Completion, len(words))
	for i, word := range words {
		name, about, described := strings.Cut(word, "\t")
		if out[i] = name + sign; described {
			out[i] = cobra.CompletionWithDesc(out[i], about)
		}
	}
	return out
}
