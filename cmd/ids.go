package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	// idPage is how many ids are changed in one call.
	idPage = 500
	// maxIDLine bounds a line of ids: the longest id, with the queue in front.
	maxIDLine = 128 << 10
)

// stdinIDs stands for ids on standard input, in place of ids.
const stdinIDs = "-"

// idReader hands out the ids that a command is about, in pages.
type idReader struct {
	prefixes []string
	args     []string
	lines    chan idLines // nil without standard input
}

// idLines is a page read from standard input, or what ended the reading.
type idLines struct {
	ids []string
	err error
}

// checkIDs refuses what cannot be a list of ids.
func checkIDs(ids []string) error {
	if slices.Contains(ids, "") {
		return &usageError{err: errors.New("a job id is empty")}
	}
	if len(ids) > 1 && slices.Contains(ids, stdinIDs) {
		return &usageError{err: errors.New("- reads all ids from standard input: leave out the others")}
	}
	return nil
}

// jobIDs reads ids from the arguments, or one per line from standard input when
// the only argument is "-". Both may have the queue in front, as in billing:42.
func (a *app) jobIDs(ctx context.Context, t target, args []string) *idReader {
	r := &idReader{args: args, prefixes: []string{t.base().String() + ":", t.Name + ":"}}
	if t.Alias != "" {
		r.prefixes = append(r.prefixes, t.Alias+":")
	}
	if len(args) == 1 && args[0] == stdinIDs {
		r.args, r.lines = nil, make(chan idLines)
		// A read from a terminal or a pipe cannot be interrupted, so it is
		// left behind when the command is.
		go readIDs(ctx, a.streams.In, r.lines)
	}
	return r
}

// next returns some ids; none when there are no more.
func (r *idReader) next(ctx context.Context) ([]string, error) {
	if r.lines != nil {
		select {
		case page := <-r.lines:
			return r.plain(page.ids), page.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	page := r.args[:min(idPage, len(r.args))]
	r.args = r.args[len(page):]
	return r.plain(page), nil
}

// plain returns the ids without the queue in front.
func (r *idReader) plain(ids []string) []string {
	plain := make([]string, 0, len(ids))
	for _, id := range ids {
		for _, prefix := range r.prefixes {
			if rest, ok := strings.CutPrefix(id, prefix); ok && rest != "" {
				id = rest
				break
			}
		}
		plain = append(plain, id)
	}
	return plain
}

// readIDs sends pages of lines, and at the end an empty one.
func readIDs(ctx context.Context, in io.Reader, pages chan<- idLines) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxIDLine)
	number := 0
	for {
		var page idLines
		for len(page.ids) < idPage && lines.Scan() {
			number++
			if id := strings.TrimSuffix(lines.Text(), "\r"); id != "" {
				page.ids = append(page.ids, id)
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			page.err = &usageError{err: fmt.Errorf("standard input: line %d is longer than %d bytes", number+1, maxIDLine)}
		case err != nil:
			page.err = fmt.Errorf("standard input: %w", err)
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return
		}
		if page.err != nil || len(page.ids) == 0 {
			return
		}
	}
}
