package scheduler

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// differences lists the properties in which a live schedule is not what is
// wanted. Left out is what a schedule is only begun with (immediately), and an
// offset that nobody asked for: the first job of an interval gives it one.
func differences(want *queue.SchedulerSpec, have *queue.Scheduler) []Field {
	var fields []Field
	note := func(name string, differ bool, before, after any) {
		if differ {
			fields = append(fields, Field{name, jsonText(before), jsonText(after)})
		}
	}
	name := want.Name
	if name == "" {
		name = want.ID
	}
	note("name", have.Name != name, have.Name, name)
	note("every", have.Every != want.Every, millis(have.Every), millis(want.Every))
	note("pattern", have.Pattern != want.Pattern, text(have.Pattern), text(want.Pattern))
	note("tz", have.TZ != want.TZ, text(have.TZ), text(want.TZ))
	note("offset", want.Offset != 0 && have.Offset != want.Offset, millis(have.Offset), millis(want.Offset))
	note("limit", have.Limit != want.Limit, number(have.Limit), number(want.Limit))
	note("startDate", !sameTime(have.Start, want.Start), date(have.Start), date(want.Start))
	note("endDate", !sameTime(have.End, want.End), date(have.End), date(want.End))
	note("data", !sameJSON(have.Data, want.Data), object(have.Data), object(want.Data))
	before, after := templateOptions(have.Opts), template(want.Opts)
	note("opts", !sameOptions(before, after), before, after)
	return fields
}

// template leaves out of a job's options what the schedule gives to each job.
func template(o queue.JobOptions) queue.JobOptions {
	o.ID, o.Delay, o.Timestamp = "", 0, time.Time{}
	o.Attempts = max(o.Attempts, 1) // 0 and 1 are the same
	return o
}

// templateOptions reads the stored template. One that cannot be read is as good
// as none.
func templateOptions(stored json.RawMessage) queue.JobOptions {
	o, err := queue.DecodeOptions(stored)
	if err != nil {
		o = queue.JobOptions{}
	}
	delete(o.Other, "repeat") // BullMQ 5 leaves it there
	if len(o.Other) == 0 {
		o.Other = nil
	}
	return template(o)
}

func sameOptions(a, b queue.JobOptions) bool {
	// Rules that keep everything are no rules.
	for _, keep := range []**queue.Keep{&a.KeepCompleted, &a.KeepFailed, &b.KeepCompleted, &b.KeepFailed} {
		if *keep != nil && (*keep).Count == nil && (*keep).Age == nil {
			*keep = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// sameTime compares as Redis keeps times, in milliseconds.
func sameTime(a, b time.Time) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() == b.IsZero()
	}
	return a.UnixMilli() == b.UnixMilli()
}

// sameJSON compares payloads by what they mean: the order of keys, white space
// and escapes do not matter, digits do. No payload is an empty object.
func sameJSON(a, b json.RawMessage) bool {
	read := func(text json.RawMessage) any {
		decoder := json.NewDecoder(bytes.NewReader(object(text)))
		decoder.UseNumber() // integers above 2^53
		var value any
		if decoder.Decode(&value) != nil {
			return string(text)
		}
		return value
	}
	return bytes.Equal(a, b) || reflect.DeepEqual(read(a), read(b))
}

// object is a payload as jobs get it.
func object(data json.RawMessage) json.RawMessage {
	if len(bytes.TrimSpace(data)) == 0 {
		return json.RawMessage("{}")
	}
	return data
}

// The values of a Field: nil where there is none.

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func number(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func millis(d time.Duration) any { return number(d.Milliseconds()) }

func date(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// jsonText writes a value as JSON; what Redis holds may be none.
func jsonText(value any) string {
	if raw, ok := value.(json.RawMessage); ok && !json.Valid(raw) {
		value = string(raw)
	}
	out, err := json.Marshal(value)
	if err != nil {
		return "null"
	}
	return string(out)
}
