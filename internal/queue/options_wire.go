package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// wireOptions is the stored form: short names and milliseconds (wire 2.2).
type wireOptions struct {
	Attempts        int            `json:"attempts"`
	Backoff         *Backoff       `json:"backoff,omitempty"`
	Delay           int64          `json:"delay,omitempty"`
	Priority        int            `json:"priority,omitempty"`
	LIFO            bool           `json:"lifo,omitempty"`
	JobID           string         `json:"jobId,omitempty"`
	Timestamp       int64          `json:"timestamp,omitempty"`
	KeepCompleted   *Keep          `json:"removeOnComplete,omitempty"`
	KeepFailed      *Keep          `json:"removeOnFail,omitempty"`
	StackTraceLimit *int           `json:"stackTraceLimit,omitempty"`
	SizeLimit       int            `json:"sizeLimit,omitempty"`
	KeepLogs        int            `json:"kl,omitempty"`
	Dedup           *Deduplication `json:"de,omitempty"`
	Parent          *ParentRef     `json:"parent,omitempty"`
	failureFlags
	Other json.RawMessage `json:"-"`
}

// MarshalJSON writes the options as BullMQ stores them.
func (o JobOptions) MarshalJSON() ([]byte, error) {
	wire := wireOptions{
		Attempts: o.Attempts, Backoff: o.Backoff, Delay: o.Delay.Milliseconds(), Priority: o.Priority,
		LIFO: o.LIFO, JobID: o.ID, KeepCompleted: o.KeepCompleted, KeepFailed: o.KeepFailed,
		StackTraceLimit: o.StackTraceLimit, SizeLimit: o.SizeLimit, KeepLogs: o.KeepLogs,
		Dedup: o.Dedup, Parent: o.Parent, failureFlags: o.failureFlags(),
	}
	if !o.Timestamp.IsZero() {
		wire.Timestamp = o.Timestamp.UnixMilli()
	}
	known, err := json.Marshal(wire)
	if err != nil || len(o.Other) == 0 {
		return known, err
	}
	other, err := json.Marshal(o.Other)
	if err != nil {
		return nil, err
	}
	return append(append(known[:len(known)-1], ','), other[1:]...), nil
}

// DecodeOptions reads stored options leniently, as they come from any BullMQ
// client: numbers out of range are clamped, unknown options kept. It fails
// only when the text is not a JSON object; an empty text is no options.
func DecodeOptions(text []byte) (JobOptions, error) {
	if len(text) == 0 {
		return JobOptions{}, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return JobOptions{}, err
	}
	if all == nil {
		return JobOptions{}, fmt.Errorf("null is not an object")
	}
	var o JobOptions
	for name, value := range all {
		if err := o.set(name, value); err != nil {
			// A nonsensical value counts as not given, as in Node.
			continue
		}
	}
	return o, nil
}

// set stores one option under its wire or its API name.
func (o *JobOptions) set(name string, value json.RawMessage) error {
	number := func(low, high float64) (int, error) {
		n, err := wireNumber(value)
		return int(math.Max(low, math.Min(n, high))), err
	}
	var err error
	switch name {
	case "attempts":
		o.Attempts, err = number(0, MaxAttempts)
	case "priority":
		o.Priority, err = number(0, MaxPriority)
	case "delay":
		var ms float64
		ms, err = wireNumber(value)
		o.Delay = millis(ms)
	case "timestamp":
		var ms float64
		if ms, err = wireNumber(value); err == nil && ms > 0 && ms < 1<<53 {
			o.Timestamp = time.UnixMilli(int64(ms))
		}
	case "backoff":
		var b Backoff
		if err = b.UnmarshalJSON(value); err == nil && string(value) != "null" {
			o.Backoff = &b
		}
	case "lifo":
		err = json.Unmarshal(value, &o.LIFO)
	case "jobId":
		err = json.Unmarshal(value, &o.ID)
	case "removeOnComplete":
		o.KeepCompleted, err = decodeKeep(value)
	case "removeOnFail":
		o.KeepFailed, err = decodeKeep(value)
	case "stackTraceLimit":
		var n int
		if n, err = number(0, math.MaxInt32); err == nil {
			o.StackTraceLimit = &n
		}
	case "sizeLimit":
		o.SizeLimit, err = number(0, math.MaxInt32)
	case "kl", "keepLogs":
		o.KeepLogs, err = number(0, math.MaxInt32)
	case "de", "deduplication":
		var d Deduplication
		if err = d.UnmarshalJSON(value); err == nil && string(value) != "null" {
			o.Dedup = &d
		}
	case "parent":
		var p ParentRef
		if err = p.UnmarshalJSON(value); err == nil && !p.IsZero() {
			o.Parent = &p
		}
	default:
		if flag := o.failureFlag(name); flag != nil {
			return json.Unmarshal(value, flag)
		}
		if o.Other == nil {
			o.Other = map[string]json.RawMessage{}
		}
		o.Other[name] = value
	}
	return err
}

