// Package scheduler keeps the job schedules of a fleet as they are declared, and
// running.
//
// BullMQ's schedules are chains: the worker that takes up a job of a schedule
// adds the next one. Nothing else is needed while every link holds. This package
// is for what happens when one does not: [Plan] says how what Redis has differs
// from what is declared, [Apply] makes it so, and a [Scheduler] does both again
// and again for the whole fleet, restarts chains that broke, and makes sure that
// one process at a time does it.
//
// # Leadership
//
// Processes that run a Scheduler against one Redis are rivals for a lease that
// Redis counts down. The one that has it renews it at a third of its life; the
// others wait for its end. Each term has a number that is larger than all before
// it, and every write carries it: should a leader be held up for so long that
// another has taken over, what it still sends is refused by the queue that the
// other has written to. A leader that cannot renew stops acting a tenth of the
// lease's life before its end, so that clocks need not agree on it.
//
// Losing a leader loses no job. While nobody leads, workers go on with the
// chains; only a chain that breaks waits for the next leader, who makes up for at
// most one job of it, however long it was broken.
//
// The package decides and asks the engine to act. It knows no keys, no command
// line and no terminal; the clock and the meaning of cron patterns are passed in.
package scheduler
