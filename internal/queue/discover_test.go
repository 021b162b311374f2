package queue_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
)

// queues returns what discovery finds, as prefix:name.
func (e *env) queues(pattern string) []string {
	e.t.Helper()
	bases, err := e.client.Queues(e.ctx, pattern)
	e.must(err)
	names := []string{}
	for _, base := range bases {
		names = append(names, base.String())
	}
	return names
}

func TestQueues(t *testing.T) {
	onEach(t, func(e *env) {
		p := e.base.Prefix
		meta := func(base string, values ...any) {
			e.must(e.rdb.HSet(e.ctx, p+base+":meta", values...).Err())
		}
		meta(":b", "opts.maxLenEvents", 10000)
		meta(":a", "version", "bullmq:5.1.2")
		meta(":events", "opts.maxLenEvents", 10000)          // named like a suffix
		meta(":deep:er:x", "opts.maxLenEvents", 10000)       // the prefix holds colons
		meta(":{tag}", "paused", 1)                          // only a setting, but a counter
		e.must(e.rdb.Set(e.ctx, p+":{tag}:id", 5, 0).Err())  //
		meta(":glob*[x]", "opts.maxLenEvents", 0)            //
		meta(":session", "concurrency", 5, "version", "1.2") // another program's
		meta(":q:job", "name", "n", "data", "{}")            // a job called job:meta
		meta(":q:repeat", "name", "n", "every", 1000, "ic", 1)
		e.must(e.rdb.Set(e.ctx, p+":text:meta", "x", 0).Err())
		e.must(e.rdb.HSet(e.ctx, p+":q", "meta", 1).Err())

		all := []string{p + ":a", p + ":b", p + ":events", p + ":glob*[x]", p + ":{tag}", p + ":deep:er:x"}
		if diff := cmp.Diff(all, e.queues(p+":*")); diff != "" {
			e.t.Error(diff)
		}
		if diff := cmp.Diff([]string{p + ":a", p + ":b"}, e.queues(p+":?")); diff != "" {
			e.t.Error(diff)
		}
		if diff := cmp.Diff([]string{p + ":glob*[x]"}, e.queues(queue.EscapePattern(p+":glob*[x]"))); diff != "" {
			e.t.Error(diff)
		}
		if diff := cmp.Diff([]string{}, e.queues(p+"none:*")); diff != "" {
			e.t.Error(diff)
		}
		found := strings.Join(e.queues(""), "\n")
		if !strings.Contains(found, p+":a\n") {
			e.t.Errorf("a search for all finds %q", found)
		}
		_, err := e.client.Queues(e.ctx, strings.Repeat("x", 257))
		if !errors.Is(err, queue.ErrInvalidOption) {
			e.t.Errorf("a pattern of 257 bytes: %v", err)
		}
	})
}

// The search takes several round trips and asks about queues in several rounds.
func TestQueuesAmongManyKeys(t *testing.T) {
	onEach(t, func(e *env) {
		pipe := e.rdb.Pipeline()
		for i := range 3000 {
			pipe.Set(e.ctx, e.base.Prefix+":noise"+strconv.Itoa(i), "x", 0)
		}
		for i := range 600 {
			pipe.HSet(e.ctx, e.base.Prefix+":q"+strconv.Itoa(i)+":meta", "opts.maxLenEvents", 1)
		}
		_, err := pipe.Exec(e.ctx)
		e.must(err)
		seen := map[string]bool{}
		found := e.queues(e.base.Prefix + ":*")
		for _, base := range found {
			seen[base] = true
		}
		if len(found) != 600 || len(seen) != 600 {
			e.t.Errorf("found %d queues, %d different", len(found), len(seen))
		}
	})
}

func TestExists(t *testing.T) {
	onEach(t, func(e *env) {
		exists := func() bool {
			yes, err := e.q.Exists(e.ctx)
			e.must(err)
			return yes
		}
		if exists() {
			e.t.Error("a queue exists before its first job")
		}
		e.add(queue.NewJob{Name: "n"})
		if !exists() {
			e.t.Error("a queue with a job does not exist")
		}
		if diff := cmp.Diff([]string{e.base.String()}, e.queues(e.base.Prefix+":*")); diff != "" {
			e.t.Error(diff)
		}
	})
}

// A search that may not take long ends without an error, with what it has found.
func TestQueuesWithin(t *testing.T) {
	onEach(t, func(e *env) {
		e.must(e.rdb.HSet(e.ctx, e.key("meta"), "opts.maxLenEvents", 10000).Err())
		found, err := e.client.QueuesWithin(e.ctx, e.base.Prefix+":*", time.Hour)
		if e.must(err); len(found) != 1 {
			e.t.Errorf("with time: %v", found)
		}
		found, err = e.client.QueuesWithin(e.ctx, e.base.Prefix+":*", time.Nanosecond)
		if e.must(err); len(found) != 0 {
			e.t.Errorf("without time: %v", found)
		}
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		if _, err := e.client.QueuesWithin(ctx, "", time.Hour); !errors.Is(err, context.Canceled) {
			e.t.Errorf("when the caller has ended: %v", err)
		}
	})
}