func decodeKeep(value json.RawMessage) (*Keep, error) {
	if string(value) == "null" {
		return nil, nil
	}
	var k Keep
	if err := k.UnmarshalJSON(value); err != nil {
		return nil, err
	}
	return &k, nil
}

// MarshalJSON writes removeOnComplete's forms: false, or an object with the
// age in seconds.
func (k Keep) MarshalJSON() ([]byte, error) {
	if k.Count == nil && k.Age == nil {
		return []byte("false"), nil
	}
	out := struct {
		Age   *float64 `json:"age,omitempty"`
		Count *int64   `json:"count,omitempty"`
		Limit int      `json:"limit,omitempty"`
	}{Count: k.Count, Limit: k.Limit}
	if k.Age != nil {
		seconds := k.Age.Seconds()
		out.Age = &seconds
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads true, false, a count, or an object. Negative counts keep
// all, as in BullMQ.
func (k *Keep) UnmarshalJSON(text []byte) error {
	*k = Keep{}
	switch text = bytes.TrimSpace(text); {
	case string(text) == "true":
		k.Count = new(int64)
		return nil
	case string(text) == "false" || string(text) == "null":
		return nil
	case len(text) > 0 && text[0] != '{':
		count, err := wireNumber(text)
		if err != nil {
			return err
		}
		if count >= 0 {
			n := int64(count)
			k.Count = &n
		}
		return nil
	}
	var in struct {
		Age, Count *float64
		Limit      float64
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	if in.Count != nil && *in.Count >= 0 {
		n := int64(math.Min(*in.Count, 1<<53))
		k.Count = &n
	}
	if in.Age != nil && *in.Age >= 0 {
		age := millis(*in.Age * 1000)
		k.Age = &age
	}
	k.Limit = int(math.Max(0, math.Min(in.Limit, 1000)))
	return nil
}

// rule is the form that scripts read: count:age:limit, or nothing at all for keep
// all.
func (k *Keep) rule() string {
	if k == nil || (k.Count == nil && k.Age == nil) {
		return ""
	}
	part := func(set bool, v int64) string {
		if !set {
			return "-"
		}
		return strconv.FormatInt(v, 10)
	}
	var count, age int64
	if k.Count != nil {
		count = *k.Count
	}
	if k.Age != nil {
		age = int64(k.Age.Seconds())
	}
	return part(k.Count != nil, count) + ":" + part(k.Age != nil, age) + ":" + part(k.Limit > 0, int64(k.Limit))
}

// MarshalJSON writes BullMQ's normal form.
func (b Backoff) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type   string  `json:"type"`
		Delay  int64   `json:"delay"`
		Jitter float64 `json:"jitter,omitempty"`
	}{b.Type, b.Delay.Milliseconds(), b.Jitter})
}

// UnmarshalJSON reads an object, or a bare number of milliseconds, which means
// fixed.
func (b *Backoff) UnmarshalJSON(text []byte) error {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] != '{' {
		delay, err := wireNumber(text)
		*b = Backoff{Type: "fixed", Delay: millis(delay)}
		return err
	}
	var in struct {
		Type          string
		Delay, Jitter float64
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*b = Backoff{Type: in.Type, Delay: millis(in.Delay), Jitter: math.Max(0, math.Min(in.Jitter, 1))}
	return nil
}

// wireNumber reads a JSON number, 0 for null.
func wireNumber(text []byte) (float64, error) {
	if string(text) == "null" {
		return 0, nil
	}
	var n float64
	err := json.Unmarshal(text, &n)
	return n, err
}

// millis clamps a foreign number of milliseconds to what a time can hold.
func millis(ms float64) time.Duration {
	switch {
	case math.IsNaN(ms) || ms <= 0:
		return 0
	case ms > float64(MaxDelay.Milliseconds()):
		return MaxDelay
	}
	return time.Duration(ms * float64(time.Millisecond))
}
