package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// jobOptionNames are the options of a new job, by the names of BullMQ's API.
var jobOptionNames = []string{
	"attempts", "backoff", "continueParentOnFailure", "deduplication", "delay", "failParentOnFailure",
	"ignoreDependencyOnFailure", "jobId", "keepLogs", "lifo", "parent", "priority", "removeDependencyOnFailure",
	"removeOnComplete", "removeOnFail", "sizeLimit", "stackTraceLimit", "timestamp",
}

// ParseOptions reads the options of a job that is about to be added, by the
// names of BullMQ's API. Unlike [DecodeOptions] it is strict: an unknown option
// (unless allowed), one given twice, a value of the wrong type or out of range
// is ErrInvalidOption.
func ParseOptions(text []byte, allowUnknown bool) (JobOptions, error) {
	var o JobOptions
	if len(bytes.TrimSpace(text)) == 0 {
		return o, nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return o, fmt.Errorf("%w: opts is not a JSON object", ErrInvalidOption)
	}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return o, fmt.Errorf("%w: opts: %w", ErrInvalidOption, err)
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return o, fmt.Errorf("%w: opts.%s: %w", ErrInvalidOption, name, err)
		}
		if seen[name] {
			return o, fmt.Errorf("%w: opts.%s is given twice", ErrInvalidOption, name)
		}
		seen[name] = true
		if !slices.Contains(jobOptionNames, name) && !allowUnknown && name != "debounce" {
			return o, fmt.Errorf("%w: opts.%s is not one of %s", ErrInvalidOption, name, strings.Join(jobOptionNames, ", "))
		}
		if err := checkOption(name, value); err != nil {
			return o, err
		}
		if err := o.set(name, value); err != nil {
			return o, fmt.Errorf("%w: opts.%s: %w", ErrInvalidOption, name, err)
		}
	}
	return o, o.validate()
}

// optionRanges are the whole numbers among the options.
var optionRanges = map[string][2]float64{
	"attempts":        {0, MaxAttempts},
	"priority":        {0, MaxPriority},
	"delay":           {0, float64(MaxDelay / 1e6)},
	"timestamp":       {0, 1 << 53},
	"sizeLimit":       {0, math.MaxInt32},
	"keepLogs":        {0, math.MaxInt32},
	"stackTraceLimit": {0, math.MaxInt32},
}

// checkOption refuses what [JobOptions.set] would clamp.
func checkOption(name string, value json.RawMessage) error {
	limits, whole := optionRanges[name]
	switch {
	case whole:
		var n float64
		if err := json.Unmarshal(value, &n); err != nil || string(value) == "null" {
			return fmt.Errorf("%w: opts.%s %.40s is not a number", ErrInvalidOption, name, value)
		}
		if n != math.Trunc(n) || n < limits[0] || n > limits[1] {
			return fmt.Errorf("%w: opts.%s %.40s is not a whole number between %.0f and %.0f", ErrInvalidOption, name, value, limits[0], limits[1])
		}
	case name == "backoff":
		return checkBackoff(value)
	case name == "deduplication":
		return checkDeduplication(value)
	case name == "parent":
		return checkParent(value)
	case name == "debounce":
		return fmt.Errorf("%w: opts.debounce is the old name of deduplication, which BullMQ 6 refuses", ErrInvalidOption)
	}
	return nil
}

func checkBackoff(value json.RawMessage) error {
	var in struct {
		Type          string
		Delay, Jitter float64
	}
	if len(value) > 0 && value[0] != '{' {
		if err := json.Unmarshal(value, &in.Delay); err != nil {
			return fmt.Errorf("%w: opts.backoff %.40s is neither a number nor an object", ErrInvalidOption, value)
		}
	} else if err := json.Unmarshal(value, &in); err != nil {
		return fmt.Errorf("%w: opts.backoff: %w", ErrInvalidOption, err)
	} else if in.Type == "" {
		return fmt.Errorf("%w: opts.backoff has no type", ErrInvalidOption)
	}
	if in.Delay < 0 || in.Delay > float64(MaxDelay.Milliseconds()) {
		return fmt.Errorf("%w: opts.backoff.delay %v is not between 0 and 10 years of milliseconds", ErrInvalidOption, in.Delay)
	}
	if in.Jitter < 0 || in.Jitter > 1 {
		return fmt.Errorf("%w: opts.backoff.jitter %v is not between 0 and 1", ErrInvalidOption, in.Jitter)
	}
	return nil
}
