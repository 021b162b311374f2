package config

import (
	"fmt"
	"strconv"
)

// MaxWirePriority is BullMQ's lowest priority; 1 is the highest, and 0 means
// none, which runs before all others.
const MaxWirePriority = 1 << 21

// priorityWords name places on every scale.
var priorityWords = []string{"urgent", "normal", "background"}

// Order says which end of a scale runs first.
type Order string

// The orders, as the configuration spells them.
const (
	LowerFirst  Order = "lower-first"
	HigherFirst Order = "higher-first"
)

// Scale maps the priorities that people type to BullMQ's.
type Scale struct {
	Order   Order
	Min     int
	Max     int
	Default int // where no priority is given
}

// Check refuses a scale that cannot be mapped to BullMQ's priorities.
func (s Scale) Check() error {
	text := fmt.Sprintf("%s %d..%d default %d", s.Order, s.Min, s.Max, s.Default)
	refuse := func(want string) error { return &ValueError{What: "priority scale", Value: text, Want: want} }
	switch {
	case s.Order != LowerFirst && s.Order != HigherFirst:
		return refuse("want the order higher-first or lower-first")
	case s.Min < 0 || s.Max < s.Min || s.Max > MaxWirePriority:
		return refuse(fmt.Sprintf("want 0 <= min <= max <= %d", MaxWirePriority))
	case s.Order == HigherFirst && s.Max+1-s.Min > MaxWirePriority:
		return refuse(fmt.Sprintf("want at most %d steps", MaxWirePriority))
	case s.Default < s.Min || s.Default > s.Max:
		return refuse("want a default within min and max")
	}
	return nil
}

// Wire reads a priority as typed: a number of the scale, urgent, normal,
// background, or "" for the default. It returns BullMQ's priority and the
// number on the scale, which is what a payload's own priority is set to.
func (s Scale) Wire(text string) (wire, payload int, err error) {
	switch text {
	case "", "normal":
		payload = s.Default
	case "urgent":
		payload = s.urgent()
	case "background":
		payload = s.background()
	default:
		if payload, err = strconv.Atoi(text); err != nil || text[0] == '+' {
			return 0, 0, s.refuse(text)
		}
	}
	wire, err = s.FromPayload(payload)
	if err != nil {
		return 0, 0, s.refuse(text)
	}
	return wire, payload, nil
}

// FromPayload returns BullMQ's priority for n, a number on the scale such as a
// payload's own priority.
func (s Scale) FromPayload(n int) (wire int, err error) {
	if n < s.Min || n > s.Max {
		return 0, s.refuse(strconv.Itoa(n))
	}
	if s.Order == HigherFirst {
		return s.Max + 1 - n, nil
	}
	return n, nil
}

// urgent is the top of a higher-first scale and 1 on a lower-first one, but
// never behind the default: on BullMQ's own scale the default is 0, which runs
// before 1.
func (s Scale) urgent() int {
	if s.Order == HigherFirst {
		return s.Max
	}
	return min(max(1, s.Min), s.Default)
}

// background is the bottom of a higher-first scale and 10 on a lower-first one,
// or its bottom where 10 is off the scale or not behind the default.
func (s Scale) background() int {
	switch {
	case s.Order == HigherFirst:
		return s.Min
	case s.Max < 10 || s.Default >= 10:
		return s.Max
	}
	return max(10, s.Min)
}

func (s Scale) refuse(text string) error {
	near := Suggest(text, priorityWords)
	return &ValueError{
		What: "priority", Value: text, Near: near,
		Want: fmt.Sprintf("want an integer from %d to %d (%s), urgent, normal or background", s.Min, s.Max, s.Order) + suggested(near),
	}
}
