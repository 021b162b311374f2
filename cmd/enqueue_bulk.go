package cmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// bulkBatch is how many lines are checked and sent together.
const bulkBatch = 2000

// maxLine leaves room for name and options beside the largest payload.
const maxLine = maxPayload + 1<<20

// bulkLine is one line of a bulk file.
type bulkLine struct {
	number int
	text   []byte
	job    queue.NewJob
	err    error
}

// badLine is a refused line, as it is reported.
type badLine struct {
	Line  int    `json:"line" about:"number of the line, from 1"`
	Error string `json:"error" about:"why it was refused"`
}

// bulkView is the answer to a bulk add, as JSON.
type bulkView struct {
	Queue      string `json:"queue" about:"name of the queue"`
	KeyBase    string `json:"keyBase" about:"key base of the queue"`
	Lines      int    `json:"lines" about:"lines that were read"`
	Added      int    `json:"added" about:"jobs that were added"`
	Duplicates int    `json:"duplicates" about:"jobs that existed already"`
	// Deduplicated jobs are neither added nor duplicates.
	Deduplicated int       `json:"deduplicated" about:"jobs that another one stands for by their deduplication id"`
	Refused      int       `json:"refused" about:"lines that were refused"`
	Bad          []badLine `json:"bad" about:"the first 20 refused lines"`
	DurationMs   int64     `json:"durationMs" about:"how long it took, in milliseconds"`
	DryRun       bool      `json:"dryRun" about:"true when nothing was added"`
}

// maxBadLines bounds how many refused lines are reported one by one.
const maxBadLines = 20

// bulk adds the jobs of a file, a batch in the air while the next is checked.
type bulk struct {
	a      *app
	opts   *enqueueOptions
	t      target
	common queue.JobOptions
	view   bulkView
}

func runBulk(ctx context.Context, a *app, opts *enqueueOptions, t target, common queue.JobOptions) error {
	in, closeIn, err := a.openInput(opts.bulk)
	if err != nil {
		return &usageError{err: fmt.Errorf("--bulk: %w", err)}
	}
	defer closeIn()
	started := a.now()
	b := &bulk{a: a, opts: opts, t: t, common: common, view: bulkView{Queue: t.Name, KeyBase: t.base().String(), Bad: []badLine{}, DryRun: opts.dryRun}}
	err = b.addAll(ctx, bufio.NewReaderSize(in, 1<<16))
	b.view.DurationMs = a.now().Sub(started).Milliseconds()
	return errors.Join(b.print(err), b.verdict(err))
}

// addAll reads batches until the end of the input, an error, or a line that is
// refused and must not be left out.
func (b *bulk) addAll(ctx context.Context, in *bufio.Reader) error {
	sent := make(chan error, 1) // how the batch before this one went
	sent <- nil
	for {
		lines, readErr := readLines(in, b.view.Lines)
		b.view.Lines += len(lines)
		stop := b.check(lines)
		if err := <-sent; err != nil {
			return err
		}
		jobs := make([]queue.NewJob, 0, len(lines))
		for i := range lines {
			if stop != nil {
				break // nothing of a batch with a refused line
			}
			if lines[i].err == nil {
				jobs = append(jobs, lines[i].job)
			}
		}
		go func() { sent <- b.send(ctx, jobs) }()
		if stop != nil || readErr != nil {
			err := <-sent
			if err == nil && stop != nil {
				err = &badLineError{line: stop.number, err: stop.err, sent: lines[0].number - 1}
			}
			if err == nil && !errors.Is(readErr, io.EOF) {
				err = &usageError{err: fmt.Errorf("--bulk: line %d: %w", b.view.Lines+1, readErr)}
			}
			return err
		}
	}
}

// readLines reads up to a batch of lines; empty ones are left out.
func readLines(in *bufio.Reader, before int) ([]bulkLine, error) {
	lines := make([]bulkLine, 0, bulkBatch)
	for size := 0; len(lines) < bulkBatch && size < maxLine; {
		text, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return lines, err
		}
		size += len(text)
		if len(text) > 0 || err == nil {
			lines = append(lines, bulkLine{number: before + len(lines) + 1, text: text})
		}
		if err != nil {
			return lines, err
		}
	}
	return lines, nil
}

// readLine reads to the end of a line and refuses one that is too long without
// keeping it.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}

