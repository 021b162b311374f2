package interop

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shownElsewhere are the listed differences that leave no trace in Redis that a row could compare, or that need more
// than a step to show, with the test that shows them.
var shownElsewhere = map[string]struct{ file, test string }{
	"claims-many":    {"internal/queue/claim_test.go", "TestClaimNeverSharesAJob"},
	"corrupt-jobs":   {"internal/worker/corrupt_test.go", "TestCorruptJobsNeverRun"},
	"wrong-types":    {"internal/worker/corrupt_test.go", "TestWrongTypedKeysParkTheQueue"},
	"renewing-locks": {"internal/queue/locks_test.go", "TestLocksExtendWithoutMemory"},
	"pages":          {"internal/queue/cost_test.go", "TestCallsOverManyJobsAreCheap"},
	"stalls-allowed": {"internal/worker/stalled_test.go", "TestTooManyStallsFailTheJob"},
}

const keptHeading = "## What qctl does differently, on purpose"

var anchor = regexp.MustCompile(`^\| <a id="([a-z0-9-]+)"></a>`)

// listedDifferences returns the ids of the table in docs/compatibility.md.
func listedDifferences(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), keptHeading)
	if !found {
		t.Fatalf("docs/compatibility.md has no heading %q", keptHeading)
	}
	table, _, _ = strings.Cut(table, "\n## ")
	var ids []string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") || strings.HasPrefix(line, "| where ") {
			continue
		}
		match := anchor.FindStringSubmatch(line)
		switch {
		case match == nil:
			t.Errorf("docs/compatibility.md: this difference has no id: %s", line)
		case slices.Contains(ids, match[1]):
			t.Errorf("docs/compatibility.md: two differences have the id %q", match[1])
		default:
			ids = append(ids, match[1])
		}
	}
	return ids
}

func hasTest(t *testing.T, file, test string) bool {
	t.Helper()
	source, err := os.ReadFile("../../" + file)
	if err != nil {
		t.Error(err)
	}
	return strings.Contains(string(source), "\nfunc "+test+"(")
}

var wireHeading = regexp.MustCompile(`(?m)^##+ (\d+)(\.\d+)?\.? `)

// notShown are the sections that describe neither a step nor an answer, or one that qctl does not have (4.24); other
// tests show cron (7.8) and the lists of workers (10).
var notShown = []string{"4.24", "4.25", "7.1", "7.8", "10"}

// wireSections are sections 3 to 13, or their parts where they have some, without those that no row can show.
func wireSections(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/bullmq-wire.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, match := range wireHeading.FindAllStringSubmatch(string(page), -1) {
		chapter, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		if chapter < 3 || chapter > 13 {
			continue
		}
		if match[2] != "" && len(all) > 0 && all[len(all)-1] == match[1] {
			all = all[:len(all)-1]
		}
		all = append(all, match[1]+match[2])
	}
	return slices.DeleteFunc(all, func(section string) bool { return slices.Contains(notShown, section) })
}
