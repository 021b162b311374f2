package render

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// Change is what became of a selection of jobs of one queue.
type Change struct {
	// Done is what was done to them, such as "retried". It is also the name of
	// the JSON field that holds Changed.
	Done    string
	Queue   string
	State   queue.State // of all the jobs before; empty when of several
	Matched int64
	Changed int64
	Skipped []Skip // jobs that could not be changed, by reason
	// Failed is how many were not got to because a call to Redis failed.
	Failed int64
	Took   time.Duration
	DryRun bool
}

// Skip is jobs that were left as they are for one reason.
type Skip struct {
	Reason string   `json:"reason"`
	Count  int64    `json:"count"`
	IDs    []string `json:"ids"`
}

// maxSkipIDs is how many ids are shown as examples of one reason.
const maxSkipIDs = 20

// MarshalJSON writes the change with its numbers under the words of the command:
// {"queue":…,"matched":…,"retried":…,"skipped":[…],"failed":…,"durationMs":…,"dryRun":…}.
func (c Change) MarshalJSON() ([]byte, error) {
	skipped := make([]Skip, len(c.Skipped))
	for i, skip := range c.Skipped {
		skip.IDs = append([]string{}, skip.IDs[:min(len(skip.IDs), maxSkipIDs)]...)
		skipped[i] = skip
	}
	var name, head, tail encoder
	if err := name.encode(c.Done); err != nil {
		return nil, err
	}
	if err := head.encode(struct {
		Queue   string `json:"queue"`
		Matched int64  `json:"matched"`
	}{c.Queue, c.Matched}); err != nil {
		return nil, err
	}
	if err := tail.encode(struct {
		Skipped    []Skip `json:"skipped"`
		Failed     int64  `json:"failed"`
		DurationMs int64  `json:"durationMs"`
		DryRun     bool   `json:"dryRun"`
	}{skipped, c.Failed, c.Took.Milliseconds(), c.DryRun}); err != nil {
		return nil, err
	}
	object := append([]byte(nil), head.compact()...)
	object = append(append(object[:len(object)-1], ','), name.compact()...)
	object = strconv.AppendInt(append(object, ':'), c.Changed, 10)
	return append(append(object, ','), tail.compact()[1:]...), nil
}

// Sentence says the same in one line for people: "retried 1,371 of 1,375 failed
// in billing in 312ms; 4 skipped (job data missing)".
func (c Change) Sentence() string {
	var b strings.Builder
	jobs := Count(c.Changed) + " of " + Count(c.Matched) + " "
	if c.State != "" {
		jobs += string(c.State) + " "
	}
	jobs += "in " + Text(c.Queue)
	if c.DryRun {
		b.WriteString("dry run: " + jobs + " would be " + c.Done)
	} else {
		b.WriteString(c.Done + " " + jobs + " in " + Duration(c.Took))
	}
	for _, skip := range c.Skipped {
		b.WriteString("; " + Count(skip.Count) + " skipped (" + Text(skip.Reason) + ")")
	}
	if c.Failed > 0 {
		b.WriteString("; " + Count(c.Failed) + " not done")
	}
	return b.String()
}

// WriteChange writes a change: the sentence, or one JSON object. A table has
// nothing to show.
func WriteChange(w io.Writer, c Change, f Format, o Options) error {
	switch f {
	case FormatJSON:
		return WriteJSON(w, c, o)
	case FormatNDJSON:
		return WriteNDJSON(w, []Change{c}, o)
	}
	_, err := io.WriteString(w, c.Sentence()+"\n")
	return err
}
