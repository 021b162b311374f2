package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/qctl/qctl/internal/worker"
)

const (
	maxLogLines = 10_000 // per run of a job
	logBatch    = 500    // lines in one call
)

// relay hands log lines and progress to a Reporter without ever holding up the
// program: what arrives while a call is in flight goes out together with the
// next one, and only the newest progress counts. Total size is limited, so
// that what waits here is too.
type relay struct {
	report worker.Reporter
	limit  int // bytes of all log lines
	wake   chan struct{}
	done   chan struct{}

	mu       sync.Mutex // protects what follows
	lines    []string
	progress json.RawMessage
	count    int // lines taken in so far
	bytes    int
	full     bool
	closed   bool
}

// newRelay starts a relay that gives up when ctx ends.
func newRelay(ctx context.Context, report worker.Reporter, limit int) *relay {
	r := &relay{report: report, limit: limit, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.run(ctx)
	}()
	return r
}

// log takes a line, or drops it when the job has logged too much already. It
// reports whether it would take another one.
func (r *relay) log(line string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return false
	}
	r.count++
	r.bytes += len(line)
	if r.count > maxLogLines || r.bytes > r.limit {
		r.full = true
		line = fmt.Sprintf("log cut here: over %d lines or %s", maxLogLines, byteSize(r.limit))
	}
	r.lines = append(r.lines, line)
	r.signal()
	return !r.full
}

// setProgress replaces the progress that was not sent yet.
func (r *relay) setProgress(progress json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = progress
	r.signal()
}

// close waits until everything taken in is sent or given up.
func (r *relay) close() {
	r.mu.Lock()
	r.closed = true
	r.signal()
	r.mu.Unlock()
	<-r.done
}

func (r *relay) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *relay) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		r.mu.Lock()
		lines, progress, closed := r.lines, r.progress, r.closed
		r.lines, r.progress = nil, nil
		r.mu.Unlock()
		r.send(ctx, lines, progress)
		if closed {
			return
		}
	}
}

// send ignores errors: a job whose words are lost is still worth running.
func (r *relay) send(ctx context.Context, lines []string, progress json.RawMessage) {
	for len(lines) > 0 && ctx.Err() == nil {
		n := min(len(lines), logBatch)
		_ = r.report.Log(ctx, lines[:n:n]...)
		lines = lines[n:]
	}
	if progress != nil && ctx.Err() == nil {
		_ = r.report.Progress(ctx, progress)
	}
}

// byteSize prints a limit as people set it.
func byteSize(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
