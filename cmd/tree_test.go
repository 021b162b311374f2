package cmd

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// everyCommand lists the commands that somebody can run, without help pages.
func everyCommand(root *cobra.Command) (all []*cobra.Command) {
	for _, c := range root.Commands() {
		if c.Hidden || c.IsAdditionalHelpTopicCommand() || c.Name() == "help" {
			continue
		}
		all = append(all, c)
		all = append(all, everyCommand(c)...)
	}
	return all
}

// pathOf is a command's name without the program's.
func pathOf(c *cobra.Command) string { return strings.TrimPrefix(c.CommandPath(), "qctl ") }

// baseArgs make a command line that says enough for each command to come to its
// work, on a queue email with the failed jobs plain0, plain1 and plain2.
var baseArgs = map[string][]string{
	"clean":           {"email", "--state", "failed", "--older-than", "0s"},
	"completion":      {"bash"},
	"dedup remove":    {"email", "order-7"},
	"dedup show":      {"email", "order-7"},
	"demo":            {"--for", "1s"},
	"drain":           {"email"},
	"enqueue":         {"email", "queueId=1"},
	"jobs":            {"email"},
	"limit":           {"email"},
	"logs":            {"email", "plain0"},
	"metrics":         {"email"},
	"obliterate":      {"email"},
	"pause":           {"email"},
	"promote":         {"email", "--all"},
	"remove":          {"email", "plain0"},
	"resume":          {"email"},
	"retry":           {"email", "plain0"},
	"show":            {"email", "plain0"},
	"scheduler":       {"--once"},
	"worker":          {"--queue", "email", "--handler", "noop", "--drain", "--rate", "100000/1s"},
	"config validate": {},

	"schedule add":     {"email", "hourly", "--every", "1h", "queueId=1"},
	"schedule apply":   {"--set", "workforce0"},
	"schedule convert": {"email", "--all"},
	"schedule next":    {"0 7 * * *"},
	"schedule pause":   {"email", "hourly"},
	"schedule remove":  {"email", "hourly"},
	"schedule restart": {"--all-stopped"},
	"schedule resume":  {"email", "hourly"},
	"schedule run":     {"email", "hourly"},
	"schedule show":    {"email", "hourly"},
}

// textFlags are the flags of a command, without the global ones, that take any
// text.
func textFlags(c *cobra.Command) (names []string) {
	add := func(f *pflag.Flag) {
		if f.Value.Type() != "bool" && f.Name != "help" && f.Name != "timeout" {
			names = append(names, f.Name)
		}
	}
	c.NonInheritedFlags().VisitAll(add)
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	for _, c := range everyCommand(NewRootForDocs()) {
		if c.Short == "" || c.Long == "" || c.Short == c.Long {
			t.Errorf("%s: no short or no long help", pathOf(c))
		}
		if strings.HasSuffix(c.Short, ".") || len(c.Short) > 72 {
			t.Errorf("%s: the short help is a phrase of a line: %q", pathOf(c), c.Short)
		}
		if n := len(examplesOf(c)); n < 3 {
			t.Errorf("%s: %d examples, want 3", pathOf(c), n)
		}
	}
}

