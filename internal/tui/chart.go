package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/qctl/qctl/internal/render"
)

// sparkline draws one value per column.
func (t *theme) sparkline(values []int64) string { return render.Sparkline(values, t.ascii) }

func highest(values []int64) int64 {
	top := int64(0)
	for _, v := range values {
		top = max(top, v)
	}
	return top
}

// widen stretches a series over more columns, or keeps its newest part.
func widen(values []int64, columns int) []int64 {
	if len(values) == 0 || columns <= len(values) {
		return values[max(len(values)-max(columns, 0), 0):]
	}
	wide := make([]int64, columns)
	for i := range wide {
		wide[i] = values[i*len(values)/columns]
	}
	return wide
}

// graph draws bars of several lines over a base line, with the scale at the
// left. The last line of a graph of height 1 is a sparkline.
func (t *theme) graph(label string, values []int64, width, height int, r role) []line {
	const scale = 6
	columns := width - scale - 1
	if columns < 1 || height < 1 {
		return nil
	}
	top := highest(values)
	series := widen(values, columns)
	lines := make([]line, 0, height)
	for row := height - 1; row >= 0; row-- {
		var b strings.Builder
		for _, v := range series {
			b.WriteString(t.bar(v, top, height, row))
		}
		mark := blank(scale) + t.vertical
		switch row {
		case height - 1:
			mark = fmt.Sprintf("%*s%s", scale, short(top, scale-1), t.tick)
		case 0:
			mark = fmt.Sprintf("%*s%s", scale, "0", t.tick)
		}
		lines = append(lines, line{{mark, roleDim}, {b.String(), r}})
	}
	return append([]line{{{blank(scale+1) + label, roleDim}}}, lines...)
}

// bar is the part of a bar that is in one line, counted from the bottom.
func (t *theme) bar(v, top int64, height, row int) string {
	switch level := render.Eighths(v, top, height) - 8*row; {
	case v < 0:
		return " "
	case level >= 8:
		return t.levels[8]
	case level > 0:
		return t.levels[level]
	case row == 0:
		return t.base
	}
	return " "
}

// graphMinutes is how many minutes a graph of a width shows: a column each.
func graphMinutes(width int) int {
	const scale = 6
	return max(min(width-scale-1, kept), 0)
}

// axis names the times under a graph.
func (t *theme) axis(now time.Time, width int) line {
	const scale = 6
	columns := width - scale - 1
	span := time.Duration(graphMinutes(width)) * time.Minute
	start, end := now.Add(-span).UTC().Format("15:04"), now.UTC().Format("15:04")
	middle := now.Add(-span / 2).UTC().Format("15:04")
	if columns < 3*len(end)+4 {
		return nil
	}
	gap := columns - 3*len(end)
	return line{{blank(scale+1) + start + blank(gap/2) + middle + blank(gap-gap/2) + end, roleDim}}
}
