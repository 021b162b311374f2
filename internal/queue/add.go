package queue

import (
	"context"
	"encoding/json"
	"errors"
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
	// Deduplicated means that ID is another job's, which keeps this one out;
	// nothing was stored, unless that job is to be followed by this one.
	Deduplicated bool
	// Replaced is the id of the delayed job that gave way to this one.
	Replaced string
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
// returned with the error. A parent that is missing (ErrParentMissing) or cannot
// be given (ErrOtherParent) is noticed at its job: those before it are added,
// those after it are not.
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
		var nextBatch bulk
		var nextErr error
		go func(jobs []NewJob) {
			defer close(ahead)
			nextBatch, rest, nextErr = q.nextBatch(jobs)
		}(rest)
		var added []Added
		added, err = batch.send(ctx, q)
		<-ahead
		answers = append(answers, added...)
		var refused *refusedJob
		if errors.As(err, &refused) {
			refused.position = len(answers) + 1
		}
		if err == nil {
			err = nextErr
		}
		batch = nextBatch
	}
	return answers, err
}

// bulk is the arguments of one script call that adds jobs.
type bulk interface {
	send(ctx context.Context, q *Queue) ([]Added, error)
	// fits reports whether the job may go with those that are in it.
	fits(j *NewJob) bool
	append(q *Queue, j *NewJob) error
}

// nextBatch writes the arguments of as many jobs as go together, and returns
// the jobs after them; no batch when there are none. Jobs that others matter to
// go through a script of their own, which is slower.
func (q *Queue) nextBatch(jobs []NewJob) (bulk, []NewJob, error) {
	if len(jobs) == 0 {
		return nil, nil, nil
	}
	most := min(addBatchJobs, len(jobs))
	var b bulk
	if jobs[0].Opts.related() {
		b = newRelatedCall(q.nowMS(), q.base, most)
	} else {
		b = &addBatch{now: q.nowMS(), jobs: make([]any, 0, argsPerJob*most)}
	}
	n := 0
	for n < len(jobs) && (n == 0 || b.fits(&jobs[n])) {
		if err := b.append(q, &jobs[n]); err != nil {
			return nil, nil, fmt.Errorf("job %q: %w", jobs[n].Name, err)
		}
		n++
	}
	return b, jobs[n:], nil
}

// validate refuses what BullMQ would refuse.
func (j *NewJob) validate() error {
	if err := j.Opts.validate(); err != nil {
		return err
	}
	if j.Opts.SizeLimit > 0 && len(j.Data) > j.Opts.SizeLimit {
		return fmt.Errorf("%w: payload of %d bytes is above the job's limit of %d", ErrTooLarge, len(j.Data), j.Opts.SizeLimit)
	}
	if len(j.Data) > 0 && !json.Valid(j.Data) {
		return fmt.Errorf("%w: data is not JSON: %w", ErrInvalidOption, jsonError(j.Data))
	}
	return nil
}

// addBatch is the arguments of one call of add.lua. Most jobs of a batch have
// the same options: those are sent once, as settings that jobs refer to.
type addBatch struct {
	now      int64
	settings []any
	jobs     []any
	count    int
	bytes    int
	distinct []*JobOptions // by number of the settings, from 0
}

// What add.lua takes for each job and for each settings.
const (
	argsPerJob      = 3
	argsPerSettings = 6
)

// recentSettings is how many settings a job's options are compared with.
const recentSettings = 16

func (b *addBatch) fits(j *NewJob) bool {
	return b.count < addBatchJobs && b.bytes+len(j.Data) <= addBatchBytes && !j.Opts.related()
}

func (b *addBatch) append(_ *Queue, j *NewJob) error {
	number, err := b.settingsOf(&j.Opts)
	if err != nil {
		return err
	}
	data := []byte(j.Data)
	if len(data) == 0 {
		data = []byte("{}")
	}
	b.jobs = append(b.jobs, number, j.Name, data)
	b.count++
	b.bytes += len(data)
	return nil
}

// settingsOf returns the number of the settings for these options, from 1.
func (b *addBatch) settingsOf(o *JobOptions) (int, error) {
	for i := len(b.distinct) - 1; i >= max(0, len(b.distinct)-recentSettings); i-- {
		if o.equal(b.distinct[i]) {
			return i + 1, nil
		}
	}
	text, err := json.Marshal(o)
	if err != nil {
		return 0, fmt.Errorf("options: %w", err)
	}
	timestamp := b.now
	if !o.Timestamp.IsZero() {
		timestamp = o.Timestamp.UnixMilli()
	}
	lifo := ""
	if o.LIFO {
		lifo = "1"
	}
	b.settings = append(b.settings, o.ID, text, timestamp, o.Delay.Milliseconds(), o.Priority, lifo)
	b.distinct = append(b.distinct, o)
	b.bytes += len(text)
	return len(b.distinct), nil
}

// args returns the arguments in the order of add.lua.
func (b *addBatch) args() []any {
	args := make([]any, 0, 3+len(b.settings)+len(b.jobs))
	args = append(args, b.now, b.count, len(b.settings)/argsPerSettings)
	return append(append(args, b.settings...), b.jobs...)
}

// equal reports whether both are stored as the same text. It compares what is
// cheap to compare and says no to the rest.
func (o *JobOptions) equal(p *JobOptions) bool {
	return o.ID == p.ID && o.Priority == p.Priority && o.Delay == p.Delay && o.Timestamp.Equal(p.Timestamp) &&
		o.Attempts == p.Attempts && o.Backoff == p.Backoff && o.LIFO == p.LIFO &&
		o.KeepCompleted == p.KeepCompleted && o.KeepFailed == p.KeepFailed &&
		o.StackTraceLimit == p.StackTraceLimit && o.KeepLogs == p.KeepLogs && o.SizeLimit == p.SizeLimit &&
		o.Dedup == p.Dedup && o.Parent == p.Parent && o.failureFlags() == p.failureFlags() &&
		len(o.Other) == 0 && len(p.Other) == 0
}

func (b *addBatch) send(ctx context.Context, q *Queue) ([]Added, error) {
	reply, err := q.run(ctx, scriptAdd, b.args()...)
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
