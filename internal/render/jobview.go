package render

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/qctl/qctl/internal/queue"
)

// JobView is a job as JSON shows it. The names and their order are a contract:
// fields are only ever added. What a job does not have is null. Times are
// milliseconds since the epoch, as on the wire; those that end in At are the
// same in RFC 3339.
//
// Data, Opts, Progress, ReturnValue and Parent are the stored JSON. A stored
// text that is not JSON appears as a string, and the field of the same name with
// IsText behind is true.
type JobView struct {
	ID              string          `json:"id"`
	Name            string          `json:"name"`
	State           *string         `json:"state"`
	Data            json.RawMessage `json:"data"`
	Opts            json.RawMessage `json:"opts"`
	Priority        int             `json:"priority"`
	Delay           int64           `json:"delay"` // milliseconds
	AttemptsMade    int             `json:"attemptsMade"`
	AttemptsStarted int             `json:"attemptsStarted"`
	Attempts        *int            `json:"attempts"`
	StalledCount    int             `json:"stalledCount"`
	Progress        json.RawMessage `json:"progress"`
	ReturnValue     json.RawMessage `json:"returnvalue"`
	FailedReason    *string         `json:"failedReason"`
	Stacktrace      []string        `json:"stacktrace"`
	Timestamp       *int64          `json:"timestamp"`
	ProcessedOn     *int64          `json:"processedOn"`
	FinishedOn      *int64          `json:"finishedOn"`
	Parent          json.RawMessage `json:"parent"`
	DeduplicationID *string         `json:"deduplicationId"`
	RepeatJobKey    *string         `json:"repeatJobKey"`
	Queue           string          `json:"queue"`

	CreatedAt       *string `json:"createdAt"`
	ProcessedAt     *string `json:"processedAt"`
	FinishedAt      *string `json:"finishedAt"`
	ProcessedBy     *string `json:"processedBy"`
	ParentKey       *string `json:"parentKey"`
	DeferredFailure *string `json:"deferredFailure,omitempty"`

	DataIsText        bool `json:"dataIsText,omitempty"`
	OptsIsText        bool `json:"optsIsText,omitempty"`
	ProgressIsText    bool `json:"progressIsText,omitempty"`
	ReturnValueIsText bool `json:"returnvalueIsText,omitempty"`
	ParentIsText      bool `json:"parentIsText,omitempty"`

	// Cut holds the sizes in bytes of fields too large to be read.
	Cut map[string]int64 `json:"cut,omitempty"`
	// Corrupt says which fields could not be read or not be shown as they are.
	Corrupt []string `json:"corrupt,omitempty"`
}

// ViewJob returns the view of a job of the queue of this name.
func ViewJob(queueName string, job *queue.Job) JobView { return viewJob(queueName, job, isJSON) }

// viewJob is ViewJob with another judgement on which stored texts are JSON.
func viewJob(queueName string, job *queue.Job, isJSON func([]byte) bool) JobView {
	v := JobView{
		ID:              job.ID,
		Name:            job.Name,
		State:           textOrNil(string(job.State), job.State != ""),
		Priority:        job.Priority,
		Delay:           job.Delay.Milliseconds(),
		AttemptsMade:    job.AttemptsMade,
		AttemptsStarted: job.AttemptsStarted,
		StalledCount:    job.StalledCounter,
		FailedReason:    textOrNil(job.FailedReason, job.HasFailedReason),
		Stacktrace:      job.Stacktrace,
		Timestamp:       millis(job.Timestamp),
		ProcessedOn:     millis(job.ProcessedOn),
		FinishedOn:      millis(job.FinishedOn),
		DeduplicationID: textOrNil(job.DeduplicationID, job.DeduplicationID != ""),
		RepeatJobKey:    textOrNil(job.RepeatJobKey, job.RepeatJobKey != ""),
		Queue:           queueName,
		CreatedAt:       textOrNil(Time(job.Timestamp), !job.Timestamp.IsZero()),
		ProcessedAt:     textOrNil(Time(job.ProcessedOn), !job.ProcessedOn.IsZero()),
		FinishedAt:      textOrNil(Time(job.FinishedOn), !job.FinishedOn.IsZero()),
		ProcessedBy:     textOrNil(job.ProcessedBy, job.ProcessedBy != ""),
		ParentKey:       textOrNil(job.ParentKey, job.ParentKey != ""),
		DeferredFailure: textOrNil(job.DeferredFailure, job.HasDeferredFailure),
		Cut:             job.Cut,
		Corrupt:         job.Corrupt,
	}
	if v.Stacktrace == nil {
		v.Stacktrace = []string{}
	}
	if job.Attempts > 0 {
		v.Attempts = &job.Attempts
	}
	v.Data, v.DataIsText = stored(job.Data, isJSON)
	v.Opts, v.OptsIsText = stored(job.Opts, isJSON)
	v.Progress, v.ProgressIsText = stored(job.Progress, isJSON)
	v.ReturnValue, v.ReturnValueIsText = stored(job.ReturnValue, isJSON)
	v.Parent, v.ParentIsText = stored(job.Parent, isJSON)
	v.noteLosses(job)
	return v
}

// noteLosses names the texts with bytes that JSON has no way to write: each such
// byte becomes U+FFFD.
func (v *JobView) noteLosses(job *queue.Job) {
	var lost []string
	note := func(field, text string) {
		if !utf8.ValidString(text) {
			lost = append(lost, field+": not UTF-8, some bytes are replaced")
		}
	}
	note("id", job.ID)
	note("name", job.Name)
	note("failedReason", job.FailedReason)
	for _, field := range []struct {
		name   string
		isText bool
		raw    []byte
	}{
		{"data", v.DataIsText, job.Data},
		{"opts", v.OptsIsText, job.Opts},
		{"progress", v.ProgressIsText, job.Progress},
		{"returnvalue", v.ReturnValueIsText, job.ReturnValue},
		{"parent", v.ParentIsText, job.Parent},
	} {
		if field.isText {
			note(field.name, string(field.raw))
		}
	}
	if lost != nil {
		v.Corrupt = slices.Concat(job.Corrupt, lost)
	}
}

// stored returns a stored text as JSON: itself, or a string of it.
func stored(raw []byte, isJSON func([]byte) bool) (value json.RawMessage, isText bool) {
	switch {
	case len(raw) == 0:
		return nil, false
	case isJSON(raw):
		return raw, false
	}
	var e encoder
	if err := e.encode(string(raw)); err != nil { // a string always encodes
		return nil, false
	}
	return e.compact(), true
}

func textOrNil(s string, has bool) *string {
	if !has {
		return nil
	}
	return &s
}

func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// cutFields returns the names of the fields that were not read, sorted.
func cutFields(job *queue.Job) []string { return slices.Sorted(maps.Keys(job.Cut)) }
