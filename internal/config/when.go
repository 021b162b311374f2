package config

import (
	"strconv"
	"strings"
	"time"
)

const wantTime = "want RFC 3339 such as 2030-12-25T09:00:00Z, 2030-12-25 09:00, today, yesterday, tomorrow 09:00, now " +
	"or milliseconds since 1970, from 1970 to 9999"

// Bounds of a time in milliseconds since the epoch. Shorter digit strings are
// taken for seconds or a date without dashes, and refused: read as milliseconds
// they would silently mean 1970.
const (
	maxMillis       = 253402300799999 // 9999-12-31T23:59:59.999Z
	minMillisDigits = 12              // 100000000000 is 1973-03-03
)

// ParseTime reads a point in time. Times without an offset are wall clock times
// in loc; a day alone means its first instant. A wall clock time that the zone
// skips means the first instant after the gap, one that it repeats means the
// first of the two. now decides what today is.
func ParseTime(text string, now time.Time, loc *time.Location) (time.Time, error) {
	if t, ok := parseTime(text, now, loc); ok && inRange(t) {
		return t, nil
	}
	want := wantTime
	if isDigits(text) && len(text) < minMillisDigits {
		want = "too few digits for milliseconds since 1970, " + wantTime
	}
	return time.Time{}, &ValueError{What: "time", Value: text, Want: want}
}

// ParseSince reads the begin of a span that ends now: a duration such as `2h`
// counts back from now, everything else is as in ParseTime.
func ParseSince(text string, now time.Time, loc *time.Location) (time.Time, error) {
	if d, err := ParseDuration(strings.TrimSuffix(text, " ago")); err == nil {
		if t := now.Add(-d); inRange(t) {
			return t, nil
		}
		return time.Time{}, &ValueError{What: "time", Value: text, Want: "reaches back before 1970"}
	}
	t, err := ParseTime(text, now, loc)
	if err != nil {
		return time.Time{}, &ValueError{What: "time", Value: text, Want: "want a duration such as 2h, or " +
			strings.TrimPrefix(wantTime, "want ")}
	}
	return t, nil
}

func parseTime(text string, now time.Time, loc *time.Location) (time.Time, bool) {
	if isDigits(text) {
		ms, err := strconv.ParseInt(text, 10, 64)
		return time.UnixMilli(ms).In(loc), err == nil && len(text) >= minMillisDigits && ms <= maxMillis
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00",
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	for _, layout := range []string{
		time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", time.DateTime, "2006-01-02T15:04:05",
	} {
		if clock, err := time.Parse(layout, text); err == nil {
			return onWallClock(clock, loc), true
		}
	}
	return parseDayWord(strings.ToLower(text), now.In(loc))
}

// parseDayWord reads now, and today, yesterday or tomorrow with or without a
// time of day.
func parseDayWord(text string, now time.Time) (time.Time, bool) {
	if text == "now" {
		return now, true
	}
	word, clockText, hasClock := strings.Cut(text, " ")
	offset, ok := map[string]int{"yesterday": -1, "today": 0, "tomorrow": 1}[word]
	if !ok {
		return time.Time{}, false
	}
	clock := time.Time{}
	if hasClock {
		var err error
		if clock, err = time.Parse("15:04", clockText); err != nil {
			if clock, err = time.Parse("15:04:05", clockText); err != nil {
				return time.Time{}, false
			}
		}
	}
	year, month, date := now.Date()
	return onWallClock(time.Date(year, month, date+offset,
		clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), time.UTC), now.Location()), true
}

// onWallClock returns the instant at which clocks in loc show what clock shows
// in UTC. time.Date alone does not promise which side of a clock change it takes.
func onWallClock(clock time.Time, loc *time.Location) time.Time {
	year, month, date := clock.Date()
	t := time.Date(year, month, date, clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), loc)
	shown := wallClock(t)
	start, end := t.ZoneBounds()
	switch {
	case shown.After(clock): // in a gap, and t lies behind it
		return start
	case shown.Before(clock): // in a gap, and t lies before it
		return end
	case start.IsZero():
		return t
	}
	_, offset := t.Zone()
	_, offsetBefore := start.Add(-1).Zone()
	if earlier := t.Add(time.Duration(offset-offsetBefore) * time.Second); earlier.Before(start) && wallClock(earlier).Equal(clock) {
		return earlier
	}
	return t
}

// wallClock returns what clocks show at t, as a time in UTC.
func wallClock(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

func inRange(t time.Time) bool {
	ms := t.UnixMilli()
	return 0 <= ms && ms <= maxMillis
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
