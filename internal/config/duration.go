package config

import (
	"strings"
	"time"

	"github.com/xhit/go-str2duration/v2"
)

const wantDuration = "want a number and a unit (ms s m h d w) such as 30s, 15m, 1h30m, 1.5d or P7D, from 0s to 106751d"

// ParseDuration reads a length of time: numbers with units as in `30s`, `1h30m`,
// `7d`, `2w`, `1.5d`, or ISO 8601 as in `P7D`, `PT5M`. A day has 24 hours; years
// and months have no fixed length and are refused, as are negative durations and
// those beyond time.Duration's 292 years.
func ParseDuration(text string) (time.Duration, error) {
	plain, ok := text, true
	if strings.HasPrefix(text, "P") {
		plain, ok = fromISO(text)
	}
	if ok {
		if d, err := str2duration.ParseDuration(plain); err == nil && d >= 0 && plain[0] != '+' && plain[0] != '-' {
			return d, nil
		}
	}
	return 0, &ValueError{What: "duration", Value: text, Want: wantDuration}
}

// fromISO rewrites an ISO 8601 duration without years and months in units that
// str2duration knows: `P1DT2.5H` becomes `1d2.5h`.
func fromISO(text string) (string, bool) {
	date, clock, hasClock := strings.Cut(text[1:], "T")
	if hasClock && clock == "" {
		return "", false
	}
	var plain strings.Builder
	if !rewriteUnits(&plain, date, "WD") || !rewriteUnits(&plain, clock, "HMS") {
		return "", false
	}
	return plain.String(), plain.Len() > 0
}

// rewriteUnits appends part to plain. Each unit may occur once and only in the
// order of units, so the units still allowed shrink as they are used.
func rewriteUnits(plain *strings.Builder, part, units string) bool {
	for part != "" {
		end := strings.IndexFunc(part, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != ',' })
		if end <= 0 {
			return false
		}
		place := strings.IndexByte(units, part[end])
		if place < 0 {
			return false
		}
		plain.WriteString(strings.ReplaceAll(part[:end], ",", "."))
		plain.WriteString(strings.ToLower(units[place : place+1]))
		units, part = units[place+1:], part[end+1:]
	}
	return true
}
