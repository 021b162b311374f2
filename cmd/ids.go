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
	a     *app
	t     target
	noun  string // what the ids are of
	args  []string
	lines chan idLines // nil without standard input
	// others are the names of the other queues, once they were needed.
	others map[string]bool
}

// idLines is a page read from standard input, or what ended the reading.
type idLines struct {
	ids   []string
	lines []int // where they stood
	err   error
}

// checkIDs refuses what cannot be a list of ids of jobs.
func checkIDs(ids []string) error { return checkIDsOf("job", ids) }

// checkIDsOf refuses what cannot be a list of ids.
func checkIDsOf(noun string, ids []string) error {
	if slices.Contains(ids, "") {
		return &usageError{err: fmt.Errorf("a %s id is empty", noun)}
	}
	if len(ids) > 1 && slices.Contains(ids, stdinIDs) {
		return &usageError{err: errors.New("- reads all ids from standard input: leave out the others")}
	}
	return nil
}

// jobIDs reads ids from the arguments, or one per line from standard input when
// the only argument is "-". Both may have the queue in front, as in billing:42.
func (a *app) jobIDs(ctx context.Context, t target, args []string) *idReader {
	r := &idReader{a: a, t: t, noun: "job", args: args}
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
			ids, err := r.plain(ctx, page.ids, func(i int) string { return fmt.Sprintf("standard input: line %d: ", page.lines[i]) })
			return ids, errors.Join(err, page.err)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	page := r.args[:min(idPage, len(r.args))]
	r.args = r.args[len(page):]
	return r.plain(ctx, page, func(int) string { return "" })
}

// plain returns the ids without the queue in front; none of them when one is of
// another queue. place says where an id stood.
func (r *idReader) plain(ctx context.Context, ids []string, place func(int) string) ([]string, error) {
	plain := make([]string, 0, len(ids))
	for i, id := range ids {
		own := r.a.ownID(r.t, id)
		if own == id && strings.Contains(id, ":") {
			if other := r.otherQueue(ctx, id); other != "" {
				return nil, &usageError{
					err:  fmt.Errorf("%s%s %q is of another queue, %s", place(i), r.noun, id, other),
					hint: fmt.Sprintf("with %s: in front it is the whole id of a %s of %[1]s", r.t.label(), r.noun),
				}
			}
		}
		plain = append(plain, own)
	}
	return plain, nil
}

// ownID returns an id without the queue in front, under any of its names. A name
// that is the alias of another queue means that one.
func (a *app) ownID(t target, id string) string {
	names := []string{t.base().String(), t.Alias, t.Name}
	if c, err := a.loadConfig(); err == nil && t.Name != t.Alias {
		if _, taken := c.Queue(t.Name); taken {
			names = names[:2]
		}
	}
	for _, name := range names {
		if rest, ok := strings.CutPrefix(id, name+":"); ok && name != "" && rest != "" {
			return rest
		}
	}
	return id
}

// otherQueue returns the name of another queue that stands in front of an id, as
// far as queues can be listed.
func (r *idReader) otherQueue(ctx context.Context, id string) string {
	if r.others == nil {
		r.others = map[string]bool{}
		if c, err := r.a.loadConfig(); err == nil {
			for _, t := range c.Targets("") {
				r.others[t.Alias], r.others[t.Name], r.others[target{Target: t}.base().String()] = true, true, true
			}
		}
		if r.a.client != nil {
			bases, _ := r.a.client.Queues(ctx, "")
			for _, b := range bases {
				r.others[b.Name], r.others[b.String()] = true, true
			}
		}
	}
	for i := range id {
		if id[i] == ':' && i+1 < len(id) && i > 0 && r.others[id[:i]] {
			return id[:i]
		}
	}
	return ""
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
				page.ids, page.lines = append(page.ids, id), append(page.lines, number)
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
