package queue_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain ends the shared redis-server after the last test and looks for
// goroutines that were left behind.
func TestMain(m *testing.M) {
	code := m.Run()
	realRedis.Close()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
