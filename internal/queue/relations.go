package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// failureFlags is what a child's failure means for its parent, as it is stored
// in the child's options and in its parent field.
type failureFlags struct {
	FailParent       bool `json:"fpof,omitempty"`
	ContinueParent   bool `json:"cpof,omitempty"`
	IgnoreDependency bool `json:"idof,omitempty"`
	RemoveDependency bool `json:"rdof,omitempty"`
}

func (o *JobOptions) failureFlags() failureFlags {
	return failureFlags{o.FailParent, o.ContinueParent, o.IgnoreDependency, o.RemoveDependency}
}

// failureFlag returns the flag of a wire or API name, nil if it is none.
func (o *JobOptions) failureFlag(name string) *bool {
	switch name {
	case "fpof", "failParentOnFailure":
		return &o.FailParent
	case "cpof", "continueParentOnFailure":
		return &o.ContinueParent
	case "idof", "ignoreDependencyOnFailure":
		return &o.IgnoreDependency
	case "rdof", "removeDependencyOnFailure":
		return &o.RemoveDependency
	}
	return nil
}

// names returns the API names of the flags that are set.
func (f failureFlags) names() []string {
	var names []string
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"failParentOnFailure", f.FailParent},
		{"continueParentOnFailure", f.ContinueParent},
		{"ignoreDependencyOnFailure", f.IgnoreDependency},
		{"removeDependencyOnFailure", f.RemoveDependency},
	} {
		if flag.set {
			names = append(names, flag.name)
		}
	}
	return names
}

// related reports whether other jobs matter to a job with these options.
func (o *JobOptions) related() bool { return o.Dedup != nil || o.Parent != nil }

// validateRelations refuses what BullMQ refuses, and what it would only
// notice half-way.
func (o *JobOptions) validateRelations() error {
	if names := o.failureFlags().names(); len(names) > 1 {
		return fmt.Errorf("%w: %s cannot be used together", ErrInvalidOption, strings.Join(names, " and "))
	}
	if o.Dedup != nil && o.Parent != nil {
		return fmt.Errorf("%w: a job with a parent cannot be deduplicated", ErrInvalidOption)
	}
	if o.Dedup != nil {
		if err := o.Dedup.validate(); err != nil {
			return err
		}
	}
	if o.Parent != nil {
		return o.Parent.validate()
	}
	return nil
}

func (d *Deduplication) validate() error {
	switch {
	case d.ID == "":
		return fmt.Errorf("%w: deduplication has no id", ErrInvalidOption)
	case len(d.ID) > MaxIDBytes:
		return fmt.Errorf("%w: deduplication id of %d bytes is longer than %d", ErrInvalidOption, len(d.ID), MaxIDBytes)
	case !utf8.ValidString(d.ID):
		return fmt.Errorf("%w: deduplication id %q is not valid UTF-8", ErrInvalidOption, d.ID)
	case d.TTL < 0 || d.TTL > MaxDelay:
		return fmt.Errorf("%w: deduplication ttl %v is not between 0 and 10 years", ErrInvalidOption, d.TTL)
	case d.TTL%time.Millisecond != 0:
		return fmt.Errorf("%w: deduplication ttl %v is not a whole number of milliseconds", ErrInvalidOption, d.TTL)
	}
	return nil
}

func (p *ParentRef) validate() error {
	switch {
	case p.ID == "":
		return fmt.Errorf("%w: parent has no id", ErrInvalidOption)
	case len(p.ID) > MaxIDBytes || !utf8.ValidString(p.ID):
		return fmt.Errorf("%w: parent id %.40q is no job id", ErrInvalidOption, p.ID)
	}
	return validateBase(p.Queue)
}

// validateBase refuses what cannot be a queue.
func validateBase(k KeyBase) error {
	if k.Prefix == "" || k.Name == "" || strings.Contains(k.Name, ":") {
		return fmt.Errorf("%w: queue %q is not prefix:name", ErrInvalidName, k.String())
	}
	return nil
}

// flags returns the letters by which add_related.lua knows the rules.
func (d *Deduplication) flags() string {
	var flags []byte
	for _, f := range []struct {
		letter byte
		set    bool
	}{{'e', d.Extend}, {'r', d.Replace}, {'k', d.KeepLastIfActive}, {'s', d.Reschedule}} {
		if f.set {
			flags = append(flags, f.letter)
		}
	}
	return string(flags)
}

// wireDeduplication is the form in options, as the API has it too.
type wireDeduplication struct {
	ID               string `json:"id"`
	TTL              int64  `json:"ttl,omitempty"`
	Extend           bool   `json:"extend,omitempty"`
	Replace          bool   `json:"replace,omitempty"`
	KeepLastIfActive bool   `json:"keepLastIfActive,omitempty"`
	Reschedule       bool   `json:"reschedule,omitempty"`
}

