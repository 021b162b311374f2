package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"math/bits"
)

// Fields is a set of what is to be read of a job.
type Fields uint32

// The fields of a job, by the names they have in [Job].
const (
	FieldName Fields = 1 << iota
	FieldTimestamp
	FieldDelay
	FieldPriority
	FieldProcessedOn
	FieldFinishedOn
	FieldProcessedBy
	FieldAttemptsStarted
	FieldAttemptsMade
	FieldStalledCounter
	FieldRepeatJobKey
	FieldDeduplicationID
	FieldParentKey
	FieldFailedReason
	FieldDeferredFailure
	FieldProgress
	FieldData
	FieldOpts // Attempts as well
	FieldReturnValue
	FieldStacktrace
	FieldParent
)

// Sets of fields.
const (
	// FieldsAll is everything that is stored with a job.
	FieldsAll = FieldParent<<1 - 1
	// FieldsRow is what a table shows: no payload, no options, no results but
	// the reason of a failure. Attempts needs FieldOpts as well.
	FieldsRow = FieldData - 1
)

// readableFields are the stored names, in the order of the constants above.
var readableFields = [...]string{
	fieldName, fieldTimestamp, fieldDelay, fieldPriority, fieldProcessedOn, fieldFinishedOn, fieldProcessedBy,
	fieldAttemptsStarted, fieldAttemptsMade, fieldStalledCounter, fieldRepeatJobKey, fieldDeduplicationID,
	fieldParentKey, fieldFailedReason, fieldDeferredFailure, fieldProgress, fieldData, fieldOpts,
	fieldReturnValue, fieldStacktrace, fieldParent,
}

// names returns the stored names of the fields of the set.
func (f Fields) names() []string {
	f &= FieldsAll
	names := make([]string, 0, bits.OnesCount32(uint32(f)))
	for i, name := range readableFields {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Most bytes of one field that are sent when the caller names no limit: to show
// one job, and to list many.
const (
	ShowFieldLimit = 1 << 20
	ListFieldLimit = 16 << 10
)

// Most jobs, and about the most bytes, that one script call reads.
const (
	readBatchJobs  = 500
	readBatchBytes = 4 << 20
)

// StateUnknown is the state of a job that stands in none of the queue's lists:
// it was lost, or never was. No worker will run it.
const StateUnknown State = "unknown"

var scriptReadJobs = &script{name: "read_jobs", readOnly: true}

// Get reads one job and its state, both at one moment. Fields of more than
// limit bytes are left empty and named in Cut; 0 means ShowFieldLimit. Without
// a job of this id it returns ErrJobNotFound. A key that is no job at all is
// returned as one, described by Corrupt.
func (q *Queue) Get(ctx context.Context, id string, fields Fields, limit int64) (Job, error) {
	if limit <= 0 {
		limit = ShowFieldLimit
	}
	var job Job
	found := false
	err := q.read(ctx, []string{id}, readOptions{fields: fields, limit: limit, states: true}, func(j Job, exists bool) {
		job, found = j, exists
	})
	if err != nil {
		return Job{}, err
	}
	if !found {
		return Job{}, &JobError{ID: id, Err: ErrJobNotFound}
	}
	return job, nil
}

// Read reads many jobs, in the order of the ids, without their states. Fields
// of more than limit bytes are left empty and named in Cut; 0 means
// ListFieldLimit. Ids without a job are returned as missing. A key that is no
// job at all is returned as one, described by Corrupt.
func (q *Queue) Read(ctx context.Context, ids []string, fields Fields, limit int64) (jobs []Job, missing []string, err error) {
	if limit <= 0 {
		limit = ListFieldLimit
	}
	jobs = make([]Job, 0, len(ids))
	err = q.readMany(ctx, ids, fields, limit, func(job Job, exists bool) {
		if exists {
			jobs = append(jobs, job)
		} else {
			missing = append(missing, job.ID)
		}
	})
	return jobs, missing, err
}

// StateOf tells where jobs are, in the order of the ids: StateUnknown for an id
// that stands nowhere. Whether there is a job behind the id makes no difference.
// Looking for a waiting job costs a walk over the list, so the search goes in
// calls of about ten milliseconds.
func (q *Queue) StateOf(ctx context.Context, ids []string) ([]State, error) {
	states := make([]State, 0, len(ids))
	err := q.read(ctx, ids, readOptions{states: true}, func(job Job, _ bool) {
		states = append(states, job.State)
	})
	return states, err
}

// readOptions are for the script, which also tells where jobs are.
type readOptions struct {
	fields Fields
	limit  int64
	states bool
}

// read calls yield for each id in order. A job that does not exist has no more
// than an id and a state.
func (q *Queue) read(ctx context.Context, ids []string, o readOptions, yield func(job Job, exists bool)) error {
	names := o.fields.names()
	states := ""
	if o.states {
		states = "1"
	}
	for len(ids) > 0 {
		page := ids[:min(readBatchJobs, len(ids))]
		args := make([]any, 0, 4+len(names)+len(page))
		args = append(args, o.limit, readBatchBytes, states, len(names))
		for _, name := range names {
			args = append(args, name)
		}
		for _, id := range page {
			args = append(args, id)
		}
		reply, err := q.run(ctx, scriptReadJobs, args...)
		if err != nil {
			return err
		}
		answers := replyList(reply)
		if len(answers) == 0 || len(answers) > len(page) {
			return fmt.Errorf("read %s: %w: %d answers for %d jobs", q.base, ErrCorrupt, len(answers), len(page))
		}
		for i, answer := range answers {
			yield(q.decodeAnswer(page[i], replyList(answer), names))
		}
		ids = ids[len(answers):]
	}
	return nil
}

// decodeAnswer reads one answer of read_jobs.lua.
func (q *Queue) decodeAnswer(id string, answer []any, names []string) (job Job, exists bool) {
	job = Job{ID: id, State: State(replyText(at(answer, 0)))}
	switch kind := replyText(at(answer, 1)); kind {
	case "none":
		return job, false
	case "hash":
	default:
		job.Corrupt = []string{"key: holds a " + kind + ", not a job"}
		return job, true
	}
	values := replyList(at(answer, 2))
	for i, name := range names {
		switch value := at(values, i).(type) {
		case string:
			decodeField(&job, name, value)
			if name == fieldOpts {
				q.decodeAttempts(&job, value)
			}
		case int64:
			if job.Cut == nil {
				job.Cut = map[string]int64{}
			}
			job.Cut[name] = value
		}
	}
	noteBrokenJSON(&job)
	return job, true
}

// decodeAttempts reads the one option that a job shows by itself.
func (q *Queue) decodeAttempts(job *Job, opts string) {
	if options := q.client.options.get(opts); options != nil {
		job.Attempts = options.Attempts
		return
	}
	why := "not an object"
	if err := jsonError([]byte(opts)); err != nil {
		why = err.Error()
	}
	job.Corrupt = append(job.Corrupt, fieldOpts+": "+why)
}

// noteBrokenJSON names the texts that are not the JSON they should be; they
// stay as they are stored.
func noteBrokenJSON(job *Job) {
	for _, f := range []struct {
		name string
		text json.RawMessage
	}{
		{fieldData, job.Data},
		{fieldReturnValue, job.ReturnValue},
		{fieldProgress, job.Progress},
		{fieldParent, job.Parent},
	} {
		if len(f.text) > 0 && !json.Valid(f.text) {
			job.Corrupt = append(job.Corrupt, f.name+": "+jsonError(f.text).Error())
		}
	}
}
