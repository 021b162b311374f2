package cmd

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// tally counts what became of the jobs of a bulk change.
type tally struct {
	matched int
	changed int
	failed  int
	skipped []skipped
	first   error  // of a job that was not changed
	last    string // id of a job
}

// skipped are jobs that were left alone for the same reason.
type skipped struct {
	Reason string   `json:"reason" about:"why: missing, state, locked, scheduler, corrupt"`
	Count  int      `json:"count" about:"how many jobs"`
	IDs    []string `json:"ids" about:"ids of the first 20"`
}

// maxSkippedIDs bounds how many skipped jobs of a reason are named.
const maxSkippedIDs = 20

// skipReasons are the causes for which a job is skipped: as JSON has them, and
// for people when the job was found, or was named by its id. A job with any
// other error has failed.
var skipReasons = []struct {
	cause            error
	reason           string
	ofFound, ofNamed string
}{
	{queue.ErrJobNotFound, "missing", "job data missing", "not found"},
	{queue.ErrJobNotInState, "state", "moved on meanwhile", "in another state"},
	{queue.ErrJobLocked, "locked", "locked by a worker", "locked by a worker"},
	{queue.ErrSchedulerJob, "scheduler", "next of a job scheduler", "next of a job scheduler"},
	{queue.ErrCorrupt, "corrupt", "job data corrupt", "job data corrupt"},
}

// count takes the answers of one call, and the error that the call ended with.
func (t *tally) count(ids []string, errs []error, callErr error) {
	t.matched += len(ids)
	t.last = ids[len(ids)-1]
	for i, err := range errs {
		switch {
		case err == nil:
			t.changed++
			continue
		case callErr != nil && errors.Is(err, callErr):
			t.failed++
		default:
			t.skip(ids[i], err)
		}
		if t.first == nil {
			t.first = err
		}
	}
}

func (t *tally) skip(id string, err error) {
	for _, r := range skipReasons {
		if errors.Is(err, r.cause) {
			t.reason(r.reason).add(id)
			return
		}
	}
	t.failed++
}

// reason returns the entry of a reason, in the order of first appearance.
func (t *tally) reason(name string) *skipped {
	for i := range t.skipped {
		if t.skipped[i].Reason == name {
			return &t.skipped[i]
		}
	}
	t.skipped = append(t.skipped, skipped{Reason: name, IDs: []string{}})
	return &t.skipped[len(t.skipped)-1]
}

func (s *skipped) add(id string) {
	s.Count++
	if len(s.IDs) < maxSkippedIDs {
		s.IDs = append(s.IDs, id)
	}
}

// changeView is what became of a bulk change, as JSON. Of the three counts it has
// that of its verb; in a dry run it is what would be.
type changeView struct {
	Queue      string    `json:"queue" about:"name of the queue"`
	Matched    int       `json:"matched" about:"jobs that were meant"`
	Retried    *int      `json:"retried,omitempty" about:"jobs that wait again"`
	Promoted   *int      `json:"promoted,omitempty" about:"jobs that wait now"`
	Removed    *int      `json:"removed,omitempty" about:"jobs that are gone"`
	Skipped    []skipped `json:"skipped" about:"jobs that were left alone, by reason"`
	Failed     int       `json:"failed" about:"jobs that Redis refused to change"`
	DurationMs int64     `json:"durationMs" about:"how long it took, in milliseconds"`
	DryRun     bool      `json:"dryRun" about:"true when nothing was changed"`

	name    string // of the queue, as an argument
	summary string // for people
}

// ResultName is the queue.
func (v changeView) ResultName() string { return v.name }

// view tells what has become of the jobs so far.
func (c *bulkChange) view(elapsed time.Duration) changeView {
	v := changeView{
		Queue: c.t.Name, Matched: c.tally.matched, Skipped: c.tally.skipped, Failed: c.tally.failed,
		DurationMs: elapsed.Milliseconds(), DryRun: c.dryRun, name: c.t.argument(), summary: c.summary(elapsed),
	}
	if v.Skipped == nil {
		v.Skipped = []skipped{}
	}
	switch n := c.tally.changed; c.change.done {
	case "retried":
		v.Retried = &n
	case "promoted":
		v.Promoted = &n
	case "removed":
		v.Removed = &n
	}
	return v
}

// summary is the line for people: retried 1,371 of 1,375 failed in billing in
// 0.3s; 4 skipped (job data missing).
func (c *bulkChange) summary(elapsed time.Duration) string {
	label := render.Text(c.t.label())
	if c.tally.matched == 0 {
		return fmt.Sprintf("nothing to %s in %s", c.change.verb, label)
	}
	if c.onlyJob() && c.tally.changed == 1 && !c.dryRun {
		return fmt.Sprintf("%s job %s in %s", c.change.done, render.Text(c.tally.last), label)
	}
	of := int64(c.tally.matched)
	if c.early {
		of = max(of, c.total)
	}
	changed, matched := render.Count(int64(c.tally.changed)), render.Count(of)
	var b strings.Builder
	if c.dryRun {
		fmt.Fprintf(&b, "would %s %s of %s %s in %s", c.change.verb, changed, matched, c.noun, label)
	} else {
		fmt.Fprintf(&b, "%s %s of %s %s in %s in %s", c.change.done, changed, matched, c.noun, label, took(elapsed))
	}
	if text := c.skippedText(); text != "" {
		b.WriteString("; " + text)
	}
	if c.tally.failed > 0 {
		fmt.Fprintf(&b, "; %s failed", render.Count(int64(c.tally.failed)))
	}
	return b.String()
}

// skippedText is 4 skipped (job data missing), or with several reasons
// 5 skipped (4 job data missing, 1 locked by a worker).
func (c *bulkChange) skippedText() string {
	total := 0
	var texts []string
	for _, s := range c.tally.skipped {
		total += s.Count
		text := c.reasonText(s.Reason)
		if len(c.tally.skipped) > 1 {
			text = render.Count(int64(s.Count)) + " " + text
		}
		texts = append(texts, text)
	}
	if total == 0 {
		return ""
	}
	return fmt.Sprintf("%s skipped (%s)", render.Count(int64(total)), strings.Join(texts, ", "))
}

func (c *bulkChange) reasonText(reason string) string {
	for _, r := range skipReasons {
		if r.reason == reason && c.byID {
			return r.ofNamed
		} else if r.reason == reason {
			return r.ofFound
		}
	}
	return reason
}

// took is a duration to the tenth of a second, up to a minute.
func took(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return render.Duration(d)
}
