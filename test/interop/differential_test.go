package interop

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/redistest"
)

// op is one operation, as Node does it on its database and our engine on ours. Both return what their caller is
// told, in one form.
type op struct {
	name string
	node func(s *stage) any
	ours func(s *stage) any
}

// row is operations from one starting state. After each, the two databases are compared as a whole.
type row struct {
	name string
	wire string // the sections of docs/bullmq-wire.md that it shows, apart by blanks
	// start is done by Node alone, before its database is copied to ours.
	start []op
	ops   []op
	major int // of BullMQ, where only one is meant
	kept  []kept
}

// kept names a difference that docs/compatibility.md gives reasons for, and the paths of all that differs by it:
// nothing else may, and all of it must. See [compare] for paths; "answer" is what the caller is told.
type kept struct {
	id      string
	differs []string
	major   int // of BullMQ, where only one differs
}

// tally is what the suite prints at its end.
type tally struct {
	version          string
	rows, ops, leafs int
	met              map[string]bool
	sections         map[string]bool
}

// Whatever is done to a queue, our engine leaves in Redis and tells its caller what Node would have.
func TestOursLeavesWhatNodeLeaves(t *testing.T) {
	t.Parallel()
	rows := allRows()
	checkNames(t, rows)
	tallies := make([]*tally, 2)
	t.Run("with", func(t *testing.T) {
		for i, major := range []int{5, 6} {
			t.Run(fmt.Sprintf("bullmq%d", major), func(t *testing.T) {
				t.Parallel()
				requireNode(t)
				s := newStage(t, startPeer(t, major, redistest.Start(t).URL()))
				tallies[i] = &tally{version: s.version, met: map[string]bool{}, sections: map[string]bool{}}
				for _, r := range rows {
					if r.major == 0 || r.major == major {
						t.Run(r.name, func(t *testing.T) { s.show(t, r, tallies[i]) })
					}
				}
			})
		}
	})
	report(t, rows, tallies)
}

func allRows() []row {
	return slices.Concat(
		rowsOfAdds(), rowsOfClaims(), rowsOfFinishes(), rowsOfRetention(), rowsOfFailures(), rowsOfLocks(),
		rowsOfChanges(), rowsOfRetries(), rowsOfRemovals(), rowsOfSweeps(), rowsOfPauses(), rowsOfLimits(),
		rowsOfFamilies(), rowsOfFlows(), rowsOfDeduplication(), rowsOfWindows(), rowsOfIterations(), rowsOfSchedulers(), rowsOfReads(), rowsOfRefusals(),
	)
}

func checkNames(t *testing.T, rows []row) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.name] {
			t.Errorf("two rows are called %q", r.name)
		}
		if r.wire == "" {
			t.Errorf("row %q says no section", r.name)
		}
		seen[r.name] = true
	}
}

// show plays a row.
func (s *stage) show(t *testing.T, r row, sum *tally) {
	before := s.t
	s.t = t
	defer func() { s.end(); s.t = before }()
	s.begin()
	for _, o := range r.start {
		if told, refused := o.node(s).(string); refused {
			t.Fatalf("%s: %s", o.name, told)
		}
	}
	s.copyOver()
	occurred := map[string]bool{}
	for i, o := range r.ops {
		node, ours := answerText(t, o.node(s)), answerText(t, o.ours(s))
		found := s.distinctions(sum)
		if node != ours {
			found = append(found, distinction{"answer", node, ours})
		}
		sum.ops++
		var odd []string
		for _, d := range found {
			if _, ok := s.reasonFor(r, d.path); !ok {
				odd = append(odd, d.String())
			}
			occurred[d.path] = true
		}
		if odd != nil {
			t.Fatalf("bullmq %s: operation %d, %s:\n%s", s.version, i+1, o.name, strings.Join(odd, "\n"))
		}
	}
	for _, k := range r.kept {
		if k.major != 0 && k.major != s.peer.major {
			continue
		}
		sum.met[k.id] = true
		for _, path := range k.differs {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(occurred)), func(found string) bool { return matches(path, found) }) {
				t.Errorf("bullmq %s: %s does not differ any more, as %q says it would", s.version, path, k.id)
			}
		}
	}
	sum.rows++
	for section := range strings.FieldsSeq(r.wire) {
		sum.sections[section] = true
	}
}

