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
		"rapid.seed": strconv.FormatUint(rand.Uint64()>>1+1, 10), // so that it can be told whatever happens
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
