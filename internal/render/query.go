package render

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// Query is a jq program that is applied to results.
type Query struct{ code *gojq.Code }

// ParseQuery reads a jq program. It cannot see the environment, and no files.
// Errors name the column.
func ParseQuery(text string) (*Query, error) {
	parsed, err := gojq.Parse(text)
	if parseErr, ok := errors.AsType[*gojq.ParseError](err); ok {
		before := max(0, min(parseErr.Offset-len(parseErr.Token), len(text)))
		return nil, fmt.Errorf("column %d: %w", utf8.RuneCountInString(text[:before])+1, err)
	}
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(parsed, gojq.WithEnvironLoader(func() []string { return nil }))
	if err != nil {
		return nil, compileError(text, err)
	}
	return &Query{code: code}, nil
}

// compileError adds the column of what the compiler does not know, where it can
// be found in the text.
func compileError(text string, err error) error {
	_, name, found := strings.Cut(err.Error(), ": ")
	name, _, _ = strings.Cut(name, "/")
	if at := strings.Index(text, name); found && name != "" && at >= 0 {
		return fmt.Errorf("column %d: %w", utf8.RuneCountInString(text[:at])+1, err)
	}
	return err
}

// ProgramError is a jq program or a template that failed on a result.
type ProgramError struct {
	Flag string // that the program came by
	Err  error
}

// Error says what the program could not do.
func (e *ProgramError) Error() string { return e.Flag + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ProgramError) Unwrap() error { return e.Err }

// queryOut runs a query and writes what it yields: strings as they are, other
// values as JSON, each on a line of its own; on a terminal JSON is indented.
type queryOut struct {
	w     io.Writer
	o     Options
	ctx   context.Context // ends a program that does not end; nil never does
	query *Query
	out   []byte
	ended bool // by halt
}

func newQueryOut(w io.Writer, o Options) queryOut {
	return queryOut{w: w, o: o, ctx: o.Context, query: o.Query}
}

func (q *queryOut) run(value any) error {
	if q.ended {
		return nil
	}
	iter := q.query.code.Run(value)
	if q.ctx != nil {
		iter = q.query.code.RunWithContext(q.ctx, value)
	}
	for {
		result, more := iter.Next()
		if !more {
			return nil
		}
		if err, failed := result.(error); failed {
			if halt, ok := errors.AsType[*gojq.HaltError](err); ok && halt.Value() == nil {
				q.ended = true
				return nil
			}
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("the program did not end in time: %w", err)
			}
			return errors.Join(q.Flush(), &ProgramError{Flag: "--jq", Err: err})
		}
		if err := q.emit(result); err != nil {
			return err
		}
		if len(q.out) >= arrayBuffer {
			if err := q.Flush(); err != nil {
				return err
			}
		}
	}
}

func (q *queryOut) emit(result any) error {
	if text, ok := result.(string); ok {
		if q.o.Terminal {
			text = Multiline(text)
		}
		q.out = append(append(q.out, text...), '\n')
		return nil
	}
	raw, err := gojq.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	if q.o.Terminal {
		q.out = append(appendIndented(q.out, raw, "", q.o.jsonMode()), '\n')
	} else {
		q.out = append(append(q.out, raw...), '\n')
	}
	return nil
}

// Flush writes the results so far.
func (q *queryOut) Flush() error {
	_, err := q.w.Write(q.out)
	q.out = q.out[:0]
	return err
}

// queryRows runs a query on every row; like NDJSON, each row's results are out
// when write returns.
type queryRows struct{ queryOut }

func (q *queryRows) write(object []byte) error {
	value, err := decodeNumbers(object)
	if err != nil {
		return err
	}
	if err := q.run(value); err != nil {
		return err
	}
	return q.Flush()
}

// Close writes what is left.
func (q *queryRows) Close() error { return q.Flush() }

// queryDocument runs a query on the list as a whole, at its end.
type queryDocument struct {
	queryOut
	values []any
}

func (q *queryDocument) write(object []byte) error {
	value, err := decodeNumbers(object)
	q.values = append(q.values, value)
	return err
}

// Close runs the query.
func (q *queryDocument) Close() error { return errors.Join(q.run(q.values), q.queryOut.Flush()) }

// Flush does nothing: before the list is whole there are no results.
func (q *queryDocument) Flush() error { return nil }
