package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

var scriptReadSchedulers = &script{name: "read_schedulers", readOnly: true}

// schedulerPage is the most schedulers that one script call reads.
const schedulerPage = 100

// recordFields are those of a scheduler's record, in the order in which they
// are read.
var recordFields = []string{
	fieldName, "every", "pattern", "tz", "offset", "limit", "startDate", "endDate", "ic", fieldData, fieldOpts,
}

// Schedulers returns a page of the queue's schedulers by the time of their next
// job, the paused ones last, and how many there are in all. after is how many
// to leave out at the beginning. Nothing is deleted or mended by reading: what
// cannot be read is described by Corrupt.
func (q *Queue) Schedulers(ctx context.Context, after, limit int) ([]Scheduler, int, error) {
	var all []Scheduler
	for after = max(after, 0); ; {
		page := min(limit-len(all), schedulerPage)
		answer, err := q.readSchedulers(ctx, after, after+max(page, 1)-1)
		if err != nil {
			return nil, 0, err
		}
		paused := slices.SortedFunc(slices.Values(answer.paused), func(a, b Scheduler) int { return strings.Compare(a.ID, b.ID) })
		total := answer.running + len(paused)
		if page <= 0 {
			return all, total, nil
		}
		all = append(all, answer.rows[:min(page, len(answer.rows))]...)
		after += len(answer.rows)
		if len(answer.rows) == 0 {
			first := min(max(0, after-answer.running), len(paused))
			all = append(all, paused[first:min(len(paused), first+limit-len(all))]...)
			return all, total, nil
		}
	}
}

// Scheduler reads one scheduler, running or paused, or returns
// ErrSchedulerNotFound.
func (q *Queue) Scheduler(ctx context.Context, id string) (Scheduler, error) {
	answer, err := q.readSchedulers(ctx, "", id)
	if err != nil {
		return Scheduler{}, err
	}
	for _, s := range append(answer.rows, answer.paused...) {
		return s, nil
	}
	return Scheduler{}, q.schedulerError(id, ErrSchedulerNotFound)
}

type schedulersRead struct {
	running int
	rows    []Scheduler
	paused  []Scheduler
}

// readSchedulers reads those at places, or one by its id.
func (q *Queue) readSchedulers(ctx context.Context, first, last any) (schedulersRead, error) {
	args := []any{first, last, ShowFieldLimit}
	for _, name := range recordFields {
		args = append(args, name)
	}
	reply, err := q.run(ctx, scriptReadSchedulers, args...)
	if err != nil {
		return schedulersRead{}, err
	}
	parts := replyList(reply)
	answer := schedulersRead{running: int(replyInt(at(parts, 0)))}
	for _, row := range replyList(at(parts, 1)) {
		s, err := q.decodeScheduler(ctx, replyList(row))
		if err != nil {
			return schedulersRead{}, err
		}
		answer.rows = append(answer.rows, s)
	}
	kept := replyList(at(parts, 2))
	for i := 0; i+1 < len(kept); i += 2 {
		k := readKept(replyText(kept[i+1]))
		answer.paused = append(answer.paused, k.scheduler(replyText(kept[i])))
	}
	return answer, nil
}

