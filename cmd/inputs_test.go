package cmd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagAt is a flag with a command that has it.
type flagAt struct {
	*pflag.Flag
	path string
}

// line is a command line that gives the flag some values.
func (f flagAt) line(values ...string) []string {
	args := words(f.path)
	for _, v := range values {
		if f.NoOptDefVal != "" {
			args = append(args, "--"+f.Name+"="+v)
		} else {
			args = append(args, "--"+f.Name, v)
		}
	}
	return args
}

// everyFlag lists the flags of the whole tree, the global ones once.
func everyFlag() (all []flagAt) {
	root := NewRootForDocs()
	for _, c := range append(everyCommand(root), root) {
		path := pathOf(c)
		if c == root {
			path = ""
		}
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				all = append(all, flagAt{f, path})
			}
		})
	}
	return all
}

// valueOf is the value that a flag has below its guard.
func valueOf(f *pflag.Flag) pflag.Value {
	switch v := f.Value.(type) {
	case *guardedValue:
		return v.Value
	case *guardedSlice:
		return v.Value
	}
	return nil
}

// nothingSent runs command lines that must be refused for what was typed, with
// one line and a hint, before Redis hears of them.
func nothingSent(t *testing.T) func(args []string, want ...string) {
	t.Helper()
	server, _, env := memoryRedis(t)
	return func(args []string, want ...string) {
		t.Helper()
		got := call{args: args, env: env}.run(t)
		shown := make([]string, len(args))
		for i, arg := range args {
			shown[i] = arg[:min(len(arg), 40)]
		}
		if got.code != exitUsage || got.out != "" || lineCount(got.err) > 2 || len(got.err) > 600 {
			t.Errorf("qctl %q: exit %d, %d bytes of results, errors of %d bytes:\n%.600s", shown, got.code, len(got.out), len(got.err), got.err)
		}
		for _, text := range want {
			if !strings.Contains(got.err, text) {
				t.Errorf("qctl %q: the error lacks %q:\n%.600s", shown, text, got.err)
			}
		}
		checkHarmless(t, fmt.Sprintf("qctl %q", shown), got.err, false)
		if n := server.TotalConnectionCount(); n != 0 {
			t.Fatalf("qctl %q: %d connections to Redis", shown, n)
		}
	}
}

// goodValue is a value that a flag takes.
func goodValue(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true"
	case "int":
		return "5"
	case "duration":
		return "5m"
	case "rate":
		return "5/1s"
	}
	return "x"
}

// Every flag is given once, but those that collect.
func TestNoFlagTwice(t *testing.T) {
	t.Parallel()
	refused := nothingSent(t)
	var several []string
	for _, f := range everyFlag() {
		if valueOf(f.Flag) == nil {
			t.Errorf("%s --%s is not guarded", f.path, f.Name)
		}
		if _, collects := f.Value.(pflag.SliceValue); collects {
			several = append(several, f.Name)
			continue
		}
		value := goodValue(f.Flag)
		refused(f.line(value, value), "--"+f.Name+" is given twice")
		if f.Shorthand != "" && f.NoOptDefVal == "" {
			refused(append(words(f.path), "-"+f.Shorthand, value, "--"+f.Name+"="+value), "--"+f.Name+" is given twice")
		}
	}
	slices.Sort(several)
	if got, want := slices.Compact(several), []string{"columns", "confirm", "event", "queue", "state"}; !slices.Equal(got, want) {
		t.Errorf("flags that collect: %q, want %q", got, want)
	}
}

// textNumbers are flags that hold numbers and times and are read later, because
// they depend on the queue, the clock or on each other.
var textNumbers = map[string]string{
	"at": "a point in time", "since": "a point in time", "until": "a point in time",
	"start": "a point in time", "end": "a point in time", "from": "a point in time",
	"backoff": "a word and a time", "handler": "words with numbers", "priority": "a number of the queue's scale",
}