// check turns lines into jobs on all processors, and returns the first refused
// line unless such lines are to be left out.
func (b *bulk) check(lines []bulkLine) *bulkLine {
	workers := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(lines); i += workers {
				if len(lines[i].text) == 0 {
					lines[i].err = errEmptyLine
					continue
				}
				lines[i].job, lines[i].err = b.parse(lines[i].text)
			}
		})
	}
	group.Wait()
	for i := range lines {
		if lines[i].err == nil || errors.Is(lines[i].err, errEmptyLine) {
			continue
		}
		b.view.Refused++
		if len(b.view.Bad) < maxBadLines {
			b.view.Bad = append(b.view.Bad, badLine{Line: lines[i].number, Error: lines[i].err.Error()})
		}
		if !b.opts.skipBad {
			return &lines[i]
		}
	}
	return nil
}

var errEmptyLine = errors.New("empty line")

// parse reads one line: an object with name, data and opts, all optional.
func (b *bulk) parse(text []byte) (queue.NewJob, error) {
	job := newJob(b.t, b.common)
	if b.opts.name != "" {
		job.Name = b.opts.name
	}
	if err := config.CheckPayload(text, config.Limits{Size: maxLine}); err != nil {
		return job, err
	}
	members, err := parseObject(text)
	if err != nil {
		return job, errors.New("not a JSON object")
	}
	seen := map[string]bool{}
	for _, m := range members {
		if seen[m.name] {
			return job, fmt.Errorf("%q is given twice", m.name)
		}
		seen[m.name] = true
		switch m.name {
		case "name":
			if err := json.Unmarshal(m.value, &job.Name); err != nil || job.Name == "" {
				return job, errors.New("name is not a text")
			}
		case "data":
			job.Data = m.value
		case "opts":
			if err := mergeOptions(&job, m.value, b.opts.allowUnknown); err != nil {
				return job, err
			}
		default:
			return job, fmt.Errorf("%q is not one of name, data, opts", m.name)
		}
	}
	return job, completeJob(b.t, &job, b.opts.priority)
}

// send adds a batch and counts the answers.
func (b *bulk) send(ctx context.Context, jobs []queue.NewJob) error {
	if len(jobs) == 0 {
		return nil
	}
	if b.opts.dryRun {
		b.view.Added += len(jobs)
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// A batch that is on its way is not cut short by an interrupt: its answer
	// is the only way to know what was added.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	answers, err := b.t.q.AddBulk(bounded, jobs)
	for _, answer := range answers {
		switch {
		case answer.Duplicate:
			b.view.Duplicates++
		case answer.Deduplicated:
			b.view.Deduplicated++
		default:
			b.view.Added++
		}
	}
	return b.opts.related.about(err)
}

// badLineError is a refused line that ended a bulk add.
type badLineError struct {
	line int
	err  error
	sent int // the last line that was sent
}

// Error names the line.
func (e *badLineError) Error() string { return fmt.Sprintf("--bulk: line %d: %v", e.line, e.err) }

// Unwrap returns the cause.
func (e *badLineError) Unwrap() error { return e.err }

// verdict is the error that the command ends with: a usage error when nothing
// was sent, else a partial result.
func (b *bulk) verdict(err error) error {
	var bad *badLineError
	switch {
	case errors.As(err, &bad) && bad.sent == 0:
		return &usageError{err: err, hint: "nothing was added; --skip-bad leaves such lines out"}
	case errors.As(err, &bad):
		return &partialError{err: fmt.Errorf("%w; lines 1 to %d were sent, none after them", err, bad.sent)}
	case err == nil && b.view.Refused > 0:
		return &partialError{err: fmt.Errorf("%d of %d lines were refused", b.view.Refused, b.view.Lines)}
	}
	return err
}

// print shows the counts, whatever the end.
func (b *bulk) print(err error) error {
	var bad *badLineError
	if errors.As(err, &bad) && bad.sent == 0 {
		return nil
	}
	format, formatErr := b.a.format()
	if formatErr != nil {
		return formatErr
	}
	if !format.ForPeople() {
		return writeResult(b.a, b.view)
	}
	verb := "added"
	if b.opts.dryRun {
		verb = "would add"
	}
	for _, line := range b.view.Bad {
		fmt.Fprintf(b.a.streams.Err, "line %d: %s\n", line.Line, render.Text(line.Error))
	}
	deduplicated := ""
	if b.view.Deduplicated > 0 {
		deduplicated = fmt.Sprintf(", %d deduplicated", b.view.Deduplicated)
	}
	_, printErr := fmt.Fprintf(b.a.streams.Out, "%s: %s %d jobs in %s; %d existed already%s, %d lines refused\n",
		render.Text(b.t.label()), verb, b.view.Added, (time.Duration(b.view.DurationMs) * time.Millisecond).String(),
		b.view.Duplicates, deduplicated, b.view.Refused)
	return printErr
}
