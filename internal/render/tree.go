package render

import (
	"io"
	"strings"
)

// Branch is a line of a tree, and what hangs below it.
type Branch struct {
	// Cells are shown one after the other. Foreign text in them need not be
	// escaped.
	Cells []Cell
	Below []Branch
}

// treeLook is how the lines of a tree are joined.
type treeLook struct{ middle, last, through, empty string }

var (
	drawnTree = treeLook{"├─ ", "└─ ", "│  ", "   "}
	asciiTree = treeLook{"|- ", "`- ", "|  ", "   "}
	plainTree = treeLook{"  ", "  ", "  ", "  "} // in a pipe depth is what counts
)

// cellGap stands between the cells of a branch.
const cellGap = "  "

// WriteTree writes a tree: drawn on a terminal, whose lines are cut to its width,
// and indented by two blanks for each generation in a pipe.
func WriteTree(w io.Writer, root Branch, o Options) error {
	t := treeWriter{o: o, look: plainTree}
	switch {
	case o.Terminal && o.ASCII:
		t.look = asciiTree
	case o.Terminal:
		t.look = drawnTree
	}
	t.branch(root, "", "")
	_, err := io.WriteString(w, t.String())
	return err
}

type treeWriter struct {
	strings.Builder
	o    Options
	look treeLook
}

// branch writes a line behind head, and those below it behind rest.
func (t *treeWriter) branch(b Branch, head, rest string) {
	if t.o.limit() > 0 {
		head = Cut(head, t.o.limit()) // a deep one
	}
	t.WriteString(t.o.Paint(head, StyleDim))
	left := t.o.limit() - Width(head)
	for i, c := range b.Cells {
		if i > 0 {
			t.WriteString(cellGap)
			left -= len(cellGap)
		}
		if !t.o.Terminal && c.Plain != "" {
			c.Text = c.Plain
		}
		text := Text(c.Text)
		if t.o.limit() > 0 {
			text = Cut(text, left)
			left -= Width(text)
		}
		t.WriteString(t.o.Paint(text, c.Style))
		if t.o.limit() > 0 && left <= len(cellGap) {
			break
		}
	}
	t.WriteByte('\n')
	for i, below := range b.Below {
		if i == len(b.Below)-1 {
			t.branch(below, rest+t.look.last, rest+t.look.empty)
		} else {
			t.branch(below, rest+t.look.middle, rest+t.look.through)
		}
	}
}
