package queue

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzDecodeField holds the decoder of foreign job hashes to its promise: it
// never panics, and whatever it cannot read it names.
func FuzzDecodeField(f *testing.F) {
	for _, text := range []string{
		"", "0", "-1", "1.5", "1e308", "NaN", "Infinity", "9007199254740993", "0x10", "yesterday", "[]", "{}", "null",
		`["a","b"]`, `[1]`, `{"a":`, "\xff\x00", `"\ud800"`,
	} {
		for i := range readableFields {
			f.Add(uint8(i), text)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		name := readableFields[int(which)%len(readableFields)]
		var job Job
		decodeField(&job, name, text)
		noteBrokenJSON(&job)
		for _, at := range []time.Time{job.Timestamp, job.ProcessedOn, job.FinishedOn} {
			if !at.IsZero() && (at.UnixMilli() > 1<<53 || at.UnixMilli() < -(1<<53)) {
				t.Errorf("%s %q became the time %v", name, text, at)
			}
		}
		if job.Delay < 0 || job.Delay > MaxDelay {
			t.Errorf("%s %q became the delay %v", name, text, job.Delay)
		}
		for _, raw := range []json.RawMessage{job.Data, job.ReturnValue, job.Progress, job.Parent} {
			if len(raw) == 0 {
				continue
			}
			if string(raw) != text {
				t.Errorf("%s %q became %q", name, text, raw)
			}
			if json.Valid(raw) == (len(job.Corrupt) > 0) {
				t.Errorf("%s %q: corrupt is %q", name, text, job.Corrupt)
			}
		}
	})
}

// FuzzDecodeOptions demands of whatever is read as options that it lies within
// the limits, and that writing and reading it again changes nothing.
func FuzzDecodeOptions(f *testing.F) {
	for _, text := range []string{
		"", "null", "{}", "[]", `{"attempts":1e18,"backoff":1e18,"removeOnComplete":-1}`, `{"delay":-5,"priority":1.5}`,
		`{"attempts":"3"}`, `{"backoff":{"type":"exponential","delay":1000,"jitter":2}}`, `{"removeOnFail":{"age":1e300}}`,
		`{"timestamp":9e15,"jobId":"x","lifo":true,"kl":5}`, `{"repeat":{"every":5},"de":{"id":"x"},"":0}`,
		`{"removeOnComplete":true,"removeOnFail":{"count":5,"age":3600,"limit":7}}`, `{"stackTraceLimit":0,"sizeLimit":9}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := DecodeOptions([]byte(text))
		if err != nil {
			return
		}
		if err := limitsHold(&first); err != "" {
			t.Fatalf("%q: %s", text, err)
		}
		written, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%q cannot be written: %v", text, err)
		}
		second, err := DecodeOptions(written)
		if err != nil {
			t.Fatalf("%q was written as %q, which cannot be read: %v", text, written, err)
		}
		again, err := json.Marshal(second)
		if err != nil || string(again) != string(written) {
			t.Fatalf("%q was written as %q and then as %q, %v", text, written, again, err)
		}
	})
}

// limitsHold says which limit the options break.
func limitsHold(o *JobOptions) string {
	switch {
	case o.Priority < 0 || o.Priority > MaxPriority:
		return "priority"
	case o.Delay < 0 || o.Delay > MaxDelay:
		return "delay"
	case o.Attempts < 0 || o.Attempts > MaxAttempts:
		return "attempts"
	case o.Backoff != nil && (o.Backoff.Delay < 0 || o.Backoff.Delay > MaxDelay || o.Backoff.Jitter < 0 || o.Backoff.Jitter > 1):
		return "backoff"
	case o.KeepLogs < 0 || o.SizeLimit < 0:
		return "keepLogs or sizeLimit"
	}
	return ""
}

// FuzzParseStreamID: an id that is read is written as Redis writes it.
func FuzzParseStreamID(f *testing.F) {
	for _, text := range []string{"0", "1-0", "1795312800000-12", "-", "1-", "18446744073709551615-18446744073709551615", "01-00", "+1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := parseStreamID(text)
		if err != nil {
			return
		}
		again, err := parseStreamID(id.String())
		if err != nil || again != id {
			t.Errorf("%q became %v, then %v, %v", text, id, again, err)
		}
	})
}
