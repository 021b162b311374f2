package cmd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/queue"
)

// However many causes and names there are, a bounded number is held, and every
// job is counted.
func TestCauseGroupsAreBounded(t *testing.T) {
	t.Parallel()
	word := func(i int) string { // letters alone: digits would be one cause
		return strings.Map(func(r rune) rune { return 'g' + r - '0' }, fmt.Sprint(i))
	}
	c := newCauseGroups()
	const jobs = 3 * maxCauses
	for i := range jobs {
		c.add(&queue.Failure{Name: word(i), Reason: "no " + word(i)})
	}
	for i := range 100 {
		c.add(&queue.Failure{Name: word(i), Reason: "no g"})
	}
	rows := c.rows("email")
	if len(rows) > maxCauses+1 || len(c.known) > maxCauses {
		t.Errorf("%d rows, %d texts", len(rows), len(c.known))
	}
	if rows[0].ID != "others" || rows[1].Reason != "no g" || rows[1].Count != 101 || len(rows[1].Names) != maxCauseNames {
		t.Errorf("first %+v, then %d of %q with %d names", rows[0].ID, rows[1].Count, rows[1].Reason, len(rows[1].Names))
	}
	total := int64(0)
	for _, row := range rows {
		total += row.Count
	}
	if total != jobs+100 || rows[0].Of != total {
		t.Errorf("%d jobs counted, of %d", total, rows[0].Of)
	}
}
