package interop

import (
	"fmt"
	"os"
	"testing"
)

// workerEnv holds the orders of a worker process: the test binary starts itself as one, to be killed.
const workerEnv = "INTEROP_WORKER"

// TestMain turns into a worker when it is told to.
func TestMain(m *testing.M) {
	if orders := os.Getenv(workerEnv); orders != "" {
		if err := workAlone(orders); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
