package cron

import (
	_ "embed"
	"slices"
	"strings"
)

//go:embed zones.txt
var zoneNames string

// Zones lists the zones by the names that people use, such as Europe/Berlin, and
// UTC, in the order of the alphabet. [ParseZone] knows more: old names, and
// offsets such as Etc/GMT+5.
func Zones() []string { return slices.Collect(strings.FieldsSeq(zoneNames)) }

// Aliases lists the words that stand for a pattern, the most frequent run last,
// each with the pattern that it stands for.
func Aliases() [][2]string {
	var all [][2]string
	for _, word := range []string{
		"@yearly", "@annually", "@monthly", "@weekly", "@weekends", "@weekdays", "@daily", "@hourly", "@minutely", "@secondly",
	} {
		pattern, _ := resolveAlias(word)
		all = append(all, [2]string{word, pattern})
	}
	return all
}