// decodeScheduler reads one answer of read_schedulers.lua.
func (q *Queue) decodeScheduler(ctx context.Context, row []any) (Scheduler, error) {
	id, score := replyText(at(row, 0)), replyText(at(row, 1))
	s := Scheduler{ID: id}
	record := map[string]string{}
	values := replyList(at(row, 3))
	for i, name := range recordFields {
		switch value := at(values, i).(type) {
		case string:
			record[name] = value
		case int64:
			s.corrupt("%s: %d bytes are too large to be read", name, value)
		}
	}
	kind := replyText(at(row, 2))
	state, job := replyText(at(row, 4)), replyList(at(row, 5))
	if s.Legacy = legacyKind(id, record); kind == "hash" || s.Legacy == LegacyPlain {
		s.readRecord(record)
	}
	ms, err := strconv.ParseFloat(score, 64)
	if err != nil || math.Abs(ms) > 1<<53 {
		s.corrupt("score: %.40q is not a time", score)
	} else {
		s.Next = time.UnixMilli(int64(ms))
	}
	s.JobID = iterationHead(id) + strconv.FormatInt(s.Next.UnixMilli(), 10)
	if s.Legacy == LegacyPlain {
		key, _ := parseLegacyKey(id)
		for name, text := range key.fields() {
			record[name] = text
		}
		s.readRecord(record)
		s.JobID = key.head() + strconv.FormatInt(s.Next.UnixMilli(), 10)
		if state, job, err = q.readIteration(ctx, s.JobID); err != nil {
			return Scheduler{}, err
		}
	} else if kind != "hash" {
		s.corrupt("record: %s", map[bool]string{true: "missing", false: "holds a " + kind}[kind == "none"])
	}
	if state != "none" {
		s.readIteration(job)
	}
	s.setState(state)
	s.Health = s.health(q.client)
	return s, nil
}

// readIteration reads what read_schedulers.lua reads of an iteration.
func (q *Queue) readIteration(ctx context.Context, id string) (state string, values []any, err error) {
	fields := FieldOpts | FieldTimestamp | FieldProcessedOn | FieldData | FieldName
	err = q.read(ctx, []string{id}, readOptions{fields: fields, limit: ShowFieldLimit, states: true}, func(job Job, exists bool) {
		state = "none"
		if !exists {
			return
		}
		if state = string(job.State); job.State == StateUnknown {
			state = ""
		}
		values = []any{string(job.Opts), wireTime(job.Timestamp), wireTime(job.ProcessedOn), string(job.Data), job.Name}
	})
	return state, values, err
}

// wireTime is a time as a job hash has it, nil for the zero time.
func wireTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

func (s *Scheduler) corrupt(format string, args ...any) {
	s.Corrupt = append(s.Corrupt, fmt.Sprintf(format, args...))
}

