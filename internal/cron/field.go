package cron

import (
	"fmt"
	"strings"
)

// fieldRule describes one of the six fields.
type fieldRule struct {
	name      string
	low, high int
	// names are the words that stand for values, the first one for firstName.
	names     []string
	firstName int
	// letters are the characters allowed besides digits and * , - / ?.
	letters string
}

// fieldSet is what the text of one field stands for.
type fieldSet struct {
	values uint64
	// last has bit 0 set for L as day of month, or one bit for every weekday
	// that was marked with an L. 0 and 7 are apart here, because cron-parser
	// takes 0L,7L although it refuses 0,7.
	last uint64
	// nth is the k of n#k, or 0.
	nth int
}

const (
	dayOfMonth = "day of month"
	dayOfWeek  = "day of week"
)

var fieldRules = [6]fieldRule{
	{name: "second", low: 0, high: 59},
	{name: "minute", low: 0, high: 59},
	{name: "hour", low: 0, high: 23},
	{name: dayOfMonth, low: 1, high: 31, letters: "L"},
	{
		name: "month", low: 1, high: 12, firstName: 1,
		names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
	},
	{
		name: dayOfWeek, low: 0, high: 7, firstName: 0, letters: "L",
		names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"},
	},
}

// parseField reads the text of a field. The reason is empty if it is valid.
func parseField(rule *fieldRule, text string) (set fieldSet, reason string) {
	if rule.name == dayOfWeek {
		if text, set.nth, reason = cutOccurrence(text); reason != "" {
			return set, reason
		}
	}
	if text, reason = rule.replaceNames(text); reason != "" {
		return set, reason
	}
	for _, r := range text {
		if strings.ContainsRune("0123456789*,-/?"+rule.letters, r) {
			continue
		}
		if r == 'H' {
			return set, "H is unstable: it stands for another value at every evaluation; write the value you want"
		}
		return set, fmt.Sprintf("unexpected character %q", r)
	}
	for item := range strings.SplitSeq(text, ",") {
		if reason := rule.addItem(&set, item); reason != "" {
			return set, reason
		}
	}
	return set, ""
}

// replaceNames turns the names of months or weekdays into numbers. Any three
// letters in a row are taken for a name, wherever they stand.
func (rule *fieldRule) replaceNames(text string) (replaced, reason string) {
	if len(rule.names) == 0 {
		return text, ""
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		if i+3 > len(text) || !isLetter(text[i]) || !isLetter(text[i+1]) || !isLetter(text[i+2]) {
			b.WriteByte(text[i])
			i++
			continue
		}
		word := text[i : i+3]
		value := -1
		for n, name := range rule.names {
			if strings.EqualFold(name, word) {
				value = rule.firstName + n
			}
		}
		if value < 0 {
			return "", fmt.Sprintf("unknown name %q; known are %s", word, strings.ToUpper(strings.Join(rule.names, " ")))
		}
		fmt.Fprint(&b, value)
		i += 3
	}
	return b.String(), ""
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// cutOccurrence splits n#k into n and k. Without a # it returns 0 for k.
func cutOccurrence(text string) (weekday string, nth int, reason string) {
	weekday, occurrence, found := strings.Cut(text, "#")
	if !found {
		return text, 0, ""
	}
	if strings.ContainsAny(text, ",-/L") {
		return "", 0, "# cannot be combined with a list, a range, a step or L"
	}
	nth, ok := parseNumber(occurrence)
	if !ok || nth < 1 || nth > 5 {
		return "", 0, fmt.Sprintf("the occurrence after # must be a number from 1 to 5, not %q", occurrence)
	}
	return weekday, nth, ""
}

// addItem adds one item of a list to the set.
func (rule *fieldRule) addItem(set *fieldSet, item string) (reason string) {
	if item == "" {
		return "empty item in a list"
	}
	if last, ok := rule.lastMark(item); ok {
		if set.last&last != 0 {
			return fmt.Sprintf("%s is named twice", item)
		}
		set.last |= last
		return ""
	}
	values, reason := rule.parseItem(item)
	if reason != "" {
		return reason
	}
	if set.values&values != 0 {
		return fmt.Sprintf("%q repeats a value that the list has already", item)
	}
	set.values |= values
	return ""
}

// lastMark reads L as day of month and nL as day of week.
func (rule *fieldRule) lastMark(item string) (last uint64, ok bool) {
	switch {
	case rule.name == dayOfMonth && item == "L":
		return 1, true
	case rule.name == dayOfWeek && len(item) == 2 && item[1] == 'L' && '0' <= item[0] && item[0] <= '7':
		return 1 << (item[0] - '0'), true
	}
	return 0, false
}

// parseItem reads a value, a range or a wildcard, each with an optional step.
func (rule *fieldRule) parseItem(item string) (values uint64, reason string) {
	base, stepText, hasStep := strings.Cut(item, "/")
	step := 1
	if hasStep {
		var ok bool
		if step, ok = parseNumber(stepText); !ok || step == 0 {
			return 0, fmt.Sprintf("the step of %q must be a whole number of at least 1", item)
		}
	}
	low, high, reason := rule.parseRange(base, hasStep)
	if reason != "" {
		return 0, reason
	}
	for v := low; v <= high; v += step {
		values |= 1 << v
	}
	if rule.name == dayOfWeek {
		values = foldSunday(values)
	}
	return values, ""
}

// foldSunday replaces 7 by 0 in a set of weekdays.
func foldSunday(weekdays uint64) uint64 { return weekdays&upTo(6) | weekdays>>7&1 }

// parseRange reads the part of an item that stands before the step. A single
// value that has a step runs to the end of the field.
func (rule *fieldRule) parseRange(base string, hasStep bool) (low, high int, reason string) {
	if isWildcard(base) {
		return rule.low, rule.high, ""
	}
	lowText, highText, isRange := strings.Cut(base, "-")
	low, ok := parseNumber(lowText)
	if !ok {
		return 0, 0, rule.badValue(base)
	}
	high = low
	switch {
	case isRange:
		if high, ok = parseNumber(highText); !ok {
			return 0, 0, rule.badValue(base)
		}
	case hasStep:
		high = rule.high
	}
	if low < rule.low || low > rule.high || high > rule.high {
		return 0, 0, fmt.Sprintf("%q is out of range, allowed are %d to %d", base, rule.low, rule.high)
	}
	if low > high {
		return 0, 0, fmt.Sprintf("the range %q runs backwards; write two ranges instead", base)
	}
	return low, high, ""
}

func (rule *fieldRule) badValue(text string) string {
	return fmt.Sprintf("%q is neither a value from %d to %d nor a range", text, rule.low, rule.high)
}

// parseNumber reads decimal digits. Numbers too large for any field stay too
// large but do not overflow.
func parseNumber(text string) (n int, ok bool) {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = min(n*10+int(text[i]-'0'), 1_000_000)
	}
	return n, text != ""
}
