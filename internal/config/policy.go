package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxRate bounds the jobs of a rate, so that BullMQ's 32-bit readers agree.
const maxRate = 1<<31 - 1

// ParseRate reads a limiter such as `10/1s` or `5/m`: jobs, a slash, the time
// they may start in.
func ParseRate(text string) (Limiter, error) {
	refused := &ValueError{
		What: "rate", Value: text,
		Want: fmt.Sprintf("want jobs/duration such as 10/1s, jobs from 1 to %d, a duration of 1ms or more", maxRate),
	}
	jobs, span, ok := strings.Cut(text, "/")
	if !ok || !isDigits(jobs) {
		return Limiter{}, refused
	}
	n, err := strconv.Atoi(jobs)
	if err != nil || n < 1 || n > maxRate {
		return Limiter{}, refused
	}
	if span != "" && strings.Trim(span, "smhdw") == "" {
		span = "1" + span
	}
	d, err := ParseDuration(span)
	if err != nil || d < time.Millisecond {
		return Limiter{}, refused
	}
	return Limiter{Max: n, Duration: d}, nil
}

// ParseBackoff reads the delay between attempts: `exponential:1m`, `fixed:5s`,
// with a jitter from 0 to 1 at the end if wanted, as in `exponential:1m:0.2`.
func ParseBackoff(text string) (Backoff, error) {
	refuse := func(want string) (Backoff, error) {
		return Backoff{}, &ValueError{What: "backoff", Value: text, Want: want}
	}
	parts := strings.Split(text, ":")
	if kinds := []string{BackoffExponential, BackoffFixed}; parts[0] != kinds[0] && parts[0] != kinds[1] {
		want := "want exponential:DURATION or fixed:DURATION, such as exponential:1m"
		near := Suggest(parts[0], kinds)
		return Backoff{}, &ValueError{What: "backoff", Value: text, Want: want + suggested(near), Near: near}
	}
	if len(parts) < 2 || len(parts) > 3 {
		return refuse("want TYPE:DURATION or TYPE:DURATION:JITTER, such as exponential:1m:0.2")
	}
	delay, err := ParseDuration(parts[1])
	if err != nil || delay != 0 && delay < time.Millisecond {
		return refuse("delay: " + wantDuration + ", in steps of 1ms")
	}
	backoff := Backoff{Type: parts[0], Delay: delay}
	if len(parts) == 3 {
		// Written so that NaN fails too.
		if backoff.Jitter, err = strconv.ParseFloat(parts[2], 64); err != nil || !(backoff.Jitter >= 0 && backoff.Jitter <= 1) {
			return refuse("jitter: want a number from 0 to 1")
		}
	}
	return backoff, nil
}