// distinctions compares the two databases.
func (s *stage) distinctions(sum *tally) []distinction {
	s.t.Helper()
	node, err := readKeyspace(s.ctx, s.a)
	s.must(err)
	ours, err := readKeyspace(s.ctx, s.b)
	s.must(err)
	sum.leafs += node.leaves
	// What Node sets to expire at the beginning of the row, ours may set now.
	return compare(node, ours, time.Since(s.began)+50*time.Millisecond)
}

// reasonFor returns the difference that the row expects at the path.
func (s *stage) reasonFor(r row, path string) (string, bool) {
	for _, k := range r.kept {
		if k.major != 0 && k.major != s.peer.major {
			continue
		}
		if slices.ContainsFunc(k.differs, func(pattern string) bool { return matches(pattern, path) }) {
			return k.id, true
		}
	}
	return "", false
}

// matches compares a path with one of a row's, in which a * stands for a number that the row cannot know.
func matches(pattern, found string) bool {
	head, tail, open := strings.Cut(pattern, "*")
	if !open {
		return pattern == found
	}
	middle, ok := strings.CutPrefix(found, head)
	middle, okTail := strings.CutSuffix(middle, tail)
	return ok && okTail && middle != "" && strings.Trim(middle, "0123456789") == ""
}

func answerText(t *testing.T, answer any) string {
	t.Helper()
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// summaryEnv names the file that the suite's last words also go to: a passing test is silent.
const summaryEnv = "INTEROP_SUMMARY"

// report holds the list of differences against docs/compatibility.md and says how much was compared.
func report(t *testing.T, rows []row, tallies []*tally) {
	t.Helper()
	ran, want := 0, 0
	for _, sum := range tallies {
		if sum != nil {
			ran += sum.rows
		}
	}
	for _, r := range rows {
		want += 2 - min(r.major, 1)
	}
	if ran < want {
		t.Logf("%d of %d rows were shown to the end; the lists are not checked", ran, want)
		return
	}
	met, sections := map[string]bool{}, map[string]bool{}
	var lines []string
	for _, sum := range tallies {
		for id := range sum.met {
			met[id] = true
		}
		for section := range sum.sections {
			sections[section] = true
		}
		lines = append(lines, fmt.Sprintf("BullMQ %s: %d operations in %d rows, %d fields compared, %d kept differences met",
			sum.version, sum.ops, sum.rows, sum.leafs, len(sum.met)))
	}
	checkKept(t, met)
	checkSections(t, sections)
	text := strings.Join(lines, "\n")
	t.Log(text)
	if file := os.Getenv(summaryEnv); file != "" {
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// checkKept wants every difference that the page lists to be met by a row, or shown by the test that is named here.
func checkKept(t *testing.T, met map[string]bool) {
	t.Helper()
	listed := listedDifferences(t)
	for id := range met {
		if !slices.Contains(listed, id) {
			t.Errorf("a row names the difference %q, which docs/compatibility.md does not list", id)
		}
	}
	for _, id := range listed {
		shown, elsewhere := shownElsewhere[id]
		switch {
		case met[id] && elsewhere:
			t.Errorf("the difference %q is met by a row: no other test need show it", id)
		case !met[id] && !elsewhere:
			t.Errorf("docs/compatibility.md lists the difference %q, which no row meets", id)
		case elsewhere && !hasTest(t, shown.file, shown.test):
			t.Errorf("the difference %q is said to be shown by %s in %s, which has no such test", id, shown.test, shown.file)
		}
	}
	for id := range shownElsewhere {
		if !slices.Contains(listed, id) {
			t.Errorf("the difference %q is said to be shown elsewhere, and docs/compatibility.md does not list it", id)
		}
	}
}

// checkSections wants a row for every section that describes something to be done or read.
func checkSections(t *testing.T, shown map[string]bool) {
	t.Helper()
	var missing []string
	for _, section := range wireSections(t) {
		if !shown[section] {
			missing = append(missing, section)
		}
	}
	if d := cmp.Diff([]string(nil), missing); d != "" {
		t.Errorf("sections of docs/bullmq-wire.md without a row (-none +these):\n%s", d)
	}
}
