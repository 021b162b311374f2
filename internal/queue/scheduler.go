package queue

import (
	"encoding/json"
	"time"
)

// SchedulerSpec is what a producer says of a job scheduler: BullMQ's repeat
// options and job template. Exactly one of Every and Pattern is given.
type SchedulerSpec struct {
	ID string
	// Name is the name of the jobs; empty means the scheduler's id, as in
	// BullMQ.
	Name string
	// Every is the interval, in whole milliseconds.
	Every time.Duration
	// Pattern is a cron expression, TZ the IANA name of its zone. A scheduler
	// without a zone follows the clock of whoever computes its next time: Node
	// takes the local zone of its process, this engine hands "" to the NextRun
	// that it is given, and qctl's takes UTC. A scheduler that both continue
	// should name its zone.
	Pattern, TZ string
	// Offset moves the times of Every by so much from the multiples of it.
	// Patterns have none.
	Offset time.Duration
	// Limit ends the scheduler after so many jobs; 0 is no limit.
	Limit int64
	// Start is the earliest time of a job, End the latest; zero is none. An
	// Every may make one job after its end, as in BullMQ.
	Start, End time.Time
	// Immediately lets the first job of a Pattern run at once; that of an Every
	// does anyway. It does not go with Start.
	Immediately bool
	// Data and Opts are the template of the jobs. ID, Delay and Timestamp of
	// the options are the scheduler's to give.
	Data json.RawMessage
	Opts JobOptions
}

// SchedulerHealth says whether a scheduler will make another job.
type SchedulerHealth string

// The health of a scheduler.
const (
	// SchedulerHealthy has a job that waits or runs, or waits for a worker to
	// make the next one of.
	SchedulerHealthy SchedulerHealth = "healthy"
	// SchedulerStopped has none, and neither its limit nor its end says why: a
	// job was lost, or was run by a program that did not make the next.
	// [Queue.RestartScheduler] mends it.
	SchedulerStopped SchedulerHealth = "stopped"
	// SchedulerEnded has reached its limit or its end.
	SchedulerEnded SchedulerHealth = "ended"
	// SchedulerPaused was taken out by [Queue.PauseScheduler].
	SchedulerPaused SchedulerHealth = "paused"
	// SchedulerLegacy is a repeatable of BullMQ 5 or older, which runs;
	// [Queue.ConvertScheduler] makes a job scheduler of it.
	SchedulerLegacy SchedulerHealth = "legacy"
	// SchedulerCorrupt cannot be continued: its record cannot be read.
	SchedulerCorrupt SchedulerHealth = "corrupt"
)

// LegacyKind is the layout of a repeatable that is no job scheduler (wire 7.7).
type LegacyKind string

// The kinds of legacy repeatables.
const (
	// LegacyNone is a job scheduler.
	LegacyNone LegacyKind = ""
	// LegacyHashed is a repeatable of BullMQ 3 to 5: a hash of its own under
	// an MD5 sum or a key of the caller's.
	LegacyHashed LegacyKind = "hashed"
	// LegacyPlain is one of BullMQ 3.0 and older, and of Bull: its id says
	// everything and there is no hash.
	LegacyPlain LegacyKind = "plain"
)

// Scheduler is a job scheduler as read from Redis. Times are zero when unknown.
type Scheduler struct {
	ID   string
	Name string

	Every, Offset time.Duration
	Pattern, TZ   string
	Limit         int64
	// Iterations is how many jobs it has made in its life, Count the number of
	// the current one since it was last changed, which Limit counts.
	Iterations, Count int64
	Start, End        time.Time

	// Data and Opts are the stored template, nil where there is none.
	Data, Opts json.RawMessage

	// Next is the time of the current job, which no worker has taken up yet
	// unless the scheduler has stopped or ended.
	Next time.Time
	// JobID is the id of that job, JobState where it is, "" when it is gone. A
	// state that would cost a walk over a long list is StateWaiting.
	JobID    string
	JobState State
	// Last is when a worker last took up one of its jobs, or zero when that
	// cannot be told any more.
	Last time.Time

	Health SchedulerHealth
	Legacy LegacyKind
	Paused bool
	// Corrupt names the fields that could not be read, with the reason.
	Corrupt []string
}

// Upserted is what became of a scheduler that was written.
type Upserted struct {
	// JobID is the current job, At its time, State where it is.
	JobID string
	At    time.Time
	State State
	// Replaced says that a scheduler of this id existed.
	Replaced bool
}
