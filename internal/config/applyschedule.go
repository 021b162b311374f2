package config

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/cron"
)

// schedules applies the declared schedules. What would be refused when one is
// applied, or would never fire, is refused here, where its line is known.
func (l *fileLayer) schedules(n *node) {
	if n == nil {
		return
	}
	l.config.claim("schedules", l.origin(n))
	type identity struct{ base, id string }
	seen := map[identity]int{}
	for i, item := range n.items {
		if item.refused {
			continue
		}
		path := fmt.Sprintf("schedules[%d]", i)
		before := len(l.problems.list)
		s := l.schedule(item, path)
		target, err := l.config.Resolve(s.Queue)
		if err != nil {
			l.problems.add(cmp.Or(item.get("queue"), item).at, join(path, "queue"), err.Error())
			continue
		}
		this := identity{target.String(), s.ID}
		if first, twice := seen[this]; twice && s.ID != "" {
			l.problems.add(item.at, path, fmt.Sprintf("queue %s has a schedule %s already, in line %d", quote(s.Queue), quote(s.ID), first))
			continue
		}
		seen[this] = item.at.line
		l.jobs(&s, target, item, path)
		l.config.claim(path, l.origin(item))
		if len(l.problems.list) == before {
			l.config.Schedules = append(l.config.Schedules, s)
		}
	}
}

// schedule reads when jobs are made.
func (l *fileLayer) schedule(n *node, path string) Schedule {
	var s Schedule
	l.text(n, "queue", path, &s.Queue)
	l.text(n, "id", path, &s.ID)
	l.text(n, "pattern", path, &s.Pattern)
	l.duration(n, "every", path, &s.Every)
	l.duration(n, "before", path, &s.Before)
	l.text(n, "tz", path, &s.TZ)
	l.duration(n, "offset", path, &s.Offset)
	l.integer(n, "limit", path, &s.Limit)
	for key, to := range map[string]*time.Time{"startDate": &s.StartDate, "endDate": &s.EndDate} {
		l.put(n, key, path, func(v *node) { *to, _ = time.Parse(time.RFC3339, v.text) }) // verified before
	}
	l.boolean(n, "immediately", path, &s.Immediately)
	l.put(n, "paused", path, func(v *node) {
		paused := strings.EqualFold(v.text, "true")
		s.Paused = &paused
	})
	for _, c := range s.conflicts() {
		l.problems.add(cmp.Or(n.get(c.key), n).at, join(path, c.key), c.rule)
	}
	return s
}

// conflict is a key that does not go with the others.
type conflict struct{ key, rule string }

// conflicts lists what is wrong with the times of a schedule whose values are
// right one by one.
func (s *Schedule) conflicts() []conflict {
	var found []conflict
	add := func(key, format string, args ...any) {
		found = append(found, conflict{key, fmt.Sprintf(format, args...)})
	}
	if !s.StartDate.IsZero() && !s.EndDate.IsZero() && s.EndDate.Before(s.StartDate) {
		add("endDate", "is before startDate")
	}
	if s.Immediately && !s.StartDate.IsZero() {
		add("immediately", "excludes startDate")
	}
	if s.Offset > 0 && s.Offset >= s.Every {
		add("offset", "want less than every, which is %s", showDuration(s.Every))
	}
	if s.Before > 0 {
		for _, other := range []struct {
			key string
			set bool
		}{
			{"limit", s.Limit > 0},
			{"startDate", !s.StartDate.IsZero()},
			{"endDate", !s.EndDate.IsZero()},
			{"immediately", s.Immediately},
		} {
			if other.set {
				add(other.key, "excludes before, which makes one job at a time of its own")
			}
		}
	}
	if s.Pattern != "" && !s.EndDate.IsZero() && !s.StartDate.IsZero() {
		// A run at the start itself counts, so the search begins just before.
		at, ok, err := cron.NextRun(s.Pattern, s.TZ, s.StartDate.Add(-time.Millisecond))
		if err == nil && (!ok || at.After(s.EndDate)) {
			add("endDate", "the pattern never fires between startDate and endDate")
		}
	}
	return found
}

// jobs reads what the jobs are like, and holds it against the queue's policy.
func (l *fileLayer) jobs(s *Schedule, target Target, n *node, path string) {
	l.text(n, "name", path, &s.Name)
	l.put(n, "data", path, func(v *node) { s.Data = v.json() })
	l.text(n, "priority", path, &s.Priority)
	l.integer(n, "attempts", path, &s.Attempts)
	l.put(n, "backoff", path, func(v *node) {
		s.Backoff = &Backoff{}
		l.backoff(v, join(path, "backoff"), s.Backoff)
	})
	l.put(n, "keep", path, func(v *node) {
		keep := target.Queue.Keep
		s.Keep = &keep
		l.keep(v, join(path, "keep"), s.Keep)
	})
	l.put(n, "opts", path, func(v *node) { s.Opts = v.json() })

	at := func(key string) position { return cmp.Or(n.get(key), n).at }
	if _, _, err := target.Queue.Priority.Wire(s.Priority); err != nil {
		l.problems.add(at("priority"), join(path, "priority"), err.Error())
	}
	if s.Before > 0 && n.get("data") != nil {
		if _, err := ExpiresAt(s.Data); err != nil {
			l.problems.add(at("data"), join(path, "data"), err.Error())
		}
	}
	payload := s.Data
	if payload == nil {
		payload = []byte("{}")
	}
	// A schema file that cannot be used is reported where jobs are added: a command
	// that adds none must not need it.
	if err := Validate(target.Queue.Schema, payload); err != nil {
		if refused, ok := errors.AsType[*SchemaError](err); ok {
			l.problems.add(at("data"), join(path, "data"), refused.Error())
		}
	}
}

// patternOfTimes refuses what is no cron expression, and those that never fire.
func patternOfTimes(value string) error { return onlyError(cron.Parse(value)) }

func zoneRule(value string) error { return onlyError(cron.ParseZone(value)) }

func onlyError[T any](_ T, err error) error { return err }

// CheckSchedules refuses schedules that never fire again, which depends on the
// time and so is no error of the file when it is read: one that has ended is left
// as it is.
func (c *Config) CheckSchedules(now time.Time) error {
	var errs []error
	for i := range c.Schedules {
		s := &c.Schedules[i]
		path := fmt.Sprintf("schedules[%d].endDate", i)
		switch {
		case s.EndDate.IsZero():
		case !s.EndDate.After(now):
			errs = append(errs, c.ErrorAt(path, "has passed: the schedule never fires"))
		case s.Pattern != "" && s.StartDate.Before(now):
			if at, ok, err := cron.NextRun(s.Pattern, s.TZ, now); err == nil && (!ok || at.After(s.EndDate)) {
				errs = append(errs, c.ErrorAt(path, "the pattern never fires before it"))
			}
		}
	}
	return errors.Join(errs...)
}

// ErrorAt words what is wrong with a value of the file that was read.
func (c *Config) ErrorAt(path, rule string) *FileError {
	e := &FileError{File: c.File, Key: path, Rule: rule}
	place := c.Origin(path)
	if parts := strings.Split(place.Detail, ":"); place.Source == File && len(parts) > 2 {
		e.File = strings.Join(parts[:len(parts)-2], ":")
		e.Line, _ = strconv.Atoi(parts[len(parts)-2])
		e.Column, _ = strconv.Atoi(parts[len(parts)-1])
	}
	return e
}
