package queue

import (
	"encoding/json"
	"fmt"
)

// template is what an iteration is made from, but for its time.
type template struct {
	id   string // of the scheduler
	head string // what the ids of its iterations begin with
	name string
	data string

	opts    map[string]json.RawMessage
	repeat  map[string]json.RawMessage // goes into opts when the iteration is numbered
	pattern bool
}

// iterationHead is what the ids of a scheduler's jobs begin with; their time
// in milliseconds follows.
func iterationHead(id string) string { return keyRepeat + ":" + id + ":" }

// templateOptions are stored options without those that a scheduler gives each
// of its jobs.
func templateOptions(o JobOptions) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	var opts map[string]json.RawMessage
	if err := json.Unmarshal(text, &opts); err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	if o.Attempts == 0 {
		delete(opts, "attempts")
	}
	withoutTimes(opts)
	return opts, nil
}

// withoutTimes removes from options what belongs to one job of a scheduler.
func withoutTimes(opts map[string]json.RawMessage) {
	for _, name := range []string{"delay", "jobId", "prevMillis", "repeat", "repeatJobKey", "timestamp"} {
		delete(opts, name)
	}
}

// turn numbers the iteration that is made now.
func (t *template) turn(count, now int64) error {
	t.repeat["count"] = jsonInt(count)
	repeat, err := json.Marshal(t.repeat)
	if err != nil {
		return err
	}
	key, err := json.Marshal(t.id)
	if err != nil {
		return err
	}
	t.opts["repeat"], t.opts["repeatJobKey"], t.opts["timestamp"] = repeat, key, jsonInt(now)
	return nil
}

// keepRepeat adds what the options of an earlier iteration say beyond the record.
func (t *template) keepRepeat(opts string) error {
	var earlier struct{ Repeat map[string]json.RawMessage }
	if opts == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(opts), &earlier); err != nil {
		return fmt.Errorf("%w: options of its last job: %w", ErrCorrupt, err)
	}
	for name, value := range earlier.Repeat {
		if _, given := t.repeat[name]; !given {
			t.repeat[name] = value
		}
	}
	return nil
}

// args are the arguments that iteration.lua reads.
func (t *template) args() ([]any, error) {
	delete(t.opts, "delay")
	delete(t.opts, "jobId")
	delete(t.opts, "prevMillis") // a repeatable of old has it with an interval, too
	opts, err := json.Marshal(t.opts)
	if err != nil {
		return nil, err
	}
	quoted, err := json.Marshal(t.head)
	if err != nil {
		return nil, err
	}
	flags := ""
	if t.pattern {
		flags = "pattern"
	}
	var lifo bool
	if json.Unmarshal(t.opts["lifo"], &lifo) == nil && lifo {
		flags += " lifo"
	}
	var dedup struct{ ID string }
	_ = json.Unmarshal(t.opts["de"], &dedup) // without one there is no id
	return []any{t.name, t.data, opts, t.head, quoted[:len(quoted)-1], t.priority(), dedup.ID, flags}, nil
}

func (t *template) priority() int {
	var o JobOptions
	if text, ok := t.opts["priority"]; ok && o.set("priority", text) != nil {
		return 0
	}
	return o.Priority
}
