package cmd

import (
	"context"
	"errors"

	"github.com/qctl/qctl/internal/queue"
)

// rawOptions are the flags that ask for a payload as it is.
type rawOptions struct{ raw, force bool }

// runShowRaw prints a payload byte for byte, with nothing before or behind it.
// It is the one output that is not escaped, so it does not go to a terminal by
// accident.
func runShowRaw(ctx context.Context, a *app, opts rawOptions, arg, id string, typed bool) error {
	switch {
	case !opts.raw:
		return &usageError{err: errors.New("--force goes with --raw")}
	case a.flags.changed("output"):
		return &usageError{err: errors.New("--raw and --output exclude each other")}
	case a.streams.OutIsTerminal() && !opts.force:
		return &usageError{
			err:  errors.New("--raw could send anything to the terminal"),
			hint: "send it to a file or a program, or add --force",
		}
	}
	t, err := a.existing(ctx, arg)
	if err != nil {
		return err
	}
	if typed {
		id = a.ownID(t, id)
	}
	job, err := t.q.Get(ctx, id, queue.FieldData, 0)
	if err != nil {
		return err
	}
	_, err = a.streams.Out.Write(job.Data)
	return err
}