// examplesOf are the lines of a command's examples.
func examplesOf(c *cobra.Command) (lines []string) {
	for line := range strings.Lines(c.Example) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// quotedWord is a word of a shell's command line, with quotes or without.
var quotedWord = regexp.MustCompile(`<\(|\)|(?:'[^']*'|"[^"]*"|[^\s'"()])+`)

// shellWords splits an example as a shell does, and keeps what qctl gets.
func shellWords(line string) (calls [][]string) {
	var current []string
	inside := false
	for _, word := range quotedWord.FindAllString(line, -1) {
		switch {
		case word == "|" || word == "&&" || word == ";" || word == ">" || word == "<" || word == "<(" || word == ")":
			if inside {
				calls = append(calls, current)
			}
			inside, current = false, nil
		case word == "qctl" && !inside:
			inside = true
		case inside:
			current = append(current, strings.NewReplacer("'", "", `"`, "").Replace(word))
		}
	}
	if inside {
		calls = append(calls, current)
	}
	return calls
}

// Every example names commands and flags that exist, with values that they take.
func TestEveryExampleParses(t *testing.T) {
	t.Parallel()
	for _, c := range append(everyCommand(NewRootForDocs()), NewRootForDocs()) {
		for _, line := range examplesOf(c) {
			calls := shellWords(line)
			if len(calls) == 0 {
				t.Errorf("%s: %q does not call qctl", pathOf(c), line)
			}
			mine := c.CommandPath() == "qctl"
			for _, args := range calls {
				// A tree holds what was parsed into it.
				found, rest, err := NewRootForDocs().Find(args)
				if err == nil {
					err = found.ParseFlags(rest)
				}
				if err == nil {
					err = found.ValidateArgs(found.Flags().Args())
				}
				if err != nil {
					t.Errorf("%s: %q: %v", pathOf(c), line, err)
					continue
				}
				mine = mine || strings.HasPrefix(found.CommandPath(), c.CommandPath())
			}
			if !mine {
				t.Errorf("%s: %q shows another command", pathOf(c), line)
			}
		}
	}
}

// sameWord lists the flags whose name means one thing in several wordings:
// every other name has one type and one text wherever it stands.
var sameWord = map[string]string{
	"dry-run":     "only says what would happen; the help names the deed",
	"limit":       "the most that is listed or changed, of jobs, lines or events",
	"state":       "the states of the jobs meant; the help names the deed and the states that can be",
	"name":        "the name of jobs: to choose them by a pattern, or to give it to a new one",
	"id":          "the id of jobs: to choose them by a pattern, or to give it to a new one",
	"older-than":  "the least age of the jobs meant",
	"every":       "how often: jobs of a schedule, or a look at all of them",
	"force":       "does what is refused otherwise; the help names what",
	"follow":      "goes on; the help says until when",
	"create":      "allows queues that do not exist; a worker has several",
	"concurrency": "how many run at one time, of a worker or of all",
	"rate":        "how many start in a time, of a worker or of all",
	"lock":        "how long what is held stays so without a sign of life",
	"since":       "the earliest time of what is listed",
	"keep":        "how many of the newest are left",
	"all":         "instead of naming them; the help says what",
	"yes":         "does not ask",
}

func TestNoFlagMeansTwoThings(t *testing.T) {
	t.Parallel()
	type meaning struct{ usage, kind, short, where string }
	byName, byShort := map[string]meaning{}, map[string]meaning{}
	used := map[string]bool{}
	for _, c := range append(everyCommand(NewRootForDocs()), NewRootForDocs()) {
		c.InitDefaultHelpFlag()
		visit := func(f *pflag.Flag) {
			m := meaning{f.Usage, f.Value.Type(), f.Shorthand, pathOf(c) + " --" + f.Name}
			if f.Name == "help" {
				return
			}
			if was, ok := byName[f.Name]; !ok {
				byName[f.Name] = m
			} else {
				if was.usage != m.usage {
					used[f.Name] = true
					if sameWord[f.Name] == "" {
						t.Errorf("%s is %q, and %s is %q", m.where, m.usage, was.where, was.usage)
					}
				}
				if was.kind != m.kind {
					t.Errorf("%s is a %s, and %s a %s", m.where, m.kind, was.where, was.kind)
				}
				if was.short != m.short {
					t.Errorf("%s has the letter %q, and %s %q", m.where, m.short, was.where, was.short)
				}
			}
			if f.Shorthand == "" {
				return
			}
			if was, ok := byShort[f.Shorthand]; ok && was.where[strings.Index(was.where, "--"):] != "--"+f.Name {
				t.Errorf("-%s is %s and %s", f.Shorthand, m.where, was.where)
			}
			byShort[f.Shorthand] = m
		}
		c.NonInheritedFlags().VisitAll(visit)
		c.PersistentFlags().VisitAll(visit)
	}
	_ = used
}

// freeText are the flags that nobody can guess a value of.
var freeText = map[string]string{
	"address": "", "at": "a time", "attempts": "a number", "backoff": "type and time", "concurrency": "a number", "data": "a payload",
	"delay": "a time", "every": "a time", "grace": "a time", "id": "a text", "id-base64": "a text", "interval": "a time", "job-timeout": "a time",
	"keep": "a number", "limit": "a number", "lock": "a time", "max-stalled": "a number", "metrics": "a time", "name": "a text",
	"older-than": "a time", "pace": "a rate", "prefix": "a text", "rate": "a rate", "redis": "an address", "refresh": "a time",
	"since": "a time", "stalled-interval": "a time", "timeout": "a time", "until": "a time", "worker-name": "a text", "job": "an id",
	"handler": "one of a few words, put together", "cause": "an id of qctl failed --by cause",
	"config": "a file, which shells complete by themselves", "bulk": "a file, which shells complete by themselves",
	"offset": "a time", "start": "a time", "end": "a time", "from": "a time", "count": "a number", "as": "an id",
	"for": "a time", "jq": "a program", "columns": "", "fail-if": "an expression", "dedup": "a text", "depth": "a number",
}

func TestEveryFlagIsCompletedOrFree(t *testing.T) {
	t.Parallel()
	for _, c := range append(everyCommand(NewRootForDocs()), NewRootForDocs()) {
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" || f.Name == "help" {
				return
			}
			_, completed := c.GetFlagCompletionFunc(f.Name)
			_, free := freeText[f.Name]
			if !completed && !free {
				t.Errorf("%s --%s: neither completed nor on the list of free texts", pathOf(c), f.Name)
			}
		})
	}
}

