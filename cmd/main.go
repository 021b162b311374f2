// Package cmd is qctl's command line: one file per command, each parsing its
// arguments, calling the packages below, and printing what they return.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/embedded"
	"github.com/qctl/qctl/internal/handler"
	"github.com/qctl/qctl/internal/iostreams"
)

// Main runs one command line and returns its exit code.
func Main(args []string, streams *iostreams.Streams) (code int) {
	if code, handled := handler.RunLifeline(args); handled {
		return code
	}
	if code, handled := embedded.RunServer(args); handled {
		return code
	}
	soft, hard, stop := contexts()
	defer stop()
	a := &app{
		streams: streams, lookupEnv: os.LookupEnv, environ: os.Environ, now: time.Now, local: time.Local, hard: hard,
		args: args,
	}
	defer a.close()
	defer func() {
		if p := recover(); p != nil {
			code = a.report(&bugError{value: p, stack: debug.Stack()})
		}
	}()
	root := newRootCommand(a)
	root.SetArgs(args)
	err := root.ExecuteContext(soft)
	if cause := context.Cause(soft); errors.As(cause, new(*signalError)) && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return a.report(err)
}

// contexts returns a context that the first interrupt ends and one that the
// second ends. Commands that only look or change obey the first; a worker
// takes it as the wish to stop claiming.
func contexts() (soft, hard context.Context, stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	soft, cancelSoft := context.WithCancelCause(context.Background())
	hard, cancelHard := context.WithCancelCause(context.Background())
	done := make(chan struct{})
	go func() {
		for _, cancel := range []context.CancelCauseFunc{cancelSoft, cancelHard} {
			select {
			case s := <-signals:
				cancel(&signalError{signal: s})
			case <-done:
				return
			}
		}
	}()
	return soft, hard, func() {
		signal.Stop(signals)
		close(done)
		cancelSoft(nil)
		cancelHard(nil)
	}
}

// signalError is why a context ended.
type signalError struct{ signal os.Signal }

// Error names the signal.
func (e *signalError) Error() string { return "interrupted by " + e.signal.String() }

// newRootCommand builds the whole command tree.
func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "qctl COMMAND",
		Short: "Work, watch and repair BullMQ job queues on Redis",
		Long: `qctl works, watches and repairs job queues on Redis. It speaks BullMQ's format
(versions 5 and 6), so it can be used on the queues of any service that does.

QUEUE is an alias (email), a queue name (email-queue) or a whole key base
(bull:email-queue). Results go to standard output, everything else to standard
error; "qctl help exit-codes" lists what the exit codes mean.`,
		Example: `  qctl demo
  qctl enqueue email queueId=42 --priority urgent
  qctl worker --queue email -- ./send.sh
  qctl stats
  qctl failed orchestration
  qctl retry --all-failed orchestration`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return printHome(cmd, a)
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.prepare(cmd) },
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(a.streams.In)
	root.SetOut(a.streams.Out)
	root.SetErr(a.streams.Err)
	root.SetFlagErrorFunc(a.flagError)
	root.SetUsageTemplate(usageTemplate)
	a.addFlags(root.PersistentFlags())
	a.completeOutput(root)
	root.AddGroup(
		&cobra.Group{ID: groupLook, Title: "Look:"},
		&cobra.Group{ID: groupChange, Title: "Change:"},
		&cobra.Group{ID: groupRun, Title: "Run:"},
		&cobra.Group{ID: groupSetup, Title: "Set up:"},
	)
	root.SetHelpCommandGroupID(groupSetup)
	root.AddCommand(commands(a)...)
	root.AddCommand(newExitCodesTopic(), newOutputTopic())
	completeGlobalFlags(a, root)
	completeTheRest(a, root)
	root.InitDefaultHelpCmd()
	a.guard(root)
	return root
}

// The groups in which help lists the commands.
const (
	groupLook   = "look"
	groupChange = "change"
	groupRun    = "run"
	groupSetup  = "setup"
)

// commands lists every command, in the order of its group.
func commands(a *app) []*cobra.Command {
	return []*cobra.Command{
		newTopCommand(a),
		newStatsCommand(a),
		newQueuesCommand(a),
		newWorkersCommand(a),
		newEventsCommand(a),
		newJobsCommand(a),
		newFailedCommand(a),
		newShowCommand(a),
		newLogsCommand(a),
		newEnqueueCommand(a),
		newScheduleCommand(a),
		newRetryCommand(a),
		newPromoteCommand(a),
		newRemoveCommand(a),
		newPauseCommand(a),
		newResumeCommand(a),
		newLimitCommand(a),
		newCleanCommand(a),
		newDrainCommand(a),
		newObliterateCommand(a),
		newWorkerCommand(a),
		newSchedulerCommand(a),
		newDemoCommand(a),
		newInitCommand(a),
		newConfigCommand(a),
		newEmbeddedCommand(a),
		newCompletionCommand(a),
		newVersionCommand(a),
		newGenerateCommand(a),
	}
}

// unknownCommand suggests the nearest command below one.
func unknownCommand(root *cobra.Command, name string) error {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	near := config.Suggest(name, names)
	return &usageError{
		err:  fmt.Errorf("unknown command %s", config.Quote(name)),
		hint: didYouMean(near, root.CommandPath()+" --help lists the commands"), near: near,
	}
}

func prefixed(prefix, name string) string {
	if name == "" {
		return ""
	}
	return prefix + name
}

func didYouMean(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return "did you mean " + name + "?"
}
