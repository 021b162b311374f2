package demo

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// chance is a source of chance for one purpose: the same for the same seed,
// queue, purpose and number.
type chance struct{ *rand.Rand }

// The purposes, which must not share their luck.
const (
	forJob   = "job"   // what the n-th job is
	forPause = "pause" // how long it is until the next one
	forFate  = "fate"  // what becomes of a job
	forPast  = "past"  // how many jobs a minute had
)

func newChance(seed uint64, queue, purpose string, n int) chance {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%s/%d", queue, purpose, n)
	return chance{rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// hits reports whether something happens that has these odds, from 0 to 1.
func (c chance) hits(odds float64) bool { return c.Float64() < odds }

// pick returns one of the values.
func pick[T any](c chance, values ...T) T { return values[c.IntN(len(values))] }

// span is a duration between two others.
type span struct{ least, most time.Duration }

// in returns a duration in the span. Short ones are the more frequent, as in
// real life.
func (c chance) in(s span) time.Duration {
	x := c.Float64()
	return (s.least + time.Duration(x*x*float64(s.most-s.least))).Truncate(time.Millisecond)
}

// uuid returns an id of the form of version 4.
func (c chance) uuid() string {
	a, b := c.Uint64(), c.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}
