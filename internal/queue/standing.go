package queue

import (
	"context"
	"strconv"
	"strings"
	"time"
)

var scriptStanding = &script{name: "standing", readOnly: true}

// Standing is what shows whether a queue moves.
type Standing struct {
	// OldestWaiting is since when the longest-waiting job has been ready to
	// run; zero when none waits, or it cannot be told.
	OldestWaiting time.Time
	// Unlocked is since when the first of the active jobs that nobody holds has
	// been active: its worker is gone, and no other has taken it back. Zero when
	// all that were looked at, the ten that started first, are held.
	Unlocked time.Time
	// Moved is when a job last started or ended, by the last hundred events;
	// zero when they tell of none. It is looked for where no job is active.
	Moved time.Time
}

// Standing looks at a few jobs and events of the queue. The job that has waited
// longest is looked for where it must be: at the next to run, and at the first of
// the lowest priority class. A job is ready from its creation or the end of its
// delay, and after a failed attempt or a stall from that attempt's start, as its
// end is not stored; a finished job that was retried by hand counts from its
// creation.
func (q *Queue) Standing(ctx context.Context) (Standing, error) {
	reply, err := q.run(ctx, scriptStanding, ListFieldLimit)
	if err != nil {
		return Standing{}, err
	}
	parts := replyList(reply)
	var s Standing
	for _, entry := range replyList(at(parts, 0)) {
		s.OldestWaiting = earlier(s.OldestWaiting, readySince(replyTexts(entry)))
	}
	for _, started := range replyTexts(at(parts, 1)) {
		var job Job
		decodeField(&job, fieldProcessedOn, started)
		s.Unlocked = earlier(s.Unlocked, job.ProcessedOn)
	}
	ms, _, _ := strings.Cut(replyText(at(parts, 2)), "-")
	if n, err := strconv.ParseInt(ms, 10, 64); err == nil {
		s.Moved = time.UnixMilli(n)
	}
	return s, nil
}

// earlier returns the earlier of two times; a zero one does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// readySince returns the zero time when the job's creation is not readable.
func readySince(texts []string) time.Time {
	if len(texts) < 3 {
		return time.Time{}
	}
	var job Job
	decodeField(&job, fieldTimestamp, texts[0])
	if job.Timestamp.IsZero() {
		return time.Time{}
	}
	since := job.Timestamp
	if opts, err := DecodeOptions([]byte(texts[2])); err == nil {
		since = since.Add(opts.Delay)
	}
	if texts[1] != "" {
		decodeField(&job, fieldProcessedOn, texts[1])
	}
	if job.ProcessedOn.After(since) {
		since = job.ProcessedOn
	}
	return since
}
