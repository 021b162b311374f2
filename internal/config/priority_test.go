package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScaleWire(t *testing.T) {
	t.Parallel()
	higher := Scale{Order: HigherFirst, Min: 0, Max: 10, Default: 0}
	lower := Scale{Order: LowerFirst, Min: 1, Max: 10, Default: 5}
	digest := Scale{Order: LowerFirst, Min: 1, Max: 10, Default: 10}
	bullmq := plainQueue("bull", "x").Priority
	narrow := Scale{Order: LowerFirst, Min: 2, Max: 6, Default: 4}
	wide := Scale{Order: LowerFirst, Min: 1, Max: 100, Default: 50}

	higherRange := ": want an integer from 0 to 10 (higher-first), urgent, normal or background"
	lowerRange := ": want an integer from 1 to 10 (lower-first), urgent, normal or background"
	bullmqRange := ": want an integer from 0 to 2097152 (lower-first), urgent, normal or background"
	type result struct {
		Wire, Payload int
		Err           string
	}
	tests := []struct {
		name  string
		scale Scale
		text  string
		want  result
	}{
		{"higher default is never wire 0", higher, "", result{Wire: 11}},
		{"higher normal", higher, "normal", result{Wire: 11}},
		{"higher urgent", higher, "urgent", result{Wire: 1, Payload: 10}},
		{"higher background", higher, "background", result{Wire: 11}},
		{"higher number", higher, "3", result{Wire: 8, Payload: 3}},
		{"higher least", higher, "0", result{Wire: 11}},
		{"higher most", higher, "10", result{Wire: 1, Payload: 10}},
		{"higher above", higher, "11", result{Err: `priority "11"` + higherRange}},
		{"higher below", higher, "-1", result{Err: `priority "-1"` + higherRange}},
		{"lower default", lower, "", result{Wire: 5, Payload: 5}},
		{"lower urgent", lower, "urgent", result{Wire: 1, Payload: 1}},
		{"lower background", lower, "background", result{Wire: 10, Payload: 10}},
		{"lower number", lower, "7", result{Wire: 7, Payload: 7}},
		{"lower below", lower, "0", result{Err: `priority "0"` + lowerRange}},
		{"digest default", digest, "", result{Wire: 10, Payload: 10}},
		{"digest urgent", digest, "urgent", result{Wire: 1, Payload: 1}},
		{"bullmq default is none", bullmq, "", result{}},
		{"bullmq urgent is not behind normal", bullmq, "urgent", result{}},
		{"bullmq background", bullmq, "background", result{Wire: 10, Payload: 10}},
		{"bullmq lowest", bullmq, "2097152", result{Wire: 2097152, Payload: 2097152}},
		{"bullmq too low", bullmq, "2097153", result{Err: `priority "2097153"` + bullmqRange}},
		{"narrow urgent stays on the scale", narrow, "urgent", result{Wire: 2, Payload: 2}},
		{"narrow background stays on the scale", narrow, "background", result{Wire: 6, Payload: 6}},
		{"wide background is behind normal", wide, "background", result{Wire: 100, Payload: 100}},
		{"fraction", lower, "1.5", result{Err: `priority "1.5"` + lowerRange}},
		{"sign", lower, "+5", result{Err: `priority "+5"` + lowerRange}},
		{"word", lower, "URGENT", result{Err: `priority "URGENT"` + lowerRange + ", did you mean urgent?"}},
		{"huge", lower, "99999999999999999999", result{Err: `priority "99999999999999999999"` + lowerRange}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wire, payload, err := test.scale.Wire(test.text)
			if diff := cmp.Diff(test.want, result{wire, payload, errText(t, err)}); diff != "" {
				t.Errorf("Wire(%q) (-want +got):\n%s", test.text, diff)
			}
		})
	}
}

func TestScaleFromPayload(t *testing.T) {
	t.Parallel()
	scale := Scale{Order: HigherFirst, Min: 0, Max: 10, Default: 0}
	got := map[int]int{}
	for n := -1; n <= 11; n++ {
		wire, err := scale.FromPayload(n)
		if errText(t, err) != "" {
			wire = -1
		}
		got[n] = wire
	}
	want := map[int]int{-1: -1, 0: 11, 1: 10, 2: 9, 3: 8, 4: 7, 5: 6, 6: 5, 7: 4, 8: 3, 9: 2, 10: 1, 11: -1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("FromPayload (-want +got):\n%s", diff)
	}
}

func TestScaleCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		scale Scale
		want  string
	}{
		{Scale{HigherFirst, 0, 10, 0}, ""},
		{Scale{HigherFirst, 1, MaxWirePriority, 1}, ""},
		{Scale{LowerFirst, 0, MaxWirePriority, 0}, ""},
		{Scale{"", 0, 10, 0}, `priority scale " 0..10 default 0": want the order higher-first or lower-first`},
		{Scale{LowerFirst, -1, 10, 0}, `priority scale "lower-first -1..10 default 0": want 0 <= min <= max <= 2097152`},
		{Scale{LowerFirst, 5, 4, 5}, `priority scale "lower-first 5..4 default 5": want 0 <= min <= max <= 2097152`},
		{Scale{LowerFirst, 0, 1 << 22, 0}, `priority scale "lower-first 0..4194304 default 0": want 0 <= min <= max <= 2097152`},
		{Scale{HigherFirst, 0, MaxWirePriority, 0}, `priority scale "higher-first 0..2097152 default 0": want at most 2097152 steps`},
		{Scale{LowerFirst, 1, 10, 0}, `priority scale "lower-first 1..10 default 0": want a default within min and max`},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, errText(t, test.scale.Check())); diff != "" {
			t.Errorf("Check of %v (-want +got):\n%s", test.scale, diff)
		}
	}
}
