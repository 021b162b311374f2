package interop

import "encoding/json"

// answer is the peer's reply to one request.
type answer struct {
	OK json.RawMessage `json:"ok"`
	failure
}

// decode stores the value answered in out, unless out is nil, or returns the *failure answered.
func (a *answer) decode(out any) error {
	if a.Message != "" {
		return &a.failure
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(a.OK, out)
}

// failure is what BullMQ threw at a request.
type failure struct {
	Message string `json:"error"`
	Name    string `json:"name"`
	Code    any    `json:"code"` // BullMQ's own are negative numbers
}

// Error returns BullMQ's message.
func (f *failure) Error() string { return f.Message }

// notice is a line the peer sent unasked: the life of a job in one of its workers (started, completed, failed,
// stalled, drained), an event of a stream it follows (queueEvent, with Type and Fields), or trouble (workerError,
// queueError, queueEventsError, peerError, with Message).
type notice struct {
	Event       string         `json:"event"`
	At          int64          `json:"at"` // the peer's clock, ms since the epoch
	Queue       string         `json:"queue"`
	Worker      string         `json:"worker"`
	Events      string         `json:"events"`
	JobID       string         `json:"jobId"`
	Name        string         `json:"name"`
	Token       string         `json:"token"`
	ReturnValue any            `json:"returnvalue"`
	Reason      string         `json:"reason"`
	Message     string         `json:"message"`
	Type        string         `json:"type"`
	Fields      map[string]any `json:"fields"`
	StreamID    string         `json:"streamId"`
	Job         *jobJSON       `json:"job"`
}

// jobJSON is a job as the peer's BullMQ reads it. State is filled by getJob only.
type jobJSON struct {
	ID              string   `json:"id"`
	QueueName       string   `json:"queueName"`
	Name            string   `json:"name"`
	State           string   `json:"state"`
	Data            any      `json:"data"`
	Opts            any      `json:"opts"`
	Progress        any      `json:"progress"`
	ReturnValue     any      `json:"returnvalue"`
	Timestamp       int64    `json:"timestamp"` // ms since the epoch, as the other times
	Delay           int64    `json:"delay"`     // ms
	Priority        int      `json:"priority"`
	ProcessedOn     int64    `json:"processedOn"`
	FinishedOn      int64    `json:"finishedOn"`
	ProcessedBy     string   `json:"processedBy"`
	AttemptsMade    int      `json:"attemptsMade"`
	AttemptsStarted int      `json:"attemptsStarted"`
	StalledCounter  int      `json:"stalledCounter"`
	FailedReason    string   `json:"failedReason"`
	DeferredFailure string   `json:"deferredFailure"`
	Stacktrace      []string `json:"stacktrace"`
	ParentKey       string   `json:"parentKey"`
	RepeatJobKey    string   `json:"repeatJobKey"`
	DeduplicationID string   `json:"deduplicationId"`
}
