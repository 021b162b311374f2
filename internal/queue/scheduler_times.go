package queue

import (
	"fmt"
	"time"
)

// Upcoming returns the times of the next jobs, at most n of them, beginning with
// the current one: those that come about when every job is taken up as soon as
// it is due. They are fewer where the scheduler ends before, and none where it
// makes no jobs, because it is paused, has stopped or has ended.
func (s *Scheduler) Upcoming(n int, now time.Time, next NextRun) ([]time.Time, error) {
	switch s.Health {
	case SchedulerHealthy, SchedulerLegacy:
	default:
		return nil, nil
	}
	it := s.iteration()
	it.prevMillis = it.current
	var times []time.Time
	for len(times) < n {
		times = append(times, time.UnixMilli(it.current))
		due, ok, err := it.upcoming(max(now.UnixMilli(), it.current), next)
		if err != nil {
			return times, fmt.Errorf("scheduler %q: %w", s.ID, err)
		}
		if !ok {
			break
		}
		it.current, it.prevMillis, it.count = due, due, it.count+1
	}
	return times, nil
}

// upcoming is next with the times of an interval, as every.lua has them.
func (it *iteration) upcoming(now int64, next NextRun) (int64, bool, error) {
	switch {
	case it.ended(now):
		return 0, false, nil
	case it.pattern != "":
		return it.nextOfPattern(now, next)
	case it.every <= 0:
		return 0, false, fmt.Errorf("%w: neither every nor pattern", ErrCorrupt)
	}
	due := it.current + it.every
	if due < now { // iterations that nobody saw are skipped
		if due = now/it.every*it.every + it.offset; due <= now {
			due += it.every
		}
	}
	return due, true, nil
}

// Missed returns how many times have passed since the current job was due, for
// which there will be no job; it counts no further than most.
func (s *Scheduler) Missed(most int, now time.Time, next NextRun) (int, error) {
	switch s.Health {
	case SchedulerHealthy, SchedulerLegacy, SchedulerStopped:
	default:
		return 0, nil
	}
	if s.Next.IsZero() || !s.Next.Before(now) {
		return 0, nil
	}
	if s.Every > 0 {
		return int(min(int64(now.Sub(s.Next)/s.Every), int64(most))), nil
	}
	missed := 0
	for at := s.Next; missed < most; missed++ {
		run, ok, err := next(s.Pattern, s.TZ, at)
		if err != nil {
			return missed, fmt.Errorf("scheduler %q: %w", s.ID, err)
		}
		if !ok || run.After(now) {
			break
		}
		at = run
	}
	return missed, nil
}

// lookBacks are the spans in which a run before a moment is looked for, each so
// much longer than the one before that a pattern with no run in one has few in
// the next.
var lookBacks = []time.Duration{
	time.Second, time.Minute, time.Hour, 24 * time.Hour, 32 * 24 * time.Hour, 366 * 24 * time.Hour, 8 * 366 * 24 * time.Hour,
}

// LastJobID is the id that the job which was taken up last should have, when the
// current one was made; "" when that cannot be told. Redis keeps no such thing:
// behind times that were skipped no job of this id has ever existed, so it means
// something only while there is one.
func (s *Scheduler) LastJobID(next NextRun) string {
	if s.Last.IsZero() || s.Next.IsZero() {
		return ""
	}
	if s.Every > 0 {
		return s.jobAt(s.Next.Add(-s.Every))
	}
	before := s.Next
	if s.Last.Before(before) {
		before = s.Last.Add(time.Millisecond) // it may have been due at that very moment
	}
	at, ok := lastRun(s.Pattern, s.TZ, before, next)
	if !ok {
		return ""
	}
	return s.jobAt(at)
}

// jobAt is the id of the scheduler's job of a time.
func (s *Scheduler) jobAt(at time.Time) string {
	return fmt.Sprintf("repeat:%s:%d", s.ID, at.UnixMilli())
}

// lastRun returns the last run of a pattern before a moment, which takes runs
// forward from some time before.
func lastRun(pattern, tz string, before time.Time, next NextRun) (last time.Time, found bool) {
	for _, span := range lookBacks {
		for at := before.Add(-span); ; {
			run, ok, err := next(pattern, tz, at)
			if err != nil {
				return last, false
			}
			if !ok || !run.Before(before) {
				break
			}
			last, found, at = run, true, run
		}
		if found {
			return last, true
		}
	}
	return last, false
}
