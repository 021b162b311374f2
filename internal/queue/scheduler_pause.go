package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

const keyPausedSchedules = "qctl:paused-schedules"

var (
	scriptSchedulerResume  = &script{name: "scheduler_resume"}
	scriptSchedulerRestart = &script{name: "scheduler_restart"}
	scriptSchedulerConvert = &script{name: "scheduler_convert"}
)

// keptScheduler is what is kept of a paused scheduler.
type keptScheduler struct {
	Record  map[string]string `json:"record"`
	Score   string            `json:"score"`   // of the iteration at the pause, ms
	Opts    string            `json:"opts"`    // of that job
	Last    string            `json:"last"`    // when that job was made, ms
	Delayed string            `json:"delayed"` // "1" when it was taken out
	fault   error
}

func readKept(text string) keptScheduler {
	var k keptScheduler
	k.fault = json.Unmarshal([]byte(text), &k)
	return k
}

// scheduler describes it as long as it is paused.
func (k keptScheduler) scheduler(id string) Scheduler {
	s := Scheduler{ID: id, Paused: true, Health: SchedulerPaused}
	if k.fault != nil {
		s.corrupt("record: %v", k.fault)
	}
	s.readRecord(k.Record)
	if k.Opts != "" {
		s.readIteration([]any{k.Opts, k.Last})
	}
	return s
}

// ResumeScheduler puts a paused scheduler back, with its counts and a first job
// at its next time; what fell due during the pause is not made up for. When a
// scheduler of that id has been made since, that one stays and what was kept is
// dropped. It returns ErrSchedulerNotFound for an id that is not paused, and
// ErrNeverFires when no time is left.
func (q *Queue) ResumeScheduler(ctx context.Context, id string, next NextRun) (Upserted, error) {
	for range schedulerTries {
		text, err := q.client.rdb.HGet(ctx, q.base.key(keyPausedSchedules), id).Result()
		if errors.Is(err, redis.Nil) {
			return Upserted{}, q.schedulerError(id, ErrSchedulerNotFound)
		}
		if err != nil {
			return Upserted{}, wrapRedis(fmt.Sprintf("scheduler %q of %s", id, q.base), err)
		}
		done, err := q.resume(ctx, id, text, next)
		if !errors.Is(err, errMovedOn) {
			return done, err
		}
	}
	return Upserted{}, q.schedulerError(id, ErrBusy)
}

// errMovedOn: a change was prepared from what is no longer there.
var errMovedOn = errors.New("moved on")

func (q *Queue) resume(ctx context.Context, id, text string, next NextRun) (Upserted, error) {
	k := readKept(text)
	s := k.scheduler(id)
	if k.fault != nil || s.Every <= 0 && s.Pattern == "" {
		return Upserted{}, q.schedulerError(id, fmt.Errorf("%w: what was kept of it cannot be read", ErrCorrupt))
	}
	now, prev := q.nowMS(), millisOf(k.Score)
	it := s.iteration()
	it.prevMillis = prev
	count := max(s.Count, 1)
	if k.Delayed == "1" {
		it.count, it.prevMillis = count-1, 0 // that one has not run
	} else {
		it.count, count = s.Count, s.Count+1
	}
	due, ok, err := it.next(now, next)
	if err == nil && !ok {
		err = ErrNeverFires
	}
	if err != nil {
		return Upserted{}, q.schedulerError(id, err)
	}
	made, err := s.template(now, count)
	if err == nil {
		err = made.keepRepeat(k.Opts)
	}
	if err == nil {
		err = made.turn(count, now)
	}
	if err != nil {
		return Upserted{}, q.schedulerError(id, err)
	}
	var every any = ""
	if s.Pattern == "" {
		every = it.every
	}
	record := make([]any, 0, 2*len(k.Record))
	for name, value := range k.Record {
		record = append(record, name, value)
	}
	return q.putScheduler(ctx, scriptSchedulerResume, made, record,
		now, id, int64(q.fence), text, every, due, it.offset, prev, k.Delayed)
}

