package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What must never become a schedule, row by row: zones, patterns, intervals and
// times. Each is refused when the file is read, with its place.
func TestBadSchedules(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("1,", 500_000) + "1 * * * *"
	const every, pattern = "every: 5m, ", `pattern: "0 7 * * *", `
	for name, c := range map[string]struct {
		keys string
		want string // empty: it is no mistake
	}{
		// Zones.
		"zone 0":                {pattern + `tz: "0"`, `tz: time zone "0"`},
		"an empty zone":         {pattern + `tz: ""`, "tz: set but empty"},
		"a zone as crontab has": {`pattern: "CRON_TZ=UTC 0 7 * * *"`, "pattern: "},
		"TZ= in the pattern":    {`pattern: "TZ=UTC 0 7 * * *"`, "pattern: "},
		"TZ= alone":             {`pattern: "TZ="`, "pattern: "},
		"an unknown zone":       {pattern + "tz: Europe/Atlantis", `tz: time zone "Europe/Atlantis"`},
		"a path as a zone":      {pattern + "tz: ../../etc/passwd", "tz: "},
		"the local zone":        {pattern + "tz: Local", "tz: "},
		"a zone of an interval": {every + "tz: UTC", "tz: goes with the key pattern"},
		"a zone":                {pattern + "tz: America/St_Johns", ""},

		// Dates that never come.
		"the 30th of February": {`pattern: "0 0 30 2 *"`, "never fires"},
		"the 31st of April":    {`pattern: "0 0 31 4 *"`, "never fires"},
		"leap days":            {`pattern: "0 0 29 2 *"`, ""},

		// Patterns.
		"7 fields":            {`pattern: "0 0 0 1 1 * 2026"`, "pattern: "},
		"4 fields":            {`pattern: "0 0 1 1"`, "pattern: "},
		"6 fields":            {`pattern: "30 0 7 * * *"`, ""},
		"at reboot":           {`pattern: "@reboot"`, "pattern: "},
		"every 0th":           {`pattern: "*/0 * * * *"`, "pattern: "},
		"backwards":           {`pattern: "5-2 * * * *"`, "pattern: "},
		"minute 60":           {`pattern: "60 * * * *"`, "pattern: "},
		"W":                   {`pattern: "0 0 15W * *"`, "pattern: "},
		"the last day":        {`pattern: "0 0 L * *"`, ""},
		"the 3rd Friday":      {`pattern: "0 0 * * 5#3"`, ""},
		"names":               {`pattern: "0 0 * JAN-MAR mon,WED"`, ""},
		"a megabyte":          {`pattern: "` + long + `"`, "pattern: "},
		"a control character": {`pattern: "0 7 * * *\u001b[2J"`, "pattern: "},
		"blank":               {`pattern: "   "`, "pattern: "},

		// Intervals.
		"every 0":             {`every: 0`, "every: "},
		"every -5":            {`every: -5`, "every: "},
		"every -5s":           {`every: -5s`, "every: "},
		"every 1ms":           {`every: 1ms`, `every: want 1s or more in steps of 1ms, got "1ms"`},
		"every 999ms":         {`every: 999ms`, "want 1s or more"},
		"every second":        {`every: 1s`, ""},
		"every 1.5ms more":    {`every: 1000.5ms`, "every: "},
		"offset of a pattern": {pattern + "offset: 1s", "offset: goes with the key every"},
		"offset too large":    {every + "offset: 5m", "offset: want less than every, which is 5m"},
		"limit 0":             {every + "limit: 0", "limit: want an integer from 1"},
		"both":                {every + `pattern: "* * * * *"`, "pattern"},
		"neither":             {"name: x", "every"},

		// Times.
		"start after end":        {every + "startDate: 2027-01-02T00:00:00Z, endDate: 2027-01-01T00:00:00Z", "endDate: is before startDate"},
		"no time between":        {`pattern: "0 0 1 1 *", startDate: 2027-01-02T00:00:00Z, endDate: 2027-12-01T00:00:00Z`, "endDate: the pattern never fires between"},
		"a date without a zone":  {every + "endDate: 2027-01-01", "endDate: want a time"},
		"immediately and later":  {every + "immediately: true, startDate: 2027-01-02T00:00:00Z", "immediately: excludes startDate"},
		"year 0":                 {every + "endDate: 99999-01-01T00:00:00Z", "endDate: want a time"},
		"an end that has passed": {every + "endDate: 2001-01-01T00:00:00Z", ""}, // see TestCheckSchedules

		// Identities and jobs.
		"an id like a job's":       {every + `id: "a:1"`, "id: schedule id \"a:1\""},
		"an empty id":              {every + `id: ""`, "id: set but empty"},
		"an unknown queue":         {every + "queue: nowhere:", "queue: "},
		"a payload of another":     {every + "queue: email, data: {queue: 1}", "data: "},
		"no payload":               {every + "queue: email", "data"},
		"a priority off the scale": {every + "priority: 99", "priority: "},
	} {
		item := c.keys
		for _, key := range []string{"id: ", "queue: "} {
			if !strings.Contains(" "+item, " "+key) {
				item += ", " + key + map[string]string{"id: ": "s", "queue: ": "dev"}[key]
			}
		}
		began := time.Now()
		found := problemsOf(t, "schedules:\n  - {"+item+"}\n", nil)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
		text := strings.Join(found, "\n")
		switch {
		case c.want == "" && text != "":
			t.Errorf("%s: %s", name, text)
		case c.want != "" && (len(found) != 1 || !strings.HasPrefix(text, "qctl.yaml:2:") || !strings.Contains(text, c.want)):
			t.Errorf("%s: %.300q, want one that has %q", name, found, c.want)
		case len(text) > 1000:
			t.Errorf("%s: a message of %d bytes", name, len(text))
		case strings.ContainsRune(text, '\x1b'):
			t.Errorf("%s: %q", name, text)
		}
	}
}

