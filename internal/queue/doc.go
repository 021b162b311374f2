// Package queue is the engine: it adds, claims, settles, reads and repairs jobs
// in Redis as BullMQ 5 and 6 lay them there, so that clients of both can work on
// the same queue at the same time.
//
// A [Client] is a connection's worth of queues, a [Queue] the jobs below one
// [KeyBase]. Whatever changes more than one key is one script call, and so one
// atomic step; calls over many jobs are cut into steps small enough to keep
// other clients of Redis waiting for milliseconds only.
//
// The engine never decides: whether a job that failed runs again, and when, is
// the caller's [Outcome]. It does not log, reads no environment, and repeats no
// call that may have been carried out. Errors wrap the sentinels of this package
// where a caller may want to branch, and [Classify] says of any other what it
// proves about the call.
package queue
