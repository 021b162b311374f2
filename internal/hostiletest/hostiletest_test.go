package hostiletest

import "testing"

func TestPayloads(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range Payloads() {
		if seen[p] {
			t.Errorf("%q is there twice", p)
		}
		seen[p] = true
	}
	if len(seen) < 200 {
		t.Errorf("%d payloads", len(seen))
	}
	t.Logf("%d payloads", len(seen))
}

// What shows nothing would find nothing.
func TestDangersFindsThem(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"a\x1b[2Jb", "\u009b", "\x9b", "a\u202eb", "a\u200bb", "\r", "\b", "\x7f", "\xff", "\xc0\x80", "\u2028"} {
		if Dangers(line) == nil {
			t.Errorf("nothing in %q", line)
		}
	}
	for _, line := range []string{"", "plain", "grün ✓ 漢字 é", `\x1b[2J`, "e\u0301"} {
		if found := Dangers(line); found != nil {
			t.Errorf("%v in %q", found, line)
		}
	}
}