// Every shorthand and name is spelled in one way: small letters and hyphens.
func TestFlagNames(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	for _, c := range append(everyCommand(NewRootForDocs()), NewRootForDocs()) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !name.MatchString(f.Name) || f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s: %q", pathOf(c), f.Name, f.Usage)
			}
		})
	}
}

// notJSON are the commands that have no answer for a program.
var notJSON = map[string]string{
	"top":        "a screen",
	"completion": "a script for a shell",
	"config":     "help",
	"embedded":   "help",
	"schedule":   "help",
	"dedup":      "help",
}

// endless are those that go on until they are told to end.
var endless = map[string]bool{}

// In a pipe no command writes an escape, and under -o json standard output is
// one JSON document or nothing.
func TestEveryCommandInAPipe(t *testing.T) {
	t.Parallel()
	for _, c := range everyCommand(NewRootForDocs()) {
		path := pathOf(c)
		if endless[path] {
			continue
		}
		_, rdb, env := memoryRedis(t)
		plant(t, rdb, "bull:email-queue", "failed", plain(3))
		env["QCTL_EMBEDDED_DIR"] = t.TempDir()
		line := append(words(path), baseArgs[path]...)
		if path == "init" {
			line = append(line, t.TempDir()+"/qctl.yaml")
		}
		for _, flags := range [][]string{nil, {"--help"}, {"-o", "json"}, {"-o", "ndjson"}, {"-o", "wide"}, {"-o", "json", "--no-such-flag"}} {
			if path == "init" && flags != nil {
				flags = append(flags, "--force")
			}
			args := append(slices.Clone(line), flags...)
			got := call{args: args, env: env}.run(t)
			checkHarmless(t, fmt.Sprintf("qctl %q stdout", args), got.out, false)
			checkHarmless(t, fmt.Sprintf("qctl %q stderr", args), got.err, false)
			if len(flags) < 2 || flags[1] != "json" || notJSON[path] != "" {
				continue
			}
			if err := checkOneDocument(got); err != nil {
				t.Errorf("qctl %q (exit %d): %v\n%s%s", args, got.code, err, got.out, got.err)
			}
		}
	}
}
