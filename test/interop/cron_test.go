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
const wholeCron = "INTEROP_WHOLE_CRON"

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
	Most    int    `json:"most,omitempty"` // most answers
}

// cronQuestions are all over the whole ten years, and all around changes.
func cronQuestions(t *testing.T) (years, changes []cronQuestion) {
	t.Helper()
	ask := func(all *[]cronQuestion, zone string, from, to time.Time, patterns ...string) {
		for _, pattern := range patterns {
			*all = append(*all, cronQuestion{Pattern: pattern, TZ: zone, From: from.UnixMilli(), To: to.UnixMilli()})
		}
	}
	for _, zone := range cronZones {
		loc, err := cron.ParseZone(zone)
		if err != nil {
			t.Fatal(err)
		}
		ask(&years, zone, cronFrom, cronTo, cronRare...)
		if os.Getenv(wholeCron) != "" {
			ask(&years, zone, cronFrom, cronTo, cronOften...)
		}
		for at := cronFrom; ; {
			_, change := at.In(loc).ZoneBounds()
			if change.IsZero() || change.After(cronTo) {
				break
			}
			if _, offset := change.In(loc).Zone(); change.After(at) && offset != offsetOf(change.Add(-time.Second), loc) {
				ask(&changes, zone, change.Add(-26*time.Hour), change.Add(26*time.Hour), cronChanges...)
				ask(&changes, zone, change.Add(-2*time.Hour), change.Add(2*time.Hour), cronDense...)
			}
			at = change.Add(time.Hour)
		}
	}
	return years, changes
}

// everyNth takes an even share. The steps have no divisor in common with the numbers of patterns, so that all patterns
// meet all zones in turn.
func everyNth(all []cronQuestion, step int) []cronQuestion {
	if os.Getenv(wholeCron) != "" {
		return all
	}
	var share []cronQuestion
	for i := 0; i < len(all); i += step {
		share = append(share, all[i])
	}
	return share
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
	gaveUp    bool      // its search ended in an error, or did not get on
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
	for i := 0; i <= len(times) && (q.Most == 0 || i < q.Most); i++ {
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
	years, changes := cronQuestions(t)
	// The parser of BullMQ 5 takes ten times as long.
	for _, c := range []struct{ bullmq, years, changes int }{{5, 13, 61}, {6, 5, 11}} {
		t.Run(fmt.Sprintf("bullmq%d", c.bullmq), func(t *testing.T) {
			t.Parallel()
			questions := slices.Concat(everyNth(years, c.years), everyNth(changes, c.changes))
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
				answers.Version, answers.Tzdata, answers.Node, compared, len(patterns), len(zones), len(questions), len(years)+len(changes))
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
			if len(others) > 0 || len(zones) != len(cronZones) || len(patterns) < len(cronRare)+len(cronChanges)+len(cronDense) {
				t.Errorf("%d differences, %d zones, %d patterns", len(others), len(zones), len(patterns))
			}
		})
	}
}

// cronTexts are corners of the grammar. Those that a parser refuses we refuse, but for the listed ones.
var cronTexts = []string{
	"", "*", "* *", "0 12", "* * * *", "* * * * *", "* * * * * *", "* * * * * * *", " ", "\t", "  0   5 *\t*   * ", "\u00a0* * * * *", "TZ=UTC * * * * *",
	"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@minutely", "@secondly", "@weekdays", "@weekends", "@reboot",
	"@every 1h", "@YEARLY", "@", "@daily *", " @daily", "H * * * *", "H H * * *", "H/15 * * * *",
	"60 * * * *", "-1 * * * *", "* 24 * * *", "0 0 32 * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * 0 *", "0 0 * * 8", "0 0 * * 7", "a * * * *",
	"55-5 * * * *", "0 22-2 * * *", "0 0 * * FRI-MON", "0 0 * NOV-FEB *", "5-5 * * * *", "1-5-7 * * * *", "5-* * * * *", "*-5 * * * *", "1- * * * *",
	"*/0 * * * *", "*/60 * * * *", "*/61 * * * *", "*/90 * * * *", "10/15 * * * *", "1-5/2 * * * *", "1-5/100 * * * *", "*/ * * * *", "*/-1 * * * *",
	"*/1.5 * * * *", "1,,2 * * * *", ", * * * *", "5,5 * * * *", "1-5,3-7 * * * *", "*,5 * * * *", "5,* * * * *", "** * * * *", "*5 * * * *",
	"05 * * * *", "1e1 * * * *", "0x5 * * * *", "+5 * * * *", "5. * * * *", "99999999999999999999 * * * *", "? ? ? ? ?", "?/5 * * * *",
	"0 0 L * *", "0 0 L-3 * *", "0 0 LW * *", "0 0 15W * *", "0 0 1,L * *", "0 0 L,L * *", "0 0 L/2 * *", "0 0 1-L * *", "0 0 l * *", "L 0 * * *",
	"0 0 * * L", "0 0 * * 5L", "0 0 * * 7L", "0 0 * * 8L", "0 0 * * 1L,2L", "0 0 * * 1-5L", "0 0 * * MONL", "0 0 * * 1l", "0 0 * * *,1L",
	"0 0 * * 1#1", "0 0 * * 1#5", "0 0 * * 1#6", "0 0 * * 1#0", "0 0 * * 1#", "0 0 * * #1", "0 0 * * 1#1,3#2", "0 0 * * 1,3#2", "0 0 * * 1-3#1",
	"0 0 * * MON#2", "0 0 * * 7#1", "0 0 * * 1#0x1", "0 0 * * 1#1.5", "0 0 1#2 * *", "0 0 15 * 1#1", "0 0 L * 1L",
	"0 0 30 2 *", "0 0 31 4 *", "0 0 31 2,4 *", "0 0 30,L 2 *", "0 0 30 2 1", "0 0 31 2 ?", "0 0 31 2,4,5 *", "0 0 29 2 *",
	"JAN * * * *", "0 0 * JAN *", "0 0 * January *", "0 0 * JANFEB *", "0 0 * jan-mar *", "0 0 MON * *", "0 0 * * MON-5", "0 0 * * MONDAY",
	"0 0 * * SAT-SUN", "0 0 * * SUN-SAT", "0 0 * * 0,7", "0 0 * * 0-7", "0 0 * * 5-7", "0 0 * * 7/2", "0 0 * * */8", "0 0 13 * 5", "0 0 */1 * 1", "! * * * *",
}

