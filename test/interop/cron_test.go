package interop

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // of Go's release, where the system has none

	"github.com/qctl/qctl/internal/cron"
)

// wholeCron, when set, compares everything instead of an even share of it. That takes an hour.
const wholeCron = "QCTL_WHOLE_CRON"

// The ten years of the comparison.
var (
	cronFrom = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cronTo   = time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
)

// cronZones are zones of all kinds: both hemispheres, changes at midnight, half hours, none at all.
var cronZones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Atlantic/Azores", "Asia/Beirut", "Africa/Cairo", "Asia/Kolkata", "Asia/Kathmandu",
	"Asia/Tokyo", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "America/New_York", "America/Los_Angeles",
	"America/St_Johns", "America/Havana", "America/Santiago", "America/Nuuk",
}

// Patterns of every feature that both parsers have. Rare ones go over all ten years, others also when everything is
// compared; those of changes over two days around each change of a clock, the dense ones over four hours.
var (
	cronRare = []string{
		"0 0 L * *", "0 9 * * 1#1", "30 6 * * 5L", "0 0 1 1 *", "15 12 13 * 5", "0 0 29 2 *", "59 59 23 31 DEC *", "0 0 1-7 JAN,JUL 1", "5 4 3 2 *",
		"0 0 0 1,L */3 ?", "0 9 ? * MON#5", "0 22 ? jun-aug 6L", "0 2 * 3,4,10,11 0", "30 2 25-31 3,10 *", "30 1 1-7 11 SUN", "45 23 */10 * *",
		"0 0 31 * *", "@monthly", "@yearly", "10 5/6 15 2-12/5 *", "0 12 1 * 7#2", "0 0 * 11 4#4",
	}
	cronOften   = []string{"0 3 * * *", "30 2 * * *", "0 0 * * *", "30 1 * * *", "15 14 1-31/2 * *", "0 9 * * MON-FRI", "@weekly", "20 */8 * * 0,3,6"}
	cronChanges = []string{
		"0 * * * *", "*/30 * * * *", "15 */2 * * *", "30 2 * * *", "30 1 * * *", "0 0 * * *", "30 0 * * *", "30 23 * * *", "0 0-6/2 * * *",
		"*/20 2 * * *", "10 0,1,2,3 * * *", "45 30 1-3 * * *", "0 3 * * SUN", "0 2 L * *", "@daily", "@hourly", "7 0-23 * * *",
	}
	cronDense = []string{"* * * * *", "*/7 * * * *", "*/45 * * * * *", "5,50 */3 1-4 * * *"}
)

// cronQuestion is a line for cron.mjs.
type cronQuestion struct {
	Pattern string `json:"pattern"`
	TZ      string `json:"tz"`
	From    int64  `json:"from"` // ms
	To      int64  `json:"to"`
}

// cronQuestions are all, in an order in which any stride meets all kinds.
func cronQuestions(t *testing.T) []cronQuestion {
	t.Helper()
	var all []cronQuestion
	ask := func(zone string, from, to time.Time, patterns ...string) {
		for _, pattern := range patterns {
			all = append(all, cronQuestion{pattern, zone, from.UnixMilli(), to.UnixMilli()})
		}
	}
	for _, zone := range cronZones {
		loc, err := cron.ParseZone(zone)
		if err != nil {
			t.Fatal(err)
		}
		ask(zone, cronFrom, cronTo, cronRare...)
		if os.Getenv(wholeCron) != "" {
			ask(zone, cronFrom, cronTo, cronOften...)
		}
		for at := cronFrom; ; {
			_, change := at.In(loc).ZoneBounds()
			if change.IsZero() || change.After(cronTo) {
				break
			}
			if _, offset := change.In(loc).Zone(); change.After(at) && offset != offsetOf(change.Add(-time.Second), loc) {
				ask(zone, change.Add(-26*time.Hour), change.Add(26*time.Hour), cronChanges...)
				ask(zone, change.Add(-2*time.Hour), change.Add(2*time.Hour), cronDense...)
			}
			at = change.Add(time.Hour)
		}
	}
	return all
}

func offsetOf(at time.Time, loc *time.Location) int {
	_, offset := at.In(loc).Zone()
	return offset
}

// cronAnswers are those of one parser.
type cronAnswers struct {
	Version string `json:"version"`
	Tzdata  string `json:"tzdata"`
	Node    string `json:"node"`

	times [][]*int64
}

