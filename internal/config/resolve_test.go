package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prefix  string // as a flag; "" for none
		cluster bool
		arg     string
		alias   string
		base    string // prefix | name
		err     string
	}{
		{name: "alias", arg: "email", alias: "email", base: "bull|email-queue"},
		{name: "alias with a prefix of its own", arg: "dev", alias: "dev", base: "queue|dev"},
		{name: "name of a configured queue", arg: "email-queue", alias: "email", base: "bull|email-queue"},
		{name: "key base of a configured queue", arg: "queue:dev", alias: "dev", base: "queue|dev"},
		{name: "key base under the active prefix", arg: "bull:email-queue", alias: "email", base: "bull|email-queue"},
		{name: "plain name", arg: "billing", base: "bull|billing"},
		{name: "plain name that a configured prefix does not own", arg: "bull:dev", base: "bull|dev"},
		{name: "aliases are exact", arg: "Email", base: "bull|Email"},
		{name: "named like a suffix", arg: "events", base: "bull|events"},
		{name: "key base named like a suffix", arg: "a:1", base: "a|1"},
		{name: "name with a colon under the active prefix", arg: "bull:queue:dev", base: "bull|queue:dev"},
		{name: "unknown prefix with a colon", arg: "my:app:mails", base: "my:app|mails"},
		{name: "colon inside a hash tag", arg: "{my:app}:mails", base: "{my:app}|mails"},
		{name: "tagged name", arg: "app:{my:mails}", base: "app|{my:mails}"},
		{name: "spaces and letters of the world", arg: "Grüße an alle", base: "bull|Grüße an alle"},
		{name: "flag prefix", prefix: "staging", arg: "email", alias: "email", base: "staging|email-queue"},
		{name: "flag prefix moves all queues", prefix: "staging", arg: "dev", alias: "dev", base: "staging|dev"},
		{name: "key base beside a flag prefix", prefix: "staging", arg: "queue:dev", base: "queue|dev"},
		{name: "flag prefix with a colon", prefix: "a:b", arg: "a:b:c:d", base: "a:b|c:d"},

		{name: "cluster alias", cluster: true, arg: "email", alias: "email", base: "bull|{email-queue}"},
		{name: "cluster key base", cluster: true, arg: "queue:dev", alias: "dev", base: "queue|{dev}"},
		{name: "cluster tagged key base", cluster: true, arg: "queue:{dev}", alias: "dev", base: "queue|{dev}"},
		{name: "cluster name", cluster: true, arg: "billing", base: "bull|{billing}"},
		{name: "cluster tagged name", cluster: true, arg: "{a}-b", base: "bull|{a}-b"},
		{name: "cluster tagged prefix", cluster: true, prefix: "{bull}", arg: "email", alias: "email", base: "{bull}|email-queue"},
		{name: "tagged name is another queue outside a cluster", arg: "{email-queue}", base: "bull|{email-queue}"},

		{name: "empty", arg: "", err: `queue "": is empty`},
		{name: "newline", arg: "a\nb", err: `queue "a\nb": holds a control character`},
		{name: "escape sequence", arg: "a\x1b[2J", err: `queue "a\x1b[2J": holds a control character`},
		{name: "NUL", arg: "a\x00", err: `queue "a\x00": holds a control character`},
		{name: "8-bit control", arg: "a\u009b", err: `queue "a\u009b": holds a control character`},
		{name: "invalid UTF-8", arg: "a\xff", err: `queue "a\xff": not valid UTF-8`},
		{name: "pattern", arg: "mail*", err: `queue "mail*": holds *, which is a pattern and not a name`},
		{name: "too long", arg: strings.Repeat("ä", 600), err: `queue "` + strings.Repeat("ä", 40) + `"… (1200 bytes): longer than 1 KiB`},
		{name: "no name", arg: "bull:", err: `queue name "": is empty`},
		{name: "no prefix", arg: ":x", err: `prefix "": is empty`},
		{name: "only a colon", arg: ":", err: `queue name "": is empty`},
		{name: "open brace", arg: "{a", err: `queue name "{a": braces only as one whole hash tag, as in {mail}`},
		{name: "closing brace", arg: "a}", err: `queue name "a}": braces only as one whole hash tag, as in {mail}`},
		{name: "empty tag", arg: "{}", err: `queue name "{}": braces only as one whole hash tag, as in {mail}`},
		{name: "nested tag", arg: "{{a}}", err: `queue name "{{a}}": braces only as one whole hash tag, as in {mail}`},
		{name: "two tags", arg: "{a}{b}", err: `queue name "{a}{b}": braces only as one whole hash tag, as in {mail}`},
		{name: "reversed tag", arg: "}a{", err: `queue name "}a{": braces only as one whole hash tag, as in {mail}`},
		{name: "bad prefix", arg: "x{:y", err: `prefix "x{": braces only as one whole hash tag, as in {mail}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := builtin()
			if test.prefix != "" {
				if err := c.SetPrefix(test.prefix, Origin{Flag, "--prefix"}); err != nil {
					t.Fatal(err)
				}
			}
			c.SetCluster(test.cluster, Origin{})
			got, err := c.Resolve(test.arg)
			if diff := cmp.Diff(test.err, errText(t, err)); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if test.err != "" {
				return
			}
			prefix, name, _ := strings.Cut(test.base, "|")
			policy := plainQueue(prefix, name)
			if test.alias != "" {
				policy, _ = c.Queue(test.alias)
				policy.Prefix, policy.Name = prefix, name
			}
			want := Target{Alias: test.alias, Prefix: prefix, Name: name, Queue: &policy, Configured: test.alias != ""}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(prefix+":"+name, got.String()); diff != "" {
				t.Errorf("key base (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlainQueue(t *testing.T) {
	t.Parallel()
	got, err := builtin().Resolve("billing")
	if err != nil {
		t.Fatal(err)
	}
	want := Target{Prefix: "bull", Name: "billing", Queue: &Queue{
		Name: "billing", Prefix: "bull", Concurrency: 1, Attempts: 1, LockDuration: 30 * time.Second,
		StalledInterval: 30 * time.Second, MaxStalledCount: 2,
		Priority: Scale{Order: "lower-first", Min: 0, Max: 2097152, Default: 0},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
}

// A command may change the policy of its target for itself.
func TestTargetsShareNothing(t *testing.T) {
	t.Parallel()
	c := builtin()
	first, err := c.Resolve("email")
	if err != nil {
		t.Fatal(err)
	}
	first.Queue.Concurrency = 99
	first.Queue.Limiter.Max = 99
	if diff := cmp.Diff(builtinQueues(), c.Queues); diff != "" {
		t.Errorf("configuration changed (-want +got):\n%s", diff)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	c := builtin()
	c.SetCluster(true, Origin{})
	got := map[string][]string{}
	for _, role := range []string{"", "synthstack", "nobody"} {
		for _, target := range c.Targets(role) {
			got[role] = append(got[role], target.String())
		}
	}
	synthstack := []string{"bull:{email-queue}", "bull:{orchestration-queue}"}
	want := map[string][]string{
		"synthstack": synthstack,
		"": append(append([]string{}, synthstack...), "queue:{chief_of_staff}", "queue:{ba}", "queue:{architect}",
			"queue:{dev}", "queue:{qa}", "queue:{memory}", "queue:{webhook-outbound}", "queue:{digest}"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

func TestValidateName(t *testing.T) {
	t.Parallel()
	colon := "a new queue's name holds no colon; to use a queue under another prefix set the prefix"
	tests := []struct{ name, want string }{
		{"billing", ""},
		{"events", ""},
		{"meta", ""},
		{"{mail}", ""},
		{"{mail}-out", ""},
		{"two words", ""},
		{"日本語", ""},
		{strings.Repeat("x", 1024), ""},
		{"", `queue name "": is empty`},
		{strings.Repeat("x", 1025), `queue name "` + strings.Repeat("x", 80) + `"… (1025 bytes): longer than 1 KiB`},
		{"a:b", `queue name "a:b": ` + colon},
		{" a", `queue name " a": begins or ends with white space`},
		{"a ", `queue name "a ": begins or ends with white space`},
		{"a\u202eb", `queue name "a\u202eb": holds a character that cannot be seen`},
		{"a\u200bb", `queue name "a\u200bb": holds a character that cannot be seen`},
		{"a\tb", `queue name "a\tb": holds a control character`},
		{"a{b", `queue name "a{b": braces only as one whole hash tag, as in {mail}`},
		{"a*", `queue name "a*": holds *, which is a pattern and not a name`},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, errText(t, ValidateName(test.name))); diff != "" {
			t.Errorf("ValidateName(%.20q) (-want +got):\n%s", test.name, diff)
		}
	}
	target, err := builtin().Resolve("bull:queue:dev")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`queue name "queue:dev": `+colon, errText(t, target.CheckCreate())); diff != "" {
		t.Errorf("CheckCreate (-want +got):\n%s", diff)
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	aliases := []string{"email", "orchestration", "chief_of_staff", "ba", "architect", "dev", "qa", "memory", "webhook-outbound", "digest"}
	tests := []struct {
		name       string
		candidates []string
		want       string
	}{
		{"emial", aliases, "email"},
		{"EMAIL", aliases, "email"},
		{"orchestraton", aliases, "orchestration"},
		{"orch", aliases, "orchestration"},
		{"webhook", aliases, "webhook-outbound"},
		{"chief-of-staff", aliases, "chief_of_staff"},
		{"devs", aliases, "dev"},
		{"bq", aliases, "ba"},
		{"x", aliases, ""},
		{"zz", aliases, ""},
		{"", aliases, ""},
		{"billing", aliases, ""},
		{"biling", []string{"billing", "bidding"}, "billing"},
		{"cat", []string{"hat", "bat"}, "bat"},
		{"cat", []string{"bat", "hat"}, "bat"},
		{"mai", []string{"mail-queue", "main-jobs"}, "main-jobs"},
		{"grüsse", []string{"grüße"}, "grüße"},
		{"email", nil, ""},
		{"email", []string{""}, ""},
		{strings.Repeat("a", 100000), []string{strings.Repeat("a", 100001)}, ""},
	}
	for _, test := range tests {
		if got := Suggest(test.name, test.candidates); got != test.want {
			t.Errorf("Suggest(%.20q, %.60q) = %q, want %q", test.name, test.candidates, got, test.want)
		}
	}
}