// One schedule of a queue has one id, however the queue is called.
func TestScheduleTwice(t *testing.T) {
	t.Parallel()
	found := problemsOf(t, "schedules:\n  - {queue: dev, id: a, every: 5m}\n  - {queue: \"queue:dev\", id: a, every: 5m}\n  - {queue: qa, id: a, every: 5m}\n", nil)
	if len(found) != 1 || found[0] != `qctl.yaml:3:6: schedules[1]: queue "queue:dev" has a schedule "a" already, in line 2` {
		t.Errorf("%q", found)
	}
}

// Whether a schedule fires once more depends on the time.
func TestCheckSchedules(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ keys, want string }{
		"without an end":           {"every: 5m", ""},
		"ends later":               {"every: 5m, endDate: 2026-11-25T12:00:01Z", ""},
		"ends now":                 {"every: 5m, endDate: 2026-11-25T12:00:00Z", "has passed: the schedule never fires"},
		"has ended":                {"every: 5m, endDate: 2001-01-01T00:00:00+02:00", "has passed: the schedule never fires"},
		"fires before it":          {`pattern: "0 0 1 1 *", endDate: 2027-01-01T00:00:00Z`, ""},
		"does not fire before it":  {`pattern: "0 0 1 1 *", endDate: 2026-12-31T23:59:59Z`, "the pattern never fires before it"},
		"in another zone it does":  {`pattern: "0 0 1 1 *", tz: Asia/Tokyo, endDate: 2026-12-31T23:59:59Z`, ""},
		"begins later, is checked": {`pattern: "0 0 1 1 *", startDate: 2026-12-01T00:00:00Z, endDate: 2027-06-01T00:00:00Z`, ""},
	} {
		dir := place(t, "schedules:\n  - {queue: dev, id: s, "+c.keys+"}\n")
		config, _, err := LoadFrom(from(dir, nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := ""
		if c.want != "" {
			column := strings.Index("  - {queue: dev, id: s, "+c.keys, "endDate: ") + len("endDate: ") + 1
			want = fmt.Sprintf("qctl.yaml:2:%d: schedules[0].endDate: %s", column, c.want)
		}
		got := strings.ReplaceAll(errText(t, config.CheckSchedules(now)), dir+"/", "")
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
