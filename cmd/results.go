package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/qctl/qctl/internal/render"
)

// runBulkChanges carries out the changes one after the other and prints what became
// of them. It goes on behind a queue whose jobs could not all be changed, and
// stops at any other error.
func runBulkChanges(
	ctx context.Context, a *app, changes []*bulkChange, several bool, work func(context.Context, *bulkChange) error,
) error {
	var views []changeView
	var failure error
	for _, c := range changes {
		view, err := c.run(ctx, func(ctx context.Context) error { return work(ctx, c) })
		if c.worthTelling(err) {
			views = append(views, view)
		}
		failure = andThen(failure, err)
		if err != nil && !as[*partialError](err) {
			break
		}
	}
	return andThen(failure, printResults(a, views, several, func(v changeView) string { return v.summary }))
}

// worthTelling reports whether there is more to say than the error.
func (c *bulkChange) worthTelling(err error) bool {
	if err == nil || as[*partialError](err) {
		return true
	}
	return c.tally.changed > 0 || errors.Is(err, context.Canceled) && c.tally.matched > 0
}

// andThen joins errors on one line; the first that exit.go knows decides.
func andThen(first, second error) error {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return fmt.Errorf("%w; %w", first, second)
}

// printResults prints what a command has changed: a line each for people. As
// JSON it is an array when the command line can mean several queues, however
// many it meant, else an object.
func printResults[T any](a *app, results []T, several bool, text func(T) string) error {
	format, err := a.format()
	if err != nil || len(results) == 0 {
		return err
	}
	switch {
	case format.ForPeople():
	case several:
		return render.WriteList(a.streams.Out, results, format, a.options())
	default:
		return render.WriteOne(a.streams.Out, results[0], format, a.options())
	}
	for _, r := range results {
		if _, err := fmt.Fprintln(a.streams.Out, text(r)); err != nil {
			return err
		}
	}
	return nil
}

// printNone prints that nothing was to be changed: an empty list, or for people
// why.
func printNone[T any](a *app, why string) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	if format.ForPeople() {
		_, err = fmt.Fprintln(a.streams.Out, why)
		return err
	}
	return render.WriteList(a.streams.Out, []T{}, format, a.options())
}
