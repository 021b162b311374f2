package interop

import (
	"strings"
	"time"
)

// cronReason is why we differ on purpose. docs/compatibility.md tells users.
type cronReason struct {
	text  string
	holds func(cronDifference) bool
}

// cronReasons are those for differing from a version of cron-parser.
func cronReasons(version string) []cronReason {
	reasons := []cronReason{
		{
			"a run in a skipped hour that begins at midnight is dropped; we, as cron-parser since 5.10.5, run it in the hour after",
			func(d cronDifference) bool {
				c := changeBefore(d.ours)
				return c.jump > 0 && c.wall == 0 && d.ours.Sub(c.at) < time.Hour && (d.its.IsZero() || d.its.After(d.ours))
			},
		},
		{
			"a clock that changes by other than an hour: runs are skipped or doubled, or the search fails; we run whenever the clock shows the time",
			func(d cronDifference) bool {
				return nearChange(d, func(c clockChange) bool { return c.jump != time.Hour && c.jump != -time.Hour })
			},
		},
	}
	reasons = append(reasons, cronReason{
		"a clock that changes at a quarter to the hour: runs around the change are left out, or the search fails; we leave out none",
		func(d cronDifference) bool {
			return nearChange(d, func(c clockChange) bool { return c.wall%time.Hour != 0 })
		},
	})
	if !strings.HasPrefix(version, "4.") {
		return reasons
	}
	return append(
		reasons,
		cronReason{
			"a run in a repeated hour that begins at midnight happens the first time; we, as BullMQ 6, let it happen the second time",
			func(d cronDifference) bool {
				c := changeBefore(d.ours)
				return c.jump == -time.Hour && c.wall == time.Hour && d.ours.Sub(d.its) == time.Hour
			},
		},
		cronReason{
			"America/Nuuk, whose clock skips the last hour of a day: BullMQ 6 leaves out up to a day before, and so do we",
			func(d cronDifference) bool { return d.question.TZ == "America/Nuuk" && d.its.Before(d.ours) },
		},
		cronReason{
			"beside n#k the day of month is ignored; we, as BullMQ 6, take either",
			func(d cronDifference) bool {
				fields := strings.Fields(d.question.Pattern)
				return strings.Contains(d.question.Pattern, "#") && !strings.Contains("*?", fields[len(fields)-3])
			},
		},
	)
}

// clockChange is a change of a zone's clock: when, by how much, and what the clock showed just before.
type clockChange struct {
	at         time.Time
	jump, wall time.Duration
}

// changeBefore is the latest change up to a moment, the zero one if there is none.
func changeBefore(at time.Time) clockChange {
	if at.IsZero() {
		return clockChange{}
	}
	start, _ := at.ZoneBounds()
	if start.IsZero() {
		return clockChange{}
	}
	before := offsetOf(start.Add(-time.Second), at.Location())
	_, now := start.Zone()
	wall := time.Duration((start.Unix()+int64(before))%86400) * time.Second
	return clockChange{at: start, jump: time.Duration(now-before) * time.Second, wall: wall}
}

// nearChange reports whether a change of a kind lies within a day of where the answers part.
func nearChange(d cronDifference, kind func(clockChange) bool) bool {
	for _, at := range []time.Time{d.ours, d.its, d.from.Add(25 * time.Hour)} {
		if c := changeBefore(at); !c.at.IsZero() && at.Sub(c.at) < 26*time.Hour && kind(c) {
			return true
		}
	}
	return false
}
