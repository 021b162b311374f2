package cron

import (
	"fmt"
	"strings"
	"unicode"
)

// MaxLength is the longest expression, in bytes, that [Parse] will look at.
const MaxLength = 1024

// Names of the parts that a [ParseError] can blame besides the six fields.
const (
	partExpression = "expression"
	partZone       = "zone"
)

// ParseError says which rule an expression or a zone name breaks.
type ParseError struct {
	// Expr is the text that was refused: an expression, or the name of a zone.
	Expr string
	// Field is the part at fault: "second", "minute", "hour", "day of month",
	// "month", "day of week", "expression" for the text as a whole, or "zone".
	Field string
	// Reason is the broken rule.
	Reason string
}

// Error returns one line that quotes the text, names the field and states the
// rule. A long text is cut.
func (e *ParseError) Error() string {
	const shown = 64
	text := e.Expr
	if len(text) > shown {
		text = text[:shown] + "…"
	}
	switch e.Field {
	case partZone:
		return fmt.Sprintf("time zone %q: %s", text, e.Reason)
	case partExpression:
		return fmt.Sprintf("cron expression %q: %s", text, e.Reason)
	default:
		return fmt.Sprintf("cron expression %q: %s: %s", text, e.Field, e.Reason)
	}
}

// Schedule is a parsed expression. Schedules are immutable and comparable; the
// zero value never fires.
type Schedule struct {
	// Bit n of a set stands for value n; Sunday is bit 0 of weekdays.
	seconds, minutes, hours, days, months, weekdays uint64
	// lastWeekdays are the weekdays that match only in the last week of a month.
	lastWeekdays uint64
	// nth restricts weekdays to their nth occurrence in the month; 0 means all.
	nth int
	// lastDay adds the last day of every month.
	lastDay bool
	// anyDay and anyWeekday tell that the field was exactly * or ?.
	anyDay, anyWeekday bool
}

// Parse reads an expression by the rules in the package documentation. The
// error is a [*ParseError].
func Parse(expr string) (Schedule, error) {
	if len(expr) > MaxLength {
		return Schedule{}, refuse(expr, partExpression, "is %d bytes long, the limit is %d", len(expr), MaxLength)
	}
	texts, err := splitFields(expr)
	if err != nil {
		return Schedule{}, err
	}

	var sets [6]fieldSet
	for i, text := range texts {
		set, reason := parseField(&fieldRules[i], text)
		if reason != "" {
			return Schedule{}, refuse(expr, fieldRules[i].name, "%s", reason)
		}
		sets[i] = set
	}
	s := Schedule{
		seconds:      sets[0].values,
		minutes:      sets[1].values,
		hours:        sets[2].values,
		days:         sets[3].values,
		months:       sets[4].values,
		weekdays:     sets[5].values,
		lastWeekdays: foldSunday(sets[5].last),
		nth:          sets[5].nth,
		lastDay:      sets[3].last != 0,
		anyDay:       isWildcard(texts[3]),
		anyWeekday:   isWildcard(texts[5]),
	}
	if s.neverFires() {
		return Schedule{}, refuse(expr, fieldRules[3].name, "never fires: none of the months has that day")
	}
	return s, nil
}

func refuse(expr, field, format string, args ...any) *ParseError {
	return &ParseError{Expr: expr, Field: field, Reason: fmt.Sprintf(format, args...)}
}

// splitFields returns the six field texts of an expression, aliases resolved
// and missing fields filled in.
func splitFields(expr string) ([6]string, error) {
	texts := [6]string{"0", "*", "*", "*", "*", "*"}
	text := expr
	switch {
	case text == "":
		return texts, nil
	case strings.HasPrefix(text, "@"):
		resolved, ok := resolveAlias(text)
		if !ok {
			return texts, refuse(expr, partExpression, "unknown alias; known are @yearly, @annually, @monthly, "+
				"@weekly, @daily, @hourly, @minutely, @secondly, @weekdays and @weekends")
		}
		text = resolved
	}

	fields := strings.FieldsFunc(text, isSpace)
	switch {
	case len(fields) == 0:
		return texts, refuse(expr, partExpression, "is blank")
	case strings.HasPrefix(fields[0], "TZ="), strings.HasPrefix(fields[0], "CRON_TZ="):
		return texts, refuse(expr, partExpression, "a zone cannot be part of the expression; it is a setting of the schedule")
	case len(fields) > len(texts):
		return texts, refuse(expr, partExpression, "has %d fields, at most %d are allowed "+
			"(second, minute, hour, day of month, month, day of week)", len(fields), len(texts))
	}
	copy(texts[len(texts)-len(fields):], fields)
	return texts, nil
}

func resolveAlias(text string) (string, bool) {
	switch text {
	case "@yearly", "@annually":
		return "0 0 0 1 1 *", true
	case "@monthly":
		return "0 0 0 1 * *", true
	case "@weekly":
		return "0 0 0 * * 0", true
	case "@daily":
		return "0 0 0 * * *", true
	case "@hourly":
		return "0 0 * * * *", true
	case "@minutely":
		return "0 * * * * *", true
	case "@secondly":
		return "* * * * * *", true
	case "@weekdays":
		return "0 0 0 * * 1-5", true
	case "@weekends":
		return "0 0 0 * * 0,6", true
	}
	return "", false
}

// isSpace reports whether JavaScript's \s would match r, which differs from
// [unicode.IsSpace] at U+0085 and U+FEFF.
func isSpace(r rune) bool {
	switch r {
	case '\u0085':
		return false
	case '\ufeff':
		return true
	}
	return unicode.IsSpace(r)
}

func isWildcard(text string) bool { return text == "*" || text == "?" }

// neverFires reports a day of month that none of the months has, such as
// February 30. Any weekday restriction or L saves the schedule, because either
// of the two day fields may match.
func (s *Schedule) neverFires() bool {
	if !s.anyWeekday || s.lastDay {
		return false
	}
	for month := 1; month <= 12; month++ {
		if has(s.months, month) && s.days&upTo(longestMonth(month)) != 0 {
			return false
		}
	}
	return true
}

// longestMonth returns how many days a month has in a leap year.
func longestMonth(month int) int {
	switch month {
	case 2:
		return 29
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// has reports whether value is in set.
func has(set uint64, value int) bool { return set>>value&1 != 0 }

// upTo returns the set of the values 0 to high.
func upTo(high int) uint64 { return 1<<(high+1) - 1 }
