package config

import (
	"fmt"
	"time"
)

// schedules shows the declared schedules, with the keys that they have.
func (v viewer) schedules() Setting {
	list := Setting{Key: "schedules", Path: "schedules", Origin: v.config.Origin("schedules")}
	for i := range v.config.Schedules {
		path := fmt.Sprintf("schedules[%d]", i)
		list.List = append(list.List, Setting{Path: path, Group: v.schedule(&v.config.Schedules[i], path)})
	}
	return list
}

func (v viewer) schedule(sch *Schedule, path string) []Setting {
	s := []Setting{v.value(path, "queue", sch.Queue), v.value(path, "id", sch.ID)}
	s = v.some(s, path, "pattern", sch.Pattern)
	s = v.some(s, path, "every", sch.Every)
	s = v.some(s, path, "before", sch.Before)
	s = v.some(s, path, "tz", sch.TZ)
	s = v.some(s, path, "offset", sch.Offset)
	s = v.some(s, path, "limit", sch.Limit)
	s = v.some(s, path, "startDate", sch.StartDate)
	s = v.some(s, path, "endDate", sch.EndDate)
	s = v.some(s, path, "immediately", sch.Immediately)
	s = v.some(s, path, "name", sch.Name)
	s = v.some(s, path, "data", sch.Data)
	s = v.some(s, path, "priority", sch.Priority)
	s = v.some(s, path, "attempts", sch.Attempts)
	if sch.Backoff != nil {
		s = append(s, v.backoff(path, *sch.Backoff))
	}
	if sch.Keep != nil {
		s = append(s, v.keep(path, *sch.Keep))
	}
	s = v.some(s, path, "opts", sch.Opts)
	if sch.Paused != nil {
		s = append(s, v.value(path, "paused", *sch.Paused))
	}
	return s
}

// workforce0 shows the facts of the built-in set.
func (v viewer) workforce0() []Setting {
	facts, path := v.config.Workforce0, "workforce0"
	s := v.some(nil, path, "degraded", facts.Degraded)
	if len(facts.Channels) == 0 {
		return s
	}
	channels := Setting{Key: "channels", Path: join(path, "channels"), Origin: v.config.Origin(join(path, "channels"))}
	for i, channel := range facts.Channels {
		at := fmt.Sprintf("%s.channels[%d]", path, i)
		channels.List = append(channels.List, Setting{Path: at, Group: []Setting{
			v.value(at, "id", channel.ID), v.value(at, "expiresAt", channel.ExpiresAt.Format(time.RFC3339Nano)),
		}})
	}
	return append(s, channels)
}
