package interop

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/qctl/qctl/internal/redistest"
)

// Random programs of 50 to 500 operations, done by Node and by our engine by turns on the same two queues, leave
// them in order. There are three worlds: Node BullMQ 5, 6, and both at once.
//
// A seed means something only as long as nobody touches the generator. So what failed is kept as the program itself:
// it is shortened, and written to testdata/sequences, from where every run plays it first. Its lines name an
// operation and the choices that it made; one that makes more choices by now makes the first of each, and one that
// is gone fails the test, for somebody to rename it in the files.
const (
	// sequencesEnv is how many programs are tried, over all worlds.
	sequencesEnv = "INTEROP_SEQUENCES"
	// seedEnv is the first program's seed; the others count on from it. The seed and 1 program repeat a failure; 0 is
	// one by chance. Without it the programs are always the same ones: what a new one finds is for somebody who has
	// the time to look into it, not for whoever changes something else.
	seedEnv = "INTEROP_SEED"

	defaultSequences = 200
	defaultSeed      = 21000
	shortenFor       = 8 * time.Second
	sequencesDir     = "testdata/sequences"
)

// worlds are who shares the queues with us, and how many of 200 programs each gets.
var worlds = []struct {
	name   string
	majors []int
	share  int
}{
	{"bullmq5", []int{5}, 70},
	{"bullmq6", []int{6}, 70},
	{"both", []int{6, 5}, 60}, // the first one pauses and resumes: version 5 must not, where version 6 is
}

func TestRandomSequencesKeepTheQueuesInOrder(t *testing.T) {
	t.Parallel()
	requireNode(t)
	total, seed := envNumber(t, sequencesEnv, defaultSequences), envNumber(t, seedEnv, defaultSeed)
	if seed == 0 {
		seed = int(rand.Uint32())
	}
	t.Logf("again with %s=%d %s=%d", seedEnv, seed, sequencesEnv, total)
	for _, one := range worlds {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t, one.name, one.majors)
			a.replayKept()
			began, steps := time.Now(), 0
			programs := max(1, total*one.share/defaultSequences)
			for n := range programs {
				p := a.program(nil, rand.New(rand.NewPCG(uint64(seed+n), uint64(len(one.name)))))
				if err := p.play(); err != nil {
					a.report(p, seed+n, err)
					return
				}
				steps += len(p.steps)
			}
			t.Logf("%d programs of %d operations in %v", programs, steps, time.Since(began).Round(time.Millisecond))
		})
	}
}

func envNumber(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q is no number from 0 on", name, text)
	}
	return n
}

// arena is a Redis with one or two peers and our engine.
type arena struct {
	*world
	name  string
	peers []*peer
}

func newArena(t *testing.T, name string, majors []int) *arena {
	t.Helper()
	a := &arena{name: name}
	url := redistest.Start(t).URL()
	for _, major := range majors {
		a.peers = append(a.peers, startPeer(t, major, url))
	}
	a.world = newWorld(t, a.peers[0])
	return a
}

// step is one line of a program: who does what, and what the operation chose on its way.
type step struct {
	by, op  string
	choices []int
}

func (s step) String() string {
	text := s.by + " " + s.op
	for _, c := range s.choices {
		text += " " + strconv.Itoa(c)
	}
	return text
}

// parseSteps reads a program. Empty lines and those that begin with # say nothing.
func parseSteps(text string) ([]step, error) {
	var steps []step
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) < 2 {
			return nil, fmt.Errorf("line %q is no step", line)
		}
		s := step{by: words[0], op: words[1]}
		for _, word := range words[2:] {
			n, err := strconv.Atoi(word)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("line %q: %q is no choice", line, word)
			}
			s.choices = append(s.choices, n)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// replayKept plays the programs that failed once, each a few times: workers make their own choices.
func (a *arena) replayKept() {
	a.t.Helper()
	files, err := filepath.Glob(filepath.Join(sequencesDir, a.name+"-*.txt"))
	a.must(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		a.must(err)
		steps, err := parseSteps(string(text))
		a.must(err)
		for range 3 {
			if err := a.program(steps, nil).play(); err != nil {
				a.t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// report fails the test with a short program that fails, which it keeps.
func (a *arena) report(p *program, seed int, err error) {
	a.t.Helper()
	short, why := a.shorten(p.steps)
	var text strings.Builder
	fmt.Fprintf(&text, "# seed %d\n", seed)
	for line := range strings.Lines(why) {
		fmt.Fprintf(&text, "# %s\n", strings.TrimSpace(line))
	}
	for _, s := range short {
		fmt.Fprintln(&text, s)
	}
	file := filepath.Join(sequencesDir, fmt.Sprintf("%s-%d.txt", a.name, seed))
	kept := "keep " + file
	if e := os.WriteFile(file, []byte(text.String()), 0o600); e != nil {
		kept = e.Error()
	}
	a.t.Errorf("%s=%d %s=1: after %d operations: %v\nshort (%s):\n%s", seedEnv, seed, sequencesEnv, len(p.steps), err, kept, text.String())
}

// shorten leaves steps out as long as the program fails, and returns what is left and how that fails. A program that
// fails by luck may not fail again: then it stays as it is.
func (a *arena) shorten(steps []step) (short []step, why string) {
	deadline := time.Now().Add(shortenFor)
	fails := func(steps []step) (string, int) {
		p := a.program(steps, nil)
		p.strict = true
		if err := p.play(); err != nil {
			return err.Error(), p.at
		}
		return "", 0
	}
	why, at := fails(steps)
	if why == "" {
		return steps, "not when it was played again"
	}
	short = steps[:min(at+1, len(steps))]
	for size := (len(short) + 1) / 2; size > 0; size /= 2 {
		for from := 0; from < len(short) && time.Now().Before(deadline); {
			less := slices.Concat(short[:from], short[min(from+size, len(short)):])
			if text, at := fails(less); text != "" {
				short, why = less[:min(at+1, len(less))], text
				continue
			}
			from += size
		}
	}
	return short, why
}

// length draws how many operations a program has: from 50 to 500, most of them few.
func length(rng *rand.Rand) int {
	f := rng.Float64()
	return 50 + int(451*f*f*f*f*f*f)
}
