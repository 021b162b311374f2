package cmd

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/cron"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/scheduler"
)

// defaultZone is the zone of a pattern that names none. It is written with the
// schedule: Node would take the zone of its own process.
const defaultZone = "UTC"

// schedulerSpec turns a schedule into what the engine stores: its jobs have the
// queue's policy, as those of enqueue have, and a payload that fits its schema.
func schedulerSpec(t config.Target, s *config.Schedule) (queue.SchedulerSpec, error) {
	job, err := scheduledJob(t, s)
	if err != nil {
		return queue.SchedulerSpec{}, err
	}
	spec := queue.SchedulerSpec{
		ID: s.ID, Name: job.Name, Every: s.Every, Offset: s.Offset, Pattern: s.Pattern, TZ: s.TZ,
		Limit: int64(s.Limit), Start: s.StartDate, End: s.EndDate, Immediately: s.Immediately,
		Data: job.Data, Opts: job.Opts,
	}
	if spec.Pattern != "" && spec.TZ == "" {
		spec.TZ = defaultZone
	}
	return spec, nil
}

// scheduledJob is the template of the jobs.
func scheduledJob(t config.Target, s *config.Schedule) (queue.NewJob, error) {
	policy := t.Queue
	opts, err := queue.ParseOptions(s.Opts, false)
	if err != nil {
		return queue.NewJob{}, err
	}
	opts.Attempts, opts.Backoff = policy.Attempts, backoffOf(policy.Backoff)
	if s.Attempts > 0 {
		opts.Attempts = s.Attempts
	}
	if s.Backoff != nil {
		opts.Backoff = backoffOf(*s.Backoff)
	}
	keep := policy.Keep
	if s.Keep != nil {
		keep = *s.Keep
	}
	opts.KeepCompleted, opts.KeepFailed = keepOf(keep.Completed), keepOf(keep.Failed)
	job := newJob(target{Target: t}, opts)
	if s.Name != "" {
		job.Name = s.Name
	}
	if job.Data = s.Data; job.Data == nil {
		job.Data = []byte("{}")
	}
	return job, finishJob(target{Target: t}, &job, s.Priority)
}

// declareSchedule resolves the queue of a schedule and makes its spec.
func declareSchedule(c *config.Config, s *config.Schedule, set string) (scheduler.Declared, error) {
	t, err := c.Resolve(s.Queue)
	if err != nil {
		return scheduler.Declared{}, err
	}
	spec, err := schedulerSpec(t, s)
	if err != nil {
		return scheduler.Declared{}, err
	}
	d := scheduler.Declared{Queue: queue.KeyBase{Prefix: t.Prefix, Name: t.Name}, Spec: spec, Before: s.Before, Paused: s.Paused, Set: set}
	if s.Before > 0 {
		if d.Expires, err = config.ExpiresAt(spec.Data); err != nil {
			return scheduler.Declared{}, err
		}
		d.Spec = scheduler.Renewal(spec, s.Before, d.Expires)
	}
	return d, nil
}

// declaredSchedules returns what the configuration file declares; what is wrong
// is named with its place in the file.
func declaredSchedules(c *config.Config) ([]scheduler.Declared, error) {
	var (
		declared []scheduler.Declared
		errs     []error
	)
	for i := range c.Schedules {
		path := fmt.Sprintf("schedules[%d]", i)
		d, err := declareSchedule(c, &c.Schedules[i], "")
		if err != nil {
			errs = append(errs, &usageError{err: c.ErrorAt(path, err.Error())})
			continue
		}
		declared = append(declared, d)
	}
	return declared, errors.Join(errs...)
}

// builtinSchedules returns what a built-in set declares, in the zone of this
// machine.
func (a *app) builtinSchedules(c *config.Config, set string) ([]scheduler.Declared, error) {
	zone, err := a.zoneName()
	if err != nil {
		return nil, err
	}
	schedules, err := c.BuiltinSet(set, zone)
	if err != nil {
		return nil, err
	}
	var declared []scheduler.Declared
	for i := range schedules {
		d, err := declareSchedule(c, &schedules[i], set)
		if err != nil {
			return nil, &usageError{err: fmt.Errorf("set %s: schedule %s: %w", set, config.Quote(schedules[i].ID), err)}
		}
		declared = append(declared, d)
	}
	return declared, nil
}

// zoneName is the IANA name of the local zone: schedules are kept in Redis with
// it, where "local" would mean another zone to every process. TZ names it, else
// the link that systems keep.
func (a *app) zoneName() (string, error) {
	var names []string
	if tz, set := a.lookupEnv("TZ"); set {
		names = append(names, strings.TrimPrefix(tz, ":"))
		if tz == "" { // as in libc
			return defaultZone, nil
		}
	} else {
		names = append(names, a.local.String())
		if link, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
			names = append(names, link)
		}
	}
	for _, name := range names {
		if _, below, found := strings.Cut(name, "zoneinfo/"); found {
			name = below
		}
		name = strings.TrimPrefix(strings.TrimPrefix(name, "posix/"), "right/")
		if _, err := cron.ParseZone(name); err == nil {
			return name, nil
		}
	}
	return "", &usageError{err: errors.New("the name of the local time zone is not known"), hint: "set TZ, for example TZ=Europe/Berlin"}
}

// planOptions are those of every plan.
func (a *app) planOptions(prune ...string) scheduler.PlanOptions {
	return scheduler.PlanOptions{Now: a.now(), Prune: prune, ExpiresAt: config.ExpiresAt}
}
