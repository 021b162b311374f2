package cmd

import (
	"strings"
	"testing"

	"github.com/qctl/qctl/internal/hostiletest"
)

// B33, B34 and B35 are the hostile tests of this package and of the dashboard;
// B36 is here, B37 below, and B38 in the end-to-end tests with a real terminal.

// B36: a megabyte without a line feed and characters of every width are cut to
// the terminal, and said to be.
func TestB36WideAndLongText(t *testing.T) {
	t.Parallel()
	_, rdb, env := memoryRedis(t)
	long := strings.Repeat("x", 1<<20)
	plant(t, rdb, "bull:email-queue", "failed", plain(3))
	for id, text := range map[string]string{"plain0": long, "plain1": strings.Repeat("漢字", 400), "plain2": strings.Repeat("👩‍👩‍👧", 200) + strings.Repeat("e\u0301", 200)} {
		rdb.HSet(t.Context(), "bull:email-queue:"+id, "failedReason", text, "name", text, "data", `"`+text+`"`)
	}
	for _, line := range []string{"jobs email", "failed"} {
		got := call{args: words(line), env: env, terminal: true, width: 100}.run(t)
		if got.code != exitDone || lineCount(got.out) != 4 || len(got.out) > 4*100*4 {
			t.Errorf("%s: exit %d, %d lines, %d bytes", line, got.code, lineCount(got.out), len(got.out))
		}
		if !strings.Contains(got.out, "…") {
			t.Errorf("%s: nothing says that it is cut: %q", line, got.out)
		}
		checkHarmless(t, line, got.out, false)
	}
}

// B37: a payload as it is does not go to a terminal unless somebody insists.
func TestB37RawRefusesATerminal(t *testing.T) {
	t.Parallel()
	_, rdb, env := memoryRedis(t)
	plant(t, rdb, "bull:email-queue", "failed", plain(1))
	for _, p := range hostiletest.Payloads() {
		rdb.HSet(t.Context(), "bull:email-queue:plain0", "data", p)
		args := words("show email plain0 --raw")
		if got := (call{args: args, env: env}).run(t); got.code != exitDone || got.out != p {
			t.Errorf("in a pipe: exit %d, %q is %q", got.code, p, got.out)
		}
		if got := (call{args: args, env: env, terminal: true}).run(t); got.code != exitUsage || got.out != "" {
			t.Errorf("on a terminal: exit %d, %q", got.code, got.out)
		}
		if got := (call{args: append(args, "--force"), env: env, terminal: true}).run(t); got.code != exitDone || got.out != p {
			t.Errorf("on a terminal, forced: exit %d, %q is %q", got.code, p, got.out)
		}
	}
	for _, line := range []string{"show email plain0 --force", "show email plain0 --raw -o json"} {
		if got := (call{args: words(line), env: env}).run(t); got.code != exitUsage {
			t.Errorf("%s: exit %d", line, got.code)
		}
	}
}
