package render_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/hostiletest"
	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/render"
)

// smallTree has branches at every place where lines are joined in another way.
func smallTree() render.Branch {
	leaf := func(text string) render.Branch { return render.Branch{Cells: []render.Cell{{Text: text}}} }
	middle := leaf("b")
	middle.Cells = append(middle.Cells, render.Cell{Text: "drawn", Plain: "plain"})
	middle.Below = []render.Branch{leaf("b1"), leaf("b2")}
	last := leaf("c")
	last.Below = []render.Branch{leaf("c1")}
	root := leaf("root")
	root.Below = []render.Branch{leaf("a"), middle, last}
	return root
}

func TestWriteTree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    render.Options
		want string
	}{
		"pipe": {render.Options{}, `
root
  a
  b  plain
    b1
    b2
  c
    c1
`},
		"terminal": {render.Options{Terminal: true}, `
root
├─ a
├─ b  drawn
│  ├─ b1
│  └─ b2
└─ c
   └─ c1
`},
		"terminal without such signs": {render.Options{Terminal: true, ASCII: true}, "\nroot\n|- a\n|- b  drawn\n|  |- b1\n|  `- b2\n`- c\n   `- c1\n"},
		"narrow terminal": {render.Options{Terminal: true, Width: 7}, `
root
├─ a
├─ b  …
│  ├─ …
│  └─ …
└─ c
   └─ …
`},
	} {
		var out bytes.Buffer
		if err := render.WriteTree(&out, smallTree(), c.o); err != nil {
			t.Fatal(err)
		}
		if got := "\n" + out.String(); got != c.want {
			t.Errorf("%s:%swant:%s", name, got, c.want)
		}
	}
}

// No line is wider than the terminal, however deep the tree and wide the texts.
func TestTreeFitsTheTerminal(t *testing.T) {
	t.Parallel()
	const width = 40
	tree := render.Branch{Cells: []render.Cell{{Text: "leaf"}}}
	for range 30 {
		wide := render.Branch{Cells: []render.Cell{{Text: strings.Repeat("漢字", 12)}, {Text: strings.Repeat("x", 50)}, {Text: "more"}}}
		wide.Below = []render.Branch{tree}
		tree = wide
	}
	var out bytes.Buffer
	if err := render.WriteTree(&out, tree, render.Options{Terminal: true, Width: width}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if got := render.Width(strings.TrimSuffix(line, "\n")); got > width {
			t.Fatalf("%d wide: %q", got, line)
		}
	}
}

// A family of jobs whose every text comes from elsewhere stays one line per job
// and does nothing to a terminal.
func TestHostileFamilies(t *testing.T) {
	t.Parallel()
	for _, p := range hostiletest.Payloads() {
		node := func(kind queue.ChildKind) queue.Node {
			return queue.Node{
				Queue: queue.KeyBase{Prefix: p, Name: p}, Job: *hostileJob(p), Kind: kind, Value: []byte(p), Reason: p,
				Counts: queue.ChildCounts{Pending: 3},
			}
		}
		root := node("")
		root.Children = []queue.Node{node(queue.ChildPending), node(queue.ChildProcessed), node(queue.ChildIgnored), node(queue.ChildFailed)}
		f := render.Family{
			Label: queue.KeyBase.String, Argument: p, Job: root, Parents: []queue.Node{node(""), node("")},
		}
		for name, o := range map[string]render.Options{"terminal": people, "wide": wide, "pipe": pipe} {
			var out bytes.Buffer
			if err := f.Write(&out, o); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			// Two above, the job, its four children with one line each for those that are not listed.
			if want := 2 + 1 + 4*2; len(lines) != want {
				t.Errorf("%s: %q makes %d lines, want %d", name, p, len(lines), want)
			}
			for _, line := range lines {
				if found := hostiletest.Dangers(line); found != nil {
					t.Errorf("%s: %q holds %v", name, line, found)
				}
			}
		}
		for _, format := range []render.Format{render.FormatJSON, render.FormatNDJSON, render.FormatYAML} {
			var out bytes.Buffer
			if err := render.WriteOne(&out, f.View(), format, people); err != nil {
				t.Errorf("%s: %q: %v", format, p, err)
			}
			for line := range strings.Lines(out.String()) {
				if found := hostiletest.Dangers(strings.TrimSuffix(line, "\n")); found != nil {
					t.Errorf("%s: %q holds %v", format, line, found)
				}
			}
		}
	}
}