// template returns what the next iteration is made from.
func (s *Scheduler) template(now, count int64) (*template, error) {
	opts := map[string]json.RawMessage{}
	if len(s.Opts) > 0 {
		if err := json.Unmarshal(s.Opts, &opts); err != nil || opts == nil {
			return nil, fmt.Errorf("%w: template options are not a JSON object", ErrCorrupt)
		}
	}
	withoutTimes(opts)
	spec := SchedulerSpec{ // the times alone: nothing is checked again
		ID: s.ID, Name: s.Name, Every: s.Every, Pattern: s.Pattern, TZ: s.TZ, Limit: s.Limit, Start: s.Start, End: s.End, Data: s.Data,
	}
	t := &template{
		id: s.ID, head: iterationHead(s.ID), name: spec.name(), data: spec.data(),
		opts: opts, repeat: map[string]json.RawMessage{}, pattern: s.Pattern != "",
	}
	for _, field := range spec.timing() {
		t.repeat[field.name] = field.json()
	}
	return t, t.turn(count, now)
}

// RunScheduler adds one ordinary job from the scheduler's template, to run now,
// beside its schedule, which does not change. A paused scheduler can be run, too.
func (q *Queue) RunScheduler(ctx context.Context, id string) (Added, error) {
	s, err := q.Scheduler(ctx, id)
	if err != nil {
		return Added{}, err
	}
	opts, err := DecodeOptions(s.Opts)
	if err != nil {
		return Added{}, q.schedulerError(id, fmt.Errorf("%w: template options: %w", ErrCorrupt, err))
	}
	opts.ID, opts.Delay = "", 0
	opts.Timestamp = q.client.now()
	for _, name := range []string{"repeat", "repeatJobKey", "prevMillis"} {
		delete(opts.Other, name)
	}
	name := s.Name
	if name == "" {
		name = s.ID
	}
	added, err := q.AddBulk(ctx, []NewJob{{Name: name, Data: s.Data, Opts: opts}})
	if err != nil {
		return Added{}, q.schedulerError(id, err)
	}
	return added[0], nil
}

// RestartScheduler gives a stopped scheduler its next job again. Whether it has
// stopped is decided in the same step: it returns false, and changes nothing,
// for any other. Of the times that were missed since, the latest runs at once
// and the others never; a time whose job was made already is not made again,
// unless the job was lost before that time had come.
func (q *Queue) RestartScheduler(ctx context.Context, id string, next NextRun) (bool, error) {
	s, err := q.Scheduler(ctx, id)
	if err != nil || s.Health != SchedulerStopped {
		return false, err
	}
	if s.Legacy != LegacyNone && s.JobState == "" {
		return false, q.schedulerError(id, fmt.Errorf("%w: its data went with its last job", ErrLegacyScheduler))
	}
	now := q.nowMS()
	it := s.iteration()
	missed, upcoming, err := it.missed(now, next)
	if err != nil {
		return false, q.schedulerError(id, err)
	}
	count := it.count + 1
	if s.JobState == "" && it.current > now {
		count = max(it.count, 1) // the lost one itself
	}
	made, err := s.template(now, count)
	if err != nil {
		return false, q.schedulerError(id, err)
	}
	if s.Legacy == LegacyPlain {
		key, _ := parseLegacyKey(id)
		made.head = key.head()
	}
	block, err := made.args()
	if err != nil {
		return false, q.schedulerError(id, err)
	}
	var every any = ""
	if s.Pattern == "" {
		every = it.every
	}
	args := append([]any{now, id, int64(q.fence), it.current, every, it.offset, missed, upcoming}, block...)
	reply, err := q.run(ctx, scriptSchedulerRestart, args...)
	if err != nil {
		return false, err
	}
	code := replyInt(reply)
	return code == 1, q.schedulerCode(id, code)
}

