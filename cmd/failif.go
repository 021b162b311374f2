package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/filter"
	"github.com/qctl/qctl/internal/render"
)

// alarm is the condition of --fail-if.
type alarm struct{ condition *filter.Condition }

// alarmed is what a condition is held against.
type alarmed struct {
	label  string
	values map[string]any
}

// parseAlarm compiles the condition. Sample has a value of the right type for
// each name that it may use.
func parseAlarm(source string, sample map[string]any) (*alarm, error) {
	condition, err := filter.Parse(source, sample)
	if err == nil {
		return &alarm{condition}, nil
	}
	names := slices.Sorted(maps.Keys(sample))
	hint, near := "it knows "+strings.Join(names, " "), ""
	var unknown *filter.UnknownNameError
	if errors.As(err, &unknown) {
		near = config.Suggest(unknown.Name, names)
	}
	return nil, &usageError{err: fmt.Errorf("--fail-if: %w", err), hint: didYouMean(near, hint), near: near}
}

// alarmValues is what a condition can ask of a queue: the fields of its JSON,
// its status, its share of failures, and the age of the oldest job as a span of
// time. What is unknown is -1; of a queue that cannot be read everything is.
func alarmValues(s render.Stats) map[string]any {
	c := s.Counts
	values := map[string]any{
		"queue": s.Queue, "alias": s.Alias, "keyBase": s.KeyBase.String(), "status": string(s.Status()),
		"waiting": c.Waiting, "prioritized": c.Prioritized, "active": c.Active, "completed": c.Completed,
		"failed": c.Failed, "delayed": c.Delayed, "waitingChildren": c.WaitingChildren, "total": c.Total,
		"paused": c.Paused, "workers": int64(s.Workers),
		"completedPerMinute": s.CompletedPerMinute, "failedPerMinute": s.FailedPerMinute,
		"errorRate": float64(render.Unknown), "oldest": time.Duration(0), "oldestWaitingMs": int64(0),
	}
	if rate, ok := s.ErrorRate(); ok {
		values["errorRate"] = rate
	}
	if s.Waits() {
		values["oldest"], values["oldestWaitingMs"] = s.OldestWaiting, s.OldestWaiting.Milliseconds()
	}
	if s.Waits() && s.OldestWaiting < 0 {
		values["oldestWaitingMs"] = int64(render.Unknown)
	}
	return values
}

// alarmedStats are the queues that could be read; the others have an error of
// their own already.
func alarmedStats(stats []render.Stats) (rows []alarmed) {
	for _, s := range stats {
		if s.Counts.Err == nil {
			rows = append(rows, alarmed{cmp.Or(s.Alias, s.Queue), alarmValues(s)})
		}
	}
	return rows
}

// check returns a partialError that names the rows for which the condition
// holds. Without a condition it never does.
func (f *alarm) check(rows []alarmed) error {
	if f == nil {
		return nil
	}
	var held []string
	for _, row := range rows {
		holds, err := f.condition.Holds(row.values)
		if err != nil {
			return &usageError{err: fmt.Errorf("--fail-if: %w", err)}
		}
		if holds {
			held = append(held, f.because(row))
		}
	}
	if len(held) == 0 {
		return nil
	}
	return &partialError{err: fmt.Errorf("%s: %s", f.condition, strings.Join(held, ", "))}
}

// because is a row with the values that the condition asked for.
func (f *alarm) because(row alarmed) string {
	var parts []string
	for _, name := range f.condition.Names() {
		parts = append(parts, fmt.Sprintf("%s %v", name, row.values[name]))
	}
	if len(parts) == 0 {
		return row.label
	}
	return row.label + " (" + strings.Join(parts, ", ") + ")"
}
