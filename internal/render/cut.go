package render

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

const ellipsis = "…"

// Width returns how many columns of a terminal the text takes. The text must
// have gone through [Text].
func Width(s string) int { return ansi.StringWidth(s) }

// Cut returns the text cut to a width in columns, with an ellipsis in the last
// one when something is missing. What a reader sees as one character is kept or
// left out whole. The text must have gone through [Text].
func Cut(s string, width int) string {
	if width <= 0 {
		return ""
	}
	// Only what is shown is looked at: a reason may be a megabyte long.
	kept, used := 0, 0
	for i := 0; i < len(s); {
		cluster, columns := ansi.FirstGraphemeCluster(s[i:], ansi.GraphemeWidth)
		if used+columns > width {
			return s[:kept] + ellipsis
		}
		used += columns
		i += len(cluster)
		if used < width {
			kept = i
		}
	}
	return s
}

// maxPageText is how many bytes of one text are shown at once to people.
const maxPageText = 64 << 10

// shorten cuts a text of several lines that nobody would read to its end, and
// says how much there is. The text must have gone through [Multiline] or
// [JSONText].
func shorten(s string) string {
	if len(s) <= maxPageText {
		return s
	}
	end := maxPageText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s%s\n(%s of text in all)", strings.TrimRight(s[:end], "\n"), ellipsis, Bytes(int64(len(s))))
}
