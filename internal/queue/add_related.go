package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

var scriptAddRelated = &script{name: "add_related"}

// How add_related.lua takes its jobs.
const (
	addEach = "each" // each by itself, until one is refused
	addTree = "flow" // all or nothing
)

// Codes of add_related.lua beyond those of BullMQ.
const (
	codeOtherParent = -7
	codeWaitsItself = -24
	codeDedupKey    = -25
)

// relatedCall is the arguments of one call of add_related.lua.
type relatedCall struct {
	now     int64
	bases   []KeyBase
	numbers map[KeyBase]int // of bases, from 1
	jobs    []any
	ids     []string // as they were given, for errors
	bytes   int
}

// argsPerRelated is what add_related.lua takes for each job.
const argsPerRelated = 15

func newRelatedCall(now int64, base KeyBase, jobs int) *relatedCall {
	r := &relatedCall{now: now, numbers: map[KeyBase]int{}, jobs: make([]any, 0, argsPerRelated*jobs)}
	r.number(base)
	return r
}

func (r *relatedCall) number(base KeyBase) int {
	n, known := r.numbers[base]
	if !known {
		r.bases = append(r.bases, base)
		n = len(r.bases)
		r.numbers[base] = n
	}
	return n
}

// add appends a job. The id may be other than that of its options, and a parent
// of the job waits for children.
func (r *relatedCall) add(base KeyBase, id string, j *NewJob, isParent bool) error {
	o := &j.Opts
	opts, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("options: %w", err)
	}
	timestamp := r.now
	if !o.Timestamp.IsZero() {
		timestamp = o.Timestamp.UnixMilli()
	}
	data := []byte(j.Data)
	if len(data) == 0 {
		data = []byte("{}")
	}
	kind := ""
	switch {
	case isParent:
		kind = "p"
	case o.LIFO:
		kind = "l"
	}
	args := []any{
		r.number(base), id, j.Name, data, opts, timestamp, o.Delay.Milliseconds(), o.Priority, kind,
		"", "", "", "", "", "",
	}
	if o.Parent != nil {
		field, err := o.parentField(o.Parent)
		if err != nil {
			return fmt.Errorf("parent: %w", err)
		}
		args[9], args[10], args[11] = r.number(o.Parent.Queue), o.Parent.ID, field
	}
	if o.Dedup != nil {
		args[12], args[14] = o.Dedup.ID, o.Dedup.flags()
		if o.Dedup.TTL > 0 {
			args[13] = o.Dedup.TTL.Milliseconds()
		}
	}
	r.jobs = append(r.jobs, args...)
	r.ids = append(r.ids, id)
	r.bytes += len(data) + len(opts) + len(j.Name)
	return nil
}

func (r *relatedCall) fits(j *NewJob) bool {
	return len(r.ids) < addBatchJobs && r.bytes+len(j.Data) <= addBatchBytes && j.Opts.related()
}

func (r *relatedCall) append(q *Queue, j *NewJob) error { return r.add(q.base, j.Opts.ID, j, false) }

func (r *relatedCall) send(ctx context.Context, q *Queue) ([]Added, error) {
	return r.run(ctx, q, addEach)
}

// refusedJob says which job of a call was refused. Those before it were added,
// unless all go together; those after it were not.
type refusedJob struct {
	position int // from 1
	err      error
}

func (e *refusedJob) Error() string { return fmt.Sprintf("job %d: %v", e.position, e.err) }

func (e *refusedJob) Unwrap() error { return e.err }

// run sends the call through a queue that is the first of its bases.
func (r *relatedCall) run(ctx context.Context, q *Queue, mode string) ([]Added, error) {
	if err := q.client.oneSlot(r.bases); err != nil {
		return nil, err
	}
	args := make([]any, 0, 3+len(r.bases)+len(r.jobs))
	args = append(args, r.now, mode, len(r.bases))
	for _, base := range r.bases {
		args = append(args, base.base())
	}
	reply, err := q.run(ctx, scriptAddRelated, append(args, r.jobs...)...)
	if err != nil {
		return nil, err
	}
	parts := replyList(reply)
	answers := replyList(at(parts, 0))
	added := make([]Added, len(answers))
	for i, answer := range answers {
		added[i] = decodeAdded(replyTexts(answer))
	}
	if code := replyInt(at(parts, 1)); code != 0 {
		return added, r.refusal(code, int(replyInt(at(parts, 2))), replyText(at(parts, 3)))
	}
	if len(added) != len(r.ids) {
		return added, fmt.Errorf("add %s: %w: %d answers for %d jobs", q.base, ErrCorrupt, len(added), len(r.ids))
	}
	return added, nil
}

func decodeAdded(answer []string) Added {
	if len(answer) < 2 {
		return Added{}
	}
	added := Added{ID: answer[1]}
	switch answer[0] {
	case "d":
		added.Duplicate = true
	case "k":
		added.Deduplicated = true
	case "r":
		if len(answer) > 2 {
			added.Replaced = answer[2]
		}
	}
	return added
}

// refusal says in words why the script stopped at a job.
func (r *relatedCall) refusal(code int64, position int, detail string) error {
	if position < 1 || position > len(r.ids) {
		return fmt.Errorf("%w: the answer is about job %d of %d", ErrCorrupt, position, len(r.ids))
	}
	parent := ""
	if number, ok := r.jobs[(position-1)*argsPerRelated+9].(int); ok {
		id, _ := r.jobs[(position-1)*argsPerRelated+10].(string)
		parent = r.bases[number-1].key(id)
	}
	var err error
	switch code {
	case codeOtherParent:
		err = fmt.Errorf("%w: %q", ErrOtherParent, detail)
	case codeWaitsItself:
		err = fmt.Errorf("%w: below %q it would wait for itself", ErrInvalidOption, parent)
	case codeDedupKey:
		err = fmt.Errorf("%w: its deduplication key holds no job id", ErrCorrupt)
	default:
		err = codeErrors[code]
		switch {
		case err == nil:
			err = fmt.Errorf("script answered %d", code)
		case errors.Is(err, ErrParentMissing):
			err = fmt.Errorf("%w: %q", err, parent)
		}
	}
	if id := r.ids[position-1]; id != "" {
		err = &JobError{ID: id, Err: err}
	}
	return &refusedJob{position: position, err: err}
}

// oneSlot refuses queues that one script cannot reach together.
func (c *Client) oneSlot(bases []KeyBase) error {
	if !c.cluster {
		return nil
	}
	for _, base := range bases[1:] {
		if base.hashTag() != bases[0].hashTag() {
			return fmt.Errorf("%w in common: %s and %s lie in different slots of Redis Cluster; give them one prefix such as {%s}",
				ErrHashTag, bases[0], base, bases[0].Prefix)
		}
	}
	return nil
}
