package config

import (
	"encoding/json"
	"fmt"
	"time"
)

// SetWorkforce0 names the built-in set of schedules for the Workforce0 system.
const SetWorkforce0 = "workforce0"

// BuiltinSets lists the built-in sets of schedules.
func BuiltinSets() []string { return []string{SetWorkforce0} }

// Workforce0 is what the built-in set depends on and only its users know.
type Workforce0 struct {
	Degraded []string // providers that are to be probed until they are well
	Channels []Channel
}

// Channel is a push channel that another service lets expire.
type Channel struct {
	ID        string
	ExpiresAt time.Time
}

// What the set asks for.
const (
	renewBefore   = 24 * time.Hour
	probeInterval = time.Minute
)

// BuiltinSet returns the schedules of a built-in set. zone is the IANA name of
// the zone whose clock the people go by. It refuses sets it does not know, and
// one whose queues were taken out of the configuration.
func (c *Config) BuiltinSet(name, zone string) ([]Schedule, error) {
	if name != SetWorkforce0 {
		near := Suggest(name, BuiltinSets())
		return nil, &ValueError{What: "set of schedules", Value: name, Want: "want " + alternatives(BuiltinSets()) + suggested(near), Near: near}
	}
	set := []Schedule{
		{
			Queue: "digest", ID: "daily-digest", Name: "daily-digest", Data: payloadOf("period", "day"),
			Pattern: fmt.Sprintf("0 %d * * *", c.DigestHour), TZ: zone,
		},
		{
			Queue: "digest", ID: "weekly-digest", Name: "weekly-digest", Data: payloadOf("period", "week"),
			Pattern: "0 9 * * 1", TZ: zone,
		},
		{
			Queue: "memory", ID: "graph-staleness", Name: "graph-staleness", Data: payloadOf("check", "graph-staleness"),
			Pattern: "0 * * * *", TZ: zone,
		},
	}
	for _, channel := range c.Workforce0.Channels {
		set = append(set, Schedule{
			Queue: "webhook-outbound", ID: "push-renewal:" + channel.ID, Name: "push-renewal", Before: renewBefore,
			Data: payloadOf("channelId", channel.ID, ExpiresAtKey, channel.ExpiresAt.UTC().Format(time.RFC3339Nano)),
		})
	}
	for _, provider := range c.Workforce0.Degraded {
		set = append(set, Schedule{
			Queue: "webhook-outbound", ID: "provider-health:" + provider, Name: "provider-health", Every: probeInterval,
			Data: payloadOf("provider", provider),
		})
	}
	for i := range set {
		if c.index(set[i].Queue) < 0 {
			return nil, &ValueError{What: "queue", Value: set[i].Queue, Want: "is not configured, and the set " + name + " has schedules for it"}
		}
	}
	return set, nil
}

// payloadOf makes the payload of a role's queue from names and texts.
func payloadOf(pairs ...string) json.RawMessage {
	text := `{"attempt":1`
	for i := 0; i < len(pairs); i += 2 {
		text += "," + jsonText(pairs[i]) + ":" + jsonText(pairs[i+1])
	}
	return json.RawMessage(text + "}")
}

func workforce0Shape() shape {
	return object("What the built-in set of schedules depends on; it is off until: qctl schedule apply --set workforce0.",
		key{"degraded", listOf("Providers that are probed every minute until they are taken off this list.", text("").checked(partOfScheduleID), 0)},
		key{"channels", listOf("Push channels that are renewed a day before they expire.", object("One channel.",
			key{"id", text("Identity of the channel.").checked(partOfScheduleID)},
			key{"expiresAt", shape{kind: timeKind, doc: "When it expires, as far as is known here; a renewal may know better."}},
		).requires("id", "expiresAt"), 0)},
	)
}

// partOfScheduleID refuses names that could not follow provider-health: in the id
// of a schedule.
func partOfScheduleID(value string) error {
	if err := ValidateScheduleID("provider-health:" + value); err != nil {
		return &ValueError{What: "name", Value: value, Want: "cannot be part of a schedule's id: neither a plain number, nor more than two colons, control characters or blanks at its ends"}
	}
	return nil
}

// workforce0 applies the facts of the built-in set.
func (l *fileLayer) workforce0(n *node) {
	if n == nil {
		return
	}
	to, path := &l.config.Workforce0, "workforce0"
	l.texts(n, "degraded", path, &to.Degraded)
	l.put(n, "channels", path, func(v *node) {
		for i, item := range v.items {
			var channel Channel
			at := fmt.Sprintf("%s.channels[%d]", path, i)
			l.text(item, "id", at, &channel.ID)
			l.put(item, "expiresAt", at, func(v *node) { channel.ExpiresAt, _ = time.Parse(time.RFC3339, v.text) }) // verified before
			to.Channels = append(to.Channels, channel)
		}
	})
	l.distinctNames(n.get("degraded"), join(path, "degraded"), func(item *node) string { return item.text })
	l.distinctNames(n.get("channels"), join(path, "channels"), func(item *node) string {
		if id := item.get("id"); id != nil {
			return id.text
		}
		return ""
	})
}

// distinctNames refuses what a list has twice.
func (l *fileLayer) distinctNames(n *node, path string, name func(*node) string) {
	if n == nil {
		return
	}
	seen := map[string]bool{}
	for i, item := range n.items {
		this := name(item)
		if this != "" && seen[this] {
			l.problems.add(item.at, fmt.Sprintf("%s[%d]", path, i), quote(this)+" is there already")
		}
		seen[this] = true
	}
}
