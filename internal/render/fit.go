package render

import "slices"

// gap stands between two columns.
const gap = 2

// layout is which columns of a table for people are shown, and how wide.
type layout struct {
	shown  []int // indices into the columns
	widths []int // of the columns shown
	cut    []bool
}

// total is the width of a line.
func (l layout) total() int {
	sum := gap * (len(l.widths) - 1)
	for _, width := range l.widths {
		sum += width
	}
	return sum
}

// fit finds the layout of columns whose widest cells are known. It leaves out
// spare columns until the others fit when cut as far as they may be, then cuts
// flex columns, then the widest of the others. What may not be cut is shown
// whole even if the lines then run over the edge. limit 0 is no limit.
func fit(columns []Column, natural []int, zero []bool, limit int) layout {
	var l layout
	for i := range columns {
		l.shown = append(l.shown, i)
	}
	if limit > 0 {
		for _, i := range spareOrder(columns, zero) {
			if least(columns, natural, l.shown) <= limit {
				break
			}
			l.shown = slices.DeleteFunc(l.shown, func(at int) bool { return at == i })
		}
	}
	l.cut = make([]bool, len(l.shown))
	for _, at := range l.shown {
		l.widths = append(l.widths, natural[at])
	}
	if limit > 0 {
		over := l.total() - limit
		for _, flex := range []bool{true, false} {
			over = l.shrink(columns, over, flex)
		}
	}
	return l
}

// spareOrder returns the columns that may be left out, the first to go first.
func spareOrder(columns []Column, zero []bool) []int {
	var order []int
	for i, column := range columns {
		if column.Spare > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if zero[a] != zero[b] {
			if zero[a] {
				return -1
			}
			return 1
		}
		return columns[a].Spare - columns[b].Spare
	})
	return order
}

// least is the width of a line with every column cut as far as it may be.
func least(columns []Column, natural, shown []int) int {
	sum := gap * (len(shown) - 1)
	for _, at := range shown {
		width := natural[at]
		if columns[at].Min > 0 {
			width = min(width, columns[at].Min)
		}
		sum += width
	}
	return sum
}

// shrink takes columns off the widest one until nothing is over, and returns
// what is.
func (l layout) shrink(columns []Column, over int, flex bool) int {
	for over > 0 {
		widest := -1
		for i, at := range l.shown {
			column := columns[at]
			if column.Flex != flex || column.Min == 0 || l.widths[i] <= column.Min {
				continue
			}
			if widest < 0 || l.widths[i] > l.widths[widest] {
				widest = i
			}
		}
		if widest < 0 {
			return over
		}
		step := l.step(columns, widest, over, flex)
		l.widths[widest] -= step
		l.cut[widest] = true
		over -= step
	}
	return over
}

// step is how much the widest column can give before another is the widest.
func (l layout) step(columns []Column, widest, over int, flex bool) int {
	floor := columns[l.shown[widest]].Min
	for i, at := range l.shown {
		if i != widest && columns[at].Flex == flex && columns[at].Min > 0 {
			floor = max(floor, min(l.widths[i], l.widths[widest]-1))
		}
	}
	return min(over, l.widths[widest]-floor)
}