// MarshalJSON writes BullMQ's form.
func (d Deduplication) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireDeduplication{d.ID, d.TTL.Milliseconds(), d.Extend, d.Replace, d.KeepLastIfActive, d.Reschedule})
}

// UnmarshalJSON reads leniently: an id may be a number, and what makes no sense
// counts as not given. It fails when there is no object or no id.
func (d *Deduplication) UnmarshalJSON(text []byte) error {
	*d = Deduplication{}
	if string(text) == "null" {
		return nil
	}
	var in map[string]json.RawMessage
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	d.ID = textOrNumber(in["id"])
	if d.ID == "" {
		return fmt.Errorf("no id")
	}
	if ttl, err := wireNumber(in["ttl"]); err == nil {
		d.TTL = millis(ttl)
	}
	for name, flag := range map[string]*bool{
		"extend": &d.Extend, "replace": &d.Replace, "keepLastIfActive": &d.KeepLastIfActive, "reschedule": &d.Reschedule,
	} {
		*flag = string(bytes.TrimSpace(in[name])) == "true"
	}
	return nil
}

// textOrNumber returns a JSON text, or a number as it is written.
func textOrNumber(value json.RawMessage) string {
	var text string
	if err := json.Unmarshal(value, &text); err == nil {
		return text
	}
	var number json.Number
	if err := json.Unmarshal(value, &number); err == nil {
		return number.String()
	}
	return ""
}

// wireParent is the form in options; in a job's parent field the queue has
// another name.
type wireParent struct {
	ID    string `json:"id"`
	Queue string `json:"queue"`
}

// MarshalJSON writes BullMQ's form.
func (p ParentRef) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireParent{p.ID, p.Queue.String()})
}

// UnmarshalJSON reads BullMQ's form.
func (p *ParentRef) UnmarshalJSON(text []byte) error {
	*p = ParentRef{}
	if string(text) == "null" {
		return nil
	}
	var in struct {
		ID    json.RawMessage `json:"id"`
		Queue string          `json:"queue"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	base, err := ParseKeyBase(in.Queue)
	if err != nil {
		return err
	}
	*p = ParentRef{Queue: base, ID: textOrNumber(in.ID)}
	if p.ID == "" {
		return fmt.Errorf("no id")
	}
	return nil
}

// parentField returns the text of the parent field of a child with these options.
func (o *JobOptions) parentField(p *ParentRef) (string, error) {
	text, err := json.Marshal(struct {
		ID       string `json:"id"`
		QueueKey string `json:"queueKey"`
		failureFlags
	}{p.ID, p.Queue.String(), o.failureFlags()})
	return string(text), err
}

// checkDeduplication refuses what [Deduplication.UnmarshalJSON] would read in
// its own way.
func checkDeduplication(value json.RawMessage) error {
	refuse := func(format string, a ...any) error {
		return fmt.Errorf("%w: opts.deduplication"+format, append([]any{ErrInvalidOption}, a...)...)
	}
	var in map[string]json.RawMessage
	if err := json.Unmarshal(value, &in); err != nil || in == nil {
		return refuse(" %.40s is not an object", value)
	}
	for name, v := range in {
		switch name {
		case "id":
			if textOrNumber(v) == "" {
				return refuse(".id %.40s is neither a text nor a number", v)
			}
		case "ttl":
			var ms float64
			err := json.Unmarshal(v, &ms)
			if err != nil || ms != float64(int64(ms)) || ms < 0 || ms > float64(MaxDelay.Milliseconds()) {
				return refuse(".ttl %.40s is not a whole number of milliseconds between 0 and 10 years", v)
			}
		case "extend", "replace", "keepLastIfActive", "reschedule":
			if text := string(v); text != "true" && text != "false" {
				return refuse(".%s %.40s is neither true nor false", name, v)
			}
		default:
			return refuse(".%.40s is not one of extend, id, keepLastIfActive, replace, reschedule, ttl", name)
		}
	}
	if in["id"] == nil {
		return refuse(" has no id")
	}
	return nil
}

// checkParent refuses a parent that cannot be read.
func checkParent(value json.RawMessage) error {
	var p ParentRef
	if err := p.UnmarshalJSON(value); err != nil {
		return fmt.Errorf("%w: opts.parent %.60s is not {\"id\": …, \"queue\": \"prefix:name\"}: %w", ErrInvalidOption, value, err)
	}
	if p.IsZero() {
		return fmt.Errorf("%w: opts.parent is null", ErrInvalidOption)
	}
	return nil
}