// What no number, time or rate may be is refused where the flag is read, with
// the bounds.
func TestNumbersHaveBounds(t *testing.T) {
	t.Parallel()
	refused := nothingSent(t)
	bad := []string{
		"-1", "-5s", "-1/1s", "", " ", "1e9", "99999999999h", "9223372036854775808", "18446744073709551616/1s", "NaN", "Inf", "-Inf",
		"1.5", "+1", "0x10", "1_000", "1 000", "1/99999999999h", "1/0s", "0/1s", "1/-1s", "P1Y", "5 parsecs", "٣",
	}
	seen := 0
	for _, f := range everyFlag() {
		value, ok := valueOf(f.Flag).(ranged)
		if !ok {
			if kind := f.Value.Type(); kind != "string" && kind != "bool" && kind != "stringSlice" && kind != "stringArray" {
				t.Errorf("%s --%s is a %s without bounds", f.path, f.Name, kind)
			}
			for _, word := range []string{"`TIME`", "`DURATION`", "`N`", "`N/TIME`"} {
				if strings.Contains(f.Usage, word) && textNumbers[f.Name] == "" {
					t.Errorf("%s --%s: %q without bounds", f.path, f.Name, f.Usage)
				}
			}
			continue
		}
		seen++
		values := slices.Clone(bad)
		switch v := value.(type) {
		case *intFlag:
			values = append(values, fmt.Sprint(v.least-1), fmt.Sprint(v.most+1), "5s")
		case *durationFlag:
			values = append(values, "5", typedOver(v.most))
			if v.least != "0s" {
				values = append(values, "0s", "1ns")
			}
		case *limitFlag, *rateFlag:
			values = append(values, "0", "5s", "nothing")
		}
		for _, text := range values {
			refused(f.line(text), "qctl: --"+f.Name+" ", value.want())
		}
	}
	if seen < 20 {
		t.Errorf("%d flags with bounds: the walk has missed some", seen)
	}
}

// typedOver is a time just over another.
func typedOver(most string) string { return (typedDuration(most) + 1).String() }

// A default is within the bounds, and so are the bounds themselves.
func TestBoundsAreTaken(t *testing.T) {
	t.Parallel()
	for _, f := range everyFlag() {
		var values []string
		switch v := valueOf(f.Flag).(type) {
		case *intFlag:
			values = []string{fmt.Sprint(v.least), fmt.Sprint(v.most)}
		case *durationFlag:
			values = []string{v.least, v.most, v.text}
			if v.least == "0s" || v.least == "1s" || v.least == "1ms" {
				values = append(values, "30s", "15m", "2h", "1d", "PT5M")
			}
		case *rateFlag:
			values = []string{"1/1ms", "2147483647/3650d", "100/m"}
		case *limitFlag:
			values = []string{"1", "2147483647", noLimit}
		}
		for _, text := range values {
			if err := valueOf(f.Flag).Set(text); err != nil && text != "" {
				t.Errorf("%s --%s %s: %v", f.path, f.Name, text, err)
			}
		}
	}
}

// Numbers within texts are refused before anything is sent, too.
func TestNumbersInTextsHaveBounds(t *testing.T) {
	t.Parallel()
	refused := nothingSent(t)
	for flag, lines := range map[string][]string{
		"at": {"enqueue email queueId=1"}, "priority": {"enqueue email queueId=1"}, "backoff": {"enqueue email queueId=1"},
		"handler": {"worker --queue email"}, "until": {"jobs email", "failed", "remove email", "promote email"},
		"since": {"jobs email", "failed", "events email", "retry email"},
	} {
		for _, line := range lines {
			for _, bad := range []string{"-1", "", "1e9", "-99999999999h", "99999999999999999999", "NaN", "Inf", "1.5", "exponential:-1s", "exponential:NaN", "fixed:1s:NaN", "fixed:1s:2", "fail=NaN", "fail=2", "fail=-1", "sleep=-1s", "sleep=99999999999h", "sleep=1e9"} {
				refused(append(words(line), "--"+flag, bad), "--"+flag)
			}
		}
	}
}

// noText are arguments that are no text, with what is said of them.
var noText = map[string]string{
	"a\x00b":                     "holds a NUL byte",
	"\xff\xfe":                   "is not valid UTF-8",
	strings.Repeat("x", 128<<10): "is 131072 bytes long, at most 98304 are allowed",
}

