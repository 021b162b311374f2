package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MinEvery is the shortest interval of a schedule that nobody asks twice for.
const MinEvery = time.Second

// Schedule is a declared job schedule. Exactly one of Pattern, Every and Before
// is set.
type Schedule struct {
	Queue string // as QUEUE arguments are
	ID    string

	Pattern string        // a cron expression, in the zone TZ
	Every   time.Duration // an interval, moved by Offset from its multiples
	Before  time.Duration // one job, this long before the time in ExpiresAtKey of its payload
	TZ      string        // empty: UTC
	Offset  time.Duration

	Limit              int       // jobs in all; 0: no limit
	StartDate, EndDate time.Time // no jobs before, none after
	Immediately        bool      // the first job of a pattern at once

	Name string          // of the jobs; empty: as the queue's jobs are called
	Data json.RawMessage // of the jobs; nil: {}

	// What follows is the queue's where it is not set.
	Priority string // of the jobs, on the queue's scale, as people type it
	Attempts int
	Backoff  *Backoff
	Keep     *Keep
	Opts     json.RawMessage // other options of the jobs, as BullMQ spells them; nil: none

	Paused *bool // nil: as whoever paused or resumed it last wanted
}

// ExpiresAtKey is the member of a payload that names when something ends, for
// schedules that run before it: an RFC 3339 time or milliseconds since the epoch.
const ExpiresAtKey = "expiresAt"

// ExpiresAt returns the time that a payload names in [ExpiresAtKey].
func ExpiresAt(data []byte) (time.Time, error) {
	refuse := func(value string) (time.Time, error) {
		return time.Time{}, &ValueError{
			What: ExpiresAtKey, Value: value,
			Want: "want a time such as 2026-12-31T09:00:00Z, or milliseconds since the epoch",
		}
	}
	var payload map[string]json.RawMessage
	if err := json.Unmarshal(data, &payload); err != nil || payload[ExpiresAtKey] == nil {
		return time.Time{}, &ValueError{What: "payload", Value: string(data), Want: "want the key " + ExpiresAtKey}
	}
	value := string(payload[ExpiresAtKey])
	var text string
	if json.Unmarshal(payload[ExpiresAtKey], &text) == nil {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || !inRange(at) {
			return refuse(text)
		}
		return at.Truncate(time.Millisecond), nil
	}
	at, ok := parseTime(value, time.Time{}, time.UTC)
	if !isDigits(value) || !ok {
		return refuse(value)
	}
	return at.UTC(), nil
}

// maxScheduleID keeps the ids of a schedule's jobs, `repeat:<id>:<ms>`, within
// what BullMQ takes.
const maxScheduleID = 1000

// ValidateScheduleID refuses ids that BullMQ's workers, or people, would take for
// something else.
func ValidateScheduleID(id string) error {
	refuse := func(want string) error { return &ValueError{What: "schedule id", Value: id, Want: want} }
	switch last := id[strings.LastIndexByte(id, ':')+1:]; {
	case id == "":
		return refuse("is empty")
	case len(id) > maxScheduleID:
		return refuse(fmt.Sprintf("longer than %d bytes", maxScheduleID))
	case !utf8.ValidString(id):
		return refuse("not valid UTF-8")
	case strings.ContainsFunc(id, unicode.IsControl):
		return refuse("holds a control character")
	case strings.TrimSpace(id) != id:
		return refuse("begins or ends with white space")
	case strings.Count(id, ":") >= 4:
		return refuse("holds four colons or more, which makes it look like a repeatable job of an old BullMQ")
	case len(last) < len(id) && (last == "" || isDigits(last)):
		return refuse("ends with a colon and a number, as the ids of its jobs do")
	}
	return nil
}

func scheduleShape() shape {
	return object("One job schedule: jobs of one kind, again and again.",
		key{"queue", text("QUEUE that gets the jobs.")},
		key{"id", text("Identity of the schedule in its queue.").checked(ValidateScheduleID)},
		key{"pattern", text("Cron expression of 5 fields, or of 6 beginning with the second.").checked(patternOfTimes)},
		key{"every", duration("Interval.", MinEvery)},
		key{"before", duration("One job, this long before the time that data.expiresAt names; again when the job returns a later expiresAt.", time.Second)},
		key{"tz", text("Time zone of the pattern, such as Europe/Berlin; UTC if left out.").checked(zoneRule)},
		key{"offset", duration("Moves the times of every from the multiples of the interval.", time.Millisecond)},
		key{"limit", integer("Jobs in all.", 1, 1<<31-1)},
		key{"startDate", shape{kind: timeKind, doc: "No jobs before this time."}},
		key{"endDate", shape{kind: timeKind, doc: "No jobs after this time."}},
		key{"immediately", boolean("The first job of a pattern runs at once.")},
		key{"name", text("Name of the jobs.")},
		key{"data", anything("Payload of the jobs.")},
		key{"priority", shape{kind: scaleKind, doc: "A number of the queue's scale, or urgent, normal, background.", most: MaxWirePriority, words: priorityWords}},
		key{"attempts", integer("Runs before a job fails for good.", 1, 1<<31-1)},
		key{"backoff", backoffShape()},
		key{"keep", keepShape()},
		key{"opts", optsShape()},
		key{"paused", boolean("Whether it rests; left out, whoever paused or resumed it last decides.")},
	).requires("queue", "id").oneOf("pattern", "every", "before").needing("tz", "pattern").needing("offset", "every").needing("before", "data")
}

// optsShape are the options that have no key of their own and are the jobs' and
// not the schedule's.
func optsShape() shape {
	return object("Other options of the jobs, as BullMQ spells them.",
		key{"lifo", boolean("Run before jobs that wait already.")},
		key{"keepLogs", integer("Log lines that are kept.", 0, 1<<31-1)},
		key{"stackTraceLimit", integer("Stack traces that are kept.", 0, 1<<31-1)},
		key{"sizeLimit", integer("Most bytes of the payload.", 0, 1<<31-1)},
	)
}