func askCron(t *testing.T, bullmq int, questions []cronQuestion) cronAnswers {
	t.Helper()
	var in bytes.Buffer
	for _, q := range questions {
		line, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), requireNode(t), "cron.mjs", "--bullmq", fmt.Sprint(bullmq))
	cmd.Env = append(os.Environ(), "TZ=UTC")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var a cronAnswers
	lines := bufio.NewReader(bytes.NewReader(out))
	head, err := lines.ReadBytes('\n')
	if err != nil || json.Unmarshal(head, &a) != nil {
		t.Fatalf("cron.mjs began with %q, %v", head, err)
	}
	rest := json.NewDecoder(lines)
	for range questions {
		var times []*int64
		if err := rest.Decode(&times); err != nil {
			t.Fatal(err)
		}
		a.times = append(a.times, times)
	}
	return a
}

// cronDifference is one answer that we do not give.
type cronDifference struct {
	question  cronQuestion
	from      time.Time
	ours, its time.Time // zero for none before the end
	gaveUp    bool      // its search ended in an error
}

func (d cronDifference) String() string {
	its := d.its.String()
	if d.gaveUp {
		its = "an error"
	}
	return fmt.Sprintf("%q after %s: we say %s, it says %s", d.question.Pattern, d.from, d.ours, its)
}

// compareCron asks our parser each question anew from where the other one stood.
func compareCron(t *testing.T, q cronQuestion, times []*int64, differ func(cronDifference)) (compared int) {
	t.Helper()
	schedule, err := cron.Parse(q.Pattern)
	if err != nil {
		t.Fatal(err)
	}
	loc, err := cron.ParseZone(q.TZ)
	if err != nil {
		t.Fatal(err)
	}
	from, to := time.UnixMilli(q.From).In(loc), time.UnixMilli(q.To)
	for i := 0; i <= len(times); i++ {
		d := cronDifference{question: q, from: from}
		if i < len(times) {
			if d.gaveUp = times[i] == nil; !d.gaveUp {
				d.its = time.Unix(from.Unix()+*times[i], 0).In(loc)
			}
		}
		if next, ok := schedule.Next(from); ok && !next.After(to) {
			d.ours = next
		}
		compared++
		if d.gaveUp || !d.ours.Equal(d.its) {
			differ(d)
		}
		if d.gaveUp || d.its.IsZero() {
			break
		}
		from = d.its
	}
	return compared
}

// Our fire times are those of the parsers of BullMQ 5 and 6, over ten years, twenty zones and every change of a clock.
func TestCronFiresAsNodeDoes(t *testing.T) {
	t.Parallel()
	requireNode(t)
	all := cronQuestions(t)
	for _, c := range []struct{ bullmq, share int }{{5, 31}, {6, 7}} {
		t.Run(fmt.Sprintf("bullmq%d", c.bullmq), func(t *testing.T) {
			t.Parallel()
			share := c.share
			if os.Getenv(wholeCron) != "" {
				share = 1
			}
			var questions []cronQuestion
			for i := 0; i < len(all); i += share {
				questions = append(questions, all[i])
			}
			answers := askCron(t, c.bullmq, questions)
			compared, kept, reasons := 0, map[string]int{}, cronReasons(answers.Version)
			zones, patterns := map[string]bool{}, map[string]bool{}
			var others []cronDifference
			for i, q := range questions {
				zones[q.TZ], patterns[q.Pattern] = true, true
				compared += compareCron(t, q, answers.times[i], func(d cronDifference) {
					for _, r := range reasons {
						if r.holds(d) {
							kept[r.text]++
							return
						}
					}
					others = append(others, d)
				})
			}
			t.Logf("cron-parser %s (zones %s, Node %s): %d fire times of %d patterns in %d zones compared, in %d of %d stretches",
				answers.Version, answers.Tzdata, answers.Node, compared, len(patterns), len(zones), len(questions), len(all))
			for _, text := range slices.Sorted(maps.Keys(kept)) {
				t.Logf("kept: %s: %d", text, kept[text])
			}
			slices.SortStableFunc(others, func(a, b cronDifference) int { return cmp.Compare(a.question.TZ, b.question.TZ) })
			for i, d := range others {
				if i == 40 {
					break
				}
				t.Errorf("%s: %s", d.question.TZ, d)
			}
			if len(others) > 0 || len(zones) != len(cronZones) || compared < 5000 {
				t.Errorf("%d differences, %d zones, %d fire times", len(others), len(zones), compared)
			}
		})
	}
}

// cronReason is why we differ on purpose.
type cronReason struct {
	text  string
	holds func(cronDifference) bool
}

func cronReasons(version string) []cronReason { return nil }