// readRecord reads the fields of a record; what cannot be read stays zero and
// is named in Corrupt.
func (s *Scheduler) readRecord(record map[string]string) {
	number := func(name string) int64 {
		text, given := record[name]
		if !given || text == "" {
			return 0
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.Abs(n) > 1<<53 {
			s.corrupt("%s: %.40q is not a number in range", name, text)
			return 0
		}
		return int64(n)
	}
	s.Name, s.Pattern, s.TZ = record[fieldName], record["pattern"], record["tz"]
	s.Every, s.Offset = millis(float64(number("every"))), millis(float64(number("offset")))
	s.Limit, s.Iterations = number("limit"), number("ic")
	s.Start, s.End = timeOf(number("startDate")), timeOf(number("endDate"))
	for name, into := range map[string]*json.RawMessage{fieldData: &s.Data, fieldOpts: &s.Opts} {
		text, given := record[name]
		if !given {
			continue
		}
		*into = json.RawMessage(text)
		if !json.Valid(*into) {
			s.corrupt("%s: %v", name, jsonError(*into))
		}
	}
}

// readIteration reads what only the current job says, and what the record of a
// legacy repeatable lacks.
func (s *Scheduler) readIteration(values []any) {
	var opts struct {
		Repeat struct {
			Count, Limit, Every, Offset float64
			Pattern, TZ                 string
			StartDate, EndDate          json.RawMessage
		}
	}
	text := replyText(at(values, 0))
	if err := json.Unmarshal([]byte(text), &opts); err != nil {
		s.corrupt("options of job %.80q: %v", s.JobID, err)
	}
	s.Count = int64(opts.Repeat.Count)
	started := millisOf(at(values, 2))
	s.Last = timeOf(started)
	if started == 0 && s.Count > 1 {
		// A job is made at the moment when the one before is taken up.
		s.Last = timeOf(millisOf(at(values, 1)))
	}
	if s.Legacy == LegacyNone && len(s.Corrupt) == 0 {
		return
	}
	r := opts.Repeat
	if s.Limit == 0 {
		s.Limit = int64(r.Limit)
	}
	if s.Every == 0 && s.Pattern == "" {
		s.Every, s.Pattern = millis(r.Every), r.Pattern
	}
	if s.TZ == "" {
		s.TZ = r.TZ
	}
	if s.Offset == 0 {
		s.Offset = millis(r.Offset)
	}
	if s.Start.IsZero() {
		s.Start = timeOf(int64(wireDate(r.StartDate)))
	}
	if s.End.IsZero() {
		s.End = timeOf(int64(wireDate(r.EndDate)))
	}
	if s.Data == nil {
		s.Data = json.RawMessage(replyText(at(values, 3)))
	}
	if s.Opts == nil {
		s.Opts = legacyTemplate(text)
	}
	if s.Name == "" {
		s.Name = replyText(at(values, 4))
	}
}

// legacyTemplate is what the options of a repeatable's job say of all of them.
func legacyTemplate(text string) json.RawMessage {
	opts := map[string]json.RawMessage{}
	if json.Unmarshal([]byte(text), &opts) != nil {
		return nil
	}
	withoutTimes(opts)
	if string(opts["attempts"]) == "0" {
		delete(opts, "attempts")
	}
	if len(opts) == 0 {
		return nil
	}
	kept, err := json.Marshal(opts)
	if err != nil {
		return nil
	}
	return kept
}

// millisOf reads a time of a job hash, 0 for none.
func millisOf(v any) int64 {
	n, err := strconv.ParseFloat(replyText(v), 64)
	if err != nil || math.Abs(n) > 1<<53 {
		return 0
	}
	return int64(n)
}

// setState takes the state as iteration.lua names it: "" for a job that stands
// nowhere.
func (s *Scheduler) setState(state string) {
	switch state {
	case "none":
		s.JobState = ""
	case "":
		s.JobState = StateUnknown
	default:
		s.JobState = State(state)
	}
}

// health judges what was read.
func (s *Scheduler) health(c *Client) SchedulerHealth {
	alive := s.JobState != "" && s.JobState != StateUnknown && !s.JobState.Finished()
	switch {
	case s.Paused:
		return SchedulerPaused
	case s.Every <= 0 && s.Pattern == "" || slices.ContainsFunc(s.Corrupt, fatal):
		return SchedulerCorrupt
	case !alive && s.ended(c):
		return SchedulerEnded
	case !alive:
		return SchedulerStopped
	case s.Legacy != LegacyNone:
		return SchedulerLegacy
	}
	return SchedulerHealthy
}

// fatal tells whether a fault of the record ends the schedule.
func fatal(fault string) bool {
	for _, name := range []string{"record", "score", "every", "limit", "startDate", "endDate", "options"} {
		if strings.HasPrefix(fault, name) {
			return true
		}
	}
	return false
}

// ended tells whether limit or end explain that there is no next job. Of a job
// that is gone the number is not known; the scheduler cannot have made more
// jobs since its last change than in its life.
func (s *Scheduler) ended(c *Client) bool {
	now := c.now()
	it := s.iteration()
	if it.ended(now.UnixMilli()) {
		return true
	}
	if s.End.IsZero() || s.Pattern == "" || c.nextRun == nil {
		return false
	}
	_, ok, err := it.nextOfPattern(now.UnixMilli(), c.nextRun)
	return err == nil && !ok
}

// iteration is the current one, as far as the next depends on it.
func (s *Scheduler) iteration() *iteration {
	it := &iteration{
		every: s.Every.Milliseconds(), offset: s.Offset.Milliseconds(), pattern: s.Pattern, tz: s.TZ,
		limit: s.Limit, count: s.Count, current: s.Next.UnixMilli(),
	}
	if s.JobState == "" && s.Count == 0 {
		it.count = s.Iterations
	}
	if !s.Start.IsZero() {
		it.startDate = s.Start.UnixMilli()
	}
	if !s.End.IsZero() {
		it.endDate = s.End.UnixMilli()
	}
	return it
}
