// Package demo simulates two services at work on the built-in queues: jobs that
// come in, workers that run them, trouble now and then, and the hour before.
//
// What happens is a script for each queue (scripts.go): how often jobs come, how
// long they run, how they fail. Everything that is left to chance is drawn from
// the seed, the queue and the job's number, never from a shared source, so that
// what becomes of a job does not depend on which goroutine was faster
// (chance.go, fate.go). Only when things happen depends on the clock.
//
// The simulation adds and works jobs through the engine and the worker that
// qctl uses for real ones. It writes wherever its queues lie: whoever starts it
// sees to it that this is a store that nobody needs.
package demo
