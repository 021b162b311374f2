package config

import (
	"strings"
	"unicode/utf8"
)

// maxSuggestRunes bounds the names that are compared; longer ones are pasted
// text and not typing errors.
const maxSuggestRunes = 128

// Suggest returns the candidate that name was probably meant to be, for "did
// you mean": the one with the fewest single-character edits and swaps of
// neighbors, ignoring case, at most one for every three characters. Without
// such a one, the shortest candidate that begins with name. It returns "" when
// nothing is near; equals are decided by the alphabet.
func Suggest(name string, candidates []string) string {
	length := utf8.RuneCountInString(name)
	if length == 0 || length > maxSuggestRunes {
		return ""
	}
	wanted := []rune(strings.ToLower(name))
	best, bestEdits := "", max(1, length/3)+1
	begins := ""
	for _, candidate := range candidates {
		lower := strings.ToLower(candidate)
		other := []rune(lower)
		if length >= 3 && strings.HasPrefix(lower, string(wanted)) && (begins == "" || shorter(candidate, begins)) {
			begins = candidate
		}
		if d := len(other) - length; d >= bestEdits+1 || -d >= bestEdits+1 || len(other) == 0 {
			continue
		}
		n := edits(wanted, other)
		if n >= length { // nothing of the name is left
			continue
		}
		if n < bestEdits || n == bestEdits && best != "" && candidate < best {
			best, bestEdits = candidate, n
		}
	}
	if best == "" {
		return begins
	}
	return best
}

// suggested ends a rule with what was probably meant, if that is known.
func suggested(near string) string {
	if near == "" {
		return ""
	}
	return ", did you mean " + near + "?"
}

// shorter orders by length, then by the alphabet.
func shorter(a, b string) bool {
	return len(a) < len(b) || len(a) == len(b) && a < b
}

// edits counts insertions, deletions, replacements and swaps of neighbors that
// turn a into b (optimal string alignment).
func edits(a, b []rune) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := above[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(above[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
