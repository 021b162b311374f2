package queue

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Level is the jobs of one priority that are ready to run.
type Level struct {
	// Priority is as on the wire: 0 are the jobs without one, which run first,
	// and then 1.
	Priority int
	Jobs     int64
	// Next is the job of this priority that runs next, and Since since when it
	// has been ready, as [Standing] counts it. Where jobs run in the order in
	// which they came it is the oldest. Next is empty when the first ids have no
	// job behind them, and Since is zero when it cannot be told.
	Next  string
	Since time.Time
}

// Lag is what of a queue should have been done already.
type Lag struct {
	// Levels are in the order in which they run. Behind are the jobs of further
	// priorities that were not asked for.
	Levels []Level
	Behind int64
	// Overdue is how many delayed jobs were due before now, and DueSince since
	// when the first of them was: no worker has looked at the queue since.
	Overdue  int64
	DueSince time.Time
}

var scriptLag = &script{name: "lag", readOnly: true}

// levelsPerCall keeps a call short: each priority costs some ten commands.
const levelsPerCall = 100

// Lag tells how many jobs of each priority are ready to run, and since when, for
// the first priorities; 0 means all. It reads one job for each, however many
// jobs there are, and the priorities of one call at one moment.
func (q *Queue) Lag(ctx context.Context, priorities int) (Lag, error) {
	if priorities <= 0 {
		priorities = math.MaxInt
	}
	now := q.nowMS()
	var lag Lag
	var from any = ""
	for {
		most := min(levelsPerCall, priorities-len(lag.Levels))
		reply, err := q.run(ctx, scriptLag, from, most, ListFieldLimit, now)
		if err != nil {
			return Lag{}, err
		}
		parts := replyList(reply)
		levels := replyList(at(parts, 0))
		for _, level := range levels {
			lag.Levels = append(lag.Levels, decodeLevel(replyList(level)))
		}
		lag.Behind, lag.Overdue = replyInt(at(parts, 1)), replyInt(at(parts, 2))
		lag.DueSince = time.Time{}
		if lag.Overdue > 0 {
			lag.DueSince = time.UnixMilli(replyInt(at(parts, 3)))
		}
		if lag.Behind == 0 || len(levels) == 0 || len(lag.Levels) >= priorities {
			return lag, nil
		}
		from = lag.Levels[len(lag.Levels)-1].Priority + 1
	}
}

func decodeLevel(parts []any) Level {
	level := Level{Priority: int(replyInt(at(parts, 0))), Jobs: replyInt(at(parts, 1)), Next: replyText(at(parts, 2))}
	if level.Next != "" {
		level.Since = readySince([]string{replyText(at(parts, 3)), replyText(at(parts, 4)), replyText(at(parts, 5))})
	}
	return level
}

// priorityClass is how far the scores of two priorities are apart (wire section
// 5.2).
const priorityClass = 1 << 32

// CountsPerPriority counts the jobs of the given priorities that are ready to
// run, in the order given; 0 are those without a priority.
func (q *Queue) CountsPerPriority(ctx context.Context, priorities []int) ([]int64, error) {
	counts := make([]int64, len(priorities))
	pipe := q.client.rdb.Pipeline()
	reads := make([]func() (int64, error), len(priorities))
	for i, p := range priorities {
		if p == 0 {
			reads[i] = askWaiting(ctx, pipe, q.base)
			continue
		}
		low := int64(p) * priorityClass
		reads[i] = pipe.ZCount(ctx, q.base.key(keyPrioritized), fmt.Sprint(low), fmt.Sprint(low+priorityClass-1)).Result
	}
	// Every command holds its own error, also when none was sent.
	_, _ = pipe.Exec(ctx)
	for i, read := range reads {
		var err error
		if counts[i], err = read(); err != nil {
			return nil, wrapRedis("priorities of "+q.base.String(), err)
		}
	}
	return counts, nil
}

// DueBefore counts the delayed jobs that are due before a moment. Those due
// before now are overdue: some worker should have taken them up.
func (q *Queue) DueBefore(ctx context.Context, at time.Time) (int64, error) {
	n, err := q.client.rdb.ZCount(ctx, q.base.key(keyDelayed), "-inf", fmt.Sprint(at.UnixMilli()*delayedScale-1)).Result()
	if err != nil {
		return 0, wrapRedis("delayed jobs of "+q.base.String(), err)
	}
	return n, nil
}

var scriptPosition = &script{name: "position", readOnly: true}

// positionSteps is how far a list is searched, which costs Redis about fifteen
// milliseconds.
const positionSteps = 1000000

// Position tells how many jobs run before this one as things stand: new jobs
// without a priority overtake those with one. It is false for a job that does
// not wait, and for one without a priority that stands behind a million others.
// Finding a job without a priority costs a walk over those before it.
func (q *Queue) Position(ctx context.Context, id string) (ahead int64, found bool, err error) {
	reply, err := q.run(ctx, scriptPosition, id, positionSteps)
	if err != nil {
		return 0, false, err
	}
	ahead, found = reply.(int64)
	return ahead, found, nil
}
