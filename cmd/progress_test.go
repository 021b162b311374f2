package cmd

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/iostreams"
)

func TestProgressLines(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	p := w.newProgress("retry billing", 1_370_000)
	for range 25 {
		w.clock = w.clock.Add(time.Second)
		p.add(38_800)
	}
	p.end()
	want := "retry billing 28% 388k/1.37M 38.8k/s ETA 25s\nretry billing 56% 776k/1.37M 38.8k/s ETA 15s\n"
	if diff := cmp.Diff(want, w.err.String()); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

func TestProgressBar(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	w.streams.SetTerminals(iostreams.Terminals{Err: true})
	p := w.newProgress("retry b\x1b[2J", 1000)
	p.add(10) // too early to show
	w.clock = w.clock.Add(time.Second)
	p.add(700)
	p.add(1) // too soon to draw again
	w.clock = w.clock.Add(time.Second)
	p.add(289)
	p.end()
	want := "\rretry b\\x1b[2J ███████░░░ 71% 710/1.00k 710/s ETA 0s" +
		"\r                                                    \r" +
		"\rretry b\\x1b[2J ██████████ 100% 1.00k/1.00k 500/s ETA 0s" +
		"\r                                                       \r"
	if diff := cmp.Diff(want, w.err.String()); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

// TestProgressIsForPeople keeps standard error free for the error that a
// program reads.
func TestProgressIsForPeople(t *testing.T) {
	t.Parallel()
	w := newTestWorld(t)
	w.flags.output = "json"
	p := w.newProgress("retry billing", 0)
	w.clock = w.clock.Add(time.Minute)
	p.add(1)
	p.end()
	if w.err.Len() > 0 {
		t.Errorf("said %q, want nothing", w.err)
	}
}

func TestShortCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]string{
		0: "0", 7.4: "7", 970: "970", 999.4: "999", 999.6: "1.00k", 1375: "1.38k", 12_345: "12.3k", 99_960: "100k",
		970_000: "970k", 999_700: "1.00M", 1_370_000: "1.37M", 2e9: "2.00G",
	} {
		if got := shortCount(n); got != want {
			t.Errorf("shortCount(%v) = %s, want %s", n, got, want)
		}
	}
}
