package scheduler

import (
	"cmp"
	"slices"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// Declared is a schedule as somebody wants it to be.
type Declared struct {
	Queue queue.KeyBase
	Spec  queue.SchedulerSpec
	// Before, unless it is 0, makes one job so long before Expires, and another
	// one when that returns a later time, see [Renewal].
	Before  time.Duration
	Expires time.Time
	// Paused says whether it rests; nil leaves that to whoever paused or resumed
	// it last.
	Paused *bool
	// Set is the built-in set that it belongs to; empty means the configuration
	// file.
	Set string
}

// Live is a schedule as Redis has it.
type Live struct {
	Queue queue.KeyBase
	queue.Scheduler
	// Mark says by whom it was applied; nil means that nobody did and that it was
	// made by a program, or by hand.
	Mark *queue.ScheduleMark
}

// Action is what is to be done about a schedule.
type Action string

// The actions.
const (
	ActionAdd     Action = "add"
	ActionChange  Action = "change"
	ActionRemove  Action = "remove"
	ActionRestart Action = "restart"
	ActionNone    Action = "none"
)

// Field is a property that differs, as BullMQ spells it, with both values as
// JSON.
type Field struct {
	Name          string
	Before, After string
}

// Change is what is to be done about one schedule. Nothing (ActionNone) has a
// reason when it is worth telling.
type Change struct {
	Queue  queue.KeyBase
	ID     string
	Action Action
	Fields []Field // what differs, for ActionChange
	Why    string  // of the action, one line; may be empty

	Declared *Declared // nil: nobody declares it
	Live     *Live     // nil: it is not there
}

// PlanOptions says what a plan may do.
type PlanOptions struct {
	Now time.Time
	// Prune names the sets whose schedules are removed when they are declared no
	// more; the empty name stands for the configuration file. Schedules that were
	// not applied are never removed.
	Prune []string
	// ExpiresAt reads the time that a payload names.
	ExpiresAt func(data []byte) (time.Time, error)
}

// Reasons that a Change gives.
const (
	WhyStopped   = "its next job is missing"
	WhyPaused    = "it is paused"
	WhyEnded     = "it has ended"
	WhyLegacy    = "it is a repeatable job of an old BullMQ: qctl schedule convert makes a schedule of it"
	WhyCorrupt   = "its record cannot be read"
	WhyLeftAlone = "it is declared no more"
	WhyWaits     = "its job has run; a later expiresAt makes the next"
	WhyRenewed   = "its job returned a later expiresAt"
)

// fieldPaused is the one property of a Field that is not BullMQ's.
const fieldPaused = "paused"

// Plan compares what is declared with what is live, and returns what would have
// to be done, by queue and id. Of live schedules that are not declared it says
// something only when they stopped, cannot go on, or were applied before.
func Plan(declared []Declared, live []Live, opts PlanOptions) []Change {
	type identity struct {
		base queue.KeyBase
		id   string
	}
	there := make(map[identity]*Live, len(live))
	for i := range live {
		there[identity{live[i].Queue, live[i].ID}] = &live[i]
	}
	wanted := make(map[identity]bool, len(declared))
	var changes []Change
	for i := range declared {
		this := identity{declared[i].Queue, declared[i].Spec.ID}
		if wanted[this] {
			continue // the configuration and the sets refuse it themselves
		}
		wanted[this] = true
		changes = append(changes, planOne(&declared[i], there[this], opts))
	}
	for i := range live {
		if l := &live[i]; !wanted[identity{l.Queue, l.ID}] {
			if c := planUndeclared(l, opts); c.Action != ActionNone || c.Why != "" {
				changes = append(changes, c)
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Queue.String(), b.Queue.String()), cmp.Compare(a.ID, b.ID))
	})
	return changes
}

// planOne is what is to be done about a declared schedule.
func planOne(d *Declared, l *Live, opts PlanOptions) Change {
	c := Change{Queue: d.Queue, ID: d.Spec.ID, Action: ActionNone, Declared: d, Live: l}
	ended := !d.Spec.End.IsZero() && d.Spec.End.Before(opts.Now)
	paused := d.Paused != nil && *d.Paused
	switch {
	case l == nil && paused:
		c.Why = WhyPaused
		return c
	case l == nil && ended:
		c.Why = WhyEnded
		return c
	case l == nil:
		c.Action = ActionAdd
		return c
	case l.Legacy != queue.LegacyNone:
		c.Why = WhyLegacy
		return c
	}
	if d.Before > 0 {
		c.Declared = renewed(d, l, opts.ExpiresAt)
	}
	c.Fields = differences(&c.Declared.Spec, &l.Scheduler)
	switch {
	case l.Paused && (d.Paused == nil || paused):
		// Writing it would make it run. What differs is applied when it is resumed.
		c.Why, c.Fields = WhyPaused, nil
	case paused || l.Paused:
		c.Action = ActionChange
		c.Fields = append(c.Fields, Field{fieldPaused, jsonText(l.Paused), jsonText(paused)})
	case l.Health == queue.SchedulerCorrupt:
		c.Action, c.Why = ActionChange, WhyCorrupt
	case d.Before > 0 && l.Health == queue.SchedulerEnded && sameTime(l.Start, c.Declared.Spec.Start):
		// To write it would run it once more for the same expiry.
		c.Why, c.Fields = WhyWaits, nil
	case len(c.Fields) > 0 && !ended:
		c.Action = ActionChange
	case l.Health == queue.SchedulerEnded || ended:
		c.Why, c.Fields = WhyEnded, nil
	case l.Health == queue.SchedulerStopped:
		c.Action, c.Why = ActionRestart, WhyStopped
	}
	return c
}

// planUndeclared is what is to be done about a schedule that nobody declares.
func planUndeclared(l *Live, opts PlanOptions) Change {
	c := Change{Queue: l.Queue, ID: l.ID, Action: ActionNone, Live: l}
	switch {
	case l.Legacy != queue.LegacyNone:
		c.Why = WhyLegacy
	case l.Mark != nil && slices.Contains(opts.Prune, l.Mark.Set):
		c.Action, c.Why = ActionRemove, WhyLeftAlone
	case l.Health == queue.SchedulerCorrupt:
		c.Why = WhyCorrupt
	case l.Health == queue.SchedulerStopped:
		c.Action, c.Why = ActionRestart, WhyStopped
	case l.Mark != nil && l.Mark.Before == 0 && l.Mark.Set == "":
		c.Why = WhyLeftAlone
	}
	return c
}