// What each parser takes we take as the same, and what it refuses we refuse, but for these.
func TestCronTakesWhatNodeTakes(t *testing.T) {
	t.Parallel()
	requireNode(t)
	quiet := time.Date(2026, 1, 15, 10, 20, 30, 0, time.UTC)
	var questions []cronQuestion
	for _, text := range cronTexts {
		questions = append(questions, cronQuestion{text, "UTC", quiet.UnixMilli(), quiet.AddDate(3, 0, 0).UnixMilli(), 12})
	}
	for _, c := range []struct {
		bullmq      int
		only, never []string // that it takes and we do not, and the reverse
		other       []string // that it takes for something else
	}{
		{
			5,
			[]string{
				" ", "\t", // every minute
				"1-5-7 * * * *", "*-5 * * * *", "0 0 * * 8L", "0 0 * * 1#0x1", // who knows
				"5,5 * * * *", "1-5,3-7 * * * *", "*,5 * * * *", "5,* * * * *", "0 0 L,L * *", "0 0 L/2 * *", "0 0 * * 0,7", // not to BullMQ 6
			},
			[]string{
				"@annually", "@minutely", "@secondly", "@weekdays", "@weekends", // new in BullMQ 6
				"? ? ? ? ?", "?/5 * * * *", "0 0 30,L 2 *", "0 0 30 2 1", // mistakes of its own
			},
			[]string{
				"0 0 15 * 1#1", // the first Monday alone; to us and BullMQ 6 the 15th as well
				"0 0 */1 * 1",  // Mondays; to us and BullMQ 6 every day, as only * and ? leave the days open
			},
		},
		{
			6,
			[]string{
				"H * * * *", "H H * * *", "H/15 * * * *", // another time at every evaluation
				"1-5-7 * * * *", "*-5 * * * *", "0 0 * * 8L", "0 0 * * 1-5L", "0 0 * * 1#0x1", // who knows; refused by its next versions
			},
			nil, nil,
		},
	} {
		answers := askCron(t, c.bullmq, questions)
		var only, never, other []string
		for i, text := range cronTexts {
			times := answers.times[i]
			refused := len(times) == 1 && times[0] == nil
			switch _, err := cron.Parse(text); {
			case err != nil && !refused:
				only = append(only, text)
			case err == nil && refused:
				never = append(never, text)
			case err == nil:
				compareCron(t, questions[i], times, func(d cronDifference) {
					if !slices.Contains(other, text) {
						other = append(other, text)
						t.Logf("%s: %s", answers.Version, d)
					}
				})
			}
		}
		for _, all := range [][]string{c.only, c.never, c.other, only, never, other} {
			slices.Sort(all)
		}
		what := "cron-parser " + answers.Version
		diff(t, what+" takes, we do not", c.only, only)
		diff(t, what+" refuses, we do not", c.never, never)
		diff(t, what+" takes for something else", c.other, other)
		t.Logf("%s: %d texts compared", what, len(cronTexts))
	}
}
