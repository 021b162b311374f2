package cmd

import (
	"encoding/json"

	"github.com/qctl/qctl/internal/queue"
)

// mergeOptions lets a job's own options win over those that it has from the flags
// and the queue's policy.
func mergeOptions(job *queue.NewJob, text []byte, allowUnknown bool) error {
	own, err := queue.ParseOptions(text, allowUnknown)
	if err != nil {
		return err
	}
	common := job.Opts
	job.Opts = own
	if own.Attempts == 0 {
		job.Opts.Attempts = common.Attempts
	}
	if own.Backoff == nil {
		job.Opts.Backoff = common.Backoff
	}
	if own.KeepCompleted == nil {
		job.Opts.KeepCompleted = common.KeepCompleted
	}
	if own.KeepFailed == nil {
		job.Opts.KeepFailed = common.KeepFailed
	}
	if own.Delay == 0 && own.Timestamp.IsZero() {
		job.Opts.Delay, job.Opts.Timestamp = common.Delay, common.Timestamp
	}
	job.Opts.LIFO = own.LIFO || common.LIFO
	if own.Parent == nil {
		job.Opts.Parent = common.Parent
	}
	if !own.FailParent && !own.ContinueParent && !own.IgnoreDependency && !own.RemoveDependency {
		job.Opts.FailParent, job.Opts.ContinueParent = common.FailParent, common.ContinueParent
		job.Opts.IgnoreDependency, job.Opts.RemoveDependency = common.IgnoreDependency, common.RemoveDependency
	}
	return nil
}

// completeJob is [finishJob] for a job whose options may have a priority of their
// own, which wins over that of its payload.
func completeJob(t target, job *queue.NewJob, typed string) error {
	if len(job.Data) == 0 {
		job.Data = json.RawMessage("{}")
	}
	wire := job.Opts.Priority
	if err := finishJob(t, job, typed); err != nil {
		return err
	}
	if wire > 0 && typed == "" {
		job.Opts.Priority = wire
	}
	return nil
}