// Every flag and every argument is text of a bounded length; the answer is short
// whatever was typed.
func TestArgumentsAreText(t *testing.T) {
	t.Parallel()
	refused := nothingSent(t)
	for bad, why := range noText {
		for _, f := range everyFlag() {
			if f.Value.Type() == "bool" && f.Name != "all-failed" {
				continue
			}
			if payloadFlags[f.Name] {
				refused(f.line("@"+bad), "qctl: --"+f.Name+" ")
				refused(append(words("enqueue email"), "--"+f.Name, bad), "--"+f.Name)
				continue
			}
			refused(f.line(bad), "--"+f.Name+" "+why)
		}
		root := NewRootForDocs()
		for _, c := range append(everyCommand(root), root) {
			path := words(strings.TrimPrefix(pathOf(c), "qctl"))
			refused(append(slices.Clone(path), bad), "argument 1 "+why)
			said := "argument"
			if pathOf(c) == "schedule add" { // what has more mistakes than one names the first
				said = ""
			}
			refused(append(slices.Clone(path), "-o", "json", "email", bad), said)
		}
		refused([]string{"help", bad}, "argument 1 "+why)
		refused([]string{"--" + bad}, "qctl: ")
		refused([]string{"-" + bad}, "qctl: ")
		refused([]string{"stats", "--" + bad + "=1"}, "qctl: ")
	}
	refused([]string{"enqueue", "email", "queueId=\xff"}, "argument 2 is not valid UTF-8")
	refused([]string{strings.Repeat("y", 90<<10)}, "unknown command", "(92160 bytes)")
}

// What is not qctl's own may be of any bytes: a payload, a program's arguments.
func TestForeignArgumentsMayBeLong(t *testing.T) {
	t.Parallel()
	_, _, env := memoryRedis(t)
	long := strings.Repeat("x", 128<<10)
	for _, args := range [][]string{
		{"enqueue", "dev", "--create", "--dry-run", "ticketId=" + long},
		{"enqueue", "bull:new", "--create", "--data", `{"a":"` + long + `"}`},
		{"worker", "--queue", "email", "--drain", "--", "true", long, "\xff"},
	} {
		if got := (call{args: args, env: env}).run(t); got.code != exitDone {
			t.Errorf("qctl %.60q: exit %d: %.600s", args, got.code, got.err)
		}
	}
}

// A long flag with one dash is a mistake that the answer mends, whatever short
// flags it is made of.
func TestSingleDash(t *testing.T) {
	t.Parallel()
	refused := nothingSent(t)
	for _, f := range everyFlag() {
		args := append(words(f.path), "-"+f.Name+"="+goodValue(f.Flag))
		refused(args, "qctl: -"+f.Name+": a long flag has two dashes\n", "did you mean --"+f.Name+"?\n")
	}
	refused(words("retry -al-failed email"), "unknown flag -a in \"-al-failed\"", "did you mean --all-failed?")
	refused(words("jobs email -limit 5"), "did you mean --limit?")
	refused(words("jobs email -limt=5"), "did you mean --limit?")
	refused(words("stats -output json"), "did you mean --output?")
	refused(words("jobs email -o json -limt 5"), `"didYouMean":["--limit"]`)
}

// A value that begins with a dash is no flag.
func TestSingleDashedValues(t *testing.T) {
	t.Parallel()
	root := NewRootForDocs()
	for line, command := range map[string]string{
		"jobs email --name -limit": "jobs", "enqueue email -d -data": "enqueue", "worker --queue email -- run -queue x": "worker",
		"retry email -n 5": "retry", "jobs email -sfailed": "jobs", "stats -wojson": "stats",
	} {
		var found *cobra.Command
		for _, c := range everyCommand(root) {
			if pathOf(c) == command {
				found = c
			}
		}
		if name := singleDashed(found, words(line)); name != "" {
			t.Errorf("%s: -%s taken for a long flag", line, name)
		}
	}
}

// FuzzFlagValues types anything as the value of every flag with bounds: what is
// taken is within them, and what is not is answered with them.
func FuzzFlagValues(f *testing.F) {
	for _, seed := range []string{"5", "-1", "1e9", "30s", "P7D", "1.5d", "2w", "10/1s", "1/m", "none", "", "\x00", "٣", "99999999999h", "1/P", "P", "PT"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, flag := range everyFlag() {
			value, ok := valueOf(flag.Flag).(ranged)
			if !ok {
				continue
			}
			if err := value.Set(text); err != nil {
				if err.Error() != value.want() {
					t.Errorf("--%s %q: %v", flag.Name, text, err)
				}
				continue
			}
			switch v := value.(type) {
			case *intFlag:
				ok = v.least <= *v.to && *v.to <= v.most
			case *durationFlag:
				ok = typedDuration(v.least) <= *v.to && *v.to <= typedDuration(v.most)
			default:
				ok = value.String() == text
			}
			if !ok {
				t.Errorf("--%s takes %q", flag.Name, text)
			}
		}
	})
}
