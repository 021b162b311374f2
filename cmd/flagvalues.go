package cmd

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/queue"
)

// mostCount is the largest number of jobs, lines or events that a flag takes:
// what 32-bit readers hold.
const mostCount = math.MaxInt32

// Bounds of times, as they are typed.
const (
	mostTime  = "106751d" // what a time.Duration holds
	mostDelay = "3650d"   // queue.MaxDelay
	mostWait  = "365d"    // of what a process waits for
)

// durationExamples show how a time is typed.
const durationExamples = "such as 30s, 15m, 2h, 7d, 2w or P7D"

// ranged is the value of a flag that takes numbers, times or rates within
// bounds. What is outside is refused when the flag is read, before anything is
// sent.
type ranged interface {
	pflag.Value
	// want is the rule, with the bounds.
	want() string
}

// intFlag is an integer within bounds.
type intFlag struct {
	to          *int
	least, most int
}

// intVar binds an integer whose default is what is there.
func intVar(flags *pflag.FlagSet, to *int, name string, least, most int, usage string) {
	flags.Var(&intFlag{to, least, most}, name, usage)
}

func (f *intFlag) want() string { return fmt.Sprintf("want an integer from %d to %d", f.least, f.most) }

// Set reads what was typed.
func (f *intFlag) Set(text string) error {
	n, ok := parseInt(text)
	if !ok || n < f.least || n > f.most {
		return errors.New(f.want())
	}
	*f.to = n
	return nil
}

// String returns the number.
func (f *intFlag) String() string { return strconv.Itoa(*f.to) }

// Type names the kind of value.
func (*intFlag) Type() string { return "int" }

// parseInt reads an integer as it is written without a plus.
func parseInt(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && text[0] != '+'
}

// limitFlag is an integer from 1 on, or the word that removes a limit. The text
// is kept.
type limitFlag struct{ to *string }

func (*limitFlag) want() string {
	return fmt.Sprintf("want an integer from 1 to %d, or %s", mostCount, noLimit)
}

// Set checks what was typed.
func (f *limitFlag) Set(text string) error {
	if n, ok := parseInt(text); text != noLimit && (!ok || n < 1 || n > mostCount) {
		return errors.New(f.want())
	}
	*f.to = text
	return nil
}

// String returns the text.
func (f *limitFlag) String() string { return *f.to }

// Type names the kind of value.
func (*limitFlag) Type() string { return "int" }

// durationFlag is a time within bounds, read as everywhere else: 30s, 7d, P7D.
type durationFlag struct {
	to          *time.Duration
	text        string // as it was typed; empty while it was not and has no default
	least, most string
}

// durationVar binds a time. The default and the bounds are as they would be
// typed; the default may be empty.
func durationVar(flags *pflag.FlagSet, to *time.Duration, name, text, least, most, usage string) {
	f := &durationFlag{to: to, text: text, least: least, most: most}
	if text != "" {
		*to = typedDuration(text)
	}
	flags.Var(f, name, usage)
}

// typedDuration is a time that stands in the source.
func typedDuration(text string) time.Duration {
	d, err := config.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return d
}

func (f *durationFlag) want() string {
	return fmt.Sprintf("want a time from %s to %s, %s", f.least, f.most, durationExamples)
}

// Set reads what was typed.
func (f *durationFlag) Set(text string) error {
	d, err := config.ParseDuration(text)
	if err != nil || d < typedDuration(f.least) || d > typedDuration(f.most) {
		return errors.New(f.want())
	}
	*f.to, f.text = d, text
	return nil
}

// String returns the time as it was typed.
func (f *durationFlag) String() string { return f.text }

// Type names the kind of value.
func (*durationFlag) Type() string { return "duration" }

// rateFlag is a number of jobs in a time, 10/1s, or where a limit can be removed
// the word for that. The text is kept.
type rateFlag struct {
	to   *string
	none bool
}

func (f *rateFlag) want() string {
	want := fmt.Sprintf("want N/TIME such as 10/1s or 100/m, N from 1 to %d, TIME from 1ms to %s", mostCount, mostDelay)
	if f.none {
		want += ", or " + noLimit
	}
	return want
}

// Set checks what was typed.
func (f *rateFlag) Set(text string) error {
	if !f.none || text != noLimit {
		rate, err := config.ParseRate(text)
		if err != nil || rate.Duration > queue.MaxDelay {
			return errors.New(f.want())
		}
	}
	*f.to = text
	return nil
}

// String returns the text.
func (f *rateFlag) String() string { return *f.to }

// Type names the kind of value.
func (*rateFlag) Type() string { return "rate" }
