package demo

import (
	"encoding/json"
	"math"
	"time"

	"github.com/qctl/qctl/internal/worker"
)

// Job is a job that comes in, before its queue's policy is applied to it.
type Job struct {
	Name string
	Data json.RawMessage
	// Priority is typed as on the command line; empty is the queue's default.
	Priority string
	Delay    time.Duration
}

// job is the n-th job of the queue.
func (s *script) job(seed uint64, n int) Job {
	c := newChance(seed, s.alias, forJob, n)
	name := pick(c, s.names...)
	job := Job{Name: name, Data: text(s.payload(c, name))}
	switch x := c.Float64(); {
	case x < s.urgent:
		job.Priority = "urgent"
	case x < s.urgent+s.background:
		job.Priority = "background"
	}
	if c.hits(s.later) {
		job.Delay = c.in(s.laterBy)
	}
	return job
}

// pause is how long it is from the n-th job to the next one, at a time that lies
// before the start of the simulation by so much.
func (s *script) pause(seed uint64, n int, at time.Time, before time.Duration) time.Duration {
	c := newChance(seed, s.alias, forPause, n)
	even := 0.4 + 1.2*c.Float64()
	return time.Duration(even * float64(s.every) / s.flow(at, before)).Truncate(time.Millisecond)
}

// Traffic has grown in the hour before the start: from leastFlow, by the last
// growth most of all.
const (
	leastFlow  = 0.2
	growthTime = 15 * time.Minute
)

// flow is how fast jobs come at a time; 1 is the average of the present. Each
// queue has its high tide at another time.
func (s *script) flow(at time.Time, before time.Duration) float64 {
	grown := leastFlow + (1-leastFlow)*math.Exp(-float64(max(before, 0))/float64(growthTime))
	phase := newChance(0, s.alias, forPause, -1).Float64()
	turns := float64(at.UnixMilli())/float64(tideTime.Milliseconds()) + phase
	return grown * (1 + s.tide*math.Sin(2*math.Pi*turns))
}

// fate is what becomes of an attempt.
type fate struct {
	takes   time.Duration
	result  json.RawMessage
	failure *worker.Failure // nil when it completes
}

// fate tells what becomes of an attempt, counted from 1, at the job with this
// number; before is how long before the start of the simulation it is.
func (s *script) fate(seed uint64, n, attempt int, before time.Duration) fate {
	c := newChance(seed, s.alias, forFate, n)
	f := fate{takes: c.in(s.runs), result: text(s.result(c))}
	x := c.Float64()
	for _, t := range s.troubles {
		if x -= t.odds; x >= 0 {
			continue
		}
		if t.since > 0 && before > t.since || !t.still(c, attempt) {
			break
		}
		reason := t.reason(c)
		f.failure = &worker.Failure{
			Reason: reason, Stack: "Error: " + reason + "\n    at " + t.where, Unrecoverable: t.final,
		}
		if t.takes.most > 0 {
			f.takes = c.in(t.takes)
		}
		break
	}
	return f
}

// still reports whether the trouble has lasted until this attempt.
func (t *trouble) still(c chance, attempt int) bool {
	lasted := true
	for range attempt - 1 {
		lasted = c.hits(t.lasts) && lasted
	}
	return lasted
}
