// Package handler holds what a worker runs: the handlers that turn a claimed
// job into a return value or a failure. It knows nothing of Redis; a job comes
// in as a [worker.Job], and progress and log lines leave through a
// [worker.Reporter].
//
// # Programs
//
// [Program] runs one process per job, without a shell:
//
//	stdin        the job's data, byte for byte
//	environment  QCTL_QUEUE, QCTL_JOB_ID, … see [ProgramConfig]
//	stdout       the return value: JSON as it is, other text as a JSON string
//	stderr       lines become job logs, the last of them the failed reason
//	fd 3         JSON lines: progress, log, result, retryAfter (not on Windows)
//	exit status  0 completed, 75 try again, 65 failed for good, else failed
//
// # Who kills what
//
// A worker can be killed so that it cannot clean up (kill -9, out of memory).
// Its programs must not go on then, since their jobs will be started again
// elsewhere. So every program runs in the process group of a lifeline: this
// same binary, started once per concurrent job and kept for the jobs that
// follow, which reads from a pipe that only the worker can write to. When the
// pipe ends, the worker is gone, and the lifeline kills its group, itself
// included, with one signal that no fork can slip past.
//
//	worker ──pipe──▶ lifeline ┐
//	   └── starts ─▶ program  ├ one process group, led by the lifeline
//	                  └─ child ┘
//
// The group is there before the program is, and the program is put into it
// between fork and exec: there is no moment at which it runs unguarded, and
// nothing to register. The other ways were weighed and left:
//
//   - A lifeline per job that starts the program itself costs an exec of this
//     whole binary for each job: several times what a small program costs.
//   - One lifeline for all groups of a worker either learns of a group after
//     its program has begun, or must start all programs itself; killed, it
//     takes the jobs of the whole worker with it.
//   - Pdeathsig reaches the program but none of its children, and exists only
//     on Linux. There it is the second line, for when worker and lifeline are
//     killed at once.
//
// After a job the lifeline leaves its group, kills whatever the program left
// there, and comes back. If the lifeline itself is killed, the worker sees its
// answer pipe end, kills the group by the number of the lifeline, which stays
// taken until the worker collects it, and the attempt has failed.
//
// A process that starts a session or a process group of its own has left the
// group and is out of reach. The program itself is killed even then. On
// Windows a job object that the system closes with the worker takes the place
// of all this.
package handler
