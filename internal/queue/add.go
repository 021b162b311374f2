package queue

import (
	"context"
	"encoding/json"
	"fmt"
)

// NewJob is a job to be added.
type NewJob struct {
	Name string
	// Data is the payload, a JSON text that is stored byte for byte; empty
	// means {}.
	Data json.RawMessage
	Opts JobOptions
}

// Added is the answer to one [NewJob].
type Added struct {
	ID string
	// Duplicate means that a job of this id existed; nothing was stored.
	Duplicate bool
}

// Most jobs, and about the most bytes, that one script call stores: enough to
// spread its cost, little enough to keep other clients waiting for no longer
// than a few milliseconds.
const (
	addBatchJobs  = 500
	addBatchBytes = 4 << 20
)

// AddBulk adds jobs in order. All are checked before the first is sent. Each
// batch of up to 500 is one atomic step; when one fails, the answers so far are
// returned with the error.
func (q *Queue) AddBulk(ctx context.Context, jobs []NewJob) ([]Added, error) {
	for i := range jobs {
		if err := jobs[i].validate(); err != nil {
			return nil, fmt.Errorf("job %d: %w", i+1, err)
		}
	}
	answers := make([]Added, 0, len(jobs))
	batch, rest, err := q.nextBatch(jobs)
	for batch != nil && err == nil {
		// The next batch is written while Redis works on this one; they still
		// go one after the other, in order.
		ahead := make(chan struct{})
		var nextBatch *addBatch
		var nextErr error
		go func(jobs []NewJob) {
			defer close(ahead)
			nextBatch, rest, nextErr = q.nextBatch(jobs)
		}(rest)
		var added []Added
		added, err = q.addBatch(ctx, batch)
		<-ahead
		answers = append(answers, added...)
		if err == nil {
			err = nextErr
		}
		batch = nextBatch
	}
	return answers, err
}

// nextBatch writes the arguments of as many jobs as go together, and returns
// the jobs after them; no batch when there are none.
func (q *Queue) nextBatch(jobs []NewJob) (*addBatch, []NewJob, error) {
	if len(jobs) == 0 {
		return nil, nil, nil
	}
	batch := &addBatch{now: q.nowMS(), args: make([]any, 2, 2+8*min(addBatchJobs, len(jobs)))}
	n := 0
	for n < len(jobs) && (n == 0 || batch.fits(&jobs[n])) {
		if err := batch.append(&jobs[n]); err != nil {
			return nil, nil, fmt.Errorf("job %q: %w", jobs[n].Name, err)
		}
		n++
	}
	return batch, jobs[n:], nil
}

// validate refuses what BullMQ would refuse.
func (j *NewJob) validate() error {
	if err := j.Opts.validate(); err != nil {
		return err
	}
	if j.Opts.SizeLimit > 0 && len(j.Data) > j.Opts.SizeLimit {
		return fmt.Errorf("%w: payload of %d bytes is above the job's limit of %d", ErrTooLarge, len(j.Data), j.Opts.SizeLimit)
	}
	return nil
}

// addBatch is the arguments of one call of add.lua.
type addBatch struct {
	now   int64
	args  []any
	count int
	bytes int
	// The options of neighbors are mostly equal: their text is kept.
	lastOpts []byte
	last     *JobOptions
}

func (b *addBatch) fits(j *NewJob) bool {
	return b.count < addBatchJobs && b.bytes+len(j.Data) <= addBatchBytes
}

func (b *addBatch) append(j *NewJob) error {
	opts, err := b.encode(&j.Opts)
	if err != nil {
		return err
	}
	data := []byte(j.Data)
	if len(data) == 0 {
		data = []byte("{}")
	}
	timestamp := b.now
	if !j.Opts.Timestamp.IsZero() {
		timestamp = j.Opts.Timestamp.UnixMilli()
	}
	lifo := ""
	if j.Opts.LIFO {
		lifo = "1"
	}
	b.args = append(b.args, j.Opts.ID, j.Name, data, opts, timestamp, j.Opts.Delay.Milliseconds(), j.Opts.Priority, lifo)
	b.count++
	b.bytes += len(data) + len(opts)
	return nil
}

func (b *addBatch) encode(o *JobOptions) ([]byte, error) {
	if b.last != nil && o.equal(b.last) {
		return b.lastOpts, nil
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	b.last, b.lastOpts = o, text
	return text, nil
}

// equal reports whether both are stored as the same text. It compares what is
// cheap to compare and says no to the rest.
func (o *JobOptions) equal(p *JobOptions) bool {
	return o.ID == p.ID && o.Priority == p.Priority && o.Delay == p.Delay && o.Timestamp.Equal(p.Timestamp) &&
		o.Attempts == p.Attempts && o.Backoff == p.Backoff && o.LIFO == p.LIFO &&
		o.KeepCompleted == p.KeepCompleted && o.KeepFailed == p.KeepFailed &&
		o.StackTraceLimit == p.StackTraceLimit && o.KeepLogs == p.KeepLogs && o.SizeLimit == p.SizeLimit &&
		len(o.Other) == 0 && len(p.Other) == 0
}

func (q *Queue) addBatch(ctx context.Context, b *addBatch) ([]Added, error) {
	b.args[0], b.args[1] = b.now, b.count
	reply, err := q.run(ctx, scriptAdd, b.args...)
	if err != nil {
		return nil, err
	}
	parts := replyList(reply)
	ids := replyList(at(parts, 0))
	added := make([]Added, len(ids))
	for i, id := range ids {
		added[i].ID = replyText(id)
	}
	for _, position := range replyList(at(parts, 1)) {
		if n, ok := position.(int64); ok && n >= 1 && n <= int64(len(added)) {
			added[n-1].Duplicate = true
		}
	}
	if len(added) != b.count {
		return added, fmt.Errorf("add %s: %w: %d answers for %d jobs", q.base, ErrCorrupt, len(added), b.count)
	}
	return added, nil
}
