package cron

import (
	"math/bits"
	"time"
)

const (
	// horizon bounds the search, in seconds. The rarest schedule there is, the
	// 29th of February on a given weekday, has gaps of at most 40 years.
	horizon = 50 * 366 * secondsPerDay

	allHours = 1<<24 - 1
)

// NextRun parses a pattern and computes its first run after a moment, in the
// zone with the IANA name tz; an empty tz is UTC. It returns false when there is
// none, and a [*ParseError] for a pattern or a zone that is not valid.
func NextRun(pattern, tz string, after time.Time) (time.Time, bool, error) {
	schedule, err := Parse(pattern)
	if err != nil {
		return time.Time{}, false, err
	}
	zone := time.UTC
	if tz != "" {
		if zone, err = ParseZone(tz); err != nil {
			return time.Time{}, false, err
		}
	}
	at, ok := schedule.Next(after.In(zone))
	return at, ok, nil
}

// Next returns the first run strictly later than after, on a whole second, in
// after's Location. It returns false if there is none in the next 50 years or
// before the year 10000. Clock changes are treated as the package
// documentation says.
func (s Schedule) Next(after time.Time) (time.Time, bool) {
	start := after.Unix()
	limit := min(start+horizon, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	if start < time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix() {
		return time.Time{}, false
	}
	loc := zone{after.Location()}
	// Clock changes later than walkedFrom were met hour by hour.
	walkedFrom := start
	for t := start + 1; t < limit; {
		p := loc.periodAt(t)
		year, month, date, weekday := civil(t + p.offset)
		matches := has(s.months, int(month)) && s.matchesDay(year, month, date, weekday)
		if matches {
			if run, ok := s.runInDay(p, t, walkedFrom); ok {
				return time.Unix(run, 0).In(loc.Location), run < limit
			}
			var walked bool
			if t, walked = p.walkOn(t, has(s.hours, hourOf(t+p.offset))); walked {
				continue
			}
		}
		next := loc.nextDay(t)
		if !has(s.months, int(month)) {
			next = loc.nextMonth(t)
		}
		// Where the clock goes back, the next day can seem to begin before t.
		t = max(next, t+1)
		walkedFrom = t
		if wall := t + loc.offset(t); wall != floorDay(wall) {
			// Midnight is skipped on that day, so the step met a clock change.
			walkedFrom--
		}
	}
	return time.Time{}, false
}

// runInDay returns the first run in what is left of t's day and of its period.
// The clock change that began the period counts if it is later than walkedFrom.
func (s Schedule) runInDay(p period, t, walkedFrom int64) (int64, bool) {
	wall := t + p.offset
	end := min(p.end+p.offset, floorDay(wall)+secondsPerDay)
	change := p.start + p.offset
	switch {
	case p.start <= walkedFrom:
	case p.jump == -secondsPerHour && s.hours != allHours:
		wall = max(wall, change+secondsPerHour)
	case p.jump == secondsPerHour && floorHour(change) != change:
		if run, ok := s.landedClock(wall, end, change); ok {
			return run - p.offset, true
		}
	case p.jump > 0 && s.hours&s.skippedHours(p, walkedFrom) != 0:
		landed := s
		landed.hours |= 1 << hourOf(change)
		if run, ok := landed.nextClock(wall, min(end, floorHour(change)+secondsPerHour)); ok {
			return run - p.offset, true
		}
	}
	run, ok := s.nextClock(wall, end)
	return run - p.offset, ok
}

// landedClock returns the first time in [wall, end) that is scheduled or stands an
// hour after one that was skipped, by a change to change that does not lie at a
// full hour, as in Pacific/Chatham.
func (s Schedule) landedClock(wall, end, change int64) (int64, bool) {
	skipped, ok := s.nextClock(max(change, wall)-secondsPerHour, change)
	run, scheduled := s.nextClock(wall, end)
	if landed := skipped + secondsPerHour; ok && landed < end && (!scheduled || landed < run) {
		return landed, true
	}
	return run, scheduled
}

// skippedHours returns the hours that were skipped, at least in part, when the
// clock was put forward at the start of the period. Where it was put forward to
// midnight, as in America/Nuuk, cron-parser drops the runs of the hours before,
// unless the search began in the last hour before the change and that hour is
// scheduled, too.
func (s Schedule) skippedHours(p period, walkedFrom int64) (hours uint64) {
	change := p.start + p.offset
	first := floorHour(change - p.jump)
	if walkedFrom < p.start-secondsPerHour || !has(s.hours, hourOf(first-1)) {
		first = max(first, floorDay(change))
	}
	for wall := first; wall < floorHour(change); wall += secondsPerHour {
		hours |= 1 << hourOf(wall)
	}
	return hours
}

// nextClock returns the first matching time of day in [from, end), which lie on
// the same day of a clock without changes.
func (s Schedule) nextClock(from, end int64) (int64, bool) {
	if from >= end {
		return 0, false
	}
	midnight := floorDay(from)
	hour, minute, second := hourOf(from), int(from-midnight)/60%60, int(from-midnight)%60
	clock := func(hour, minute, second int) (int64, bool) {
		run := midnight + int64(hour)*secondsPerHour + int64(minute)*60 + int64(second)
		return run, run < end
	}
	if has(s.hours, hour) {
		if sec, ok := firstFrom(s.seconds, second); ok && has(s.minutes, minute) {
			return clock(hour, minute, sec)
		}
		if m, ok := firstFrom(s.minutes, minute+1); ok {
			return clock(hour, m, lowest(s.seconds))
		}
	}
	if h, ok := firstFrom(s.hours, hour+1); ok {
		return clock(h, lowest(s.minutes), lowest(s.seconds))
	}
	return 0, false
}

func (s Schedule) matchesDay(year int, month time.Month, date int, weekday time.Weekday) bool {
	length := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	day := has(s.days, date) || s.lastDay && date == length
	week := has(s.weekdays, int(weekday)) && (s.nth == 0 || (date+6)/7 == s.nth) ||
		has(s.lastWeekdays, int(weekday)) && date > length-7
	if s.anyDay || s.anyWeekday {
		return day && week
	}
	return day || week
}

// firstFrom returns the smallest value of set that is at least low.
func firstFrom(set uint64, low int) (int, bool) {
	rest := set >> low << low
	return lowest(rest), rest != 0
}

func lowest(set uint64) int { return bits.TrailingZeros64(set) }
