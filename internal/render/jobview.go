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
	ID              string          `json:"id" about:"id of the job"`
	Name            string          `json:"name" about:"name of the job"`
	State           *string         `json:"state" about:"state it was found in"`
	Data            json.RawMessage `json:"data" about:"payload"`
	Opts            json.RawMessage `json:"opts" about:"options it was added with"`
	Priority        int             `json:"priority" about:"priority on the wire: 0 none, 1 highest"`
	Delay           int64           `json:"delay" about:"delay in milliseconds"`
	AttemptsMade    int             `json:"attemptsMade" about:"attempts that have ended"`
	AttemptsStarted int             `json:"attemptsStarted" about:"attempts that have begun"`
	Attempts        *int            `json:"attempts" about:"most attempts it gets"`
	StalledCount    int             `json:"stalledCount" about:"how often it was found without a worker"`
	Progress        json.RawMessage `json:"progress" about:"progress that its worker reported"`
	ReturnValue     json.RawMessage `json:"returnvalue" about:"result"`
	FailedReason    *string         `json:"failedReason" about:"why it failed"`
	Stacktrace      []string        `json:"stacktrace" about:"stack traces of its failed attempts"`
	Timestamp       *int64          `json:"timestamp" about:"when it was created, in milliseconds since the epoch"`
	ProcessedOn     *int64          `json:"processedOn" about:"when its last attempt began, in milliseconds since the epoch"`
	FinishedOn      *int64          `json:"finishedOn" about:"when it finished, in milliseconds since the epoch"`
	Parent          json.RawMessage `json:"parent" about:"parent job"`
	DeduplicationID *string         `json:"deduplicationId" about:"deduplication id"`
	RepeatJobKey    *string         `json:"repeatJobKey" about:"key of the job scheduler it comes from"`
	Queue           string          `json:"queue" about:"alias of the queue, else its name"`

	CreatedAt       *string `json:"createdAt" about:"timestamp in RFC 3339"`
	ProcessedAt     *string `json:"processedAt" about:"processedOn in RFC 3339"`
	FinishedAt      *string `json:"finishedAt" about:"finishedOn in RFC 3339"`
	ProcessedBy     *string `json:"processedBy" about:"worker of its last attempt"`
	ParentKey       *string `json:"parentKey" about:"key of the parent job"`
	DeferredFailure *string `json:"deferredFailure,omitempty" about:"failure that its next attempt ends with"`

	DataIsText        bool `json:"dataIsText,omitempty" about:"true when data is a text and no JSON"`
	OptsIsText        bool `json:"optsIsText,omitempty" about:"true when opts is a text and no JSON"`
	ProgressIsText    bool `json:"progressIsText,omitempty" about:"true when progress is a text and no JSON"`
	ReturnValueIsText bool `json:"returnvalueIsText,omitempty" about:"true when returnvalue is a text and no JSON"`
	ParentIsText      bool `json:"parentIsText,omitempty" about:"true when parent is a text and no JSON"`

	Cut     map[string]int64 `json:"cut,omitempty" about:"sizes in bytes of fields too large to be read"`
	Corrupt []string         `json:"corrupt,omitempty" about:"fields that could not be read or not be shown as they are"`

	argument string // the queue as an argument
}

// ShownJobView is one job by itself as JSON shows it.
type ShownJobView struct {
	JobView
	Position *int64           `json:"position" about:"place of a waiting job in the order of running, from 1"`
	Children *ChildCountsView `json:"children,omitempty" about:"how many children it has; left out when it has none"`
}

// ShownView returns the JSON view of one job by itself. A position of 0 is none,
// and so are no children.
func (r JobRow) ShownView(position int64, children queue.ChildCounts) ShownJobView {
	v := ShownJobView{JobView: r.View()}
	if position > 0 {
		v.Position = &position
	}
	if children.Total() > 0 {
		counts := ViewChildCounts(children)
		v.Children = &counts
	}
	return v
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
