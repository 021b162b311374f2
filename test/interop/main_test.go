package interop

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// workerEnv holds the orders of a worker process: the test binary starts itself as one, to be killed.
const workerEnv = "INTEROP_WORKER"

// TestMain turns into a worker when it is told to. It lowers rapid's defaults: every step of a program is a round
// trip to Node.
func TestMain(m *testing.M) {
	if orders := os.Getenv(workerEnv); orders != "" {
		if err := workAlone(orders); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{
		"rapid.checks": "15", "rapid.shrinktime": "10s", "rapid.nofailfile": "true",
		"rapid.seed": seed(), // so that it can be told whatever happens
	} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// seed is another one for each run, so that programs are found that nobody has thought of; where a run decides about a
// change that has nothing to do with it, it is always the same.
func seed() string {
	if os.Getenv("CI") == "true" {
		return "20261122"
	}
	return strconv.FormatUint(rand.Uint64()>>1+1, 10)
}
