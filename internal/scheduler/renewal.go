package scheduler

import (
	"encoding/json"
	"time"

	"github.com/qctl/qctl/internal/queue"
)

// expiresAtKey is the member of a payload and of a return value that names when
// something ends.
const expiresAtKey = "expiresAt"

// Renewal returns the spec of a schedule that makes its one job so long before
// the time expires, at once where that has passed: an interval that ends with its
// first job. One id stands for one thing that expires, so a new time replaces the
// old one and never stands beside it.
func Renewal(spec queue.SchedulerSpec, before time.Duration, expires time.Time) queue.SchedulerSpec {
	spec.Every, spec.Limit = before, 1
	spec.Pattern, spec.TZ, spec.Offset, spec.Immediately = "", "", 0, false
	spec.Start, spec.End = expires.Add(-before), time.Time{}
	return spec
}

// renewed is what is wanted of a live schedule that has been renewed since it was
// declared: the later time counts. It returns d itself where that is the
// declared one.
func renewed(d *Declared, l *Live, expiresAt func([]byte) (time.Time, error)) *Declared {
	at, err := expiresAt(l.Data)
	if err != nil || at.Before(d.Expires) {
		return d
	}
	later, ok := withExpiry(d, l.Data, at)
	if !ok {
		return d
	}
	if l.Every == d.Before {
		later.Spec.Start = l.Start // which may have been put later, see next
	}
	return later
}

// next returns what a renewal makes of a schedule: the spec for the later time
// that a job returned, or false when it returned none. What expires sooner than
// it is renewed beforehand is renewed at half its time, or it would be renewed
// without end.
func next(l *Live, returned json.RawMessage, now time.Time, expiresAt func([]byte) (time.Time, error)) (*Declared, bool) {
	at, err := expiresAt(returned)
	if err != nil || !at.After(now) {
		return nil, false
	}
	if known, err := expiresAt(l.Data); err == nil && !at.After(known) {
		return nil, false
	}
	opts, err := queue.DecodeOptions(l.Opts)
	if err != nil {
		return nil, false
	}
	d := &Declared{
		Queue: l.Queue, Before: l.Mark.Before, Set: l.Mark.Set,
		Spec: queue.SchedulerSpec{ID: l.ID, Name: l.Name, Data: l.Data, Opts: template(opts)},
	}
	later, ok := withExpiry(d, returned, at)
	if ok && !later.Spec.Start.After(now) {
		later.Spec.Start = now.Add(at.Sub(now) / 2)
	}
	return later, ok
}

// withExpiry returns a copy of d that runs before at, as the member of another
// payload or return value names it.
func withExpiry(d *Declared, from json.RawMessage, at time.Time) (*Declared, bool) {
	var source, data map[string]json.RawMessage
	if json.Unmarshal(from, &source) != nil || json.Unmarshal(object(d.Spec.Data), &data) != nil || data == nil {
		return nil, false
	}
	data[expiresAtKey] = source[expiresAtKey]
	text, err := json.Marshal(data)
	if err != nil {
		return nil, false
	}
	later := *d
	later.Expires = at
	later.Spec = Renewal(d.Spec, d.Before, at)
	later.Spec.Data = text
	return &later, true
}
