package render

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Signs for values that are not there.
const (
	none    = "-" // there is none
	unknown = "?" // it could not be found out
)

const day = 24 * time.Hour

// Age returns how long ago something was, in one or two units that matter: 12s,
// 3m, 2h14m, 5d. A negative age, as clocks apart make it, is 0s.
func Age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	case d < day:
		return twoUnits(d, time.Hour, "h", time.Minute, "m")
	case d < 3*day:
		return twoUnits(d, day, "d", time.Hour, "h")
	}
	return strconv.Itoa(int(d/day)) + "d"
}

// Duration returns how long something took or will take: 85ms, 1.2s, 41s,
// 3m5s, 2h14m, 5d.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(-max(d, -math.MaxInt64))
	case d < time.Second:
		return strconv.Itoa(int(d/time.Millisecond)) + "ms"
	case d < 10*time.Second && d%time.Second >= 100*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return twoUnits(d, time.Minute, "m", time.Second, "s")
	}
	return Age(d)
}

func twoUnits(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	text := strconv.Itoa(int(d/large)) + largeName
	if rest := d % large / small; rest > 0 {
		text += strconv.Itoa(int(rest)) + smallName
	}
	return text
}

// Time returns a time for machines and for exact reading: RFC 3339 in UTC, in
// milliseconds as the wire has them. The zero time is "-".
func Time(t time.Time) string {
	if t.IsZero() {
		return none
	}
	// Four times as fast as a layout with milliseconds, three times per job.
	text := t.UTC().AppendFormat(make([]byte, 0, len("2006-01-02T15:04:05.000Z")), time.RFC3339)
	ms := t.Nanosecond() / int(time.Millisecond)
	return string(append(text[:len(text)-1], '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z'))
}

// Count returns a number for people, in groups of three digits: 1,375.
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	head := (len(digits)-1)%3 + 1
	text := sign + digits[:head]
	for ; head < len(digits); head += 3 {
		text += "," + digits[head:head+3]
	}
	return text
}

// Bytes returns a size for people, in units of 1024: 512 B, 1.5 KiB, 50 MiB.
func Bytes(n int64) string {
	if -1024 < n && n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	size, unit := float64(n), 0
	const units = "KMGTPE"
	for size /= 1024; (size >= 1023.95 || size <= -1023.95) && unit < len(units)-1; size /= 1024 {
		unit++
	}
	digits := strconv.FormatFloat(size, 'f', 1, 64)
	if len(digits) > 2 && digits[len(digits)-2:] == ".0" {
		digits = digits[:len(digits)-2]
	}
	return digits + " " + units[unit:unit+1] + "iB"
}
