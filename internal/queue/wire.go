package queue

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Fields of a job hash (wire section 2.1); nothing outside this file spells
// the short ones, scripts apart.
const (
	fieldName            = "name"
	fieldData            = "data"
	fieldOpts            = "opts"
	fieldTimestamp       = "timestamp"
	fieldDelay           = "delay"
	fieldPriority        = "priority"
	fieldProcessedOn     = "processedOn"
	fieldFinishedOn      = "finishedOn"
	fieldProcessedBy     = "pb"
	fieldAttemptsStarted = "ats"
	fieldAttemptsMade    = "atm"
	fieldStalledCounter  = "stc"
	fieldReturnValue     = "returnvalue"
	fieldFailedReason    = "failedReason"
	fieldStacktrace      = "stacktrace"
	fieldDeferredFailure = "defa"
	fieldProgress        = "progress"
	fieldRepeatJobKey    = "rjk"
	fieldDeduplicationID = "deid"
	fieldParentKey       = "parentKey"
	fieldParent          = "parent"
)

// claimFields is what the claim scripts return of a job, in their order.
var claimFields = []string{
	fieldName, fieldData, fieldOpts, fieldTimestamp, fieldAttemptsStarted, fieldAttemptsMade,
	fieldDeferredFailure, fieldRepeatJobKey, fieldStacktrace, fieldDeduplicationID, fieldParentKey,
}

// decodeField stores one hash field in the job. What cannot be read is left at
// zero and named in Corrupt: one bad field must not hide the others.
func decodeField(job *Job, field, text string) {
	switch field {
	case fieldName:
		job.Name = text
	case fieldData:
		job.Data = json.RawMessage(text)
	case fieldOpts:
		job.Opts = json.RawMessage(text)
	case fieldReturnValue:
		job.ReturnValue = json.RawMessage(text)
	case fieldProgress:
		job.Progress = json.RawMessage(text)
	case fieldStacktrace:
		job.Stacktrace = decodeStacktrace(job, text)
	case fieldTimestamp:
		job.Timestamp = decodeTime(job, field, text)
	case fieldProcessedOn:
		job.ProcessedOn = decodeTime(job, field, text)
	case fieldFinishedOn:
		job.FinishedOn = decodeTime(job, field, text)
	case fieldDelay:
		job.Delay = millis(decodeNumber(job, field, text))
	case fieldPriority:
		job.Priority = int(decodeNumber(job, field, text))
	case fieldAttemptsMade:
		job.AttemptsMade = int(decodeNumber(job, field, text))
	case fieldAttemptsStarted:
		job.AttemptsStarted = int(decodeNumber(job, field, text))
	case fieldStalledCounter:
		job.StalledCounter = int(decodeNumber(job, field, text))
	case fieldFailedReason:
		job.FailedReason, job.HasFailedReason = text, true
	case fieldDeferredFailure:
		job.DeferredFailure, job.HasDeferredFailure = text, true
	case fieldParentKey:
		job.ParentKey = text
	case fieldParent:
		job.Parent = json.RawMessage(text)
	case fieldDeduplicationID:
		job.DeduplicationID = text
	case fieldRepeatJobKey:
		job.RepeatJobKey = text
	case fieldProcessedBy:
		job.ProcessedBy = text
	}
}

// decodeNumber reads a stored number; out of the range that a double holds
// exactly counts as corrupt.
func decodeNumber(job *Job, field, text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.Abs(n) > 1<<53 {
		job.Corrupt = append(job.Corrupt, fmt.Sprintf("%s: %.40q is not a number in range", field, text))
		return 0
	}
	return n
}

func decodeTime(job *Job, field, text string) time.Time {
	ms := decodeNumber(job, field, text)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

// decodeStacktrace reads a JSON array of texts. An empty object is an empty
// array: BullMQ's Lua cannot tell the two apart.
func decodeStacktrace(job *Job, text string) []string {
	if text == "" || text == "[]" || text == "{}" || text == "null" {
		return nil
	}
	var traces []string
	if err := json.Unmarshal([]byte(text), &traces); err != nil {
		job.Corrupt = append(job.Corrupt, "stacktrace: "+err.Error())
		return nil
	}
	return traces
}

// encodeStacktrace writes traces as stored, at least an empty array.
func encodeStacktrace(traces []string) string {
	if len(traces) == 0 {
		return "[]"
	}
	text, err := json.Marshal(traces)
	if err != nil { // a slice of texts always marshals
		return "[]"
	}
	return string(text)
}

// checkRunnable says what makes a claimed job impossible to run. BullMQ
// fetches such jobs again and again; a worker of ours fails them once.
func checkRunnable(job *Job) {
	switch {
	case job.Name == "":
		job.Unrunnable = "name: missing"
	case !json.Valid(job.Data):
		job.Unrunnable = "data: " + jsonError(job.Data).Error()
	case job.Options == nil:
		job.Unrunnable = "opts: not a JSON object"
	}
}

// jsonError says where a text stops being JSON.
func jsonError(text []byte) error {
	if len(text) == 0 {
		return fmt.Errorf("missing")
	}
	var v json.RawMessage
	err := json.Unmarshal(text, &v)
	if syntax, ok := err.(*json.SyntaxError); ok { //nolint:errorlint // documented to be returned bare
		return fmt.Errorf("%w at byte %d", err, syntax.Offset)
	}
	return err
}
