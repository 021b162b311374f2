package queue

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// validate refuses what BullMQ refuses, and what it takes although nothing
// useful can come of it.
func (s *SchedulerSpec) validate(now time.Time) error {
	refuse := func(option, format string, args ...any) error {
		return &ScheduleError{Option: option, Reason: fmt.Sprintf(format, args...)}
	}
	if err := validateSchedulerID(s.ID); err != nil {
		return err
	}
	switch {
	case s.Every != 0 && s.Pattern != "":
		return refuse("every", "does not go with pattern")
	case s.Every == 0 && s.Pattern == "":
		return refuse("every", "either every or pattern is needed")
	case s.Every < 0 || s.Every%time.Millisecond != 0 || s.Every > MaxDelay:
		return refuse("every", "%v is not a whole number of milliseconds up to 10 years", s.Every)
	case s.Offset != 0 && s.Pattern != "":
		return refuse("offset", "does not go with pattern")
	case s.Offset < 0 || s.Offset%time.Millisecond != 0 || s.Offset > 0 && s.Offset >= s.Every:
		return refuse("offset", "%v is not a whole number of milliseconds below every", s.Offset)
	case s.Limit < 0:
		return refuse("limit", "%d is negative", s.Limit)
	case s.Immediately && !s.Start.IsZero():
		return refuse("immediately", "does not go with startDate")
	case !s.End.IsZero() && !s.End.After(now):
		return refuse("endDate", "%s has passed", s.End.UTC().Format(time.RFC3339))
	case !s.End.IsZero() && !s.Start.Before(s.End):
		return refuse("endDate", "%s is not after startDate", s.End.UTC().Format(time.RFC3339))
	}
	job := NewJob{Name: s.Name, Data: s.Data, Opts: s.Opts}
	return job.validate()
}

// iterationEnd matches what follows a scheduler's id in the ids of its jobs.
var iterationEnd = regexp.MustCompile(`:\d{13}$`)

// validateSchedulerID refuses ids whose keys another scheduler's jobs could
// have, and those that BullMQ takes for repeatables of old: it would fail to
// list all others, too.
func validateSchedulerID(id string) error {
	refuse := func(why string) error {
		return fmt.Errorf("%w: scheduler id %q %s", ErrInvalidName, id, why)
	}
	switch {
	case id == "":
		return fmt.Errorf("%w: a scheduler needs an id", ErrInvalidName)
	case len(id) > MaxIDBytes:
		return fmt.Errorf("%w: scheduler id of %d bytes is longer than %d", ErrInvalidName, len(id), MaxIDBytes)
	case !utf8.ValidString(id):
		return refuse("is not valid UTF-8")
	case strings.ContainsFunc(id, unicode.IsControl):
		return refuse("contains a control character")
	case iterationEnd.MatchString(id):
		return refuse("ends like the id of a scheduler's job")
	}
	if _, legacy := parseLegacyKey(id); legacy {
		return refuse("looks like a repeatable of an old BullMQ")
	}
	return nil
}

// name is that of the jobs.
func (s *SchedulerSpec) name() string {
	if s.Name == "" {
		return s.ID
	}
	return s.Name
}

// template returns what the first iteration is made from, and the template as
// the record keeps it, nil if it is empty.
func (s *SchedulerSpec) template(now, count int64) (*template, json.RawMessage, error) {
	opts, err := templateOptions(s.Opts)
	if err != nil {
		return nil, nil, err
	}
	var kept json.RawMessage
	if len(opts) > 0 {
		if kept, err = json.Marshal(opts); err != nil {
			return nil, nil, err
		}
	}
	repeat := map[string]json.RawMessage{}
	for _, field := range s.timing() {
		repeat[field.name] = field.json()
	}
	if s.Offset > 0 {
		repeat["offset"] = jsonInt(s.Offset.Milliseconds())
	}
	t := &template{
		id: s.ID, head: iterationHead(s.ID), name: s.name(), data: s.data(),
		opts: opts, repeat: repeat, pattern: s.Pattern != "",
	}
	return t, kept, t.turn(count, now)
}

func (s *SchedulerSpec) data() string {
	if text := string(s.Data); text != "" && text != "null" {
		return text
	}
	return "{}"
}

// record returns the fields of the scheduler's record, each followed by its
// value, without those that the scripts decide on.
func (s *SchedulerSpec) record(opts json.RawMessage) []any {
	fields := []any{fieldName, s.name()}
	for _, field := range s.timing() {
		fields = append(fields, field.name, field.text)
	}
	if data := s.data(); data != "{}" {
		fields = append(fields, fieldData, data)
	}
	if opts != nil {
		fields = append(fields, fieldOpts, string(opts))
	}
	return fields
}

// timingField is one of the options that say when, under the name that record
// and options share.
type timingField struct {
	name, text string
	isText     bool
}

func (f timingField) json() json.RawMessage {
	if f.isText {
		text, _ := json.Marshal(f.text) // a text always marshals
		return text
	}
	return json.RawMessage(f.text)
}

func (s *SchedulerSpec) timing() []timingField {
	var fields []timingField
	number := func(name string, n int64, given bool) {
		if given {
			fields = append(fields, timingField{name: name, text: strconv.FormatInt(n, 10)})
		}
	}
	text := func(name, text string) {
		if text != "" {
			fields = append(fields, timingField{name: name, text: text, isText: true})
		}
	}
	number("every", s.Every.Milliseconds(), s.Every > 0)
	text("pattern", s.Pattern)
	text("tz", s.TZ)
	number("limit", s.Limit, s.Limit > 0)
	number("startDate", s.Start.UnixMilli(), !s.Start.IsZero())
	number("endDate", s.End.UnixMilli(), !s.End.IsZero())
	return fields
}

func jsonInt(n int64) json.RawMessage { return json.RawMessage(strconv.FormatInt(n, 10)) }
