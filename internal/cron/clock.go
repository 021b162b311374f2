package cron

import "time"

// Wall times are counted in seconds, as if the clock on the wall showed UTC.
const (
	secondsPerHour = 60 * 60
	secondsPerDay  = 24 * secondsPerHour
)

func floorMod(a, b int64) int64  { return ((a % b) + b) % b }
func floorHour(wall int64) int64 { return wall - floorMod(wall, secondsPerHour) }
func floorDay(wall int64) int64  { return wall - floorMod(wall, secondsPerDay) }
func hourOf(wall int64) int      { return int(floorMod(wall, secondsPerDay) / secondsPerHour) }

func civil(wall int64) (int, time.Month, int, time.Weekday) {
	t := time.Unix(wall, 0).UTC()
	year, month, date := t.Date()
	return year, month, date, t.Weekday()
}

// zone does calendar steps on instants, given in seconds since the epoch.
//
// Where a step ends at a time that the clock shows twice, the offset from which
// the step was made decides, as it does in cron-parser. This is visible in
// zones that put the clock back to midnight, such as America/Havana: from noon
// on the day before, the next day begins at the second midnight, because the
// step goes over noon of that day; but from midnight it begins at the first.
type zone struct{ *time.Location }

// period is a stretch of time in which the offset of a zone stays the same.
type period struct {
	start, end int64
	// offset is in seconds east of UTC.
	offset int64
	// jump is by how much the clock went forward at the start; negative if back.
	jump int64
}

func (z zone) offset(t int64) int64 {
	_, offset := time.Unix(t, 0).In(z.Location).Zone()
	return int64(offset)
}

func (z zone) periodAt(unix int64) period {
	t := time.Unix(unix, 0).In(z.Location)
	p := period{start: unix, end: unix + horizon, offset: z.offset(unix)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		p.start = start.Unix()
		p.jump = p.offset - z.offset(p.start-1)
	}
	// Beyond a zone's recorded changes, the time package ends periods at the new
	// year but takes every year for 365 days long. On the last day of a leap year
	// the end it gives has already passed.
	if !end.IsZero() && !end.After(t) {
		end = time.Date(t.UTC().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if !end.IsZero() {
		p.end = end.Unix()
	}
	return p
}

// instant returns when the clock shows wall. Of two such instants it returns
// the one with the given offset; a time that is skipped is moved forward.
func (z zone) instant(wall, offset int64) int64 {
	first := z.offset(wall - offset)
	if first == offset {
		return wall - offset
	}
	second := z.offset(wall - first)
	return wall - min(first, second)
}

// nextDay returns the beginning of the day after t's.
func (z zone) nextDay(t int64) int64 {
	offset := z.offset(t)
	sameClock := z.instant(t+offset+secondsPerDay, offset)
	offset = z.offset(sameClock)
	return z.instant(floorDay(sameClock+offset), offset)
}

// nextMonth returns the beginning of the month after t's.
func (z zone) nextMonth(t int64) int64 {
	offset := z.offset(t)
	wall := t + offset
	year, month, date, _ := civil(wall)
	length := time.Date(year, month+2, 0, 0, 0, 0, 0, time.UTC).Day()
	sameDate := time.Date(year, month+1, min(date, length), 0, 0, 0, 0, time.UTC).Unix() + wall - floorDay(wall)
	offset = z.offset(z.instant(sameDate, offset))
	return z.instant(time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC).Unix(), offset)
}

// walkOn tells where a search goes after it found no run between t and the end
// of t's day or period. It walks over the end of a period, and from hour 23 to
// midnight. Otherwise it stays in the day, at the first hour that is not
// scheduled, which is the one after t's if t's hour is; the next day is then
// reached by a step from there.
func (p period) walkOn(t int64, scheduled bool) (next int64, walked bool) {
	wall := t + p.offset
	midnight := floorDay(wall) + secondsPerDay
	if p.end+p.offset < midnight {
		return p.end, true
	}
	if scheduled {
		wall = floorHour(wall) + secondsPerHour
	}
	return wall - p.offset, wall == midnight
}
