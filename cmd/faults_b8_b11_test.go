package cmd

import (
	"testing"
)

// B8: without a terminal nothing that destroys is done without --yes; the whole
// of it is TestUnconfirmedChangesNothing. B10 belongs to the arguments.

// B8, in short.
func TestB8NobodyToAsk(t *testing.T) {
	t.Parallel()
	_, rdb, env := memoryRedis(t)
	mutable(t, rdb)
	for _, line := range []string{"obliterate email --force", "drain email", "remove email --state failed", "clean email --state failed --keep 0"} {
		if got := (call{args: words(line), env: env}).run(t); got.code != exitUnconfirmed || got.out != "" {
			t.Errorf("%s: exit %d, %q", line, got.code, got.out)
		}
	}
}

// B9: under -o json an error is JSON on standard error, and standard output is
// empty or a whole document, also when one of several queues cannot be read.
func TestB9ErrorsAsJSON(t *testing.T) {
	t.Parallel()
	_, rdb, env := memoryRedis(t)
	mutable(t, rdb)
	rdb.Del(t.Context(), "bull:email-queue:wait", "bull:email-queue:failed")
	rdb.Set(t.Context(), "bull:email-queue:wait", "text", 0)
	rdb.Set(t.Context(), "bull:email-queue:failed", "text", 0)
	for line, code := range map[string]int{
		"stats": exitCorrupt, "queues": exitCorrupt, "failed": exitCorrupt, "jobs email": exitCorrupt, "jobs email --state failed": exitCorrupt,
		"failed --by cause": exitCorrupt, "retry email --all-failed": exitCorrupt, "drain email --yes": exitCorrupt,
		"show ba nothing": exitNotFound, "stats nothing": exitNotFound, "nothing": exitUsage, "stats --nothing": exitUsage,
		"retry ba failed0 nothing": exitNegative, "remove ba nothing": exitNotFound, "retry ba --state waiting": exitUsage,
		"enqueue email a=1": exitUsage, "pause ba --read-only": exitDenied, "drain ba": exitUnconfirmed,
	} {
		got := call{args: append(words(line), "-o", "json"), env: env}.run(t)
		if got.code != code {
			t.Errorf("%s: exit %d, want %d: %s", line, got.code, code, got.err)
		}
		if err := checkOneDocument(got); err != nil {
			t.Errorf("%s: %v\n%s%s", line, err, got.out, got.err)
		}
	}
}

// B11: tables on a terminal of one column and of ten thousand, with every
// ability and with none. Real terminals are among the end-to-end tests, and the
// dashboard's sizes in its own package.
func TestB11AnyTerminal(t *testing.T) {
	t.Parallel()
	_, rdb, env := memoryRedis(t)
	mutable(t, rdb)
	for _, term := range []map[string]string{{"TERM": "dumb", "LC_ALL": "C"}, {"TERM": "xterm", "LANG": "C.UTF-8"}} {
		term["REDIS_URL"] = env["REDIS_URL"]
		for _, width := range []int{1, 2, 7, 79, 10_000} {
			for _, line := range []string{
				"stats", "queues", "jobs email", "failed", "failed --by cause", "show email failed0", "logs email failed0", "events", "limit email",
			} {
				got := call{args: words(line), env: term, terminal: true, width: width}.run(t)
				if got.code != exitDone || got.out == "" {
					t.Errorf("%s at %d columns: exit %d, %q%s", line, width, got.code, got.out, got.err)
				}
				checkHarmless(t, line, got.out, false)
			}
		}
	}
}
