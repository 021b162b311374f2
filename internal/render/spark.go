package render

import "strings"

// BarLevels are the heights of a bar in eighths, from nothing to full.
func BarLevels(ascii bool) [9]string {
	if ascii {
		return [9]string{" ", "_", ".", ".", "-", "-", "=", "=", "#"}
	}
	return [9]string{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}
}

// Sparkline draws one value per column, scaled to the highest. Unknown values,
// those below 0, are blank, and 0 is the base line.
func Sparkline(values []int64, ascii bool) string {
	top := int64(0)
	for _, v := range values {
		top = max(top, v)
	}
	levels := BarLevels(ascii)
	var b strings.Builder
	for _, v := range values {
		switch {
		case v < 0:
			b.WriteByte(' ')
		case v == 0:
			b.WriteString(levels[1])
		default:
			b.WriteString(levels[max(Eighths(v, top, 1), 2)])
		}
	}
	return b.String()
}

// Eighths is the height of a bar in eighths of a line, at least 1 for any value.
func Eighths(v, top int64, lines int) int {
	if v <= 0 || top <= 0 {
		return 0
	}
	return max(int(float64(v)/float64(top)*float64(8*lines)+0.5), 1)
}