// missed returns the latest time of a pattern that has passed since the current
// iteration, and the next one; "" for none, and for an interval.
func (it *iteration) missed(now int64, next NextRun) (latest, upcoming any, err error) {
	if it.pattern == "" {
		return "", "", nil
	}
	latest, upcoming = "", ""
	due, ok, err := it.nextOfPattern(now, next)
	if err != nil {
		return nil, nil, err
	}
	if ok {
		upcoming = due
	}
	fires := func(after int64) (int64, bool, error) {
		at, ok, err := next(it.pattern, it.tz, timeOf(after))
		return at.UnixMilli(), ok && at.UnixMilli() <= now, err
	}
	// The latest moment after which it still fires before now is the one just
	// before the latest time.
	low, high := max(it.current, it.startDate), now
	at, ok, err := fires(low)
	for err == nil && ok && high-low > 1 {
		middle := low + (high-low)/2
		var found bool
		var later int64
		if later, found, err = fires(middle); found {
			at, low = later, middle
		} else {
			high = middle
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if ok && at > it.current {
		latest = at
	}
	return latest, upcoming, nil
}

// ConvertScheduler makes a job scheduler named newID of a legacy repeatable and
// removes that. A job of it that has not started yet is replaced by the
// scheduler's first, at the same time: no time is lost and none comes twice. Its
// limit goes on counting. It returns ErrSchedulerExists when newID is taken, and
// ErrNeverFires when the repeatable has reached its end.
func (q *Queue) ConvertScheduler(ctx context.Context, legacyID, newID string, next NextRun) (Upserted, error) {
	if err := validateSchedulerID(newID); err != nil {
		return Upserted{}, err
	}
	replace := ""
	for try := range schedulerTries {
		s, err := q.Scheduler(ctx, legacyID)
		if err != nil {
			return Upserted{}, err
		}
		if s.Legacy == LegacyNone {
			return Upserted{}, q.schedulerError(legacyID, fmt.Errorf("%w: it is a job scheduler already", ErrInvalidOption))
		}
		if try == 0 && s.JobState != "" && !s.JobState.Finished() && s.JobState != StateActive && s.JobState != StateUnknown {
			replace = "1"
		}
		done, err := q.convert(ctx, s, newID, replace, next)
		switch {
		case errors.Is(err, errCanReplace):
			replace = "1"
		case errors.Is(err, errCannotReplace):
			replace = ""
		case !errors.Is(err, errMovedOn):
			return done, err
		}
	}
	return Upserted{}, q.schedulerError(legacyID, ErrBusy)
}

var (
	errCanReplace    = errors.New("the current job has not started")
	errCannotReplace = errors.New("the current job has started")
)

func (q *Queue) convert(ctx context.Context, s Scheduler, newID, replace string, next NextRun) (Upserted, error) {
	fail := func(err error) (Upserted, error) { return Upserted{}, q.schedulerError(s.ID, err) }
	if s.Every <= 0 && s.Pattern == "" {
		return fail(fmt.Errorf("%w: neither every nor pattern", ErrCorrupt))
	}
	if s.JobState == "" {
		return fail(fmt.Errorf("%w: its data went with its last job", ErrLegacyScheduler))
	}
	now, prev := q.nowMS(), s.Next.UnixMilli()
	it := s.iteration()
	it.prevMillis = prev
	count := max(s.Count, 1)
	var due any = ""
	if replace == "" {
		count++
		var ok bool
		var err error
		if due, ok, err = it.next(now, next); err == nil && !ok {
			err = ErrNeverFires
		}
		if err != nil {
			return fail(err)
		}
	}
	oldHead := s.JobID[:len(s.JobID)-len(strconv.FormatInt(prev, 10))]
	converted := s
	converted.ID = newID
	made, err := converted.template(now, count)
	if err != nil {
		return fail(err)
	}
	var every any = ""
	if s.Pattern == "" {
		every = it.every
	}
	spec := SchedulerSpec{
		ID: newID, Name: s.Name, Every: s.Every, Pattern: s.Pattern, TZ: s.TZ, Limit: s.Limit, Start: s.Start, End: s.End, Data: s.Data,
	}
	record := append(spec.record(s.Opts), "ic", max(s.Iterations, count))
	return q.putScheduler(ctx, scriptSchedulerConvert, made, record,
		now, s.ID, int64(q.fence), prev, oldHead, newID, replace, every, it.offset, due)
}
